package sentinel_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/redistest"
	"github.com/handoff-portal/handoff/internal/store/sentinel"
)

// What real sentinels say for less than a millisecond, or only after a failed
// election, fakes say as long as it takes; that the rest is as they say it, the tests
// of redisstore try with real ones.

// Names of the two servers in what a fake sentinel says.
const (
	before = "before"
	after  = "after"
)

// word is what a fake sentinel says.
type word struct {
	address string // by get-master-addr-by-name: a server's, or nothing: it knows of no master
	master  string // by master: a server's address
	flags   string
	epoch   int
	others  int
	vote    int   // the epoch of its last vote; -1: it does not tell
	then    *word // what it says once this was said in full
}

// sentinels are fakes in front of two real servers.
type sentinels struct {
	t       *testing.T
	servers map[string]*redistest.Server
	says    []*atomic.Pointer[word] // nil: nothing, however long one waits
	addrs   []string
	asked   []*atomic.Int64
	clock   atomic.Int64 // what has passed, in ns
}

// pass lets time pass.
func (s *sentinels) pass(d time.Duration) { s.clock.Add(int64(d)) }

func newSentinels(t *testing.T, says ...word) *sentinels {
	t.Helper()
	s := &sentinels{t: t, servers: map[string]*redistest.Server{before: redistest.Start(t), after: redistest.Start(t)}}
	for _, w := range says {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		said := new(atomic.Pointer[word])
		said.Store(&w)
		asked := new(atomic.Int64)
		s.says, s.asked, s.addrs = append(s.says, said), append(s.asked, asked), append(s.addrs, l.Addr().String())
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return // the test is over
				}
				go s.serve(conn, said, asked)
			}
		}()
	}
	return s
}

func (s *sentinels) group() *sentinel.Group {
	began := time.Now()
	now := func() time.Time { return began.Add(time.Duration(s.clock.Load())) }
	g := sentinel.NewGroup(&redis.FailoverOptions{MasterName: "main", SentinelAddrs: s.addrs}, now)
	s.t.Cleanup(func() { _ = g.Close() })
	return g
}

// runID is that of a server.
func (s *sentinels) runID(name string) string {
	s.t.Helper()
	info, err := s.servers[name].Client().Info(s.t.Context(), "server").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	return sentinel.RunID(info)
}

// serve answers as a sentinel does, in RESP2.
func (s *sentinels) serve(conn net.Conn, said *atomic.Pointer[word], asked *atomic.Int64) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		asked.Add(1)
		w := said.Load()
		if w == nil {
			continue
		}
		what := ""
		if len(command) > 1 {
			what = strings.ToLower(command[1])
		}
		switch what {
		case "get-master-addr-by-name":
			if w.address == "" {
				fmt.Fprint(conn, "*-1\r\n")
				continue
			}
			host, port, _ := net.SplitHostPort(s.servers[w.address].Addr)
			fmt.Fprint(conn, bulks(host, port))
		case "master":
			host, port, _ := net.SplitHostPort(s.servers[w.master].Addr)
			fmt.Fprint(conn, bulks("ip", host, "port", port, "flags", "master"+w.flags, "config-epoch", strconv.Itoa(w.epoch), "num-other-sentinels", strconv.Itoa(w.others)))
			if w.then != nil {
				said.Store(w.then)
			}
		case "is-master-down-by-addr":
			if w.vote < 0 {
				fmt.Fprint(conn, "-NOPERM this user has no permissions to run the 'sentinel|is-master-down-by-addr' command\r\n")
				continue
			}
			fmt.Fprintf(conn, "*3\r\n:0\r\n$1\r\n*\r\n:%d\r\n", w.vote)
		default:
			fmt.Fprint(conn, "-ERR unknown command\r\n")
		}
	}
}

func bulks(texts ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(texts))
	for _, t := range texts {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(t), t)
	}
	return b.String()
}

// readCommand reads an array of bulk strings.
func readCommand(in *bufio.Reader) ([]string, error) {
	number := func() (int, error) {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	n, err := number()
	if err != nil {
		return nil, err
	}
	command := make([]string, n)
	for i := range command {
		size, err := number()
		if err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		command[i] = string(text[:size])
	}
	return command, nil
}

func TestVouch(t *testing.T) {
	t.Parallel()
	calm := word{address: before, master: before}
	heard := word{address: after, master: after, epoch: 1, vote: 1}
	deaf := word{address: before, master: before, vote: -1}
	stranger := word{}
	leads := word{address: before, master: before, flags: ",failover_in_progress", epoch: 0, vote: 1}
	led := word{address: after, master: before, flags: ",failover_in_progress", epoch: 1, vote: 1}
	torn := word{address: before, master: after, epoch: 1, vote: 1, then: &heard}
	stuck := word{address: before, master: after, epoch: 1, vote: 1}
	for _, c := range []struct {
		name   string
		says   []word
		master string // or none
		why    string // there is none
	}{
		{"all agree", []word{calm, calm, calm}, before, ""},
		{"one alone", []word{calm}, before, ""},
		{"they do not tell of votes", []word{deaf, deaf, deaf}, before, ""},
		{"one leads a failover", []word{calm, calm, leads}, "", "sentinel is replacing the master"},
		{"one has led it, and nobody has heard", []word{calm, calm, led}, after, ""},
		{"one has heard", []word{calm, heard, led}, after, ""},
		{"one hears in between", []word{torn, calm, led}, after, ""},
		{"one is never of one mind", []word{stuck, calm, led}, after, ""},
		{"one does not know the master", []word{calm, stranger, calm}, before, ""},
		{"two do not know the master", []word{stranger, stranger, calm}, "", "most sentinels do not say"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSentinels(t, c.says...)
			g := s.group()
			for _, name := range []string{before, after} {
				err := g.Vouch(t.Context(), s.runID(name))
				why := c.why
				if name == c.master {
					why = ""
				} else if c.master != "" {
					why = "sentinel has another server for the master"
				}
				if (err == nil) != (why == "") || (err != nil && !strings.Contains(err.Error(), why)) {
					t.Errorf("Vouch(the server %s) = %v, want %q", name, err, why)
				}
				if errors.Is(err, redis.Nil) {
					t.Errorf("Vouch(the server %s) = %v: to a store it says that there is nothing", name, err)
				}
			}
		})
	}
}

