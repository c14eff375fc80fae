//go:build linux

package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
)

// TestMain lets the test's own program play the yardsticks.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == roleArgument {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	printTable(&out, []row{
		{what: "a page", got: "30 %", beside: "bare Echo", goal: "≥ 35 %"},
		{what: "a code", got: "60×", beside: "skip2", goal: "≥ 50×", met: true},
		{what: "Redis", goal: "≥ 60 %", absent: "there is none"},
		{what: "for the record", got: "1 µs", beside: "–"},
	})
	want := `| what | measured | beside | goal | met |
|---|---|---|---|---|
| a page | 30 % | bare Echo | ≥ 35 % | no |
| a code | 60× | skip2 | ≥ 50× | yes |
| Redis | not measured: there is none |  | ≥ 60 % | – |
| for the record | 1 µs | – | – | – |
`
	if got := out.String(); got != want {
		t.Errorf("printTable prints\n%s, want\n%s", got, want)
	}
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--help"}, 0, "usage: go run ./internal/bench"},
		{[]string{"-list"}, 0, "page "},
		{[]string{"-only", "page,nothing"}, 2, `there is no "nothing" to measure`},
		{[]string{"-rounds", "0"}, 2, "see --help"},
		{[]string{"page"}, 2, "see --help"},
	} {
		var out bytes.Buffer
		if status := run(t.Context(), tt.args, &out, &out); status != tt.status || !strings.Contains(out.String(), tt.says) {
			t.Errorf("run(%q) = %d and says %q, want %d and %q", tt.args, status, out.String(), tt.status, tt.says)
		}
	}
}

// TestQuick measures everything shortly: what it finds is not looked at, but it
// must find something in every row.
func TestQuick(t *testing.T) {
	if os.Getenv("HANDOFF_LONG") == "" {
		t.Skip("set HANDOFF_LONG to measure everything, shortly")
	}
	var out bytes.Buffer
	if status := run(t.Context(), []string{"-quick"}, &out, t.Output()); status != 0 {
		t.Fatalf("run(-quick) = %d, want 0", status)
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "NaN") || strings.Contains(line, "| 0 % [") {
			t.Errorf("nothing was measured: %s", line)
		}
	}
}
