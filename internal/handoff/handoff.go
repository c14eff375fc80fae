package handoff

import (
	"slices"
	"time"
)

// Sealed is a secret encrypted under a server key, or under a key derived from
// another secret. A Vault makes and opens it.
type Sealed []byte

// Terms are what the partner asked for; they do not change.
type Terms struct {
	Scope          []Scope
	ParentOrigin   string // the one origin that may frame the display; empty: none
	ReturnURL      string
	Locale         string // as asked for: a BCP 47 tag, or empty
	Label          string
	Reference      string
	Confirmation   Confirmation
	ExpiresIn      time.Duration
	CompleteWithin time.Duration
	Retain         time.Duration
	Exchange       Exchange
	CodeMode       CodeMode
	Frame          time.Duration // length of a QR frame; zero: the QR carries none
	Routes         []Route       // besides qr and partner, which are always there
}

// Handoff is one journey instance on its way from a display to a device. It is
// a value: the rules return a changed copy, and copies share nothing that is
// ever written to.
type Handoff struct {
	ID         ID
	Partner    PartnerID
	App        AppID
	Instance   InstanceID
	Terms      Terms
	SupportRef string
	CreatedAt  time.Time

	Status  Status
	Cause   Cause // with StatusFailed, and for a claim that ended by itself
	Seq     int   // number of events ever recorded; one that came later has a higher one
	Events  []Event
	EndedAt time.Time // zero until an end

	// Deadline is when the handoff expires: CreatedAt + ExpiresIn and what was
	// added to it, until it is delivered; then the end of the end-user token's
	// life, or CompleteWithin, whichever is sooner.
	Deadline   time.Time
	Extensions int

	Contact Sealed // how the partner says the person can be reached; nil after an end

	DisplayHash Hash
	DisplayKey  Sealed // under the server key
	Asker       Browser
	Begun       Hash      // of the cookie of the phone's browser that showed the display top level first
	DisplayedAt time.Time // frames count from here
	FrameKeyID  string    // the server key the frames' key is derived from
	Network     Network   // of the browser that first showed it

	Codes []RouteCode
	Claim *Claim // the one in force, or the last one after an end
	Rival *Claim // another phone that asks to take its place
	// Waiting are the unconfirmed claims that gave way to a later one, oldest
	// first: their numbers are as good as that one's.
	Waiting []Claim
	// Former are the claims that others took the place of, and why: their keys
	// answer "gone". The oldest are forgotten beyond MaxFormer.
	Former []Former
	Burnt  int // claims burnt by wrong numbers since the last new code
	Claims int // claims ever made

	Connect *Token // the connect token waiting for its exchange, under the server key
	Work    *Work  // the upstream step being made, if any
	Poll    Poll

	// Confirmed is how the claim in force was confirmed: "number", "scan" (a
	// fresh QR frame) or empty.
	Confirmed string
	Report    Report // what the app said last
	Hint      Hint   // what a phone's page said of itself before the claim

	Request *Request // the partner's call that made it, while it may come again

	Notices []Notice  // the statuses reached, for the partner's endpoints; oldest first
	Outbox  []Channel // one for each endpoint there was when it was created
}

// Event is one change of a handoff, numbered without gaps.
type Event struct {
	Seq  int
	Type EventType
	At   time.Time
}

// EventType is a status reached, or another change that people see.
type EventType string

// Events that are not a status reached; those are spelt as the status.
const (
	EventRenewed     EventType = "renewed"
	EventExtended    EventType = "extended"
	EventLinkMade    EventType = "link_made"
	EventLinkRevoked EventType = "link_revoked"
	EventSent        EventType = "sent" // a message with a link, well or not
	EventWrongNumber EventType = "wrong_number"
	EventReopened    EventType = "reopened"  // a fresh app link
	EventTapped      EventType = "tapped"    // the app link, on the phone's page
	EventUnopened    EventType = "unopened"  // and no app came of it in time
	EventReported    EventType = "reported"  // by the app
	EventContested   EventType = "contested" // another phone asks to go on instead
	EventSettled     EventType = "settled"   // and was let go
	EventHinted      EventType = "hinted"    // by the phone's page: in-app browser, store
)

