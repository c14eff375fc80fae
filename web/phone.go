package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/templates"
)

// phone serves the pages on the phone's side of a handoff.
type phone struct {
	*site
	cookies *phoneCookies
}

// openedParam carries the proof of opening in a landing's way-out link; stayParam
// says that a person wants to go on inside an in-app browser; tabletParam that
// what looks like a computer is a tablet.
const (
	openedParam = "o"
	stayParam   = "stay"
	tabletParam = "tablet"
)

// mobileVisitor is the browser of a request, where a person may have told that
// the Mac it seems to be is a tablet.
func (p *phone) mobileVisitor(c echo.Context) handoff.Browser {
	b := p.visitor(c)
	if c.QueryParam(tabletParam) == "1" && b.Class == handoff.ClassDesktop && b.OS == "macOS" {
		b.Class, b.OS = handoff.ClassTablet, "iPadOS"
	}
	return b
}

// land serves GET /c/:partner/:code.
func (p *phone) land(c echo.Context) error {
	owner, err := p.cookies.coming(c)
	if err != nil {
		return err
	}
	by := p.mobileVisitor(c)
	person := c.Request().Header.Get("Sec-Fetch-Mode") == "navigate"
	partnerID := handoff.PartnerID(c.Param("partner"))
	opened := c.QueryParam(openedParam)
	l, err := p.handoffs.Land(c.Request().Context(), partnerID, handoff.Secret(c.Param("code")), opened,
		handoff.Visitor{Owner: owner, Browser: by, Person: person})
	if l.Mine != "" {
		return p.seeOther(c, "/p/"+l.Mine.Reveal())
	}
	if handoff.CodeOf(err) != handoff.CodeNotFound { // a guess leaves nothing behind
		if _, err := p.cookies.owner(c); err != nil {
			return err
		}
	}
	elsewhere := handoff.CodeOf(err) == handoff.CodeConflict && err != nil
	if err != nil && !elsewhere {
		return p.refused(c, l.Handoff, err)
	}
	h := l.Handoff
	page := p.pageOf(c, h)
	page.Languages = keep(page.Languages, stays(c, l.Opened))
	wayOut := p.wayOut(h.Partner, c.Param("code"), l.Opened)
	switch {
	case !handoff.Allows(h.Terms.Scope, by.Class):
		return p.wrongDevice(c, h, wayOut)
	case by.InApp != "" && c.QueryParam(stayParam) != "1":
		return render(c, http.StatusOK, templates.InAppPage(templates.InApp{
			Page: page, App: by.InApp, URL: wayOut, ContinueURL: templ.SafeURL(p.stay(c, l.Opened)),
		}))
	}
	status := http.StatusOK
	if elsewhere {
		status = http.StatusConflict
	} else if app, ok := p.appOf(h); ok {
		page.AppBanner = applink.Banner(by, app, wayOut, true)
	}
	action := c.Request().URL.EscapedPath()
	suffix := ""
	if by.Class == handoff.ClassTablet && c.QueryParam(tabletParam) == "1" {
		suffix = "?" + tabletParam + "=1"
	}
	return render(c, status, templates.LandingPage(templates.Landing{
		Page:   page,
		Asked:  templates.Asked{By: device(h.Asker), Ago: p.handoffs.Now().Sub(h.CreatedAt), Label: h.Terms.Label},
		Action: action + suffix, RejectAction: action + "/reject" + suffix,
		Attempt: rand.Text(), Opened: l.Opened, Elsewhere: elsewhere,
	}))
}

// stays is what the address of a landing says besides the language.
func stays(c echo.Context, opened string) url.Values {
	q := url.Values{}
	for _, name := range []string{stayParam, tabletParam} {
		if c.QueryParam(name) == "1" {
			q.Set(name, "1")
		}
	}
	if opened != "" {
		q.Set(openedParam, opened)
	}
	return q
}

// wayOut is the link that leads from this browser to another one: the code
// without its frame, which will be old by then, and the proof that it was good.
func (p *phone) wayOut(id handoff.PartnerID, code, opened string) string {
	if opened == "" {
		return p.hosts.CodeURL(id, code)
	}
	reference, _, _ := strings.Cut(code, ".")
	return p.hosts.CodeURL(id, reference) + "?" + openedParam + "=" + url.QueryEscape(opened)
}

