// Package storetest checks that a store keeps the promises of handoff.Store.
package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Run examines the stores that open returns: a new, empty one for each call,
// which open itself closes at the end of the test it is given.
func Run(t *testing.T, open func(t *testing.T) handoff.Store) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s handoff.Store)
	}{
		{"CreateAndRead", createAndRead},
		{"CreateTaken", createTaken},
		{"CreateTellsOfOthers", createTellsOfOthers},
		{"NotThere", notThere},
		{"UpdateSaves", updateSaves},
		{"UpdateFault", updateFault},
		{"UpdatePanic", updatePanic},
		{"UpdateKeepsID", updateKeepsID},
		{"UpdateMovesKeys", updateMovesKeys},
		{"UpdateKeyTaken", updateKeyTaken},
		{"Delete", deleteForgets},
		{"CancelledContext", cancelledContext},
		{"OnlyOneClaimWins", onlyOneClaimWins},
		{"NoUpdateIsLost", noUpdateIsLost},
		{"OnlyOneCreateWins", onlyOneCreateWins},
		{"EverythingAtOnce", everythingAtOnce},
		{"ListOrder", listOrder},
		{"ListPages", listPages},
		{"ListWhileChanging", listWhileChanging},
		{"ListFilters", listFilters},
		{"ListFollowsUpdates", listFollowsUpdates},
		{"ListFaults", listFaults},
		{"ListNeedleInHaystack", listNeedleInHaystack},
		{"DueOrder", dueOrder},
		{"DueFollowsUpdates", dueFollowsUpdates},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

var errNo = errors.New("no")

func createAndRead(t *testing.T, s handoff.Store) {
	for n := range 3 {
		mustCreate(t, s, Handoff(n))
	}
	for n := range 3 {
		want := Handoff(n)
		wantStored(t, s, want)
		for _, key := range want.Keys() {
			got, err := s.Lookup(t.Context(), key)
			if err != nil {
				t.Fatalf("Lookup(%.12s…): %v", key, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Lookup(%.12s…) differs (-want +got):\n%s", key, diff)
			}
		}
	}
}

// createTellsOfOthers: of those of one instance, also if they are made at once and
// if all but one have ended, only the first may have been alone.
func createTellsOfOthers(t *testing.T, s handoff.Store) {
	of := func(n int) handoff.Handoff {
		h := Handoff(n)
		h.Instance = Handoff(0).Instance
		return h
	}
	var alone atomic.Int32
	create := func(n int) {
		others, err := s.Create(t.Context(), of(n))
		if err != nil {
			t.Errorf("Create(%s): %v", of(n).ID, err)
		}
		if !others {
			alone.Add(1)
		}
	}
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() { create(n) })
	}
	wg.Wait()
	if got := alone.Load(); got > 1 {
		t.Errorf("%d handoffs of one instance that were made at once were said to be alone, want at most one", got)
	}
	alone.Store(0)
	for n := range 16 {
		mustUpdate(t, s, of(n).ID, func(h handoff.Handoff) handoff.Handoff { h.Status = handoff.StatusCancelled; return h })
	}
	create(16)
	if alone.Load() > 0 {
		t.Error("a handoff is said to be alone where others of its instance have ended, want others")
	}
}

// createTaken: one new handoff has an ID, another a single key, that is taken.
func createTaken(t *testing.T, s handoff.Store) {
	first := Handoff(1)
	mustCreate(t, s, first)

	sameID := Handoff(2)
	sameID.ID = first.ID
	_, err := s.Create(t.Context(), sameID)
	wantCode(t, "Create(handoff with a taken id)", err, handoff.CodeConflict)
	wantNoKeys(t, s, sameID)

	for i := range first.Codes {
		sameKey := Handoff(3)
		sameKey.Codes[len(sameKey.Codes)-1] = first.Codes[i]
		_, err := s.Create(t.Context(), sameKey)
		wantCode(t, "Create(handoff with a taken key)", err, handoff.CodeConflict)
		_, err = s.Get(t.Context(), sameKey.ID)
		wantCode(t, "Get(handoff whose Create was refused)", err, handoff.CodeNotFound)
		sameKey.Codes = sameKey.Codes[:len(sameKey.Codes)-1]
		wantNoKeys(t, s, sameKey)
	}
	wantStored(t, s, first)
	wantKeys(t, s, first)
	wantList(t, s, handoff.Query{Partner: first.Partner, Limit: 100}, first.ID)
}