// Browser is what a request says of its browser: names as people know them, or empty.
type Browser struct {
	Name  string // Chrome
	OS    string // Windows
	Class Class
	InApp string // the app whose in-app browser this is, such as Instagram
	Via   string // the app that opened a link in this browser, over itself, such as Gmail
	// Country is where its network is, ISO 3166-1 alpha-2, as a configured proxy
	// says; empty: not known. It is not of the User-Agent.
	Country string
}

// Cause says why a handoff failed or a claim ended.
type Cause string

// The causes.
const (
	CauseUnknownJourney Cause = "unknown_journey"
	CauseWrongDevice    Cause = "wrong_device"
	CauseWrongNumbers   Cause = "wrong_numbers"
	CauseOutcomeFailed  Cause = "failed" // completed, and the partner said that it failed
	CauseNoPhone        Cause = "no_phone"
)

// RouteCode is the code of one route. A route has one live code at most.
type RouteCode struct {
	Route     Route
	Hash      Hash   // for a typed code, of its MAC
	Sealed    Sealed // the code itself, under the server key
	MadeAt    time.Time
	ExpiresAt time.Time // zero: as long as the handoff
	Ended     Reason    // empty while it is live
	Sent      *Dispatch // with a code that went out in a message of ours
}

// Live reports whether c can still claim.
func (c RouteCode) Live(now time.Time) bool {
	return c.Ended == "" && (c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt))
}

// Claim is a phone's hold on the handoff. One whose lease has lapsed stays in
// its place, with the handoff displayed again, until its owner comes back or
// another device claims.
type Claim struct {
	Hash  Hash // of the claim key (a browser's) or the claim id (an app's)
	Owner Hash // of the phone's cookie or the app's device id
	Route Route
	Frame bool // it came with a fresh frame
	Here  bool // of RouteLocal: it is known to come from the display's own device
	At    time.Time
	Until time.Time // the lease; zero: until the handoff's deadline
	By    Browser
	Near  Nearness // to the display, by network

	// A browser's claim.
	Attempt    Hash   // of the form's attempt
	ByOwner    Sealed // the claim key, under a key derived from the cookie
	ByAttempt  Sealed // the claim key, under a key derived from the attempt
	Pickup     *Pickup
	Dead       []Hash // pickups that fresh ones took the place of
	Opens      int
	DeviceID   string
	DeviceName string
	DeviceType string

	Install    Hash    // of the code that its way to the store carries
	InstallKey Sealed  // under the server key
	From       Network // where it came from

	// An app's claim.
	Challenge string // PKCE, S256
	Given     *Given // its token answer, repeated for RepeatWindow

	Number      Sealed // under the server key; nil: none asked for
	Tries       int    // wrong numbers typed
	Response    Hash   // of the response code, with Here in a browser
	ResponseKey Sealed // under the server key
	Report      Hash   // of the report key
	ReportKey   Sealed // under the server key
}

// App reports whether an app holds the claim, rather than a browser.
func (c Claim) App() bool { return c.Challenge != "" }

// pickups are the hashes of every pickup the claim ever had.
func (c Claim) pickups() []Hash {
	if c.Pickup == nil {
		return c.Dead
	}
	return append(slices.Clone(c.Dead), c.Pickup.Hash)
}

// Former is a claim that ended before the handoff did.
type Former struct {
	Hash      Hash
	Owner     Hash // of the phone's cookie or the app's device id
	Reason    Reason
	Cause     Cause  // with ReasonReleased: wrong numbers, or the wrong device
	Report    Hash   // of its report key
	Challenge string // of an app
	Pickups   []Hash
	Install   Hash // of its code for the store
}

// Token is one of the platform's tokens, sealed.
type Token struct {
	Sealed    Sealed
	MadeAt    time.Time
	ExpiresAt time.Time
}

// Pickup is a one-time code and the end-user token it stands for.
type Pickup struct {
	Hash      Hash
	Sealed    Sealed // the pickup itself, under a key derived from the claim key
	Answer    Sealed // the token answer, under a key derived from the pickup; nil once wiped
	MadeAt    time.Time
	WipeAt    time.Time // when Answer is forgotten
	ExpiresAt time.Time // of the end-user token
	TappedAt  time.Time // when its link was tapped first, if that was told
	Unopened  bool      // and no app came within OpeningTakes
	UsedAt    time.Time // zero: not yet
	Verifier  Hash      // of the one who used it
}

