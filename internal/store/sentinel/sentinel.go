// Package sentinel finds out from Redis's sentinels whether a server is the master.
//
// They make a replica master without the consent of the master before. If that one
// comes back meanwhile, it goes on with a replica that has not heard yet, and what
// the two acknowledge is gone a second later. So nothing that a server says counts
// unless the sentinels vouch for it.
package sentinel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// roundAge is how long what the sentinels said holds. One that begins to fail over
	// takes two of its ticks, of 50 ms at least, until there is another master.
	roundAge = 50 * time.Millisecond
	// roundTime is how long one may take to answer. One that did not is asked again
	// every quietTime, and nobody waits for it.
	roundTime = time.Second
	quietTime = time.Second
	// electionTime is how long an election is a reason to doubt: sentinels tell each
	// other what they know every two seconds, and one that came to nothing stays on
	// record.
	electionTime = 10 * time.Second
)

var (
	errNoMajority = errors.New("most sentinels do not say which server is the master")
	errReplaced   = errors.New("sentinel is replacing the master")
	errElection   = errors.New("the sentinels have voted to replace the master, and one does not answer")
	errNotMaster  = errors.New("sentinel has another server for the master")
	errUnknown    = errors.New("it does not know this master")
	errUnsettled  = errors.New("it is changing its mind")
)

// Group are the sentinels that watch over one master. It is safe for concurrent use.
type Group struct {
	name    string
	servers redis.Options // of a server, but for its address
	addrs   []string
	all     []*redis.SentinelClient // at each of them
	now     func() time.Time

	mu       sync.Mutex
	round    *round            // guarded by mu; the latest
	quiet    map[int]quiet     // guarded by mu; those that did not answer
	heard    map[int]time.Time // guarded by mu; when each was asked what it answered last
	election election          // guarded by mu; the latest
	master   *redis.Client     // guarded by mu; of the server that was named last
	server   string            // guarded by mu; its run id
}

// round is what came of asking them all at once.
type round struct {
	began  time.Time
	done   chan struct{} // closed when the rest is there
	server string        // the run id of the master
	err    error         // why nobody knows it
}

// quiet is one that did not answer.
type quiet struct {
	err   error
	asked time.Time
}

// election is one that has made nobody master, as far as we know.
type election struct {
	epoch int64
	since time.Time // when we heard of it
}

// NewGroup returns those that a client with these options follows. Nobody is asked
// yet. now tells the time.
func NewGroup(o *redis.FailoverOptions, now func() time.Time) *Group {
	common := redis.Options{
		ClientName: o.ClientName, DisableIdentity: o.DisableIdentity, TLSConfig: o.TLSConfig, Protocol: o.Protocol,
		ContextTimeoutEnabled: true, DialTimeout: roundTime, DialerRetries: 1, MaxRetries: -1, ConnMaxIdleTime: o.ConnMaxIdleTime,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	g := &Group{name: o.MasterName, addrs: o.SentinelAddrs, now: now, servers: common, quiet: make(map[int]quiet), heard: make(map[int]time.Time)}
	g.servers.Username, g.servers.Password = o.Username, o.Password
	for _, addr := range o.SentinelAddrs {
		one := common
		one.Addr, one.Username, one.Password = addr, o.SentinelUsername, o.SentinelPassword
		g.all = append(g.all, redis.NewSentinelClient(&one))
	}
	return g
}

// Close closes the connections. Nothing may be asked after it.
func (g *Group) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	errs := make([]error, 0, len(g.all)+1)
	for _, c := range g.all {
		errs = append(errs, c.Close())
	}
	if g.master != nil {
		errs = append(errs, g.master.Close())
	}
	return errors.Join(errs...)
}

// Vouch returns nil if the server with this run id is the master: most sentinels
// answer, the latest failover that one of them knows of made it master, and none is
// replacing it. One that voted knows that there is an election, and does not know
// what came of it until the new master is there: so for 10 s a vote is enough to
// doubt, where one that may lead the failover does not answer.
//
// The sentinels were asked 50 ms before the call at the earliest.
func (g *Group) Vouch(ctx context.Context, server string) error {
	r := g.ask()
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.err == nil && (server == "" || r.server != server) {
		return errNotMaster
	}
	return r.err
}

// Server is the run id of the master, as it was found last.
func (g *Group) Server() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.server
}

// RunID is that of a server, by its INFO.
func RunID(info string) string {
	for line := range strings.Lines(info) {
		if id, ok := strings.CutPrefix(line, "run_id:"); ok {
			return strings.TrimSpace(id)
		}
	}
	return ""
}

