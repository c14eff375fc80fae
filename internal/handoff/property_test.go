package handoff_test

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/redistest"
	"github.com/handoff-portal/handoff/internal/store/memstore"
	"github.com/handoff-portal/handoff/internal/store/record"
	"github.com/handoff-portal/handoff/internal/store/redisstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

var (
	walks    = flag.Int("walks", 250, "how many random walks TestWalks takes")
	walkSeed = flag.Uint64("walk-seed", 0, "take this one walk only; zero: take -walks of them")
)

const (
	walkSteps = 60
	partnerID = handoff.PartnerID("acme")
)

// TestWalks takes random walks through all that a Service can be asked for, by
// several phones, apps and displays at once, with a platform that fails in every
// way, processes that die and clocks that jump, and examines every change on its
// way into the store. A failure prints its seed: -walk-seed takes it again.
func TestWalks(t *testing.T) {
	inMemory := func() handoff.Store { return memstore.New() }
	if *walkSeed != 0 {
		walkOnce(t, *walkSeed, inMemory)
		return
	}
	first := rand.Uint64() | 1
	const shares = 4
	var mu sync.Mutex
	reached := make(map[handoff.Status]int) // guarded by mu
	t.Run("all", func(t *testing.T) {
		for share := range shares {
			t.Run(strconv.Itoa(share), func(t *testing.T) {
				t.Parallel()
				for i := share; i < *walks && !t.Failed(); i += shares {
					store := inMemory
					if i < 10*shares {
						store = func() handoff.Store { return storetest.Unwritten(t, memstore.New()) }
					}
					found := walkOnce(t, first+uint64(i), store)
					mu.Lock()
					for s, n := range found {
						reached[s] += n
					}
					mu.Unlock()
				}
			})
		}
	})
	for _, s := range handoff.Statuses() {
		if reached[s] == 0 && *walks >= 1000 && !t.Failed() {
			t.Errorf("%d walks from seed %d never reached %s: they prove nothing of it", *walks, first, s)
		}
	}
	t.Logf("%d walks from seed %d reached %v", *walks, first, reached)
}

// walksOverRedis are few: each asks Redis some hundred times.
const walksOverRedis = 20

// TestWalksOverRedis takes some of the walks on the store of many processes. Time
// stands still in the bubble while Redis is asked.
func TestWalksOverRedis(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Address(t), MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	defer client.Close()
	first := *walkSeed
	if first == 0 {
		first = rand.Uint64() | 1
	}
	for i := range uint64(walksOverRedis) {
		walkOnce(t, first+i, func() handoff.Store {
			return redisstore.New(client, redisstore.Options{Prefix: redistest.Prefix()})
		})
	}
}

// walkOnce takes one walk, and returns how often each status was reached.
func walkOnce(t *testing.T, seed uint64, open func() handoff.Store) map[handoff.Status]int {
	t.Helper()
	var w *walk
	synctest.Test(t, func(t *testing.T) {
		w = newWalk(t, seed, open())
		w.take()
	})
	if len(w.faults) > 0 {
		t.Errorf("seed %d breaks the rules:\n  %s\nafter\n  %s\n(again: go test -run 'TestWalks$' -walk-seed %d)",
			seed, strings.Join(w.faults, "\n  "), strings.Join(w.trace, "\n  "), seed)
	}
	return w.reached
}

// walk is one walk: a store, two processes on it, and what the people and apps
// of it have come to know.
type walk struct {
	t     *testing.T
	rng   *rand.Rand
	store *examined
	up    *upstream
	out   *moody
	procs []*handoff.Service

	trace   []string
	line    int // of trace: of the operation under way
	faults  []string
	depth   int // of operations: one may begin within a call of another
	steps   []step
	total   int
	reached map[handoff.Status]int // events of every kind
	seen    map[handoff.ID]int     // events counted already

	ids       []handoff.ID
	instances []handoff.InstanceID
	displays  []foundDisplay
	codes     []foundCode
	claims    []foundClaim
	apps      []foundApp
	pickups   []foundPickup
	reports   []handoff.Secret
	responses []handoff.Secret
	numbers   map[handoff.Hash]string // by claim, as its phone shows it
	typed     map[handoff.Hash]bool   // the claims whose right number was typed
	given     map[handoff.Secret]receiver
}

type foundDisplay struct {
	id  handoff.ID
	key handoff.Secret
}

// foundCode is a code as somebody saw it, frame and all, and the proof of a
// landing, if there was one.
type foundCode struct {
	id     handoff.ID
	route  handoff.Route
	code   handoff.Secret
	opened string
}

type foundClaim struct {
	id         handoff.ID
	key, owner handoff.Secret
}

type foundApp struct {
	id                handoff.ID
	claimID, verifier handoff.Secret
}

