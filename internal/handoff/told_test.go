package handoff_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// moody is a Deliverer to two endpoints whose moods are a matter of chance, and
// which examines what it is asked to deliver. Its chance is that of the walk's
// seed and of the message, so that goroutines may come in any order.
type moody struct {
	w    *walk
	seed uint64

	mu    sync.Mutex
	times map[string]int             // guarded by mu: attempts of each message to each endpoint
	first map[string]handoff.Message // guarded by mu
	found []string                   // guarded by mu
}

func newMoody(w *walk, seed uint64) *moody {
	return &moody{w: w, seed: seed, times: make(map[string]int), first: make(map[string]handoff.Message)}
}

func (m *moody) Endpoints(handoff.PartnerID) []handoff.EndpointID {
	return []handoff.EndpointID{hookA, hookB}
}

func (m *moody) Deliver(_ context.Context, msg handoff.Message) handoff.Receipt {
	m.mu.Lock()
	key := string(msg.To) + msg.MessageID()
	m.times[key]++
	n := m.times[key]
	h, err := m.w.store.Get(m.w.t.Context(), msg.Handoff)
	if err != nil {
		m.found = append(m.found, fmt.Sprintf("%s is delivered, and there is no handoff: %v", msg.MessageID(), err))
	}
	m.examine(key, h, msg)
	m.mu.Unlock()

	hash := fnv.New64a()
	fmt.Fprint(hash, m.seed, msg.To, len(h.Events), msg.Seq, n)
	switch hash.Sum64() % 20 {
	case 0, 1, 2, 3, 4, 5:
		return handoff.Receipt{Outcome: "status 500"}
	case 6:
		return handoff.Receipt{Outcome: "status 429", RetryAfter: time.Duration(n) * time.Minute}
	case 7:
		return handoff.Receipt{Outcome: "status 410", Gone: true}
	case 8:
		runtime.Goexit() // the process dies
	case 9:
		return handoff.Receipt{Outcome: "broken off", Interrupted: true}
	}
	return handoff.Receipt{Outcome: "status 200", Delivered: true}
}

// examine looks at a message on its way. m.mu is held.
func (m *moody) examine(key string, h handoff.Handoff, msg handoff.Message) {
	fault := func(bad bool, format string, args ...any) {
		if bad {
			m.found = append(m.found, fmt.Sprintf("%s to %s: ", msg.MessageID(), msg.To)+fmt.Sprintf(format, args...))
		}
	}
	same := msg
	same.Again = false
	if first, ok := m.first[key]; ok {
		fault(first != same, "it was %+v, and is %+v", first, same)
	}
	m.first[key] = same
	i := slices.IndexFunc(h.Outbox, func(c handoff.Channel) bool { return c.To == msg.To })
	if i < 0 {
		fault(true, "there is no such channel")
		return
	}
	c := h.Outbox[i]
	fault(c.Sending == nil || c.Sending.Seq != msg.Seq, "nobody reserved it: %+v", c.Sending)
	for _, s := range c.Sends {
		fault(s.Seq < msg.Seq && s.State == handoff.SendWaiting && s.Attempts < 3, "%d waits still, after %d attempts", s.Seq, s.Attempts)
	}
}

// broken returns what was found, once.
func (m *moody) broken() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.found
	m.found = nil
	return found
}

// sendAgain is an operator's replay, of one notice or all.
func (w *walk) sendAgain() error {
	id, ok := oneOf(w, w.ids)
	if !ok {
		return nil
	}
	seq := w.rng.IntN(4)
	w.say(" %s %d", id, seq)
	_, err := w.procs[0].Replay(w.t.Context(), id, seq, pick(w, "", hookA, hookB))
	return err
}

// toldFaults are the rules of the outbox that a change breaks.
func toldFaults(was, is handoff.Handoff) []string {
	var found []string
	fault := func(bad bool, format string, args ...any) {
		if bad {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	fault(len(is.Notices) > handoff.MaxNotices, "%d notices", len(is.Notices))
	reached := 0
	for _, e := range is.Events {
		if _, err := handoff.ParseStatus(string(e.Type)); err == nil {
			reached++
		}
	}
	fault(len(is.Outbox) > 0 && len(is.Notices) != min(reached, handoff.MaxNotices), "%d statuses reached, and %d notices", reached, len(is.Notices))
	last := 0
	for _, n := range is.Notices {
		fault(n.Seq <= last || n.Seq > is.Seq, "notice %d after %d, with %d events", n.Seq, last, is.Seq)
		last = n.Seq
		if n.Seq <= len(is.Events) && n.Seq > 0 {
			e := is.Events[n.Seq-1]
			fault(string(e.Type) != string(n.Status) || !e.At.Equal(n.At), "event %+v has the notice %+v", e, n)
		}
	}
	fault(len(was.Outbox) > 0 && len(was.Outbox) != len(is.Outbox), "%d channels became %d", len(was.Outbox), len(is.Outbox))
	for i, c := range is.Outbox {
		fault(i < len(was.Outbox) && was.Outbox[i].To != c.To, "channel %d became one to %s", i, c.To)
		seqs := func(yield func(int) bool) {
			for _, n := range is.Notices {
				if !yield(n.Seq) {
					return
				}
			}
		}
		fault(!slices.EqualFunc(c.Sends, slices.Collect(seqs), func(s handoff.Send, seq int) bool { return s.Seq == seq }), "the sends to %s are not those of the notices", c.To)
		due, waits := c.DueAt()
		fault(waits && is.DueAt().After(due), "due at %s, after the channel's %s", is.DueAt(), due)
		for _, s := range c.Sends {
			fault((s.State == handoff.SendWaiting) == s.Next.IsZero(), "to %s: %+v", c.To, s)
			fault(s.Attempts > 11, "to %s: %d attempts", c.To, s.Attempts)
			fault(s.State == handoff.SendDelivered && (s.Attempts == 0 || s.Again), "to %s: %+v", c.To, s)
			fault(c.Gone && s.State == handoff.SendWaiting, "to %s, which is gone: %+v", c.To, s)
		}
	}
	return found
}
