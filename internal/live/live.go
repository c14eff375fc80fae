// Package live tells open pages that a handoff changed.
package live

import (
	"maps"
	"slices"
	"sync"

	"github.com/handoff-portal/handoff/internal/handoff"
)

var _ handoff.Notifier = (*Hub)(nil)

// Hub passes each change of a handoff to those who follow it within this
// process. A follower costs a channel and no goroutine. The zero Hub is not
// usable; New makes one.
type Hub struct {
	mu     sync.Mutex
	topics map[handoff.ID]*topic // guarded by mu; one for each handoff that is followed
	closed bool                  // guarded by mu
}

// topic is a handoff that somebody follows.
type topic struct {
	seq       int // of the newest change passed on
	followers map[*follower]struct{}
}

// follower is one subscription. Only the hub sends, with its mutex held, so
// after taking the unread value out there is always room for the next.
type follower struct{ updates chan handoff.Handoff }

// New returns a hub that nobody follows.
func New() *Hub { return &Hub{topics: make(map[handoff.ID]*topic)} }

// Changed passes h on to its followers. It never blocks: a follower who has not
// read the change before finds h in its place. A change older than one already
// passed on, which two processes or goroutines may report in either order, is
// dropped. Followers share h, which is never written to.
func (b *Hub) Changed(h handoff.Handoff) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[h.ID]
	if t == nil || h.Seq < t.seq {
		return
	}
	t.seq = h.Seq
	for f := range t.followers {
		select {
		case <-f.updates:
		default:
		}
		f.updates <- h
	}
}

// Subscribe follows the handoff with this ID. updates holds the latest change
// not read yet; earlier ones are skipped, the last never. What was before
// Subscribe is not sent: the caller subscribes first and then reads the store,
// and passes over an update whose Seq is lower than what it has.
//
// stop ends the subscription and closes updates; it may be called more than
// once. Close of the hub closes updates too, and a subscription to a closed hub
// is closed from the beginning.
func (b *Hub) Subscribe(id handoff.ID) (updates <-chan handoff.Handoff, stop func()) {
	f := &follower{updates: make(chan handoff.Handoff, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(f.updates)
		return f.updates, func() {}
	}
	t := b.topics[id]
	if t == nil {
		t = &topic{followers: make(map[*follower]struct{}, 1)}
		b.topics[id] = t
	}
	t.followers[f] = struct{}{}
	return f.updates, func() { b.stop(id, f) }
}

func (b *Hub) stop(id handoff.ID, f *follower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[id]
	if t == nil {
		return
	}
	if _, follows := t.followers[f]; !follows {
		return
	}
	delete(t.followers, f)
	close(f.updates)
	if len(t.followers) == 0 {
		delete(b.topics, id)
	}
}

// Viewers is the number of subscriptions to the handoff with this ID.
func (b *Hub) Viewers(id handoff.ID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.topics[id]; t != nil {
		return len(t.followers)
	}
	return 0
}

// Followed are the handoffs that somebody follows.
func (b *Hub) Followed() []handoff.ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.topics))
}

// Close ends every subscription, so that streams end when the server shuts
// down. An update not read yet can still be read. It may be called more than once.
func (b *Hub) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, t := range b.topics {
		for f := range t.followers {
			close(f.updates)
		}
	}
	clear(b.topics)
}