// stay is the landing itself, for going on inside an in-app browser.
func (p *phone) stay(c echo.Context, opened string) string {
	q := url.Values{stayParam: {"1"}}
	if opened != "" {
		q.Set(openedParam, opened)
	}
	return c.Request().URL.EscapedPath() + "?" + q.Encode()
}

// wrongDevice shows the code again, for the right device.
func (p *phone) wrongDevice(c echo.Context, h handoff.Handoff, link string) error {
	w := templates.WrongDevice{Page: p.pageOf(c, h)}
	if by := p.visitor(c); by.OS == "macOS" && by.Name == "Safari" && link != "" && handoff.Allows(h.Terms.Scope, handoff.ClassTablet) {
		// An iPad's Safari says that it is a Mac: only its person can tell.
		here := *c.Request().URL
		q := here.Query()
		q.Set(tabletParam, "1")
		w.TabletURL = templ.SafeURL(here.EscapedPath() + "?" + q.Encode())
	}
	if link != "" {
		code, err := drawn(link)
		if err != nil {
			return err
		}
		w.QR = code
	}
	return render(c, http.StatusForbidden, templates.WrongDevicePage(w))
}

// refused answers what a code or a phone's page is refused with, by a page that
// says what to do. h is the zero Handoff where nothing is known.
func (p *phone) refused(c echo.Context, h handoff.Handoff, err error) error {
	e := classified(err)
	if e.Code == handoff.CodeNotFound { // also of a code with parts it should not have, though h is known then
		if err := p.unknown(c); handoff.CodeOf(err) != handoff.CodeNotFound {
			return err
		}
		return render(c, http.StatusNotFound, templates.PhoneNoticePage(templates.NoticePage{Page: p.page(c), Notice: templates.NoticeEnded}))
	}
	if h.ID == "" {
		return err
	}
	n := templates.NoticePage{Page: p.pageOf(c, h), Notice: templates.NoticeEnded}
	status := outcomeOf(e.Code).status
	switch {
	case h.Status == handoff.StatusCompleted && p.holds(c, h):
		return render(c, http.StatusOK, templates.FinishedPage(templates.Finished{Page: n.Page, ReturnURL: templ.SafeURL(returnURL(h))}))
	case h.Status == handoff.StatusRejected:
		n.Notice = templates.NoticeStopped
	case e.Code == handoff.CodeDeviceNotAllowed:
		return p.wrongDevice(c, h, "")
	case publicCode(e.Code) == handoff.CodePlatformUnavailable:
		p.logUnavailable(c, h, err)
		retryAfter(c, e)
		n.Notice, n.RetryURL = templates.NoticeAway, templ.SafeURL(c.Request().URL.EscapedPath())
		n.Refresh = 5
	case e.Code == handoff.CodeGone && !h.Status.Ended() && (e.Reason == handoff.ReasonReplaced || e.Reason == handoff.ReasonReleased):
		n.Notice = letGo(c, h)
	case e.Code == handoff.CodeGone && !h.Status.Ended() && h.WentOn(claimKey(c)):
		n.Live, n.Refresh, status = templates.Live{Base: "/p/" + c.Param("claim"), Seq: h.Seq, Screen: screenInApp}, 5, http.StatusOK
		n.Notice = templates.NoticeInApp
	case e.Code == handoff.CodeGone && !h.Status.Ended() && e.Reason == handoff.ReasonRejected:
		n.Notice, n.Again = templates.NoticeStopped, p.again(c, h)
	case e.Code == handoff.CodeGone:
	case e.Code == handoff.CodeConflict:
		// Somebody was faster: their page, or this one, says so.
		return render(c, http.StatusConflict, templates.LandingPage(templates.Landing{
			Page:   n.Page,
			Asked:  templates.Asked{By: device(h.Asker), Ago: p.handoffs.Now().Sub(h.CreatedAt), Label: h.Terms.Label},
			Action: c.Request().URL.EscapedPath(), RejectAction: c.Request().URL.EscapedPath() + "/reject",
			Attempt: rand.Text(), Opened: c.Request().PostFormValue("opened"), Elsewhere: true,
		}))
	default:
		return err
	}
	return render(c, status, templates.PhoneNoticePage(n))
}

