package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// scrape is what Prometheus would be given.
func (w *world) scrape() string {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.counted.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	if rec.Code != http.StatusOK {
		w.t.Fatalf("GET /metrics = %d %s", rec.Code, rec.Body)
	}
	return rec.Body.String()
}

// wantSamples looks for whole lines.
func (w *world) wantSamples(want ...string) {
	w.t.Helper()
	lines := strings.Split(w.scrape(), "\n")
	for _, sample := range want {
		if !slices.Contains(lines, sample) {
			name, _, _ := strings.Cut(sample, "{")
			var got []string
			for _, l := range lines {
				if strings.HasPrefix(l, name+"{") {
					got = append(got, l)
				}
			}
			w.t.Errorf("no sample %s; %s is:\n%s", sample, name, strings.Join(got, "\n"))
		}
	}
}

// A person types the number and goes to the end, another never types it: the
// funnel tells them apart, and says how long people took.
func TestMetricsOfAStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin()
	s.open()
	w.clock.advance(7 * time.Second)
	s.scan()
	s.tap()
	number := s.digits()
	s.enter(not(number))
	w.clock.advance(40 * time.Second)
	s.enter(number)
	s.own = s.phone.get(s.own.url.String())
	s.own.wantPage(t, http.StatusOK, "ready")
	s.toApp()
	s.toEnd()

	lost := w.begin()
	lost.open()
	lost.scan()
	lost.tap()
	lost.digits()
	if a := w.call(http.MethodPost, "/v1/handoffs/"+lost.made.ID+"/cancel", nil); a.StatusCode != http.StatusOK {
		t.Fatalf("cancel = %d %s", a.StatusCode, a.body)
	}

	step := func(status, route, cause string, n int) string {
		return fmt.Sprintf(`handoff_steps_total{cause=%q,partner="acme",route=%q,status=%q} %d`, cause, route, status, n)
	}
	w.wantSamples(
		step("created", "", "", 2), step("displayed", "", "", 2), step("claimed", "qr", "", 2), step("confirmed", "qr", "", 1),
		step("connected", "qr", "", 1), step("delivered", "qr", "", 1), step("completed", "qr", "", 1), step("cancelled", "qr", "", 1),
		`handoff_numbers_total{outcome="asked",partner="acme"} 2`,
		`handoff_numbers_total{outcome="wrong",partner="acme"} 1`,
		`handoff_numbers_total{outcome="typed",partner="acme"} 1`,
		`handoff_numbers_total{outcome="lost",partner="acme"} 1`,
		`handoff_app_links_total{outcome="shown",rule="ios-safari"} 1`,
		`handoff_app_links_total{outcome="picked_up",rule="ios-safari"} 1`,
		`handoff_step_seconds_bucket{partner="acme",step="scan",le="5"} 1`,
		`handoff_step_seconds_bucket{partner="acme",step="scan",le="10"} 2`,
		`handoff_step_seconds_bucket{partner="acme",step="number",le="30"} 0`,
		`handoff_step_seconds_bucket{partner="acme",step="number",le="60"} 1`,
		`handoff_step_seconds_count{partner="acme",step="app"} 1`,
		`handoff_step_seconds_count{partner="acme",step="journey"} 1`,
		`handoff_platform_call_seconds_count{call="connect",result="ok"} 1`,
		`handoff_http_requests_total{method="POST",route="/v1/handoffs",status="201"} 2`,
		`handoff_store_seconds_count{operation="create",result="ok"} 2`,
	)
}

// What strangers send chooses no label.
func TestMetricsOfStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 20 {
		req, err := http.NewRequestWithContext(t.Context(), fmt.Sprintf("ODD%d", i), w.public+fmt.Sprintf("/odd/%d", i), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		send(t, http.DefaultClient, req)
	}
	text := w.scrape()
	if strings.Contains(text, "odd") || strings.Contains(text, "ODD") {
		t.Errorf("a metric has a stranger's words: %s", text)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
