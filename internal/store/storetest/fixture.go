package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Handoff returns the n-th of a row of handoffs of one partner. They share no
// key; a later one is newer, and due later. Each call makes it anew, so callers
// may change it.
func Handoff(n int) handoff.Handoff {
	hash := func(what string) handoff.Hash { return handoff.HashOf(handoff.Secret(fmt.Sprintf("%s %d", what, n))) }
	made := time.Date(2026, 5, 6, 7, 8, 9, 123456789, time.UTC).Add(time.Duration(n) * time.Second)
	return handoff.Handoff{
		ID:         handoff.ID(fmt.Sprintf("ho_%022d", n)),
		Partner:    "acme",
		App:        "main",
		Instance:   handoff.InstanceID(fmt.Sprintf("instance%08d", n)),
		SupportRef: fmt.Sprintf("%06d", n),
		CreatedAt:  made,
		Terms: handoff.Terms{
			Scope: []handoff.Scope{handoff.ScopeMobile}, Reference: fmt.Sprintf("order %d", n), Label: "Account opening",
			ParentOrigin: "https://shop.example", ReturnURL: "https://shop.example/done", Confirmation: handoff.ConfirmAuto,
			ExpiresIn: 15 * time.Minute, CompleteWithin: time.Hour, Retain: 7 * 24 * time.Hour,
			Exchange: handoff.ExchangePortal, CodeMode: handoff.CodeLink, Frame: 5 * time.Second,
		},
		Status:      handoff.StatusDisplayed,
		Seq:         2,
		Events:      []handoff.Event{{Seq: 1, Type: "created", At: made}, {Seq: 2, Type: "displayed", At: made.Add(time.Second)}},
		Deadline:    made.Add(15 * time.Minute),
		DisplayHash: hash("display"),
		DisplayKey:  make(handoff.Sealed, 60),
		Asker:       handoff.Browser{Name: "Chrome", OS: "Windows", Class: handoff.ClassDesktop, Country: "FR"},
		DisplayedAt: made.Add(time.Second),
		FrameKeyID:  "00000000",
		Network:     handoff.Network{Blind: hash("network"), IPv6: true},
		Codes: []handoff.RouteCode{
			{Route: handoff.RouteQR, Hash: hash("qr"), Sealed: make(handoff.Sealed, 60), MadeAt: made},
			{Route: handoff.RouteTyped, Hash: hash("typed"), Sealed: make(handoff.Sealed, 60), MadeAt: made},
		},
	}
}

// claimed is h once a phone has claimed it and picked its token up. It shares no
// memory with h that it changes.
func claimed(h handoff.Handoff) handoff.Handoff {
	hash := func(what string) handoff.Hash { return handoff.HashOf(handoff.Secret(what + string(h.ID))) }
	at := h.CreatedAt.Add(time.Minute)
	h.Status = handoff.StatusClaimed
	h.Seq++
	h.Events = append(slices.Clone(h.Events), handoff.Event{Seq: h.Seq, Type: "claimed", At: at})
	h.Former = []handoff.Former{{Hash: hash("former"), Reason: handoff.ReasonReleased, Pickups: []handoff.Hash{hash("old pickup")}}}
	h.Claim = &handoff.Claim{
		Hash: hash("claim"), Route: handoff.RouteQR, At: at, Until: at.Add(time.Minute), Owner: hash("owner"), ByOwner: make(handoff.Sealed, 60),
		Pickup: &handoff.Pickup{Hash: hash("pickup"), Sealed: make(handoff.Sealed, 60)}, Dead: []handoff.Hash{hash("dead pickup")},
		Report: hash("report"), Near: handoff.NearOther,
	}
	h.Request = &handoff.Request{Key: hash("request"), Body: hash("body")}
	h.Connect = &handoff.Token{Sealed: make(handoff.Sealed, 60), ExpiresAt: at.Add(time.Hour)}
	return h
}

func farFuture() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

func mustCreate(t testing.TB, s handoff.Store, h handoff.Handoff) {
	t.Helper()
	if _, err := s.Create(t.Context(), h); err != nil {
		t.Fatalf("Create(%s): %v", h.ID, err)
	}
}

func mustUpdate(t testing.TB, s handoff.Store, id handoff.ID, fn func(handoff.Handoff) handoff.Handoff) handoff.Handoff {
	t.Helper()
	h, err := s.Update(t.Context(), id, func(h handoff.Handoff) (handoff.Handoff, error) { return fn(h), nil })
	if err != nil {
		t.Fatalf("Update(%s): %v", id, err)
	}
	return h
}

func wantCode(t *testing.T, call string, err error, want handoff.Code) {
	t.Helper()
	if err == nil {
		t.Errorf("%s = nil error, want code %s", call, want)
	} else if got := handoff.CodeOf(err); got != want {
		t.Errorf("%s = error %v of code %s, want %s", call, err, got, want)
	}
}

func wantStored(t *testing.T, s handoff.Store, want handoff.Handoff) {
	t.Helper()
	got, err := s.Get(t.Context(), want.ID)
	if err != nil {
		t.Fatalf("Get(%s): %v", want.ID, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Get(%s) differs (-want +got):\n%s", want.ID, diff)
	}
}

// wantKeys wants every key of h to find it.
func wantKeys(t *testing.T, s handoff.Store, h handoff.Handoff) {
	t.Helper()
	for _, key := range h.Keys() {
		if got, err := s.Lookup(t.Context(), key); err != nil {
			t.Errorf("Lookup(%.12s… of %s): %v", key, h.ID, err)
		} else if got.ID != h.ID {
			t.Errorf("Lookup(%.12s… of %s) = %s", key, h.ID, got.ID)
		}
	}
}

// wantNoKeys wants no key of h to find anything.
func wantNoKeys(t *testing.T, s handoff.Store, h handoff.Handoff) {
	t.Helper()
	for _, key := range h.Keys() {
		_, err := s.Lookup(t.Context(), key)
		wantCode(t, fmt.Sprintf("Lookup(%.12s… of %s, which is not there)", key, h.ID), err, handoff.CodeNotFound)
	}
}

// all walks a list to its end and returns the ids. It fails on a page that is
// too long, and on a list that does not end.
func all(t *testing.T, s handoff.Store, q handoff.Query) []handoff.ID {
	t.Helper()
	var ids []handoff.ID
	for range 10_000 {
		page, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatalf("List(%+v): %v", q, err)
		}
		if len(page.Items) > q.Limit {
			t.Errorf("List(%+v) = %d items, want %d at most", q, len(page.Items), q.Limit)
		}
		for _, h := range page.Items {
			ids = append(ids, h.ID)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return ids
		}
	}
	t.Fatalf("List(%+v) does not come to an end", q)
	return nil
}

func wantList(t *testing.T, s handoff.Store, q handoff.Query, want ...handoff.ID) {
	t.Helper()
	if got := all(t, s, q); !slices.Equal(got, want) {
		t.Errorf("List(%+v) = %v, want %v", q, got, want)
	}
}

func wantDue(t *testing.T, s handoff.Store, at time.Time, limit int, want ...handoff.ID) {
	t.Helper()
	got, err := s.Due(t.Context(), at, limit)
	if err != nil {
		t.Fatalf("Due(%s, %d): %v", at, limit, err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("Due(%s, %d) = %v, want %v", at, limit, got, want)
	}
}
