package traces_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/memstore"
	"github.com/handoff-portal/handoff/internal/traces"
)

// collector takes spans, after it has answered as it was told to.
type collector struct {
	t       *testing.T
	mu      sync.Mutex
	answers []func(http.ResponseWriter) // guarded by mu; one a request, then 200
	asked   int                         // guarded by mu
	login   string                      // guarded by mu
	names   []string                    // guarded by mu; of the spans it took
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var data tracepb.TracesData
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &data) != nil {
		c.t.Errorf("%s %s %v is no export of traces (%v)", r.Method, r.URL, r.Header, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	c.login = r.Header.Get("Authorization")
	if len(c.answers) > 0 {
		answer := c.answers[0]
		c.answers = c.answers[1:]
		answer(w)
		return
	}
	for _, resource := range data.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.names = append(c.names, span.GetName())
			}
		}
	}
}

const login = handoff.Secret("Bearer canary-of-the-collector")

// traceOne traces a request in which the store is asked, and what the store is asked
// besides, with a collector that answers so at first.
func traceOne(t *testing.T, share float64, answers ...func(http.ResponseWriter)) (_ *collector, log string) {
	t.Helper()
	c := &collector{t: t, answers: answers}
	server := httptest.NewServer(c)
	defer server.Close()
	var lines bytes.Buffer
	tracer := traces.New(traces.Options{
		URL: server.URL + "/v1/traces", Headers: map[string]handoff.Secret{"Authorization": login}, Share: share,
		Log: slog.New(slog.NewTextHandler(&lines, nil)),
	})
	store := tracer.Store(memstore.New())
	ctx, end := tracer.Request(t.Context(), http.MethodGet, "/h/:key", "")
	_, _ = store.Get(ctx, "ho_1")
	_, _ = store.Get(t.Context(), "ho_2")
	end(http.StatusOK)
	if err := tracer.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	return c, lines.String()
}

func answer(status int, header, value string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set(header, value)
		w.WriteHeader(status)
	}
}

// A collector that is away for a moment gets the spans when it is back, once.
func TestCollectorAway(t *testing.T) {
	t.Parallel()
	c, log := traceOne(t, 1, answer(http.StatusServiceUnavailable, "Retry-After", "0"), answer(http.StatusTooManyRequests, "Retry-After", "0"))
	if got := strings.Join(c.names, ", "); got != "store get, GET /h/:key" || c.asked != 3 || log != "" {
		t.Errorf("the collector has %q after %d requests, and the log %q; want the request and the one span in it, after 3", got, c.asked, log)
	}
	if c.login != login.Reveal() {
		t.Errorf("the collector was shown %q, want what headers say", c.login)
	}
}

// One that refuses them is not asked again, and the log says so without a secret.
func TestCollectorRefuses(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusInternalServerError} {
		c, log := traceOne(t, 1, answer(status, "X-Odd", login.Reveal()))
		if len(c.names) != 0 || c.asked != 1 || !strings.Contains(log, "traces_lost") || strings.Contains(log, login.Reveal()) {
			t.Errorf("after %d the collector was asked %d times, and the log is %q", status, c.asked, log)
		}
	}
}

// What a header holds is for the configured address alone.
func TestCollectorSendsElsewhere(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was asked, with %v", r.Host, r.Header) }))
	defer elsewhere.Close()
	c, log := traceOne(t, 1, answer(http.StatusTemporaryRedirect, "Location", elsewhere.URL+"/v1/traces"))
	if c.asked != 1 || !strings.Contains(log, "status 307") {
		t.Errorf("after a redirect the collector was asked %d times, and the log is %q", c.asked, log)
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	if c, _ := traceOne(t, 0); c.asked != 0 {
		t.Errorf("with a share of nothing the collector was asked %d times, for %v", c.asked, c.names)
	}
}
