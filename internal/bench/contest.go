//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// side is one of two that are measured by turns.
type side struct {
	p *process
	l *load
}

// contest is what rounds by turns came to: each value is of one round.
type contest struct {
	rates, theirRates []float64       // requests a second
	ratios            []float64       // ours, in per cent of theirs
	spent, theirSpent []time.Duration // of processor, for a request
	spentRatios       []float64       // theirs, in per cent of ours
	late, theirLate   []time.Duration // 99th percentiles of the answers' times
	lateRatios        []float64
}

// contest measures two sides by turns, after a round of each that does not count.
func (b *bench) contest(ctx context.Context, ours, theirs side) (contest, error) {
	var c contest
	for _, s := range []side{theirs, ours} {
		if _, _, err := s.round(ctx, b.round/3); err != nil {
			return c, err
		}
	}
	for range b.rounds {
		t, theirCost, err := theirs.round(ctx, b.round)
		if err != nil {
			return c, err
		}
		o, cost, err := ours.round(ctx, b.round)
		if err != nil {
			return c, err
		}
		c.rates, c.theirRates = append(c.rates, o.perSecond()), append(c.theirRates, t.perSecond())
		c.ratios = append(c.ratios, 100*o.perSecond()/t.perSecond())
		c.spent, c.theirSpent = append(c.spent, cost), append(c.theirSpent, theirCost)
		c.spentRatios = append(c.spentRatios, 100*float64(theirCost)/float64(cost))
		late, theirLate := percentile(o.times, 0.99), percentile(t.times, 0.99)
		c.late, c.theirLate = append(c.late, late), append(c.theirLate, theirLate)
		c.lateRatios = append(c.lateRatios, float64(late)/float64(theirLate))
	}
	return c, nil
}

// round sends requests for a time, and returns the processor time that the server
// spent on one, too.
func (s side) round(ctx context.Context, d time.Duration) (answered, time.Duration, error) {
	before, err := s.p.spent()
	if err != nil {
		return answered{}, 0, err
	}
	a, err := s.l.run(ctx, d, 0)
	if err != nil {
		return a, 0, err
	}
	after, err := s.p.spent()
	return a, (after - before) / time.Duration(max(1, a.count)), err
}

// echo starts bare Echo and a load on it. The caller calls stop.
func (b *bench) echo(ctx context.Context) (side, error) {
	p, address, err := b.startRole(ctx, b.cores.server, "echo")
	if err != nil {
		return side{}, err
	}
	request := []byte("GET / HTTP/1.1\r\nHost: " + address + "\r\n\r\n")
	l := &load{address: address, status: http.StatusOK, next: func(int) []byte { return request }}
	return side{p, l}, nil
}

func (s side) stop() { s.p.stop() }

// rowOf is the row of a rate beside bare Echo's. A goal of 0 is none.
func (c contest) rowOf(what string, goal float64) row {
	share := median(c.ratios)
	r := row{
		what: what,
		got: fmt.Sprintf("%.0f %% %s: %s, %s of processor each; by that %.0f %%",
			share, spread(c.ratios, "%.0f"), rate(median(c.rates)), micro(median(c.spent)), median(c.spentRatios)),
		beside: fmt.Sprintf("bare Echo: %s, %s", rate(median(c.theirRates)), micro(median(c.theirSpent))),
	}
	if goal > 0 {
		r.goal, r.met = fmt.Sprintf("≥ %.0f %%", goal), share >= goal
	}
	return r
}
