package web_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is an operator's, for OpenTelemetry's spans.
type collector struct {
	url string

	mu    sync.Mutex
	raw   []byte          // guarded by mu
	spans []*tracepb.Span // guarded by mu
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var data tracepb.TracesData
		if err != nil || proto.Unmarshal(body, &data) != nil {
			t.Errorf("%s %s is no export of traces (%v)", r.Method, r.URL, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw = append(c.raw, body...)
		for _, resource := range data.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				c.spans = append(c.spans, scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL + "/v1/traces"
	return c
}

// got is what came, when the portal has stopped.
func (c *collector) got() (raw []byte, spans []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.raw), slices.Clone(c.spans)
}

func attributeOf(s *tracepb.Span, key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// A whole story in spans: requests by their routes, what they asked of the store and
// of the platform within them, and the message to the partner. The log has the
// trace's id.
func TestTracesOfAStory(t *testing.T) {
	t.Parallel()
	p := plant(t, false)
	p.byPhone()
	p.hooks.wait(t)
	p.stop()
	_, spans := p.collector.got()
	byID := map[string]*tracepb.Span{}
	for _, s := range spans {
		byID[string(s.GetSpanId())] = s
	}
	seen := map[string]*tracepb.Span{}
	for _, s := range spans {
		name := s.GetName()
		if parent := byID[string(s.GetParentSpanId())]; parent != nil {
			name = parent.GetName() + " > " + name
			if !bytes.Equal(parent.GetTraceId(), s.GetTraceId()) {
				t.Errorf("%s: the traces are two", name)
			}
		}
		seen[name] = s
	}
	for _, want := range []string{
		"POST /v1/handoffs", "POST /v1/handoffs > store create", "GET /h/:key", "GET /h/:key > store lookup", "GET /h/:key > platform start", "GET /h/:key/events",
		"POST /c/:partner/:code", "POST /c/:partner/:code > store update", "GET /p/:claim > platform connect", "POST /v1/pickups", "platform state", "webhook deliver",
	} {
		if seen[want] == nil {
			t.Errorf("no span is %q; there are %q", want, slices.Sorted(keysOf(seen)))
		}
	}
	routes := map[string]bool{"": true}
	for line := range strings.Lines(p.logs.String()) {
		var l struct {
			Msg, Route, Method string
			Request            string `json:"request_id"`
			Trace              string `json:"trace_id"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Msg != "request" {
			continue
		}
		routes[l.Route] = true
		if !slices.ContainsFunc(spans, func(s *tracepb.Span) bool {
			return hex.EncodeToString(s.GetTraceId()) == l.Trace && attributeOf(s, "handoff.request_id") == l.Request && s.GetName() == l.Method+" "+l.Route
		}) {
			t.Errorf("no span belongs to the line %s", line)
		}
	}
	for _, s := range spans {
		if s.GetKind() == tracepb.Span_SPAN_KIND_SERVER && (attributeOf(s, "http.route") == "" || !routes[attributeOf(s, "http.route")]) {
			t.Errorf("%s is the span of no route", s.GetName())
		}
	}
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// A trace that a request says it belongs to is believed of a proxy of ours, where
// the operator says that it writes one; never of anybody else (S21).
func TestTraceOfAnother(t *testing.T) {
	t.Parallel()
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	for _, tt := range []struct {
		name     string
		change   func(*setting)
		believed bool
	}{
		{"a client", func(s *setting) { s.parents = true }, false},
		{"a proxy that passes on what clients write", func(s *setting) { s.proxies = local() }, false},
		{"a proxy that writes its own", func(s *setting) { s.proxies, s.parents = local(), true }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCollector(t)
			w := newWorld(t, func(s *setting) { s.collector = c.url }, tt.change)
			s := w.begin()
			s.desk.header.Set("Traceparent", "00-"+theirs+"-b7ad6b7169203331-01")
			s.open()
			w.stop()
			_, spans := c.got()
			shown := slices.IndexFunc(spans, func(s *tracepb.Span) bool { return s.GetName() == "GET /h/:key" })
			if shown < 0 {
				t.Fatalf("the display's request is not among %d spans", len(spans))
			}
			if got := hex.EncodeToString(spans[shown].GetTraceId()) == theirs; got != tt.believed {
				t.Errorf("the span is in the trace that the request names: %t, want %t", got, tt.believed)
			}
		})
	}
}
