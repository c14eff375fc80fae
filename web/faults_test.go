package web_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// lot is what becomes of a person while a fault of the platform lasts.
type lot int

const (
	waits   lot = iota // is told to wait; the handoff stays where it is
	refused            // is told that this device will not do; the code stays
	over               // is told that it cannot go on; the handoff has failed
)

// trouble is a fault, and what it comes to on each call.
type trouble struct {
	fault   platformsim.Fault
	sent    map[string]int // how often each call is tried; missing: twice
	start   lot
	connect lot
	retry   string // Retry-After of the page; empty: 5
	silent  bool   // no answer comes, so no request id
}

// tries is how often the client sends a call while the fault lasts.
func (tr trouble) tries(call string) int {
	if n, ok := tr.sent[call]; ok {
		return n
	}
	return 2
}

func (tr trouble) lot(call string) lot {
	switch call {
	case "start":
		return tr.start
	case "connect":
		return tr.connect
	}
	return waits // token
}

// troubles are all kinds of fault. A connect that is refused as spent, or whose
// answer is lost, is followed by a start and one more connect; the other calls
// are tried twice where that can help.
func troubles() []trouble {
	status := func(n int) platformsim.Fault { return platformsim.Fault{Kind: "status", Status: n} }
	once := map[string]int{"token": 1, "start": 1, "state": 1}
	all := map[string]int{"token": 1, "start": 1, "state": 1, "connect": 1}
	return []trouble{
		{fault: status(400), sent: once},
		{fault: status(401), sent: map[string]int{"token": 1}}, // start and state: again with a new access token
		{fault: status(403), sent: all, start: over, connect: refused},
		{fault: status(404), sent: all, start: over, connect: over},
		{fault: platformsim.Fault{Kind: "status", Status: 429, RetryAfter: 2}, sent: all, retry: "2"},
		{fault: status(500)},
		{fault: status(503)},
		{fault: platformsim.Fault{Kind: "delay", DelayMS: 60_000}, sent: once, silent: true},
		{fault: platformsim.Fault{Kind: "drop_before"}, silent: true},
		{fault: platformsim.Fault{Kind: "drop_after"}, silent: true},
		{fault: platformsim.Fault{Kind: "malformed"}},
		{fault: platformsim.Fault{Kind: "html"}},
		{fault: platformsim.Fault{Kind: "html", Status: 200}},
		{fault: platformsim.Fault{Kind: "html", Status: 404}, sent: once}, // a proxy's page, not the platform's word
		{fault: platformsim.Fault{Kind: "in_band"}},
		{fault: platformsim.Fault{Kind: "in_band", Status: 404}, sent: all, start: over, connect: over},
	}
}

func (tr trouble) name() string {
	return fmt.Sprintf("%s_%d", tr.fault.Kind, tr.fault.Status)
}

// brief is a client that tries twice and waits for nothing.
func brief(s *setting) {
	s.tuning = platform.Tuning{Attempts: 2, Backoff: time.Millisecond, MaxWait: 10 * time.Millisecond}
}

// impatient is a client that gives a call one second, once.
func impatient(s *setting) {
	s.tuning = platform.Tuning{Attempts: 1, Timeout: time.Second}
}

// TestFaults makes the platform fail in every way at every call, and follows the
// person who meets it: the page, the log, the handoff, and the way on to the end.
func TestFaults(t *testing.T) {
	t.Parallel()
	calls := map[string]func(*world, trouble){"token": faultAtToken, "start": faultAtStart, "connect": faultAtConnect, "state": faultAtState}
	for _, version := range []platform.Version{platform.V1, platform.V2} {
		for call, meet := range calls {
			t.Run(string(version)+" "+call, func(t *testing.T) {
				if version == platform.V1 {
					unraced(t)
				}
				t.Parallel()
				w := newWorld(t, brief, func(s *setting) { s.version = version })
				slow := newWorld(t, impatient, func(s *setting) { s.version = version })
				for _, tr := range troubles() {
					t.Run(tr.name(), func(t *testing.T) {
						own := w
						if tr.fault.Kind == "delay" {
							own = slow
						}
						tr.fault.Call = call
						meet(own.with(t), tr)
					})
				}
			})
		}
	}
}

// breakDown lets the next n calls of the fault's kind meet it.
func (w *world) breakDown(tr trouble, n int) {
	w.t.Helper()
	tr.fault.Count = n
	if err := w.sim.Fault(tr.fault); err != nil {
		w.t.Fatal(err)
	}
}

