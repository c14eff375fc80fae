package phone

import (
	"crypto/rand"
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
)

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
