package web_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/limit"
)

// TestThreatIdleStreams: another process keeps 300 streams open and reads nothing
// (10,000 with HANDOFF_LONG). People are served, the next stream is refused and its
// page polls, and none of those open is lost. How it polls in a browser is
// TestPollsInChromium.
func TestThreatIdleStreams(t *testing.T) {
	const perHandoff = 5
	n := 300
	if os.Getenv("HANDOFF_LONG") != "" {
		n = 10_000
	}
	w := newWorld(t, quiet(t), func(s *setting) {
		s.streams = limit.StreamLimits{PerHandoff: perHandoff, PerNetwork: n, Total: n}
	})
	var paths []string
	for len(paths) < n {
		display := w.create().DisplayURL
		w.person(desktop).get(display + "/status") // makes the first start, and draws nothing
		for range perHandoff {
			paths = append(paths, strings.TrimPrefix(display, w.public)+"/events")
		}
	}
	v := startViewers(t, w.listen)
	v.open(paths)
	s := w.begin()
	s.open().wantPanel(t, http.StatusOK, "panel-waiting")
	if a := s.desk.stream(s.made.DisplayURL, ""); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("stream %d = %d with Retry-After %q, want 503 with one", n+1, a.StatusCode, a.Header.Get("Retry-After"))
	}
	s.scan()
	s.tap()
	s.toApp()
	var polled status
	s.desk.get(s.made.DisplayURL+"/status").json(t, &polled)
	if polled.Screen != "delivered" {
		t.Errorf("the page without a stream polls %q, want delivered", polled.Screen)
	}
	s.toEnd()
	v.wantOpen(n)
	v.close()
	// They are gone: there is room again.
	again := w.create().DisplayURL
	w.untilStream(again)
}
