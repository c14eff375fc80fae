package handoff

import (
	"context"
	"errors"
	"time"
)

// How a caller waits for the step that another is making.
const (
	awaitEvery = 50 * time.Millisecond
	awaitMost  = 10 * time.Second
	// insistEvery is how often a store that does not answer is asked again, and
	// reserveMost how long for a reservation, which would otherwise hold everybody up
	// if it was made and nobody heard.
	insistEvery = 250 * time.Millisecond
	reserveMost = 2 * time.Second
)

// step makes one upstream step for a handoff, alone: it reserves it in the
// store, where before may still refuse, calls do between two updates, and
// applies the rule that do returned. The caller's going away does not stop it:
// its result is worth keeping. While another caller makes a step, step waits for
// that one and does nothing; the caller looks at the handoff again.
func (s *Service) step(ctx context.Context, h Handoff, before rule, do func(context.Context, Handoff) (rule, error)) (Handoff, error) {
	mine := HashOf(newCapability())
	id := h.ID
	h, err := s.insist(ctx, id, reserveMost, func(h Handoff, now time.Time) (Handoff, error) {
		h, err := h.Begin(mine, now)
		if err != nil {
			return h, err
		}
		return before(h, now)
	})
	if errors.Is(err, errBusy) {
		return s.await(ctx, id)
	}
	if err != nil || h.Work == nil || h.Work.By != mine {
		return h, err
	}
	ctx = context.WithoutCancel(ctx)
	calls, cancel := context.WithTimeout(ctx, WorkLease-5*time.Second)
	defer cancel()
	reserved := s.now()
	apply, upstream := do(calls, h)
	// What came of it is worth insisting on while the reservation holds: it was paid
	// for with a connect token. Had it been saved at a try whose answer was lost, the
	// reservation is gone, and await finds it.
	h, err = s.insist(ctx, id, WorkLease-time.Second-s.now().Sub(reserved), func(h Handoff, now time.Time) (Handoff, error) {
		h, err := h.Done(mine)
		if err != nil || apply == nil {
			return h, err
		}
		next, err := apply(h, now)
		if errors.Is(err, errUnchanged) { // the reservation is given back all the same
			return h, nil
		}
		return next, err
	})
	if upstream != nil {
		return h, upstream
	}
	if errors.Is(err, errOvertaken) {
		return s.await(ctx, id)
	}
	return h, err
}

// insist applies a rule, and asks a store that does not answer again, for as long as
// most. The rule may have been applied at a try whose answer was lost.
func (s *Service) insist(ctx context.Context, id ID, most time.Duration, r rule) (Handoff, error) {
	began := s.now()
	for {
		h, err := s.update(ctx, id, r)
		if CodeOf(err) != CodeStoreUnavailable || s.now().Sub(began) > most || ctx.Err() != nil {
			return h, err
		}
		s.log.WarnContext(ctx, "step_not_saved_yet", "handoff", id, "error", err)
		time.Sleep(insistEvery)
	}
}

// rule is a change of a handoff, as Store.Update takes it.
type rule func(Handoff, time.Time) (Handoff, error)

// await waits until nobody makes an upstream step for the handoff, and returns
// what became of it: CodeGone if that was an end.
func (s *Service) await(ctx context.Context, id ID) (Handoff, error) {
	enough, cancel := context.WithTimeout(ctx, awaitMost)
	defer cancel()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		h, err := s.store.Get(ctx, id)
		if err != nil {
			return h, err
		}
		if now := s.now(); h.Work == nil || !now.Before(h.Work.Until) {
			return h, h.live(now)
		}
		select {
		case <-enough.Done():
			e := Errorf(CodePlatformUnavailable, "the verification service is taking long")
			e.RetryAfter = 2 * time.Second
			return h, e
		case <-tick.C:
		}
	}
}

// startToken makes a connect token.
func (s *Service) startToken(ctx context.Context, p Platform, h Handoff, now time.Time) (Token, Secret, error) {
	t, err := p.StartDevice(ctx, h.Instance, h.Terms.Scope)
	if err != nil {
		return Token{}, "", err
	}
	return Token{
		Sealed: s.vault.Seal(h.label("connect"), []byte(t.Token)), MadeAt: now, ExpiresAt: t.ExpiresAt,
	}, t.Token, nil
}

// endsUnknown is the rule for an upstream failure that ends the handoff, or nil.
func endsUnknown(err error) rule {
	if CodeOf(err) != CodeUnknownJourney {
		return nil
	}
	return func(h Handoff, now time.Time) (Handoff, error) { return h.End(StatusFailed, CauseUnknownJourney, now) }
}

// connect exchanges a connect token for an end-user token. One that is spent, or
// whose answer was lost, is followed by a new start and one more connect, and
// never by the same token again.
func (s *Service) connect(ctx context.Context, p Platform, h Handoff, token Secret, d DeviceInfo) (EndUserToken, error) {
	for attempt := 0; ; attempt++ {
		if token == "" {
			_, fresh, err := s.startToken(ctx, p, h, s.now())
			if err != nil {
				return EndUserToken{}, err
			}
			token = fresh
		}
		t, err := p.ConnectDevice(ctx, token, d)
		if err == nil {
			return t, nil
		}
		code := CodeOf(err)
		if code != CodeConnectSpent && code != CodeConnectLost {
			return EndUserToken{}, err
		}
		if attempt > 0 {
			return EndUserToken{}, &Error{
				Code: CodePlatformUnavailable, Detail: "the verification service is not answering",
				RetryAfter: 5 * time.Second, Err: err,
			}
		}
		s.log.WarnContext(ctx, "connect_answer_lost", "handoff", h.ID, "code", code, "error", err)
		token = ""
	}
}
