package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/limit"
	"github.com/handoff-portal/handoff/templates"
)

// busyGuesses is how many wrong typed codes of a partner's, in ten minutes, are a
// sign that somebody is guessing.
const busyGuesses = 20

// guess tries a code that somebody sent. Ten digits can be guessed, so each that
// is none costs its network and its partner one of the few they have: spent
// before the look-up, or those who try at once would all find one left, and given
// back if the code was good. Beyond the budget it is CodeRateLimited.
func (s *site) guess(c echo.Context, p handoff.PartnerID, code handoff.Secret, try func() (found bool, err error)) error {
	if _, known := s.partners.ByID(p); !known || !handoff.IsTyped(code) {
		_, err := try()
		return err
	}
	ctx := c.Request().Context()
	costs := []struct {
		what limit.Failure
		key  string
	}{{limit.TypedPerNetwork, s.network(c)}, {limit.TypedPerPartner, string(p)}}
	for i, cost := range costs {
		ok, after, err := s.limiter.Spend(ctx, cost.what, cost.key)
		if err != nil {
			return err // unlike the other limits, this one fails closed
		}
		if ok {
			continue
		}
		for _, spent := range costs[:i] {
			if err := s.limiter.Restore(ctx, spent.what, spent.key); err != nil {
				return err
			}
		}
		e := handoff.Errorf(handoff.CodeRateLimited, "too many codes that are none")
		e.RetryAfter = after
		return e
	}
	found, tried := try()
	if !found {
		return tried
	}
	for _, cost := range slices.Backward(costs) {
		if err := s.limiter.Restore(ctx, cost.what, cost.key); err != nil {
			s.log.ErrorContext(ctx, "limit_failed", "route", c.Path(), "limit", string(cost.what), "error", err)
		}
	}
	return tried
}

// guesses counts the typed codes among the links of a landing.
func (s *site) guesses(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		return s.guess(c, handoff.PartnerID(c.Param("partner")), handoff.Secret(c.Param("code")), func() (bool, error) {
			err := next(c)
			missing := err != nil && handoff.CodeOf(err) == handoff.CodeNotFound || c.Response().Status == http.StatusNotFound
			return !missing, err
		})
	}
}

// risky reports whether somebody seems to be guessing codes of this partner's.
func (s *site) risky(c echo.Context, p handoff.PartnerID) bool {
	left, err := s.limiter.Left(c.Request().Context(), limit.TypedPerPartner, string(p))
	return err != nil || left <= limit.FailuresPerPartner-busyGuesses
}

// typedPage is the form for a typed code.
func (p *phone) typedPage(c echo.Context) (templates.Typed, error) {
	owner, ok := p.partners.ByID(handoff.PartnerID(c.Param("partner")))
	if !ok || !owner.AllowsRoute(handoff.RouteTyped) {
		return templates.Typed{}, handoff.Errorf(handoff.CodeNotFound, "no such path")
	}
	p.allowColours(c, owner.ID)
	return templates.Typed{Page: p.branded(p.page(c), owner, ""), Action: "/t/" + string(owner.ID)}, nil
}

// askCode serves GET /t/:partner.
func (p *phone) askCode(c echo.Context) error {
	t, err := p.typedPage(c)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, templates.TypedPage(t))
}

// typed serves POST /t/:partner: a good code leads to its landing.
func (p *phone) typed(c echo.Context) error {
	t, err := p.typedPage(c)
	if err != nil {
		return err
	}
	digits, ok := applink.TypedCode(c.Request().PostFormValue("code"))
	if !ok {
		t.Wrong = true
		return render(c, http.StatusBadRequest, templates.TypedPage(t))
	}
	t.Value = digits
	partnerID, code := handoff.PartnerID(c.Param("partner")), handoff.Secret(digits)
	err = p.guess(c, partnerID, code, func() (bool, error) {
		_, err := p.handoffs.Land(c.Request().Context(), partnerID, code, "", handoff.Visitor{})
		return err == nil || handoff.CodeOf(err) != handoff.CodeNotFound, err
	})
	switch e := classified(err); {
	case err == nil, e.Code == handoff.CodeConflict, e.Code == handoff.CodeGone:
		// The landing says what became of it.
		return p.seeOther(c, "/c/"+c.Param("partner")+"/"+digits)
	case e.Code == handoff.CodeNotFound:
		t.Wrong = true
		return render(c, http.StatusNotFound, templates.TypedPage(t))
	case e.Code == handoff.CodeRateLimited:
		t.Wait = true
		retryAfter(c, e)
		return render(c, http.StatusTooManyRequests, templates.TypedPage(t))
	}
	return err
}

// typedAddress is where a typed code goes, as people read it.
func (s *site) typedAddress(p handoff.PartnerID) string {
	return strings.TrimPrefix(strings.TrimPrefix(s.public.String(), "https://"), "http://") + "/t/" + string(p)
}

// returned serves GET /r/:response, where an app on this very device returns to.
func (p *phone) returned(c echo.Context) error {
	h, key, err := p.handoffs.Returned(c.Request().Context(), handoff.Secret(c.Param("response")), p.cookies.known(c))
	if err != nil && h.ID != "" && handoff.CodeOf(err) == handoff.CodeForbidden {
		page := p.pageOf(c, h)
		return render(c, http.StatusForbidden, templates.PhoneNoticePage(templates.NoticePage{Page: page, Notice: templates.NoticeElsewhere}))
	}
	if err != nil {
		return err
	}
	return p.seeOther(c, "/p/"+key.Reveal())
}
