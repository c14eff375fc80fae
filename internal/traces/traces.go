// Package traces tells a collector what each request did, and how long it took,
// by OpenTelemetry. Like package metrics it looks on from outside: at requests,
// and at the store, the platform and the webhooks by standing before them. What
// is not asked for costs nothing: nobody stands there then.
//
// A span has routes' patterns, codes, ids of handoffs and words of ours; never a
// path, an address, the text of an error or anything that a stranger can choose.
package traces

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/reqctx"
)

// Options say where spans go.
type Options struct {
	URL     string                    // of the collector, as in http://127.0.0.1:4318/v1/traces
	Headers map[string]handoff.Secret // what it wants to see besides
	Share   float64                   // of the requests, from 0 to 1
	Version string
	Log     *slog.Logger
}

// Tracer makes spans and sends them. It is safe for concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	client   *client
}

// New returns a Tracer that sends in the background, until Close.
func New(o Options) *Tracer {
	c := newClient(o)
	// The exporter is not started: that is for a client that keeps a connection.
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(otlptrace.NewUnstarted(c)),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(o.Share))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "handoff"), attribute.String("service.version", o.Version))),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/handoff-portal/handoff"), client: c}
}

// closeLimit is how long the last spans may take on their way.
const closeLimit = time.Second

// Close sends what has not been sent yet. A collector that does not take it is no
// fault of the portal's.
func (t *Tracer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.client.tell(ctx, err)
	}
	t.client.http.CloseIdleConnections()
	return nil
}

// Request begins the span of a request for a route, given by its pattern, and puts
// the trace's id into every line that is logged with the context. parent is a
// traceparent that may be believed, or empty. end ends the span.
func (t *Tracer) Request(ctx context.Context, method, route, parent string) (_ context.Context, end func(status int)) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		method = "_OTHER" // a client may send any word
	}
	name := method
	if route != "" {
		name += " " + route
	}
	if parent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": parent})
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("http.route", route),
		attribute.String("handoff.request_id", reqctx.ID(ctx))))
	if span.IsRecording() {
		ctx = reqctx.WithTrace(ctx, span.SpanContext().TraceID().String())
	}
	return ctx, func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// finish ends the span of a step. What a rule refused is no fault.
func finish(span trace.Span, err error) {
	if err != nil {
		code := handoff.CodeOf(err)
		span.SetAttributes(attribute.String("error.type", string(code)))
		if code == handoff.CodeInternal || code == handoff.CodePlatformUnavailable {
			span.SetStatus(codes.Error, string(code))
		}
	}
	span.End()
}
