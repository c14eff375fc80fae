// Package templates renders the portal's pages as templ components over view
// models: plain values that say what a page shows, never how it came about.
package templates

import (
	"time"

	"github.com/a-h/templ"

	"github.com/handoff-portal/handoff/internal/i18n"
)

//go:generate go tool templ generate -include-version=false

// Page is what every page has.
type Page struct {
	// T speaks the reader's language, with the partner's own texts and the kind
	// of device the handoff asks for (i18n.Printer.For).
	T i18n.Printer
	// Brand is whose handoff this is; its Name is empty on pages that cannot know.
	Brand  Brand
	Links  Links
	Assets Assets
	// Languages are offered in the head of the page; fewer than two: no menu.
	Languages []Language
	// SupportRef is what a stuck person reads out on the telephone; empty: none.
	SupportRef string
	// Nonce goes on the script element; empty: the policy allows the file by its origin or hash.
	Nonce string
	// Demo adds the banner that nothing here is real.
	Demo bool
	// AppBanner is the content of Safari's Smart App Banner; empty: none.
	AppBanner string
	// Refresh reloads the page after so many seconds, with or without script;
	// zero: never. A Display, and pages with Live.Base, follow by themselves and
	// reload only where there is no script.
	Refresh int
}

// Brand is a partner as people see it.
type Brand struct {
	Name    string // Acme Bank
	App     string // Acme: the name of the app, as in "the Acme app"
	LogoURL string // same origin; empty: the name alone
}

// Links are the partner's own pages, https; empty ones are left out.
type Links struct {
	Support, Privacy, Legal templ.SafeURL
}

// Asset is a file of package static: its hashed URL and its "sha384-…" integrity. A
// sheet with a Body stands in the page itself, so that the page can be drawn as soon
// as it is there; the policy has to allow it by its hash.
type Asset struct {
	URL, Integrity string
	Body           string
}

// Assets are the files a page asks for.
type Assets struct {
	CSS       Asset // css/app.css
	Brand     Asset // the partner's colours; no URL: ours
	DisplayJS Asset // js/display.js
	PhoneJS   Asset // js/phone.js
	Icon      Asset // img/icon.svg
}

// Language is an entry of the language menu.
type Language struct {
	Tag     string // BCP 47
	Name    string // in the language itself; i18n.Catalog.Name
	Dir     string // ltr or rtl
	URL     templ.SafeURL
	Current bool
}

// QR is a code as one SVG path in module units, its quiet zone included.
type QR struct {
	Path    string // the d attribute
	ViewBox string // such as "0 0 41 41"
}

// Screen names what the display shows. It is the "screen" of the state JSON.
type Screen string

// The display's screens. Opened is Waiting with a line more, and Unopened is Connected with one.
const (
	ScreenWaiting       Screen = "waiting"
	ScreenOpened        Screen = "opened"
	ScreenInApp         Screen = "inapp"          // opened inside an in-app browser
	ScreenNumber        Screen = "number"         // claimed, and the number asked for
	ScreenTooMany       Screen = "too_many"       // three claims burnt by wrong numbers
	ScreenStore         Screen = "store"          // the phone went to the store
	ScreenConnected     Screen = "connected"      // claimed without a number, confirmed or connected
	ScreenUnopened      Screen = "unopened"       // connected, and the app has not come
	ScreenDelivered     Screen = "delivered"      // the app has the token
	ScreenStopped       Screen = "stopped"        // the app reported left or failed
	ScreenQuiet         Screen = "quiet"          // delivered, and nothing heard for a while
	ScreenCompleted     Screen = "completed"      //
	ScreenExpired       Screen = "expired"        //
	ScreenCancelled     Screen = "cancelled"      // before delivery
	ScreenCancelledLate Screen = "cancelled_late" // after delivery
	ScreenRejected      Screen = "rejected"       // before delivery
	ScreenRejectedLate  Screen = "rejected_late"  // after delivery
	ScreenFailed        Screen = "failed"         //
	ScreenReplaced      Screen = "replaced"       // a newer handoff for the same journey
	ScreenAway          Screen = "away"           // the platform does not answer
)

// Screens lists every display screen, in the order of a handoff's life.
func Screens() []Screen {
	return []Screen{
		ScreenWaiting, ScreenOpened, ScreenInApp, ScreenNumber, ScreenTooMany, ScreenStore, ScreenConnected,
		ScreenUnopened, ScreenDelivered, ScreenStopped, ScreenQuiet, ScreenCompleted, ScreenExpired, ScreenCancelled,
		ScreenCancelledLate, ScreenRejected, ScreenRejectedLate, ScreenFailed, ScreenReplaced, ScreenAway,
	}
}

