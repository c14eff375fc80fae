package handoff

import (
	"slices"
	"time"
)

// Status is where a handoff is on its way.
type Status string

// The statuses, in the order of the way; from StatusCompleted on they are ends.
const (
	StatusCreated   Status = "created"
	StatusDisplayed Status = "displayed"
	StatusOpened    Status = "opened" // a hint: changes no right, lifetime or count
	StatusClaimed   Status = "claimed"
	StatusConfirmed Status = "confirmed"
	StatusConnected Status = "connected"
	StatusDelivered Status = "delivered"
	StatusCompleted Status = "completed"
	StatusExpired   Status = "expired"
	StatusCancelled Status = "cancelled"
	StatusRejected  Status = "rejected"
	StatusReplaced  Status = "replaced"
	StatusFailed    Status = "failed" // technical only
)

// Statuses lists all of them, in the order of the way.
func Statuses() []Status {
	return []Status{
		StatusCreated, StatusDisplayed, StatusOpened, StatusClaimed, StatusConfirmed, StatusConnected, StatusDelivered,
		StatusCompleted, StatusExpired, StatusCancelled, StatusRejected, StatusReplaced, StatusFailed,
	}
}

// Ended reports whether nothing can happen any more.
func (s Status) Ended() bool {
	switch s {
	case StatusCompleted, StatusExpired, StatusCancelled, StatusRejected, StatusReplaced, StatusFailed:
		return true
	case StatusCreated, StatusDisplayed, StatusOpened, StatusClaimed, StatusConfirmed, StatusConnected, StatusDelivered:
	}
	return false
}

// Held reports whether a phone or an app holds the handoff.
func (s Status) Held() bool {
	switch s {
	case StatusClaimed, StatusConfirmed, StatusConnected, StatusDelivered:
		return true
	case StatusCreated, StatusDisplayed, StatusOpened, StatusCompleted, StatusExpired, StatusCancelled, StatusRejected, StatusReplaced, StatusFailed:
	}
	return false
}

// ParseStatus returns the status spelt s.
func ParseStatus(s string) (Status, error) {
	if st := Status(s); slices.Contains(Statuses(), st) {
		return st, nil
	}
	return "", Errorf(CodeInvalid, "%.40q is not a status", s)
}

// Route is how a code travelled to the phone.
type Route string

// The routes.
const (
	RouteQR      Route = "qr"
	RouteLink    Route = "link" // copied from the display
	RouteSMS     Route = "sms"
	RouteEmail   Route = "email"
	RouteTyped   Route = "typed"
	RouteLocal   Route = "local"   // on the device that shows the display
	RoutePartner Route = "partner" // in the partner's own message
)

// ParseRoute returns the route spelt s.
func ParseRoute(s string) (Route, error) {
	switch r := Route(s); r {
	case RouteQR, RouteLink, RouteSMS, RouteEmail, RouteTyped, RouteLocal, RoutePartner:
		return r, nil
	}
	return "", Errorf(CodeInvalid, "%.40q is not a route", s)
}

// Scope names a class of device the platform lets connect.
type Scope string

// The scopes of the platform's device/start. ScopeStar means the same as ScopeAny.
const (
	ScopeMobile  Scope = "mobile"
	ScopeDesktop Scope = "desktop"
	ScopeAny     Scope = "any"
	ScopeStar    Scope = "*"
)

// ParseScope returns the scope spelt s.
func ParseScope(s string) (Scope, error) {
	switch sc := Scope(s); sc {
	case ScopeMobile, ScopeDesktop, ScopeAny, ScopeStar:
		return sc, nil
	}
	return "", Errorf(CodeInvalid, "%.40q is not a scope: use mobile, desktop, any or *", s)
}

// Class is a class of device.
type Class string

// The classes. The platform knows no tablets: to it, they are mobile.
const (
	ClassMobile  Class = "mobile"
	ClassTablet  Class = "tablet"
	ClassDesktop Class = "desktop"
	ClassUnknown Class = ""
)

// PlatformType is the class in the platform's deviceType.
func (c Class) PlatformType() string {
	if c == ClassTablet {
		return string(ClassMobile)
	}
	return string(c)
}

// Allows reports whether a device of this class may connect under scope. An
// unknown class may try: the platform has the last word.
func Allows(scope []Scope, c Class) bool {
	if c == ClassUnknown {
		return true
	}
	return slices.ContainsFunc(scope, func(s Scope) bool {
		return s == ScopeAny || s == ScopeStar || string(s) == c.PlatformType()
	})
}

