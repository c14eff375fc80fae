// Package phone serves the phone's side of a handoff.
package phone

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/qr"
	"github.com/handoff-portal/handoff/templates"
	"github.com/handoff-portal/handoff/web/site"
	"github.com/handoff-portal/handoff/web/viewers"
)

// Handler serves the pages on the phone's side of a handoff.
type Handler struct {
	*site.Site
	viewers *viewers.Viewers
	cookies *site.Cookies
}

// New returns the phone's handlers.
func New(s *site.Site, v *viewers.Viewers, c *site.Cookies) *Handler {
	return &Handler{Site: s, viewers: v, cookies: c}
}

// Mount adds the phone's paths to g, and to display, which is /h/:key, the one by
// which a device goes on by itself: it sets the phone's cookie. examined answers
// handoff doctor, as on the display.
func (p *Handler) Mount(g, display *echo.Group, examined echo.MiddlewareFunc) {
	look := []string{"GET", "HEAD"} // programs that examine links begin with HEAD
	g.Match(look, "/c/:partner/:code", p.land, p.sendToPublic, p.countGuesses)
	g.POST("/c/:partner/:code", p.claim, p.PublicHost, p.LimitClaims, p.countGuesses)
	g.POST("/c/:partner/:code/reject", p.reject, p.PublicHost, p.countGuesses)
	g.GET("/t/:partner", p.askCode, p.PublicHost)
	g.POST("/t/:partner", p.typed, p.PublicHost)
	g.GET("/r/:response", p.returned, p.PublicHost)
	g.GET("/p/:claim", p.show, p.PublicHost)
	g.GET("/p/:claim/events", p.follow, p.PublicHost, examined)
	g.GET("/p/:claim/status", p.status, p.PublicHost)
	g.POST("/p/:claim/open", p.open, p.PublicHost)
	g.POST("/p/:claim/store", p.store, p.PublicHost)
	g.POST("/p/:claim/tapped", p.tapped, p.PublicHost)
	g.POST("/p/:claim/reject", p.rejectClaim, p.PublicHost)
	g.Match(look, "/a/:partner/:pickup", p.appLink, p.sendToPublic)
	display.POST("/continue", p.continueHere, site.NotFramed, p.LimitClaims)
}

// stayParam says that a person wants to go on inside an in-app browser; tabletParam
// that what looks like a computer is a tablet; viaParam which app opened a landing, as
// far as only the first request can tell.
const (
	stayParam   = "stay"
	tabletParam = "tablet"
	viaParam    = "via"
)

// sendToPublic sends a browser that came to the link host, because no app took
// the link, to the same path on the public one. It looks nothing up.
func (p *Handler) sendToPublic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if p.OnPublicHost(c) {
			return next(c)
		}
		to := *c.Request().URL
		if via := p.Visitor(c).Via; via != "" {
			q := to.Query()
			q.Set(viaParam, via)
			to.RawQuery = q.Encode()
		}
		return c.Redirect(http.StatusFound, p.Hosts.Public+to.RequestURI())
	}
}

// mobileVisitor is the browser of a request, where a person may have told that
// the Mac it seems to be is a tablet, and an earlier request which app it is in.
func (p *Handler) mobileVisitor(c echo.Context) handoff.Browser {
	b := applink.Via(p.Visitor(c), c.QueryParam(viaParam))
	if c.QueryParam(tabletParam) == "1" && b.Class == handoff.ClassDesktop && b.OS == "macOS" {
		b.Class, b.OS = handoff.ClassTablet, "iPadOS"
	}
	return b
}

// land serves GET /c/:partner/:code.
func (p *Handler) land(c echo.Context) error {
	owner, err := p.cookies.Coming(c)
	if err != nil {
		return err
	}
	by := p.mobileVisitor(c)
	person := c.Request().Header.Get("Sec-Fetch-Mode") == "navigate"
	partnerID := handoff.PartnerID(c.Param("partner"))
	opened := c.QueryParam(applink.OpenedParam)
	l, err := p.Handoffs.Land(c.Request().Context(), partnerID, handoff.Secret(c.Param("code")), opened,
		handoff.Visitor{Owner: owner, Browser: by, Person: person})
	if l.Mine != "" {
		return p.SeeOther(c, "/p/"+l.Mine.Reveal())
	}
	if handoff.CodeOf(err) != handoff.CodeNotFound { // a guess leaves nothing behind
		if _, err := p.cookies.Owner(c); err != nil {
			return err
		}
	}
	elsewhere := handoff.CodeOf(err) == handoff.CodeConflict
	if err != nil && !elsewhere {
		return p.refused(c, l.Handoff, err)
	}
	h := l.Handoff
	page := p.PageOf(c, h)
	page.Languages = keep(page.Languages, stays(c, by, l.Opened))
	wayOut := p.wayOut(h.Partner, c.Param("code"), l.Opened)
	switch {
	case !handoff.Allows(h.Terms.Scope, by.Class):
		return p.wrongDevice(c, h, wayOut)
	case by.InApp != "" && c.QueryParam(stayParam) != "1":
		return site.Render(c, http.StatusOK, templates.InAppPage(templates.InApp{
			Page: page, App: by.InApp, URL: wayOut, ContinueURL: templ.SafeURL(p.stay(c, l.Opened)),
		}))
	}
	status := http.StatusOK
	if elsewhere {
		status = http.StatusConflict
	} else if app, ok := p.appOf(h); ok {
		page.AppBanner = applink.Banner(by, app, wayOut, true)
	}
	v := p.landing(c, h, l.Opened)
	v.Page, v.Elsewhere = page, elsewhere
	return site.Render(c, status, templates.LandingPage(v))
}

