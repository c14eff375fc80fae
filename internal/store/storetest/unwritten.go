package storetest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// maxWatched bounds what Unwritten remembers.
const maxWatched = 5000

// Unwritten returns s, and fails the test at its end if anybody wrote to what a
// handoff refers to that s handed out or was given: stores share it with everybody.
func Unwritten(t testing.TB, s handoff.Store) handoff.Store {
	t.Helper()
	w := &unwritten{Store: s}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, seen := range w.seen {
			if now := text(seen.handoff); now != seen.text {
				t.Errorf("somebody wrote to a handoff that others may read. It was\n%s\nand is\n%s", seen.text, now)
				return
			}
		}
	})
	return w
}

type unwritten struct {
	handoff.Store

	mu   sync.Mutex
	seen []seen // guarded by mu
}

type seen struct {
	handoff handoff.Handoff
	text    string
}

func text(h handoff.Handoff) string {
	b, err := json.Marshal(h)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (w *unwritten) watch(all ...handoff.Handoff) {
	for _, h := range all {
		s := seen{h, text(h)}
		w.mu.Lock()
		if len(w.seen) < maxWatched {
			w.seen = append(w.seen, s)
		}
		w.mu.Unlock()
	}
}

// Create implements handoff.Store.
func (w *unwritten) Create(ctx context.Context, h handoff.Handoff) (others bool, err error) {
	w.watch(h)
	return w.Store.Create(ctx, h)
}

// Get implements handoff.Store.
func (w *unwritten) Get(ctx context.Context, id handoff.ID) (handoff.Handoff, error) {
	h, err := w.Store.Get(ctx, id)
	w.watch(h)
	return h, err
}

// Lookup implements handoff.Store.
func (w *unwritten) Lookup(ctx context.Context, key handoff.Key) (handoff.Handoff, error) {
	h, err := w.Store.Lookup(ctx, key)
	w.watch(h)
	return h, err
}

// Update implements handoff.Store.
func (w *unwritten) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	h, err := w.Store.Update(ctx, id, func(h handoff.Handoff) (handoff.Handoff, error) {
		w.watch(h)
		return fn(h)
	})
	w.watch(h)
	return h, err
}

// List implements handoff.Store.
func (w *unwritten) List(ctx context.Context, q handoff.Query) (handoff.Page, error) {
	page, err := w.Store.List(ctx, q)
	w.watch(page.Items...)
	return page, err
}
