package handoff

import (
	"context"
	"slices"
	"time"
)

// A phone without the app goes to the store and comes back in one of two ways: to
// its page, which has kept its place, or straight into the app. For that one the
// way to the store carries a code of its own, which only the phone's own page has,
// and only once its claim is confirmed: the app that brings it goes on in place of
// the page. It claims nothing for a browser, and nothing once the app is there.

// installing gives a browser's claim its code for the store.
func (s *Service) installing(h Handoff, c Claim, network Secret) Claim {
	code := newCode()
	c.Install, c.InstallKey = HashOf(code), s.vault.Seal(h.label("code"), []byte(code))
	c.From = s.blinded(h, network)
	return c
}

// InstallCode is the code that the way to the store carries; empty: none.
func (s *Service) InstallCode(h Handoff) (Secret, error) {
	if h.Claim == nil || h.Claim.InstallKey == nil || !h.Status.Held() || h.Status == StatusClaimed {
		return "", nil
	}
	code, err := s.vault.Open(h.label("code"), h.Claim.InstallKey)
	return Secret(code), err
}

// installs reports whether this is, or was, the code for the store of one of h's
// claims, as what it looks like to who brings it.
func (h Handoff) installs(code Hash) (RouteCode, bool) {
	if c := h.Claim; c != nil && c.Install == code {
		return RouteCode{Route: c.Route, Hash: code}, true
	}
	for _, f := range h.Former {
		if f.Install == code {
			return RouteCode{Hash: code, Ended: f.Reason}, true
		}
	}
	return RouteCode{}, false
}

// Installed lets an app go on in place of the phone's page. Where it cannot be told
// that it is that phone (sure), it is asked for a number as a link is.
func (h Handoff) Installed(c Claim, code Hash, number Sealed, sure bool, now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	if h.Claim == nil || h.Claim.Install != code {
		return h, Errorf(CodeNotFound, "no such code")
	}
	old := *h.Claim
	switch h.Status {
	case StatusConfirmed, StatusConnected:
	case StatusDelivered:
		return h, Gone(ReasonUsed)
	case StatusCreated, StatusDisplayed, StatusOpened, StatusClaimed,
		StatusCompleted, StatusExpired, StatusCancelled, StatusRejected, StatusReplaced, StatusFailed:
		return h, Errorf(CodeConflict, "the phone's page is not confirmed yet")
	}
	if !sure && h.Terms.Confirmation.Asks(RouteLink, false) {
		c.Install = code
		return h.Contest(c, code, number, now)
	}
	confirmed := h.Confirmed
	h = h.retire(ReasonUsed, "")
	c.Route, c.At = old.Route, now
	h.Claim, h.Confirmed, h.Report, h.Hint, h.Work = &c, confirmed, "", Hint{}, nil
	h.Claims++
	return h.reach(StatusClaimed, now).confirm(now), nil
}

// WentOn reports whether the app went on in place of the page with this key.
func (h Handoff) WentOn(key Secret) bool {
	return slices.ContainsFunc(h.Former, func(f Former) bool { return f.Reason == ReasonUsed && f.Hash.Matches(key) })
}

// install claims with a code that went through the store.
func (s *Service) install(ctx context.Context, h Handoff, c Claim, code Hash, network Secret) (Handoff, error) {
	return s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) {
		number, err := s.newNumberFor(h)
		if err != nil {
			return h, err
		}
		c.Near = s.nearness(h, network)
		return h.Installed(c, code, number, h.Claim != nil && s.nearTo(h, h.Claim.From, network) == NearSame, now)
	})
}