// again is the way on from a code that somebody answered with "This wasn't me",
// which may have been a program that presses every button: nil where there is none.
func (p *phone) again(c echo.Context, h handoff.Handoff) *templates.Landing {
	code := c.Param("code")
	if code == "" || !h.Refused(handoff.HashOf(handoff.Secret(code)), p.handoffs.Now()) {
		return nil
	}
	return &templates.Landing{
		Asked:  templates.Asked{By: device(h.Asker), Ago: p.handoffs.Now().Sub(h.CreatedAt), Label: h.Terms.Label},
		Action: strings.TrimSuffix(c.Request().URL.EscapedPath(), "/reject"), Attempt: rand.Text(),
	}
}

// letGo is what is said of a code that another one, or of a claim that another
// phone, took the place of.
func letGo(c echo.Context, h handoff.Handoff) templates.Notice {
	if c.Param("claim") == "" {
		return templates.NoticeOldCode
	}
	hash := handoff.HashOf(claimKey(c))
	for _, f := range h.Former {
		if f.Hash == hash && f.Cause == handoff.CauseWrongNumbers {
			return templates.NoticeWrongNumber
		}
	}
	return templates.NoticeOtherPhone
}

// holds reports whether this browser holds, or held at the end, h's claim, or its
// phone's app went on for it.
func (p *phone) holds(c echo.Context, h handoff.Handoff) bool {
	owner := p.cookies.known(c)
	return owner != "" && (h.Claim != nil && h.Claim.Owner.Matches(owner) || h.WentOn(claimKey(c)))
}

// tap is what the form of a landing sent.
func (p *phone) tap(c echo.Context) (handoff.Tap, error) {
	owner, err := p.cookies.owner(c)
	if err != nil {
		return handoff.Tap{}, err
	}
	by := p.mobileVisitor(c)
	return handoff.Tap{
		Partner: handoff.PartnerID(c.Param("partner")), Code: handoff.Secret(c.Param("code")),
		Opened: c.Request().PostFormValue("opened"), Attempt: handoff.Secret(c.Request().PostFormValue("attempt")),
		Visitor: handoff.Visitor{Owner: owner, Browser: by, Network: p.seenFrom(c)}, Device: deviceInfo(owner, by),
		Risk: p.risky(c, handoff.PartnerID(c.Param("partner"))), Instead: c.Request().PostFormValue("instead") == "1",
		Again: c.Request().PostFormValue("again") == "1",
	}, nil
}

// deviceInfo describes a browser to the platform: an id that stays the same for
// this cookie and tells nothing of it, and a name of our words.
func deviceInfo(owner handoff.Secret, by handoff.Browser) handoff.DeviceInfo {
	sum := sha256.Sum256([]byte("device id:" + owner.Reveal()))
	name := strings.TrimSpace(by.Name + " " + by.OS)
	if by.Name != "" && by.OS != "" {
		name = by.Name + " on " + by.OS
	}
	return handoff.DeviceInfo{ID: hex.EncodeToString(sum[:16]), Name: name, Type: by.Class.PlatformType()}
}

// claim serves POST /c/:partner/:code: Continue.
func (p *phone) claim(c echo.Context) error {
	t, err := p.tap(c)
	if err != nil {
		return err
	}
	h, key, err := p.handoffs.Claim(c.Request().Context(), t)
	if err != nil {
		return p.refused(c, h, err)
	}
	return p.seeOther(c, "/p/"+key.Reveal())
}

// continueHere serves POST /h/:key/continue: this device goes on by itself.
func (p *phone) continueHere(c echo.Context) error {
	owner, err := p.cookies.owner(c)
	if err != nil {
		return err
	}
	by := p.visitor(c)
	h, key, err := p.handoffs.ContinueHere(c.Request().Context(), displayKey(c), handoff.Visitor{Owner: owner, Browser: by, Network: p.seenFrom(c)}, deviceInfo(owner, by))
	if err != nil {
		return p.refused(c, h, err)
	}
	return p.seeOther(c, "/p/"+key.Reveal())
}

// reject serves POST /c/:partner/:code/reject: "This wasn't me", asked once more.
func (p *phone) reject(c echo.Context) error {
	t, err := p.tap(c)
	if err != nil {
		return err
	}
	path := strings.TrimSuffix(c.Request().URL.EscapedPath(), "/reject")
	if c.Request().PostFormValue("sure") != "1" {
		l, err := p.handoffs.Land(c.Request().Context(), t.Partner, t.Code, t.Opened, handoff.Visitor{Owner: t.Visitor.Owner})
		if err != nil && handoff.CodeOf(err) != handoff.CodeConflict {
			return p.refused(c, l.Handoff, err)
		}
		back := path
		if l.Opened != "" {
			back += "?" + openedParam + "=" + url.QueryEscape(l.Opened)
		}
		return render(c, http.StatusOK, templates.RejectAskPage(templates.RejectAsk{
			Page: p.pageOf(c, l.Handoff), Action: path + "/reject", BackURL: templ.SafeURL(back),
			Attempt: t.Attempt.Reveal(), Opened: l.Opened,
		}))
	}
	h, err := p.handoffs.Refuse(c.Request().Context(), t)
	if err != nil {
		return p.refused(c, h, err)
	}
	return p.stopped(c, h)
}