// landing is what the page of a code asks, there or in the answer to one of its forms;
// opened is the proof that its frame was good.
func (p *Handler) landing(c echo.Context, h handoff.Handoff, opened string) templates.Landing {
	path := landingPath(c)
	return templates.Landing{
		Asked:  templates.Asked{By: site.Device(h.Asker), Ago: p.Handoffs.Now().Sub(h.CreatedAt), Label: h.Terms.Label},
		Action: p.withStays(c, path, ""), RejectAction: p.withStays(c, path+"/reject", ""),
		Attempt: rand.Text(), Opened: opened,
	}
}

// landingPath is the path of the landing that is asked for, or one of whose forms is sent.
func landingPath(c echo.Context) string {
	return strings.TrimSuffix(c.Request().URL.EscapedPath(), "/reject")
}

// withStays is a path with all that the address of a landing says besides, so that
// whoever goes on from its forms is the same person, who had said all that.
func (p *Handler) withStays(c echo.Context, path, opened string) string {
	if q := stays(c, p.mobileVisitor(c), opened); len(q) > 0 {
		path += "?" + q.Encode()
	}
	return p.InLanguage(c, path)
}

// stays is what the address of a landing says besides the language.
func stays(c echo.Context, by handoff.Browser, opened string) url.Values {
	q := url.Values{}
	for _, name := range []string{stayParam, tabletParam} {
		if c.QueryParam(name) == "1" {
			q.Set(name, "1")
		}
	}
	if opened != "" {
		q.Set(applink.OpenedParam, opened)
	}
	if by.Via != "" {
		q.Set(viaParam, by.Via)
	}
	return q
}

// wayOut is the link that leads from this browser to another one: the code
// without its frame, which will be old by then, and the proof that it was good.
func (p *Handler) wayOut(id handoff.PartnerID, code, opened string) string {
	if opened == "" {
		return p.Hosts.CodeURL(id, code)
	}
	reference, _, _ := strings.Cut(code, ".")
	return p.Hosts.CodeURL(id, reference) + "?" + applink.OpenedParam + "=" + url.QueryEscape(opened)
}

// stay is the landing itself, for going on inside an in-app browser.
func (p *Handler) stay(c echo.Context, opened string) string {
	q := url.Values{stayParam: {"1"}}
	if opened != "" {
		q.Set(applink.OpenedParam, opened)
	}
	return c.Request().URL.EscapedPath() + "?" + q.Encode()
}

// wrongDevice shows the code again, for the right device.
func (p *Handler) wrongDevice(c echo.Context, h handoff.Handoff, link string) error {
	w := templates.WrongDevice{Page: p.PageOf(c, h)}
	if by := p.Visitor(c); by.OS == "macOS" && by.Name == "Safari" && link != "" && handoff.Allows(h.Terms.Scope, handoff.ClassTablet) {
		// An iPad's Safari says that it is a Mac: only its person can tell.
		here := *c.Request().URL
		q := here.Query()
		q.Set(tabletParam, "1")
		w.TabletURL = templ.SafeURL(here.EscapedPath() + "?" + q.Encode())
	}
	if link != "" {
		code, err := qr.Encode(link)
		if err != nil {
			return err
		}
		w.QR = templates.QR{Path: code.Path(), ViewBox: code.ViewBox()}
	}
	return site.Render(c, http.StatusForbidden, templates.WrongDevicePage(w))
}

// refused answers what a code or a phone's page is refused with, by a page that
// says what to do. h is the zero Handoff where nothing is known.
func (p *Handler) refused(c echo.Context, h handoff.Handoff, err error) error {
	e := site.Classified(err)
	if e.Code == handoff.CodeNotFound { // also of a code with parts it should not have, though h is known then
		if err := p.Unknown(c); handoff.CodeOf(err) != handoff.CodeNotFound {
			return err
		}
		return site.Render(c, http.StatusNotFound, templates.PhoneNoticePage(templates.NoticePage{Page: p.Page(c), Notice: templates.NoticeEnded}))
	}
	if h.ID == "" {
		return err
	}
	n := templates.NoticePage{Page: p.PageOf(c, h), Notice: templates.NoticeEnded}
	status := site.StatusOf(e.Code)
	switch {
	case h.Status == handoff.StatusCompleted && p.holds(c, h):
		return site.Render(c, http.StatusOK, templates.FinishedPage(templates.Finished{Page: n.Page, ReturnURL: templ.SafeURL(h.ReturnURL())}))
	case h.Status == handoff.StatusRejected:
		n.Notice = templates.NoticeStopped
	case e.Code == handoff.CodeDeviceNotAllowed:
		return p.wrongDevice(c, h, "")
	case site.Away(e):
		p.NoteAway(c, h, err)
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
	case e.Code == handoff.CodeConflict && c.Param("code") != "":
		// Somebody was faster: their page, or this one, says so.
		v := p.landing(c, h, c.Request().PostFormValue("opened"))
		v.Page, v.Elsewhere = n.Page, true
		return site.Render(c, http.StatusConflict, templates.LandingPage(v))
	default:
		return err
	}
	return site.Render(c, status, templates.PhoneNoticePage(n))
}

