// Package display serves the desktop's side of a handoff.
package display

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/qr"
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

// quietAfter is how long a delivered handoff may be without a word from the app
// before the display says what to try.
const quietAfter = 60 * time.Second

// screenOf is what the display shows of h.
func screenOf(h handoff.Handoff, now time.Time) templates.Screen {
	if h.Rival != nil {
		return templates.ScreenNumber
	}
	switch h.Status {
	case handoff.StatusCreated:
		return templates.ScreenAway
	case handoff.StatusDisplayed, handoff.StatusOpened:
		switch {
		case h.Burnt >= handoff.MaxBurnt:
			return templates.ScreenTooMany
		case h.Status == handoff.StatusOpened && h.Hint.InApp != "":
			return templates.ScreenInApp
		case h.Status == handoff.StatusOpened:
			return templates.ScreenOpened
		}
		return templates.ScreenWaiting
	case handoff.StatusClaimed:
		if h.Claim.Number != nil {
			return templates.ScreenNumber
		}
		return templates.ScreenConnected
	case handoff.StatusConfirmed, handoff.StatusConnected:
		switch {
		case h.Hint.Store:
			return templates.ScreenStore
		case h.Unheard(now):
			return templates.ScreenUnopened
		}
		return templates.ScreenConnected
	case handoff.StatusDelivered:
		switch {
		case h.Report == handoff.ReportLeft || h.Report == handoff.ReportFailed:
			return templates.ScreenStopped
		case h.Report == "" && now.Sub(lastEvent(h, handoff.EventType(handoff.StatusDelivered))) >= quietAfter:
			return templates.ScreenQuiet
		}
		return templates.ScreenDelivered
	case handoff.StatusCompleted:
		return templates.ScreenCompleted
	case handoff.StatusExpired:
		return templates.ScreenExpired
	case handoff.StatusCancelled:
		if wasDelivered(h) {
			return templates.ScreenCancelledLate
		}
		return templates.ScreenCancelled
	case handoff.StatusRejected:
		if wasDelivered(h) {
			return templates.ScreenRejectedLate
		}
		return templates.ScreenRejected
	case handoff.StatusReplaced:
		return templates.ScreenReplaced
	case handoff.StatusFailed:
	}
	return templates.ScreenFailed
}

func lastEvent(h handoff.Handoff, t handoff.EventType) time.Time {
	for _, e := range slices.Backward(h.Events) {
		if e.Type == t {
			return e.At
		}
	}
	return time.Time{}
}

func wasDelivered(h handoff.Handoff) bool {
	return !lastEvent(h, handoff.EventType(handoff.StatusDelivered)).IsZero()
}

// state is what changes on the display while it is open.
func (d *Handler) state(h handoff.Handoff) (templates.State, error) {
	now := d.Handoffs.Now()
	st := templates.State{Screen: screenOf(h, now), InApp: h.Hint.InApp}
	c := h.Claim
	if h.Rival != nil {
		c = h.Rival // it asks to go on instead: the number is its own
	}
	if c != nil {
		st.Device = site.Device(c.By)
		st.Ago = now.Sub(c.At)
		st.WrongTries, st.TriesLeft = c.Tries, handoff.MaxTries-c.Tries
		if h.Hint.Store {
			st.Store = applink.Store(c.By)
		}
	}
	if h.Status == handoff.StatusExpired {
		st.Lasted = h.EndedAt.Sub(h.CreatedAt).Round(time.Minute)
	}
	if h.Status.Ended() {
		return st, nil
	}
	if h.CodeOn(handoff.RouteTyped, now) != nil {
		code, _, err := d.Handoffs.Code(h, handoff.RouteTyped)
		if err != nil {
			return st, err
		}
		st.TypedCode = code.Reveal()
	}
	if rc := h.CodeOn(handoff.RouteLink, now); rc != nil {
		link, err := d.codeLink(h, handoff.RouteLink)
		if err != nil {
			return st, err
		}
		st.Link = &templates.Link{URL: link, SentAt: now.Sub(rc.MadeAt)}
	}
	var err error
	if st.SMS, err = d.sent(h, handoff.RouteSMS, now); err != nil {
		return st, err
	}
	if st.Email, err = d.sent(h, handoff.RouteEmail, now); err != nil {
		return st, err
	}
	deep, err := d.deepLink(h)
	st.DeepLink = deep
	return st, err
}

