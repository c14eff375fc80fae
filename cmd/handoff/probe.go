package main

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// probeLimit is how long the store may take to say that it is there.
const probeLimit = 2 * time.Second

// probe answers a supervisor's and a balancer's questions.
type probe struct {
	store    handoff.Store
	stopping atomic.Bool
}

func newProbe(s handoff.Store) *probe { return &probe{store: s} }

// handler serves the internal listener; inside is the rest of it. What a
// supervisor, a balancer and Prometheus ask for is answered by any name.
func (p *probe) handler(metrics, inside http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.Handle("/", inside)
	mux.HandleFunc("GET /livez", p.live)
	mux.HandleFunc("GET /readyz", p.ready)
	return mux
}

// live serves GET /livez: the process answers. It depends on nothing outside, or
// a restart would be asked for that mends nothing.
func (p *probe) live(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") }

// ready serves GET /readyz: new requests are welcome. The platform is not asked:
// when it is away, a page that says so is better than none.
func (p *probe) ready(w http.ResponseWriter, r *http.Request) {
	if p.stopping.Load() {
		answer(w, http.StatusServiceUnavailable, "stopping")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), probeLimit)
	defer cancel()
	if _, err := p.store.Due(ctx, time.Time{}, 1); err != nil {
		answer(w, http.StatusServiceUnavailable, "the store does not answer")
		return
	}
	answer(w, http.StatusOK, "ready")
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // whoever asked may be gone
}
