package limit_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/limit"
)

// clock is a time that a test puts forward.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_800_000_000, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

func rates() limit.Rates {
	return limit.Rates{
		CreatesPerPartner: limit.Rate{Count: 50, Per: time.Second},
		ClaimsPerNetwork:  limit.Rate{Count: 300, Per: time.Minute},
		PagesPerNetwork:   limit.Rate{Count: 1200, Per: time.Minute},
		UnknownPerNetwork: limit.Rate{Count: 7, Per: time.Hour},
	}
}

func newLimiter(t *testing.T, c *clock) *limit.Limiter {
	t.Helper()
	l, err := limit.New(rates(), c.now)
	if err != nil {
		t.Fatalf("New() error = %v", err)
	}
	return l
}

func allow(t *testing.T, l *limit.Limiter, kind limit.Kind, key string) (bool, time.Duration) {
	t.Helper()
	ok, after, _, err := l.Take(t.Context(), kind, key)
	if err != nil {
		t.Fatalf("Take(%s, %s) error = %v", kind, key, err)
	}
	if ok != (after == 0) {
		t.Errorf("Take(%s, %s) = %v, %s: a time to wait goes with a refusal", kind, key, ok, after)
	}
	return ok, after
}

// allowed is how many of n in a row are allowed.
func allowed(t *testing.T, l *limit.Limiter, kind limit.Kind, key string, n int) int {
	t.Helper()
	count := 0
	for range n {
		if ok, _ := allow(t, l, kind, key); ok {
			count++
		}
	}
	return count
}

func TestTake(t *testing.T) {
	for kind, r := range map[limit.Kind]limit.Rate{
		limit.CreatesPerPartner: rates().CreatesPerPartner, limit.ClaimsPerNetwork: rates().ClaimsPerNetwork,
		limit.PagesPerNetwork: rates().PagesPerNetwork, limit.UnknownPerNetwork: rates().UnknownPerNetwork,
		limit.UpkeepPerPage:      {Count: 600, Per: time.Minute},
		limit.MessagesPerHandoff: {Count: 5, Per: time.Hour}, limit.MessagesPerRecipient: {Count: 5, Per: time.Hour},
		limit.MessagesPerNetwork: {Count: 30, Per: time.Hour}, limit.MessagesPerArea: {Count: 600, Per: time.Hour},
	} {
		t.Run(string(kind), func(t *testing.T) {
			c := &clock{}
			l := newLimiter(t, c)
			if got := allowed(t, l, kind, "a", 2*r.Count); got != r.Count {
				t.Errorf("of %d at once %d are allowed, want %d", 2*r.Count, got, r.Count)
			}
			if got := allowed(t, l, kind, "b", 1); got != 1 {
				t.Error("another key is refused too")
			}
			_, after := allow(t, l, kind, "a")
			if want := r.Per / time.Duration(r.Count); after > want {
				t.Errorf("Take() says to wait %s, want at most %s", after, want)
			}
			c.advance(after - 1)
			if ok, _ := allow(t, l, kind, "a"); ok {
				t.Errorf("one is allowed before the %s that were named", after)
			}
			c.advance(1)
			if got := allowed(t, l, kind, "a", 2); got != 1 {
				t.Errorf("after the time named, of two %d are allowed, want 1", got)
			}
			c.advance(5 * r.Per) // what was not used is not saved up
			if got := allowed(t, l, kind, "a", 2*r.Count); got != r.Count {
				t.Errorf("%s later, of %d at once %d are allowed, want %d", 5*r.Per, 2*r.Count, got, r.Count)
			}
		})
	}
}

// TestAllowAtOnce: of many at once exactly the limit gets through.
func TestTakeAtOnce(t *testing.T) {
	l := newLimiter(t, &clock{})
	var got atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if ok, _, _, err := l.Take(t.Context(), limit.CreatesPerPartner, "acme"); err == nil && ok {
				got.Add(1)
			}
		})
	}
	wg.Wait()
	if got.Load() != 50 {
		t.Errorf("of 200 at once %d are allowed, want 50", got.Load())
	}
}

func TestFaults(t *testing.T) {
	l := newLimiter(t, &clock{})
	if ok, _, _, err := l.Take(t.Context(), "nothing", "a"); ok || err == nil {
		t.Errorf("Take(no kind) = %v, %v, want false and an error", ok, err)
	}
	if ok, _, err := l.Spend(t.Context(), "nothing", "a"); ok || err == nil {
		t.Errorf("Spend(no kind) = %v, %v, want false and an error", ok, err)
	}
	if n, err := l.Left(t.Context(), "nothing", "a"); n != 0 || err == nil {
		t.Errorf("Left(no kind) = %d, %v, want 0 and an error", n, err)
	}
	if err := l.Restore(t.Context(), "nothing", "a"); err == nil {
		t.Error("Restore(no kind) = nil, want an error")
	}
	for _, bad := range []limit.Rate{{}, {Count: -1, Per: time.Second}, {Count: 1}} {
		r := rates()
		r.ClaimsPerNetwork = bad
		if _, err := limit.New(r, time.Now); err == nil {
			t.Errorf("New(claims %v) error = nil, want one", bad)
		}
	}
}

