package redisstore_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/redistest"
	"github.com/handoff-portal/handoff/internal/store/redisstore"
	"github.com/handoff-portal/handoff/internal/store/sentinel"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

// While Sentinel replaces a master that still runs, and has a replica that has not
// heard of it, that master takes changes, and the replica says that it has them: all
// of it is gone when the replica hears. So nothing is acknowledged there, nor read:
// who reads a change and says that it was made acknowledges it too.
func TestReplacedMaster(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		deaf []int // of the servers: they do not obey the sentinels
	}{
		{"another is master", []int{2}},
		{"another is to be", []int{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			redises := redistest.StartSentinel(t, time.Minute, append(redistest.Durable(), "--min-replicas-to-write", "1")...)
			for _, n := range c.deaf {
				deafen(t, redises.Servers[n])
			}
			preferOther(t, redises, redises.Servers[2])
			leader := redis.NewSentinelClient(&redis.Options{Addr: redises.Addrs[0]})
			defer leader.Close()
			if err := leader.Failover(t.Context(), redises.Name).Err(); err != nil {
				t.Fatal(err)
			}
			until(t, c.name, func() bool {
				if len(c.deaf) == 2 {
					known, err := leader.Master(t.Context(), redises.Name).Result()
					return err == nil && strings.Contains(known["flags"], "failover_in_progress")
				}
				return redises.Master(t) == redises.Servers[1].Addr // the other sentinels have not heard yet, perhaps
			})
			slices.Reverse(redises.Addrs)
			watch := sentinel.NewGroup(&redis.FailoverOptions{MasterName: redises.Name, SentinelAddrs: redises.Addrs}, time.Now)
			defer watch.Close()
			wantDoubt(t, redises.Servers[0].Client(), watch)
			if len(c.deaf) == 1 {
				next := redisstore.New(redises.Servers[1].Client(), redisstore.Options{Sentinels: watch})
				if _, err := next.Get(t.Context(), "ho_nothing"); handoff.CodeOf(err) != handoff.CodeNotFound {
					t.Errorf("Get of nothing on the new master = %v, want code %s", err, handoff.CodeNotFound)
				}
			}
		})
	}
}

// Nobody knows what came of an election whose winner does not answer: for a while the
// master that came back is doubted, and not for ever.
func TestLeaderFallsSilent(t *testing.T) {
	long(t)
	t.Parallel()
	redises := redistest.StartSentinel(t, time.Second, append(redistest.Durable(), "--min-replicas-to-write", "1")...)
	for _, replica := range redises.Servers[1:] { // neither becomes master, and the leader waits for it
		deafen(t, replica)
	}
	redises.Servers[0].Kill()
	leader := -1
	until(t, "a sentinel fails over", func() bool {
		leader = slices.IndexFunc(redises.Addrs, func(addr string) bool {
			c := redis.NewSentinelClient(&redis.Options{Addr: addr})
			defer c.Close()
			known, err := c.Master(t.Context(), redises.Name).Result()
			return err == nil && strings.Contains(known["flags"], "failover_in_progress")
		})
		return leader >= 0
	})
	redises.Sentinels[leader].Signal(syscall.SIGSTOP)
	redises.Servers[0].Run()
	old := redises.Servers[0].Client()
	blind := redisstore.New(old, redisstore.Options{Prefix: "blind"})
	until(t, "the old master has a replica again", func() bool {
		_, err := blind.Create(t.Context(), storetest.Handoff(3))
		return err == nil
	})
	watch := sentinel.NewGroup(&redis.FailoverOptions{MasterName: redises.Name, SentinelAddrs: redises.Addrs}, time.Now)
	defer watch.Close()
	wantDoubt(t, old, watch)
	s := redisstore.New(old, redisstore.Options{Sentinels: watch})
	until(t, "the master is believed again", func() bool {
		_, err := s.Create(t.Context(), storetest.Handoff(4))
		return err == nil || handoff.CodeOf(err) == handoff.CodeConflict
	})
}

// deafen makes a server refuse to become a master or another's replica.
func deafen(t *testing.T, server *redistest.Server) {
	t.Helper()
	if err := server.Client().Do(t.Context(), "ACL", "SETUSER", "default", "-replicaof", "-slaveof").Err(); err != nil {
		t.Fatal(err)
	}
}

