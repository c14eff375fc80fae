package phone

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/templates"
	"github.com/handoff-portal/handoff/web/site"
)

// typedPage is the form for a typed code.
func (p *Handler) typedPage(c echo.Context) (templates.Typed, error) {
	owner, ok := p.Partners.ByID(handoff.PartnerID(c.Param("partner")))
	if !ok || !owner.AllowsRoute(handoff.RouteTyped) {
		return templates.Typed{}, handoff.Errorf(handoff.CodeNotFound, "no such path")
	}
	return templates.Typed{Page: p.PageBy(c, owner), Action: p.InLanguage(c, "/t/"+string(owner.ID))}, nil
}

// askCode serves GET /t/:partner.
func (p *Handler) askCode(c echo.Context) error {
	t, err := p.typedPage(c)
	if err != nil {
		return err
	}
	return site.Render(c, http.StatusOK, templates.TypedPage(t))
}

// typed serves POST /t/:partner: a good code leads to its landing.
func (p *Handler) typed(c echo.Context) error {
	t, err := p.typedPage(c)
	if err != nil {
		return err
	}
	digits, ok := applink.TypedCode(c.Request().PostFormValue("code"))
	if !ok {
		t.Wrong = true
		return site.Render(c, http.StatusBadRequest, templates.TypedPage(t))
	}
	t.Value = digits
	partnerID, code := handoff.PartnerID(c.Param("partner")), handoff.Secret(digits)
	err = p.Guess(c, partnerID, code, func() (bool, error) {
		_, err := p.Handoffs.Land(c.Request().Context(), partnerID, code, "", handoff.Visitor{})
		return err == nil || handoff.CodeOf(err) != handoff.CodeNotFound, err
	})
	switch e := site.Classified(err); {
	case err == nil, e.Code == handoff.CodeConflict, e.Code == handoff.CodeGone:
		// The landing says what became of it.
		return p.SeeOther(c, "/c/"+c.Param("partner")+"/"+digits)
	case e.Code == handoff.CodeNotFound:
		t.Wrong = true
		return site.Render(c, http.StatusNotFound, templates.TypedPage(t))
	case e.Code == handoff.CodeRateLimited:
		t.Wait = true
		site.SetRetryAfter(c, e)
		return site.Render(c, http.StatusTooManyRequests, templates.TypedPage(t))
	}
	return err
}

// countGuesses counts the typed codes among the links of a landing.
func (p *Handler) countGuesses(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		return p.Guess(c, handoff.PartnerID(c.Param("partner")), handoff.Secret(c.Param("code")), func() (bool, error) {
			err := next(c)
			code := handoff.CodeOf(err) // of a code that is none, it may be that of Unknown beyond its limit
			missing := code == handoff.CodeNotFound || code == handoff.CodeRateLimited || c.Response().Status == http.StatusNotFound
			return !missing, err
		})
	}
}

// returned serves GET /r/:response, where an app on this very device returns to.
func (p *Handler) returned(c echo.Context) error {
	h, key, err := p.Handoffs.Returned(c.Request().Context(), handoff.Secret(c.Param("response")), p.cookies.Known(c))
	if err != nil && h.ID != "" && handoff.CodeOf(err) == handoff.CodeForbidden {
		page := p.PageOf(c, h)
		return site.Render(c, http.StatusForbidden, templates.PhoneNoticePage(templates.NoticePage{Page: page, Notice: templates.NoticeElsewhere}))
	}
	if err != nil {
		return err
	}
	return p.SeeOther(c, "/p/"+key.Reveal())
}
