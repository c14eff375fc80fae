package site

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/limit"
)

// busyGuesses is how many wrong typed codes of a partner's, in ten minutes, are a
// sign that somebody is guessing.
const busyGuesses = 20

// Guess tries a code that somebody sent. Ten digits can be guessed, so each that
// is none costs its network and its partner one of the few they have: spent
// before the look-up, or those who try at once would all find one left, and given
// back if the code was good. Beyond the budget it is CodeRateLimited.
func (s *Site) Guess(c echo.Context, p handoff.PartnerID, code handoff.Secret, try func() (found bool, err error)) error {
	if _, known := s.Partners.ByID(p); !known || !handoff.IsTyped(code) {
		_, err := try()
		return err
	}
	ctx := c.Request().Context()
	costs := []struct {
		what limit.Failure
		key  string
	}{{limit.TypedPerNetwork, s.Network(c)}, {limit.TypedPerPartner, string(p)}}
	for i, cost := range costs {
		ok, after, err := s.Limiter.Spend(ctx, cost.what, cost.key)
		if err != nil {
			return err // unlike the other limits, this one fails closed
		}
		if ok {
			continue
		}
		for _, spent := range costs[:i] {
			if err := s.Limiter.Restore(ctx, spent.what, spent.key); err != nil {
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
		if err := s.Limiter.Restore(ctx, cost.what, cost.key); err != nil {
			s.Log.ErrorContext(ctx, "limit_failed", "route", c.Path(), "limit", string(cost.what), "error", err)
		}
	}
	return tried
}

// Guesses counts the typed codes among the links of a landing.
func (s *Site) Guesses(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		return s.Guess(c, handoff.PartnerID(c.Param("partner")), handoff.Secret(c.Param("code")), func() (bool, error) {
			err := next(c)
			code := handoff.CodeOf(err) // of a code that is none, it may be that of Unknown beyond its limit
			missing := code == handoff.CodeNotFound || code == handoff.CodeRateLimited || c.Response().Status == http.StatusNotFound
			return !missing, err
		})
	}
}

// Risky reports whether somebody seems to be guessing codes of this partner's.
func (s *Site) Risky(c echo.Context, p handoff.PartnerID) bool {
	left, err := s.Limiter.Left(c.Request().Context(), limit.TypedPerPartner, string(p))
	return err != nil || left <= limit.FailuresPerPartner-busyGuesses
}