// again is the way on from a code that somebody answered with "This wasn't me",
// which may have been a program that presses every button: nil where there is none.
func (p *Handler) again(c echo.Context, h handoff.Handoff) *templates.Landing {
	code := c.Param("code")
	if code == "" || !h.Refused(handoff.HashOf(handoff.Secret(code)), p.Handoffs.Now()) {
		return nil
	}
	v := p.landing(c, h, "")
	return &v
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
func (p *Handler) holds(c echo.Context, h handoff.Handoff) bool {
	owner := p.cookies.Known(c)
	return owner != "" && (h.Claim != nil && h.Claim.Owner.Matches(owner) || h.WentOn(claimKey(c)))
}

// tap is what the form of a landing sent.
func (p *Handler) tap(c echo.Context) (handoff.Tap, error) {
	owner, err := p.cookies.Owner(c)
	if err != nil {
		return handoff.Tap{}, err
	}
	by := p.mobileVisitor(c)
	return handoff.Tap{
		Partner: handoff.PartnerID(c.Param("partner")), Code: handoff.Secret(c.Param("code")),
		Opened: c.Request().PostFormValue("opened"), Attempt: handoff.Secret(c.Request().PostFormValue("attempt")),
		Visitor: handoff.Visitor{Owner: owner, Browser: by, Network: p.SeenFrom(c)}, Device: deviceInfo(owner, by),
		Risk: p.BeingGuessed(c, handoff.PartnerID(c.Param("partner"))), Instead: c.Request().PostFormValue("instead") == "1",
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
func (p *Handler) claim(c echo.Context) error {
	t, err := p.tap(c)
	if err != nil {
		return err
	}
	h, key, err := p.Handoffs.Claim(c.Request().Context(), t)
	if err != nil {
		return p.refused(c, h, err)
	}
	return p.SeeOther(c, "/p/"+key.Reveal())
}

// continueHere serves POST /h/:key/continue: this device goes on by itself.
func (p *Handler) continueHere(c echo.Context) error {
	owner, err := p.cookies.Owner(c)
	if err != nil {
		return err
	}
	by := p.Visitor(c)
	h, key, err := p.Handoffs.ContinueHere(c.Request().Context(), handoff.Secret(c.Param("key")), handoff.Visitor{Owner: owner, Browser: by, Network: p.SeenFrom(c)}, deviceInfo(owner, by))
	if code := handoff.CodeOf(err); code == handoff.CodeConflict || code == handoff.CodeGone {
		return p.SeeOther(c, "/h/"+c.Param("key")) // too late: the display says why
	}
	if err != nil {
		return p.refused(c, h, err)
	}
	return p.SeeOther(c, "/p/"+key.Reveal())
}

// reject serves POST /c/:partner/:code/reject: "This wasn't me", asked once more.
func (p *Handler) reject(c echo.Context) error {
	t, err := p.tap(c)
	if err != nil {
		return err
	}
	if c.Request().PostFormValue("sure") != "1" {
		l, err := p.Handoffs.Land(c.Request().Context(), t.Partner, t.Code, t.Opened, handoff.Visitor{Owner: t.Visitor.Owner})
		if err != nil && handoff.CodeOf(err) != handoff.CodeConflict {
			return p.refused(c, l.Handoff, err)
		}
		path := landingPath(c)
		return site.Render(c, http.StatusOK, templates.RejectAskPage(templates.RejectAsk{
			Page: p.PageOf(c, l.Handoff), Action: p.withStays(c, path+"/reject", ""), BackURL: templ.SafeURL(p.withStays(c, path, l.Opened)),
			Attempt: t.Attempt.Reveal(), Opened: l.Opened,
		}))
	}
	h, err := p.Handoffs.Refuse(c.Request().Context(), t)
	if err != nil {
		return p.refused(c, h, err)
	}
	return p.stopped(c, h)
}

func (p *Handler) stopped(c echo.Context, h handoff.Handoff) error {
	return site.Render(c, http.StatusOK, templates.PhoneNoticePage(templates.NoticePage{Page: p.PageOf(c, h), Notice: templates.NoticeStopped}))
}

// keep returns the menu with what else the page's address says.
func keep(menu []templates.Language, q url.Values) []templates.Language {
	if len(q) == 0 {
		return menu
	}
	menu = slices.Clone(menu)
	for i := range menu {
		menu[i].URL += templ.SafeURL("&" + q.Encode())
	}
	return menu
}
