package phone

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/templates"
	"github.com/handoff-portal/handoff/web/site"
	"github.com/handoff-portal/handoff/web/viewers"
)

func claimKey(c echo.Context) handoff.Secret { return handoff.Secret(c.Param("claim")) }

// screenGone is the screen of a page whose claim was let go: it follows nothing
// any more. With screenInApp the phone's app went on in its place, and it waits for
// the end.
const (
	screenGone  = "gone"
	screenInApp = "in app"
)

// phoneScreen is what the phone's own page with this key shows of h: a page that
// shows another one reloads.
func phoneScreen(h handoff.Handoff, key handoff.Secret, now time.Time) string {
	switch {
	case h.Status.Ended():
		return "ended"
	case h.Waits(key):
		return "number"
	case h.WentOn(key):
		return screenInApp
	case h.Claim == nil || !h.Claim.Hash.Matches(key):
		return screenGone
	case h.Status == handoff.StatusClaimed && h.Claim != nil && h.Claim.Number != nil:
		return "number"
	case h.Status == handoff.StatusConnected, h.Status == handoff.StatusConfirmed && h.Claim.Pickup != nil:
		return linkScreen(h, now)
	case h.Status == handoff.StatusDelivered:
		return "delivered"
	}
	return "connecting"
}

// linkScreen is the screen of a page with an app link: another one when there is
// more to say beside the link, and when the link itself has faded. The page makes a
// fresh one as it reloads, which is for one that somebody looks at.
func linkScreen(h handoff.Handoff, now time.Time) string {
	screen := "ready"
	switch {
	case h.Unopened():
		screen = "unopened"
	case h.Hint.Store:
		screen = "installed"
	}
	if h.Faded(now) {
		screen += screenFaded
	}
	return screen
}

// screenFaded is the end of the name of a screen whose link leads nowhere any more;
// js/phone.js knows it too.
const screenFaded = " faded"

// show serves GET /p/:claim, the phone's own page.
func (p *Handler) show(c echo.Context) error {
	got, err := p.Handoffs.PhonePage(c.Request().Context(), claimKey(c), p.cookies.Known(c))
	h := got.Handoff
	if err != nil {
		return p.refused(c, h, err)
	}
	if err := p.Handoffs.Watch(c.Request().Context(), h); err != nil {
		return err
	}
	page := p.PageOf(c, h)
	page.Refresh = 5 // without script; with one, the page follows its handoff
	live := templates.Live{Base: "/p/" + c.Param("claim"), Seq: h.Seq, Screen: phoneScreen(h, claimKey(c), p.Handoffs.Now())}
	switch {
	case got.Number != "":
		return site.Render(c, http.StatusOK, templates.NumberPage(templates.Number{Page: page, Live: live, Digits: got.Number}))
	case h.Status == handoff.StatusConfirmed && got.Pickup == "":
		page.Refresh = 1 // another request makes the exchange: look again soon
		return site.Render(c, http.StatusOK, templates.PhoneNoticePage(templates.NoticePage{Page: page, Notice: templates.NoticeConnecting}))
	}
	app, ok := p.appOf(h)
	if !ok {
		return handoff.Errorf(handoff.CodeInternal, "the app %s of %s is not configured any more", h.App, h.Partner)
	}
	code, err := p.Handoffs.InstallCode(h)
	if err != nil {
		return err
	}
	install := ""
	if code != "" {
		install = p.Hosts.CodeURL(h.Partner, code.Reveal())
	}
	page.AppBanner = applink.Banner(h.Claim.By, app, install, false)
	return site.Render(c, http.StatusOK, templates.ReadyPage(p.ready(page, live, got, app, install)))
}

// appOf is the app that a handoff is for.
func (p *Handler) appOf(h handoff.Handoff) (*partner.App, bool) {
	owner, ok := p.Partners.ByID(h.Partner)
	if !ok {
		return nil, false
	}
	return owner.App(h.App)
}

// ready is the page with the app link; install is the link that goes through the store.
func (p *Handler) ready(page templates.Page, live templates.Live, got handoff.Phone, app *partner.App, install string) templates.Ready {
	h := got.Handoff
	by := h.Claim.By
	r := templates.Ready{
		Page: page, Live: live, Way: templates.OpenTap, Store: applink.Store(by), StoreURL: templ.SafeURL(applink.StoreURL(by, app, install)),
		Installed: h.Hint.Store && h.Status != handoff.StatusDelivered, Kept: h.Deadline.Sub(p.Handoffs.Now()),
		Delivered: h.Status == handoff.StatusDelivered, Help: h.Unheard(p.Handoffs.Now()),
	}
	if got.Pickup == "" {
		return r
	}
	// Without the app, Android comes back to this page.
	fallback := p.Hosts.Public + live.Base
	link := applink.Launch(by, app, p.Hosts.PickupURL(h.Partner, got.Pickup), fallback)
	r.Way = wayOf(link.Help)
	if page.AppBanner != "" {
		r.Way = templates.OpenBanner
	}
	r.OpenURL = templ.SafeURL(link.Href) // https, or intent: with a package: package applink promises it
	r.WebURL = templ.SafeURL(applink.WebLink(app, got.Pickup))
	r.OnlyWeb = link.Kind == applink.KindNone && r.WebURL != ""
	if link.Kind == applink.KindNone && !r.OnlyWeb {
		// No app is known to open from here. Whoever came this far may still try: where
		// nothing takes the link, it leads to a page that says so.
		r.OpenURL = templ.SafeURL(p.Hosts.PickupURL(h.Partner, got.Pickup))
	}
	return r
}

