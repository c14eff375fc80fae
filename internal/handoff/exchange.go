package handoff

import (
	"slices"
	"time"
)

// How often the journey's state is asked for once it is worth asking.
const (
	pollWatched   = 2 * time.Second  // at first, while a page watches
	pollSlowest   = 15 * time.Second // what that rises to
	pollUnwatched = 60 * time.Second
	watchLasts    = 45 * time.Second // how long a page counts as watching after it was last heard
)

// Begin reserves the next upstream step for one caller: nobody else makes one
// until it is done or its lease is over. CodeConflict while somebody does. A caller
// who never heard that it has the reservation may begin again.
func (h Handoff) Begin(by Hash, now time.Time) (Handoff, error) {
	if err := h.live(now); err != nil {
		return h, err
	}
	if h.Work != nil && h.Work.By != by && now.Before(h.Work.Until) {
		return h, errBusy
	}
	h.Work = &Work{By: by, Until: now.Add(WorkLease)}
	return h, nil
}

// Done gives the reservation back. A caller whose reservation is gone, because
// another took its place or the claim or the handoff ended meanwhile, gets
// CodeConflict: its result no longer counts.
func (h Handoff) Done(by Hash) (Handoff, error) {
	if h.Work == nil || h.Work.By != by {
		return h, errOvertaken
	}
	h.Work = nil
	return h, nil
}

// SpendConnect takes the connect token out of h, so that it is used once, or
// not at all if the process dies now. usable is nil unless enough of its life is left.
func (h Handoff) SpendConnect(now time.Time) (next Handoff, usable *Token) {
	if t := h.Connect; t != nil && t.ExpiresAt.Sub(now) >= StartMargin {
		usable = t
	}
	h.Connect = nil
	return h, usable
}

// Connected gives the claim a pickup. The first makes the handoff connected,
// unless the app connects by itself; a later one ("open") takes the place of the
// one before.
func (h Handoff) Connected(p Pickup, now time.Time) (Handoff, error) {
	if err := h.live(now); err != nil {
		return h, err
	}
	if h.Claim == nil || h.Claim.App() {
		return h, Gone(ReasonReleased)
	}
	c := *h.Claim
	if c.Pickup != nil {
		c.Dead = append(slices.Clip(c.Dead), c.Pickup.Hash)
	}
	c.Pickup = &p
	c.Opens++
	h.Claim = &c
	if h.Status == StatusConfirmed && h.Terms.Exchange == ExchangePortal {
		return h.reach(StatusConnected, now), nil
	}
	h.Report = ""
	return h.record(EventReopened, now), nil
}

// PickUp lets the holder of the pickup have its answer: once, and again within
// RepeatWindow for the same verifier (errUnchanged).
func (h Handoff) PickUp(pickup, verifier Hash, now time.Time) (Handoff, error) {
	if err := h.live(now); err != nil {
		return h, err
	}
	if h.Claim == nil || h.Claim.Pickup == nil || h.Claim.Pickup.Hash != pickup {
		for _, f := range h.Former {
			if slices.Contains(f.Pickups, pickup) {
				return h, Gone(f.Reason)
			}
		}
		return h, Gone(ReasonReplaced)
	}
	p := *h.Claim.Pickup
	if !p.UsedAt.IsZero() {
		if p.Verifier != verifier || p.Answer == nil || !now.Before(p.WipeAt) {
			return h, Gone(ReasonUsed)
		}
		return h, errUnchanged
	}
	if p.Answer == nil || !now.Before(p.WipeAt) {
		return h, Gone(ReasonExpired)
	}
	p.UsedAt, p.Verifier = now, verifier
	p.WipeAt = now.Add(RepeatWindow)
	c := *h.Claim
	c.Pickup = &p
	h.Claim = &c
	return h.delivered(p.ExpiresAt, now), nil
}

// Give records the token answer an app was given for its claim.
func (h Handoff) Give(g Given, tokenEnds, now time.Time) (Handoff, error) {
	if err := h.live(now); err != nil {
		return h, err
	}
	if h.Claim == nil || !h.Claim.App() {
		return h, Gone(ReasonReleased)
	}
	c := *h.Claim
	c.Given = &g
	h.Claim = &c
	if h.Status == StatusConfirmed && h.Terms.Exchange == ExchangePortal {
		h = h.reach(StatusConnected, now) // the exchange and the answer are one step here, and a status each
	}
	return h.delivered(tokenEnds, now), nil
}

