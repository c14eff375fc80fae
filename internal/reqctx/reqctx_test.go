package reqctx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/reqctx"
)

func TestID(t *testing.T) {
	ctx := t.Context()
	if got := reqctx.ID(ctx); got != "" {
		t.Errorf("ID(context without one) = %q, want empty", got)
	}
	ctx = reqctx.With(ctx, "one")
	inner := reqctx.With(ctx, "two")
	if got := reqctx.ID(ctx); got != "one" {
		t.Errorf("ID(With(one)) = %q, want one", got)
	}
	if got := reqctx.ID(inner); got != "two" {
		t.Errorf("ID(With(With(one), two)) = %q, want two", got)
	}
}

// quiet is a JSON handler without the time and level of a line.
func quiet(buf *bytes.Buffer) *slog.JSONHandler {
	return slog.NewJSONHandler(buf, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}})
}

func TestHandler(t *testing.T) {
	carries := reqctx.With(t.Context(), "r1")
	for _, tt := range []struct {
		name string
		log  func(l *slog.Logger)
		want string
	}{
		{
			"no id", func(l *slog.Logger) { l.InfoContext(t.Context(), "m", "a", 1) },
			`{"msg":"m","a":1}`,
		},
		{
			"an empty id", func(l *slog.Logger) { l.InfoContext(reqctx.With(carries, ""), "m") },
			`{"msg":"m"}`,
		},
		{
			"an id", func(l *slog.Logger) { l.InfoContext(carries, "m", "a", 1) },
			`{"msg":"m","a":1,"request_id":"r1"}`,
		},
		{
			"a trace", func(l *slog.Logger) { l.InfoContext(reqctx.WithTrace(carries, "t1"), "m", "a", 1) },
			`{"msg":"m","a":1,"request_id":"r1","trace_id":"t1"}`,
		},
		{
			"a trace and a group", func(l *slog.Logger) { l.WithGroup("g").InfoContext(reqctx.WithTrace(carries, "t1"), "m", "a", 1) },
			`{"msg":"m","request_id":"r1","trace_id":"t1","g":{"a":1}}`,
		},
		{
			"attributes", func(l *slog.Logger) { l.With("b", 2).With().InfoContext(carries, "m", "a", 1) },
			`{"msg":"m","b":2,"a":1,"request_id":"r1"}`,
		},
		{
			"a group", func(l *slog.Logger) { l.WithGroup("g").InfoContext(carries, "m", "a", 1) },
			`{"msg":"m","request_id":"r1","g":{"a":1}}`,
		},
		{
			"groups and attributes",
			func(l *slog.Logger) {
				l.With("b", 2).WithGroup("g").With("c", 3).WithGroup("").WithGroup("h").With("d", 4).InfoContext(carries, "m", "a", 1)
			},
			`{"msg":"m","b":2,"request_id":"r1","g":{"c":3,"h":{"d":4,"a":1}}}`,
		},
		{
			"a group, no id", func(l *slog.Logger) { l.WithGroup("g").With("c", 3).InfoContext(t.Context(), "m", "a", 1) },
			`{"msg":"m","g":{"c":3,"a":1}}`,
		},
		{
			"below the level", func(l *slog.Logger) { l.DebugContext(carries, "m") },
			``,
		},
	} {
		var buf bytes.Buffer
		tt.log(slog.New(reqctx.NewHandler(quiet(&buf))))
		if got := strings.TrimSpace(buf.String()); got != tt.want {
			t.Errorf("%s: logged %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestLoggersFromOne: two loggers made from one share no memory.
func TestLoggersFromOne(t *testing.T) {
	var buf bytes.Buffer
	ctx := reqctx.With(t.Context(), "r1")
	l := slog.New(reqctx.NewHandler(quiet(&buf))).WithGroup("g").With("a", 1).With("b", 2)
	first, second := l.With("d", "first"), l.With("d", "second")
	first.InfoContext(ctx, "m")
	second.InfoContext(ctx, "m")
	want := `{"msg":"m","request_id":"r1","g":{"a":1,"b":2,"d":"first"}}` + "\n" +
		`{"msg":"m","request_id":"r1","g":{"a":1,"b":2,"d":"second"}}` + "\n"
	if diff := cmp.Diff(want, buf.String()); diff != "" {
		t.Errorf("two loggers made from one logged (-want +got):\n%s", diff)
	}
}

// TestRecordIsNotChanged: a handler may not change the record it is given,
// because another one may get the same.
func TestRecordIsNotChanged(t *testing.T) {
	var buf bytes.Buffer
	h := reqctx.NewHandler(quiet(&buf))
	var r slog.Record
	for range 8 { // more than a record keeps within itself
		r.AddAttrs(slog.Int("a", 1))
	}
	for range 2 {
		if err := h.Handle(reqctx.With(t.Context(), "r1"), r); err != nil {
			t.Fatalf("Handle: %v", err)
		}
	}
	// slog notes a record written to twice with an attribute of this name.
	if got := buf.String(); strings.Count(got, "request_id") != 2 || strings.Contains(got, "!BUG") {
		t.Errorf("handling a record twice logged %s, want one request id in each line and no !BUG", got)
	}
}

func TestHandlerIsASlogHandler(t *testing.T) {
	var buf bytes.Buffer
	for _, id := range []string{"", "r1"} {
		buf.Reset()
		h := carrying{reqctx.NewHandler(slog.NewJSONHandler(&buf, nil)), id}
		err := slogtest.TestHandler(h, func() []map[string]any {
			var lines []map[string]any
			for line := range strings.Lines(buf.String()) {
				var m map[string]any
				if err := json.Unmarshal([]byte(line), &m); err != nil {
					t.Fatalf("logged %s: %v", line, err)
				}
				if got, _ := m["request_id"].(string); got != id {
					t.Errorf("logged %s, want request id %q at the top", line, id)
				}
				lines = append(lines, m)
			}
			return lines
		})
		if err != nil {
			t.Errorf("TestHandler with the request id %q: %v", id, err)
		}
	}
}

// carrying gives every line a context with a request id.
type carrying struct {
	slog.Handler
	id string
}

func (c carrying) Handle(ctx context.Context, r slog.Record) error {
	if c.id != "" {
		ctx = reqctx.With(ctx, c.id)
	}
	return c.Handler.Handle(ctx, r)
}

func (c carrying) WithAttrs(a []slog.Attr) slog.Handler {
	return carrying{c.Handler.WithAttrs(a), c.id}
}
func (c carrying) WithGroup(g string) slog.Handler { return carrying{c.Handler.WithGroup(g), c.id} }

type failing struct{ slog.Handler }

var errFull = errors.New("full")

func (failing) Handle(context.Context, slog.Record) error { return errFull }

func TestHandlerPassesErrorsOn(t *testing.T) {
	h := reqctx.NewHandler(failing{slog.DiscardHandler})
	if err := h.Handle(reqctx.With(t.Context(), "r1"), slog.Record{}); !errors.Is(err, errFull) {
		t.Errorf("Handle = %v, want %v", err, errFull)
	}
}