// codeLink is the link with a route's code, or empty.
func (d *Handler) codeLink(h handoff.Handoff, r handoff.Route) (string, error) {
	code, ok, err := d.Handoffs.Code(h, r)
	if err != nil || !ok {
		return "", err
	}
	return d.Hosts.CodeURL(h.Partner, code.Reveal()), nil
}

// deepLink is what the display's own device opens.
func (d *Handler) deepLink(h handoff.Handoff) (string, error) {
	if h.Terms.CodeMode == handoff.CodeLink {
		return d.codeLink(h, handoff.RouteLocal)
	}
	token, err := d.Handoffs.ConnectToken(h)
	if handoff.CodeOf(err) == handoff.CodeNotFound && err != nil {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return d.Hosts.TokenDeepLink(h.Partner, token), nil
}

// content is what the QR holds now: a link of ours with the frame of this
// moment, or the raw connect token. CodeConflict while no code is shown.
func (d *Handler) content(h handoff.Handoff) (string, error) {
	if h.Status.Ended() {
		return "", handoff.Gone(h.GoneReason())
	}
	if h.Status.Held() && h.Status != handoff.StatusClaimed {
		return "", handoff.Errorf(handoff.CodeConflict, "the code is covered: a phone is connected")
	}
	if h.Terms.CodeMode == handoff.CodeToken {
		token, err := d.Handoffs.ConnectToken(h)
		return token.Reveal(), err
	}
	code, ok, err := d.Handoffs.Code(h, handoff.RouteQR)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", handoff.Errorf(handoff.CodeConflict, "there is no code to show")
	}
	framed, err := d.Handoffs.Framed(h, code)
	return d.Hosts.CodeURL(h.Partner, framed.Reveal()), err
}

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

// drawn is a link as the QR of a display.
func (d *Handler) drawn(link string) (templates.QR, error) {
	code, err := qr.Encode(link)
	if err != nil {
		return templates.QR{}, err
	}
	buf, ok := d.paths.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	defer d.paths.Put(buf)
	*buf = code.AppendPath((*buf)[:0])
	return templates.QR{Path: string(*buf), ViewBox: code.ViewBox()}, nil
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

// svg serves GET /h/:key/qr.svg. The page's script asks for it, and may be late:
// a code that is covered by now is no failure, only nothing to show.
func (d *Handler) svg(c echo.Context) error {
	code, err := d.picture(c, qr.Encode)
	if covered := handoff.CodeOf(err); err != nil && (covered == handoff.CodeConflict || covered == handoff.CodeGone) {
		return c.NoContent(http.StatusNoContent)
	}
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "image/svg+xml", code.SVG())
}

// pngScale is the pixels of a module in qr.png: large enough to print.
const pngScale = 10

// png serves GET /h/:key/qr.png.
func (d *Handler) png(c echo.Context) error {
	code, err := d.picture(c, qr.Reference)
	if err != nil {
		return err
	}
	body, err := code.PNG(pngScale)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "image/png", body)
}

// picture is the code as of now, renewing what it carries if that nears its end.
func (d *Handler) picture(c echo.Context, encode func(string) (qr.Code, error)) (qr.Code, error) {
	h, err := d.Handoffs.Display(c.Request().Context(), displayKey(c), d.Visitor(c), d.SeenFrom(c))
	if err != nil {
		return qr.Code{}, err
	}
	if h.Terms.ParentOrigin != "" {
		c.Response().Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	content, err := d.content(h)
	if err != nil {
		return qr.Code{}, err
	}
	return encode(content)
}

// typedAddress is where a typed code goes, as people read it.
func (d *Handler) typedAddress(p handoff.PartnerID) string {
	return strings.TrimPrefix(strings.TrimPrefix(d.Hosts.Public, "https://"), "http://") + "/t/" + string(p)
}