// delivered bounds what is left by the end-user token's life, and begins to ask
// for the journey's state.
func (h Handoff) delivered(tokenEnds, now time.Time) Handoff {
	h.Hint, h.Report = Hint{}, ""
	h.Deadline = sooner(tokenEnds, now.Add(h.Terms.CompleteWithin))
	if h.Status == StatusDelivered { // a second pickup after "open"
		return h.record(EventReopened, now)
	}
	h = h.pollFrom(now)
	return h.reach(StatusDelivered, now)
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// pollFrom begins asking for the journey's state.
func (h Handoff) pollFrom(now time.Time) Handoff {
	every := pollUnwatched
	if now.Before(h.Poll.Watched) {
		every = pollWatched
	}
	h.Poll = Poll{Every: every, Next: now.Add(every), Watched: h.Poll.Watched}
	return h
}

// Watch notes that a page is open, so that the journey's state is asked for often.
func (h Handoff) Watch(now time.Time) (Handoff, error) {
	if err := h.live(now); err != nil {
		return h, err
	}
	watched := now.Before(h.Poll.Watched)
	if watched && h.Poll.Watched.Sub(now) > watchLasts/3 {
		return h, errUnchanged
	}
	h.Poll.Watched = now.Add(watchLasts)
	if !watched && !h.Poll.Next.IsZero() {
		h = h.pollFrom(now)
	}
	return h, nil
}

// Reported notes what the app said of itself.
func (h Handoff) Reported(r Report, now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	if h.Report == r {
		return h, errUnchanged
	}
	h.Report = r
	if r == ReportFinished && !h.Poll.Next.IsZero() {
		h = h.pollFrom(now) // the platform alone proves it: ask now rather than in a minute
		h.Poll.Next = now
	}
	return h.record(EventReported, now), nil
}

// Tick makes of h what time alone makes of it. ask is true if the caller now has
// to ask for the journey's state, and is the only one who has to. The record of
// an ended handoff past its PurgeAt is for the caller to delete.
func (h Handoff) Tick(now time.Time) (next Handoff, ask bool, err error) {
	changed := false
	if c := h.Claim; c != nil {
		w := c.wiped(func(at time.Time) bool { return !now.Before(at) })
		if w.Pickup != c.Pickup || w.Given != c.Given {
			h.Claim, changed = &w, true
		}
	}
	if h.Connect != nil && !now.Before(h.Connect.ExpiresAt) {
		h.Connect, changed = nil, true
	}
	if h.Request != nil && !now.Before(h.freeAt()) {
		h.Request, changed = nil, true
	}
	if h.Status.Ended() {
		return h, false, unless(changed)
	}
	if !now.Before(h.Deadline) {
		if h.Poll.Next.IsZero() || h.Poll.Final {
			h, err = h.End(StatusExpired, "", now)
			return h, false, err
		}
		// Asked once more before the end is written. Should this process die with
		// the answer, the next one finds the deadline passed and Final set.
		h.Poll.Final, h.Poll.Next = true, now.Add(WorkLease)
		h.Deadline = now.Add(WorkLease)
		h = h.dropRival(ReasonReleased, "").dropWaiting(ReasonReleased, "", everyClaim) // nothing but the end follows, its lapse neither
		return h, true, nil
	}
	lapsed := func(c Claim) bool { return !now.Before(c.Until) }
	if slices.ContainsFunc(h.Waiting, lapsed) {
		h, changed = h.dropWaiting(ReasonReleased, "", lapsed), true
	}
	if h.Status == StatusClaimed && !h.Claim.Until.IsZero() && lapsed(*h.Claim) {
		// Otherwise the claim stays in its place, for its page to come back to; but a
		// page that sleeps and wakes all day must leave room for a person's own steps.
		if len(h.Waiting) > 0 || len(h.Events) >= MaxEvents/2 {
			h = h.retire(ReasonReleased, "")
		}
		h, changed = h.next(now), true
	}
	if h.Rival != nil && !now.Before(h.Rival.Until) {
		h, changed = h.dropRival(ReasonReleased, "").record(EventSettled, now), true
	}
	if at := h.unopenedAt(); !at.IsZero() && !now.Before(at) {
		h, changed = h.unopened(now), true
	}
	if !h.Poll.Next.IsZero() && !now.Before(h.Poll.Next) {
		h.Poll = h.Poll.after(now)
		return h, true, nil
	}
	return h, false, unless(changed)
}

func unless(changed bool) error {
	if changed {
		return nil
	}
	return errUnchanged
}

// after sets the next time to ask.
func (p Poll) after(now time.Time) Poll {
	if now.Before(p.Watched) {
		p.Every = min(max(p.Every, pollWatched)*3/2, pollSlowest)
	} else {
		p.Every = pollUnwatched
	}
	p.Next = now.Add(p.Every)
	return p
}

// Heard applies the journey's state. final is set for the question asked at the
// deadline: whatever the answer was, nothing is asked after it.
func (h Handoff) Heard(s JourneyState, final bool, now time.Time) (Handoff, error) {
	if h.Status.Ended() {
		return h, errUnchanged
	}
	switch s {
	case JourneyFinished, JourneyFailed:
		return h.End(StatusCompleted, "", now)
	case JourneyRunning:
	}
	if final {
		return h.End(StatusExpired, "", now)
	}
	return h, errUnchanged
}
