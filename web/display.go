package web

import (
	"net/http"
	"net/url"
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
)

// display serves the page on the desktop's side of a handoff. It sets no cookie
// and needs none: in a frame, browsers keep none for it.
type display struct {
	*site
	cookies *phoneCookies
	buffers sync.Pool // of *[]byte, for pages
	paths   sync.Pool // of *[]byte, for codes
}

func itoa(n int) string { return strconv.Itoa(n) }

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
func (s *site) state(h handoff.Handoff) (templates.State, error) {
	now := s.handoffs.Now()
	st := templates.State{Screen: screenOf(h, now), InApp: h.Hint.InApp}
	c := h.Claim
	if h.Rival != nil {
		c = h.Rival // it asks to go on instead: the number is its own
	}
	if c != nil {
		st.Device = device(c.By)
		st.Ago = now.Sub(c.At)
		st.WrongTries, st.TriesLeft = c.Tries, handoff.MaxTries-c.Tries
		if h.Hint.Store {
			st.Store = storeOf(c.By)
		}
	}
	if h.Status == handoff.StatusExpired {
		st.Lasted = h.EndedAt.Sub(h.CreatedAt).Round(time.Minute)
	}
	if h.Status.Ended() {
		return st, nil
	}
	if h.CodeOn(handoff.RouteTyped, now) != nil {
		code, _, err := s.handoffs.Code(h, handoff.RouteTyped)
		if err != nil {
			return st, err
		}
		st.TypedCode = code.Reveal()
	}
	if rc := h.CodeOn(handoff.RouteLink, now); rc != nil {
		link, err := s.codeLink(h, handoff.RouteLink)
		if err != nil {
			return st, err
		}
		st.Link = &templates.Link{URL: link, SentAt: now.Sub(rc.MadeAt)}
	}
	var err error
	if st.SMS, err = s.sent(h, handoff.RouteSMS, now); err != nil {
		return st, err
	}
	if st.Email, err = s.sent(h, handoff.RouteEmail, now); err != nil {
		return st, err
	}
	deep, err := s.deepLink(h)
	st.DeepLink = deep
	return st, err
}

func device(b handoff.Browser) templates.Device {
	return templates.Device{Class: string(b.Class), OS: b.OS, Browser: b.Name, Country: b.Country}
}

func storeOf(b handoff.Browser) string {
	switch b.OS {
	case "iOS", "iPadOS":
		return "apple"
	case "Android":
		return "google"
	}
	return ""
}

// codeLink is the link with a route's code, or empty.
func (s *site) codeLink(h handoff.Handoff, r handoff.Route) (string, error) {
	code, ok, err := s.handoffs.Code(h, r)
	if err != nil || !ok {
		return "", err
	}
	return s.hosts.CodeURL(h.Partner, code.Reveal()), nil
}

// deepLink is what the display's own device opens.
func (s *site) deepLink(h handoff.Handoff) (string, error) {
	if h.Terms.CodeMode == handoff.CodeLink {
		return s.codeLink(h, handoff.RouteLocal)
	}
	token, err := s.handoffs.ConnectToken(h)
	if handoff.CodeOf(err) == handoff.CodeNotFound && err != nil {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return s.hosts.TokenDeepLink(h.Partner, token), nil
}

// content is what the QR holds now: a link of ours with the frame of this
// moment, or the raw connect token. CodeConflict while no code is shown.
func (s *site) content(h handoff.Handoff) (string, error) {
	if h.Status.Ended() {
		return "", handoff.Gone(h.GoneReason())
	}
	if h.Status.Held() && h.Status != handoff.StatusClaimed {
		return "", handoff.Errorf(handoff.CodeConflict, "the code is covered: a phone is connected")
	}
	if h.Terms.CodeMode == handoff.CodeToken {
		token, err := s.handoffs.ConnectToken(h)
		return token.Reveal(), err
	}
	code, ok, err := s.handoffs.Code(h, handoff.RouteQR)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", handoff.Errorf(handoff.CodeConflict, "there is no code to show")
	}
	framed, err := s.handoffs.Framed(h, code)
	return s.hosts.CodeURL(h.Partner, framed.Reveal()), err
}

// returnURL is where an ended handoff goes on to: what the partner gave, with the
// handoff and its status added. The query is a hint; the API is the truth.
func returnURL(h handoff.Handoff) string {
	if h.Terms.ReturnURL == "" || !h.Status.Ended() {
		return ""
	}
	u, err := url.Parse(h.Terms.ReturnURL)
	if err != nil {
		return "" // it was checked when the handoff was created
	}
	ours := []string{"handoff=" + url.QueryEscape(string(h.ID)), "status=" + url.QueryEscape(string(h.Status))}
	if h.Cause == handoff.CauseNoPhone {
		ours = append(ours, "reason="+url.QueryEscape(string(h.Cause)))
	}
	// What the partner wrote stays as it is, whatever it takes for a query; only of a
	// name that is ours there is never a second one.
	query := slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name)
		return pair == "" || slices.ContainsFunc(ours, func(o string) bool { return strings.HasPrefix(o, name+"=") })
	})
	u.RawQuery = strings.Join(append(query, ours...), "&")
	return u.String()
}