// Ended reports whether nothing follows s.
func (s Screen) Ended() bool {
	switch s {
	case ScreenCompleted, ScreenExpired, ScreenCancelled, ScreenCancelledLate, ScreenRejected, ScreenRejectedLate,
		ScreenFailed, ScreenReplaced:
		return true
	case ScreenWaiting, ScreenOpened, ScreenInApp, ScreenNumber, ScreenTooMany, ScreenStore, ScreenConnected,
		ScreenUnopened, ScreenDelivered, ScreenStopped, ScreenQuiet, ScreenAway:
	}
	return false
}

// Device is a phone or computer as its browser describes it; empty fields are unknown.
type Device struct {
	Class   string // mobile, tablet or desktop
	OS      string // iOS, Android, Windows …
	Browser string // Chrome
	Country string // ISO 3166-1 alpha-2; empty: not known
}

// Link is a code on its way by another route than the QR.
type Link struct {
	URL    string        // shown for copying
	SentAt time.Duration // how long ago
}

// SentState is how far a message with a link is.
type SentState string

// The states.
const (
	SentSending SentState = "sending"
	SentDone    SentState = "sent"
	SentFailed  SentState = "failed"
	SentUnsure  SentState = "unsure" // it may have been sent, or not
)

// Sent is a message with a link.
type Sent struct {
	To    string // ••42
	Ago   time.Duration
	State SentState
}

// State is what changes on the display while it is open. Slots turns it into the
// texts that both the page and the state JSON carry, so that a page kept up to
// date by script reads as a reloaded one.
type State struct {
	Screen Screen
	Device Device        // the phone that holds the claim, or has the link open
	Ago    time.Duration // since that phone connected
	// WrongTries are the wrong numbers typed for this claim; TriesLeft what remains.
	WrongTries, TriesLeft int
	InApp                 string        // the app whose in-app browser has the link open
	Store                 string        // apple or google
	Lasted                time.Duration // for ScreenExpired: how long it was open
	Link                  *Link         // the copied link, while it lives
	SMS, Email            *Sent         // the messages whose links live
	TypedCode             string        // ten digits, while it lives
	DeepLink              string        // as Display.DeepLink, for pages whose link is renewed
}

// Display is the page that shows the code and follows the handoff: every screen
// is in it, one is visible.
type Display struct {
	Page
	State

	ID string // ho_…, for messages to the parent
	// Seq and Status are the state the page was rendered from; Status is the contract's.
	Seq    int
	Status string

	QR QR
	// TokenMode says that the code is for the app's own scanner (code: token).
	TokenMode bool

	// Base is the path "/h/{key}", below which the forms, the stream and the status are.
	Base string
	// DeepLinkURL is the local route's link: an https link of ours, vetted. In a
	// frame it opens top level: give public_url's page there.
	DeepLinkURL templ.SafeURL
	// OnPhone makes that link the main action and puts the code behind it.
	OnPhone bool

	// Framed says the page may be framed by ParentOrigin, and was asked for as a frame.
	Framed       bool
	ParentOrigin string
	// ReturnURL is where an ended handoff goes on to, handoff and status already
	// added; empty while it has not ended, or where the partner gave none.
	ReturnURL templ.SafeURL

	// ExpiresAt is the end of the time people have; Left is how long that is from now.
	ExpiresAt time.Time
	Left      time.Duration
	// CanExtend offers more time when little is left.
	CanExtend bool

	// What "Can't scan?" offers.
	CanLink, CanSMS, CanEmail, CanType, CanLocal, CanNoPhone bool
	// SMSTo and EmailTo are whom the partner named, as ••42; empty: nobody.
	SMSTo, EmailTo string
	// NotSent says by route why what was just asked for was not sent.
	NotSent map[string]string
	// TypedAddress is where a typed code goes, as people read it: "go.example.com/t/acme".
	TypedAddress string

	marks *marks // while the page is prepared; nil otherwise
}

// Live is how a phone's page follows its claim: it reloads when the seq or the
// screen of the state JSON is another one.
type Live struct {
	Base   string // the path "/p/{claimKey}"; empty: the page does not follow anything
	Seq    int
	Screen string // as in the state JSON
}

// Asked is who asked for the handoff, and from where.
type Asked struct {
	By    Device
	Ago   time.Duration
	Label string // what for, in the partner's words: "Account opening"; may be empty
}

