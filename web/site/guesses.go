package site

import (
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
// back if try found a code. Beyond the budget it is CodeRateLimited, and try is not
// called; else it is what try returns.
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

// BeingGuessed reports whether somebody seems to be guessing codes of this partner's,
// or nobody can tell.
func (s *Site) BeingGuessed(c echo.Context, p handoff.PartnerID) bool {
	left, err := s.Limiter.Left(c.Request().Context(), limit.TypedPerPartner, string(p))
	return err != nil || left <= limit.FailuresPerPartner-busyGuesses
}