func (p *phone) stopped(c echo.Context, h handoff.Handoff) error {
	return render(c, http.StatusOK, templates.PhoneNoticePage(templates.NoticePage{Page: p.pageOf(c, h), Notice: templates.NoticeStopped}))
}

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
func (p *phone) show(c echo.Context) error {
	got, err := p.handoffs.PhonePage(c.Request().Context(), claimKey(c), p.cookies.known(c))
	h := got.Handoff
	if err != nil {
		return p.refused(c, h, err)
	}
	page := p.pageOf(c, h)
	page.Refresh = 5 // without script; with one, the page follows its handoff
	live := templates.Live{Base: "/p/" + c.Param("claim"), Seq: h.Seq, Screen: phoneScreen(h, claimKey(c), p.handoffs.Now())}
	switch {
	case got.Number != "":
		return render(c, http.StatusOK, templates.NumberPage(templates.Number{Page: page, Live: live, Digits: got.Number}))
	case h.Status == handoff.StatusConfirmed && got.Pickup == "":
		page.Refresh = 1 // another request makes the exchange: look again soon
		return render(c, http.StatusOK, templates.PhoneNoticePage(templates.NoticePage{Page: page, Notice: templates.NoticeConnecting}))
	}
	app, ok := p.appOf(h)
	if !ok {
		return handoff.Errorf(handoff.CodeInternal, "the app %s of %s is not configured any more", h.App, h.Partner)
	}
	code, err := p.handoffs.InstallCode(h)
	if err != nil {
		return err
	}
	install := ""
	if code != "" {
		install = p.hosts.CodeURL(h.Partner, code.Reveal())
	}
	page.AppBanner = applink.Banner(h.Claim.By, app, install, false)
	return render(c, http.StatusOK, templates.ReadyPage(p.ready(page, live, got, app, install)))
}

// appOf is the app that a handoff is for.
func (s *site) appOf(h handoff.Handoff) (*partner.App, bool) {
	owner, ok := s.partners.ByID(h.Partner)
	if !ok {
		return nil, false
	}
	return owner.App(h.App)
}

