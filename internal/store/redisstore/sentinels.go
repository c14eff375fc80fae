package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Sentinels say which server is the master. They make a replica master without the
// consent of the master before: if that one comes back meanwhile, it goes on with a
// replica that has not heard yet, and what the two acknowledge is gone a second
// later. So under Sentinel nothing that a server says counts, unless it is the master
// of most sentinels and none of them is replacing it.
//
// Whoever voted in an election knows that there is one, and does not know what came
// of it until the new master is there. So a vote is enough to doubt, where one that
// may lead the failover does not answer.
type Sentinels struct {
	name    string
	servers redis.Options // of a server, but for its address
	all     []*redis.SentinelClient

	mu       sync.Mutex
	round    *round        // guarded by mu; the latest
	quiet    map[int]quiet // guarded by mu; those that did not answer
	election election      // guarded by mu; the latest
	master   *redis.Client // guarded by mu; of the server that was named last
}

// NewSentinels returns those that a client with these options follows.
func NewSentinels(o *redis.FailoverOptions) *Sentinels {
	common := redis.Options{
		ClientName: o.ClientName, DisableIdentity: o.DisableIdentity, TLSConfig: o.TLSConfig, Protocol: o.Protocol,
		ContextTimeoutEnabled: true, DialTimeout: roundTime, DialerRetries: 1, MaxRetries: -1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	s := &Sentinels{name: o.MasterName, servers: common, quiet: make(map[int]quiet)}
	s.servers.Username, s.servers.Password = o.Username, o.Password
	for _, addr := range o.SentinelAddrs {
		one := common
		one.Addr, one.Username, one.Password = addr, o.SentinelUsername, o.SentinelPassword
		s.all = append(s.all, redis.NewSentinelClient(&one))
	}
	return s
}

// Close closes the connections.
func (s *Sentinels) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, 0, len(s.all)+1)
	for _, c := range s.all {
		errs = append(errs, c.Close())
	}
	if s.master != nil {
		errs = append(errs, s.master.Close())
	}
	return errors.Join(errs...)
}

const (
	// roundAge is how long what the sentinels said holds. One that begins to fail over
	// takes two of its ticks, of 100 ms, until there is another master.
	roundAge = 50 * time.Millisecond
	// roundTime is how long one may take to answer, and quietTime how long one that
	// did not is left alone.
	roundTime = 500 * time.Millisecond
	quietTime = time.Second
	// electionTime is how long an election is a reason to doubt: sentinels tell each
	// other what they know every two seconds, and one that came to nothing stays on
	// record.
	electionTime = 10 * time.Second
)

// round is what came of asking all the sentinels at once.
type round struct {
	began  time.Time
	done   chan struct{} // closed when the rest is there
	server string        // the run id of the master
	err    error         // why nobody knows it
}

// quiet is a sentinel that did not answer.
type quiet struct {
	err   error
	since time.Time
}

var (
	errNoSentinels = errors.New("most sentinels do not say which server is the master")
	errReplaced    = errors.New("sentinel is replacing the master")
	errElection    = errors.New("the sentinels have voted to replace the master, and one does not answer")
	errNotMaster   = errors.New("sentinel has another server for the master")
)

// vouch returns nil if the server with this run id is the master.
func (s *Sentinels) vouch(ctx context.Context, server string) error {
	r := s.ask()
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.err == nil && r.server != server {
		return errNotMaster
	}
	return r.err
}

// ask begins a round, or joins one that has just begun.
func (s *Sentinels) ask() *round {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.round != nil && time.Since(s.round.began) < roundAge {
		return s.round
	}
	r := &round{began: time.Now(), done: make(chan struct{})}
	s.round = r
	go func() {
		defer close(r.done)
		ctx, cancel := context.WithTimeout(context.Background(), 2*roundTime) // others join it, so it is nobody's
		defer cancel()
		r.server, r.err = s.find(ctx)
	}()
	return r
}

