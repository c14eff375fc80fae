//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
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
	same, err := b.measureSame(ctx, p, paths[0], echo)
	return append(rows, same), err
}

// measureSame has bare Echo answer with a display's own bytes: what is beyond that is
// the portal's.
func (b *bench) measureSame(ctx context.Context, p *portal, path string, echo side) (row, error) {
	answer, err := p.get(ctx, "http://"+p.address+path, map[string]string{
		"User-Agent": desktop, "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept-Encoding": "identity",
	})
	if err != nil {
		return row{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return row{}, err
	}
	answer.Header.Del("Date")
	text, err := json.Marshal(sameAnswer{answer.Header, body})
	if err != nil {
		return row{}, err
	}
	file := filepath.Join(b.dir, "same.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return row{}, err
	}
	server, address, err := b.startRole(ctx, b.cores.server, "same", file)
	if err != nil {
		return row{}, err
	}
	defer server.stop()
	request := p.navigation(path)
	c, err := b.contest(ctx, side{server, &load{address: address, status: http.StatusOK, next: func(int) []byte { return request }}}, echo)
	return c.rowOf(fmt.Sprintf("bare Echo with that page's own %.1f KB and headers, made once", float64(len(body))/1000), 0), err
}
