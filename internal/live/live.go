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
// process. A follower costs a place in a map and no goroutine. The zero Hub is not
// usable; New makes one.
type Hub struct {
	closing sync.Once

	mu        sync.Mutex
	followers map[handoff.ID][]handoff.Follower // guarded by mu; the slices are never written to
	closed    bool                              // guarded by mu
}

// New returns a hub that nobody follows.
func New() *Hub { return &Hub{followers: make(map[handoff.ID][]handoff.Follower)} }

// Changed passes h on to its followers, before it returns: what they do with it
// is done by the goroutine that made the change, so that nobody has to be woken
// for it. Followers share h, which is never written to.
func (b *Hub) Changed(h handoff.Handoff) {
	b.mu.Lock()
	followers := b.followers[h.ID]
	b.mu.Unlock()
	for _, f := range followers {
		f.Changed(h)
	}
}

// Follow has f told of each change of the handoff with this ID, until Unfollow.
// What was before is not told: the caller follows first and then reads the store.
// It reports false if the hub is closed.
func (b *Hub) Follow(id handoff.ID, f handoff.Follower) (open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.followers[id] = append(slices.Clip(b.followers[id]), f)
	return true
}

// Unfollow ends what Follow began; it may be called more than once. A change that
// is being told at the same time may still arrive.
func (b *Hub) Unfollow(id handoff.ID, f handoff.Follower) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var left []handoff.Follower
	for _, o := range b.followers[id] {
		if o != f {
			left = append(left, o)
		}
	}
	if left == nil {
		delete(b.followers, id)
		return
	}
	b.followers[id] = left
}

// Viewers is the number of followers of the handoff with this ID.
func (b *Hub) Viewers(id handoff.ID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.followers[id])
}

// Followed are the handoffs that somebody follows.
func (b *Hub) Followed() []handoff.ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.followers))
}

// Close tells every follower that the process is about to go, and returns when
// all of them have been told. It may be called more than once.
func (b *Hub) Close() {
	b.closing.Do(func() {
		b.mu.Lock()
		b.closed = true
		all := b.followers
		b.followers = nil
		b.mu.Unlock()
		for _, followers := range all {
			for _, f := range followers {
				f.Closed()
			}
		}
	})
}
