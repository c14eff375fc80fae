package boltstore

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// maxBatch is how many writes share one commit, so that under a flood the first
// of them does not wait for thousands of others.
const maxBatch = 1000

// write is a change that waits for its turn.
type write struct {
	change  func(w *writer) error // runs in the committer; again if a neighbour spoils the batch
	claimed atomic.Bool           // by the committer, or by a caller whose context ended
	done    chan struct{}         // closed by the committer; what is below is the caller's then
	err     error
	panic   any
}

// write has the committer make a change, and returns once it is on the disk. If
// change returns an error, that is the result. A change that has begun is waited
// for even if ctx ends: a commit is short, and its outcome matters.
func (s *Store) write(ctx context.Context, change func(w *writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := &write{change: change, done: make(chan struct{})}
	if err := s.enqueue(o); err != nil {
		return err
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		if o.claimed.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-o.done
	}
	if o.panic != nil {
		panic(o.panic)
	}
	return o.err
}

func (s *Store) enqueue(o *write) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.waiting = append(s.waiting, o)
	select {
	case s.wake <- struct{}{}:
	default: // there is a token already
	}
	return nil
}

// commitAll is the committer: it ends when the store is closed and nothing waits.
func (s *Store) commitAll() {
	defer close(s.stopped)
	for range s.wake {
		for {
			// Whoever can run now may want to write, too: on few cores a commit costs more
			// of them than all that leads to it, and a batch of one is the dearest.
			runtime.Gosched()
			batch := s.take()
			if len(batch) == 0 {
				break
			}
			s.commit(batch)
		}
	}
}

// take claims what waits, up to maxBatch, leaving out what was given up.
func (s *Store) take() []*write {
	s.mu.Lock()
	defer s.mu.Unlock()
	var batch []*write
	taken := 0
	for _, o := range s.waiting {
		if len(batch) == maxBatch {
			break
		}
		taken++
		if o.claimed.CompareAndSwap(false, true) {
			batch = append(batch, o)
		}
	}
	s.waiting = slices.Delete(s.waiting, 0, taken)
	return batch
}

// commit makes the changes of a batch in one transaction. One that fails half
// done is taken out, and the rest are made anew.
func (s *Store) commit(batch []*write) {
	for {
		spoilt, err := s.try(batch)
		if spoilt == nil {
			// A write that failed by itself may have done so because of what a
			// neighbour wrote, which was not saved either.
			for _, o := range batch {
				if err != nil {
					o.err, o.panic = err, nil
				}
				close(o.done)
			}
			return
		}
		batch = slices.DeleteFunc(batch, func(o *write) bool { return o == spoilt })
		close(spoilt.done)
	}
}

// try makes the changes of a batch. It returns the one that spoilt the
// transaction, if any, or else the fault of the transaction itself.
func (s *Store) try(batch []*write) (spoilt *write, err error) {
	tx, err := s.db.Begin(true)
	if err != nil {
		return nil, s.unwritten(err)
	}
	defer func() {
		if tx.DB() != nil {
			_ = tx.Rollback() // cannot fail on an open transaction
		}
	}()
	w := &writer{reader: newReader(tx)}
	for _, o := range batch {
		before := w.changes
		if !o.run(w) && w.changes != before {
			return o, nil
		}
	}
	if w.changes == 0 {
		return nil, nil
	}
	if err := tx.Commit(); err != nil {
		return nil, s.unwritten(err)
	}
	return nil, nil
}

// unwritten is what a caller is told of a disk that takes nothing: full, read-only or
// broken. It may take more later.
func (s *Store) unwritten(err error) error {
	e := handoff.Errorf(handoff.CodeStoreUnavailable, "the portal's store takes nothing just now")
	e.RetryAfter, e.Err = fullRetry, fmt.Errorf("writing to the store %s: %w", s.path, err)
	return e
}

// fullRetry is when to try a disk again that took nothing.
const fullRetry = 5 * time.Second

// run makes the change, and reports whether it went well. A panic belongs to the
// goroutine that asked for the change, which knows how to recover from it.
func (o *write) run(w *writer) (ok bool) {
	o.err, o.panic = nil, nil
	defer func() {
		if o.panic = recover(); o.panic != nil {
			ok = false
		}
	}()
	o.err = o.change(w)
	return o.err == nil
}
