package reliability_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// retryPause is how long a person looks at a page before they try again.
const retryPause = time.Second

// outage is one way in which the platform fails at every call of a kind until it is
// mended, and where that leaves people: they wait, unless it says that there is no
// such journey.
type outage struct {
	fault platformsim.Fault
	fatal bool // at start and connect
}

// outages are the kinds of fault that the stand-in can play, with every status that
// the portal treats in its own way.
func outages() []outage {
	status := func(n int) platformsim.Fault { return platformsim.Fault{Kind: "status", Status: n} }
	return []outage{
		{fault: status(400)},
		{fault: status(401)},
		{fault: status(403)},
		{fault: status(404), fatal: true},
		{fault: platformsim.Fault{Kind: "status", Status: 429, RetryAfter: 2}},
		{fault: status(500)},
		{fault: status(503)},
		{fault: platformsim.Fault{Kind: "delay", DelayMS: 60_000}},
		{fault: platformsim.Fault{Kind: "drop_before"}},
		{fault: platformsim.Fault{Kind: "drop_after"}},
		{fault: platformsim.Fault{Kind: "malformed"}},
		{fault: platformsim.Fault{Kind: "html"}},
		{fault: platformsim.Fault{Kind: "html", Status: 200}},
		{fault: platformsim.Fault{Kind: "html", Status: 404}},
		{fault: platformsim.Fault{Kind: "in_band"}},
		{fault: platformsim.Fault{Kind: "in_band", Status: 404}, fatal: true},
	}
}

func (o outage) String() string { return fmt.Sprintf("%s %d", o.fault.Kind, o.fault.Status) }

// ends is the status in which a handoff ends that met the outage at a call.
func (o outage) ends(call string) string {
	switch {
	case call == "start" && (o.fatal || o.fault.Kind == "status" && o.fault.Status == http.StatusForbidden):
		return "failed"
	case call == "connect" && o.fatal:
		return "failed"
	}
	return "completed"
}

// series is what one process goes through.
type series struct {
	v1      bool
	call    string
	outages []outage
}

func (s series) String() string {
	if s.v1 {
		return "v1 " + s.call
	}
	return "v2 " + s.call
}

// TestPlatformFails lets the platform fail in every way at every call, while so many
// handoffs are about to make it. Everybody is told to wait; once it is mended, all
// end, each with one exchange, and the portal is where it was. The short form takes
// two of the 128 ways, and fewer handoffs.
func TestPlatformFails(t *testing.T) {
	t.Parallel()
	all, handoffs := outages(), 200
	plan := []series{{false, "token", all}, {true, "token", all}, {false, "start", all}, {true, "start", all}, {false, "connect", all}, {true, "connect", all}, {false, "state", all}, {true, "state", all}}
	if !long() {
		handoffs = 25
		plan = []series{{true, "start", all[11:12]}, {false, "connect", all[9:10]}}
	}
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var total siege // guarded by mu
	var running sync.WaitGroup
	places := make(chan struct{}, 4) // they wait more than they work
	for _, s := range plan {
		running.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			t.Run(s.String(), func(t *testing.T) {
				found := s.play(t, handoffs)
				t.Logf("%s", found)
				mu.Lock()
				defer mu.Unlock()
				total.add(found)
			})
		})
	}
	running.Wait()
	if !t.Failed() {
		t.Logf("%s", total)
		record(t, "platform-fails", fmt.Sprintf("%d processes, %d handoffs at once, %s", len(plan), handoffs, total))
	}
}

// siege is what came of some outages.
type siege struct {
	outages, handoffs, failed int
	slowest                   time.Duration // from its mending to the end of the last handoff
	worst                     string        // which that was
	goroutines                int           // the most that were left over
	before, after             health        // of the process that gained most
}

func (s *siege) add(o siege) {
	if o.slowest > s.slowest {
		s.slowest, s.worst = o.slowest, o.worst
	}
	if s.outages == 0 || o.after.live-o.before.live > s.after.live-s.before.live {
		s.before, s.after = o.before, o.after
	}
	s.outages, s.handoffs, s.failed = s.outages+o.outages, s.handoffs+o.handoffs, s.failed+o.failed
	s.goroutines = max(s.goroutines, o.goroutines)
}

