// Package phone serves the phone's side of a handoff.
package phone

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
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
