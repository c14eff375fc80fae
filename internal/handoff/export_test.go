package handoff

import "context"

// ErrUnchanged is what a rule returns when it has nothing to do.
var ErrUnchanged = errUnchanged

// The poll schedule, for the tests that count its steps.
const (
	PollWatched   = pollWatched
	PollSlowest   = pollSlowest
	PollUnwatched = pollUnwatched
	WatchLasts    = watchLasts
)

// Work goes once through what is due, as Run does four times a second.
func (s *Service) Work(ctx context.Context) error { return s.work(ctx) }

// Tick makes of one handoff what is due, as Work does of all of them at once:
// one after the other, a walk can be walked again.
func (s *Service) Tick(ctx context.Context, id ID) error { return s.tick(ctx, id) }