// Doubts are what keeps sentinels from vouching, one by one.
func (g *Group) Doubts(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	doubts := make([]string, len(g.all))
	var asking sync.WaitGroup
	for i, c := range g.all {
		asking.Go(func() {
			switch v, err := g.verdict(ctx, c); {
			case err != nil:
				doubts[i] = fmt.Sprintf("the sentinel at %s does not say which server is master, and without most of them nothing is read or changed: %v", g.addrs[i], err)
			case v.mute:
				doubts[i] = fmt.Sprintf("the sentinel at %s does not let us ask is-master-down-by-addr, and without it a failover is not noticed whose leader is away", g.addrs[i])
			case v.others >= len(g.all):
				doubts[i] = fmt.Sprintf("the sentinel at %s knows of %d others, and store: names %d in all: name each, or a failover that another leads is noticed late", g.addrs[i], v.others, len(g.all))
			}
		})
	}
	asking.Wait()
	return slices.DeleteFunc(doubts, func(d string) bool { return d == "" })
}

// ask begins a round, or joins one that has just begun.
func (g *Group) ask() *round {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.round != nil && g.now().Sub(g.round.began) < roundAge {
		return g.round
	}
	r := &round{began: g.now(), done: make(chan struct{})}
	g.round = r
	go func() {
		defer close(r.done)
		ctx, cancel := context.WithTimeout(context.Background(), 2*roundTime) // others join it, so it is nobody's
		defer cancel()
		r.server, r.err = g.find(ctx)
	}()
	return r
}

// find asks who the master is, and that one for its run id: a sentinel's is up to
// ten seconds old.
func (g *Group) find(ctx context.Context) (server string, err error) {
	verdicts, silent := g.verdicts(ctx)
	if 2*len(verdicts) <= len(g.all) {
		return "", fmt.Errorf("%w: %s", errNoMajority, strings.Join(silent, "; "))
	}
	latest, voted, all := verdicts[0], int64(0), len(g.all)
	for _, v := range verdicts {
		if v.epoch > latest.epoch {
			latest = v
		}
		voted, all = max(voted, v.vote), max(all, 1+v.others)
	}
	if fresh := g.isFresh(voted); fresh && voted > latest.epoch && len(verdicts) < all {
		return "", errElection
	}
	for _, v := range verdicts {
		if v.replaced && v.master == latest.master {
			return "", errReplaced
		}
	}
	info, err := g.at(latest.master).Info(ctx, "server").Result()
	if err != nil {
		return "", fmt.Errorf("asking the master at %s: %w", latest.master, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.server = RunID(info)
	return g.server, nil
}

// at is the client of the server at an address. There is one master, so one is kept.
func (g *Group) at(addr string) *redis.Client {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.master != nil && g.master.Options().Addr == addr {
		return g.master
	}
	if g.master != nil {
		_ = g.master.Close() // of a server that is master no more
	}
	one := g.servers
	one.Addr = addr
	g.master = redis.NewClient(&one)
	return g.master
}

// isFresh reports whether we have heard of an election only now.
func (g *Group) isFresh(epoch int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if epoch > g.election.epoch {
		g.election = election{epoch, g.now()}
	}
	return g.now().Sub(g.election.since) < electionTime
}

// verdicts are those of all sentinels that answer in time, and why others are silent.
func (g *Group) verdicts(ctx context.Context) (out []verdict, silent []string) {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	given, errs := make([]verdict, len(g.all)), make([]error, len(g.all))
	var asking sync.WaitGroup
	for i := range g.all {
		if errs[i] = g.silence(i); errs[i] == nil {
			asking.Go(func() { given[i], errs[i] = g.hear(ctx, i) })
		}
	}
	asking.Wait()
	for i, v := range given {
		if errs[i] != nil {
			silent = append(silent, fmt.Sprintf("%s: %v", g.addrs[i], errs[i]))
			continue
		}
		out = append(out, v)
	}
	return out, silent
}

// silence is why a sentinel is not waited for, or nil. It is asked all the same, now
// and then. Where the others are no majority, all are waited for.
func (g *Group) silence(i int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	q, is := g.quiet[i]
	if !is || 2*len(g.quiet) >= len(g.all) {
		return nil
	}
	if g.now().Sub(q.asked) >= quietTime {
		g.quiet[i] = quiet{q.err, g.now()}
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), roundTime)
			defer cancel()
			_, _ = g.hear(ctx, i) // the next round has it
		}()
	}
	return q.err
}

// hear asks a sentinel, and notes whether it answers.
func (g *Group) hear(ctx context.Context, i int) (verdict, error) {
	began := g.now()
	v, err := g.verdict(ctx, g.all[i])
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil:
		delete(g.quiet, i)
		g.heard[i] = began
	case !g.heard[i].After(began): // or it has answered one who asked later
		g.quiet[i] = quiet{err, g.now()}
	}
	return v, err
}
