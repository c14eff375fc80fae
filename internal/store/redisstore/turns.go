package redisstore

import (
	"context"
	"sync"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// turns lets the callers of this process change one handoff one after another, so
// that only other processes can come between the reading and the writing.
type turns struct {
	mu  sync.Mutex
	all map[handoff.ID]*turn // guarded by mu
}

type turn struct {
	callers int           // guarded by turns.mu: those who wait, and who has it
	free    chan struct{} // holds a value while nobody has it
}

// take waits for the caller's turn. done ends it.
func (t *turns) take(ctx context.Context, id handoff.ID) (done func(), err error) {
	t.mu.Lock()
	mine := t.all[id]
	if mine == nil {
		mine = &turn{free: make(chan struct{}, 1)}
		mine.free <- struct{}{}
		t.all[id] = mine
	}
	mine.callers++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if mine.callers--; mine.callers == 0 {
			delete(t.all, id)
		}
	}
	select {
	case <-mine.free:
		return func() { mine.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, fault(ctx, context.Cause(ctx))
	}
}
