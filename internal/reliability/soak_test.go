package reliability_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/porttest"
	"github.com/handoff-portal/handoff/internal/redistest"
)

const (
	soakVar   = "HANDOFF_TEST_SOAK" // how long; default half an hour, with HANDOFF_LONG
	soakEvery = 500 * time.Millisecond
	// soakSettles is when as much is swept as comes: a handoff that is left alone ends
	// after a minute, and is kept for another.
	soakSettles = 3 * time.Minute
	sampleEvery = 5 * time.Second
)

// TestSoak serves a steady stream of handoffs, over a file and over Redis: most go all
// the way, and of some the desktop is closed and nobody ever comes. Memory,
// goroutines, open files, the file and the keys stay as they are, and when it is over
// nothing is left.
func TestSoak(t *testing.T) {
	lasts := 30 * time.Minute
	if s := os.Getenv(soakVar); s != "" {
		var err error
		if lasts, err = time.ParseDuration(s); err != nil || lasts < 2*soakSettles {
			t.Fatalf("%s is %q, want %s or longer: %v", soakVar, s, 2*soakSettles, err)
		}
	} else if !long() {
		t.Skipf("SKIPPED half an hour of steady load: only with HANDOFF_LONG=1, as go run ./internal/check -long sets it, or for as long as %s says", soakVar)
	}
	var both sync.WaitGroup
	both.Go(func() {
		t.Run("file", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "handoff.db")
			w := newWorld(t, "file:"+path)
			p := w.process()
			w.at(p.listen)
			(&soak{w: w, processes: []*process{p}, file: path}).play(lasts)
		})
	})
	both.Go(func() {
		t.Run("redis", func(t *testing.T) {
			server := redistest.Start(t, redistest.Durable()...)
			w := newWorld(t, "redis://"+server.Addr)
			front := porttest.Address(t)
			w.at(front)
			processes := []*process{w.process(), w.process(), w.process()}
			startNginx(t, front, processes)
			(&soak{w: w, processes: processes, redis: server.Client()}).play(lasts)
		})
	})
	both.Wait()
}

// soak is one store under load.
type soak struct {
	w         *world
	processes []*process
	file      string        // the store's, or
	redis     *redis.Client // to the store

	samples []sample
}

// sample is how things are at one moment, the processes taken together.
type sample struct {
	at     time.Duration
	health         // but for the time of a collection
	size   float64 // of the file, or of Redis's memory
	used   float64 // pages of the file that were ever in use, in bytes; or Redis's keys
}

func (s *soak) play(lasts time.Duration) {
	w := s.w
	w.retain = "1m"
	w.t.Helper()
	for _, p := range s.processes {
		p.start()
		p.ready()
	}
	client := patientClient()
	ctx, cancel := context.WithTimeout(w.t.Context(), lasts+2*patience+2*soakSettles)
	defer cancel()
	s.load(ctx, client, 10*time.Second) // what is made once is made now
	before := make([]health, len(s.processes))
	for n, p := range s.processes {
		before[n] = p.atRest(client)
	}
	start := s.sample(0)

	sampling, enough := context.WithCancel(ctx)
	var meter sync.WaitGroup
	meter.Go(func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for began := time.Now(); ; {
			select {
			case <-sampling.Done():
				return
			case <-tick.C:
				s.samples = append(s.samples, s.sample(time.Since(began)))
			}
		}
	})
	all, left := s.load(ctx, client, lasts)
	enough()
	meter.Wait()

	s.swept(ctx)
	for n, p := range s.processes {
		wantBack(w.t, fmt.Sprintf("process %d after %s", n, lasts), before[n], p.atRest(client))
	}
	s.compare(lasts, all, left, start)
}

