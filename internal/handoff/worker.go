package handoff

import (
	"context"
	"sync"
	"time"
)

// How the worker goes through what is due.
const (
	workEvery  = 250 * time.Millisecond
	workBatch  = 200
	workAtOnce = 16 // upstream questions at the same time
)

// Run makes of handoffs what time makes of them: leases lapse, tokens are
// forgotten, the journeys of delivered handoffs are asked for, deadlines end
// them, and old records go. It returns when ctx is cancelled and the last
// question is answered. Any number of processes may run it on one store.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(workEvery)
	defer tick.Stop()
	for {
		if err := s.work(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "worker_failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Work goes once through what is due, and returns when it is done.
func (s *Service) work(ctx context.Context) error {
	ids, err := s.store.Due(ctx, s.now(), workBatch)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	places := make(chan struct{}, workAtOnce)
	for _, id := range ids {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if err := s.tick(ctx, id); err != nil && CodeOf(err) != CodeNotFound && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "worker_step_failed", "handoff", id, "error", err)
			}
		})
	}
	wg.Wait()
	return nil
}

// tick makes of one handoff what is due.
func (s *Service) tick(ctx context.Context, id ID) error {
	ask, purge := false, false
	h, err := s.update(ctx, id, func(h Handoff, now time.Time) (Handoff, error) {
		ask, purge = false, h.Status.Ended() && !now.Before(h.PurgeAt())
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
	if !ask {
		return nil
	}
	return s.ask(ctx, h)
}

// ask asks the platform how far the journey is. That it does not answer is no
// failure of the handoff: the next question comes in its time.
func (s *Service) ask(ctx context.Context, h Handoff) error {
	p, err := s.platforms.Platform(h.Partner)
	if err != nil {
		return err
	}
	final := h.Poll.Final
	state, err := p.State(ctx, h.Instance)
	if err != nil {
		s.log.WarnContext(ctx, "journey_state_unknown", "handoff", h.ID, "final", final, "error", err)
		state = JourneyRunning
	}
	_, err = s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) { return h.Heard(state, final, now) })
	return err
}
