package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

func cancelledContext(t *testing.T, s handoff.Store) {
	want := Handoff(1)
	mustCreate(t, s, want)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Create": func() error { _, err := s.Create(ctx, Handoff(2)); return err },
		"Get":    func() error { _, err := s.Get(ctx, want.ID); return err },
		"Lookup": func() error { _, err := s.Lookup(ctx, want.Keys()[0]); return err },
		"Update": func() error {
			_, err := s.Update(ctx, want.ID, func(h handoff.Handoff) (handoff.Handoff, error) { return claimed(h), nil })
			return err
		},
		"List":   func() error { _, err := s.List(ctx, handoff.Query{Partner: want.Partner, Limit: 1}); return err },
		"Due":    func() error { _, err := s.Due(ctx, farFuture(), 1); return err },
		"Delete": func() error { return s.Delete(ctx, want.ID) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context = %v, want %v", name, err, context.Canceled)
		}
	}
	wantStored(t, s, want)
	_, err := s.Get(t.Context(), Handoff(2).ID)
	wantCode(t, "Get(handoff whose Create was cancelled)", err, handoff.CodeNotFound)
}

// onlyOneClaimWins: phones claim at once, by the rule that only an unclaimed
// handoff can be claimed.
func onlyOneClaimWins(t *testing.T, s handoff.Store) {
	const phones, rounds = 32, 5
	for round := range rounds {
		h := Handoff(round)
		mustCreate(t, s, h)
		var winners atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for phone := range phones {
			claim := &handoff.Claim{Hash: handoff.HashOf(handoff.Secret(fmt.Sprintf("claim %d %d", round, phone))), Opens: phone}
			wg.Go(func() {
				<-start
				got, err := s.Update(t.Context(), h.ID, func(h handoff.Handoff) (handoff.Handoff, error) {
					if h.Claim != nil {
						return h, handoff.Errorf(handoff.CodeConflict, "claimed")
					}
					h.Claim = claim
					return h, nil
				})
				switch {
				case err == nil:
					winners.Add(1)
					if got.Claim.Opens != phone {
						t.Errorf("Update of phone %d returned the claim of phone %d", phone, got.Claim.Opens)
					}
				case handoff.CodeOf(err) != handoff.CodeConflict:
					t.Errorf("Update of a phone that lost = %v, want code %s", err, handoff.CodeConflict)
				case got.Claim == nil:
					t.Error("Update of a phone that lost returned no claim, want the winner's, which fn saw")
				}
			})
		}
		close(start)
		wg.Wait()
		if got := winners.Load(); got != 1 {
			t.Errorf("%d of %d phones claimed, want 1", got, phones)
		}
	}
}

func noUpdateIsLost(t *testing.T, s handoff.Store) {
	const updates = 200
	h := Handoff(1)
	mustCreate(t, s, h)
	var wg sync.WaitGroup
	for range updates {
		wg.Go(func() {
			mustAdd(t, s, h.ID)
		})
	}
	wg.Wait()
	got, err := s.Get(t.Context(), h.ID)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if want := h.Seq + updates; got.Seq != want || len(got.Events) != want {
		t.Errorf("after %d updates seq = %d with %d events, want %d of both", updates, got.Seq, len(got.Events), want)
	}
}

// mustAdd adds one event. It is called by many goroutines, so it does not stop the test.
func mustAdd(t testing.TB, s handoff.Store, id handoff.ID) {
	t.Helper()
	_, err := s.Update(t.Context(), id, func(h handoff.Handoff) (handoff.Handoff, error) {
		h.Seq++
		h.Events = append(slices.Clone(h.Events), handoff.Event{Seq: h.Seq, Type: handoff.EventExtended, At: h.CreatedAt})
		return h, nil
	})
	if err != nil {
		t.Errorf("Update(%s): %v", id, err)
	}
}

func onlyOneCreateWins(t *testing.T, s handoff.Store) {
	const makers = 32
	var winner atomic.Int32
	var wins, losses atomic.Int32
	var wg sync.WaitGroup
	for n := range makers {
		wg.Go(func() {
			h := Handoff(n)
			h.SupportRef = "SHARED"
			switch _, err := s.Create(t.Context(), h); {
			case err == nil:
				wins.Add(1)
				winner.Store(int32(n)) //nolint:gosec // small
			case handoff.CodeOf(err) == handoff.CodeConflict:
				losses.Add(1)
			default:
				t.Errorf("Create(%s): %v", h.ID, err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 || losses.Load() != makers-1 {
		t.Fatalf("%d of %d handoffs with one key were created and %d refused, want 1 and the rest", wins.Load(), makers, losses.Load())
	}
	got, err := s.Lookup(t.Context(), handoff.SupportKey("SHARED"))
	if want := Handoff(int(winner.Load())).ID; err != nil || got.ID != want {
		t.Errorf("Lookup(shared key) = %s, %v, want %s", got.ID, err, want)
	}
	wantList(t, s, handoff.Query{Partner: "acme", Limit: 100}, got.ID)
}

// everythingAtOnce looks for races and for calls that spoil their neighbours:
// each goroutine has handoffs of its own, and finds them as it left them.
func everythingAtOnce(t *testing.T, s handoff.Store) {
	const goroutines, each = 8, 12
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				h := Handoff(g*each + i)
				if _, err := s.Create(t.Context(), h); err != nil {
					t.Errorf("Create(%s): %v", h.ID, err)
					return
				}
				if _, err := s.Create(t.Context(), h); handoff.CodeOf(err) != handoff.CodeConflict {
					t.Errorf("Create(%s) again = %v, want code %s", h.ID, err, handoff.CodeConflict)
				}
				mustAdd(t, s, h.ID)
				if _, err := s.Update(t.Context(), h.ID, func(h handoff.Handoff) (handoff.Handoff, error) { return h, errNo }); !errors.Is(err, errNo) {
					t.Errorf("Update(%s) with a fault = %v, want %v", h.ID, err, errNo)
				}
				if got, err := s.Lookup(t.Context(), h.Keys()[0]); err != nil || got.Seq != h.Seq+1 {
					t.Errorf("Lookup(%s) = seq %d, %v, want seq %d", h.ID, got.Seq, err, h.Seq+1)
				}
				if _, err := s.List(t.Context(), handoff.Query{Partner: h.Partner, Limit: 10}); err != nil {
					t.Errorf("List: %v", err)
				}
				if _, err := s.Due(t.Context(), farFuture(), 10); err != nil {
					t.Errorf("Due: %v", err)
				}
				if i%2 == 0 {
					if err := s.Delete(t.Context(), h.ID); err != nil {
						t.Errorf("Delete(%s): %v", h.ID, err)
					}
				}
			}
		})
	}
	wg.Wait()
	if got, want := len(all(t, s, handoff.Query{Partner: "acme", Limit: 100})), goroutines*each/2; got != want {
		t.Errorf("List at the end = %d handoffs, want %d", got, want)
	}
}
