package viewers

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

const (
	heartbeatEvery = 15 * time.Second
	keepEvery      = 5 * time.Second
	soonest        = 10 * time.Millisecond // after one frame, the next
)

// topic is a handoff that streams are open of, and when they are told something
// next. It holds no copy of the handoff, which is far larger.
type topic struct {
	all *Viewers
	id  handoff.ID

	// Guarded by all.mu.
	joined int       // streams, those that are just being opened too
	at     time.Time // when its turn is
	place  int       // in the agenda

	mu       sync.Mutex
	viewers  []*viewer // guarded by mu, as all of these
	turners  int       // of them, those whose page turns
	keepers  int       // those for whom something has to be done
	over     bool      // some are over
	closed   bool      // the process is about to go
	keeping  bool      // that something is being done
	seq      int       // the newest heard of
	code     string
	rotation handoff.Rotation
	restless bool // the journey is asked for while a page watches, or the clock changes a screen
	asked    bool // the former
	frame    time.Time
	beat     time.Time
	keep     time.Time
}

var _ handoff.Follower = (*topic)(nil)

// locked takes a step with the mutex held, plans what is next, and lets those go
// whom the step ended. A step that panics ends all of them, and nothing else: what
// changes a handoff must not fail for those who look on.
func (t *topic) locked(step func()) {
	for _, v := range t.try(step) {
		v.ended()
	}
}

func (t *topic) try(step func()) (ended []*viewer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			t.tellOf(r)
			for _, v := range t.viewers {
				t.end(v)
			}
		}
		ended = t.sweep()
		t.plan()
	}()
	step()
	return nil
}

func (t *topic) tellOf(panicked any) {
	t.all.site.Log.ErrorContext(t.all.keeping, "panic", "handoff", t.id, "value", fmt.Sprint(panicked), "stack", string(debug.Stack()))
}

// sweep takes those out who are over.
func (t *topic) sweep() (ended []*viewer) {
	if !t.over {
		return nil
	}
	t.over = false
	t.viewers = slices.DeleteFunc(t.viewers, func(v *viewer) bool {
		if !v.over {
			return false
		}
		t.count(v, -1)
		ended = append(ended, v)
		return true
	})
	return ended
}

func (t *topic) count(v *viewer, n int) {
	if v.page.Turns() {
		t.turners += n
	}
	if v.keep != nil {
		t.keepers += n
	}
}

// send sends one viewer an event, or ends it.
func (t *topic) send(v *viewer, event []byte) {
	if v.over {
		return
	}
	if !v.out.Send(event) {
		v.over, t.over = true, true
	}
}

// end ends a viewer, after what it was sent.
func (t *topic) end(v *viewer) {
	if v.over {
		return
	}
	v.out.Close()
	v.over, t.over = true, true
}

// add takes a viewer in, who was told h before.
func (t *topic) add(ctx context.Context, v *viewer, h handoff.Handoff) {
	behind := false
	t.locked(func() {
		t.viewers = append(t.viewers, v)
		t.count(v, 1)
		t.hear(h)
		behind = t.seq > v.seq
		if t.closed {
			t.send(v, byeEvent())
			t.end(v)
		}
	})
	if !behind {
		return
	}
	h, err := t.all.site.Handoffs.Refresh(ctx, t.id)
	if err != nil {
		t.remove(v) // the page comes again
		return
	}
	t.Changed(h)
}

// remove takes a viewer out, if that was not done already.
func (t *topic) remove(v *viewer) { t.locked(func() { t.end(v) }) }

// hear notes what h says of what comes next. It reports false if h is old.
func (t *topic) hear(h handoff.Handoff) bool {
	if h.Seq < t.seq {
		return false
	}
	t.seq = h.Seq
	if code := h.CodeName(); code != t.code {
		t.code = strings.Clone(code) // it is a piece of something longer
	}
	rotation := h.Rotation()
	covered := h.Status.Held() && h.Status != handoff.StatusClaimed
	if h.Status.Ended() || covered {
		rotation = handoff.Rotation{}
	}
	if rotation != t.rotation {
		t.rotation, t.frame = rotation, time.Time{}
	}
	asked := !h.Status.Ended() && !h.Poll.Next.IsZero()
	if asked && !t.asked {
		t.keep = time.Now() // that somebody watches is news
	}
	t.asked, t.restless = asked, asked || covered && !h.Status.Ended()
	return true
}

