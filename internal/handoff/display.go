package handoff

import (
	"context"
	"crypto/subtle"
	"time"
)

// Display returns the handoff of a display, making the first device/start if
// that was not done yet, and a fresh connect token where the QR carries one that
// nears its end. by is the browser that asks, kept from the first time, and network
// where it asks from. If the platform does not answer, the handoff comes together
// with the error.
func (s *Service) Display(ctx context.Context, key Secret, by Browser, network Secret) (Handoff, error) {
	h, err := s.lookup(ctx, KeyDisplay, key)
	if err != nil {
		return h, err
	}
	now := s.now()
	if h.live(now) != nil {
		return h, nil
	}
	switch {
	case h.Status == StatusCreated:
		h, err = s.firstStart(ctx, h, by, network)
	case h.Terms.CodeMode == CodeToken && (h.Status == StatusDisplayed || h.Status == StatusOpened) && h.connectFades(now):
		h, err = s.renewStart(ctx, h)
	}
	if CodeOf(err) == CodeGone || CodeOf(err) == CodeConflict { // it ended, or moved on, during the start
		return s.store.Get(ctx, h.ID)
	}
	return h, err
}

// connectFades reports whether three quarters of the connect token's life are over.
func (h Handoff) connectFades(now time.Time) bool {
	return h.Connect == nil || !now.Before(h.Connect.fades())
}

// fades is when three quarters of t's life are over.
func (t Token) fades() time.Time { return t.MadeAt.Add(t.ExpiresAt.Sub(t.MadeAt) * 3 / 4) }

func (s *Service) firstStart(ctx context.Context, h Handoff, by Browser, network Secret) (Handoff, error) {
	p, err := s.platforms.Platform(h.Partner)
	if err != nil {
		return h, err
	}
	onlyCreated := func(h Handoff, _ time.Time) (Handoff, error) {
		if h.Status != StatusCreated {
			h.Work = nil
			return h, errUnchanged
		}
		return h, nil
	}
	return s.step(ctx, h, onlyCreated, func(ctx context.Context, h Handoff) (rule, error) {
		now := s.now()
		token, _, err := s.startToken(ctx, p, h, now)
		if err != nil {
			return endsUnknown(err), hidden(err)
		}
		codes, keyID, from := s.shown(h, now), s.vault.NewestKey(), s.blinded(h, network)
		return func(h Handoff, now time.Time) (Handoff, error) {
			h.Network = from
			return h.Display(by, codes, token, keyID, now)
		}, nil
	})
}

func (s *Service) renewStart(ctx context.Context, h Handoff) (Handoff, error) {
	p, err := s.platforms.Platform(h.Partner)
	if err != nil {
		return h, err
	}
	stillFades := func(h Handoff, now time.Time) (Handoff, error) {
		if !h.connectFades(now) {
			h.Work = nil
			return h, errUnchanged
		}
		return h, nil
	}
	return s.step(ctx, h, stillFades, func(ctx context.Context, h Handoff) (rule, error) {
		token, _, err := s.startToken(ctx, p, h, s.now())
		if err != nil {
			return endsUnknown(err), hidden(err)
		}
		return func(h Handoff, now time.Time) (Handoff, error) { return h.RenewConnect(token, now) }, nil
	})
}

// hidden is nil for an upstream failure that became an end of the handoff: the
// display says so by its state, not by an error.
func hidden(err error) error {
	if CodeOf(err) == CodeUnknownJourney {
		return nil
	}
	return err
}

// ConnectToken returns the raw connect token, for the apps whose QR or claim
// carries it. CodeNotFound where there is none.
func (s *Service) ConnectToken(h Handoff) (Secret, error) {
	if h.Terms.CodeMode != CodeToken || h.Connect == nil {
		return "", Errorf(CodeNotFound, "no connect token")
	}
	plain, err := s.vault.Open(h.label("connect"), h.Connect.Sealed)
	return Secret(plain), err
}

// Watch notes that a page follows the handoff. A store that takes nothing just now
// keeps nothing from the page.
func (s *Service) Watch(ctx context.Context, h Handoff) error {
	if h.Poll.Next.IsZero() {
		return nil
	}
	_, err := s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) { return h.Watch(now) })
	if code := CodeOf(err); code == CodeGone || code == CodeStoreUnavailable {
		return nil
	}
	return err
}

