package platform_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// retryAfterOf is when an error says to try again.
func retryAfterOf(err error) time.Duration {
	if e, ok := errors.AsType[*handoff.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

func TestBreaker(t *testing.T) {
	for _, f := range []platformsim.Fault{
		{Kind: "delay", DelayMS: 60_000}, {Kind: "status", Status: 500}, {Kind: "drop_before"}, {Kind: "html"}, {Kind: "in_band"},
	} {
		t.Run(f.Kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, options{edit: func(c *platform.Config) { c.Attempts, c.Failures, c.CoolDown = 1, 5, 30*time.Second }})
				token := w.start()
				for _, f.Call = range []string{"state", "connect"} {
					f.Count = 1000
					w.fault(f)
				}
				for i := range 5 {
					wantCode(t, "state before it opens", w.try("state"), handoff.CodePlatformUnavailable)
					if got := w.count("state"); got != i+1 {
						t.Fatalf("state reached the platform %d times, want %d", got, i+1)
					}
				}
				// Open: at once, nothing sent, the connect token still good.
				began := time.Now()
				err := w.try("state")
				wantCode(t, "state while it is open", err, handoff.CodePlatformUnavailable)
				if got := retryAfterOf(err); got != 30*time.Second {
					t.Errorf("RetryAfter = %s, want 30s", got)
				}
				_, err = w.ConnectDevice(t.Context(), token.Token, phone())
				wantCode(t, "connect while it is open", err, handoff.CodePlatformUnavailable)
				if took := time.Since(began); took != 0 {
					t.Errorf("two calls took %s while it is open, want no time", took)
				}
				if got := w.count("state") + w.count("connect"); got != 5 {
					t.Errorf("%d calls reached the platform, want the 5 of before", got)
				}
				// Half open: one probe, whose failure shuts it again.
				time.Sleep(30 * time.Second)
				var callers sync.WaitGroup
				for range 20 {
					callers.Go(func() { wantCode(t, "state while a probe is out", w.try("state"), handoff.CodePlatformUnavailable) })
				}
				callers.Wait()
				if got := w.count("state"); got != 6 {
					t.Errorf("state reached the platform %d times, want 5 and one probe", got)
				}
				// The platform recovers, a probe finds out, and it is shut no more.
				w.Reset()
				time.Sleep(30 * time.Second)
				for range 3 {
					wantCode(t, "state once the platform is back", w.try("state"), "")
				}
			})
		})
	}
}

// TestBreakerCountsInARow: refusals are answers, and answers start the count anew.
func TestBreakerCountsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{edit: func(c *platform.Config) { c.Attempts, c.Failures = 1, 3 }})
		for range 10 {
			w.fault(platformsim.Fault{Call: "state", Kind: "status", Status: 500, Count: 2})
			w.fault(platformsim.Fault{Call: "state", Kind: "status", Status: 404})
		}
		for range 30 {
			_ = w.try("state")
		}
		wantCode(t, "state after 20 failures, never three in a row", w.try("state"), "")
	})
}

// TestBreakerIgnoresCallers: who leaves, or comes too late, says nothing about
// the platform, and who comes too late sends nothing.
func TestBreakerIgnoresCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{edit: func(c *platform.Config) { c.Failures = 3 }})
		w.start()
		w.fault(platformsim.Fault{Call: "state", Kind: "delay", DelayMS: 5000, Count: 5})
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, err := w.State(ctx, instance)
			wantCode(t, "State given up", err, handoff.CodePlatformUnavailable)
		}
		late, cancel := context.WithDeadline(t.Context(), time.Now())
		defer cancel()
		for range 5 {
			_, err := w.State(late, instance)
			wantCode(t, "State asked too late", err, handoff.CodePlatformUnavailable)
		}
		wantCode(t, "State after all that", w.try("state"), "")
		if got := w.count("state"); got != 6 {
			t.Errorf("state reached the platform %d times, want 6", got)
		}
	})
}

// TestBreakerOfTokenService: a connect needs no access token, so it is not kept
// from the platform by a token service that is away.
func TestBreakerOfTokenService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{edit: func(c *platform.Config) { c.Attempts, c.Failures = 1, 3 }})
		token := w.start()
		w.fault(platformsim.Fault{Call: "token", Kind: "status", Status: 503, Count: 1000})
		for range 5 {
			wantCode(t, "Authenticate", w.Authenticate(t.Context()), handoff.CodePlatformUnavailable)
		}
		if got := w.count("token"); got != 4 {
			t.Errorf("the token service was asked %d times, want 4: once well, then three until its breaker opens", got)
		}
		if _, err := w.ConnectDevice(t.Context(), token.Token, phone()); err != nil {
			t.Errorf("ConnectDevice = %v, want success", err)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	for _, status := range []int{429, 503} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{})
			w.start()
			// A short one is waited for.
			w.fault(platformsim.Fault{Call: "state", Kind: "status", Status: status, RetryAfter: 2})
			began := time.Now()
			wantCode(t, "state with a short Retry-After", w.try("state"), "")
			if got := time.Since(began); got != 2*time.Second {
				t.Errorf("%d: state took %s, want 2s", status, got)
			}
			// A long one is passed on, and kept for others who ask.
			w.fault(platformsim.Fault{Call: "state", Kind: "status", Status: status, RetryAfter: 60})
			began = time.Now()
			err := w.try("state")
			wantCode(t, "state with a long Retry-After", err, handoff.CodePlatformUnavailable)
			if got := retryAfterOf(err); got != time.Minute || time.Since(began) != 0 {
				t.Errorf("%d: RetryAfter = %s after %s, want 1m0s at once", status, got, time.Since(began))
			}
			sent := w.count("state")
			time.Sleep(20 * time.Second)
			err = w.try("state")
			wantCode(t, "state 20 s later", err, handoff.CodePlatformUnavailable)
			if got := retryAfterOf(err); got != 40*time.Second || w.count("state") != sent {
				t.Errorf("%d: RetryAfter = %s and %d more calls, want 40s and none", status, got, w.count("state")-sent)
			}
			wantCode(t, "start meanwhile", w.try("start"), "")
			time.Sleep(40 * time.Second)
			wantCode(t, "state when it is over", w.try("state"), "")
		})
	}
}
