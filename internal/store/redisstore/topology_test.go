package redisstore_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/redistest"
	"github.com/handoff-portal/handoff/internal/store/redisstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

func add(h handoff.Handoff) (handoff.Handoff, error) {
	h.Seq++
	h.Events = append(slices.Clone(h.Events), handoff.Event{Seq: h.Seq, Type: handoff.EventExtended, At: h.CreatedAt})
	return h, nil
}

// long skips what takes longer than everybody should wait.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("HANDOFF_LONG") == "" {
		t.Skip("SKIPPED a Cluster, or Sentinel: only with HANDOFF_LONG=1, as go run ./internal/check -long sets it")
	}
}

// In a Cluster every call of a store is one that a Cluster allows: it refuses a
// script whose keys are in two slots. Its three masters all get their share.
func TestCluster(t *testing.T) {
	long(t)
	addrs := redistest.StartCluster(t)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs[:1], ContextTimeoutEnabled: true})
	defer client.Close()
	storetest.Run(t, func(*testing.T) handoff.Store {
		return redisstore.New(client, redisstore.Options{Prefix: redistest.Prefix()})
	})
	for _, addr := range addrs {
		if n, err := connect(t, addr).DBSize(t.Context()).Result(); err != nil || n < 100 {
			t.Errorf("the master at %s has %d keys, %v, want a share of them", addr, n, err)
		}
	}
}

// A slot that moves to another master in the middle of the work loses nothing.
func TestClusterMovesSlots(t *testing.T) {
	long(t)
	addrs := redistest.StartCluster(t)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, ContextTimeoutEnabled: true})
	defer client.Close()
	s := redisstore.New(client, redisstore.Options{})
	const handoffs, updates = 16, 30
	for n := range handoffs {
		if _, err := s.Create(t.Context(), storetest.Handoff(n)); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, handoffs)
	for n := range handoffs {
		go func() {
			var err error
			for range updates {
				if _, err = s.Update(t.Context(), storetest.Handoff(n).ID, add); err != nil {
					break
				}
			}
			done <- err
		}()
	}
	moveSlots(t, addrs)
	for range handoffs {
		if err := <-done; err != nil {
			t.Errorf("Update while slots move: %v", err)
		}
	}
	for n := range handoffs {
		if h, err := s.Get(t.Context(), storetest.Handoff(n).ID); err != nil || h.Seq != storetest.Handoff(n).Seq+updates {
			t.Errorf("Get(%d) = seq %d, %v, want seq %d", n, h.Seq, err, storetest.Handoff(n).Seq+updates)
		}
	}
}

// moveSlots moves every slot that records are in from its master to the next one.
func moveSlots(t *testing.T, addrs []string) {
	t.Helper()
	nodes, ids := make([]*redis.Client, len(addrs)), make([]string, len(addrs))
	for i, a := range addrs {
		nodes[i] = connect(t, a)
		id, err := nodes[i].Do(t.Context(), "CLUSTER", "MYID").Text()
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = id
	}
	do := func(n int, args ...any) any {
		t.Helper()
		v, err := nodes[n].Do(t.Context(), args...).Result()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return v
	}
	for shard := range 10 {
		slot, _ := do(0, "CLUSTER", "KEYSLOT", strconv.Itoa(shard)).(int64)
		from := int(slot * int64(len(addrs)) / 16384)
		to := (from + 1) % len(addrs)
		do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[from])
		do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[to])
		host, port, _ := net.SplitHostPort(addrs[to])
		for {
			keys, _ := do(from, "CLUSTER", "GETKEYSINSLOT", slot, 100).([]any)
			if len(keys) == 0 {
				break
			}
			do(from, append([]any{"MIGRATE", host, port, "", 0, 5000, "KEYS"}, keys...)...)
		}
		for n := range nodes { // who gets it first: until then it would send everybody back
			do((to+n)%len(nodes), "CLUSTER", "SETSLOT", slot, "NODE", ids[to])
		}
		agreed(t, nodes)
	}
}

// agreed waits until the servers know each other's epochs: one that moves a slot
// without takes none that is higher than the others', and who had the slot takes it
// back with the next word that is on its way.
func agreed(t *testing.T, nodes []*redis.Client) {
	t.Helper()
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		var first, other []string
		for _, node := range nodes {
			text, err := node.ClusterNodes(t.Context()).Result()
			if err != nil {
				t.Fatal(err)
			}
			var epochs []string
			for line := range strings.Lines(text) {
				fields := strings.Fields(line)
				epochs = append(epochs, fields[0]+" "+fields[6])
			}
			slices.Sort(epochs)
			if first == nil {
				first = epochs
			} else if !slices.Equal(first, epochs) {
				other = epochs
			}
		}
		if other == nil {
			return
		}
	}
}

