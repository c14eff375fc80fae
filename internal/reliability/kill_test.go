package reliability_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestKillOverAFile kills the one process over a file at random moments under
// load. Nothing acknowledged is lost, and the next process opens the file at once.
func TestKillOverAFile(t *testing.T) {
	t.Parallel()
	kills := 5
	if long() {
		kills = 100
	}
	w := newWorld(t, "file:"+filepath.Join(t.TempDir(), "handoff.db"))
	p := w.process()
	w.at(p.listen)
	p.start()
	p.ready()

	ctx, cancel := context.WithTimeout(t.Context(), patience+time.Duration(kills)*3*time.Second)
	defer cancel()
	client := patientClient()
	var mu sync.Mutex
	var stories []*story // guarded by mu
	errs := make(map[*story]error)
	var playing sync.WaitGroup
	enough := make(chan struct{})
	playing.Go(func() { // a new one comes all the time
		for n := 0; ; n++ {
			select {
			case <-enough:
				return
			default:
			}
			s := w.story(client, n)
			mu.Lock()
			stories = append(stories, s)
			mu.Unlock()
			playing.Go(func() {
				err := s.play(ctx)
				mu.Lock()
				defer mu.Unlock()
				errs[s] = err
			})
			pause(ctx, 150*time.Millisecond)
		}
	})
	var slowest time.Duration
	for range kills {
		pause(ctx, time.Duration(rand.Int64N(int64(1500*time.Millisecond))))
		p.kill()
		p.start()
		slowest = max(slowest, p.ready())
	}
	close(enough)
	playing.Wait()
	acknowledged := 0
	for n, s := range stories {
		acknowledged += len(s.acknowledged)
		if err := errs[s]; err != nil {
			t.Errorf("handoff %d, acknowledged to be %v: %v", n, s.acknowledged, err)
			continue
		}
		for _, f := range s.examine(ctx) {
			t.Errorf("handoff %d: %s", n, f)
		}
	}
	w.wantConnects(stories)
	if t.Failed() {
		return
	}
	found := fmt.Sprintf("%d kills during %d handoffs with %d acknowledged steps: 0 lost, 0 doubled; ready again after %s at most",
		kills, len(stories), acknowledged, slowest.Round(time.Millisecond))
	t.Log(found)
	record(t, "kill-over-a-file", found)
}
