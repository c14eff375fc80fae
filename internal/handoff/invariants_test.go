package handoff_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// examined is a store that examines every change on its way in.
type examined struct {
	handoff.Store
	// found is called with each rule a change breaks, after the change.
	found func(id handoff.ID, breach string)
	// confirmable reports whether the right number was typed for this claim.
	confirmable func(claim handoff.Hash) bool
	// meanwhile, if any, happens once, just before the next change.
	meanwhile func()

	mu       sync.Mutex
	notified map[handoff.ID]int             // guarded by mu: the highest Seq the followers were told
	latest   map[handoff.ID]handoff.Handoff // guarded by mu: as saved last, so that looking at it costs nothing
	changed  []handoff.ID                   // guarded by mu: since it was asked for last
}

// keep notes what was saved.
func (e *examined) keep(h handoff.Handoff) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if h.Seq >= e.latest[h.ID].Seq { // what is sent meanwhile may be saved first and come here last
		e.latest[h.ID] = h
	}
	e.changed = append(e.changed, h.ID)
}

// news returns what was saved since it was called last.
func (e *examined) news() []handoff.Handoff {
	e.mu.Lock()
	defer e.mu.Unlock()
	slices.Sort(e.changed)
	var all []handoff.Handoff
	for _, id := range slices.Compact(e.changed) {
		all = append(all, e.latest[id])
	}
	e.changed = e.changed[:0]
	return all
}

// now is a handoff as it was saved last, even if it was forgotten since.
func (e *examined) now(id handoff.ID) handoff.Handoff {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.latest[id]
}

func (e *examined) Create(ctx context.Context, h handoff.Handoff) (others bool, err error) {
	others, err = e.Store.Create(ctx, h)
	if err == nil {
		e.keep(h)
		e.say(h.ID, changeFaults(handoff.Handoff{ID: h.ID, Deadline: h.Deadline}, h, time.Now()))
	}
	return others, err
}

func (e *examined) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	if do := e.meanwhile; do != nil {
		e.meanwhile = nil
		do()
	}
	var was handoff.Handoff
	h, err := e.Store.Update(ctx, id, func(h handoff.Handoff) (handoff.Handoff, error) {
		was = h
		return fn(h)
	})
	if err != nil {
		return h, err
	}
	e.keep(h)
	e.say(id, changeFaults(was, h, time.Now()))
	if h.Claim != nil && h.Claim.Number != nil && past(h.Status) && !e.confirmable(h.Claim.Hash) {
		e.found(id, "it went past claimed, and the number it asks for was not typed")
	}
	return h, nil
}

func (e *examined) say(id handoff.ID, breaches []string) {
	for _, b := range breaches {
		e.found(id, b)
	}
}

// Changed implements handoff.Notifier.
func (e *examined) Changed(h handoff.Handoff) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if h.Seq <= e.notified[h.ID] {
		e.found(h.ID, fmt.Sprintf("followers were told of change %d after change %d", h.Seq, e.notified[h.ID]))
	}
	e.notified[h.ID] = h.Seq
}

// told is the highest Seq the followers of a handoff were told.
func (e *examined) told(id handoff.ID) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.notified[id]
}

// past reports whether only a confirmed claim may be here.
func past(s handoff.Status) bool {
	return s == handoff.StatusConfirmed || s == handoff.StatusConnected || s == handoff.StatusDelivered
}

// ways are the statuses that may follow each one, ends apart: any may end.
func ways() map[handoff.Status][]handoff.Status {
	const (
		created, displayed, opened     = handoff.StatusCreated, handoff.StatusDisplayed, handoff.StatusOpened
		claimed, confirmed             = handoff.StatusClaimed, handoff.StatusConfirmed
		connected, delivered, notThere = handoff.StatusConnected, handoff.StatusDelivered, handoff.Status("")
	)
	return map[handoff.Status][]handoff.Status{ //nolint:exhaustive // nothing follows an end
		notThere:  {created},
		created:   {displayed, claimed}, // claimed by a partner's link, before anybody opened the display
		displayed: {opened, claimed},
		opened:    {claimed, displayed}, // displayed again by a new code
		claimed:   {claimed, confirmed, displayed, created},
		confirmed: {connected, delivered, displayed, created},
		connected: {delivered, displayed, created},
		delivered: {displayed, created},
	}
}