func notThere(t *testing.T, s handoff.Store) {
	h := Handoff(1)
	_, err := s.Get(t.Context(), h.ID)
	wantCode(t, "Get(unknown)", err, handoff.CodeNotFound)
	wantNoKeys(t, s, h)
	got, err := s.Update(t.Context(), h.ID, func(h handoff.Handoff) (handoff.Handoff, error) {
		t.Error("Update(unknown) called fn")
		return h, nil
	})
	wantCode(t, "Update(unknown)", err, handoff.CodeNotFound)
	if got.ID != "" {
		t.Errorf("Update(unknown) = %s, want a zero handoff", got.ID)
	}
	if err := s.Delete(t.Context(), h.ID); err != nil {
		t.Errorf("Delete(unknown) = %v, want nil", err)
	}

	// The hash is right, the job is another; and what is no key at all.
	mustCreate(t, s, h)
	for _, key := range []handoff.Key{
		handoff.NewKey(handoff.KeyClaim, h.DisplayHash), handoff.NewKey(handoff.KeyDisplay, h.Codes[0].Hash),
		"", "display", "display:", handoff.Key(h.ID),
	} {
		_, err := s.Lookup(t.Context(), key)
		wantCode(t, "Lookup("+string(key)+")", err, handoff.CodeNotFound)
	}
}

func updateSaves(t *testing.T, s handoff.Store) {
	mustCreate(t, s, Handoff(1))
	mustCreate(t, s, Handoff(2))
	want := claimed(Handoff(1))
	got, err := s.Update(t.Context(), want.ID, func(h handoff.Handoff) (handoff.Handoff, error) {
		if diff := cmp.Diff(Handoff(1), h); diff != "" {
			t.Errorf("Update gave fn another handoff (-want +got):\n%s", diff)
		}
		return claimed(h), nil
	})
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Update returned another handoff (-want +got):\n%s", diff)
	}
	wantStored(t, s, want)
	wantKeys(t, s, want)
	wantStored(t, s, Handoff(2))

	// Saving what is there already is no fault.
	if _, err := s.Update(t.Context(), want.ID, func(h handoff.Handoff) (handoff.Handoff, error) { return h, nil }); err != nil {
		t.Errorf("Update without a change: %v", err)
	}
	wantStored(t, s, want)
}

