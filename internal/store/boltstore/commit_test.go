package boltstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

type update = func(handoff.Handoff) (handoff.Handoff, error)

func add(h handoff.Handoff) (handoff.Handoff, error) {
	h.Seq++
	return h, nil
}

// held keeps the committer busy with an update of handoff 0 until release, so
// that what is written meanwhile forms one batch. The test runs in a bubble of
// synctest, whose Wait returns when everybody waits for somebody.
func held(t *testing.T, s *boltstore.Store) (release func()) {
	t.Helper()
	let, done := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := s.Update(t.Context(), storetest.Handoff(0).ID, func(h handoff.Handoff) (handoff.Handoff, error) {
			<-let
			return add(h)
		})
		done <- err
	}()
	synctest.Wait()
	return func() {
		close(let)
		if err := <-done; err != nil {
			t.Errorf("Update that the committer was held by: %v", err)
		}
	}
}

func create(t *testing.T, s *boltstore.Store, count int) {
	t.Helper()
	for n := range count {
		if _, err := s.Create(t.Context(), storetest.Handoff(n)); err != nil {
			t.Fatalf("Create(%d): %v", n, err)
		}
	}
}

func wantSeq(t *testing.T, s *boltstore.Store, n, want int) {
	t.Helper()
	if h, err := s.Get(t.Context(), storetest.Handoff(n).ID); err != nil || h.Seq != want {
		t.Errorf("Get(%d) = seq %d, %v, want seq %d", n, h.Seq, err, want)
	}
}

func TestManyWritesShareACommit(t *testing.T) {
	path := newPath(t)
	synctest.Test(t, func(t *testing.T) {
		const callers = 50
		s := open(t, path)
		create(t, s, callers)
		before := s.Commits()
		release := held(t, s)
		var wg sync.WaitGroup
		for n := range callers {
			wg.Go(func() {
				if _, err := s.Update(t.Context(), storetest.Handoff(n).ID, add); err != nil {
					t.Errorf("Update(%d): %v", n, err)
				}
			})
		}
		synctest.Wait()
		release()
		wg.Wait()
		if got := s.Commits() - before; got != 2 {
			t.Errorf("one update and then %d at once made %d commits, want 2", callers, got)
		}
	})
}

func TestNothingToSaveIsNoCommit(t *testing.T) {
	s := open(t, newPath(t))
	create(t, s, 1)
	id := storetest.Handoff(0).ID
	before := s.Commits()
	fault := errors.New("no")
	if _, err := s.Update(t.Context(), id, func(h handoff.Handoff) (handoff.Handoff, error) { return h, fault }); !errors.Is(err, fault) {
		t.Errorf("Update with a fault = %v, want %v", err, fault)
	}
	if _, err := s.Update(t.Context(), id, func(h handoff.Handoff) (handoff.Handoff, error) { return h, nil }); err != nil {
		t.Errorf("Update without a change: %v", err)
	}
	if _, err := s.Create(t.Context(), storetest.Handoff(0)); handoff.CodeOf(err) != handoff.CodeConflict {
		t.Errorf("Create(taken) = %v, want code %s", err, handoff.CodeConflict)
	}
	if err := s.Delete(t.Context(), storetest.Handoff(1).ID); err != nil {
		t.Errorf("Delete(unknown): %v", err)
	}
	if got := s.Commits() - before; got != 0 {
		t.Errorf("four calls that saved nothing made %d commits, want none", got)
	}
}

// TestNeighbours: whatever goes wrong in one write, those that share its
// transaction are saved, once.
func TestNeighbours(t *testing.T) {
	path := newPath(t)
	fault := errors.New("no")
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		create(t, s, 10)
		release := held(t, s)
		var wg sync.WaitGroup
		for n, fn := range []update{
			1: add,
			2: func(h handoff.Handoff) (handoff.Handoff, error) { return h, fault },
			3: add,
			4: func(h handoff.Handoff) (handoff.Handoff, error) {
				// bbolt refuses so long an index key, after the first changes.
				h.DisplayHash = handoff.HashOf("another")
				h.Instance = handoff.InstanceID(strings.Repeat("x", 1<<16))
				return h, nil
			},
			5: add,
			6: func(handoff.Handoff) (handoff.Handoff, error) { panic("oh") },
			7: add,
		} {
			if fn == nil {
				continue
			}
			wg.Go(func() {
				defer func() {
					if got := recover(); (got != nil) != (n == 6) {
						t.Errorf("Update(%d) panicked with %v", n, got)
					}
				}()
				if _, err := s.Update(t.Context(), storetest.Handoff(n).ID, fn); (err != nil) != (n == 2 || n == 4) {
					t.Errorf("Update(%d) = %v", n, err)
				}
			})
			synctest.Wait() // they queue in this order
		}
		release()
		wg.Wait()
		for n := range 10 {
			want := storetest.Handoff(n).Seq
			if n <= 7 && (n%2 == 1 || n == 0) {
				want++
			}
			wantSeq(t, s, n, want)
		}
	})
}

func TestCancelledWhileWaiting(t *testing.T) {
	path := newPath(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		create(t, s, 2)
		release := held(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			_, err := s.Update(ctx, storetest.Handoff(1).ID, func(h handoff.Handoff) (handoff.Handoff, error) {
				t.Error("Update called fn after its context was cancelled")
				return h, nil
			})
			result <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("Update cancelled while waiting = %v, want %v", err, context.Canceled)
		}
		release()
		if _, err := s.Update(t.Context(), storetest.Handoff(1).ID, add); err != nil {
			t.Errorf("Update after one was cancelled: %v", err)
		}
	})
}

// TestCancelledTooLate: once it has begun, a write is not reported as given up
// although it was saved.
func TestCancelledTooLate(t *testing.T) {
	s := open(t, newPath(t))
	create(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Update(ctx, storetest.Handoff(0).ID, func(h handoff.Handoff) (handoff.Handoff, error) {
		cancel()
		return add(h)
	})
	if err != nil {
		t.Errorf("Update cancelled after it began = %v, want nil", err)
	}
	wantSeq(t, s, 0, storetest.Handoff(0).Seq+1)
}

func TestClose(t *testing.T) {
	path := newPath(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		create(t, s, 2)
		release := held(t, s)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := s.Update(t.Context(), storetest.Handoff(1).ID, add); err != nil {
				t.Errorf("Update that waited when the store was closed: %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		synctest.Wait()
		if _, err := s.Create(t.Context(), storetest.Handoff(2)); !errors.Is(err, boltstore.ErrClosed) {
			t.Errorf("Create while closing = %v, want %v", err, boltstore.ErrClosed)
		}
		release()
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
		if _, err := s.Get(t.Context(), storetest.Handoff(0).ID); !errors.Is(err, boltstore.ErrClosed) {
			t.Errorf("Get after Close = %v, want %v", err, boltstore.ErrClosed)
		}
	})
	wantSeq(t, open(t, path), 1, storetest.Handoff(1).Seq+1)
}
