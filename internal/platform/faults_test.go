package platform_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// trouble is a fault and what it comes to when it does not go away.
type trouble struct {
	fault   platformsim.Fault
	state   handoff.Code // start and state
	connect handoff.Code
	journey handoff.Code
	passing bool // start, state and token succeed when it happens once
}

func troubles() []trouble {
	const (
		invalid     = handoff.CodeInvalid
		unavailable = handoff.CodePlatformUnavailable
		unknown     = handoff.CodeUnknownJourney
		spent       = handoff.CodeConnectSpent
		lost        = handoff.CodeConnectLost
		begun       = handoff.CodeJourneyLost // perhaps
		notAllowed  = handoff.CodeDeviceNotAllowed
	)
	status := func(n int) platformsim.Fault { return platformsim.Fault{Kind: "status", Status: n} }
	return []trouble{
		{status(400), unavailable, spent, invalid, false},
		{status(401), unavailable, spent, unavailable, false}, // once: see TestNewTokenAfter401
		{status(403), unknown, notAllowed, unknown, false},
		{status(404), unknown, unknown, unknown, false},
		{status(405), unavailable, lost, unavailable, false},
		{status(429), unavailable, unavailable, unavailable, true},
		{status(500), unavailable, lost, begun, true},
		{status(503), unavailable, lost, begun, true},
		{platformsim.Fault{Kind: "delay", DelayMS: 60_000}, unavailable, lost, begun, true},
		{platformsim.Fault{Kind: "drop_before"}, unavailable, lost, begun, true},
		{platformsim.Fault{Kind: "drop_after"}, unavailable, lost, begun, true},
		{platformsim.Fault{Kind: "malformed"}, unavailable, lost, begun, true},
		{platformsim.Fault{Kind: "html"}, unavailable, lost, begun, true},
		{platformsim.Fault{Kind: "html", Status: 200}, unavailable, lost, begun, true},
		{platformsim.Fault{Kind: "html", Status: 404}, unavailable, lost, unavailable, false},
		{platformsim.Fault{Kind: "html", Status: 403}, unavailable, lost, unavailable, false},
		{platformsim.Fault{Kind: "in_band"}, unavailable, lost, begun, true},
		{platformsim.Fault{Kind: "in_band", Status: 404}, unknown, unknown, unknown, false},
	}
}

func (tr trouble) code(call string) handoff.Code {
	switch call {
	case "connect":
		return tr.connect
	case "journey":
		return tr.journey
	case "token":
		return handoff.CodePlatformUnavailable
	default:
		return tr.state
	}
}

// TestFaults makes every call with every fault, for good and once, in every setup.
func TestFaults(t *testing.T) {
	for _, s := range setups() {
		for _, call := range []string{"token", "start", "connect", "state", "journey"} {
			for _, tr := range troubles() {
				f := tr.fault
				f.Call = call
				what := s.name + " " + call + " " + f.Kind + " " + strconv.Itoa(f.Status)
				t.Run(what, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { lasting(t, s, f, tr.code(call)) })
					synctest.Test(t, func(t *testing.T) { once(t, s, f, tr) })
				})
			}
		}
	}
}

// lasting is a fault that does not go away.
func lasting(t *testing.T, s setup, f platformsim.Fault, want handoff.Code) {
	w := newWorld(t, options{setup: s})
	f.Count = 1000
	w.fault(f)
	began := time.Now()
	err := w.try(f.Call)
	wantCode(t, "with a lasting fault", err, want)
	if took := time.Since(began); took >= handoff.WorkLease {
		t.Errorf("the call took %s, want less than %s", took, handoff.WorkLease)
	}
	if n := w.count(f.Call); f.Call == "connect" && n != 1 {
		t.Errorf("connect was sent %d times, want once: %+v", n, w.Calls())
	} else if n > 3 {
		t.Errorf("%s was sent %d times, want at most 3", f.Call, n)
	}
	if n := w.count("journey"); f.Call == "journey" && f.Kind != "status" && n != 1 {
		t.Errorf("journey/start was sent %d times, want once: %+v", n, w.Calls())
	}
	w.checkLog(f)
}

