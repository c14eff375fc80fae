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

// TestOneTokenForAll: a hundred callers at once make one fetch, and the one who
// began it takes it from nobody by leaving.
func TestOneTokenForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{})
		w.fault(platformsim.Fault{Call: "token", Kind: "delay", DelayMS: 2000})
		first, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := w.State(first, instance); !errors.Is(err, context.Canceled) {
				t.Errorf("State of the caller who left = %v, want context.Canceled", err)
			}
		})
		synctest.Wait()
		for range 100 {
			callers.Go(func() {
				if _, err := w.State(t.Context(), instance); err != nil {
					t.Errorf("State = %v, want success", err)
				}
			})
		}
		synctest.Wait()
		leave()
		callers.Wait()
		if got := w.count("token"); got != 1 {
			t.Errorf("101 callers made %d fetches of a token, want 1", got)
		}
		if got := w.count("state"); got != 100 {
			t.Errorf("state was called %d times, want 100", got)
		}
	})
}

// TestTokenIsRenewedEarly lets time pass under steady use: nobody ever waits for
// a token after the first, and none is used once it has expired.
func TestTokenIsRenewedEarly(t *testing.T) {
	for _, tt := range []struct {
		life time.Duration
		want int
	}{{5 * time.Minute, 15}, {time.Hour, 2}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{sim: platformsim.Options{AccessLifetime: tt.life}})
			w.start()
			w.fault(platformsim.Fault{Call: "token", Kind: "delay", DelayMS: 3000, Count: 1000})
			for range 700 {
				time.Sleep(5 * time.Second)
				began := time.Now()
				if _, err := w.State(t.Context(), instance); err != nil || time.Since(began) != 0 {
					t.Fatalf("State = %v after %s, want success at once", err, time.Since(began))
				}
			}
			for _, c := range w.Calls() {
				if c.Status == 401 {
					t.Errorf("the platform refused %+v, want a token that is good", c)
				}
			}
			if got := w.count("token"); got != tt.want {
				t.Errorf("tokens of %s: %d fetches in 3500 s, want %d", tt.life, got, tt.want)
			}
		})
	}
}

// TestRenewalFails: while a token is good, a token service that is away troubles
// nobody; once it is not, callers are told, and afterwards all is well.
func TestRenewalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{
			sim:  platformsim.Options{AccessLifetime: 5 * time.Minute},
			edit: func(c *platform.Config) { c.Failures = 1000 }, // the breaker is not what is looked at
		})
		w.start()
		w.fault(platformsim.Fault{Call: "token", Kind: "status", Status: 503, Count: 100_000})
		for range 48 {
			time.Sleep(6 * time.Second)
			if _, err := w.State(t.Context(), instance); err != nil {
				t.Fatalf("State while the token is good = %v, want success", err)
			}
		}
		time.Sleep(time.Second)
		if got := w.count("token"); got != 1+5*3 { // at 240, 252, … 288 s
			t.Errorf("%d fetches of a token, want 16: a pause between those that fail", got)
		}
		time.Sleep(6 * time.Second)
		_, err := w.State(t.Context(), instance)
		wantCode(t, "State once the token has expired", err, handoff.CodePlatformUnavailable)
		w.Reset()
		time.Sleep(10 * time.Second)
		wantCode(t, "State once the token service is back", w.try("state"), "")
	})
}

// TestNewTokenAfter401: the platform forgets a token, and each call that meets a
// 401 gets a new one once; all of them together fetch one.
func TestNewTokenAfter401(t *testing.T) {
	for _, call := range []string{"start", "state", "journey"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{})
			wantCode(t, call, w.try(call), "")
			w.Reset() // forgets the token
			var callers sync.WaitGroup
			for range 20 {
				callers.Go(func() { wantCode(t, call+" with a token that is forgotten", w.try(call), "") })
			}
			callers.Wait()
			if got := w.count("token"); got != 1 {
				t.Errorf("%s: %d fetches of a token, want 1", call, got)
			}
			before := w.count(call)
			w.fault(platformsim.Fault{Call: call, Kind: "status", Status: 401, Count: 100})
			wantCode(t, call+" with a 401 that stays", w.try(call), handoff.CodePlatformUnavailable)
			if got := w.count(call) - before; got != 2 {
				t.Errorf("%s was sent %d times, want twice", call, got)
			}
			found := false
			for _, line := range w.log() {
				found = found || line["level"] == "ERROR" && line["call"] == call
			}
			if !found {
				t.Errorf("a 401 that stays is no error in the log:\n%s", w.logs.String())
			}
		})
	}
}

// TestRefusedCredential: the service is not asked again and again with a
// credential it refuses, and an operator can see why.
func TestRefusedCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{})
		w.fault(platformsim.Fault{Call: "token", Kind: "status", Status: 401, Count: 100})
		err := w.Authenticate(t.Context())
		wantCode(t, "Authenticate", err, handoff.CodePlatformUnavailable)
		if e, ok := errors.AsType[*handoff.Error](err); !ok || e.Detail != "the identity platform's token service refuses the portal's credential (status 401)" {
			t.Errorf("Authenticate = %v, want a detail that speaks of the credential", err)
		}
		for range 50 {
			wantCode(t, "state", w.try("state"), handoff.CodePlatformUnavailable)
		}
		if got := w.count("token"); got != 1 {
			t.Errorf("the token service was asked %d times at once, want 1", got)
		}
		if line := w.log()[0]; line["level"] != "ERROR" {
			t.Errorf("log line %v, want an error", line)
		}
	})
}

// TestRefusedTokenIsNoAnswerOfTheCall: a 403 or 404 of the token service says
// nothing about the journey or its context.
func TestRefusedTokenIsNoAnswerOfTheCall(t *testing.T) {
	for _, status := range []int{400, 403, 404} {
		for _, call := range []string{"start", "state", "journey"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, options{})
				w.fault(platformsim.Fault{Call: "token", Kind: "status", Status: status})
				wantCode(t, call+" without a token", w.try(call), handoff.CodePlatformUnavailable)
			})
		}
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{})
		w.fault(platformsim.Fault{Call: "token", Kind: "delay", DelayMS: 5000})
		time.AfterFunc(time.Second, w.Close)
		began := time.Now()
		wantCode(t, "state", w.try("state"), handoff.CodePlatformUnavailable)
		if got := time.Since(began); got != time.Second {
			t.Errorf("the call took %s, want 1s: Close ends it", got)
		}
	})
}