// One that answers no more is waited for once, and counts again as soon as it does.
func TestSilence(t *testing.T) {
	t.Parallel()
	calm := word{address: before, master: before}
	s := newSentinels(t, calm, calm, calm)
	g, master := s.group(), s.runID(before)
	vouch := func() error {
		s.pass(60 * time.Millisecond)
		return g.Vouch(t.Context(), master)
	}
	s.says[1].Store(nil)
	if err := vouch(); err != nil {
		t.Fatalf("Vouch with one silent = %v", err)
	}
	asked := s.asked[1].Load()
	for range 15 {
		if err := vouch(); err != nil {
			t.Fatalf("Vouch with one silent = %v", err)
		}
	}
	if got := s.asked[1].Load(); got != asked {
		t.Errorf("within a second the silent one was asked %d times more, want none", got-asked)
	}
	s.says[1].Store(&calm)
	s.says[2].Store(nil)
	until(t, "the one that answers again counts", func() bool { return vouch() == nil })
	if got := s.asked[1].Load(); got == asked {
		t.Error("the one that answers again was not asked")
	}
}

// An election that came to nothing long ago is no reason to doubt when a sentinel
// falls silent today; a new one is, for a while.
func TestElections(t *testing.T) {
	t.Parallel()
	voted := word{address: before, master: before, vote: 3}
	s := newSentinels(t, voted, voted, voted)
	g, master := s.group(), s.runID(before)
	vouch := func(after time.Duration) error {
		s.pass(after)
		return g.Vouch(t.Context(), master)
	}
	if err := vouch(0); err != nil {
		t.Fatalf("Vouch where all answer = %v", err)
	}
	s.says[0].Store(nil)
	const doubt = "have voted to replace"
	if err := vouch(time.Second); err == nil || !strings.Contains(err.Error(), doubt) {
		t.Errorf("Vouch soon after an election, with one silent = %v, want %q", err, doubt)
	}
	if err := vouch(9 * time.Second); err != nil {
		t.Errorf("Vouch long after an election, with one silent = %v", err)
	}
	s.says[1].Store(&word{address: before, master: before, vote: 4})
	if err := vouch(time.Second); err == nil || !strings.Contains(err.Error(), doubt) {
		t.Errorf("Vouch after another, with one silent = %v, want %q", err, doubt)
	}
	if err := vouch(8 * time.Second); err == nil || !strings.Contains(err.Error(), doubt) {
		t.Errorf("Vouch still soon after another, with one silent = %v, want %q", err, doubt)
	}
	if err := vouch(2 * time.Second); err != nil {
		t.Errorf("Vouch long after another = %v", err)
	}
}

func TestDoubts(t *testing.T) {
	t.Parallel()
	calm := word{address: before, master: before, others: 2}
	mute, knowsMore := calm, calm
	mute.vote, knowsMore.others = -1, 3
	s := newSentinels(t, calm, mute, word{}, knowsMore)
	s.addrs = s.addrs[:3]
	if doubts := s.group().Doubts(t.Context()); len(doubts) != 2 || !strings.Contains(doubts[0], s.addrs[1]) || !strings.Contains(doubts[1], s.addrs[2]) {
		t.Errorf("Doubts() = %q, want one of the second and one of the third sentinel", doubts)
	}
	s.says[0].Store(&knowsMore)
	if doubts := s.group().Doubts(t.Context()); len(doubts) != 3 || !strings.Contains(doubts[0], "knows of 3 others") {
		t.Errorf("Doubts() = %q, want one more, of a sentinel that is not named", doubts)
	}
}

// A round is shared for 50 ms, and not longer.
func TestRounds(t *testing.T) {
	t.Parallel()
	s := newSentinels(t, word{address: before, master: before})
	g, master := s.group(), s.runID(before)
	for range 3 {
		if err := g.Vouch(t.Context(), master); err != nil {
			t.Fatal(err)
		}
	}
	once := s.asked[0].Load()
	s.says[0].Store(&word{address: after, master: after, epoch: 1, vote: 1})
	s.pass(49 * time.Millisecond)
	if err := g.Vouch(t.Context(), master); err != nil || s.asked[0].Load() != once {
		t.Errorf("after 49 ms Vouch = %v and %d questions, want none new", err, s.asked[0].Load()-once)
	}
	s.pass(time.Millisecond)
	if err := g.Vouch(t.Context(), master); err == nil {
		t.Error("after 50 ms Vouch(the server before) = nil, want an error")
	}
}

// until waits until is.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it never came to be that %s", what)
		}
	}
}
