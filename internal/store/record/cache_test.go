package record_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

func TestCanonical(t *testing.T) {
	now := time.Now() // with a monotonic reading, which a record has not
	for name, h := range map[string]handoff.Handoff{
		"filled": filled(t), "zero": {}, "now": {CreatedAt: now, Poll: handoff.Poll{Next: now}, Events: []handoff.Event{{At: now}}}, "empty": {Codes: []handoff.RouteCode{}},
	} {
		b, err := record.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		want, err := record.Unmarshal(b)
		if err != nil {
			t.Fatal(err)
		}
		got := record.Canonical(h)
		if !reflect.DeepEqual(want, got) { // times by their fields, too
			t.Errorf("Canonical(%s) is not what is read again (-want +got):\n%s", name, cmp.Diff(want, got))
		}
	}
}

// TestCache asks for records of one handoff that change, and of more handoffs than
// are kept.
func TestCache(t *testing.T) {
	c := record.NewCache(4096)
	ask := func(n int, h handoff.Handoff) handoff.Handoff {
		t.Helper()
		b, err := record.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		got, keys, err := c.Unmarshal(h.ID, b)
		clear(b) // the cache has its own
		if diff := cmp.Diff(h, got); err != nil || diff != "" {
			t.Fatalf("Unmarshal(record %d), error %v, differs (-want +got):\n%s", n, err, diff)
		}
		if diff := cmp.Diff(h.Keys(), keys); diff != "" {
			t.Fatalf("keys of record %d (-want +got):\n%s", n, diff)
		}
		return got
	}
	first := filled(t)
	first.CreatedAt = first.CreatedAt.UTC()
	first = record.Canonical(first)
	if a, b := ask(1, first), ask(1, first); &a.Codes[0] != &b.Codes[0] {
		t.Error("the same record is decoded twice")
	}
	ended := first
	ended.ID, ended.Status = "ho_ended", handoff.StatusCompleted
	if a, b := ask(1, ended), ask(1, ended); &a.Codes[0] == &b.Codes[0] {
		t.Error("what has ended is kept decoded")
	}
	live := first
	live.ID = "ho_live"
	before := ask(1, live)
	ended = live
	ended.Status = handoff.StatusCompleted
	ask(1, ended)
	if again := ask(1, live); &before.Codes[0] == &again.Codes[0] {
		t.Error("what has ended elsewhere is kept decoded as it was")
	}
	second := first
	second.Seq++
	if a, b := ask(2, second), ask(1, first); a.Seq == b.Seq {
		t.Error("another record of a handoff gives the same")
	}
	for n := range 9000 {
		ask(n, record.Canonical(made(n)))
	}
	ask(1, first)
	b, err := record.Marshal(second)
	if err != nil {
		t.Fatal(err)
	}
	c.Remember(b, second)
	if got, _, err := c.Unmarshal(second.ID, b); err != nil || got.Seq != second.Seq {
		t.Errorf("Unmarshal(what was remembered) = seq %d, %v, want %d", got.Seq, err, second.Seq)
	}
	if _, _, err := c.Unmarshal(second.ID, b[:len(b)-1]); err == nil {
		t.Error("Unmarshal(torn record) = nil error, want one")
	}
}