// faultAtToken: nobody has an access token when a display opens.
func faultAtToken(w *world, tr trouble) {
	w.clock.advance(2 * time.Hour) // the one the world had is over
	faultAtDisplay(w, tr)
}

// faultAtStart: the display opens.
func faultAtStart(w *world, tr trouble) { faultAtDisplay(w, tr) }

func faultAtDisplay(w *world, tr trouble) {
	call := tr.fault.Call
	s, logged := w.begin(), len(w.logs.String())
	w.breakDown(tr, tr.tries(call))
	page := s.open()
	w.wantNoTokens("the page", string(page.body))
	w.wantLines(logged, tr, tr.tries(call))
	if tr.lot(call) == over {
		page.wantPanel(w.t, http.StatusOK, "panel-failed")
		if h := w.get(s.made.ID); h.Status != "failed" || h.Reason == nil || *h.Reason != "unknown_journey" {
			w.t.Errorf("handoff = %s, reason %v, want failed, unknown_journey", h.Status, h.Reason)
		}
		s.open().wantPanel(w.t, http.StatusOK, "panel-failed")
		return
	}
	page.wantPanel(w.t, http.StatusServiceUnavailable, "panel-away")
	w.wantWait(logged, tr, page)
	if h := w.get(s.made.ID); h.Status != "created" {
		w.t.Errorf("handoff = %s, want created", h.Status)
	}
	w.clock.advance(3 * time.Second)
	s.open().wantPanel(w.t, http.StatusOK, "panel-waiting")
	w.wantStatus(s.made.ID, "displayed")
	s.scan().wantPage(w.t, http.StatusOK, "landing")
	s.tap().wantPage(w.t, http.StatusOK, "ready")
	s.toApp()
	s.toEnd()
	w.wantNoTokens("the log", w.logs.String())
}

// faultAtConnect: a person taps Continue; once with a fault that passes, once with
// one that lasts.
func faultAtConnect(w *world, tr trouble) {
	if tr.tries("connect") == 2 {
		passing(w, tr)
	}
	s := w.begin()
	s.open().wantPanel(w.t, http.StatusOK, "panel-waiting")
	s.scan().wantPage(w.t, http.StatusOK, "landing")
	logged := len(w.logs.String())
	w.breakDown(tr, tr.tries("connect"))
	page := s.tap()
	w.wantNoTokens("the page", string(page.body))
	w.wantLines(logged, tr, tr.tries("connect"))
	switch tr.connect {
	case over:
		page.wantPage(w.t, http.StatusGone, "notice-ended")
		w.wantStatus(s.made.ID, "failed")
		s.open().wantPanel(w.t, http.StatusOK, "panel-failed")
		return
	case refused:
		page.wantPage(w.t, http.StatusForbidden, "wrong-device")
		w.wantStatus(s.made.ID, "displayed")
		s.open().wantPanel(w.t, http.StatusOK, "panel-waiting")
		s.scan().wantPage(w.t, http.StatusOK, "landing")
		s.tap()
	case waits:
		page.wantPage(w.t, http.StatusServiceUnavailable, "notice-away")
		w.wantWait(logged, tr, page)
		if h := w.get(s.made.ID); h.Status != "confirmed" {
			w.t.Errorf("handoff = %s, want confirmed", h.Status)
		}
		s.open().wantPanel(w.t, http.StatusOK, "panel-connected")
		w.clock.advance(3 * time.Second)
		s.own = s.phone.get(page.url.String())
	}
	s.own.wantPage(w.t, http.StatusOK, "ready")
	w.wantStatus(s.made.ID, "connected")
	s.toApp()
	s.toEnd()
	w.wantConnectsOnce()
	w.wantNoTokens("the log", w.logs.String())
}

// passing: a connect that fails once, and that nobody notices.
func passing(w *world, tr trouble) {
	s := w.begin()
	s.open().wantPanel(w.t, http.StatusOK, "panel-waiting")
	s.scan().wantPage(w.t, http.StatusOK, "landing")
	logged := len(w.logs.String())
	w.breakDown(tr, 1)
	s.tap().wantPage(w.t, http.StatusOK, "ready")
	w.wantLines(logged, tr, 1)
	if got, want := w.callsOf(s.made.InstanceID, "start", "connect"), []string{"start", "connect", "start", "connect"}; !slices.Equal(got, want) {
		w.t.Errorf("calls = %v, want %v", got, want)
	}
	w.wantStatus(s.made.ID, "connected")
	s.toApp()
	w.wantConnectsOnce()
}