// once is a fault that happens once.
func once(t *testing.T, s setup, f platformsim.Fault, tr trouble) {
	w := newWorld(t, options{setup: s})
	w.fault(f)
	want := tr.code(f.Call)
	switch {
	case f.Status == 401 && f.Call != "connect" && f.Call != "token",
		f.Status == 429 && f.Call != "connect",
		tr.passing && f.Call != "connect" && f.Call != "journey":
		want = ""
	}
	wantCode(t, "with a fault that happens once", w.try(f.Call), want)
	if n := w.count("connect"); f.Call == "connect" && n != 1 {
		t.Errorf("connect was sent %d times, want once: %+v", n, w.Calls())
	}
	if f.Call != "connect" {
		time.Sleep(time.Minute)
		wantCode(t, "afterwards", w.try(f.Call), "")
		return
	}
	wantCode(t, "a start and a connect after the fault", w.try("connect"), "")
}

// checkLog checks that each failed attempt is one line that says what an
// operator needs, and that no line says what it must not.
func (w *world) checkLog(f platformsim.Fault) {
	w.t.Helper()
	synctest.Wait() // the fetch of a token ends by itself, maybe after its callers
	lines := 0
	for _, line := range w.log() {
		if line["msg"] != "platform call failed" {
			continue
		}
		lines++
		id, _ := line["upstream_request_id"].(string)
		answered := f.Kind != "drop_before" && f.Kind != "drop_after" && f.Kind != "delay"
		if answered && (id == "" || !slices.Contains(w.ids, id)) {
			w.t.Errorf("log line %v has no request id of the platform's %v", line, w.ids)
		}
		for _, key := range []string{"call", "status", "attempt", "duration"} {
			if line[key] == nil {
				w.t.Errorf("log line %v has no %s", line, key)
			}
		}
	}
	if n := w.count(f.Call); lines != n {
		w.t.Errorf("%d log lines for %d failed calls:\n%s", lines, n, w.logs.String())
	}
	secrets := append([]string{clientID, username, password, "client_secret", "a fault that was asked for", "<html", "platform.example"}, w.secrets...)
	for _, secret := range secrets {
		if strings.Contains(w.logs.String(), secret) {
			w.t.Errorf("the log says %q:\n%s", secret, w.logs.String())
		}
	}
}

func TestErrorsNameTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{})
		token := w.start()
		w.fault(platformsim.Fault{Call: "connect", Kind: "status", Status: 503, RetryAfter: 7})
		_, err := w.ConnectDevice(t.Context(), token.Token, phone())
		e, ok := errors.AsType[*handoff.Error](err)
		if !ok || e.UpstreamID == "" || !slices.Contains(w.ids, e.UpstreamID) {
			t.Errorf("ConnectDevice = %v, want the platform's request id, one of %v", err, w.ids)
		}
		if strings.Contains(err.Error(), token.Token.Reveal()) || strings.Contains(err.Error(), "platform.example") {
			t.Errorf("ConnectDevice = %q, want neither token nor address in it", err)
		}
	})
}

// TestConnectNotSent: what never left us spends nothing, and so is not lost.
func TestConnectNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{})
		token := w.start()
		w.dropConnections()
		_, err := w.ConnectDevice(t.Context(), token.Token, phone())
		wantCode(t, "ConnectDevice without a connection", err, handoff.CodePlatformUnavailable)
		w.refuse(false)
		if _, err := w.ConnectDevice(t.Context(), token.Token, phone()); err != nil {
			t.Errorf("ConnectDevice afterwards = %v, want success with the same token", err)
		}
	})
}

// TestConnectGivenUp: a caller who leaves does not know either.
func TestConnectGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{})
		token := w.start()
		w.fault(platformsim.Fault{Call: "connect", Kind: "delay", DelayMS: 5000})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := w.ConnectDevice(ctx, token.Token, phone())
		wantCode(t, "ConnectDevice given up", err, handoff.CodeConnectLost)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ConnectDevice = %v, want context.Canceled within", err)
		}
	})
}

// TestBudget: the time of all attempts together is bounded, and so is the
// caller's.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{edit: func(c *platform.Config) { c.Timeout, c.Budget, c.Attempts = 8*time.Second, 20*time.Second, 9 }})
		w.start()
		w.fault(platformsim.Fault{Call: "state", Kind: "delay", DelayMS: 60_000, Count: 100})
		began := time.Now()
		_, err := w.State(t.Context(), instance)
		wantCode(t, "State of a slow platform", err, handoff.CodePlatformUnavailable)
		if got := time.Since(began); got != 20*time.Second {
			t.Errorf("State took %s, want 20s", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began = time.Now()
		_, err = w.State(ctx, instance)
		wantCode(t, "State with 3 s", err, handoff.CodePlatformUnavailable)
		if got := time.Since(began); got != 3*time.Second {
			t.Errorf("State took %s, want 3s", got)
		}
	})
}
