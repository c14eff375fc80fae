package reliability_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// health is what a process says of itself at /metrics.
type health struct {
	goroutines int
	live       float64 // bytes of the heap in use after the last collection
	resident   float64 // bytes of memory in all, the mapped file among them
	files      int     // open, connections among them
	collected  float64 // when that was, as Unix time
	cpu        float64 // seconds of processor time so far
}

func (p *process) health() health {
	p.w.t.Helper()
	resp, err := http.Get("http://" + p.internal + "/metrics")
	if err != nil {
		p.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	figures := make(map[string]float64)
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if f, err := strconv.ParseFloat(value, 64); err == nil {
			figures[name] = f
		}
	}
	figure := func(name string) float64 {
		f, ok := figures[name]
		if !ok {
			p.w.t.Fatalf("/metrics does not tell %s", name)
		}
		return f
	}
	return health{
		goroutines: int(figure("go_goroutines")), live: figure("go_gc_heap_live_bytes"), resident: figure("process_resident_memory_bytes"),
		files: int(figure("process_open_fds")), collected: figure("go_memstats_last_gc_time_seconds"), cpu: figure("process_cpu_seconds_total"),
	}
}

// atRest is how a process is when nobody wants anything of it: its connections are
// closed at their other ends, and its memory was collected twice since. Asking is
// work enough to make it collect.
func (p *process) atRest(clients ...*http.Client) health {
	p.w.t.Helper()
	for _, c := range clients {
		c.CloseIdleConnections()
	}
	p.w.up.CloseClientConnections()
	p.w.hooks.at.CloseClientConnections()
	var h health
	collections, same := 0, 0
	for began := time.Now(); time.Since(began) < patience; {
		last := h
		h = p.health()
		if h.collected != last.collected {
			collections++
		}
		if h.goroutines == last.goroutines {
			same++
		} else {
			same = 0
		}
		if collections > 2 && same > 20 { // the first is the one that was found
			return h
		}
	}
	p.w.t.Fatalf("the process does not come to rest: %+v", h)
	return h
}

// The room that a process may take beyond where it was and not count as growth:
// a connection of the worker's or of the meter itself, and what the collector leaves
// of one round and not of another.
const (
	spareGoroutines = 8
	spareLive       = 4 << 20
)

// wantBack checks that a process is where it was.
func wantBack(t *testing.T, what string, was, is health) {
	t.Helper()
	if is.goroutines > was.goroutines+spareGoroutines {
		t.Errorf("%s: %d goroutines, and %d before", what, is.goroutines, was.goroutines)
	}
	if is.live > was.live*1.25+spareLive {
		t.Errorf("%s: %s of the heap in use, and %s before", what, megabytes(is.live), megabytes(was.live))
	}
}

func megabytes(bytes float64) string { return fmt.Sprintf("%.1f MB", bytes/(1<<20)) }
