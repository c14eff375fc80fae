package handoff

import (
	"context"
	"time"
)

// Whether an app opens is told by its pickup alone: a browser says nothing of what
// became of a link. So the phone's page tells of the tap, and where no pickup comes
// within OpeningTakes of it the app is taken not to have opened.

// Tapped notes that the app link on the phone's page was tapped. Only the first tap
// of a link counts: who taps in vain again need not wait again for what to try.
func (h Handoff) Tapped(now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	if !h.waitsForApp() || !h.Claim.Pickup.TappedAt.IsZero() {
		return h, errUnchanged
	}
	return h.withPickup(func(p *Pickup) { p.TappedAt = now }).record(EventTapped, now), nil
}

// unopened notes that the tap led nowhere.
func (h Handoff) unopened(now time.Time) Handoff {
	return h.withPickup(func(p *Pickup) { p.Unopened = true }).record(EventUnopened, now)
}

func (h Handoff) withPickup(change func(*Pickup)) Handoff {
	p, c := *h.Claim.Pickup, *h.Claim
	change(&p)
	c.Pickup = &p
	h.Claim = &c
	return h
}

// waitsForApp reports whether the phone has an app link that no app has used.
func (h Handoff) waitsForApp() bool {
	return (h.Status == StatusConnected || h.Status == StatusConfirmed) && h.Claim.Pickup != nil && h.Claim.Pickup.UsedAt.IsZero()
}

// unopenedAt is when to note that a tap led nowhere; zero: not at all.
func (h Handoff) unopenedAt() time.Time {
	if !h.waitsForApp() || h.Claim.Pickup.TappedAt.IsZero() || h.Claim.Pickup.Unopened {
		return time.Time{}
	}
	return h.Claim.Pickup.TappedAt.Add(OpeningTakes)
}

// Unopened reports whether the app link was tapped and the app did not open.
func (h Handoff) Unopened() bool { return h.waitsForApp() && h.Claim.Pickup.Unopened }

// Unheard is Unopened, or that the link has been there for as long as it takes to
// read the page and to tap it, too: a page without script tells of no tap.
func (h Handoff) Unheard(now time.Time) bool {
	return h.Unopened() || h.waitsForApp() && h.Claim.Pickup.TappedAt.IsZero() && now.Sub(h.Claim.Pickup.MadeAt) >= UntappedQuiet
}

// Faded reports whether the app link has to be made anew, and can be.
func (h Handoff) Faded(now time.Time) bool { return h.waitsForApp() && h.pickupFaded(now) }

// TapAtPhone notes the tap of the app link on the phone's own page.
func (s *Service) TapAtPhone(ctx context.Context, key, owner Secret) (Handoff, error) {
	return s.atPhone(ctx, key, owner, Handoff.Tapped)
}