// load plays handoffs at a steady rate for so long, and waits for the last of them.
// Each fourth is left alone.
func (s *soak) load(ctx context.Context, client *http.Client, lasts time.Duration) (all, left int) {
	w := s.w
	var playing sync.WaitGroup
	tick := time.NewTicker(soakEvery)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < lasts && ctx.Err() == nil; all++ {
		n := all
		if n%4 == 3 {
			left++
			playing.Go(func() {
				if err := s.leave(ctx, client); err != nil {
					w.t.Errorf("handoff %d, which is left alone: %v", n, err)
				}
			})
		} else {
			playing.Go(func() {
				tale := w.story(client, n/2)
				if err := tale.play(ctx); err != nil {
					w.t.Errorf("handoff %d: %v", n, err)
					return
				}
				for _, f := range tale.examine(ctx) {
					w.t.Errorf("handoff %d: %s", n, f)
				}
				awaitTold(ctx, w.t, []*story{tale})
				if got := w.connects(tale.instance); got != 1 {
					w.t.Errorf("handoff %d has had %d exchanges, want one", n, got)
				}
			})
		}
		<-tick.C
	}
	playing.Wait()
	return all, left
}

// connects is how often an instance was connected.
func (w *world) connects(instance string) (n int) {
	for _, c := range w.sim.Calls() {
		if c.Call == "connect" && c.InstanceID == instance {
			n++
		}
	}
	return n
}

// leave opens a display, watches it for a while and closes it.
func (s *soak) leave(ctx context.Context, client *http.Client) error {
	w := s.w
	var m made
	partner := &partnerServer{client, w.public, w.key.Reveal()}
	status, _, err := partner.call(ctx, http.MethodPost, "/v1/handoffs", map[string]any{"instanceId": newInstance(), "expiresIn": 60}, &m)
	if err != nil || status != http.StatusCreated {
		return fmt.Errorf("creating: status %d, %w", status, orNone(err))
	}
	desk := newBrowser(client, desktopAgent)
	if p, err := desk.load(ctx, http.MethodGet, m.DisplayURL, nil); err != nil || p.status != http.StatusOK {
		return fmt.Errorf("the display: status %d, %w", p.status, orNone(err))
	}
	watching, leaves := context.WithTimeout(ctx, 5*thought)
	defer leaves()
	v := &viewer{b: desk, display: m.DisplayURL}
	v.follow(watching)
	if v.last.Status != "displayed" {
		return fmt.Errorf("the desktop shows %q, want displayed", v.last.Status)
	}
	return nil
}

func (s *soak) sample(at time.Duration) sample {
	t := s.w.t
	all := sample{at: at}
	for _, p := range s.processes {
		h := p.health()
		all.goroutines += h.goroutines
		all.live += h.live
		all.resident += h.resident
		all.files += h.files
		all.cpu += h.cpu
	}
	if s.file != "" {
		info, err := os.Stat(s.file)
		if err != nil {
			t.Error(err)
			return all
		}
		all.size = float64(info.Size())
		if len(s.samples)%12 == 0 { // once a minute: nothing that is freed meanwhile is used again
			all.used = s.processes[0].copied()
		} else {
			all.used = s.samples[len(s.samples)-1].used
		}
	} else {
		info, err := s.redis.Info(t.Context(), "memory").Result()
		keys, err2 := s.redis.DBSize(t.Context()).Result()
		if err = cmp.Or(err, err2); err != nil {
			t.Error(err)
			return all
		}
		m := regexp.MustCompile(`used_memory:(\d+)`).FindStringSubmatch(info)
		all.size, _ = strconv.ParseFloat(m[1], 64)
		all.used = float64(keys)
	}
	return all
}

// copied is the size of a backup: what of the file was ever in use.
func (p *process) copied() float64 {
	resp, err := http.Get("http://" + p.internal + "/backup")
	if err != nil {
		p.w.t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.w.t.Errorf("a backup: status %d, %v", resp.StatusCode, err)
	}
	return float64(n)
}

// swept waits until the portal has forgotten every handoff.
func (s *soak) swept(ctx context.Context) {
	partner := &partnerServer{patientClient(), s.w.public, s.w.key.Reveal()}
	for {
		var list struct{ Items []struct{ ID, Status string } }
		status, _, err := partner.call(ctx, http.MethodGet, "/v1/handoffs?limit=1", nil, &list)
		if err != nil || status != http.StatusOK {
			s.w.t.Errorf("listing handoffs: status %d, %v", status, err)
			return
		}
		if len(list.Items) == 0 {
			return
		}
		pause(ctx, time.Second)
	}
}

