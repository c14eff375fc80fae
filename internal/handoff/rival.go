package handoff

import (
	"context"
	"time"
)

// A rival is a second phone that asks to go on in place of the one whose claim is
// confirmed: "Continue here instead". Whatever the policy, its number has to be
// typed on the display first, so that nobody takes a handoff away by having its
// code. Until then the claim in force is as it was.

// Contest makes c the rival. A rival before it gives way; c's own phone, asking
// again, gets errUnchanged.
func (h Handoff) Contest(c Claim, code Hash, number Sealed, now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	rc, err := h.checkCode(code, now)
	if err != nil && !h.Refused(code, now) {
		return h, err
	}
	if !h.Status.Held() || h.Status == StatusClaimed {
		return h, Errorf(CodeConflict, "a %s handoff is there to be claimed", h.Status)
	}
	if h.Claim.sameClaimant(c) || (h.Rival != nil && h.Rival.sameClaimant(c)) {
		return h, errUnchanged
	}
	if h.Burnt >= MaxBurnt {
		return h, Gone(ReasonReplaced)
	}
	h = h.dropRival(ReasonReplaced, "")
	c.Route, c.At, c.Until, c.Number = rc.Route, now, now.Add(c.lease()), number
	h.Rival = &c
	h.Claims++
	return h.record(EventContested, now), nil
}

// dropRival moves the rival, if there is one, to the former claims.
func (h Handoff) dropRival(why Reason, cause Cause) Handoff {
	if c := h.Rival; c != nil {
		h.Rival = nil
		h = h.formerly(c, why, cause)
	}
	return h
}

// confirmRival answers a number typed while a rival asks.
func (h Handoff) confirmRival(right bool, now time.Time) Handoff {
	c := *h.Rival
	if right {
		h.Rival = nil
		if h.Status == StatusDelivered {
			h.Deadline = now.Add(h.Terms.ExpiresIn)
		}
		why := ReasonReleased
		if !c.Install.IsZero() && c.App() { // see Installed: it is the page's own phone
			why, c.Install = ReasonUsed, Hash{}
		}
		h = h.retire(why, "")
		h.Claim, h.Confirmed, h.Report, h.Hint, h.Work = &c, "number", "", Hint{}, nil
		if h.Terms.CodeMode == CodeLink {
			h.Poll = Poll{Watched: h.Poll.Watched}
		}
		return h.reach(StatusClaimed, now).confirm(now)
	}
	c.Tries++
	h.Rival = &c
	h = h.record(EventWrongNumber, now)
	if c.Tries < MaxTries {
		return h
	}
	h.Burnt++
	return h.dropRival(ReasonReleased, CauseWrongNumbers).record(EventSettled, now)
}

// RenewRival makes the rival's lease last from now, for its own page or app.
func (h Handoff) RenewRival(now time.Time) (Handoff, error) {
	if err := h.live(now); err != nil {
		return h, err
	}
	if h.Rival == nil {
		return h, Gone(ReasonReleased)
	}
	if h.Rival.Until.Sub(now) > h.Rival.lease()*3/4 {
		return h, errUnchanged
	}
	c := *h.Rival
	c.Until = now.Add(c.lease())
	h.Rival = &c
	return h, nil
}

// RefuseRival lets the rival go: on its phone, or "That's not my phone" on the display.
func (h Handoff) RefuseRival(why Reason, now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	return h.dropRival(why, "").record(EventSettled, now), nil
}

// isRival reports whether key is the claim key of h's rival.
func (h Handoff) isRival(key Secret) bool { return h.Rival != nil && h.Rival.Hash.Matches(key) }

// contest asks for the handoff in place of the phone that holds it.
func (s *Service) contest(ctx context.Context, h Handoff, c Claim, code Hash, network Secret) (Handoff, error) {
	return s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) {
		number, err := s.newNumberFor(h)
		if err != nil {
			return h, err
		}
		c.Near = s.nearness(h, network)
		if h.Status.Held() && h.Status != StatusClaimed {
			return h.Contest(c, code, number, now)
		}
		return h.Take(c, code, number, true, now) // the other phone let go meanwhile
	})
}
