package live

import (
	"sync"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// subscription is a follower that a goroutine of its own reads.
type subscription struct {
	mu      sync.Mutex
	seq     int // guarded by mu; of the newest change passed on
	closed  bool
	updates chan handoff.Handoff
}

// Subscribe follows the handoff with this ID by a channel. updates holds the
// latest change not read yet; earlier ones are skipped, the last never, and a
// change older than one already passed on is dropped. What was before Subscribe is
// not sent.
//
// stop ends the subscription and closes updates; it may be called more than
// once. Close of the hub closes updates too, after which an update not read yet can
// still be read, and a subscription to a closed hub is closed from the beginning.
func (b *Hub) Subscribe(id handoff.ID) (updates <-chan handoff.Handoff, stop func()) {
	s := &subscription{updates: make(chan handoff.Handoff, 1)}
	if !b.Follow(id, s) {
		s.Closed()
	}
	return s.updates, func() {
		b.Unfollow(id, s)
		s.Closed()
	}
}

// Changed implements handoff.Follower. It alone sends, with the mutex held, so
// after taking the unread value out there is always room for the next.
func (s *subscription) Changed(h handoff.Handoff) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || h.Seq < s.seq {
		return
	}
	s.seq = h.Seq
	select {
	case <-s.updates:
	default:
	}
	s.updates <- h
}

// Closed implements handoff.Follower.
func (s *subscription) Closed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.updates)
	}
}