// wayOf is what the help of a page says of opening the app in this very browser.
func wayOf(h applink.Help) templates.OpenWay {
	switch h {
	case applink.HelpHold:
		return templates.OpenHold
	case applink.HelpIntent:
		return templates.OpenIntent
	case applink.HelpTap, applink.HelpLeave, applink.HelpNone:
	}
	return templates.OpenTap
}

// open serves POST /p/:claim/open: a fresh app link.
func (p *Handler) open(c echo.Context) error {
	h, err := p.Handoffs.Reopen(c.Request().Context(), claimKey(c), p.cookies.Known(c))
	if err != nil {
		return p.refused(c, h, err)
	}
	return p.SeeOther(c, "/p/"+c.Param("claim"))
}

// store serves POST /p/:claim/store: the phone is on its way to the store.
func (p *Handler) store(c echo.Context) error {
	if _, err := p.Handoffs.AtStore(c.Request().Context(), claimKey(c), p.cookies.Known(c)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// tapped serves POST /p/:claim/tapped: the app link was tapped. Whether an app
// opened, its pickup tells.
func (p *Handler) tapped(c echo.Context) error {
	if _, err := p.Handoffs.TapAtPhone(c.Request().Context(), claimKey(c), p.cookies.Known(c)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// rejectClaim serves POST /p/:claim/reject, asked once more.
func (p *Handler) rejectClaim(c echo.Context) error {
	ctx, key, owner := c.Request().Context(), claimKey(c), p.cookies.Known(c)
	if c.Request().PostFormValue("sure") != "1" {
		h, err := p.Handoffs.PhoneStatus(ctx, key, owner)
		if err != nil {
			return p.refused(c, h, err)
		}
		base := "/p/" + c.Param("claim")
		return site.Render(c, http.StatusOK, templates.RejectAskPage(templates.RejectAsk{
			Page: p.PageOf(c, h), Action: p.InLanguage(c, base+"/reject"), BackURL: templ.SafeURL(p.InLanguage(c, base)),
		}))
	}
	h, err := p.Handoffs.RefuseClaim(ctx, key, owner)
	if err != nil {
		return p.refused(c, h, err)
	}
	return p.stopped(c, h)
}

// phoneState is the state of a phone's own page.
func phoneState(h handoff.Handoff, key handoff.Secret, now time.Time) viewers.State {
	screen := phoneScreen(h, key, now)
	return viewers.State{
		V: 1, Seq: h.Seq, Status: h.Status, ExpiresAt: site.WireTime(h.Deadline), PollAfter: viewers.PollAfter,
		Screen: screen, End: h.Status.Ended() || screen == screenGone,
	}
}

// current is the handoff of a phone's page, its lease renewed; after an end, as it ended.
func (p *Handler) current(ctx context.Context, key, owner handoff.Secret) (handoff.Handoff, error) {
	h, err := p.Handoffs.PhoneStatus(ctx, key, owner)
	if err != nil && h.Status.Ended() && h.Claim != nil {
		return h, nil
	}
	return h, err
}

// status serves GET /p/:claim/status.
func (p *Handler) status(c echo.Context) error {
	h, err := p.current(c.Request().Context(), claimKey(c), p.cookies.Known(c))
	if err != nil {
		return err
	}
	if err := p.Handoffs.Watch(c.Request().Context(), h); err != nil {
		return err
	}
	return site.WriteJSON(c, http.StatusOK, phoneState(h, claimKey(c), p.Handoffs.Now()))
}

// follow serves GET /p/:claim/events.
func (p *Handler) follow(c echo.Context) error {
	// A copy: what c has is cut out of the request, which a viewer would hold.
	key, owner := handoff.Secret(strings.Clone(claimKey(c).Reveal())), p.cookies.Known(c)
	h, err := p.current(c.Request().Context(), key, owner)
	if err != nil {
		return err
	}
	return p.viewers.Stream(c, h, phonePage{key, p.Handoffs}, func(ctx context.Context) (handoff.Handoff, error) { return p.current(ctx, key, owner) })
}

// phonePage is a phone's own page, as a stream keeps it up to date.
type phonePage struct {
	key      handoff.Secret
	handoffs *handoff.Service
}

func (p phonePage) State(h handoff.Handoff) (viewers.State, error) {
	return phoneState(h, p.key, p.handoffs.Now()), nil
}

func (p phonePage) Screen(h handoff.Handoff, now time.Time) string { return phoneScreen(h, p.key, now) }

func (phonePage) Turns() bool { return false }

// appLink serves GET /a/:partner/:pickup in a browser: the app did not take its
// link. It redeems nothing, and looks nothing up.
func (p *Handler) appLink(c echo.Context) error {
	owner, ok := p.Partners.ByID(handoff.PartnerID(c.Param("partner")))
	if !ok {
		return handoff.Errorf(handoff.CodeNotFound, "no such path")
	}
	by := p.Visitor(c)
	a := templates.AppLink{Page: p.PageBy(c, owner), Way: templates.OpenTap, Store: applink.Store(by)}
	if app, ok := owner.App(""); ok {
		a.StoreURL = templ.SafeURL(applink.StoreURL(by, app, ""))
		if pickup := c.Param("pickup"); pickup != "connect" && capabilityForm.MatchString(pickup) {
			link := applink.Launch(by, app, p.Hosts.PickupURL(owner.ID, handoff.Secret(pickup)), "")
			a.OpenURL = templ.SafeURL(link.Href)
			a.Way = wayOf(link.Help)
		}
	}
	return site.Render(c, http.StatusOK, templates.AppLinkPage(a))
}

var capabilityForm = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