// agent is what a browser says of itself.
type agent struct{ name, brands, mobile, platform string }

// visitor is the browser of a request.
func (s *site) visitor(c echo.Context) handoff.Browser {
	h := c.Request().Header
	a := agent{h.Get("User-Agent"), h.Get("Sec-Ch-Ua"), h.Get("Sec-Ch-Ua-Mobile"), h.Get("Sec-Ch-Ua-Platform")}
	b, ok := s.browsers.Get(a)
	if !ok {
		b = applink.ParseBrowser(a.name, h)
		if len(a.name)+len(a.brands)+len(a.mobile)+len(a.platform) <= rememberedSize {
			s.browsers.Put(a, b)
		}
	}
	b.Country = s.country(c.Request())
	return b
}

// show serves GET /h/:key.
func (d *display) show(c echo.Context) error {
	by := d.visitor(c)
	h, err := d.handoffs.Display(c.Request().Context(), displayKey(c), by, d.seenFrom(c))
	if err != nil && (h.ID == "" || publicCode(handoff.CodeOf(err)) != handoff.CodePlatformUnavailable) {
		return err
	}
	status := http.StatusOK
	if err != nil {
		d.logUnavailable(c, h, err)
		status = http.StatusServiceUnavailable
		retryAfter(c, classified(err))
	}
	if err := d.allowFrame(c, h.Terms.ParentOrigin); err != nil {
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
func (d *display) drawn(link string) (templates.QR, error) {
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
	return templates.QR{Path: string(*buf), ViewBox: viewBox(code.Size())}, nil
}

// answer sends a display, compressed for whoever can read that.
func (d *display) answer(c echo.Context, status int, owner handoff.PartnerID, v templates.Display) error {
	buf, ok := d.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	defer d.buffers.Put(buf)
	zip := static.AcceptsGzip(c.Request())
	page, zipped, err := d.displays.Append(c.Request().Context(), (*buf)[:0], string(owner), v, zip)
	if err != nil {
		return err
	}
	*buf = page
	if zip && !zipped {
		return sendPage(c, status, page)
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
func (d *display) beginHere(c echo.Context, h handoff.Handoff, by handoff.Browser) error {
	onPhone := by.Class == handoff.ClassMobile || by.Class == handoff.ClassTablet
	if !onPhone || c.Request().Header.Get("Sec-Fetch-Dest") != "document" || !h.HasRoute(handoff.RouteLocal) {
		return nil
	}
	owner, err := d.cookies.owner(c)
	if err != nil {
		return err
	}
	return d.handoffs.BeginHere(c.Request().Context(), h, owner)
}

// logUnavailable notes an upstream failure that a person is told of by a page.
func (s *site) logUnavailable(c echo.Context, h handoff.Handoff, err error) {
	s.log.WarnContext(c.Request().Context(), "platform_unavailable", "route", c.Path(), "handoff", h.ID, "error", err)
}

func (d *display) view(c echo.Context, h handoff.Handoff, by handoff.Browser) (templates.Display, error) {
	now := d.handoffs.Now()
	st, err := d.state(h)
	if err != nil {
		return templates.Display{}, err
	}
	v := templates.Display{
		Page: d.pageOf(c, h), State: st, ID: string(h.ID), Seq: h.Seq, Status: string(h.Status),
		TokenMode: h.Terms.CodeMode == handoff.CodeToken, Base: "/h/" + c.Param("key"),
		OnPhone: by.Class == handoff.ClassMobile || by.Class == handoff.ClassTablet,
		Framed:  h.Terms.ParentOrigin != "" && framed(c.Request()), ParentOrigin: h.Terms.ParentOrigin,
		QR:        templates.QR{ViewBox: viewBox(1)}, // until there is a code to show
		ReturnURL: templ.SafeURL(returnURL(h)), ExpiresAt: h.Deadline, Left: h.Deadline.Sub(now),
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
		code, _, err := d.handoffs.Code(h, handoff.RouteLocal)
		if err != nil {
			return v, err
		}
		v.DeepLinkURL = templ.SafeURL(d.public.String() + "/c/" + string(h.Partner) + "/" + code.Reveal())
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
func (d *display) svg(c echo.Context) error {
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
func (d *display) png(c echo.Context) error {
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
func (d *display) picture(c echo.Context, encode func(string) (qr.Code, error)) (qr.Code, error) {
	h, err := d.handoffs.Display(c.Request().Context(), displayKey(c), d.visitor(c), d.seenFrom(c))
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
