package redislimit_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/limit"
	"github.com/handoff-portal/handoff/internal/limit/redislimit"
	"github.com/handoff-portal/handoff/internal/redistest"
)

func rates() limit.Rates {
	return limit.Rates{
		CreatesPerPartner: limit.Rate{Count: 50, Per: time.Hour},
		ClaimsPerNetwork:  limit.Rate{Count: 10, Per: 200 * time.Millisecond},
		PagesPerNetwork:   limit.Rate{Count: 1200, Per: time.Minute},
		UnknownPerNetwork: limit.Rate{Count: 7, Per: time.Hour},
	}
}

// processes are limiters on one Redis.
func processes(t *testing.T, addr string) []*redislimit.Limiter {
	t.Helper()
	prefix := redistest.Prefix()
	all := make([]*redislimit.Limiter, 3)
	for i := range all {
		client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
		t.Cleanup(func() { client.Close() })
		l, err := redislimit.New(client, prefix, rates())
		if err != nil {
			t.Fatalf("New() error = %v", err)
		}
		all[i] = l
	}
	return all
}

// Of many at once, at three processes, exactly the limit gets through, and what is
// left is counted for all of them.
func TestCountedTogether(t *testing.T) {
	all := processes(t, redistest.Address(t))
	for name, try := range map[string]struct {
		do   func(l *redislimit.Limiter) (bool, time.Duration, error)
		want int64
	}{
		"Take": {func(l *redislimit.Limiter) (bool, time.Duration, error) {
			ok, after, _, err := l.Take(t.Context(), limit.CreatesPerPartner, "acme")
			return ok, after, err
		}, 50},
		"Spend": {func(l *redislimit.Limiter) (bool, time.Duration, error) {
			return l.Spend(t.Context(), limit.TypedPerPartner, "acme")
		}, limit.FailuresPerPartner},
	} {
		var got atomic.Int64
		var wg sync.WaitGroup
		for i := range 180 {
			wg.Go(func() {
				ok, after, err := try.do(all[i%3])
				if err != nil || ok != (after == 0) {
					t.Errorf("%s() = %v, %s, %v", name, ok, after, err)
				}
				if ok {
					got.Add(1)
				}
			})
		}
		wg.Wait()
		if got.Load() != try.want {
			t.Errorf("%s: of 180 at once %d got through, want %d", name, got.Load(), try.want)
		}
	}
	if ok, _, q, err := all[2].Take(t.Context(), limit.CreatesPerPartner, "acme"); err != nil || ok || q.Left != 0 || q.Rate != rates().CreatesPerPartner || q.Full <= 59*time.Minute {
		t.Errorf("Take() after that = %t, %+v, %v, want nothing left", ok, q, err)
	}
	if ok, _, q, err := all[1].Take(t.Context(), limit.CreatesPerPartner, "other"); err != nil || !ok || q.Left != 49 || q.Full != 72*time.Second {
		t.Errorf("Take() of another = %t, %+v, %v, want 49 left, and all in 72 s", ok, q, err)
	}
	if n, err := all[1].Left(t.Context(), limit.TypedPerPartner, "acme"); n != 0 || err != nil {
		t.Errorf("Left() = %d, %v, want 0", n, err)
	}
	if err := all[0].Restore(t.Context(), limit.TypedPerPartner, "acme"); err != nil {
		t.Fatalf("Restore() error = %v", err)
	}
	if n, err := all[1].Left(t.Context(), limit.TypedPerPartner, "acme"); n != 1 || err != nil {
		t.Errorf("Left() after one was restored = %d, %v, want 1", n, err)
	}
	if n, err := all[1].Left(t.Context(), limit.TypedPerPartner, "other"); n != limit.FailuresPerPartner || err != nil {
		t.Errorf("Left() of another = %d, %v, want all", n, err)
	}
}

// Whoever waits as long as told gets one more, and no more than that; a count that
// has run off leaves nothing in Redis.
func TestWaiting(t *testing.T) {
	addr := redistest.Start(t).Addr
	l := processes(t, addr)[0]
	try := func() (bool, time.Duration) {
		ok, after, _, err := l.Take(t.Context(), limit.ClaimsPerNetwork, "a")
		if err != nil {
			t.Fatalf("Take() error = %v", err)
		}
		return ok, after
	}
	var after time.Duration
	for ok := true; ok; ok, after = try() {
	}
	if after <= 0 || after > rates().ClaimsPerNetwork.Step() {
		t.Errorf("Take() says to wait %s, want at most %s", after, rates().ClaimsPerNetwork.Step())
	}
	for !func() bool { ok, _ := try(); return ok }() {
		time.Sleep(after)
	}
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		n, err := client.DBSize(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%d keys are left of a count that has run off", n)
		}
	}
}

// A Redis that stands still is an error soon, and one that is gone at once: nobody
// waits for a count.
func TestNobodyCounts(t *testing.T) {
	server := redistest.Start(t)
	l := processes(t, server.Addr)[0]
	if ok, _, _, err := l.Take(t.Context(), limit.PagesPerNetwork, "a"); !ok || err != nil {
		t.Fatalf("Take() = %v, %v, want it allowed", ok, err)
	}
	server.Kill()
	if ok, _, _, err := l.Take(t.Context(), limit.PagesPerNetwork, "a"); ok || err == nil {
		t.Errorf("Take() without Redis = %v, %v, want an error", ok, err)
	}
	if _, _, err := l.Spend(t.Context(), limit.TypedPerNetwork, "a"); err == nil {
		t.Error("Spend() without Redis = no error")
	}
	for _, err := range []error{
		func() error { _, _, _, err := l.Take(t.Context(), "nothing", "a"); return err }(),
		func() error { _, err := l.Left(t.Context(), "nothing", "a"); return err }(),
		l.Restore(t.Context(), "nothing", "a"),
	} {
		if err == nil {
			t.Error("what has no limit is counted")
		}
	}
}