// compare holds the last sixth of the time against an earlier one.
func (s *soak) compare(lasts time.Duration, all, left int, start sample) {
	t := s.w.t
	from := max(soakSettles, lasts/6)
	early, late := s.between(from, from+lasts/6), s.between(lasts-lasts/6, lasts)
	end := s.sample(lasts)
	for _, f := range []struct {
		what        string
		early, late float64
		ratio, room float64 // that count as the same
	}{
		{"goroutines", float64(early.goroutines), float64(late.goroutines), 1.25, 20},
		{"bytes of the heap in use", early.live, late.live, 1.25, spareLive},
		{"bytes of memory", early.resident, late.resident, 1.25, 16 << 20},
		{"open files", float64(early.files), float64(late.files), 1.25, 20},
		{"bytes of the file, or of Redis's memory", early.size, late.size, 1.25, 0},
		{"bytes of the file ever in use, or keys", early.used, late.used, 1.25, 20},
	} {
		if f.late > f.early*f.ratio+f.room {
			t.Errorf("%.0f %s at the end, and %.0f after %s", f.late, f.what, f.early, from+lasts/6)
		}
	}
	found := fmt.Sprintf("%s, %d handoffs (%d of them left alone): goroutines %d → %d, heap in use %s → %s, memory %s → %s, open files %d → %d, ",
		lasts, all, left, early.goroutines, late.goroutines, megabytes(early.live), megabytes(late.live), megabytes(early.resident), megabytes(late.resident), early.files, late.files)
	name := "soak-file"
	if s.file != "" {
		found += fmt.Sprintf("the file %s → %s, of which %s → %s were ever in use", megabytes(early.size), megabytes(late.size), megabytes(early.used), megabytes(late.used))
	} else {
		name = "soak-redis"
		found += fmt.Sprintf("Redis's memory %s → %s, keys %.0f → %.0f, and %.0f when all was swept", megabytes(early.size), megabytes(late.size), early.used, late.used, end.used)
		if end.used > 20 { // those that count against limits expire by themselves
			t.Errorf("%.0f keys are left when all handoffs are swept: %s", end.used, strings.Join(s.leftover(), " "))
		}
	}
	found += fmt.Sprintf("; %.1f ms of processor time for a handoff, its stream and its messages", (end.cpu-start.cpu)/float64(all)*1000)
	t.Log(found)
	if !t.Failed() {
		record(t, name, found)
	}
}

// leftover are some of the keys that are there.
func (s *soak) leftover() []string {
	keys, _, err := s.redis.Scan(s.w.t.Context(), 0, "*", 20).Result()
	if err != nil {
		return []string{err.Error()}
	}
	return keys
}

// between is the lower quartile of each figure within a span: what leaks is there at
// the quietest moment too, and a moment in which the machine was busy is no growth.
func (s *soak) between(from, to time.Duration) sample {
	var in []sample
	for _, o := range s.samples {
		if o.at >= from && o.at <= to {
			in = append(in, o)
		}
	}
	if len(in) == 0 {
		s.w.t.Fatalf("no sample was taken between %s and %s", from, to)
	}
	quartile := func(of func(sample) float64) float64 {
		slices.SortFunc(in, func(a, b sample) int { return cmp.Compare(of(a), of(b)) })
		return of(in[len(in)/4])
	}
	m := sample{at: to}
	m.goroutines = int(quartile(func(o sample) float64 { return float64(o.goroutines) }))
	m.files = int(quartile(func(o sample) float64 { return float64(o.files) }))
	m.live = quartile(func(o sample) float64 { return o.live })
	m.resident = quartile(func(o sample) float64 { return o.resident })
	m.size = quartile(func(o sample) float64 { return o.size })
	m.used = quartile(func(o sample) float64 { return o.used })
	return m
}