func (s siege) String() string {
	return fmt.Sprintf("%d outages: %d handoffs completed and %d failed, as the platform had said that there is no such journey, 0 lost, 0 doubled, 0 pages without Retry-After; "+
		"the last ended %s after the platform was mended (%s); goroutines left over: %d at most; memory in use after a collection: %s before and %s after, in the process that gained most",
		s.outages, s.handoffs-s.failed, s.failed, s.slowest.Round(100*time.Millisecond), s.worst, s.goroutines, megabytes(s.before.live), megabytes(s.after.live))
}

func (s series) play(t *testing.T, handoffs int) siege {
	w := newWorld(t, "file:"+filepath.Join(t.TempDir(), "handoff.db"))
	w.v1 = s.v1
	p := w.process()
	w.at(p.listen)
	p.start()
	p.ready()
	client := patientClient()
	s.round(t, w, client, handoffs, nil) // what is made once is made now
	found := siege{before: p.atRest(client)}
	for _, o := range s.outages {
		took, failed := s.round(t, w, client, handoffs, &o)
		if t.Failed() {
			t.Fatalf("this was %s", o)
		}
		if took > found.slowest {
			found.slowest, found.worst = took, s.String()+" "+o.String()
		}
		found.outages, found.handoffs, found.failed = found.outages+1, found.handoffs+handoffs, found.failed+failed
		found.after = p.atRest(client)
		found.goroutines = max(found.goroutines, found.after.goroutines-found.before.goroutines)
		wantBack(t, o.String(), found.before, found.after)
	}
	return found
}

// round plays so many handoffs at once through one outage, or through none. It
// returns how long after the mending the last of them ended.
func (s series) round(t *testing.T, w *world, client *http.Client, handoffs int, o *outage) (took time.Duration, failed int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	w.sim.Reset()
	at := s.call
	if at == "token" {
		at = "start" // which needs one
	}
	errands, errs := make([]*errand, handoffs), make([]error, handoffs)
	var arrived, met, playing sync.WaitGroup
	begins := make(chan struct{})
	arrived.Add(handoffs)
	met.Add(handoffs)
	for n := range errands {
		e := w.errand(client)
		errands[n] = e
		if o != nil {
			e.before = func(ctx context.Context, call string) {
				if call == at {
					arrived.Done()
					await(ctx, begins)
				}
			}
			e.meets = met.Done
		}
		playing.Go(func() { errs[n] = e.play(ctx) })
	}
	want := "completed"
	if o != nil {
		want = o.ends(s.call)
		arrived.Wait()
		if s.call == "token" {
			w.sim.Reset() // nobody has one
		}
		fault := o.fault
		fault.Call, fault.Count = s.call, 1_000_000
		if err := w.sim.Fault(fault); err != nil {
			t.Fatal(err)
		}
		close(begins)
		w.lasts(ctx, t, s.call, &met)
		w.sim.Mend()
	}
	mended := time.Now()
	playing.Wait()
	took = time.Since(mended)
	for n, e := range errands {
		if errs[n] != nil {
			t.Errorf("handoff %d: %v", n, errs[n])
			continue
		}
		if o != nil && s.call != "state" && want == "completed" && !e.told {
			t.Errorf("handoff %d never met the outage", n)
		}
		for _, f := range e.examine(ctx, want) {
			t.Errorf("handoff %d: %s", n, f)
		}
	}
	for _, f := range w.exchanges(errands) {
		t.Error(f)
	}
	if want == "failed" {
		failed = handoffs
	}
	return took, failed
}

// lasts returns when everybody has met the outage. Of a state that cannot be had
// nobody is told; so many questions open the breaker.
func (w *world) lasts(ctx context.Context, t *testing.T, call string, met *sync.WaitGroup) {
	t.Helper()
	if call != "state" {
		all := make(chan struct{})
		go func() {
			met.Wait()
			close(all)
		}()
		await(ctx, all)
		return
	}
	for ctx.Err() == nil {
		n := 0
		for _, c := range w.sim.Calls() {
			if c.Call == "state" && c.Fault != "" {
				n++
			}
		}
		if n >= 10 {
			return
		}
		pause(ctx, 50*time.Millisecond)
	}
	t.Error("the platform was not asked for ten states while it failed")
}

// await waits for a channel to be closed.
func await(ctx context.Context, c <-chan struct{}) {
	select {
	case <-c:
	case <-ctx.Done():
	}
}