// When the master dies, what it had acknowledged is on the replica that takes its
// place, and the store goes on by itself.
func TestSentinelFailsOver(t *testing.T) {
	long(t)
	redises := redistest.StartSentinel(t, time.Second, redistest.Durable()...)
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: redises.Name, SentinelAddrs: redises.Addrs, ContextTimeoutEnabled: true, DialTimeout: time.Second, DialerRetries: 1,
	})
	defer client.Close()
	s := redisstore.New(client, redisstore.Options{})
	const handoffs = 8
	for n := range handoffs {
		if _, err := s.Create(t.Context(), storetest.Handoff(n)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	type outcome struct{ acknowledged, unknown int }
	outcomes := make(chan outcome, handoffs)
	half, resumed := make(chan struct{}, handoffs), make(chan struct{}, handoffs)
	for n := range handoffs {
		go func() {
			var o outcome
			for ctx.Err() == nil {
				if _, err := s.Update(t.Context(), storetest.Handoff(n).ID, add); err == nil {
					if o.acknowledged++; o.acknowledged == 50 {
						half <- struct{}{}
					}
					if o.unknown > 0 && len(resumed) < handoffs {
						resumed <- struct{}{}
					}
				} else if o.unknown++; handoff.CodeOf(err) != handoff.CodeStoreUnavailable {
					t.Errorf("Update during a failover = %v, want code %s", err, handoff.CodeStoreUnavailable)
				}
			}
			outcomes <- o
		}()
	}
	for range handoffs {
		<-half
	}
	old := redises.Master(t)
	redises.Servers[0].Kill()
	for range handoffs {
		<-resumed
	}
	stop()
	total, doubtful := 0, 0
	for range handoffs {
		o := <-outcomes
		total, doubtful = total+o.acknowledged, doubtful+o.unknown
	}
	got := 0
	for n := range handoffs {
		h, err := s.Get(t.Context(), storetest.Handoff(n).ID)
		if err != nil {
			t.Fatalf("Get(%d) after a failover: %v", n, err)
		}
		got += h.Seq - storetest.Handoff(n).Seq
	}
	if got < total || got > total+doubtful {
		t.Errorf("%d updates are there, of %d acknowledged and %d with an unknown outcome", got, total, doubtful)
	}
	if now := redises.Master(t); now == old {
		t.Errorf("the master is still at %s: nothing failed over", now)
	}
	t.Logf("%d acknowledged, %d unknown, %d there", total, doubtful, got)
}

// An answer that was lost after the change was saved is found out: the change is
// made once, and its caller hears of it.
func TestLostAnswer(t *testing.T) {
	server := redistest.Start(t)
	lossy := &lossyDialer{}
	client := redis.NewClient(&redis.Options{Addr: server.Addr, Dialer: lossy.dial, ContextTimeoutEnabled: true})
	defer client.Close()
	s := redisstore.New(client, redisstore.Options{})
	for n := range 20 {
		h := storetest.Handoff(n)
		lossy.lose(n%3 == 0)
		if _, err := s.Create(t.Context(), h); err != nil {
			t.Fatalf("Create whose answer is lost: %v", err)
		}
		for i := range 5 {
			lossy.lose(i%2 == 0)
			if got, err := s.Update(t.Context(), h.ID, add); err != nil || got.Seq != h.Seq+i+1 {
				t.Fatalf("Update whose answer is lost = seq %d, %v, want seq %d", got.Seq, err, h.Seq+i+1)
			}
		}
		if got, err := s.Get(t.Context(), h.ID); err != nil || got.Seq != h.Seq+5 {
			t.Errorf("after 5 updates Get = seq %d, %v, want seq %d", got.Seq, err, h.Seq+5)
		}
	}
	if lossy.count() < 30 {
		t.Errorf("%d answers were lost, want many: this tested nothing", lossy.count())
	}
}

// TLS with a certificate of one's own, and a user who may do no more than the
// documentation says.
func TestTLSAndUser(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir)
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(probe.Addr().String())
	probe.Close()
	redistest.Start(
		t, "--tls-port", port, "--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"),
		"--tls-auth-clients", "no", "--user", "default", "off",
		"--user", "portal", "on", ">secret", "~handoff:*", "&handoff:*", "-@all", "+@read", "+@write", "+@scripting", "+@pubsub", "+@connection", "+info", "+time", "+wait",
	)
	options := &redis.Options{
		Addr: net.JoinHostPort("127.0.0.1", port), Username: "portal", Password: "secret",
		TLSConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}
	client := redis.NewClient(options)
	defer client.Close()
	storetest.Run(t, func(t *testing.T) handoff.Store {
		s := redisstore.New(client, redisstore.Options{Prefix: "handoff:" + redistest.Prefix()})
		if _, err := s.Prepare(t.Context()); err != nil {
			t.Fatalf("Prepare: %v", err)
		}
		return s
	})
	wrong := *options
	wrong.Password = "guess"
	guesser := redis.NewClient(&wrong)
	defer guesser.Close()
	if _, err := redisstore.New(guesser, redisstore.Options{}).Prepare(t.Context()); !redisstore.Refused(err) {
		t.Errorf("Prepare with a wrong password = %v, want a refusal", err)
	}
}

// certificate writes cert.pem and key.pem for 127.0.0.1, and returns who trusts them.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, b := range map[string][]byte{"cert.pem": certPEM, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool
}
