// Package display serves the desktop's side of a handoff.
package display

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/static"
	"github.com/handoff-portal/handoff/templates"
	"github.com/handoff-portal/handoff/web/site"
	"github.com/handoff-portal/handoff/web/viewers"
)

// Handler serves the page on the desktop's side of a handoff. It sets no cookie
// and needs none: in a frame, browsers keep none for it.
type Handler struct {
	*site.Site
	viewers   *viewers.Viewers
	cookies   *site.Cookies
	messenger site.Messenger
	pages     *templates.Prepared
	buffers   sync.Pool // of *[]byte, for pages
	paths     sync.Pool // of *[]byte, for codes
}

// New returns the display's handlers. Without a messenger nobody is sent
// anything.
func New(s *site.Site, v *viewers.Viewers, c *site.Cookies, m site.Messenger) *Handler {
	return &Handler{Site: s, viewers: v, cookies: c, messenger: m, pages: &templates.Prepared{}}
}

// Mount adds the paths of the display to g, which is /h/:key. Where a proxy treats
// pages and streams in its own way, handoff doctor may ask: examined answers it.
func (d *Handler) Mount(g *echo.Group, examined echo.MiddlewareFunc) {
	g.GET("", d.show, examined)
	g.GET("/events", d.follow, examined)
	g.GET("/status", d.status)
	g.GET("/qr.svg", d.svg)
	g.GET("/qr.png", d.png)
	g.POST("/confirm", d.confirm)
	g.POST("/release", d.release)
	g.POST("/reject", d.reject)
	g.POST("/cancel", d.cancel)
	g.POST("/renew", d.renew)
	g.POST("/extend", d.extend)
	g.POST("/send", d.send)
	g.POST("/revoke", d.revoke)
	g.POST("/no-phone", d.noPhone)
}

func displayKey(c echo.Context) handoff.Secret { return handoff.Secret(c.Param("key")) }

// show serves GET /h/:key.
func (d *Handler) show(c echo.Context) error {
	by := d.Visitor(c)
	h, err := d.Handoffs.Display(c.Request().Context(), displayKey(c), by, d.SeenFrom(c))
	if err != nil && (h.ID == "" || !site.Away(err)) {
		return err
	}
	status := http.StatusOK
	if err != nil {
		d.NoteAway(c, h, err)
		status = http.StatusServiceUnavailable
	}
	if err := d.AllowFrame(c, h.Terms.ParentOrigin); err != nil {
		return err
	}
	if err := d.Handoffs.Watch(c.Request().Context(), h); err != nil { // a page without script follows by coming again
		return err
	}
	if err := d.beginHere(c, h, by); err != nil {
		return err
	}
	v, err := d.view(c, h, by)
	if err != nil {
		return err
	}
	return d.answer(c, status, h.Partner, v)
}

// answer sends a display, compressed for whoever can read that.
func (d *Handler) answer(c echo.Context, status int, owner handoff.PartnerID, v templates.Display) error {
	buf, ok := d.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	defer d.buffers.Put(buf)
	zip := static.AcceptsGzip(c.Request())
	page, zipped, err := d.pages.Append(c.Request().Context(), (*buf)[:0], string(owner), v, zip)
	if err != nil {
		return err
	}
	*buf = page
	if zip && !zipped {
		return site.SendPage(c, status, page)
	}
	header := c.Response().Header()
	header.Add("Vary", "Accept-Encoding")
	if zipped {
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("Content-Length", strconv.Itoa(len(page)))
	return c.HTMLBlob(status, page)
}

// beginHere remembers the phone's browser that shows a display top level: going
// on with this device's own link, it is the one that began. In a frame there is
// no cookie; there the display's button opens a page that has one.
func (d *Handler) beginHere(c echo.Context, h handoff.Handoff, by handoff.Browser) error {
	onPhone := by.Class == handoff.ClassMobile || by.Class == handoff.ClassTablet
	if !onPhone || c.Request().Header.Get("Sec-Fetch-Dest") != "document" || !h.HasRoute(handoff.RouteLocal) {
		return nil
	}
	owner, err := d.cookies.Owner(c)
	if err != nil {
		return err
	}
	return d.Handoffs.BeginHere(c.Request().Context(), h, owner)
}

func (d *Handler) view(c echo.Context, h handoff.Handoff, by handoff.Browser) (templates.Display, error) {
	now := d.Handoffs.Now()
	st, err := d.state(h)
	if err != nil {
		return templates.Display{}, err
	}
	v := templates.Display{
		Page: d.PageOf(c, h), State: st, ID: string(h.ID), Seq: h.Seq, Status: string(h.Status),
		TokenMode: h.Terms.CodeMode == handoff.CodeToken, Base: "/h/" + c.Param("key"),
		OnPhone: by.Class == handoff.ClassMobile || by.Class == handoff.ClassTablet,
		Framed:  h.Terms.ParentOrigin != "" && site.Framed(c.Request()), ParentOrigin: h.Terms.ParentOrigin,
		QR:        templates.QR{ViewBox: "0 0 1 1"}, // until there is a code to show
		ReturnURL: templ.SafeURL(h.ReturnURL()), ExpiresAt: h.Deadline, Left: h.Deadline.Sub(now),
		CanExtend:    h.Status != handoff.StatusDelivered && h.Extensions < handoff.MaxExtensions,
		CanLink:      h.HasRoute(handoff.RouteLink) && h.Terms.CodeMode == handoff.CodeLink,
		CanType:      h.HasRoute(handoff.RouteTyped) && h.Terms.CodeMode == handoff.CodeLink,
		TypedAddress: d.typedAddress(h.Partner),
		CanLocal:     h.HasRoute(handoff.RouteLocal) && h.Terms.CodeMode == handoff.CodeLink && handoff.Allows(h.Terms.Scope, by.Class), CanNoPhone: true,
	}
	v.CanSMS, v.CanEmail = d.messages(h, handoff.RouteSMS), d.messages(h, handoff.RouteEmail)
	if v.SMSTo, err = d.contactFor(h, handoff.RouteSMS); err != nil {
		return v, err
	}
	if v.EmailTo, err = d.contactFor(h, handoff.RouteEmail); err != nil {
		return v, err
	}
	v.DeepLinkURL = templ.SafeURL(st.DeepLink)
	if v.Framed && v.OnPhone && h.Terms.CodeMode == handoff.CodeLink && st.DeepLink != "" {
		// Out of the frame first: the page that carries the app link is top level.
		code, _, err := d.Handoffs.Code(h, handoff.RouteLocal)
		if err != nil {
			return v, err
		}
		v.DeepLinkURL = templ.SafeURL(d.Hosts.Public + "/c/" + string(h.Partner) + "/" + code.Reveal())
	}
	if st.Screen == templates.ScreenAway {
		v.Refresh = 5
	}
	content, err := d.content(h)
	switch code := handoff.CodeOf(err); {
	case err == nil:
		if v.QR, err = d.drawn(content); err != nil {
			return v, err
		}
	case code != handoff.CodeConflict && code != handoff.CodeGone && code != handoff.CodeNotFound:
		return v, err
	}
	return v, nil
}

// typedAddress is where a typed code goes, as people read it.
func (d *Handler) typedAddress(p handoff.PartnerID) string {
	return strings.TrimPrefix(strings.TrimPrefix(d.Hosts.Public, "https://"), "http://") + "/t/" + string(p)
}