// Landing is the page behind a code: who asks, and Continue or "This wasn't me".
type Landing struct {
	Page
	Asked
	Action       string // Continue posts here: the page's own path
	RejectAction string // "This wasn't me" posts here
	Attempt      string // random; makes a double tap one claim
	Opened       string // the MAC'd opened-at of a QR's frame; may be empty
	// Elsewhere says that another phone or browser holds the handoff.
	Elsewhere bool
}

// Number is the phone's page that shows the number to type on the display.
type Number struct {
	Page
	Live
	Digits string // 4831
}

// OpenWay is how the app opens in this very browser.
type OpenWay string

// The ways. Each has its own step-by-step help.
const (
	OpenTap    OpenWay = "tap"    // an app link that a tap opens
	OpenHold   OpenWay = "hold"   // tap and hold, then Open in app
	OpenBanner OpenWay = "banner" // the bar at the top of Safari
	OpenIntent OpenWay = "intent" // Android asks which app
)

// Ready is the phone's page with the app link.
type Ready struct {
	Page
	Live
	OpenURL templ.SafeURL // https, or intent: with a package; vetted
	Way     OpenWay
	// Store is apple or google; StoreURL empty: no store link.
	Store    string
	StoreURL templ.SafeURL
	WebURL   templ.SafeURL // "Continue in the browser"; empty: none
	OnlyWeb  bool          // no app opens from here: that is the way on
	// Installed says the phone came back from the store; Kept is how long its place is.
	Installed bool
	Kept      time.Duration
	// Delivered says that the app was opened before; the page offers it again.
	Delivered bool
	// Help shows what to try at once: the app did not open.
	Help bool
}

// InApp is the phone's page inside an in-app browser, with the way out.
type InApp struct {
	Page
	App string // Instagram
	URL string // to copy; carries the MAC'd opened-at
	// ContinueURL goes on inside this browser all the same; empty: not offered.
	ContinueURL templ.SafeURL
}

// Finished is the phone's page after the end, when it is the only one left open.
type Finished struct {
	Page
	ReturnURL templ.SafeURL // may be empty
}

// RejectAsk asks once more whether to stop.
type RejectAsk struct {
	Page
	Action  string        // "Stop it" posts here, with sure=1 and the hidden fields below
	BackURL templ.SafeURL // "Go back"
	Attempt string        // of the landing; may be empty
	Opened  string        // of the landing; may be empty
}

// Notice names a phone page that only says something.
type Notice string

// The notices.
const (
	NoticeOldCode     Notice = "old_code"     // replaced by a newer code: look at your computer
	NoticeEnded       Notice = "ended"        // revoked, expired, cancelled, unknown
	NoticeStopped     Notice = "stopped"      // after "This wasn't me"
	NoticeAway        Notice = "away"         // the platform does not answer; give Page.Refresh and RetryURL
	NoticeConnecting  Notice = "connecting"   // the exchange is being made; give Page.Refresh
	NoticeOtherPhone  Notice = "other_phone"  // this phone's claim was released for another
	NoticeInApp       Notice = "in_app"       // the app went on in place of this page: give Live and Page.Refresh
	NoticeElsewhere   Notice = "elsewhere"    // an app returned to another browser than the one that began
	NoticeWrongNumber Notice = "wrong_number" // this phone's claim was burnt: scan again
)

// NoticePage is a phone page that only says something.
type NoticePage struct {
	Page
	Live
	Notice   Notice
	RetryURL templ.SafeURL // "Try now"; empty: not offered
	// Again offers, with NoticeStopped, to go on after all: its Asked, Action and
	// Attempt are shown. nil: not offered.
	Again *Landing
}

// WrongDevice says to open this on a phone, with the code again.
type WrongDevice struct {
	Page
	QR QR // an empty Path: no code
	// TabletURL goes on for a tablet that says it is a computer; empty: not offered.
	TabletURL templ.SafeURL
}

// Typed is the form for a ten-digit code, at /t/{partner}.
type Typed struct {
	Page
	Action string
	Value  string // what was typed, digits only
	Wrong  bool   // no such code
	// Wait says too many were tried.
	Wait bool
}

// AppLink is the inert help page of /a/{partner}/{pickup}, seen when the app did not open.
type AppLink struct {
	Page
	OpenURL  templ.SafeURL // the same link on the other host, which opens the app
	Way      OpenWay
	Store    string
	StoreURL templ.SafeURL
}

// ErrorPage is a page for people where the API would answer problem+json.
type ErrorPage struct {
	Page
	Status int // 403, 404, 410, 421, 429, 500, 503; others read as 500 or 404
	// HomeURL leads back to the partner; empty: unknown.
	HomeURL templ.SafeURL
	Retry   bool // the same address may answer better later
}
