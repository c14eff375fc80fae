package platform

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// gate decides whether a call may go out. It is a circuit breaker and the
// memory of long Retry-After answers in one: both say "not before". It is our
// own because the libraries count ratios over windows, know nothing of
// Retry-After, and are longer than this.
//
// After limit failures in a row it is shut for coolDown; then one call, the
// probe, may go out, and its outcome opens the gate or shuts it again.
type gate struct {
	name     string
	limit    int
	coolDown time.Duration
	now      func() time.Time
	log      *slog.Logger

	mu       sync.Mutex // guards what follows
	failures int
	shutTill time.Time
	probing  bool
	held     map[string]time.Time // by name of call: the platform said not before
}

// outcome is what an attempt says about the platform as a whole.
type outcome int

const (
	answered outcome = iota // a refusal is an answer
	failed
	abandoned // the caller left; nothing is known
)

// probePause is what a caller is told to wait for while a probe is out.
const probePause = time.Second

func newGate(name string, limit int, coolDown time.Duration, now func() time.Time, log *slog.Logger) *gate {
	return &gate{name: name, limit: limit, coolDown: coolDown, now: now, log: log, held: map[string]time.Time{}}
}

// enter returns leave, which must be called with what became of the attempt;
// or nil and how long to stay away.
func (g *gate) enter(call string) (leave func(context.Context, outcome), wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if until, ok := g.held[call]; ok {
		if now.Before(until) {
			return nil, until.Sub(now)
		}
		delete(g.held, call)
	}
	if g.failures < g.limit {
		return func(ctx context.Context, o outcome) { g.leave(ctx, o, false) }, 0
	}
	if now.Before(g.shutTill) {
		return nil, g.shutTill.Sub(now)
	}
	if g.probing {
		return nil, probePause
	}
	g.probing = true
	return func(ctx context.Context, o outcome) { g.leave(ctx, o, true) }, 0
}

func (g *gate) leave(ctx context.Context, o outcome, probe bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
	switch o {
	case answered:
		if g.failures >= g.limit {
			g.log.LogAttrs(ctx, slog.LevelInfo, "platform breaker closed", slog.String("host", g.name))
		}
		g.failures = 0
	case failed:
		g.failures++
		if g.failures >= g.limit {
			g.shutTill = g.now().Add(g.coolDown)
			if g.failures == g.limit {
				g.log.LogAttrs(ctx, slog.LevelError, "platform breaker opened", slog.String("host", g.name), slog.Int("failures", g.failures))
			}
		}
	case abandoned:
	}
}

// shut reports whether the breaker is open: the platform has failed too often in a
// row, and was not heard well since.
func (g *gate) shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failures >= g.limit
}

// hold keeps calls of this name away for d.
func (g *gate) hold(call string, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := g.now().Add(d); until.After(g.held[call]) {
		g.held[call] = until
	}
}