// Given is a token answer that an app was given, kept for a lost reply.
type Given struct {
	Answer Sealed // under a key derived from the code verifier; nil once wiped
	WipeAt time.Time
}

// Work is an upstream step that one process is making. Nobody else makes one
// before Until; if that passes, the process died, and the step is made anew.
type Work struct {
	By    Hash
	Until time.Time
}

// Poll says when the journey's state is asked for.
type Poll struct {
	Next    time.Time // zero: not at all
	Every   time.Duration
	Watched time.Time // a page is open at least until then
	Final   bool      // the last question before the end has been asked
}

// Report is what an app said of itself: a hint for the screens, proof of nothing.
type Report string

// The reports.
const (
	ReportStarted  Report = "started"
	ReportLeft     Report = "left"
	ReportFailed   Report = "failed"
	ReportFinished Report = "finished"
)

// Hint is what a phone's page said of itself: for the screens only.
type Hint struct {
	InApp string // the link is open inside this app's browser
	Store bool   // the phone went to the store
}

// Keys returns every key that finds h, in a stable order. No key is there twice.
func (h Handoff) Keys() []Key {
	keys := []Key{NewKey(KeyDisplay, h.DisplayHash), SupportKey(h.SupportRef)}
	add := func(kind KeyKind, hash Hash) {
		if k := NewKey(kind, hash); !hash.IsZero() && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	for _, c := range h.Codes {
		if c.Route == RouteTyped {
			add(KeyTyped, c.Hash)
		} else {
			add(KeyCode, c.Hash)
		}
	}
	for _, f := range h.Former {
		add(KeyClaim, f.Hash)
		add(KeyReport, f.Report)
		add(KeyCode, f.Install)
		for _, p := range f.Pickups {
			add(KeyPickup, p)
		}
	}
	for _, c := range h.claims() {
		add(KeyClaim, c.Hash)
		add(KeyReport, c.Report)
		add(KeyResponse, c.Response)
		add(KeyCode, c.Install)
		for _, p := range c.pickups() {
			add(KeyPickup, p)
		}
	}
	if h.Request != nil {
		add(KeyRequest, h.Request.Key)
	}
	return keys
}

// SupportKey finds a handoff by the reference a person reads out.
func SupportKey(ref string) Key { return NewKey(KeySupport, HashOf(Secret(ref))) }

// DueAt is when h next needs the worker: a deadline, a lapse, something to
// forget, to ask or to tell; after an end, when the record itself is forgotten,
// which is not before everybody was told.
func (h Handoff) DueAt() time.Time {
	due := h.Deadline
	if h.Status.Ended() {
		due = h.PurgeAt()
		if at := h.freeAt(); at.After(due) {
			due = at
		}
		if h.Untold() {
			due = farOff()
		}
	}
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(due) {
			due = t
		}
	}
	for i := range h.Outbox {
		if at, ok := h.Outbox[i].DueAt(); ok {
			sooner(at)
		}
	}
	sooner(h.freeAt())
	if c := h.Claim; c != nil {
		if h.Status == StatusClaimed {
			sooner(c.Until)
		}
		if c.Pickup != nil && c.Pickup.Answer != nil {
			sooner(c.Pickup.WipeAt)
		}
		sooner(h.unopenedAt())
		if c.Given != nil && c.Given.Answer != nil {
			sooner(c.Given.WipeAt)
		}
	}
	if h.Rival != nil {
		sooner(h.Rival.Until)
	}
	for _, c := range h.Waiting {
		sooner(c.Until)
	}
	if h.Connect != nil {
		sooner(h.Connect.ExpiresAt)
	}
	if !h.Status.Ended() {
		sooner(h.Poll.Next)
		for _, c := range h.Codes {
			sooner(c.receiptDue())
		}
	}
	return due
}

// farOff is later than anything that is ever due.
func farOff() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// PurgeAt is when an ended handoff is forgotten, if everybody was told of it.
func (h Handoff) PurgeAt() time.Time { return h.EndedAt.Add(h.Terms.Retain) }

// CodeOn returns the live code of a route, or nil.
func (h Handoff) CodeOn(r Route, now time.Time) *RouteCode {
	for i := range h.Codes {
		if h.Codes[i].Route == r && h.Codes[i].Live(now) {
			return &h.Codes[i]
		}
	}
	return nil
}
