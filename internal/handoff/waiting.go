package handoff

import (
	"context"
	"slices"
	"time"
)

// A claim that asks for its number gives way to a later one, since whoever was
// first, a mail program's scanner for one, may not be the person at the display.
// Nor may whoever was last: so the number of the one that gave way stays good
// beside, while its page is open. The number typed on the display decides whose
// the handoff is, however many claim meanwhile.

// stepAside lets the claim in force wait beside. Where too many do, the one not
// heard of for longest goes.
func (h Handoff) stepAside() Handoff {
	h.Waiting = append(slices.Clip(h.Waiting), *h.Claim)
	h.Claim = nil
	if len(h.Waiting) <= MaxWaiting {
		return h
	}
	first := slices.MinFunc(h.Waiting, func(a, b Claim) int { return a.Until.Compare(b.Until) })
	return h.dropWaiting(ReasonReplaced, "", func(c Claim) bool { return c.Hash == first.Hash })
}

// dropWaiting moves those of the waiting claims to the former ones that which says so of.
func (h Handoff) dropWaiting(why Reason, cause Cause, which func(Claim) bool) Handoff {
	var left []Claim
	for _, c := range h.Waiting {
		if which(c) {
			h = h.formerly(&c, why, cause)
		} else {
			left = append(left, c)
		}
	}
	h.Waiting = left
	return h
}

func everyClaim(Claim) bool { return true }

// next puts the latest of the waiting claims in force, or goes back to where a
// code is waiting. The claim that was in force is gone.
func (h Handoff) next(now time.Time) Handoff {
	last := len(h.Waiting) - 1
	if last < 0 {
		return h.back(now)
	}
	c := h.Waiting[last]
	h.Claim, h.Waiting, h.Hint, h.Report = &c, h.Waiting[:last:last], Hint{}, ""
	return h.reach(StatusClaimed, now)
}

// forward puts a waiting claim in force and lets the one that was wait.
func (h Handoff) forward(claim Hash) Handoff {
	i := slices.IndexFunc(h.Waiting, func(c Claim) bool { return c.Hash == claim })
	if i < 0 {
		return h
	}
	c := h.Waiting[i]
	h.Waiting = append(slices.Delete(slices.Clone(h.Waiting), i, i+1), *h.Claim)
	h.Claim, h.Hint, h.Report = &c, Hint{}, ""
	return h
}

// wrongNumber counts a wrong number against every claim it could have been of: a
// guess is worth no more for their being many.
func (h Handoff) wrongNumber(now time.Time) Handoff {
	h = h.record(EventWrongNumber, now)
	h.Waiting = slices.Clone(h.Waiting)
	for i := range h.Waiting {
		h.Waiting[i].Tries++
	}
	c := *h.Claim
	c.Tries++
	h.Claim = &c
	spent := func(c Claim) bool { return c.Tries >= MaxTries }
	burnt := spent(c) || slices.ContainsFunc(h.Waiting, spent)
	if !burnt {
		return h
	}
	h.Burnt++
	if h.Burnt >= MaxBurnt {
		return h.retire(ReasonReleased, CauseWrongNumbers).dropWaiting(ReasonReleased, CauseWrongNumbers, everyClaim).
			endCodes(ReasonReplaced).back(now)
	}
	h = h.dropWaiting(ReasonReleased, CauseWrongNumbers, spent)
	if !spent(c) {
		return h
	}
	return h.retire(ReasonReleased, CauseWrongNumbers).next(now)
}

// beside is the claim with this hash that waits for its number while another is
// in force: a rival, or one that gave way. nil: none.
func (h Handoff) beside(claim Hash) *Claim {
	if h.Rival != nil && h.Rival.Hash == claim {
		return h.Rival
	}
	for i := range h.Waiting {
		if h.Waiting[i].Hash == claim {
			return &h.Waiting[i]
		}
	}
	return nil
}

