package reliability_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/porttest"
	"github.com/handoff-portal/handoff/internal/redistest"
)

// viewerLimit is how long a viewer may know nothing, and exitLimit how long a
// process may take to end: they are promised.
const (
	viewerLimit = 5 * time.Second
	exitLimit   = 20 * time.Second
)

// TestRollingRestart replaces three processes one after another, as a deploy of the
// version after ours does, and in the long form as its rollback does, under load: nobody who tries again as browsers and the reference app do sees a
// failure, and no viewer is without its state for five seconds.
func TestRollingRestart(t *testing.T) {
	handoffs, rounds := 40, 1
	if long() {
		handoffs, rounds = 300, 8
	}
	if _, err := nextBinary(); err != nil { // outside of the time that anybody waits
		t.Fatal(err)
	}
	server := redistest.Start(t, redistest.Durable()...)
	w := newWorld(t, "redis://"+server.Addr)
	w.drain = time.Second
	front := porttest.Address(t)
	w.at(front)
	processes := []*process{w.process(), w.process(), w.process()}
	for _, p := range processes {
		p.start()
	}
	for _, p := range processes {
		p.ready()
	}
	startNginx(t, front, processes)

	ctx, cancel := context.WithTimeout(t.Context(), patience+time.Duration(handoffs)*time.Second/2)
	defer cancel()
	client := patientClient()
	stories, errs := make([]*story, handoffs), make([]error, handoffs)
	var playing sync.WaitGroup
	playing.Go(func() {
		for n := range stories {
			stories[n] = w.story(client, n)
			playing.Go(func() { errs[n] = stories[n].play(ctx) })
			pause(ctx, 150*time.Millisecond)
		}
	})
	var slowest time.Duration
	for round := range rounds {
		for n, p := range processes {
			pause(ctx, time.Second)
			status, took := p.terminate()
			slowest = max(slowest, took)
			if status != 0 || took > exitLimit {
				t.Errorf("process %d ended with status %d after %s, want 0 within %s\n%s", n, status, took, exitLimit, p.tail())
			}
			p.newer = round%2 == 0
			p.start()
			p.ready()
		}
	}
	playing.Wait()
	for n, s := range stories {
		if errs[n] != nil {
			t.Errorf("handoff %d, acknowledged to be %v: %v", n, s.acknowledged, errs[n])
			continue
		}
		for _, f := range s.examine(ctx) {
			t.Errorf("handoff %d: %s", n, f)
		}
		if s.viewer.longest > viewerLimit {
			t.Errorf("the desktop of handoff %d knew nothing for %s, want at most %s", n, s.viewer.longest, viewerLimit)
		}
	}
	if t.Failed() {
		return
	}
	f := figures(stories)
	if f.byes == 0 {
		t.Error("no stream said bye: nobody was watching")
	}
	found := fmt.Sprintf("%d handoffs, %d restarts, %d streams that said bye: 0 failures; longest without a state %s, slowest end of a process %s",
		handoffs, rounds*len(processes), f.byes, f.blind.Round(10*time.Millisecond), slowest.Round(10*time.Millisecond))
	t.Log(found)
	record(t, "rolling-restart", found)
}