// wantDoubt uses a store on a master that sentinels do not vouch for.
func wantDoubt(t *testing.T, old *redis.Client, watch *sentinel.Group) {
	t.Helper()
	h := storetest.Handoff(1)
	if _, err := redisstore.New(old, redisstore.Options{}).Create(t.Context(), h); err != nil {
		t.Fatalf("the old master and its replica refuse a change: %v: this tests nothing", err)
	}
	s := redisstore.New(old, redisstore.Options{Sentinels: watch})
	_, err := s.Get(t.Context(), h.ID)
	wantAway(t, "Get", err)
	_, err = s.Get(t.Context(), "ho_nothing")
	wantAway(t, "Get of nothing", err)
	_, err = s.Lookup(t.Context(), h.Keys()[0])
	wantAway(t, "Lookup", err)
	_, err = s.Lookup(t.Context(), "nothing")
	wantAway(t, "Lookup of nothing", err)
	_, err = s.List(t.Context(), handoff.Query{Partner: h.Partner, Limit: 10})
	wantAway(t, "List", err)
	_, err = s.Due(t.Context(), h.DueAt(), 10)
	wantAway(t, "Due", err)
	_, err = s.Update(t.Context(), h.ID, func(h handoff.Handoff) (handoff.Handoff, error) { return h, nil })
	wantAway(t, "Update that changes nothing", err)
	_, err = s.Update(t.Context(), h.ID, func(h handoff.Handoff) (handoff.Handoff, error) {
		return h, handoff.Errorf(handoff.CodeConflict, "it is too early")
	})
	wantAway(t, "Update that a rule refuses", err)
	_, err = s.Update(t.Context(), h.ID, add)
	wantAway(t, "Update", err)
	_, err = s.Create(t.Context(), storetest.Handoff(2))
	wantAway(t, "Create", err)
	wantAway(t, "Delete", s.Delete(t.Context(), h.ID))
	wantAway(t, "Delete of nothing", s.Delete(t.Context(), "ho_nothing"))
}

func wantAway(t *testing.T, what string, err error) {
	t.Helper()
	if handoff.CodeOf(err) != handoff.CodeStoreUnavailable {
		t.Errorf("%s where no sentinel vouches = %v, want code %s", what, err, handoff.CodeStoreUnavailable)
	}
}