// find asks who the master is, and that one for its run id: a sentinel's is up to
// ten seconds old.
func (s *Sentinels) find(ctx context.Context) (server string, err error) {
	verdicts, err := s.verdicts(ctx)
	if 2*len(verdicts) <= len(s.all) {
		return "", fmt.Errorf("%w: %w", errNoSentinels, err)
	}
	latest, voted := verdicts[0], int64(0)
	for _, v := range verdicts {
		if v.epoch > latest.epoch {
			latest = v
		}
		voted = max(voted, v.vote)
	}
	if voted > latest.epoch && len(verdicts) < len(s.all) && s.isFresh(voted) {
		return "", errElection
	}
	for _, v := range verdicts {
		if v.replaced && v.master == latest.master {
			return "", errReplaced
		}
	}
	info, err := s.at(latest.master).Info(ctx, "server").Result()
	if err != nil {
		return "", fmt.Errorf("asking the master at %s: %w", latest.master, err)
	}
	return runID(info), nil
}

// at is the client of the server at an address. There is one master, so one is kept.
func (s *Sentinels) at(addr string) *redis.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master != nil && s.master.Options().Addr == addr {
		return s.master
	}
	if s.master != nil {
		_ = s.master.Close() // of a server that is master no more
	}
	one := s.servers
	one.Addr = addr
	s.master = redis.NewClient(&one)
	return s.master
}

// runID is that of a server, by its INFO.
func runID(info string) string {
	for line := range strings.Lines(info) {
		if id, ok := strings.CutPrefix(line, "run_id:"); ok {
			return strings.TrimSpace(id)
		}
	}
	return ""
}

// verdict is what one sentinel says.
type verdict struct {
	master   string // its address
	epoch    int64  // of the failover that made it master: the latest is right
	vote     int64  // the epoch that this sentinel voted in last
	replaced bool   // this sentinel is making another one master, and has not yet
}

// election is one that has made nobody master, as far as we know.
type election struct {
	epoch int64
	since time.Time // when we heard of it
}

// isFresh reports whether we have heard of an election only now.
func (s *Sentinels) isFresh(epoch int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.election.epoch != epoch {
		s.election = election{epoch, time.Now()}
	}
	return time.Since(s.election.since) < electionTime
}

// verdicts are those of all sentinels that answer in time, and why others do not.
func (s *Sentinels) verdicts(ctx context.Context) ([]verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	given, errs := make([]verdict, len(s.all)), make([]error, len(s.all))
	var asking sync.WaitGroup
	for i, c := range s.all {
		if errs[i] = s.silence(i); errs[i] == nil {
			asking.Go(func() {
				if given[i], errs[i] = s.verdict(ctx, c); errs[i] != nil {
					s.leaveAlone(i, errs[i])
				}
			})
		}
	}
	asking.Wait()
	var out []verdict
	for i, v := range given {
		if errs[i] == nil {
			out = append(out, v)
		}
	}
	return out, errors.Join(errs...)
}

// silence is why a sentinel is left alone for now, or nil.
func (s *Sentinels) silence(i int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.quiet[i]; time.Since(q.since) < quietTime {
		return q.err
	}
	return nil
}

func (s *Sentinels) leaveAlone(i int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet[i] = quiet{err, time.Now()}
}

// verdict asks one sentinel: first for the address, which is the new master's as
// soon as there is one, then for all it knows, where the old one stands until the
// failover has ended.
func (s *Sentinels) verdict(ctx context.Context, c *redis.SentinelClient) (verdict, error) {
	at, err := c.GetMasterAddrByName(ctx, s.name).Result()
	if err != nil {
		return verdict{}, err
	}
	known, err := c.Master(ctx, s.name).Result()
	if err != nil {
		return verdict{}, err
	}
	v := verdict{master: net.JoinHostPort(at[0], at[1])}
	if v.epoch, err = strconv.ParseInt(known["config-epoch"], 10, 64); err != nil {
		return verdict{}, fmt.Errorf("reading a sentinel's config-epoch: %w", err)
	}
	v.replaced = strings.Contains(known["flags"], "failover_in_progress") && v.master == net.JoinHostPort(known["ip"], known["port"])
	// What sentinels ask each other for a vote with. In an epoch that is long past
	// nobody gets one, and is told whom this one voted for, and when.
	ask := redis.NewSliceCmd(ctx, "SENTINEL", "IS-MASTER-DOWN-BY-ADDR", known["ip"], known["port"], 0, "nobody")
	switch err := c.Process(ctx, ask); {
	case redis.HasErrorPrefix(err, "NOPERM"): // the rights that Redis's documentation gives to clients do not have it
	case err != nil:
		return verdict{}, err
	case len(ask.Val()) == 3:
		v.vote, _ = ask.Val()[2].(int64)
	}
	return v, nil
}
