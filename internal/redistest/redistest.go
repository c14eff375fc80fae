// Package redistest starts Redis servers for tests: one, several that Sentinel
// watches over, or a Cluster. Each has a folder of its own and a free port of
// 127.0.0.1, and ends with its test.
package redistest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/porttest"
)

// Server is one redis-server, or redis-sentinel.
type Server struct {
	Addr string
	Dir  string // its working folder

	t       testing.TB
	program string
	args    []string
	cmd     *exec.Cmd
	ended   chan struct{}
}

// Durable are the settings under which what Redis acknowledges is on the disk.
func Durable() []string { return []string{"--appendonly", "yes", "--appendfsync", "always"} }

// Start starts a server with the given settings on top of ours: nothing is kept
// on disk. Without redis-server the test is skipped.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := newServer(t, "redis-server")
	s.args = append([]string{
		"--port", s.port(), "--bind", "127.0.0.1", "--dir", s.Dir, "--save", "", "--appendonly", "no",
		"--loglevel", "warning", "--logfile", filepath.Join(s.Dir, "log"),
	}, settings...)
	s.Run()
	return s
}

// quiet keeps what the library says of lost connections, which tests cause, out of
// their output.
type quiet struct{}

// Printf implements the library's logger.
func (quiet) Printf(context.Context, string, ...any) {}

var hush = sync.OnceFunc(func() { redis.SetLogger(quiet{}) }) //nolint:gochecknoglobals // the library's logger is one

func newServer(t testing.TB, program string) *Server {
	t.Helper()
	hush()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("SKIPPED: %s is not installed (Debian: redis-server, redis-sentinel)", program)
	}
	s := &Server{Addr: porttest.Address(t), Dir: t.TempDir(), t: t, program: program}
	t.Cleanup(s.Kill)
	return s
}

func (s *Server) port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// Run starts a server that was killed or stopped, on the same port and folder,
// and returns when it answers.
func (s *Server) Run() {
	s.t.Helper()
	s.cmd = exec.CommandContext(context.WithoutCancel(s.t.Context()), s.program, s.args...) //nolint:gosec // G204: the two programs of this package
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("starting %s: %v", s.program, err)
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // how it ended is of no interest
		close(ended)
	}(s.cmd, s.ended)
	s.await()
}

// await waits until the server answers; one that asks for a password does.
func (s *Server) await() {
	s.t.Helper()
	for began := time.Now(); time.Since(began) < 20*time.Second; {
		conn, err := new(net.Dialer).DialContext(context.WithoutCancel(s.t.Context()), "tcp", s.Addr)
		if err == nil {
			_ = conn.Close() // it has said what it was to say
			return
		}
		select {
		case <-s.ended:
			log, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
			s.t.Fatalf("%s ended at once:\n%s", s.program, log)
		case <-time.After(5 * time.Millisecond):
		}
	}
	s.t.Fatalf("%s does not listen on %s", s.program, s.Addr)
}

// Kill ends the server as a power cut would. It may be called more than once.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill() // it may have ended
		<-s.ended
	}
}

// Signal sends the server a signal, such as the two that make it stand still and
// go on.
func (s *Server) Signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signalling %s: %v", s.program, err)
	}
}

// Client returns a client of the server alone.
func (s *Server) Client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Addr})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Address is that of a server to share: the one that HANDOFF_TEST_REDIS_URL names,
// or one started for this test. Whoever uses it keeps to a Prefix.
func Address(t testing.TB) string {
	t.Helper()
	hush()
	if u := os.Getenv("HANDOFF_TEST_REDIS_URL"); u != "" { //nolint:forbidigo // the check's own server, for tests only
		opts, err := redis.ParseURL(u)
		if err != nil {
			t.Fatalf("HANDOFF_TEST_REDIS_URL: %v", err)
		}
		return opts.Addr
	}
	return Start(t).Addr
}

// Prefix is a beginning of keys that no other test has.
func Prefix() string { return "test" + strings.ToLower(rand.Text()[:10]) }

// Sentinel is a master, two replicas and the sentinels that watch over them.
type Sentinel struct {
	Name      string // of the master, as the sentinels know it
	Addrs     []string
	Servers   []*Server // the first is master at the start
	Sentinels []*Server
}

