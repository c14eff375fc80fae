package handoff

import (
	"slices"
	"time"
)

// sameClaimant reports whether c is asked for again by the one who has it: the
// same attempt, the same cookie, or the same app's challenge.
func (c Claim) sameClaimant(other Claim) bool {
	if c.App() || other.App() {
		return c.App() && other.App() && c.Challenge == other.Challenge && c.Owner == other.Owner
	}
	return c.Owner == other.Owner || c.Attempt == other.Attempt
}

// Take makes c the claim in force. It wins over an unconfirmed claim of another
// device, which waits beside if c is asked for its number, and loses, with
// CodeConflict, to a confirmed one. The claim's own phone gets errUnchanged: it
// has it already. number is the sealed number, used only if the policy asks for
// one, or the code was refused before.
func (h Handoff) Take(c Claim, code Hash, number Sealed, risk bool, now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	if old := h.Claim; old != nil && old.sameClaimant(c) && h.hasCode(code) {
		if h.Status.Held() {
			return h, errUnchanged
		}
		return h.revive(now)
	}
	if slices.ContainsFunc(h.Waiting, c.sameClaimant) && h.hasCode(code) {
		return h, errUnchanged
	}
	rc, err := h.checkCode(code, now)
	refused := err != nil && h.Refused(code, now)
	if err != nil && !refused {
		return h, err
	}
	switch h.Status {
	case StatusConfirmed, StatusConnected, StatusDelivered:
		return h, Errorf(CodeConflict, "another device holds this handoff")
	case StatusCreated, StatusDisplayed, StatusOpened, StatusClaimed,
		StatusCompleted, StatusExpired, StatusCancelled, StatusRejected, StatusReplaced, StatusFailed:
	}
	if h.Burnt >= MaxBurnt {
		return h, Gone(ReasonReplaced)
	}
	asks := refused || h.Terms.Confirmation.Asks(c.asksAs(rc.Route), risk || h.claimedBefore(c.Owner) || h.abroad(c))
	c.Route, c.At = rc.Route, now
	c.Until = now.Add(c.lease())
	if asks {
		c.Number = number
	}
	h = h.dropWaiting(ReasonReplaced, "", func(o Claim) bool { return o.Owner == c.Owner })
	if asks && h.Status == StatusClaimed && h.Claim.Owner != c.Owner {
		h = h.stepAside()
	} else {
		h = h.retire(ReasonReplaced, "")
	}
	h.Claim, h.Report, h.Hint, h.Confirmed = &c, "", Hint{}, ""
	h.Claims++
	h = h.reach(StatusClaimed, now)
	if asks {
		return h, nil
	}
	if c.Frame {
		h.Confirmed = "scan"
	}
	return h.confirm(now), nil
}

func (c Claim) lease() time.Duration {
	if c.App() {
		return AppLease
	}
	return PhoneLease
}

// abroad reports whether c comes from another country than the display: a sign of
// risk. One that is not known is none.
func (h Handoff) abroad(c Claim) bool {
	return h.Asker.Country != "" && c.By.Country != "" && h.Asker.Country != c.By.Country
}

// claimedBefore reports whether another device ever claimed: a sign of risk.
func (h Handoff) claimedBefore(owner Hash) bool {
	if slices.ContainsFunc(h.claims(), func(c *Claim) bool { return c.Owner != owner }) {
		return true
	}
	return slices.ContainsFunc(h.Former, func(f Former) bool { return f.Owner != owner })
}

// confirm makes the claim in force last until the handoff's deadline.
func (h Handoff) confirm(now time.Time) Handoff {
	h = h.dropWaiting(ReasonReplaced, "", everyClaim)
	c := *h.Claim
	c.Until = time.Time{}
	h.Claim = &c
	return h.reach(StatusConfirmed, now)
}

// retire moves the claim, if there is one, to the former ones, and its rival too.
func (h Handoff) retire(why Reason, cause Cause) Handoff {
	h = h.dropRival(why, "")
	c := h.Claim
	if c == nil {
		return h
	}
	h.Claim, h.Confirmed = nil, ""
	return h.formerly(c, why, cause)
}

// formerly remembers c and why it is no claim any more.
func (h Handoff) formerly(c *Claim, why Reason, cause Cause) Handoff {
	h.Former = append(slices.Clip(h.Former), Former{
		Hash: c.Hash, Owner: c.Owner, Reason: why, Cause: cause, Challenge: c.Challenge, Report: c.Report, Pickups: c.pickups(), Install: c.Install,
	})
	if n := len(h.Former) - MaxFormer; n > 0 {
		h.Former = h.Former[n:]
	}
	return h
}

