package display

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/qr"
	"github.com/handoff-portal/handoff/templates"
)

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