// preferOther makes the sentinels choose another replica than this one.
func preferOther(t *testing.T, redises *redistest.Sentinel, server *redistest.Server) {
	t.Helper()
	if err := server.Client().ConfigSet(t.Context(), "replica-priority", "0").Err(); err != nil {
		t.Fatal(err)
	}
	for _, addr := range redises.Addrs {
		c := redis.NewSentinelClient(&redis.Options{Addr: addr})
		defer c.Close()
		ask := redis.NewStatusCmd(t.Context(), "SENTINEL", "DEBUG", "info-period", "100")
		if err := c.Process(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
		until(t, "a sentinel knows the priorities", func() bool {
			replicas, err := c.Replicas(t.Context(), redises.Name).Result()
			for _, r := range replicas {
				if net.JoinHostPort(r["ip"], r["port"]) == server.Addr {
					return err == nil && r["slave-priority"] == "0"
				}
			}
			return false
		})
	}
}

// A master that most sentinels cannot vouch for is not believed; one that has just
// restarted is, as soon as it takes changes again.
func TestSentinelsVouch(t *testing.T) {
	t.Parallel()
	redises := redistest.StartSentinel(t, time.Minute, redistest.Durable()...)
	watch := sentinel.NewGroup(&redis.FailoverOptions{MasterName: redises.Name, SentinelAddrs: redises.Addrs}, time.Now)
	defer watch.Close()
	s := redisstore.New(redises.Client(t), redisstore.Options{Sentinels: watch})
	h := storetest.Handoff(1)
	if _, err := s.Create(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	redises.Servers[0].Kill()
	redises.Servers[0].Run()
	until(t, "a change is taken after a restart", func() bool {
		_, err := s.Update(t.Context(), h.ID, add)
		return err == nil
	})
	redises.Sentinels[0].Kill()
	until(t, "a change is taken with one sentinel less", func() bool {
		_, err := s.Update(t.Context(), h.ID, add)
		return err == nil
	})
	redises.Sentinels[1].Kill()
	until(t, "no change is taken with one sentinel of three", func() bool {
		_, err := s.Update(t.Context(), h.ID, add)
		return handoff.CodeOf(err) == handoff.CodeStoreUnavailable
	})
	redises.Sentinels[1].Run()
	until(t, "a change is taken again", func() bool {
		_, err := s.Update(t.Context(), h.ID, add)
		return err == nil
	})
}

// A user of the sentinels may do no more than the documentation says; one who may not
// even that is told of before anything is refused.
func TestSentinelUser(t *testing.T) {
	long(t)
	t.Parallel()
	redises := redistest.StartSentinel(t, time.Second, append(redistest.Durable(), "--min-replicas-to-write", "1")...)
	for _, addr := range redises.Addrs {
		c := redis.NewClient(&redis.Options{Addr: addr})
		defer c.Close()
		for user, rights := range map[string]string{
			"portal":  "on >secret &* +@connection +@pubsub +sentinel|get-master-addr-by-name +sentinel|sentinels +sentinel|master +sentinel|is-master-down-by-addr",
			"default": "-sentinel|master",
		} {
			command := []any{"ACL", "SETUSER", user}
			for r := range strings.FieldsSeq(rights) {
				command = append(command, r)
			}
			if err := c.Do(t.Context(), command...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	open := func(user, password string) (s *redisstore.Store, doubts []string) {
		t.Helper()
		o := &redis.FailoverOptions{
			MasterName: redises.Name, SentinelAddrs: redises.Addrs, SentinelUsername: user, SentinelPassword: password,
			ContextTimeoutEnabled: true, DialTimeout: time.Second, DialerRetries: 1, DisableIdentity: true,
		}
		client, watch := redis.NewFailoverClient(o), sentinel.NewGroup(o, time.Now)
		t.Cleanup(func() { client.Close(); watch.Close() })
		s = redisstore.New(client, redisstore.Options{Sentinels: watch})
		doubts, err := s.Prepare(t.Context())
		if err != nil {
			t.Fatalf("Prepare as %q: %v", user, err)
		}
		return s, doubts
	}
	s, doubts := open("portal", "secret")
	if len(doubts) > 0 {
		t.Errorf("Prepare doubts %q, want nothing", doubts)
	}
	h := storetest.Handoff(1)
	if _, err := s.Create(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	redises.Servers[0].Kill()
	until(t, "a change is taken after a failover", func() bool {
		_, err := s.Update(t.Context(), h.ID, add)
		return err == nil
	})
	s, doubts = open("", "")
	if len(doubts) != 3 || !strings.Contains(doubts[0], "NOPERM") {
		t.Errorf("Prepare of one who may not ask doubts %q, want a word of each sentinel", doubts)
	}
	_, err := s.Get(t.Context(), h.ID)
	wantAway(t, "Get of one who may not ask", err)
}

// until waits until is.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it never came to be that %s", what)
		}
	}
}

// What leads to a record is on a replica before the record is written: another
// server may be master by then, and a record that nothing leads to is lost.
func TestReservationLasts(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	_, port, _ := net.SplitHostPort(master.Addr)
	replica := redistest.Start(t, "--replicaof", "127.0.0.1 "+port)
	c := master.Client()
	until(t, "the replica follows", func() bool {
		info, err := c.Info(t.Context(), "replication").Result()
		return err == nil && strings.Contains(info, "state=online")
	})
	replica.Signal(syscall.SIGSTOP)
	h := storetest.Handoff(1)
	if _, err := redisstore.New(c, redisstore.Options{}).Create(t.Context(), h); handoff.CodeOf(err) != handoff.CodeStoreUnavailable {
		t.Errorf("Create while the replica stands still = %v, want code %s", err, handoff.CodeStoreUnavailable)
	}
	if keys, err := c.Keys(t.Context(), "*:h:*").Result(); err != nil || len(keys) > 0 {
		t.Errorf("the record is at %v, %v, want none: what leads to it is on no replica", keys, err)
	}
}
