package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/mattn/go-isatty"

	"github.com/handoff-portal/handoff/internal/reqctx"
)

// newLog returns a logger on standard error: text for a person at a terminal,
// JSON for whatever collects it otherwise.
func newLog(w io.Writer, level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if isTerminal(w) {
		return slog.New(reqctx.NewHandler(slog.NewTextHandler(w, o)))
	}
	return slog.New(reqctx.NewHandler(slog.NewJSONHandler(w, o)))
}

// isTerminal reports whether a stream is a person's terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