// faultAtState: the app is at work, and the worker asks how far the journey is.
func faultAtState(w *world, tr trouble) {
	s := w.delivered()
	s.report("started")
	if err := w.sim.SetJourney(s.made.InstanceID, finished); err != nil {
		w.t.Fatal(err)
	}
	logged := len(w.logs.String())
	w.breakDown(tr, tr.tries("state"))
	w.clock.advance(61 * time.Second)
	w.wantLogged(logged, "journey_state_unknown", map[string]string{"handoff": s.made.ID})
	w.wantLines(logged, tr, tr.tries("state"))
	if h := w.get(s.made.ID); h.Status != "delivered" {
		w.t.Errorf("handoff = %s, want delivered", h.Status)
	}
	s.open().wantPanel(w.t, http.StatusOK, "panel-delivered")
	s.phone.get(s.own.url.String()).wantPage(w.t, http.StatusOK, "ready")
	w.clock.advance(61 * time.Second)
	w.wantStatus(s.made.ID, "completed")
	s.open().wantPanel(w.t, http.StatusOK, "panel-completed")
	s.phone.get(s.own.url.String()).wantPage(w.t, http.StatusOK, "finished")
	w.wantNoTokens("the log", w.logs.String())
}

// wantLines checks the lines of n failed calls: each names the platform's request
// id if there was an answer.
func (w *world) wantLines(logged int, tr trouble, n int) {
	w.t.Helper()
	w.spy.mu.Lock()
	ids := slices.Clone(w.spy.ids)
	w.spy.mu.Unlock()
	lines := 0
	for _, l := range w.logs.since(w.t, logged) {
		if l.str("msg") != "platform call failed" || l.str("call") != tr.fault.Call {
			continue
		}
		lines++
		if id := l.str("upstream_request_id"); tr.silent != (id == "") || !tr.silent && !slices.Contains(ids, id) {
			w.t.Errorf("log line %v: upstream_request_id = %q, want the platform's, or none without an answer", l, id)
		}
	}
	if lines != n {
		w.t.Errorf("%d failed calls in the log, want %d:\n%s", lines, n, w.logs.String()[logged:])
	}
}

// wantWait checks a page that says to wait: it says for how long, reloads itself
// where there is no script, and is in the log with its own request id and the
// platform's.
func (w *world) wantWait(logged int, tr trouble, page answer) {
	w.t.Helper()
	retry := tr.retry
	if retry == "" {
		retry = "5"
	}
	if got := page.Header.Get("Retry-After"); got != retry {
		w.t.Errorf("Retry-After = %q, want %s", got, retry)
	}
	if !bytes.Contains(page.body, []byte(`<noscript><meta http-equiv="refresh" content="5">`)) {
		w.t.Errorf("the page does not reload itself where there is no script")
	}
	for _, l := range w.logs.since(w.t, logged) {
		if l.str("msg") != "platform_unavailable" {
			continue
		}
		if l.str("request_id") != page.Header.Get("X-Request-ID") || l.str("level") != "WARN" {
			w.t.Errorf("log line %v, want a warning of request %s", l, page.Header.Get("X-Request-ID"))
		}
		text := l.str("error")
		if !strings.HasPrefix(text, string(handoff.CodePlatformUnavailable)) || strings.Contains(text, "upstream request ") == tr.silent {
			w.t.Errorf("log line %v: error = %q, want %s with the platform's request id, if there is one", l, text, handoff.CodePlatformUnavailable)
		}
		return
	}
	w.t.Errorf("no line platform_unavailable in the log:\n%s", w.logs.String()[logged:])
}

// TestLeft: who closes the page while the platform takes its time is no failure of
// ours, in the log neither, or a stranger could raise any number of alarms.
func TestLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.sim.Fault(platformsim.Fault{Call: "start", Kind: "delay", DelayMS: 1000, Count: 1}); err != nil {
		t.Fatal(err)
	}
	h, logged := w.create(), len(w.logs.String())
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	sent := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { leave() }})
	r, err := http.NewRequestWithContext(sent, http.MethodGet, h.DisplayURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := http.DefaultClient.Do(r); err == nil {
		_ = a.Body.Close()
		t.Fatal("the page came, though its reader had left")
	}
	w.wantLogged(logged, "request", map[string]string{"route": "/h/:key"})
	for _, l := range w.logs.since(t, logged) {
		if l.str("level") == "ERROR" || l.str("level") == "WARN" || l.str("route") == "/h/:key" && l.str("msg") == "request" && l["status"] != 499.0 {
			t.Errorf("the log has %v, want one line of a request that was left", l)
		}
	}
}