// StartSentinel starts a master with two replicas and three sentinels, who fail
// over once the master has been away for so long.
func StartSentinel(t testing.TB, away time.Duration, settings ...string) *Sentinel {
	t.Helper()
	master := Start(t, settings...)
	s := &Sentinel{Name: "main", Servers: []*Server{master}}
	for range 2 {
		s.Servers = append(s.Servers, Start(t, append(slices.Clone(settings), "--replicaof", "127.0.0.1 "+master.port())...))
	}
	c := master.Client()
	eventually(t, "both replicas follow", func() bool {
		info, err := c.Info(t.Context(), "replication").Result()
		return err == nil && strings.Count(info, "state=online") == 2
	})
	for range 3 {
		w := newServer(t, "redis-sentinel")
		file := filepath.Join(w.Dir, "sentinel.conf")
		text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nlogfile %s\nsentinel monitor main 127.0.0.1 %s 2\n"+
			"sentinel down-after-milliseconds main %d\nsentinel failover-timeout main %d\n",
			w.port(), w.Dir, filepath.Join(w.Dir, "log"), master.port(), away.Milliseconds(), (10 * away).Milliseconds())
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.args = []string{file}
		w.Run()
		s.Sentinels = append(s.Sentinels, w)
		s.Addrs = append(s.Addrs, w.Addr)
	}
	for _, w := range s.Sentinels {
		awaitSentinels(t, w)
	}
	return s
}

// awaitSentinels waits until a sentinel knows the two others and the replicas.
func awaitSentinels(t testing.TB, w *Server) {
	t.Helper()
	c := redis.NewSentinelClient(&redis.Options{Addr: w.Addr})
	defer c.Close()
	eventually(t, w.Addr+" knows the other sentinels and the replicas", func() bool {
		m, err := c.Master(t.Context(), "main").Result()
		return err == nil && m["num-other-sentinels"] == "2" && m["num-slaves"] == "2"
	})
}

// Client returns a client that follows the master.
func (s *Sentinel) Client(t testing.TB) *redis.Client {
	c := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: s.Name, SentinelAddrs: s.Addrs})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Master is the address of the present master.
func (s *Sentinel) Master(t testing.TB) string {
	t.Helper()
	c := redis.NewSentinelClient(&redis.Options{Addr: s.Addrs[0]})
	defer c.Close()
	at, err := c.GetMasterAddrByName(t.Context(), s.Name).Result()
	if err != nil {
		t.Fatalf("asking a sentinel for the master: %v", err)
	}
	return net.JoinHostPort(at[0], at[1])
}

// At is the server at an address.
func (s *Sentinel) At(addr string) *Server {
	return s.Servers[slices.IndexFunc(s.Servers, func(one *Server) bool { return one.Addr == addr })]
}

// AnotherIsMaster reports whether a server other than old takes itself for the
// master; the sentinels may not have heard of it yet.
func (s *Sentinel) AnotherIsMaster(t testing.TB, old *Server) bool {
	t.Helper()
	return slices.ContainsFunc(s.Servers, func(one *Server) bool {
		if one == old {
			return false
		}
		c := redis.NewClient(&redis.Options{Addr: one.Addr})
		defer c.Close()
		role, err := c.Do(t.Context(), "ROLE").Slice()
		return err == nil && role[0] == "master"
	})
}

// StartCluster starts three masters that share the slots, and returns their
// addresses.
func StartCluster(t testing.TB) (addrs []string) {
	t.Helper()
	var first *redis.Client
	const masters, slots = 3, 16384
	clients := make([]*redis.Client, masters)
	for n := range clients {
		s := Start(t, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000")
		addrs, clients[n] = append(addrs, s.Addr), s.Client()
		if err := clients[n].ClusterAddSlotsRange(t.Context(), n*slots/masters, (n+1)*slots/masters-1).Err(); err != nil {
			t.Fatalf("sharing the slots out: %v", err)
		}
		if first == nil {
			first = clients[n]
			continue
		}
		if err := first.ClusterMeet(t.Context(), "127.0.0.1", s.port()).Err(); err != nil {
			t.Fatalf("joining the cluster: %v", err)
		}
	}
	for n, c := range clients {
		eventually(t, addrs[n]+" sees the whole cluster", func() bool {
			info, err := c.ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return addrs
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("it never came to be that %s", what)
		}
	}
}
