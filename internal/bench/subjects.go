//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// subject is something to measure: one row of the table, or several that come of
// one measurement. To add one, write its function and name it in subjects.
type subject struct {
	name  string // for -only
	about string
	run   func(ctx context.Context, b *bench) ([]row, error)
}

// subjects is everything there is, in the order of the table.
func subjects() []subject {
	return []subject{
		{"qr", "the QR of a changing link as SVG, beside skip2/go-qrcode", measureQR},
		{"page", "the display page with a fresh code, beside bare Echo", measurePage},
		{"create", "creating a handoff with the memory store, beside bare Echo", measureCreate},
		{"file", "creating a handoff in a file, beside the store alone", measureCreateFile},
		{"redis", "creating a handoff in Redis, beside the store alone", measureCreateRedis},
		{"journey", "creating a handoff with one call of the platform, beside bare Echo", measureCreateJourney},
		{"claim", "Continue on a phone to the event at the desktop, beside a TCP ping-pong", measureClaim},
		{"commit", "the store's commit of a claim to the event at the desktop, beside a TCP ping-pong", measureCommit},
		{"viewers", "open displays: their memory, and an event to each, beside streams of net/http", measureViewers},
		{"start", "from starting the program to its first page, and its memory then", measureStart},
	}
}

// row is one line of the table.
type row struct {
	what   string
	beside string // the yardstick, and what it came to
	got    string // what was measured
	goal   string
	met    bool
	absent string // why nothing was measured, if so
}

// bench is one run: what subjects measure with.
type bench struct {
	options
	cores   cores
	dir     string                           // of this run; removed at its end
	program string                           // cmd/handoff, built
	say     func(format string, args ...any) // progress, for who watches
}

// printTable prints the rows as docs/performance.md has them.
func printTable(w io.Writer, rows []row) {
	fmt.Fprintln(w, "| what | measured | beside | goal | met |")
	fmt.Fprintln(w, "|---|---|---|---|---|")
	for _, r := range rows {
		met := "no"
		switch {
		case r.absent != "":
			r.got, met = "not measured: "+r.absent, "–"
		case r.goal == "":
			r.goal, met = "–", "–"
		case r.met:
			met = "yes"
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", r.what, r.got, r.beside, r.goal, met)
	}
}

func median[T float64 | time.Duration](v []T) T {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// percentile is the value that the share p of sorted values do not exceed.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

// micro prints a duration in microseconds, as few digits as say something.
func micro(d time.Duration) string {
	us := float64(d) / float64(time.Microsecond)
	if us < 100 {
		return fmt.Sprintf("%.1f µs", us)
	}
	return fmt.Sprintf("%.0f µs", us)
}

// rate prints requests a second.
func rate(perSecond float64) string {
	if perSecond < 1000 {
		return fmt.Sprintf("%.0f/s", perSecond)
	}
	return fmt.Sprintf("%.1f k/s", perSecond/1000)
}

// spread prints the lowest and the highest of some ratios.
func spread(v []float64, format string) string {
	return strings.ReplaceAll(fmt.Sprintf("["+format+"–"+format+"]", slices.Min(v), slices.Max(v)), "  ", " ")
}
