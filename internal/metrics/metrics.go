// Package metrics counts what the portal does, for Prometheus. It looks on from
// outside: at handoffs as they change, and at the store, the platform and the
// webhooks by standing before them.
//
// A label is a partner's id, a route's pattern or a word of ours; never anything
// that a stranger can choose, and nothing secret.
package metrics

import (
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Metrics is everything that is counted by one process. It is safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	rule     func(handoff.Browser) string

	requests     *prometheus.CounterVec
	requestTimes *prometheus.HistogramVec
	steps        *prometheus.CounterVec
	stepTimes    *prometheus.HistogramVec
	numbers      *prometheus.CounterVec
	appLinks     *prometheus.CounterVec
	storeTimes   *prometheus.HistogramVec
	callTimes    *prometheus.HistogramVec
	webhookTimes *prometheus.HistogramVec
}

// Options are what Metrics cannot find out by itself.
type Options struct {
	Version string
	// Rule names the way in which a browser opens apps: the row of the launcher's table.
	Rule func(handoff.Browser) string
}

// Buckets in seconds: of what a machine does, and of what people do.
var (
	machineTimes = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30} //nolint:gochecknoglobals // a constant in all but type
	peopleTimes  = []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600}                                 //nolint:gochecknoglobals // a constant in all but type
)

// New returns Metrics that have counted nothing.
func New(o Options) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), rule: o.Rule}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	times := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(h)
		return h
	}
	m.requests = counter("handoff_http_requests_total", "Requests answered, streams at their end.", "method", "route", "status")
	m.requestTimes = times("handoff_http_request_seconds", "Time to answer, without streams.", machineTimes, "route")
	m.steps = counter("handoff_steps_total", "Statuses that handoffs reached; route is how the phone came, cause why it ended.",
		"partner", "status", "route", "cause")
	m.stepTimes = times("handoff_step_seconds", "Time people take: scan is from the code shown to the phone there, number from the phone there to confirmed, "+
		"app from the app link shown to its pickup, journey from the pickup to the end of the journey.", peopleTimes, "partner", "step")
	m.numbers = counter("handoff_numbers_total", "What became of the number: asked of a phone, typed, wrong, lost with a handoff that ended before it was typed.", "partner", "outcome")
	m.appLinks = counter("handoff_app_links_total", "Links into the app, by launcher rule: shown on a phone's page, tapped, picked_up by the app, unopened in half a minute from the tap.", "rule", "outcome")
	m.storeTimes = times("handoff_store_seconds", "Time of the store's operations; result is a code, or ok.", machineTimes, "operation", "result")
	m.callTimes = times("handoff_platform_call_seconds", "Time of calls of the platform with all their attempts; result is a code, or ok.", machineTimes, "call", "result")
	m.webhookTimes = times("handoff_webhook_seconds", "Time of attempts to deliver a webhook.", machineTimes, "partner", "result")
	m.registry.MustRegister(
		// What is in use after a collection is the figure by which a leak is seen.
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/gc/heap/live:bytes$`)})),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.Gauge("handoff_build_info", "1, with the version as a label.", prometheus.Labels{"version": o.Version}, func() float64 { return 1 })
	return m
}

// Gauge adds a figure that is asked for when it is wanted.
func (m *Metrics) Gauge(name, help string, labels prometheus.Labels, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value))
}

// Handler serves /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Request counts a request that was answered. route is its pattern; empty for
// none of ours. A stream is as long as somebody looks, which says nothing of speed.
func (m *Metrics) Request(method, route string, status int, took time.Duration, stream bool) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		method = "other" // a client may send any word
	}
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	if !stream {
		m.requestTimes.WithLabelValues(route).Observe(took.Seconds())
	}
}

// result is a code, or ok.
func result(err error) string {
	if err == nil {
		return "ok"
	}
	return string(handoff.CodeOf(err))
}
