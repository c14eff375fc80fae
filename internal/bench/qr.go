//go:build linux

package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/handoff-portal/handoff/internal/qr"
)

// qrLink is a link as long as ours, and a new one for each n.
func qrLink(n int) string {
	return fmt.Sprintf("https://go.example.com/c/acme/0123456789ABCDEFGHJKMNPQRS.1A.%010d", n)
}

// measureQR draws links, each once, with our encoder into a buffer that is used
// again, and with skip2/go-qrcode and the same drawing.
func measureQR(_ context.Context, b *bench) ([]row, error) {
	var svg []byte
	ours := func(link string) error {
		c, err := qr.Encode(link)
		svg = c.AppendSVG(svg[:0])
		return err
	}
	theirs := func(link string) error {
		c, err := qr.Reference(link)
		svg = c.AppendSVG(svg[:0])
		return err
	}
	var each, theirEach []time.Duration
	var times []float64
	n := 0
	for range b.rounds {
		their, next, err := timed(b.round, n, theirs)
		if err != nil {
			return nil, err
		}
		our, next, err := timed(b.round, next, ours)
		if err != nil {
			return nil, err
		}
		n = next
		each, theirEach = append(each, our), append(theirEach, their)
		times = append(times, float64(their)/float64(our))
	}
	garbage, err := allocations(1000, ours)
	if err != nil {
		return nil, err
	}
	return []row{{
		what:   "QR and SVG of a changing link",
		got:    fmt.Sprintf("%.0f× %s: %s, %d allocations, an SVG of %.1f KB", median(times), spread(times, "%.0f"), micro(median(each)), garbage, float64(len(svg))/1000),
		beside: "skip2 with the same drawing: " + micro(median(theirEach)),
		goal:   "≥ 50×, ≤ 10 µs, 0 allocations, ≤ 2.0 KB",
		met:    median(times) >= 50 && median(each) <= 10*time.Microsecond && garbage == 0 && len(svg) <= 2000,
	}}, nil
}

// timed draws links for a time and returns what one took.
func timed(d time.Duration, from int, draw func(link string) error) (each time.Duration, next int, err error) {
	links := make([]string, 256)
	var spent time.Duration
	n := from
	for spent < d {
		for i := range links {
			links[i] = qrLink(n + i)
		}
		begin := time.Now()
		for _, link := range links {
			if err := draw(link); err != nil {
				return 0, n, err
			}
		}
		spent += time.Since(begin)
		n += len(links)
	}
	return spent / time.Duration(n-from), n, nil
}

// allocations counts what one call allocates.
func allocations(n int, draw func(link string) error) (int, error) {
	links := make([]string, n)
	for i := range links {
		links[i] = qrLink(i)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, link := range links {
		if err := draw(link); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return int(after.Mallocs-before.Mallocs) / n, nil //nolint:gosec // G115: a count that is small
}
