package handoff

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// How the post goes out.
const (
	// postSlots is how many messages one process sends to one endpoint at a time.
	postSlots = 16
	// postGrace is how long a message on its way may take once we are told to stop.
	postGrace = 3 * time.Second
	// putOffLeast and putOffMost bound how long a handoff waits for an endpoint
	// whose slots are taken before it asks again.
	putOffLeast, putOffMost = 250 * time.Millisecond, 30 * time.Second
	// holdMost is the longest that a receiver's Retry-After holds up the messages of
	// other handoffs.
	holdMost = 5 * time.Minute
)

// tell sends what of h is due. It returns once every attempt is reserved; they
// are made meanwhile, so that a slow receiver keeps nobody waiting but itself.
func (s *Service) tell(ctx context.Context, h Handoff) error {
	var faults []error
	for i := range h.Outbox {
		c := &h.Outbox[i]
		if due, ok := c.DueAt(); ok && !s.now().Before(due) {
			faults = append(faults, s.tellOne(ctx, h.ID, h.Partner, c.To))
		}
	}
	return errors.Join(faults...)
}

func (s *Service) tellOne(ctx context.Context, id ID, partner PartnerID, to EndpointID) error {
	g := s.post.gate(partner, to)
	if until := g.enter(s.now()); !until.IsZero() {
		_, err := s.update(ctx, id, func(h Handoff, now time.Time) (Handoff, error) { return h.PutOff(to, until, now) })
		return err
	}
	mine := HashOf(newCapability())
	h, err := s.update(ctx, id, func(h Handoff, now time.Time) (Handoff, error) { return h.BeginSend(to, mine, now) })
	m, ok := h.message(to, mine)
	if err != nil || !ok {
		g.leave(0, time.Time{})
		return err
	}
	s.post.sending.Go(func() {
		r := s.send(ctx, g, m)
		if !s.sent(ctx, m, mine, r) || ctx.Err() != nil {
			return
		}
		// The next one has waited for this one only.
		if err := s.tellOne(ctx, id, partner, to); err != nil && CodeOf(err) != CodeNotFound {
			s.log.ErrorContext(ctx, "worker_step_failed", "handoff", id, "error", err)
		}
	})
	return nil
}

// send makes one attempt, and gives its slot back. Being told to stop gives it
// postGrace and no more.
func (s *Service) send(ctx context.Context, g *gate, m Message) (r Receipt) {
	began := s.now()
	defer func() {
		now, hold := s.now(), time.Time{}
		if r.RetryAfter > 0 && !r.Delivered {
			hold = now.Add(min(r.RetryAfter, holdMost))
		}
		g.leave(now.Sub(began), hold)
	}()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), SendLease-5*time.Second)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		grace := time.AfterFunc(postGrace, cancel)
		context.AfterFunc(limit, func() { grace.Stop() })
	})()
	return s.post.deliverer.Deliver(limit, m)
}

// sent notes what came of an attempt, and reports whether another is due at once.
func (s *Service) sent(ctx context.Context, m Message, mine Hash, r Receipt) (more bool) {
	log := s.log.With("handoff", m.Handoff, "partner", m.Partner, "endpoint", m.To, "seq", m.Seq)
	ctx = context.WithoutCancel(ctx) // the receiver has it: say so, whoever is stopping
	h, err := s.update(ctx, m.Handoff, func(h Handoff, now time.Time) (Handoff, error) {
		return h.EndSend(m.To, mine, r, rand.Float64(), now) //nolint:gosec // spreads load, guards nothing
	})
	if err != nil {
		if CodeOf(err) != CodeNotFound {
			log.ErrorContext(ctx, "webhook_outcome_not_saved", "outcome", r.Outcome, "error", err)
		}
		return false
	}
	_, c := h.channel(m.To)
	switch done := c.send(m.Seq); {
	case r.Delivered:
		log.DebugContext(ctx, "webhook_delivered", "outcome", r.Outcome)
	case r.Interrupted || done == nil:
	case r.Gone:
		log.ErrorContext(ctx, "webhook_endpoint_gone", "outcome", r.Outcome)
	case done.State == SendFailed:
		log.ErrorContext(ctx, "webhook_given_up", "outcome", r.Outcome, "attempts", done.Attempts)
	default:
		log.WarnContext(ctx, "webhook_failed", "outcome", r.Outcome, "attempts", done.Attempts, "next", done.Next)
	}
	due, ok := c.DueAt()
	return ok && !s.now().Before(due)
}

// Replay sends notices of a handoff again: one, or with seq zero all that are
// kept; to one endpoint, or with to empty to all.
func (s *Service) Replay(ctx context.Context, id ID, seq int, to EndpointID) (Handoff, error) {
	return s.update(ctx, id, func(h Handoff, now time.Time) (Handoff, error) { return h.SendAgain(seq, to, now) })
}

// Find returns the handoff with this id, or with the reference that a person
// reads out, in letters of either case.
func (s *Service) Find(ctx context.Context, name string) (Handoff, error) {
	if id, err := ParseID(name); err == nil {
		return s.store.Get(ctx, id)
	}
	return s.store.Lookup(ctx, SupportKey(strings.ToUpper(name)))
}

// post is what one process has on its way.
type post struct {
	deliverer Deliverer
	sending   sync.WaitGroup // the attempts under way

	mu    sync.Mutex
	gates map[address]*gate // guarded by mu; as many as there are endpoints
}

// address is an endpoint of one partner: another's is another gate, even with
// the same URL.
type address struct {
	partner PartnerID
	to      EndpointID
}

func newPost(d Deliverer) *post { return &post{deliverer: d, gates: make(map[address]*gate)} }

func (p *post) gate(partner PartnerID, to EndpointID) *gate {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := address{partner, to}
	if p.gates[at] == nil {
		p.gates[at] = &gate{usual: time.Second}
	}
	return p.gates[at]
}

// gate bounds what is on its way to one endpoint. Who finds it closed gets an
// appointment, written into the handoff's record, so that thousands who wait for
// one broken receiver are not in the way of those who wait for none.
type gate struct {
	mu    sync.Mutex
	taken int           // guarded by mu
	hold  time.Time     // guarded by mu: the receiver wants nothing before
	usual time.Duration // guarded by mu: how long an attempt takes, about
	last  time.Time     // guarded by mu: the last appointment given
}

// enter takes a slot, to be given back by leave, or returns when to come again.
func (g *gate) enter(now time.Time) (until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	open := now
	if now.Before(g.hold) {
		open = g.hold
	} else if g.taken < postSlots {
		g.taken++
		return time.Time{}
	}
	if g.last.Before(open) {
		g.last = open
	}
	g.last = g.last.Add(g.usual / postSlots)
	if latest := open.Add(putOffMost); g.last.After(latest) {
		g.last = open.Add(putOffMost / 2) // the queue's end is far: spread what is left over
	}
	if soonest := now.Add(putOffLeast); g.last.Before(soonest) {
		return soonest
	}
	return g.last
}

// leave gives a slot back. took is how long the attempt lasted, zero if none was
// made; hold is until when the receiver wants nothing more.
func (g *gate) leave(took time.Duration, hold time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken--
	if took > 0 {
		g.usual += (took - g.usual) / 8
	}
	if hold.After(g.hold) {
		g.hold = hold
	}
}

// nobody is the Deliverer of a portal whose partners have no endpoints.
type nobody struct{}

// Endpoints implements Deliverer.
func (nobody) Endpoints(PartnerID) []EndpointID { return nil }

// Deliver implements Deliverer.
func (nobody) Deliver(context.Context, Message) Receipt {
	return Receipt{Outcome: "there is nobody to send it"}
}