type foundPickup struct {
	id     handoff.ID
	claim  handoff.Hash
	pickup handoff.Secret
}

// receiver is who got a token first.
type receiver struct {
	by       string
	verifier handoff.Secret
}

type step struct {
	name   string
	weight int
	do     func() error
}

func newWalk(t *testing.T, seed uint64, store handoff.Store) *walk {
	w := &walk{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), up: newUpstream(), seen: make(map[handoff.ID]int), reached: make(map[handoff.Status]int),
		numbers: make(map[handoff.Hash]string), typed: make(map[handoff.Hash]bool), given: make(map[handoff.Secret]receiver),
	}
	w.store = &examined{
		Store: store, notified: make(map[handoff.ID]int), latest: make(map[handoff.ID]handoff.Handoff),
		found:       func(id handoff.ID, breach string) { w.fault("%s: %s", id, breach) },
		confirmable: func(claim handoff.Hash) bool { return w.typed[claim] },
	}
	w.up.before = w.misfortune
	w.out = newMoody(w, seed)
	keys, err := keyring.New([]handoff.Secret{handoff.Secret(keyring.Generate())})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.procs = append(w.procs, handoff.NewService(handoff.Config{
			Store: w.store, Vault: keys, Platforms: w.up, Notifier: w.store, Deliverer: w.out, Log: slog.New(slog.DiscardHandler),
		}))
	}
	for range 2 {
		w.instances = append(w.instances, handoff.InstanceID(fmt.Sprintf("Pi%022d", w.rng.Int64N(1e15))))
	}
	w.steps = w.allSteps()
	for _, s := range w.steps {
		w.total += s.weight
	}
	return w
}

func (w *walk) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// say adds to the line of the operation under way.
func (w *walk) say(format string, args ...any) { w.trace[w.line] += fmt.Sprintf(format, args...) }

// svc is one of the processes.
func (w *walk) svc() *handoff.Service { return w.procs[w.rng.IntN(len(w.procs))] }

// chance reports true in n of 100 cases.
func (w *walk) chance(n int) bool { return w.rng.IntN(100) < n }

// oneOf picks one, the later ones more often: what is old is seldom worth trying.
func oneOf[T any](w *walk, all []T) (one T, ok bool) {
	if len(all) == 0 {
		return one, false
	}
	if w.chance(60) {
		return all[len(all)-1-w.rng.IntN(min(2, len(all)))], true
	}
	return all[w.rng.IntN(len(all))], true
}

func (w *walk) take() {
	w.run("create", w.create)
	w.run("display", w.display)
	for i := 0; i < walkSteps && len(w.faults) == 0; i++ {
		w.stepOnce()
	}
	// In the end everything ends, and is told or given up, and is forgotten.
	for range 60 {
		time.Sleep(27 * time.Hour)
		w.run("work", w.work)
	}
	for _, id := range w.ids {
		if _, err := w.store.Get(w.t.Context(), id); handoff.CodeOf(err) != handoff.CodeNotFound {
			w.fault("%s is still there after its deadline, its last question and its retention: %v", id, err)
		}
	}
}

// stepOnce does one thing, chosen by weight.
func (w *walk) stepOnce() {
	n := w.rng.IntN(w.total)
	for _, s := range w.steps {
		if n -= s.weight; n < 0 {
			w.run(s.name, s.do)
			return
		}
	}
}

// run does one thing, alone in a goroutine: it may die half-way, as a process
// does, and leave its reservation behind.
func (w *walk) run(name string, do func() error) {
	w.trace = append(w.trace, fmt.Sprintf("%s %s%s", time.Now().UTC().Format("02 15:04:05"), strings.Repeat("| ", w.depth), name))
	outer := w.line
	w.line = len(w.trace) - 1
	done := make(chan struct{})
	go func() {
		died := true
		defer func() {
			if died {
				w.say(": died")
			}
			close(done)
		}()
		err := do()
		died = false
		w.sayError(name, err)
	}()
	<-done
	w.line = outer
	w.examine()
}

// sayError notes how something ended. Whatever it was, an Error came out, and
// one that the outside may be shown.
func (w *walk) sayError(name string, err error) {
	if err == nil {
		return
	}
	w.trace = append(w.trace, fmt.Sprintf("            %s-> %v", strings.Repeat("| ", w.depth), err))
	e, ok := errors.AsType[*handoff.Error](err)
	switch {
	case !ok:
		w.fault("%s: an error without a code: %v", name, err)
	case slices.Contains([]handoff.Code{handoff.CodeInternal, handoff.CodeUnknownJourney, handoff.CodeConnectSpent, handoff.CodeConnectLost, handoff.CodeJourneyLost, ""}, e.Code):
		w.fault("%s: the error %v came out", name, err)
	case e.Code == handoff.CodeGone && e.Reason == "":
		w.fault("%s: gone without a reason", name)
	case (e.Code == handoff.CodePlatformUnavailable || e.Code == handoff.CodeRateLimited || e.Code == handoff.CodeNotConfirmed) && e.RetryAfter <= 0:
		w.fault("%s: %s without saying when to try again", name, e.Code)
	}
	if strings.Contains(err.Error(), connectPrefix) || strings.Contains(err.Error(), endUserPrefix) {
		w.fault("%s: a token in the error %v", name, err)
	}
}

