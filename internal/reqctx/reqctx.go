// Package reqctx carries a request's id in its context, and prints it with
// every log line written under that context.
package reqctx

import (
	"context"
	"log/slog"
)

type key struct{}

// With returns ctx with a request id.
func With(ctx context.Context, id string) context.Context { return context.WithValue(ctx, key{}, id) }

// ID returns the request id of ctx, or an empty one.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(key{}).(string) //nolint:errcheck // absent is empty
	return id
}

// Handler adds request_id to the records of an slog.Handler. It stands before
// groups, so that it is found at the top of every line.
type Handler struct {
	inner slog.Handler
	// wrap applies the attributes and groups given so far, below request_id.
	wrap func(slog.Handler) slog.Handler
}

var _ slog.Handler = Handler{}

// NewHandler returns a Handler that prints through inner.
func NewHandler(inner slog.Handler) Handler {
	return Handler{inner: inner, wrap: func(h slog.Handler) slog.Handler { return h }}
}

// Enabled implements slog.Handler.
func (h Handler) Enabled(ctx context.Context, l slog.Level) bool { return h.inner.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h Handler) Handle(ctx context.Context, r slog.Record) error {
	inner := h.inner
	if id := ID(ctx); id != "" {
		inner = inner.WithAttrs([]slog.Attr{slog.String("request_id", id)})
	}
	return h.wrap(inner).Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	before := h.wrap
	return Handler{inner: h.inner, wrap: func(i slog.Handler) slog.Handler { return before(i).WithAttrs(attrs) }}
}

// WithGroup implements slog.Handler.
func (h Handler) WithGroup(name string) slog.Handler {
	before := h.wrap
	return Handler{inner: h.inner, wrap: func(i slog.Handler) slog.Handler { return before(i).WithGroup(name) }}
}
