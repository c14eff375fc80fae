package handoff

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// How the worker goes through what is due.
const (
	workEvery  = 250 * time.Millisecond
	workBatch  = 200
	workAtOnce = 16 // upstream questions at the same time
)

// Run makes of handoffs what time makes of them: leases lapse, tokens are
// forgotten, the journeys of delivered handoffs are asked for, partners are told,
// deadlines end them, and old records go. It returns when ctx is cancelled, the
// last question is answered and the last message sent or broken off. Any number
// of processes may run it on one store.
func (s *Service) Run(ctx context.Context) {
	defer s.post.sending.Wait()
	tick := time.NewTicker(workEvery)
	defer tick.Stop()
	for {
		more, err := s.work(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "worker_failed", "error", err)
		}
		if more && err == nil && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// work goes once through what is due, and returns when it is done, but for the
// messages that are still being sent. more is set if not all of it fitted, and
// nothing stands in the way of the rest.
func (s *Service) work(ctx context.Context) (more bool, err error) {
	ids, err := s.store.Due(ctx, s.now(), workBatch)
	if err != nil {
		return false, err
	}
	var wg sync.WaitGroup
	var failed atomic.Bool
	places := make(chan struct{}, workAtOnce)
	for _, id := range ids {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if err := s.tick(ctx, id); err != nil && CodeOf(err) != CodeNotFound && ctx.Err() == nil {
				failed.Store(true)
				s.log.ErrorContext(ctx, "worker_step_failed", "handoff", id, "error", err)
			}
		})
	}
	wg.Wait()
	return len(ids) == workBatch && !failed.Load(), nil
}

// tick makes of one handoff what is due.
func (s *Service) tick(ctx context.Context, id ID) error {
	ask, purge := false, false
	h, err := s.update(ctx, id, func(h Handoff, now time.Time) (Handoff, error) {
		ask, purge = false, h.Forgotten(now)
		if purge {
			return h, errUnchanged
		}
		next, wanted, err := h.Tick(now)
		ask = wanted
		return next, err
	})
	if err != nil {
		return err
	}
	if purge {
		return s.store.Delete(ctx, id)
	}
	if err := s.tell(ctx, h); err != nil {
		return err
	}
	if !h.Status.Ended() {
		if err := s.receipts(ctx, h); err != nil {
			return err
		}
	}
	if !ask {
		return nil
	}
	if h, err = s.ask(ctx, h); err != nil {
		return err
	}
	return s.tell(ctx, h)
}

// ask asks the platform how far the journey is. That it does not answer is no
// failure of the handoff: the next question comes in its time.
func (s *Service) ask(ctx context.Context, h Handoff) (Handoff, error) {
	p, err := s.platforms.Platform(h.Partner)
	if err != nil {
		return h, err
	}
	final := h.Poll.Final
	state, err := p.State(ctx, h.Instance)
	if err != nil {
		s.log.WarnContext(ctx, "journey_state_unknown", "handoff", h.ID, "final", final, "error", err)
		state = JourneyRunning
	}
	return s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) { return h.Heard(state, final, now) })
}
