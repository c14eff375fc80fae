//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
)

// measurePage asks for displays by turns, as many people have open that wait, each
// with a code that was not drawn before.
func measurePage(ctx context.Context, b *bench) ([]row, error) {
	echo, err := b.echo(ctx)
	if err != nil {
		return nil, err
	}
	defer echo.stop()
	p, err := b.newPortal(ctx, "memory:")
	if err != nil {
		return nil, err
	}
	defer p.close()
	n := 4096
	if b.quick {
		n = 256
	}
	paths, err := p.displays(ctx, n)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, kind := range []struct {
		what   string
		goal   float64
		header []string
	}{
		{"display page with a fresh code", 35, nil},
		{"the same, compressed", 28, []string{"Accept-Encoding: gzip, deflate, br, zstd"}},
	} {
		requests := make([][]byte, n)
		for i, path := range paths {
			requests[i] = p.navigation(path, kind.header...)
		}
		l := &load{address: p.address, status: http.StatusOK, next: func(i int) []byte { return requests[i%n] }}
		c, err := b.contest(ctx, side{p.process, l}, echo)
		if err != nil {
			return nil, err
		}
		rows = append(rows, c.rowOf(kind.what, kind.goal))
		if kind.header == nil {
			rows = append(rows, row{
				what:   "the 99th percentile of the page's answers",
				got:    fmt.Sprintf("%.1f× %s: %s", median(c.lateRatios), spread(c.lateRatios, "%.1f"), micro(median(c.late))),
				beside: "bare Echo: " + micro(median(c.theirLate)),
				goal:   "≤ 2.5×", met: median(c.lateRatios) <= 2.5,
			})
		}
	}
	return rows, nil
}
