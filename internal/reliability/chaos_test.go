package reliability_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/porttest"
	"github.com/handoff-portal/handoff/internal/redistest"
)

// TestEverythingBreaks plays handoffs with viewers at one process, phones at
// another and apps at the third, behind nginx, while every three seconds a process
// is killed and restarted, Redis is killed and restarted once, and its master dies
// once so that Sentinel fails over. Nothing acknowledged is lost, nothing happens
// twice, and every desktop ends in the right state. The long form plays 500.
func TestEverythingBreaks(t *testing.T) {
	t.Parallel()
	handoffs, every := 60, 150*time.Millisecond
	if long() {
		handoffs = 500
	}
	redises := redistest.StartSentinel(t, 2*time.Second, append(redistest.Durable(), "--min-replicas-to-write", "1", "--repl-diskless-sync-delay", "0")...)
	w := newWorld(t, "redis+sentinel://"+strings.Join(redises.Addrs, ",")+"/"+redises.Name)
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

	ctx, cancel := context.WithTimeout(t.Context(), patience+time.Duration(handoffs)*every)
	defer cancel()
	began := time.Now()
	client := patientClient()
	stories, errs := make([]*story, handoffs), make([]error, handoffs)
	var playing sync.WaitGroup
	playing.Go(func() {
		for n := range stories {
			stories[n] = w.story(client, n)
			playing.Go(func() { errs[n] = stories[n].play(ctx) })
			pause(ctx, every)
		}
	})
	done := make(chan struct{})
	go func() {
		playing.Wait()
		close(done)
	}()
	kills := breakThings(t, done, time.Duration(handoffs)*every, processes, redises)
	<-done
	took := time.Since(began)

	for _, p := range processes {
		p.ready()
	}
	ctx, cancel = context.WithTimeout(t.Context(), patience) // what came too late is to be found out all the same
	defer cancel()
	lost, doubled, wrong := 0, 0, 0
	for n, s := range stories {
		faults := s.examine(ctx)
		if errs[n] != nil {
			faults = append(faults, fmt.Sprintf("wrong end: acknowledged to be %v: %v", s.acknowledged, errs[n]))
		}
		for _, f := range faults {
			t.Errorf("handoff %d: %s", n, f)
			switch kind, _, _ := strings.Cut(f, ":"); kind {
			case "lost":
				lost++
			case "doubled":
				doubled++
			default:
				wrong++
			}
		}
	}
	if long() { // half a minute, where a process died over a message
		awaitTold(ctx, t, stories)
	}
	w.wantConnects(stories)
	f := figures(stories)
	f.handoffs, f.kills, f.lost, f.doubled, f.wrong, f.took = handoffs, kills, lost, doubled, wrong, took
	f.twice = w.hooks.twice
	t.Log(f)
	if kills < 3 {
		t.Errorf("%d processes were killed, want more: this tested little", kills)
	}
	if !t.Failed() {
		record(t, "everything-breaks", f.String())
	}
}

// breakThings kills a process every three seconds until done; after a third of
// the time Redis is restarted, and after two thirds its master dies and comes back in
// the worst moment: when another has just become master.
func breakThings(t *testing.T, done <-chan struct{}, span time.Duration, processes []*process, redises *redistest.Sentinel) (kills int) {
	t.Helper()
	restart, failover := time.After(span/3), (<-chan time.Time)(nil)
	kill := time.NewTicker(3 * time.Second)
	defer kill.Stop()
	stop := time.After(span + 3*time.Second) // then all may end
	var failing sync.WaitGroup
	defer failing.Wait()
	for {
		select {
		case <-done:
			return kills
		case <-stop:
			return kills
		case <-kill.C:
			p := processes[rand.IntN(len(processes))]
			p.kill()
			p.start()
			kills++
		case <-restart:
			master := redises.At(redises.Master(t))
			master.Kill()
			master.Run()
			failover = time.After(span / 3)
		case <-failover:
			old := redises.At(redises.Master(t))
			failing.Go(func() {
				old.Kill()
				for began := time.Now(); !redises.AnotherIsMaster(t, old); time.Sleep(5 * time.Millisecond) {
					if time.Since(began) > patience {
						t.Error("nothing failed over")
						return
					}
				}
				old.Run() // for a master still, while the sentinels spread the news
			})
		}
	}
}

// awaitTold waits for the partner's messages: they are sent again after a while
// when a process died over one.
func awaitTold(ctx context.Context, t *testing.T, stories []*story) {
	t.Helper()
	for n, s := range stories {
		for {
			missing, doubled := s.untold()
			if len(doubled) > 0 {
				t.Errorf("handoff %d: %v came to the partner as two messages", n, doubled)
			}
			if len(missing) == 0 {
				break
			}
			if ctx.Err() != nil {
				t.Errorf("handoff %d: %v never came to the partner", n, missing)
				break
			}
			pause(ctx, 100*time.Millisecond)
		}
	}
}

// wantConnects: no connect token was ever brought twice, whatever died, and each
// instance was connected.
func (w *world) wantConnects(stories []*story) {
	w.t.Helper()
	connected := make(map[string]int)
	for _, c := range w.sim.Calls() {
		if c.Call != "connect" {
			continue
		}
		if c.Status >= http.StatusBadRequest {
			w.t.Errorf("a connect of %s was answered %d: its token was spent", c.InstanceID, c.Status)
		}
		connected[c.InstanceID]++
	}
	for n, s := range stories {
		if connected[s.instance] == 0 {
			w.t.Errorf("handoff %d ended and was never connected", n)
		}
	}
}

// results are the figures of one run.
type results struct {
	handoffs, kills, lost, doubled, wrong int
	acknowledged                          int
	twice                                 int // messages that came again under one id
	streams, byes                         int
	took, median, slowest, blind          time.Duration
}

func figures(stories []*story) results {
	var f results
	times := make([]time.Duration, 0, len(stories))
	for _, s := range stories {
		f.acknowledged += len(s.acknowledged)
		times = append(times, s.took)
		if s.viewer != nil {
			f.streams, f.byes, f.blind = f.streams+s.viewer.streams, f.byes+s.viewer.byes, max(f.blind, s.viewer.longest)
		}
	}
	slices.Sort(times)
	f.median, f.slowest = times[len(times)/2], times[len(times)-1]
	return f
}

func (f results) String() string {
	return fmt.Sprintf("%d handoffs in %s, %d kills: %d steps acknowledged, %d lost, %d doubled, %d wrong ends; median %s, slowest %s; "+
		"%d streams, longest without a state %s; %d messages came again",
		f.handoffs, f.took.Round(time.Second), f.kills, f.acknowledged, f.lost, f.doubled, f.wrong,
		f.median.Round(time.Millisecond), f.slowest.Round(100*time.Millisecond), f.streams, f.blind.Round(100*time.Millisecond), f.twice)
}