// Waits reports whether the claim with this key waits for its number, though
// another is in force.
func (h Handoff) Waits(key Secret) bool { return h.beside(HashOf(key)) != nil }

// claims are all that may still be confirmed, and the one that is.
func (h Handoff) claims() []*Claim {
	var all []*Claim
	for _, c := range []*Claim{h.Claim, h.Rival} {
		if c != nil {
			all = append(all, c)
		}
	}
	for i := range h.Waiting {
		all = append(all, &h.Waiting[i])
	}
	return all
}

// renew makes the lease of one of h's claims last from now, for its owner.
func (h Handoff) renew(claim Hash, now time.Time) (Handoff, error) {
	i := slices.IndexFunc(h.Waiting, func(c Claim) bool { return c.Hash == claim })
	switch {
	case h.Claim != nil && h.Claim.Hash == claim:
		return h.Renew(now)
	case h.Rival != nil && h.Rival.Hash == claim:
		return h.RenewRival(now)
	case i < 0:
		return h, Gone(ReasonReleased)
	}
	if err := h.live(now); err != nil {
		return h, err
	}
	lease := h.Waiting[i].lease()
	if h.Waiting[i].Until.Sub(now) > lease*3/4 {
		return h, errUnchanged
	}
	h.Waiting = slices.Clone(h.Waiting)
	h.Waiting[i].Until = now.Add(lease)
	return h, nil
}

// refuse is "This wasn't me" by the owner of one of h's claims.
func (h Handoff) refuse(claim Hash, now time.Time) (Handoff, error) {
	i := slices.IndexFunc(h.Waiting, func(c Claim) bool { return c.Hash == claim })
	switch {
	case h.Rival != nil && h.Rival.Hash == claim:
		return h.RefuseRival(ReasonRejected, now)
	case h.Claim != nil && h.Claim.Hash == claim:
		return h.RefuseClaim(now)
	case i < 0:
		return h, Gone(ReasonReleased)
	}
	if err := h.act(now); err != nil {
		return h, err
	}
	c := h.Waiting[i]
	if c.Frame {
		return h.End(StatusRejected, "", now)
	}
	live := h.CodeOn(c.Route, now) != nil
	h = h.dropWaiting(ReasonRejected, "", func(o Claim) bool { return o.Hash == claim }).endCode(c.Route, ReasonRejected)
	if live {
		h = h.record(EventLinkRevoked, now)
	}
	return h, nil
}

// Refused reports whether this is a code that came by a message and that somebody
// answered with "This wasn't me", perhaps a program. It claims no longer by
// itself: only who says once more that it was meant goes on with it, and has the
// number typed whatever the policy, until the display has another code made.
func (h Handoff) Refused(code Hash, now time.Time) bool {
	return h.live(now) == nil && slices.ContainsFunc(h.Codes, func(c RouteCode) bool {
		return c.Hash == code && c.Ended == ReasonRejected && byMessage(c.Route) && (c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt))
	})
}

// newNumberFor is a sealed number that none of h's claims has.
func (s *Service) newNumberFor(h Handoff) (Sealed, error) {
	taken := make([]string, 0, len(h.Waiting)+1)
	for _, c := range h.claims() {
		if c.Number == nil {
			continue
		}
		number, err := s.vault.Open(h.label("number"), c.Number)
		if err != nil {
			return nil, err
		}
		taken = append(taken, string(number))
	}
	number := newNumber()
	for slices.Contains(taken, number) {
		number = newNumber()
	}
	return s.vault.Seal(h.label("number"), []byte(number)), nil
}

// renewLease renews one of h's claims and reads the rest anew.
func (s *Service) renewLease(ctx context.Context, h Handoff, claim Hash) (Handoff, error) {
	return s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) { return h.renew(claim, now) })
}

// besidePage is what the own page of a claim beside shows: its number.
func (s *Service) besidePage(h Handoff, c Claim) (Phone, error) {
	number, err := s.vault.Open(h.label("number"), c.Number)
	return Phone{Handoff: h, Number: string(number)}, err
}