func updateFault(t *testing.T, s handoff.Store) {
	want := Handoff(1)
	mustCreate(t, s, want)
	got, err := s.Update(t.Context(), want.ID, func(h handoff.Handoff) (handoff.Handoff, error) { return claimed(h), errNo })
	if !errors.Is(err, errNo) {
		t.Errorf("Update with a fault in fn = %v, want that fault", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Update with a fault in fn returned another handoff than fn saw (-want +got):\n%s", diff)
	}
	wantStored(t, s, want)
	_, err = s.Lookup(t.Context(), handoff.NewKey(handoff.KeyClaim, claimed(want).Claim.Hash))
	wantCode(t, "Lookup(key that fn made and did not save)", err, handoff.CodeNotFound)
}

func updatePanic(t *testing.T, s handoff.Store) {
	want := Handoff(1)
	mustCreate(t, s, want)
	func() {
		defer func() {
			if got, want := recover(), "oh"; got != want {
				t.Errorf("Update with a panic in fn passed on the panic %v, want %v", got, want)
			}
		}()
		_, _ = s.Update(t.Context(), want.ID, func(handoff.Handoff) (handoff.Handoff, error) { panic("oh") })
	}()
	wantStored(t, s, want)
	mustUpdate(t, s, want.ID, claimed)
	wantStored(t, s, claimed(want))
}

func updateKeepsID(t *testing.T, s handoff.Store) {
	want := Handoff(1)
	mustCreate(t, s, want)
	_, err := s.Update(t.Context(), want.ID, func(h handoff.Handoff) (handoff.Handoff, error) {
		h.ID = Handoff(2).ID
		return h, nil
	})
	wantCode(t, "Update that changes the id", err, handoff.CodeInternal)
	wantStored(t, s, want)
	_, err = s.Get(t.Context(), Handoff(2).ID)
	wantCode(t, "Get(id that Update tried to take)", err, handoff.CodeNotFound)
}

func updateMovesKeys(t *testing.T, s handoff.Store) {
	first, second := Handoff(1), Handoff(2)
	mustCreate(t, s, first)
	mustCreate(t, s, second)
	gone := first.Codes[0]
	renewed := mustUpdate(t, s, first.ID, func(h handoff.Handoff) handoff.Handoff {
		h.Codes = []handoff.RouteCode{{Route: handoff.RouteQR, Hash: handoff.HashOf("renewed")}, h.Codes[1]}
		return h
	})
	wantKeys(t, s, renewed)
	_, err := s.Lookup(t.Context(), handoff.NewKey(handoff.KeyCode, gone.Hash))
	wantCode(t, "Lookup(key that an update took away)", err, handoff.CodeNotFound)

	// What one lets go of, another may take, and the first may not take back.
	taker := mustUpdate(t, s, second.ID, func(h handoff.Handoff) handoff.Handoff {
		h.Codes = append([]handoff.RouteCode{gone}, h.Codes...)
		return h
	})
	wantKeys(t, s, taker)
	_, err = s.Update(t.Context(), first.ID, func(h handoff.Handoff) (handoff.Handoff, error) {
		h.Codes = append([]handoff.RouteCode{gone}, h.Codes...)
		return h, nil
	})
	wantCode(t, "Update(key that was let go and taken)", err, handoff.CodeConflict)
	wantKeys(t, s, taker)
	wantKeys(t, s, renewed)
}

func updateKeyTaken(t *testing.T, s handoff.Store) {
	first, second := Handoff(1), Handoff(2)
	mustCreate(t, s, first)
	mustCreate(t, s, second)
	_, err := s.Update(t.Context(), second.ID, func(h handoff.Handoff) (handoff.Handoff, error) {
		h = claimed(h)
		h.Codes = append([]handoff.RouteCode{first.Codes[0]}, h.Codes[1:]...)
		h.Deadline = h.Deadline.AddDate(-1, 0, 0)
		return h, nil
	})
	wantCode(t, "Update(taken key)", err, handoff.CodeConflict)
	wantStored(t, s, first)
	wantStored(t, s, second)
	wantKeys(t, s, first)
	wantKeys(t, s, second)
	_, err = s.Lookup(t.Context(), handoff.NewKey(handoff.KeyClaim, claimed(second).Claim.Hash))
	wantCode(t, "Lookup(other key of an update that was refused)", err, handoff.CodeNotFound)
	wantDue(t, s, first.DueAt(), 10, first.ID)
}

func deleteForgets(t *testing.T, s handoff.Store) {
	first, second := claimed(Handoff(1)), claimed(Handoff(2))
	mustCreate(t, s, first)
	mustCreate(t, s, second)
	for range 2 {
		if err := s.Delete(t.Context(), first.ID); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		_, err := s.Get(t.Context(), first.ID)
		wantCode(t, "Get(deleted)", err, handoff.CodeNotFound)
		wantNoKeys(t, s, first)
		wantList(t, s, handoff.Query{Partner: first.Partner, Limit: 100}, second.ID)
		wantList(t, s, handoff.Query{Partner: first.Partner, Instance: first.Instance, Limit: 100})
		wantDue(t, s, farFuture(), 10, second.ID)
	}
	wantStored(t, s, second)
	wantKeys(t, s, second)

	mustCreate(t, s, first) // its id and keys are free again
	wantStored(t, s, first)
	wantKeys(t, s, first)
}
