package web_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/attest"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/redistest"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/webhook"
)

// dayStep is how far the clock is put forward after each load of handoffs: beyond
// the quarter of an hour that one who is left alone has.
const dayStep = 20 * time.Minute

// day is what is there at the end of an hour when nothing is due.
type day struct {
	goroutines int
	heap       uint64 // bytes in use after a collection
	used       int64  // bytes of the file that were ever in use
	size       int64  // of the file
	keys       int64  // of Redis
}

// TestDay goes through a day by the clock: handoffs come at a steady rate, with
// desktops that watch, leave and come back, or are left alone, and a partner who is
// told and does not always listen. What has ended is swept after an hour, and from
// the fourth hour on nothing grows. The short form takes seven hours over a file.
func TestDay(t *testing.T) { // not in parallel: it counts what the whole program holds
	unraced(t)
	hours, loads := 7, 1
	stores := map[string]func(*setting){"file": func(s *setting) { s.bolt = true }}
	if os.Getenv("HANDOFF_LONG") != "" {
		hours, loads = 24, 4
		stores["redis"] = func(s *setting) { s.redis = redistest.Start(t).Addr }
	}
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			told := &listener{}
			w := newWorld(t, store, told.hear(t), func(s *setting) { s.log = io.Discard })
			played := 0
			var fourth, last day
			for hour := 1; hour <= hours; hour++ {
				for range 3 {
					w.load(t, loads)
					played += 3 * loads
				}
				w.idle(t)
				last = w.weigh(t, told.hangUp)
				if hour == 4 {
					fourth = last
				}
			}
			t.Logf("%d handoffs and %d messages in %d hours; after the fourth and the last: goroutines %d, %d; heap %d KB, %d KB; of the file %d KB, %d KB in use and its size %d KB, %d KB; keys %d, %d",
				played, told.heard.Load(), hours, fourth.goroutines, last.goroutines, fourth.heap>>10, last.heap>>10, fourth.used>>10, last.used>>10, fourth.size>>10, last.size>>10, fourth.keys, last.keys)
			if last.goroutines > fourth.goroutines+3 {
				t.Errorf("%d goroutines after %d hours, and %d after four", last.goroutines, hours, fourth.goroutines)
			}
			if last.heap > fourth.heap*5/4+1<<20 {
				t.Errorf("%d bytes of the heap in use after %d hours, and %d after four", last.heap, hours, fourth.heap)
			}
			if last.used > fourth.used*5/4 || last.size > fourth.size {
				t.Errorf("%d bytes of the file used and %d in all after %d hours, and %d and %d after four", last.used, last.size, hours, fourth.used, fourth.size)
			}
			if last.keys > fourth.keys*5/4 {
				t.Errorf("%d keys after %d hours, and %d after four", last.keys, hours, fourth.keys)
			}
		})
	}
}

// listener is a partner who is told: of each ten messages one comes at a bad time.
type listener struct {
	calls, heard atomic.Int64
	hangUp       func() // closes its ends of all connections
}

func (l *listener) hear(t *testing.T) func(*setting) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if l.calls.Add(1)%10 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		l.heard.Add(1)
	}))
	t.Cleanup(receiver.Close)
	l.hangUp = receiver.CloseClientConnections
	return func(s *setting) {
		s.deliverer = func(log *slog.Logger, records *attest.Attestor) handoff.Deliverer {
			sender, err := webhook.New(webhook.Config{
				Endpoints: map[handoff.PartnerID][]webhook.Endpoint{"acme": {{URL: receiver.URL, Secrets: []handoff.Secret{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}}},
				Client:    receiver.Client(), Sign: records.Sign, Log: log,
			})
			if err != nil {
				t.Fatal(err)
			}
			return sender
		}
	}
}

// load plays three handoffs for each of n, all at once: one whose desktop watches to
// the end, one whose desktop leaves and comes back, and one that is left alone. Then
// the clock is put forward.
func (w *world) load(t *testing.T, n int) {
	t.Helper()
	var shown, all sync.WaitGroup
	kinds := []func(w *world, shown func()){(*world).watched, (*world).seenAgain, (*world).leftAlone}
	for i := range n * len(kinds) {
		shown.Add(1)
		all.Go(func() {
			// A test of its own, so that what belongs to it goes with it.
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				once := sync.OnceFunc(shown.Done)
				defer once()
				kinds[i%len(kinds)](w.with(t), once)
			})
		})
	}
	shown.Wait()
	w.clock.advance(dayStep)
	all.Wait()
}

func (w *world) watched(shown func()) {
	s := w.begin()
	s.open()
	stream := s.desk.stream(s.made.DisplayURL, "")
	stream.until("waiting")
	s.scan()
	s.tap()
	s.toApp()
	if err := w.sim.SetJourney(s.made.InstanceID, finished); err != nil {
		w.t.Fatal(err)
	}
	s.report("finished")
	stream.until("completed")
	shown()
}

func (w *world) seenAgain(shown func()) {
	s := w.begin()
	s.open()
	stream := s.desk.stream(s.made.DisplayURL, "")
	st := stream.until("waiting")
	_ = stream.Body.Close() // the lid is shut
	s.scan()
	s.tap()
	s.toApp()
	s.desk.stream(s.made.DisplayURL, strconv.Itoa(st.Seq)).until("delivered")
	if err := w.sim.SetJourney(s.made.InstanceID, finished); err != nil {
		w.t.Fatal(err)
	}
	shown() // the worker finds out by itself that it is over
	w.wantStatus(s.made.ID, "completed")
}

func (w *world) leftAlone(shown func()) {
	s := w.begin()
	s.open()
	stream := s.desk.stream(s.made.DisplayURL, "")
	stream.until("waiting")
	shown()
	stream.until("expired")
}

// idle waits until nothing is due.
func (w *world) idle(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		due, err := w.store.Due(t.Context(), w.clock.now(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(due) == 0 {
			return
		}
		if time.Since(began) > patience {
			t.Fatalf("handoff %s is due, and nobody does anything about it", due[0])
		}
	}
}

// weigh says what is there. What the test itself keeps of the past is forgotten, and
// connections that nobody needs are closed: by hangUp, those to the partner.
func (w *world) weigh(t *testing.T, hangUp func()) day {
	t.Helper()
	w.sim.Reset()
	w.spy.mu.Lock()
	w.spy.tokens, w.spy.kinds, w.spy.connects, w.spy.ids = nil, nil, nil, nil
	w.spy.mu.Unlock()
	var d day
	// A connection's goroutines end a moment after it is closed, and one may be opened
	// meanwhile, for a message that is on its way.
	for same := 0; same < 20; {
		hangUp()
		w.hangUp()
		http.DefaultClient.CloseIdleConnections()
		n := runtime.NumGoroutine()
		if same++; n != d.goroutines {
			same, d.goroutines = 0, n
		}
		time.Sleep(time.Millisecond)
	}
	runtime.GC()
	runtime.GC() // what had a finalizer goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	d.heap = m.HeapAlloc
	if file, ok := w.store.(*boltstore.Store); ok {
		var copied counter
		if err := file.Backup(t.Context(), &copied); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(w.file)
		if err != nil {
			t.Fatal(err)
		}
		d.used, d.size = int64(copied), info.Size()
	}
	if w.redis != "" {
		d.keys = w.keysNow(t)
	}
	return d
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// keysNow is how many keys the server has.
func (w *world) keysNow(t *testing.T) int64 {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: w.redis})
	defer client.Close()
	n, err := client.DBSize(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n
}
