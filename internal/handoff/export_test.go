package handoff

import (
	"context"
	"time"
)

// ErrUnchanged is what a rule returns when it has nothing to do.
var ErrUnchanged = errUnchanged

// The poll schedule, for the tests that count its steps.
const (
	PollWatched   = pollWatched
	PollSlowest   = pollSlowest
	PollUnwatched = pollUnwatched
	WatchLasts    = watchLasts
)

// Work goes once through what is due, as Run does four times a second, and waits
// until what was sent has arrived.
func (s *Service) Work(ctx context.Context) error {
	_, err := s.work(ctx)
	s.post.sending.Wait()
	return err
}

// Tick makes of one handoff what is due, as Work does of all of them at once:
// one after the other, a walk can be walked again.
func (s *Service) Tick(ctx context.Context, id ID) error {
	defer s.post.sending.Wait()
	return s.tick(ctx, id)
}

// Reach moves h to a status, whatever the rules say.
func (h Handoff) Reach(s Status, now time.Time) Handoff { return h.reach(s, now) }
