package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// call is a script and its keys, which are all in one slot.
type call struct {
	script *redis.Script
	keys   []string
	args   []any
}

// How a call that a server was not ready for is made again. It has changed nothing.
const (
	moveEvery = 50 * time.Millisecond
	moveTimes = 20
)

// run makes calls, those of one master in one go, and returns their answers in
// the order of the calls. With lasting it returns once a replica has the changes
// too, where there is one, and Sentinel has no other master, where there is Sentinel.
// An error means that the outcome is unknown.
func (s *Store) run(ctx context.Context, lasting bool, calls ...call) ([]any, error) {
	answers := make([]any, len(calls))
	left := make([]int, len(calls))
	for i := range left {
		left[i] = i
	}
	for attempt := 0; ; attempt++ {
		var again []int
		var reason error
		of := make(map[*redis.Client][]int, 1)
		for _, i := range left {
			m, err := s.master(ctx, calls[i].keys[0])
			if err != nil {
				return nil, fault(ctx, err)
			}
			of[m] = append(of[m], i)
		}
		for m, mine := range of {
			if err := s.runOn(ctx, m, lasting, calls, mine, answers); notReady(err) {
				again, reason = append(again, mine...), err
			} else if err != nil {
				return nil, fault(ctx, err)
			}
		}
		if len(again) == 0 {
			return answers, nil
		}
		if left = again; attempt == moveTimes {
			return nil, unavailable(reason)
		}
		if c, ok := s.client.(*redis.ClusterClient); ok {
			c.ReloadState(ctx)
		}
		if err := pause(ctx, moveEvery); err != nil {
			return nil, fault(ctx, err)
		}
	}
}

// master is the client of the server that a key is on.
func (s *Store) master(ctx context.Context, key string) (*redis.Client, error) {
	switch c := s.client.(type) {
	case *redis.Client:
		return c, nil
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, key)
	}
	return nil, fmt.Errorf("a client of type %T", s.client)
}

// notReady reports whether a server refused a call because of a move: of a slot,
// or of the part of a master.
func notReady(err error) bool {
	for _, prefix := range []string{"MOVED ", "ASK ", "TRYAGAIN", "READONLY", "LOADING"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// runOn makes those of the calls that are one master's.
func (s *Store) runOn(ctx context.Context, m *redis.Client, lasting bool, calls []call, mine []int, answers []any) error {
	wait := false
	if lasting {
		var err error
		if wait, err = s.replicated(ctx, m, false); err != nil {
			return err
		}
	}
	send := (*redis.Script).EvalSha
	for {
		// One connection, which is what WAIT is about.
		pipe := m.Pipeline()
		sent := make([]*redis.Cmd, len(mine))
		for n, i := range mine {
			sent[n] = send(calls[i].script, ctx, pipe, calls[i].keys, calls[i].args...)
		}
		var acknowledged *redis.Cmd
		var who *redis.StringCmd
		if wait {
			acknowledged = pipe.Do(ctx, "WAIT", 1, waitTime.Milliseconds())
		}
		if lasting {
			who = s.who(ctx, pipe)
		}
		_, _ = pipe.Exec(ctx) // each has its own error
		unknown := false
		for n, i := range mine {
			answer, err := sent[n].Result()
			if redis.HasErrorPrefix(err, "NOSCRIPT") {
				unknown = true
			} else if err != nil {
				return err
			}
			answers[i] = answer
		}
		if unknown {
			send = (*redis.Script).Eval
			continue
		}
		if wait {
			if err := s.wantReplica(ctx, m, acknowledged); err != nil {
				return err
			}
		}
		return s.vouch(ctx, who)
	}
}

// errNoReplica: a change that no replica has yet is not acknowledged.
var errNoReplica = errors.New("the replica does not say that it has the change")

// wantReplica judges the answer of a WAIT: none is fine where there is no replica
// to wait for.
func (s *Store) wantReplica(ctx context.Context, m *redis.Client, acknowledged *redis.Cmd) error {
	n, err := acknowledged.Int64()
	if err != nil || n > 0 {
		return err
	}
	if there, err := s.replicated(ctx, m, true); err != nil || !there {
		return err
	}
	return errNoReplica
}

// replicas is whether a master has any, when it was asked last.
type replicas struct {
	any    bool
	asked  time.Time
	server string // the master that Sentinel had then: the client may follow to another
}

// replicaAge is how long an answer about replicas holds.
const replicaAge = time.Second

// replicated reports whether a master has a replica that follows it. It asks once
// a second, or at once if told to.
func (s *Store) replicated(ctx context.Context, m *redis.Client, ask bool) (bool, error) {
	server := ""
	if s.sentinels != nil {
		server = s.sentinels.Server()
	}
	s.mu.Lock()
	known := s.replicas[m]
	s.mu.Unlock()
	if known != nil && !ask && known.server == server && time.Since(known.asked) < replicaAge {
		return known.any, nil
	}
	text, err := m.Info(ctx, "replication").Result()
	if err != nil {
		return false, err
	}
	known = &replicas{any: onlineReplicas(text) > 0, asked: time.Now(), server: server}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicas[m] = known
	return known.any, nil
}

// onlineReplicas counts the lines of INFO such as
// slave0:ip=10.0.0.2,port=6379,state=online,offset=42,lag=0.
func onlineReplicas(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		name, fields, _ := strings.Cut(line, ":")
		number, ok := strings.CutPrefix(name, "slave")
		if _, err := strconv.Atoi(number); ok && err == nil && strings.Contains(fields, "state=online") {
			n++
		}
	}
	return n
}