// back returns h to where a code is waiting for a phone.
func (h Handoff) back(now time.Time) Handoff {
	h.Hint, h.Work = Hint{}, nil
	if h.Terms.CodeMode == CodeLink {
		h.Poll = Poll{}
	}
	if h.DisplayedAt.IsZero() {
		return h.reach(StatusCreated, now)
	}
	return h.reach(StatusDisplayed, now)
}

// revive puts a lapsed claim in force again for its owner.
func (h Handoff) revive(now time.Time) (Handoff, error) {
	c := *h.Claim
	c.Until = now.Add(c.lease())
	h.Claim = &c
	return h.reach(StatusClaimed, now), nil
}

// Renew makes the claim's lease last from now, and puts a lapsed one in force
// again. It is for the claim's owner only, and is quiet while there is time left.
func (h Handoff) Renew(now time.Time) (Handoff, error) {
	if err := h.live(now); err != nil {
		return h, err
	}
	switch {
	case h.Claim == nil:
		return h, Gone(ReasonReleased)
	case !h.Status.Held():
		return h.revive(now)
	case h.Status != StatusClaimed || h.Claim.Until.Sub(now) > h.Claim.lease()*3/4:
		return h, errUnchanged
	}
	c := *h.Claim
	c.Until = now.Add(c.lease())
	h.Claim = &c
	return h, nil
}

// Confirm answers a number typed on the display. A wrong one is no error: it
// counts, and the second burns the claim. CodeConflict if no number is asked for.
func (h Handoff) Confirm(right bool, now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	if h.Rival != nil {
		return h.confirmRival(right, now), nil
	}
	if h.Status != StatusClaimed || h.Claim.Number == nil {
		return h, Errorf(CodeConflict, "no number is asked for")
	}
	if right {
		h.Confirmed = "number"
		return h.confirm(now), nil
	}
	return h.wrongNumber(now), nil
}

// Release lets the claim go and shows new codes. It is for the display, at any
// status before an end.
func (h Handoff) Release(codes []RouteCode, now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	if h.Rival != nil { // "That's not my phone" is said of the one that asks
		return h.RefuseRival(ReasonReleased, now)
	}
	if !h.Status.Held() {
		return h, errUnchanged
	}
	if h.Status == StatusDelivered {
		h.Deadline = now.Add(h.Terms.ExpiresIn)
	}
	h = h.retire(ReasonReleased, "").dropWaiting(ReasonReleased, "", everyClaim).endCodes(ReasonReleased)
	if !h.DisplayedAt.IsZero() { // otherwise the display makes the first ones when it opens
		h = h.withCodes(codes)
	}
	h.Report = ""
	return h.back(now), nil
}

// Refuse is "This wasn't me" by someone who holds a code and no claim. A fresh
// scan of the QR proves that the display is in sight: it ends the handoff. Any
// other code only ends itself, see Refused.
func (h Handoff) Refuse(code Hash, freshScan bool, now time.Time) (Handoff, error) {
	rc, err := h.checkCode(code, now)
	if err != nil {
		return h, err
	}
	if freshScan {
		return h.End(StatusRejected, "", now)
	}
	return h.endCode(rc.Route, ReasonRejected).record(EventLinkRevoked, now), nil
}

// RefuseClaim is "This wasn't me" by the one who holds the claim. Before it is
// confirmed it ends the claim and its route's code, unless it was a fresh scan;
// after, the handoff.
func (h Handoff) RefuseClaim(now time.Time) (Handoff, error) {
	if err := h.live(now); err != nil {
		return h, err
	}
	c := h.Claim
	if c == nil {
		return h, Gone(ReasonReleased)
	}
	if c.Frame || (h.Status.Held() && h.Status != StatusClaimed) {
		return h.End(StatusRejected, "", now)
	}
	if err := h.act(now); err != nil {
		return h, err
	}
	route := c.Route
	h = h.retire(ReasonRejected, "").endCode(route, ReasonRejected)
	if h.Status == StatusClaimed {
		return h.next(now), nil
	}
	return h.record(EventLinkRevoked, now), nil
}

// wiped forgets the token answers that forget says so of.
func (c Claim) wiped(forget func(at time.Time) bool) Claim {
	if c.Pickup != nil && c.Pickup.Answer != nil && forget(c.Pickup.WipeAt) {
		p := *c.Pickup
		p.Answer = nil
		c.Pickup = &p
	}
	if c.Given != nil && c.Given.Answer != nil && forget(c.Given.WipeAt) {
		g := *c.Given
		g.Answer = nil
		c.Given = &g
	}
	return c
}