// changeFaults are the rules that a change breaks.
func changeFaults(was, is handoff.Handoff, now time.Time) []string {
	var found []string
	fault := func(bad bool, format string, args ...any) {
		if bad {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	fault(is.Seq-was.Seq != len(is.Events)-len(was.Events) || is.Seq < was.Seq, "Seq went from %d to %d with %d events, then %d",
		was.Seq, is.Seq, len(was.Events), len(is.Events))
	fault(len(is.Events) < len(was.Events) || !slices.Equal(was.Events, is.Events[:len(was.Events)]), "past events changed")
	fault(was.Status.Ended() && (is.Status != was.Status || is.Seq != was.Seq), "%s became %s, after the end", was.Status, is.Status)
	fault(is.Seq == was.Seq && is.Status != was.Status, "%s became %s without an event", was.Status, is.Status)
	late := was.Poll.Final || !now.Before(was.Deadline)
	fault(late && is.Seq != was.Seq && !is.Status.Ended(), "%s became %s at %s, past the deadline %s", was.Status, is.Status, now, was.Deadline)

	at := was.Status
	for _, e := range is.Events[min(len(was.Events), len(is.Events)):] {
		if s, err := handoff.ParseStatus(string(e.Type)); err == nil {
			rivalWon := was.Rival != nil && past(at) && s == handoff.StatusClaimed
			may := s.Ended() || rivalWon || slices.Contains(ways()[at], s)
			fault(at.Ended() || !may, "%s may not follow %s", s, at)
			at = s
		}
		fault(!e.At.Equal(now), "event %d is of %s, at %s", e.Seq, e.At, now)
	}
	fault(at != is.Status, "the events lead to %s, the status is %s", at, is.Status)
	fault(is.Connect != nil && is.Connect.ExpiresAt.Sub(now) > handoff.TokenRest, "a connect token is kept for longer than %s", handoff.TokenRest)
	for _, c := range was.Codes {
		fault(c.Ended == "" && !slices.ContainsFunc(is.Codes, func(o handoff.RouteCode) bool { return o.Hash == c.Hash }),
			"a live code of route %s was forgotten", c.Route)
	}
	found = append(found, toldFaults(was, is)...)
	return append(found, standingFaults(is)...)
}

// standingFaults are the rules that a stored handoff breaks, whatever came before.
func standingFaults(h handoff.Handoff) []string {
	var found []string
	fault := func(bad bool, format string, args ...any) {
		if bad {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	fault(h.Status.Held() && h.Claim == nil, "%s without a claim", h.Status)
	fault(h.Status.Ended() == h.EndedAt.IsZero(), "%s with EndedAt %s", h.Status, h.EndedAt)
	fault(h.Seq != len(h.Events), "Seq %d with %d events", h.Seq, len(h.Events))
	for i, e := range h.Events {
		fault(e.Seq != i+1, "event %d has Seq %d", i+1, e.Seq)
	}
	live := make(map[handoff.Route]int)
	for _, c := range h.Codes {
		if c.Ended == "" {
			live[c.Route]++
			fault(live[c.Route] > 1, "two live codes of route %s", c.Route)
		}
		fault(c.Ended != "" && c.Sealed != nil, "an ended code is still kept sealed")
	}
	keys := h.Keys()
	slices.Sort(keys)
	fault(len(slices.Compact(keys)) != len(h.Keys()), "a key twice")
	fault(h.Burnt > handoff.MaxBurnt, "%d claims burnt", h.Burnt)
	fault(h.Extensions > handoff.MaxExtensions, "%d extensions", h.Extensions)
	fault(len(h.Former) > handoff.MaxFormer, "%d former claims", len(h.Former))
	fault(len(h.Codes) > handoff.MaxCodes, "%d codes", len(h.Codes))
	fault(!h.Status.Ended() && h.Deadline.IsZero(), "no deadline")
	if t := h.Connect; t != nil {
		fault(h.Status.Ended(), "a connect token after the end")
	}
	fault(h.Status.Ended() && h.Work != nil, "a step after the end")
	fault(h.Status.Ended() && !h.Poll.Next.IsZero(), "questions after the end")
	if h.Claim != nil {
		found = append(found, claimFaults(h, *h.Claim)...)
	}
	fault(len(h.Waiting) > handoff.MaxWaiting, "%d claims wait", len(h.Waiting))
	fault(len(h.Waiting) > 0 && h.Status != handoff.StatusClaimed, "claims wait with a %s handoff", h.Status)
	for i, c := range h.Waiting {
		fault(c.Number == nil || c.Until.IsZero(), "a waiting claim without a number or a lease")
		fault(c.Tries >= handoff.MaxTries, "a waiting claim after %d wrong numbers", c.Tries)
		fault(c.Pickup != nil || c.Given != nil, "a waiting claim with a token")
		same := func(o handoff.Claim) bool { return o.Hash == c.Hash || o.Owner == c.Owner }
		fault(h.Claim != nil && same(*h.Claim) || slices.ContainsFunc(h.Waiting[:i], same), "a claim waits beside itself")
		fault(slices.ContainsFunc(h.Former, func(f handoff.Former) bool { return f.Hash == c.Hash }), "a waiting claim is a former one too")
	}
	if r := h.Rival; r != nil {
		fault(!past(h.Status), "a rival with a %s handoff", h.Status)
		fault(r.Number == nil, "a rival without a number")
		fault(r.Tries >= handoff.MaxTries, "a rival after %d wrong numbers", r.Tries)
		fault(r.Pickup != nil || r.Given != nil, "a rival with a token")
		fault(h.Claim != nil && (r.Hash == h.Claim.Hash || r.Owner == h.Claim.Owner), "a claim is its own rival")
	}
	return found
}

// byMessage reports whether codes of r come by message: once refused, they ask
// for the number whatever the policy.
func byMessage(r handoff.Route) bool {
	return r == handoff.RouteLink || r == handoff.RouteSMS || r == handoff.RouteEmail || r == handoff.RoutePartner
}

func claimFaults(h handoff.Handoff, c handoff.Claim) []string {
	var found []string
	fault := func(bad bool, format string, args ...any) {
		if bad {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	ended := h.Status.Ended()
	fault(ended && c.Number != nil, "a number after the end")
	fault(c.Tries >= handoff.MaxTries, "a claim in force after %d wrong numbers", c.Tries)
	fault(c.Opens > handoff.MaxOpens, "%d app links for one claim", c.Opens)
	fault(past(h.Status) && !c.Until.IsZero(), "a %s claim with a lease", h.Status)
	fault(h.Status == handoff.StatusClaimed && c.Until.IsZero(), "a claimed one without a lease")
	fault(slices.ContainsFunc(h.Former, func(f handoff.Former) bool { return f.Hash == c.Hash }), "the claim in force is a former one too")
	switch {
	case ended:
	case h.Confirmed == "number": // a rival's, for one, was asked for whatever the policy says
		fault(c.Number == nil, "confirmed by a number, and none was asked for")
	case h.Terms.Confirmation == handoff.ConfirmNever && !byMessage(c.Route), c.Route == handoff.RouteLocal && c.Here:
		fault(c.Number != nil, "a number where the policy asks for none")
	case h.Terms.Confirmation == handoff.ConfirmAlways:
		fault(c.Number == nil, "no number where the policy asks for one")
	}
	if p := c.Pickup; p != nil {
		fault(h.Status == handoff.StatusClaimed, "a claimed one with a pickup")
		fault(ended && p.Answer != nil, "a pickup's token after the end")
		fault(p.UsedAt.IsZero() && p.WipeAt.Sub(p.MadeAt) > handoff.TokenRest, "a token kept for %s", p.WipeAt.Sub(p.MadeAt))
		fault(!p.UsedAt.IsZero() && p.WipeAt.Sub(p.UsedAt) > handoff.RepeatWindow, "a used token kept for %s", p.WipeAt.Sub(p.UsedAt))
		fault(!p.UsedAt.IsZero() && p.Verifier.IsZero(), "a pickup used by nobody")
		fault(!p.UsedAt.IsZero() && !ended && h.Status != handoff.StatusDelivered, "a used pickup with a %s handoff", h.Status)
		fault(c.App(), "an app's claim with a pickup")
		fault(slices.Contains(c.Dead, p.Hash), "a pickup that is dead")
	}
	if g := c.Given; g != nil {
		fault(ended && g.Answer != nil, "an app's token after the end")
		fault(!c.App(), "a browser's claim with an app's token")
		fault(!ended && h.Status != handoff.StatusDelivered, "an app's token with a %s handoff", h.Status)
	}
	fault(h.Status == handoff.StatusConnected && c.Pickup == nil, "connected without a pickup")
	fault(h.Status == handoff.StatusDelivered && c.Pickup == nil && c.Given == nil, "delivered without a token")
	return found
}