// byDisplay applies a rule to the handoff of a display.
func (s *Service) byDisplay(ctx context.Context, key Secret, r rule) (Handoff, error) {
	h, err := s.lookup(ctx, KeyDisplay, key)
	if err != nil {
		return h, err
	}
	return s.update(ctx, h.ID, r)
}

// Confirm answers the number typed on the display; spaces in it do not matter. A
// wrong one is no error: the handoff returned says what is left.
func (s *Service) Confirm(ctx context.Context, key Secret, typed string) (Handoff, error) {
	return s.byDisplay(ctx, key, func(h Handoff, now time.Time) (Handoff, error) {
		right := false
		for _, c := range h.claims() {
			if c.Number == nil || (h.Rival != nil && c != h.Rival) {
				continue
			}
			number, err := s.vault.Open(h.label("number"), c.Number)
			if err != nil {
				return h, err
			}
			if subtle.ConstantTimeCompare(number, []byte(digitsOf(typed))) == 1 {
				right = true
				h = h.forward(c.Hash)
			}
		}
		return h.Confirm(right, now)
	})
}

// digitsOf keeps the digits of what a person typed: Arabic-Indic and Persian
// ones count as the digits they are.
func digitsOf(typed string) string {
	var b []byte
	for _, r := range typed {
		switch {
		case r >= '0' && r <= '9':
			b = append(b, byte(r))
		case r >= '\u0660' && r <= '\u0669':
			b = append(b, byte('0'+r-'\u0660'))
		case r >= '\u06f0' && r <= '\u06f9':
			b = append(b, byte('0'+r-'\u06f0'))
		}
		if len(b) > 16 {
			break
		}
	}
	return string(b)
}

// Release lets the claim go: "That's not my phone", "Use another phone".
func (s *Service) Release(ctx context.Context, key Secret) (Handoff, error) {
	return s.byDisplay(ctx, key, func(h Handoff, now time.Time) (Handoff, error) {
		return h.Release(s.shown(h, now), now)
	})
}

// RenewCode shows a new code.
func (s *Service) RenewCode(ctx context.Context, key Secret) (Handoff, error) {
	return s.byDisplay(ctx, key, func(h Handoff, now time.Time) (Handoff, error) {
		return h.RenewCode(s.shown(h, now), now)
	})
}

// RejectAtDisplay ends the handoff: "This wasn't me", on the display.
func (s *Service) RejectAtDisplay(ctx context.Context, key Secret) (Handoff, error) {
	return s.endAtDisplay(ctx, key, StatusRejected, "")
}

// CancelAtDisplay ends the handoff.
func (s *Service) CancelAtDisplay(ctx context.Context, key Secret) (Handoff, error) {
	return s.endAtDisplay(ctx, key, StatusCancelled, "")
}

// NoPhone ends the handoff because the person has no phone to go on with.
func (s *Service) NoPhone(ctx context.Context, key Secret) (Handoff, error) {
	return s.endAtDisplay(ctx, key, StatusCancelled, CauseNoPhone)
}

// endAtDisplay ends the handoff; pressing the button again is no error.
func (s *Service) endAtDisplay(ctx context.Context, key Secret, status Status, cause Cause) (Handoff, error) {
	return s.byDisplay(ctx, key, func(h Handoff, now time.Time) (Handoff, error) {
		if h.Status.Ended() {
			return h, errUnchanged
		}
		return h.End(status, cause, now)
	})
}

// Extend puts the deadline off.
func (s *Service) Extend(ctx context.Context, key Secret) (Handoff, error) {
	return s.byDisplay(ctx, key, func(h Handoff, now time.Time) (Handoff, error) { return h.Extend(now) })
}

// LinkAtDisplay makes a code for a route the person chose.
func (s *Service) LinkAtDisplay(ctx context.Context, key Secret, r Route) (Handoff, error) {
	h, err := s.lookup(ctx, KeyDisplay, key)
	if err != nil {
		return h, err
	}
	h, _, err = s.AddLink(ctx, h, r)
	return h, err
}

// Revoke ends a route's code.
func (s *Service) Revoke(ctx context.Context, key Secret, r Route) (Handoff, error) {
	return s.byDisplay(ctx, key, func(h Handoff, now time.Time) (Handoff, error) { return h.RevokeCode(r, now) })
}
