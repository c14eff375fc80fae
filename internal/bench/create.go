//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func measureCreate(ctx context.Context, b *bench) ([]row, error) {
	return b.createBesideEcho(ctx, "create, memory store", createBody(), 28)
}

func measureCreateJourney(ctx context.Context, b *bench) ([]row, error) {
	body := strings.Replace(createBody(), `"instanceId":"`+newInstance(0)+`"`, `"journey":{"resourceId":"kyc@latest"}`, 1)
	return b.createBesideEcho(ctx, "create with one call of the platform", body, 13)
}

// createBesideEcho creates handoffs. Every round has a portal that holds none yet.
func (b *bench) createBesideEcho(ctx context.Context, what, body string, goal float64) ([]row, error) {
	echo, err := b.echo(ctx)
	if err != nil {
		return nil, err
	}
	defer echo.stop()
	var all contest
	for range b.rounds {
		c, err := b.createRound(ctx, body, echo)
		if err != nil {
			return nil, err
		}
		all.add(c)
	}
	return []row{all.rowOf(what, goal)}, nil
}

func (b *bench) createRound(ctx context.Context, body string, echo side) (contest, error) {
	p, err := b.newPortal(ctx, "memory:")
	if err != nil {
		return contest{}, err
	}
	defer p.close()
	l := &load{address: p.address, status: http.StatusCreated, next: p.createRequest(body)}
	once := *b
	once.rounds = 1
	return once.contest(ctx, side{p.process, l}, echo)
}

// add puts the rounds of another contest with those of c.
func (c *contest) add(o contest) {
	c.rates, c.theirRates = append(c.rates, o.rates...), append(c.theirRates, o.theirRates...)
	c.ratios, c.spentRatios = append(c.ratios, o.ratios...), append(c.spentRatios, o.spentRatios...)
	c.spent, c.theirSpent = append(c.spent, o.spent...), append(c.theirSpent, o.theirSpent...)
}

// rawGoal is the share of the store's own rate that the portal is to reach.
const rawGoal = 60

func measureCreateFile(ctx context.Context, b *bench) ([]row, error) {
	return b.createBesideStore(ctx, "create, file store", "file", filepath.Join(b.dir, "raw.db"), "file:"+filepath.Join(b.dir, "portal.db"))
}

func measureCreateRedis(ctx context.Context, b *bench) ([]row, error) {
	const what = "create, Redis"
	if _, err := exec.LookPath("redis-server"); err != nil {
		return []row{{what: what, goal: fmt.Sprintf("≥ %d %%", rawGoal), absent: "there is no redis-server"}}, nil
	}
	free, err := freeAddresses(ctx, 1)
	if err != nil {
		return nil, err
	}
	address := free[0]
	_, port, _ := net.SplitHostPort(address)
	dir := filepath.Join(b.dir, "redis")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	server, err := start(ctx, b.cores.load, nil, os.Stderr, "redis-server",
		"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--loglevel", "warning", "--logfile", "log")
	if err != nil {
		return nil, err
	}
	defer server.stop()
	if err := dialable(ctx, address); err != nil {
		return nil, err
	}
	return b.createBesideStore(ctx, what, "redis", address, "redis://"+address)
}

func dialable(ctx context.Context, address string) error {
	var err error
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		var conn net.Conn
		if conn, err = new(net.Dialer).DialContext(ctx, "tcp", address); err == nil {
			return conn.Close()
		}
	}
	return err
}

// createBesideStore creates handoffs through the portal and straight in a store of
// the same kind.
func (b *bench) createBesideStore(ctx context.Context, what, kind, place, store string) ([]row, error) {
	raw, _, err := b.startRole(ctx, b.cores.server, "store", kind, place)
	if err != nil {
		return nil, err
	}
	defer raw.stop()
	p, err := b.newPortal(ctx, store)
	if err != nil {
		return nil, err
	}
	defer p.close()
	l := &load{address: p.address, status: http.StatusCreated, next: p.createRequest(createBody())}
	ours := side{p.process, l}
	var rates, theirs, ratios []float64
	var spent []time.Duration
	for i := range b.rounds + 1 {
		their, err := rawRound(raw, b.round)
		if err != nil {
			return nil, err
		}
		a, cost, err := ours.round(ctx, b.round)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			continue // to warm up
		}
		rates, theirs, spent = append(rates, a.perSecond()), append(theirs, their), append(spent, cost)
		ratios = append(ratios, 100*a.perSecond()/their)
	}
	return []row{{
		what:   what,
		got:    fmt.Sprintf("%.0f %% %s: %s, %s of processor each", median(ratios), spread(ratios, "%.0f"), rate(median(rates)), micro(median(spent))),
		beside: "the store alone, 64 callers: " + rate(median(theirs)),
		goal:   fmt.Sprintf("≥ %d %%", rawGoal), met: median(ratios) >= rawGoal,
	}}, nil
}

func rawRound(raw *process, d time.Duration) (perSecond float64, err error) {
	answer, err := raw.ask(d.String())
	if err != nil {
		return 0, err
	}
	var n, took int64
	if _, err := fmt.Sscan(answer, &n, &took); err != nil || took == 0 {
		return 0, errors.Join(fmt.Errorf("the store alone answers %q", answer), err)
	}
	return float64(n) / time.Duration(took).Seconds(), nil
}