func TestSpend(t *testing.T) {
	for kind, count := range map[limit.Failure]int{limit.TypedPerNetwork: 5, limit.TypedPerPartner: 100} {
		t.Run(string(kind), func(t *testing.T) {
			c := &clock{}
			l := newLimiter(t, c)
			spend := func() (bool, time.Duration) {
				t.Helper()
				ok, after, err := l.Spend(t.Context(), kind, "a")
				if err != nil {
					t.Fatal(err)
				}
				return ok, after
			}
			wantLeft := func(want int) {
				t.Helper()
				if got, err := l.Left(t.Context(), kind, "a"); err != nil || got != want {
					t.Errorf("Left() = %d, %v, want %d", got, err, want)
				}
			}
			wantLeft(count)
			for i := range count {
				if ok, _ := spend(); !ok {
					t.Fatalf("Spend() number %d = false, want true", i+1)
				}
				wantLeft(count - i - 1)
				c.advance(time.Second)
			}
			// No stretch of ten minutes has more: the first was count seconds ago.
			want := 10*time.Minute - time.Duration(count)*time.Second
			if ok, after := spend(); ok || after != want {
				t.Errorf("Spend() beyond the budget = %v, %s, want false, %s", ok, after, want)
			}
			if err := l.Restore(t.Context(), kind, "a"); err != nil {
				t.Fatal(err)
			}
			wantLeft(1)
			if ok, _ := spend(); !ok {
				t.Error("Spend() after Restore = false, want true")
			}
			c.advance(want - 1)
			wantLeft(0)
			c.advance(1)
			wantLeft(1)
			c.advance(time.Hour)
			wantLeft(count)
			if err := l.Restore(t.Context(), kind, "nobody"); err != nil {
				t.Errorf("Restore(nobody's) = %v, want nil", err)
			}
		})
	}
}

// TestSpendAtOnce: guessing many at once gets no more guesses.
func TestSpendAtOnce(t *testing.T) {
	l := newLimiter(t, &clock{})
	var got atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if ok, _, err := l.Spend(t.Context(), limit.TypedPerNetwork, "a"); err == nil && ok {
				got.Add(1)
			}
		})
	}
	wg.Wait()
	if got.Load() != 5 {
		t.Errorf("of 200 at once %d are spent, want 5", got.Load())
	}
}

// TestManyNetworks: with more networks than are kept, the busy one stays counted.
func TestManyNetworks(t *testing.T) {
	l := newLimiter(t, &clock{})
	allowed(t, l, limit.ClaimsPerNetwork, "busy", 300)
	for range 5 {
		if _, _, err := l.Spend(t.Context(), limit.TypedPerNetwork, "busy"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100_000 {
		key := strconv.Itoa(i)
		if ok, _ := allow(t, l, limit.ClaimsPerNetwork, key); !ok {
			t.Fatalf("network %d is refused because of others", i)
		}
		if ok, _, _ := l.Spend(t.Context(), limit.TypedPerNetwork, key); !ok {
			t.Fatalf("network %d has no failure left because of others", i)
		}
	}
	if ok, _ := allow(t, l, limit.ClaimsPerNetwork, "busy"); ok {
		t.Error("the busy network's claims were forgotten")
	}
	if n, err := l.Left(t.Context(), limit.TypedPerNetwork, "busy"); err != nil || n != 0 {
		t.Errorf("Left(busy) = %d, %v, want 0", n, err)
	}
}

func BenchmarkTake(b *testing.B) {
	l, err := limit.New(rates(), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	for name, networks := range map[string]int{"one network": 1, "many networks": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			keys := make([]string, networks)
			for i := range keys {
				keys[i] = fmt.Sprintf("10.%d.%d.%d/32", i>>16, i>>8&255, i&255)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, _, _, err := l.Take(b.Context(), limit.PagesPerNetwork, keys[i%networks]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	c := &clock{}
	l := newLimiter(t, c)
	want := func(left int, full time.Duration) {
		t.Helper()
		ok, after, q, err := l.Take(t.Context(), limit.ClaimsPerNetwork, "a")
		if err != nil || q.Rate != rates().ClaimsPerNetwork || q.Left != left || q.Full != full || ok != (after == 0) {
			t.Errorf("Take() = %t, %s, %+v, %v, want %d left and full in %s", ok, after, q, err, left, full)
		}
	}
	want(299, 200*time.Millisecond)
	allowed(t, l, limit.ClaimsPerNetwork, "a", 9)
	allowed(t, l, limit.ClaimsPerNetwork, "b", 5)
	want(289, 2200*time.Millisecond)
	allowed(t, l, limit.ClaimsPerNetwork, "a", 400)
	want(0, time.Minute)
	want(0, time.Minute) // a refused one counts nothing
	c.advance(30 * time.Second)
	want(149, 30*time.Second+200*time.Millisecond)
	c.advance(time.Hour)
	want(299, 200*time.Millisecond)
	if _, _, _, err := l.Take(t.Context(), "nothing", "a"); err == nil {
		t.Error("Take of no kind = nil error, want one")
	}
}
