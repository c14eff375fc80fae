//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"
)

// measureStart starts the program with a file that holds a handoff, and asks for
// its display until it is there.
func measureStart(ctx context.Context, b *bench) ([]row, error) {
	p, err := b.newPortal(ctx, "file:"+filepath.Join(b.dir, "start.db"))
	if err != nil {
		return nil, err
	}
	defer p.close()
	paths, err := p.displays(ctx, 1)
	if err != nil {
		return nil, err
	}
	var took []time.Duration
	var resident, files []float64
	for range max(5, b.rounds) {
		p.stop()
		p.process = nil
		begin := time.Now()
		if err := p.serveUntil(ctx, paths[0]); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
		time.Sleep(min(b.round, 2*time.Second)) // what only starting needed is given back
		size, file, err := p.resident()
		if err != nil {
			return nil, err
		}
		resident, files = append(resident, float64(size)/1e6), append(files, float64(file)/1e6)
	}
	return []row{
		{
			what: "process start to the first page", got: fmt.Sprintf("%d ms", median(took).Milliseconds()), beside: "–",
			goal: "≤ 100 ms", met: median(took) <= 100*time.Millisecond,
		},
		{
			what: "resident, idle", got: fmt.Sprintf("%.0f MB, of which %.0f are the program's file", median(resident), median(files)), beside: "–",
			goal: "≤ 25 MB", met: median(resident) <= 25,
		},
	}, nil
}

// serveUntil starts the portal's process and returns when it has answered with a page.
func (p *portal) serveUntil(ctx context.Context, path string) error {
	if err := p.launch(ctx); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < startTime; time.Sleep(500 * time.Microsecond) {
		answer, err := p.get(ctx, "http://"+p.address+path, map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "User-Agent": desktop})
		if err != nil {
			continue
		}
		_, err = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK || err != nil {
			return fmt.Errorf("the page is answered with %s, %w", answer.Status, err)
		}
		return nil
	}
	return errors.New("no page comes")
}
