// Package reqctx carries a request's id in its context, and into every line
// logged with that context; where the request is traced, the trace's id too.
package reqctx

import (
	"context"
	"log/slog"
	"slices"
)

// The names of the ids in a log line.
const (
	attrKey  = "request_id"
	traceKey = "trace_id"
)

type (
	idKey    struct{}
	traceIDs struct{}
)

// With returns a context that carries the request id.
func With(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// ID returns the request id that ctx carries, or an empty string.
func ID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

// WithTrace returns a context that carries the id of a request's trace.
func WithTrace(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, traceIDs{}, id)
}

// Trace returns the id of the trace that ctx carries, or an empty string.
func Trace(ctx context.Context) string {
	id, _ := ctx.Value(traceIDs{}).(string)
	return id
}

// Handler is a slog.Handler that adds the request id, and the trace's, to the lines
// logged with a context that carries them. They stand at the top level of a line,
// also when the logger has opened groups, so that they are found under one name
// everywhere.
type Handler struct {
	inner slog.Handler // what the line goes to, groups and their attributes included
	outer slog.Handler // the same before the first group was opened; nil if none was
	steps []step       // the way from outer to inner
}

// step is a call of WithGroup, or else of WithAttrs.
type step struct {
	group string
	attrs []slog.Attr
}

var _ slog.Handler = (*Handler)(nil)

// NewHandler returns a handler that passes lines on to inner.
func NewHandler(inner slog.Handler) *Handler { return &Handler{inner: inner} }

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	id := ID(ctx)
	if id == "" {
		return h.inner.Handle(ctx, r)
	}
	trace := Trace(ctx)
	if h.outer == nil {
		r = r.Clone() // others may hold r, which shares memory with its copies
		r.AddAttrs(slog.String(attrKey, id))
		if trace != "" {
			r.AddAttrs(slog.String(traceKey, trace))
		}
		return h.inner.Handle(ctx, r)
	}
	ids := []slog.Attr{slog.String(attrKey, id)}
	if trace != "" {
		ids = append(ids, slog.String(traceKey, trace))
	}
	to := h.outer.WithAttrs(ids)
	for _, s := range h.steps {
		to = s.apply(to)
	}
	return to.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return h.with(step{attrs: attrs})
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.with(step{group: name})
}

func (h *Handler) with(s step) *Handler {
	next := &Handler{inner: s.apply(h.inner), outer: h.outer, steps: h.steps}
	if s.group != "" && h.outer == nil {
		next.outer = h.inner
	}
	if next.outer != nil {
		next.steps = append(slices.Clip(h.steps), s)
	}
	return next
}

func (s step) apply(h slog.Handler) slog.Handler {
	if s.group != "" {
		return h.WithGroup(s.group)
	}
	return h.WithAttrs(s.attrs)
}