// Changed implements handoff.Follower. Pages that show the same are told the
// same bytes, made once.
func (t *topic) Changed(h handoff.Handoff) {
	t.locked(func() {
		if !t.hear(h) {
			return
		}
		now := t.all.site.Handoffs.Now()
		var made map[Page]told
		if len(t.viewers) > 1 {
			made = make(map[Page]told, 1)
		}
		for _, v := range t.viewers {
			t.shown(v, h)
			if h.Seq < v.seq || h.Seq == v.seq && v.page.Screen(h, now) == v.screen {
				continue
			}
			state, ok := made[v.page]
			if !ok {
				var err error
				if state, err = v.tell(h); err != nil {
					t.all.site.Log.ErrorContext(t.all.keeping, "stream_failed", "handoff", t.id, "error", err)
					t.end(v) // the page comes again
					continue
				}
				if made != nil {
					made[v.page] = state
				}
			}
			v.seq, v.screen = h.Seq, state.screen
			t.send(v, state.event)
			if state.end {
				t.end(v)
			}
		}
	})
}

// shown lets a display's viewer be, once its handoff is displayed: until then it
// had the first start tried again.
func (t *topic) shown(v *viewer, h handoff.Handoff) {
	if v.keep == nil || h.Status == handoff.StatusCreated || !v.page.Turns() {
		return
	}
	t.count(v, -1)
	v.keep = nil
	t.count(v, 1)
}

// Closed implements handoff.Follower.
func (t *topic) Closed() {
	t.all.close()
	t.locked(func() {
		t.closed = true
		for _, v := range t.viewers {
			t.send(v, byeEvent())
			t.end(v)
		}
	})
}

// turn does what is due.
func (t *topic) turn() {
	t.locked(func() {
		now := time.Now()
		if due(t.frame, now) {
			t.frame = time.Time{}
			n, _ := t.rotation.At(t.all.site.Handoffs.Now())
			event := frameEvent(t.code, n)
			for _, v := range t.viewers {
				if v.page.Turns() {
					t.send(v, event)
				}
			}
		}
		if due(t.beat, now) {
			t.beat = now.Add(t.all.beat)
			event := stillHere()
			for _, v := range t.viewers {
				t.send(v, event)
			}
		}
		if due(t.keep, now) {
			t.keep = now.Add(keepEvery)
			if !t.keeping {
				t.keeping = true
				t.all.keepUp(t.keepUp)
			}
		}
	})
}

func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// plan finds out when the topic's next turn is; mu is held.
func (t *topic) plan() {
	if len(t.viewers) == 0 {
		return
	}
	now := time.Now()
	if t.turners == 0 {
		t.frame = time.Time{}
	} else if t.frame.IsZero() {
		service := t.all.site.Handoffs.Now()
		if _, next := t.rotation.At(service); !next.IsZero() {
			t.frame = now.Add(max(next.Sub(service), soonest))
		}
	}
	if t.beat.IsZero() {
		t.beat = now.Add(t.all.beat)
	}
	switch {
	case !t.restless && t.keepers == 0:
		t.keep = time.Time{}
	case t.keep.IsZero():
		t.keep = now.Add(keepEvery)
	}
	next := t.beat
	for _, at := range []time.Time{t.frame, t.keep} {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	t.all.schedule(t, next)
}

// keepUp does what is done for a handoff while pages of it are open. What did not
// work is tried again with the next turn; the pages know their state.
func (t *topic) keepUp(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			t.tellOf(r)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.keeping = false
	}()
	var keeps []func(context.Context) (handoff.Handoff, error)
	t.mu.Lock()
	for _, v := range t.viewers {
		if v.keep != nil {
			keeps = append(keeps, v.keep)
		}
	}
	restless := t.restless
	t.mu.Unlock()
	h, err := handoff.Handoff{}, error(nil)
	for _, keep := range keeps {
		if kept, err := keep(ctx); err == nil && kept.Seq >= h.Seq {
			h = kept
		}
	}
	if h.ID == "" && restless {
		h, err = t.all.site.Handoffs.Refresh(ctx, t.id)
	}
	if err == nil && h.ID != "" {
		_ = t.all.site.Handoffs.Watch(ctx, h)
		t.Changed(h)
	}
}
