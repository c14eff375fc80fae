package phone_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/phone"
)

// play runs the reference app and returns all it printed, too.
func play(t *testing.T, o phone.Options) (phone.Result, string, *waits, error) {
	t.Helper()
	var out bytes.Buffer
	w := &waits{}
	now := func() time.Time { return at }
	o.Say, o.Now, o.Report = &out, now, true
	o.Client = phone.NewClient(phone.Config{Now: now, Wait: w.wait, Warn: func(s string) { out.WriteString(s + "\n") }})
	if o.Consent == nil {
		o.Consent = func(context.Context, phone.Context) (bool, error) { return true, nil }
	}
	r, err := phone.Run(t.Context(), o)
	b, jerr := json.Marshal(r)
	if jerr != nil {
		t.Fatal(jerr)
	}
	printed := out.String() + string(b) + fmt.Sprint(err)
	for _, secret := range []string{endUserToken, connectToken, "signature-canary", "c2lnbmF0dXJlLWNhbmFyeQ", "claim-canary", "report-canary", "John Person", "good.1.mac"} {
		if strings.Contains(printed, secret) {
			t.Errorf("Run(%q) printed %q:\n%s", o.Input, secret, printed)
		}
	}
	return r, out.String(), w, err
}

func TestRunClaims(t *testing.T) {
	p := newPortal(t)
	p.number, p.notYet = "4831", 2
	r, said, w, err := play(t, phone.Options{Input: p.URL + "/c/acme/good.1.mac", Finish: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome != phone.OutcomeFinished || !r.NumberAsked || r.Token.Length != len(endUserToken) || r.Token.ExpiresIn != 3599 {
		t.Errorf("Run result = %+v, want a finished journey, a number asked for and the token's length and life", r)
	}
	want := []string{
		"Acme Bank asks you to carry on here with “Account opening”. It was asked for in Chrome on Windows, 1 minute ago.",
		"Type this number on the computer: 4831",
		fmt.Sprintf("Got: end-user token, %d characters, expires in 60 minutes.", len(endUserToken)),
	}
	for _, line := range want {
		if !strings.Contains(said, line) {
			t.Errorf("Run said\n%s\nwant a line %q", said, line)
		}
	}
	if got, want := w.d, []time.Duration{5 * time.Second, 5 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("Run waited %v between calls for the token, want %v as Retry-After asks", got, want)
	}
	if diff := cmp.Diff([]string{"started", "finished"}, p.reported()); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
	if got := p.called("/journey/interaction/submit"); got != 1 || p.finished != 1 {
		t.Errorf("the platform saw %d submits and %d ends, want 1 of each", got, p.finished)
	}
	if _, ok := r.Token.Claims["exp"]; !ok || r.Token.Claims["sub"] != nil {
		t.Errorf("claims told = %v, want exp and no sub", r.Token.Claims)
	}
}

func TestRunSaysNo(t *testing.T) {
	p := newPortal(t)
	no := func(context.Context, phone.Context) (bool, error) { return false, nil }
	r, _, _, err := play(t, phone.Options{Input: p.URL + "/c/acme/good.1.mac", Consent: no})
	if err != nil || r.Outcome != phone.OutcomeRejected {
		t.Errorf("Run = %q, %v, want %q", r.Outcome, err, phone.OutcomeRejected)
	}
	if got := p.called("/reject"); got != 1 {
		t.Errorf("reject was called %d times, want once", got)
	}
	if got := p.called("/token"); got != 0 {
		t.Errorf("the token was asked for %d times after a no, want never", got)
	}
}

func TestRunAsksBeforeClaiming(t *testing.T) {
	p := newPortal(t)
	_, err := phone.Run(t.Context(), phone.Options{Input: p.URL + "/c/acme/good.1.mac", Client: phone.NewClient(phone.Config{})})
	if !errors.Is(err, phone.ErrNobody) || p.called("/v1/claims") != 0 {
		t.Errorf("Run with nobody to ask = %v after %d claims, want %v and none", err, p.called("/v1/claims"), phone.ErrNobody)
	}
}

func TestRunTypedDigits(t *testing.T) {
	p := newPortal(t)
	r, _, _, err := play(t, phone.Options{Input: "12345 67890", Portal: p.URL, Partner: "acme"})
	if err != nil || r.Outcome != phone.OutcomeDelivered {
		t.Errorf("Run = %q, %v, want %q", r.Outcome, err, phone.OutcomeDelivered)
	}
}

func TestRunPickupRepeatsOneVerifier(t *testing.T) {
	p := newPortal(t)
	p.lose = 3
	r, _, w, err := play(t, phone.Options{Input: p.URL + "/a/acme/pickup-canary"})
	if err != nil || r.Outcome != phone.OutcomeDelivered {
		t.Fatalf("Run = %q, %v, want %q", r.Outcome, err, phone.OutcomeDelivered)
	}
	if len(p.pickups) != 4 || len(p.pickups[0]) != 43 {
		t.Fatalf("pickups were asked for with %d verifiers of %d characters, want 4 of 43", len(p.pickups), len(p.pickups[0]))
	}
	for _, v := range p.pickups {
		if v != p.pickups[0] {
			t.Error("a repeated pickup used another verifier, want the same one")
		}
	}
	if len(w.d) != 3 || w.d[2] <= w.d[0]/2 {
		t.Errorf("Run waited %v, want three growing pauses", w.d)
	}
}

// A report's address is a capability, and its loss stops nothing.
func TestRunReportLost(t *testing.T) {
	p := newPortal(t)
	p.lose, p.losePath = 100, "/v1/reports/"
	r, said, _, err := play(t, phone.Options{Input: p.URL + "/a/acme/pickup-canary"})
	if err != nil || r.Outcome != phone.OutcomeDelivered || len(r.Reported) != 0 {
		t.Errorf("Run = %+v, %v, want it to go on without reports", r, err)
	}
	if !strings.Contains(said, "Could not report") {
		t.Errorf("Run said %q, want it to tell of the lost report", said)
	}
}

func TestRunWaitsAsAskedWhenBusy(t *testing.T) {
	p := newPortal(t)
	p.busy = 2
	_, said, w, err := play(t, phone.Options{Input: p.URL + "/c/acme/good.1.mac"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.d, []time.Duration{3 * time.Second, 3 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("Run waited %v, want %v as Retry-After asks", got, want)
	}
	if !strings.Contains(said, "trying again in 3s") {
		t.Errorf("Run said %q, want it to tell that it tries again", said)
	}
}

func TestRunGivesUp(t *testing.T) {
	p := newPortal(t)
	p.busy = 100
	r, _, w, err := play(t, phone.Options{Input: p.URL + "/c/acme/good.1.mac"})
	if err == nil || r.Outcome != phone.OutcomeFailed || r.Problem == nil || r.Problem.Code != handoff.CodePlatformUnavailable {
		t.Errorf("Run = %+v, %v, want the problem of the last answer", r, err)
	}
	if got, want := len(w.d), 5; got != want {
		t.Errorf("Run waited %d times, want %d", got, want)
	}
}

func TestRunExplainsRefusal(t *testing.T) {
	p := newPortal(t)
	r, _, _, err := play(t, phone.Options{Input: p.URL + "/c/acme/old"})
	if err == nil || !strings.Contains(err.Error(), "scan the one on the computer now") || !strings.Contains(err.Error(), "req-1") {
		t.Errorf("Run error = %v, want what to do and the request id", err)
	}
	if r.Problem == nil || r.Problem.Reason != handoff.ReasonReplaced {
		t.Errorf("Run problem = %+v, want reason %q", r.Problem, handoff.ReasonReplaced)
	}
}

func TestRunConnectsItself(t *testing.T) {
	p := newPortal(t)
	p.exchange = "app"
	r, _, _, err := play(t, phone.Options{Input: p.URL + "/c/acme/good.1.mac", Finish: true})
	if err != nil || !r.Connected || r.Outcome != phone.OutcomeFinished || r.Token.Type != "end-user" {
		t.Errorf("Run = %+v, %v, want a connected and finished journey", r, err)
	}
}

func TestRunNeverRepeatsConnect(t *testing.T) {
	p := newPortal(t)
	p.lose = 1
	_, _, _, err := play(t, phone.Options{Input: p.URL + "/a/acme/connect#token=" + connectToken, Platform: p.URL + "/v2/captain"})
	if err == nil {
		t.Error("Run with a lost connect answer reported no error")
	}
	if got := p.called("/journey/device/connect"); got != 1 {
		t.Errorf("device/connect was called %d times with one token, want once", got)
	}
}

func TestRunRawConnectToken(t *testing.T) {
	p := newPortal(t)
	for _, in := range []string{p.URL + "/a/acme/connect#token=" + connectToken, connectToken} {
		r, _, _, err := play(t, phone.Options{Input: in, Platform: p.URL + "/v2/captain/"})
		if err != nil || r.Outcome != phone.OutcomeDelivered {
			t.Errorf("Run with a raw connect token = %q, %v, want %q", r.Outcome, err, phone.OutcomeDelivered)
		}
	}
}

// Two hosts on one machine are often names below localhost.
func TestRunBelowLocalhost(t *testing.T) {
	p := newPortal(t)
	r, _, _, err := play(t, phone.Options{Input: strings.Replace(p.URL, "127.0.0.1", "link.localhost", 1) + "/a/acme/pickup", Timeout: 10 * time.Second})
	if err != nil || r.Outcome != phone.OutcomeDelivered {
		t.Errorf("Run at a name below localhost = %q, %v, want %q", r.Outcome, err, phone.OutcomeDelivered)
	}
}

func TestRunTimesOut(t *testing.T) {
	p := newPortal(t)
	p.notYet = 1 << 30
	o := phone.Options{Input: p.URL + "/c/acme/good.1.mac", Timeout: 200 * time.Millisecond}
	_, _, _, err := play(t, o)
	if err == nil || !strings.Contains(err.Error(), "--timeout") {
		t.Errorf("Run error = %v, want one that names --timeout", err)
	}
}
