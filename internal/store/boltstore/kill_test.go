package boltstore_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

// The variables by which the test binary is told to be the process that is
// killed, and how often to kill it.
const (
	childVar = "HANDOFF_TEST_STORE_CHILD" // path of the file, and the number of the first handoff
	killsVar = "HANDOFF_TEST_STORE_KILLS" // default 5
)

const writers = 4

func TestMain(m *testing.M) {
	if spec := os.Getenv(childVar); spec != "" {
		if err := child(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child writes for ever, from several goroutines, and reports each write on
// standard output once it is acknowledged: c, u or d, the number of the handoff
// and its seq.
func child(spec string) error {
	path, from, _ := strings.Cut(spec, "|")
	first, err := strconv.Atoi(from)
	if err != nil {
		return err
	}
	s, err := boltstore.Open(path, boltstore.Options{LockWait: 10 * time.Second})
	if err != nil {
		return err
	}
	ctx := context.Background()
	faults := make(chan error)
	for w := range writers {
		go func() {
			for n := first + w; ; n += writers {
				if _, err := s.Create(ctx, storetest.Handoff(n)); err != nil {
					faults <- err
				}
				fmt.Printf("c %d %d\n", n, storetest.Handoff(n).Seq)
				for range rand.IntN(4) {
					h, err := s.Update(ctx, storetest.Handoff(n).ID, add)
					if err != nil {
						faults <- err
					}
					fmt.Printf("u %d %d\n", n, h.Seq)
				}
				if rand.IntN(3) == 0 {
					fmt.Printf("? %d 0\n", n) // from here on it may be gone
					if err := s.Delete(ctx, storetest.Handoff(n).ID); err != nil {
						faults <- err
					}
					fmt.Printf("d %d 0\n", n)
				}
			}
		}()
	}
	return <-faults
}

// TestKill kills a process at random moments of its writing: what it had
// acknowledged is there, what was deleted is not, and the file is sound.
func TestKill(t *testing.T) {
	kills := 5
	if s := os.Getenv(killsVar); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%s: %v", killsVar, err)
		}
		kills = n
	}
	path := newPath(t)
	known := make(map[int]int) // number of a handoff → the seq acknowledged last; 0: may be gone; -1: gone
	acknowledged := 0
	for kill := range kills {
		// The first dies while it makes the file.
		acknowledged += killOnce(t, path, kill*1_000_000, rand.IntN(200)*min(kill, 1), known)
		verify(t, path, known)
		if t.Failed() {
			t.Fatalf("after kill %d of %d, with %d writes acknowledged", kill+1, kills, acknowledged)
		}
	}
	t.Logf("%d kills, %d writes acknowledged, %d handoffs", kills, acknowledged, len(known))
	if acknowledged == 0 {
		t.Error("no write was acknowledged before a kill: this tested nothing")
	}
}

// killOnce starts a child, kills it after so many acknowledgements and notes in
// known all it acknowledged. Reading lags behind writing, so the kill falls at
// any moment of a commit.
func killOnce(t *testing.T, path string, first, after int, known map[int]int) (acknowledged int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d", childVar, path, first))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill := func() { once.Do(func() { _ = cmd.Process.Kill() }) }
	defer kill()
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			break // what the kill cut short was not acknowledged
		}
		var what string
		var n, seq int
		if _, err := fmt.Sscan(line, &what, &n, &seq); err != nil {
			t.Fatalf("the child said %q: %v", line, err)
		}
		if acknowledged == 0 {
			if _, err := boltstore.Open(path, boltstore.Options{LockWait: time.Millisecond}); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("Open while another process has it open = %v, want an error that names %s", err, path)
			}
		}
		acknowledged++
		switch what {
		case "c", "u":
			known[n] = seq
		case "?":
			known[n] = 0
		case "d":
			known[n] = -1
		}
		if acknowledged > after {
			kill()
		}
	}
	_ = cmd.Wait() // it returns an error, because of the kill
	if got, want := cmd.ProcessState.String(), "signal: killed"; got != want {
		t.Errorf("the child ended with %q, want %q", got, want)
	}
	return acknowledged
}

func verify(t *testing.T, path string, known map[int]int) {
	t.Helper()
	s := open(t, path)
	defer s.Close()
	if err := s.Check(); err != nil {
		t.Errorf("the file after a kill: %v", err)
	}
	for n, seq := range known {
		h, err := s.Get(t.Context(), storetest.Handoff(n).ID)
		switch {
		case seq == 0 && (err == nil || handoff.CodeOf(err) == handoff.CodeNotFound):
		case seq < 0:
			if handoff.CodeOf(err) != handoff.CodeNotFound {
				t.Errorf("Get(%d, whose Delete was acknowledged) = %v, want code %s", n, err, handoff.CodeNotFound)
			}
		case err != nil:
			t.Errorf("Get(%d, acknowledged with seq %d): %v", n, seq, err)
		case h.Seq < seq:
			t.Errorf("Get(%d) = seq %d, want the acknowledged %d at least", n, h.Seq, seq)
		}
	}
}