// ready is the page with the app link; install is the link that goes through the store.
func (p *phone) ready(page templates.Page, live templates.Live, got handoff.Phone, app *partner.App, install string) templates.Ready {
	h := got.Handoff
	by := h.Claim.By
	r := templates.Ready{
		Page: page, Live: live, Way: templates.OpenTap, Store: storeOf(by), StoreURL: templ.SafeURL(applink.StoreURL(by, app, install)),
		Installed: h.Hint.Store && h.Status != handoff.StatusDelivered, Kept: h.Deadline.Sub(p.handoffs.Now()),
		Delivered: h.Status == handoff.StatusDelivered, Help: h.Unheard(p.handoffs.Now()),
	}
	if got.Pickup == "" {
		return r
	}
	// Without the app, Android comes back to this page.
	fallback := p.public.String() + live.Base
	link := applink.Launch(by, app, p.hosts.PickupURL(h.Partner, got.Pickup), fallback)
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
		r.OpenURL = templ.SafeURL(p.hosts.PickupURL(h.Partner, got.Pickup))
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
func (p *phone) open(c echo.Context) error {
	h, err := p.handoffs.Reopen(c.Request().Context(), claimKey(c), p.cookies.known(c))
	if err != nil {
		return p.refused(c, h, err)
	}
	return p.seeOther(c, "/p/"+c.Param("claim"))
}

// store serves POST /p/:claim/store: the phone is on its way to the store.
func (p *phone) store(c echo.Context) error {
	if _, err := p.handoffs.AtStore(c.Request().Context(), claimKey(c), p.cookies.known(c)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// tapped serves POST /p/:claim/tapped: the app link was tapped. Whether an app
// opened, its pickup tells.
func (p *phone) tapped(c echo.Context) error {
	if _, err := p.handoffs.TapAtPhone(c.Request().Context(), claimKey(c), p.cookies.known(c)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// rejectClaim serves POST /p/:claim/reject, asked once more.
func (p *phone) rejectClaim(c echo.Context) error {
	ctx, key, owner := c.Request().Context(), claimKey(c), p.cookies.known(c)
	if c.Request().PostFormValue("sure") != "1" {
		h, err := p.handoffs.PhoneStatus(ctx, key, owner)
		if err != nil {
			return p.refused(c, h, err)
		}
		base := "/p/" + c.Param("claim")
		return render(c, http.StatusOK, templates.RejectAskPage(templates.RejectAsk{
			Page: p.pageOf(c, h), Action: base + "/reject", BackURL: templ.SafeURL(base),
		}))
	}
	h, err := p.handoffs.RefuseClaim(ctx, key, owner)
	if err != nil {
		return p.refused(c, h, err)
	}
	return p.stopped(c, h)
}

// phoneState is the state of a phone's own page.
func phoneState(h handoff.Handoff, key handoff.Secret, now time.Time) stateJSON {
	screen := phoneScreen(h, key, now)
	return stateJSON{
		V: 1, Seq: h.Seq, Status: h.Status, ExpiresAt: wireTime(h.Deadline), PollAfter: pollAfter,
		Screen: screen, End: h.Status.Ended() || screen == screenGone,
	}
}

// current is the handoff of a phone's page, its lease renewed; after an end, as it ended.
func (p *phone) current(ctx context.Context, key, owner handoff.Secret) (handoff.Handoff, error) {
	h, err := p.handoffs.PhoneStatus(ctx, key, owner)
	if err != nil && h.Status.Ended() && h.Claim != nil {
		return h, nil
	}
	return h, err
}

// status serves GET /p/:claim/status.
func (p *phone) status(c echo.Context) error {
	h, err := p.current(c.Request().Context(), claimKey(c), p.cookies.known(c))
	if err != nil {
		return err
	}
	if err := p.handoffs.Watch(c.Request().Context(), h); err != nil && handoff.CodeOf(err) != handoff.CodeStoreUnavailable {
		return err
	}
	return writeJSON(c, http.StatusOK, phoneState(h, claimKey(c), p.handoffs.Now()))
}

// follow serves GET /p/:claim/events.
func (p *phone) follow(c echo.Context) error {
	// A copy: what c has is cut out of the request, which a viewer would hold.
	key, owner := handoff.Secret(strings.Clone(claimKey(c).Reveal())), p.cookies.known(c)
	h, err := p.current(c.Request().Context(), key, owner)
	if err != nil {
		return err
	}
	return p.stream(c, h, phonePage{key, p.handoffs}, func(ctx context.Context) (handoff.Handoff, error) { return p.current(ctx, key, owner) })
}

// phonePage is a phone's own page, as a stream keeps it up to date.
type phonePage struct {
	key      handoff.Secret
	handoffs *handoff.Service
}

func (p phonePage) state(h handoff.Handoff) (stateJSON, error) {
	return phoneState(h, p.key, p.handoffs.Now()), nil
}

func (p phonePage) screen(h handoff.Handoff, now time.Time) string { return phoneScreen(h, p.key, now) }

func (phonePage) turns() bool { return false }

// appLink serves GET /a/:partner/:pickup in a browser: the app did not take its
// link. It redeems nothing, and looks nothing up.
func (p *phone) appLink(c echo.Context) error {
	page := p.page(c)
	owner, ok := p.partners.ByID(handoff.PartnerID(c.Param("partner")))
	if !ok {
		return handoff.Errorf(handoff.CodeNotFound, "no such path")
	}
	p.allowColours(c, owner.ID)
	page = p.branded(page, owner, "")
	by := p.visitor(c)
	a := templates.AppLink{Page: page, Way: templates.OpenTap, Store: storeOf(by)}
	if app, ok := owner.App(""); ok {
		a.StoreURL = templ.SafeURL(applink.StoreURL(by, app, ""))
		if pickup := c.Param("pickup"); pickup != "connect" && capabilityForm.MatchString(pickup) {
			link := applink.Launch(by, app, p.hosts.PickupURL(owner.ID, handoff.Secret(pickup)), "")
			a.OpenURL = templ.SafeURL(link.Href)
			a.Way = wayOf(link.Help)
		}
	}
	return render(c, http.StatusOK, templates.AppLinkPage(a))
}

var capabilityForm = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
