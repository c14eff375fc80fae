package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Bench measures Update by 1 and by 64 callers at once, each with a handoff of
// its own, and Lookup of a key that is and of one that never was.
func Bench(b *testing.B, open func(b *testing.B) handoff.Store) {
	b.Helper()
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("Update/callers=%d", callers), func(b *testing.B) {
			s := open(b)
			for n := range callers {
				mustCreate(b, s, Handoff(n))
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			done := make(chan error, callers)
			b.ResetTimer()
			for n := range callers {
				go func() {
					var err error
					for left.Add(-1) >= 0 && err == nil {
						err = bump(b.Context(), s, Handoff(n).ID)
					}
					done <- err
				}()
			}
			for range callers {
				if err := <-done; err != nil {
					b.Errorf("Update: %v", err)
				}
			}
		})
	}
	for name, key := range map[string]handoff.Key{
		"known": Handoff(7).Keys()[0], "unknown": handoff.NewKey(handoff.KeyDisplay, handoff.HashOf("never was")),
	} {
		b.Run("Lookup/"+name, func(b *testing.B) {
			s := open(b)
			for n := range 100 {
				mustCreate(b, s, claimed(Handoff(n)))
			}
			for b.Loop() {
				_, _ = s.Lookup(b.Context(), key)
			}
		})
	}
}

// bump is a small update, as a phone's page makes to keep its claim.
func bump(ctx context.Context, s handoff.Store, id handoff.ID) error {
	_, err := s.Update(ctx, id, func(h handoff.Handoff) (handoff.Handoff, error) {
		h.Seq++
		h.Deadline = h.Deadline.Add(1)
		return h, nil
	})
	return err
}