// Confirmation is the policy by which the number is asked for.
type Confirmation string

// The policies, from the least strict to the strictest.
const (
	ConfirmNever  Confirmation = "never"
	ConfirmLinks  Confirmation = "links"  // link, sms, email and partner routes
	ConfirmAuto   Confirmation = "auto"   // those, and qr and typed on a sign of risk
	ConfirmAlways Confirmation = "always" // every route but local
)

func confirmations() []Confirmation {
	return []Confirmation{ConfirmNever, ConfirmLinks, ConfirmAuto, ConfirmAlways}
}

// ParseConfirmation returns the policy spelt s.
func ParseConfirmation(s string) (Confirmation, error) {
	if c := Confirmation(s); slices.Contains(confirmations(), c) {
		return c, nil
	}
	return "", Errorf(CodeInvalid, "%.40q is not a confirmation policy: use never, links, auto or always", s)
}

// AtLeast reports whether c asks no less often than other.
func (c Confirmation) AtLeast(other Confirmation) bool {
	all := confirmations()
	return slices.Index(all, c) >= slices.Index(all, other)
}

// Asks reports whether the number is asked for on a claim that came by route.
// risk is a positive sign of it; an unknown address is none.
func (c Confirmation) Asks(route Route, risk bool) bool {
	if route == RouteLocal {
		return false
	}
	switch c {
	case ConfirmNever:
		return false
	case ConfirmLinks:
		return byMessage(route)
	case ConfirmAuto:
		return byMessage(route) || risk
	case ConfirmAlways:
	}
	return true
}

func byMessage(r Route) bool {
	switch r {
	case RouteLink, RouteSMS, RouteEmail, RoutePartner:
		return true
	case RouteQR, RouteTyped, RouteLocal:
	}
	return false
}

// Exchange says who calls device/connect for an app that claims.
type Exchange string

// The exchanges.
const (
	ExchangePortal Exchange = "portal"
	ExchangeApp    Exchange = "app"
)

// CodeMode says what the QR carries.
type CodeMode string

// The code modes.
const (
	CodeLink  CodeMode = "link"  // a link of ours
	CodeToken CodeMode = "token" // the platform's raw connect token
)

// Lifetimes and limits of the product; times that a person meets.
const (
	PhoneLease     = 60 * time.Second  // a browser's claim, renewed while its page is open
	AppLease       = 5 * time.Minute   // an app's claim, renewed by its calls
	TypedLife      = 10 * time.Minute  // a typed code
	TokenRest      = 120 * time.Second // the longest a token is kept sealed, waiting for its pickup
	RepeatWindow   = 60 * time.Second  // how long the same pickup or token call repeats its answer
	StartMargin    = 10 * time.Second  // a connect token with less left is not used for an exchange
	OpenedGrace    = 5 * time.Minute   // how long a good frame, once opened, lasts
	FrameEarly     = 5 * time.Second   // how far ahead a frame's clock may be
	FrameLate      = 30 * time.Second  // how old a frame may be
	OpeningTakes   = 30 * time.Second  // how long an app may take from the tap to its pickup
	UntappedQuiet  = 60 * time.Second  // how long an app link may be shown, with no tap told, before the display says what to try
	WorkLease      = 30 * time.Second  // the longest one upstream step may take, every retry included
	RequestLife    = 24 * time.Hour    // how long the same request repeats its answer
	ContinueNotice = 2 * time.Minute   // before the end, when more time is offered

	MaxBurnt      = 3   // claims burnt by wrong numbers, until a new code is asked for
	MaxTries      = 2   // numbers typed for one claim
	MaxOpens      = 11  // app links for one claim: the first, and ten fresh ones
	MaxExtensions = 10  // times the deadline may be put off
	MaxLive       = 3   // live handoffs of one instance
	MaxEvents     = 300 // changes of one handoff; past them only ends are recorded
	MaxFormer     = 24  // earlier claims remembered
	MaxWaiting    = 24  // unconfirmed claims whose numbers are good beside the one in force
	MaxCodes      = 40  // codes remembered, ended ones included
	MaxExpiresIn  = 24 * time.Hour
	MinExpiresIn  = 60 * time.Second
)
