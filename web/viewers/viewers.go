// Package viewers tells the pages that are open of every change of what they show,
// by Server-Sent Events.
package viewers

import (
	"cmp"
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/reqctx"
	"github.com/handoff-portal/handoff/internal/stream"
	"github.com/handoff-portal/handoff/web/site"
)

// Changes tells of changes of handoffs.
type Changes interface {
	// Follow has f told of those of one handoff, until Unfollow. It reports false if
	// the process is about to go.
	Follow(id handoff.ID, f handoff.Follower) (open bool)
	Unfollow(id handoff.ID, f handoff.Follower)
}

// Viewers are the streams that this process has open, by the handoff they show.
// One goroutine, which runs while there are any, does what has to be done at its
// time: new frames, signs of life, leases.
type Viewers struct {
	site    *site.Site
	changes Changes
	poller  *stream.Poller // nil: net/http keeps the connections
	beat    time.Duration  // how often a stream says that it is there
	wake    chan struct{}  // holds a value when there is something sooner to do

	keeping  context.Context // of what is kept up while pages are open; ends with Closed
	stopKeep context.CancelFunc
	keeps    sync.WaitGroup

	mu      sync.Mutex
	topics  map[handoff.ID]*topic // guarded by mu, as all of these
	due     agenda
	running bool
	closed  bool
}

// New returns none yet. Without a poller net/http keeps the connections;
// beat is how often a stream says that it is there, by default every 15 s.
func New(s *site.Site, changes Changes, poller *stream.Poller, beat time.Duration) *Viewers {
	a := &Viewers{site: s, changes: changes, poller: poller, beat: cmp.Or(beat, heartbeatEvery), wake: make(chan struct{}, 1), topics: make(map[handoff.ID]*topic)}
	a.keeping, a.stopKeep = context.WithCancel(context.Background())
	return a
}

// viewer is one stream.
type viewer struct {
	topic   *topic
	page    Page
	out     outlet
	release func() // its place among the streams that may be open
	taken   *taking

	// All of these are guarded by the topic's mu once it was added.
	keep   func(context.Context) (handoff.Handoff, error) // nil: nothing has to be done for it
	seq    int                                            // of the state it was told last
	screen string                                         // the same
	over   bool
}

// Page is what a stream keeps up to date. Pages that are equal are told the same.
type Page interface {
	// State is what the page is told of h as it is now.
	State(h handoff.Handoff) (State, error)
	// Screen is that of the state. A page that shows it, of the same seq, has nothing
	// to change.
	Screen(h handoff.Handoff, now time.Time) string
	// Turns reports whether it shows a code that changes with the frames.
	Turns() bool
}

// outlet is where events go. Neither method waits; after Send reported false it is
// closed, and Close is called only if it never did.
type outlet interface {
	Send(event []byte) bool
	Close()
}

// taking is what is remembered of a request whose connection was taken over.
type taking struct {
	conn    *stream.Conn
	before  int64 // bytes that net/http has sent
	began   time.Time
	route   string
	request string // its id, and
	trace   string // that of its trace, if it has one
}

// told is a state as it is sent.
type told struct {
	event  []byte
	screen string
	end    bool
}

// tell makes the event of a state of h, and notes that the viewer has it.
func (v *viewer) tell(h handoff.Handoff) (told, error) {
	s, err := v.page.State(h)
	if err != nil {
		return told{}, err
	}
	event, err := stateEvent(s)
	v.seq, v.screen = s.Seq, s.Screen
	return told{event, s.Screen, s.End}, err
}

// leave gives back what the stream took.
func (v *viewer) leave() {
	v.topic.all.leave(v.topic)
	v.release()
}

// Gone implements stream.Owner.
func (v *viewer) Gone() { v.topic.remove(v) }

// ended is called when the topic has let the viewer go. Where net/http has the
// connection, the handler returns and does the rest.
func (v *viewer) ended() {
	if v.taken == nil {
		return
	}
	v.leave()
	ctx := reqctx.With(context.Background(), v.taken.request)
	if v.taken.trace != "" {
		ctx = reqctx.WithTrace(ctx, v.taken.trace)
	}
	v.topic.all.site.LogRequest(ctx, "GET", v.taken.route, 200, time.Since(v.taken.began), v.taken.before+v.taken.conn.Sent())
}

// join makes room for a stream of the handoff with this ID. The caller reads the
// handoff afterwards, so that no change is missed.
func (a *Viewers) join(id handoff.ID) *topic {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.topics[id]
	if t == nil {
		t = &topic{all: a, id: id, place: nowhere}
		t.closed = !a.changes.Follow(id, t)
		a.topics[id] = t
	}
	t.joined++
	return t
}

// leave undoes a join.
func (a *Viewers) leave(t *topic) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.joined--; t.joined > 0 {
		return
	}
	delete(a.topics, t.id)
	a.changes.Unfollow(t.id, t)
	if t.place != nowhere {
		heap.Remove(&a.due, t.place)
	}
	if len(a.due) == 0 {
		a.rouse()
	}
}

// schedule has t's turn come at this time.
func (a *Viewers) schedule(t *topic, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case t.joined == 0: // nobody looks any more
		return
	case t.place == nowhere:
		t.at = at
		heap.Push(&a.due, t)
	case !t.at.Equal(at):
		t.at = at
		heap.Fix(&a.due, t.place)
	default:
		return
	}
	if !a.running {
		a.running = true
		go a.run()
	}
	if t.place == 0 {
		a.rouse()
	}
}

func (a *Viewers) rouse() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run gives each topic its turn, until there is none left.
func (a *Viewers) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		t, wait, more := a.next(time.Now())
		switch {
		case !more:
			return
		case t != nil:
			t.turn()
		default:
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-a.wake:
			}
		}
	}
}

// next takes out a topic whose turn has come; nil: the next one's is after wait.
// more is false if there are none, and nobody runs any more.
func (a *Viewers) next(now time.Time) (t *topic, wait time.Duration, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.due) == 0 {
		a.running = false
		return nil, 0, false
	}
	t = a.due[0]
	if wait = t.at.Sub(now); wait > 0 {
		return nil, wait, true
	}
	heap.Pop(&a.due)
	return t, 0, true
}

// keepUp runs do in the background, unless the process is about to go.
func (a *Viewers) keepUp(do func(context.Context)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.keeps.Go(func() { do(a.keeping) })
	}
}

// close lets nothing be kept up any more.
func (a *Viewers) close() {
	a.mu.Lock()
	first := !a.closed
	a.closed = true
	a.mu.Unlock()
	if first {
		a.stopKeep()
		a.keeps.Wait()
	}
}

// agenda is a heap of topics by when they are due.
type agenda []*topic

// nowhere is the place of a topic that is not in it.
const nowhere = -1

// Len implements heap.Interface, as do all of these.
func (d agenda) Len() int { return len(d) }

// Less reports whose turn is first.
func (d agenda) Less(i, j int) bool { return d[i].at.Before(d[j].at) }

// Swap keeps each topic's place.
func (d agenda) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}

// Push adds a *topic.
func (d *agenda) Push(x any) {
	t, ok := x.(*topic)
	if !ok {
		return
	}
	t.place = len(*d)
	*d = append(*d, t)
}

// Pop takes the last one out.
func (d *agenda) Pop() any {
	last := len(*d) - 1
	t := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	t.place = nowhere
	return t
}
