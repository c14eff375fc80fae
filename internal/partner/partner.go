// Package partner says who may ask for handoffs, and on what terms: keys,
// origins, return URLs, apps, brand.
//
// A Directory is built once, from the configuration, and checked as a whole;
// nothing in it changes afterwards, so everybody may read it at any time.
package partner

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// The terms of a partner that says nothing else.
const (
	DefaultConfirmation   = handoff.ConfirmAuto
	DefaultCompleteWithin = time.Hour
	DefaultRetain         = 7 * 24 * time.Hour
)

// Partner is one whose handoffs these are. Those who get one from a Directory
// must not change it.
type Partner struct {
	ID   handoff.PartnerID
	Name string // as people know it

	// KeyHashes are the hashes of the API keys that are good now. There are
	// several while a key is being replaced.
	KeyHashes []handoff.Hash

	Origins    []string // that may frame a display, as ParseOrigin returns them
	ReturnURLs []string // without query, as ParseReturnURL returns them

	Confirmation   handoff.Confirmation // the least; a handoff may ask for more
	CompleteWithin time.Duration        // bounds the time after delivery
	Retain         time.Duration        // how long an ended handoff stays readable

	Brand Brand
	Links Links
	Texts map[string]map[string]string // message key → language → text

	Routes   []handoff.Route // besides qr and partner, which are always there
	Apps     []App           // at least one; the first is the default
	Webhooks []Webhook
}

// Brand is how a partner's pages look.
type Brand struct {
	Color     string // #rrggbb, on light surfaces; empty: ours
	ColorDark string // #rrggbb, on dark surfaces; empty: ours
	Logo      []byte // the image itself; nil: the name is shown
	LogoType  string // its media type: image/svg+xml or image/png
}

// Links are the partner's own pages, absolute https URLs or empty.
type Links struct {
	Support string
	Privacy string
	Legal   string
}

// Webhook is an address that is told of every status reached.
type Webhook struct {
	URL     string
	Secrets []handoff.Secret // "whsec_…"; all sign, so that one can be replaced
}

// App is one of a partner's native apps.
type App struct {
	ID       handoff.AppID
	Name     string // as people know it
	Exchange handoff.Exchange
	CodeMode handoff.CodeMode

	// JourneyURL is a template with {instanceId} and {connectToken} that an app
	// with ExchangeApp is answered with. JourneyLink fills it in.
	JourneyURL string

	IOS     IOS
	Android Android
	Scheme  string // a custom scheme of reverse-domain form, or empty
	WebURL  string // the partner's web app, or empty
}

// IOS is an app on Apple's systems. The zero value: there is none.
type IOS struct {
	AppID    string // team id, a dot, and the bundle id
	Clip     string // the same for its App Clip, or empty
	StoreURL string
}

// Android is an app on Android. The zero value: there is none.
type Android struct {
	Package      string
	Fingerprints []string // SHA-256 of the signing certificates, as ParseFingerprint returns them
	StoreURL     string
}

// App returns the app with this id; for the empty id the first app, which is
// the default.
func (p *Partner) App(id handoff.AppID) (*App, bool) {
	for i := range p.Apps {
		if id == "" || p.Apps[i].ID == id {
			return &p.Apps[i], true
		}
	}
	return nil, false
}

// AllowsRoute reports whether the partner's codes may travel by this route.
func (p *Partner) AllowsRoute(r handoff.Route) bool {
	return r == handoff.RouteQR || r == handoff.RoutePartner || slices.Contains(p.Routes, r)
}

// AllowsOrigin reports whether o is a registered origin, spelt as browsers
// spell it. Case, a trailing slash or a default port make it another one.
func (p *Partner) AllowsOrigin(o string) bool { return slices.Contains(p.Origins, o) }

// AllowsReturnURL reports whether a browser may be sent to raw: origin and path
// are registered, the query is free, and there is nothing else. What two parsers
// could read in two ways (user information, fragments, backslashes, control
// characters, anything beyond ASCII) is refused before it is compared.
func (p *Partner) AllowsReturnURL(raw string) bool {
	base, _, _ := strings.Cut(raw, "?")
	normal, err := ParseReturnURL(base)
	return err == nil && plainURL(raw) == nil && slices.Contains(p.ReturnURLs, normal)
}

// JourneyLink fills in the template for an app that connects by itself, and is
// empty without one. It carries the connect token.
func (a *App) JourneyLink(instance handoff.InstanceID, token handoff.Secret) handoff.Secret {
	return handoff.Secret(strings.NewReplacer(
		"{instanceId}", url.QueryEscape(string(instance)),
		"{connectToken}", url.QueryEscape(token.Reveal()),
	).Replace(a.JourneyURL))
}