// examine looks at everything there is, between two operations.
func (w *walk) examine() {
	for _, b := range append(w.up.broken(), w.out.broken()...) {
		w.fault("%s", b)
	}
	if w.depth > 0 {
		return
	}
	every := w.chance(4)
	for _, h := range w.store.news() {
		if told := w.store.told(h.ID); told != h.Seq {
			w.fault("%s: followers were told of change %d, it is at %d", h.ID, told, h.Seq)
		}
		w.learn(h)
	}
	for _, id := range w.ids {
		if !every {
			break
		}
		h, err := w.store.Get(w.t.Context(), id)
		if err == nil {
			w.examineAtRest(h)
		} else if handoff.CodeOf(err) != handoff.CodeNotFound {
			w.fault("Get(%s): %v", id, err)
		}
	}
}

// examineAtRest looks for keys that do not find h, and for secrets that lie open in its record.
func (w *walk) examineAtRest(h handoff.Handoff) {
	for _, key := range h.Keys() {
		if found, err := w.store.Lookup(w.t.Context(), key); err != nil || found.ID != h.ID {
			w.fault("%s: Lookup(%s) = %s, %v", h.ID, key, found.ID, err)
		}
	}
	b, err := record.Marshal(h)
	if err != nil {
		w.fault("%s: %v", h.ID, err)
	}
	open := func(what string, s handoff.Secret) {
		if s != "" && strings.Contains(string(b), s.Reveal()) {
			w.fault("%s: %s lies open in the record", h.ID, what)
		}
	}
	for _, s := range w.up.secrets() {
		open("a token", s)
	}
	for _, d := range w.displays {
		open("a display key", d.key)
	}
	for _, c := range w.codes {
		reference, _, _ := strings.Cut(c.code.Reveal(), ".")
		open("a code", handoff.Secret(reference))
	}
	for _, c := range w.claims {
		open("a claim key", c.key)
	}
	for _, p := range w.pickups {
		open("a pickup", p.pickup)
	}
	for _, r := range w.reports {
		open("a report key", r)
	}
	for _, r := range w.responses {
		open("a response code", r)
	}
}

// learn notes what happened to h, and what its display shows: its codes, as they
// are framed now.
func (w *walk) learn(h handoff.Handoff) {
	for _, e := range h.Events[w.seen[h.ID]:] {
		w.reached[handoff.Status(e.Type)]++
	}
	w.seen[h.ID] = len(h.Events)
	for _, r := range []handoff.Route{handoff.RouteQR, handoff.RouteLink, handoff.RouteSMS, handoff.RouteEmail, handoff.RoutePartner, handoff.RouteLocal} {
		code, ok, err := w.procs[0].Code(h, r)
		if err != nil {
			w.fault("Code(%s, %s): %v", h.ID, r, err)
		}
		if ok && r == handoff.RouteQR {
			if code, err = w.procs[0].Framed(h, code); err != nil {
				w.fault("Framed(%s): %v", h.ID, err)
			}
		}
		known := slices.ContainsFunc(w.codes, func(c foundCode) bool { return c.code == code })
		if ok && !known {
			w.codes = append(w.codes, foundCode{id: h.ID, route: r, code: code})
		}
	}
}

// misfortune is what befalls a call of the platform.
func (w *walk) misfortune(call string) fault {
	if call != "state" && w.depth == 0 && w.chance(12) { // meanwhile, somebody else does something
		w.depth++
		w.stepOnce()
		w.depth--
	}
	switch w.rng.IntN(28) {
	case 0, 1:
		w.say(" (%s unavailable)", call)
		return faultUnavailable
	case 2, 3:
		w.say(" (%s lost)", call)
		return faultLost
	case 4:
		w.say(" (%s spent)", call)
		return faultSpent
	case 5:
		if w.chance(30) {
			w.say(" (%s unknown)", call)
			return faultUnknown
		}
	case 6:
		w.say(" (%s wrong device)", call)
		return faultDevice
	case 7:
		if w.depth == 0 {
			runtime.Goexit()
		}
	case 8:
		time.Sleep(time.Duration(w.rng.IntN(20)) * time.Second)
	case 9: // the process stood still for longer than its reservation lasts
		time.Sleep(handoff.WorkLease + time.Duration(w.rng.IntN(60))*time.Second)
	}
	return faultNone
}
