package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

// changes is how often an update is made on what another process left meanwhile.
const changes = 50

// How much longer than it can be of use a handoff stays in Redis when no worker
// takes it away: so that a portal that was off for a while finds all it had, and
// one that was given up leaves nothing. An update renews it in time.
const (
	spare      = 30 * 24 * time.Hour
	leastSpare = spare / 2
	// outboxTime is how long webhooks are tried after an end.
	outboxTime = 4 * 24 * time.Hour
)

// useful is when h can be of no more use, at the latest.
func useful(h handoff.Handoff, now time.Time) time.Time {
	last := now
	for _, t := range []time.Time{h.Deadline, h.EndedAt} {
		if t.After(last) {
			last = t
		}
	}
	return last.Add(h.Terms.CompleteWithin + max(h.Terms.Retain, outboxTime))
}

// saving is a change on its way to Redis.
type saving struct {
	stamp    string
	record   []byte
	due      string
	until    int64 // Unix time in seconds
	deadline int64
	announce bool
}

// save asks a script, create or update, to save a record.
func (s *Store) save(script *redis.Script, id handoff.ID, seen string, w saving) call {
	channel := ""
	if w.announce {
		channel = s.Channel()
	}
	return call{script, []string{s.recordKey(id), s.dueKey(s.shard(id))}, []any{
		seen, w.stamp, string(id), w.record, w.due, w.until, max(time.Until(time.Unix(w.until, 0)), time.Hour).Milliseconds(),
		strconv.FormatInt(w.deadline, 10), channel,
	}}
}

// saved reads the answer of such a script.
func saved(answer any) (said string, fields []any) {
	parts, _ := answer.([]any)
	if len(parts) > 0 {
		said, _ = parts[0].(string)
	}
	if len(parts) > 1 {
		fields, _ = parts[1].([]any)
	}
	return said, fields
}

var errLate = errors.New("the keys were reserved too long ago")

// Create implements handoff.Store. The others of the instance are counted in the
// round trip that saves, right after it; in a Cluster their list may be on another
// server, and there are taken to be some.
func (s *Store) Create(ctx context.Context, h handoff.Handoff) (others bool, err error) {
	rec, err := record.Marshal(h)
	if err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	ctx, cancel := finishing(ctx)
	defer cancel()
	now := time.Now()
	until := useful(h, now).Add(spare)
	r := s.newReservation(h.ID)
	if err := r.reserve(ctx, h.Keys(), s.places(h), string(record.Place(h)), until.Sub(now)); err != nil {
		s.undo(ctx, r)
		return false, err
	}
	calls := []call{s.save(s.script.create, h.ID, "", saving{
		stamp: newStamp(), record: rec, due: string(record.Time(h.DueAt())), until: until.Unix(), deadline: r.deadline,
	})}
	if !s.clustered() {
		calls = append(calls, call{s.script.count, []string{s.instanceKey(h.Partner, h.Instance)}, nil})
	}
	answers, err := s.run(ctx, true, calls...)
	if err != nil {
		return false, err // it may be there, so what leads to it stays
	}
	said, _ := saved(answers[0])
	if said == saidDone {
		s.known.Remember(rec, h)
		return s.clustered() || answers[1] != int64(1), nil
	}
	s.undo(ctx, r)
	if said == saidLate {
		return false, unavailable(errLate)
	}
	return false, handoff.Errorf(handoff.CodeConflict, "there is a handoff with this id already")
}

// undo takes back what a refused Create reserved, but for what is of a handoff
// that has the id already.
func (s *Store) undo(ctx context.Context, r *reservation) {
	switch there, err := s.read(ctx, r.id); {
	case err == nil:
		r.release(ctx, &there.handoff)
	case handoff.CodeOf(err) == handoff.CodeNotFound:
		r.release(ctx, nil)
	}
}

// finishing is a context for what is finished once it has begun: its outcome
// matters, whether or not the caller is still there.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.WithoutCancel(ctx), callTime, errSlow)
}

// Update implements handoff.Store. A context that ends before fn has run ends it;
// one that ends later does not, and the update is saved.
func (s *Store) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	ctx, cancel, err := begin(ctx)
	if err != nil {
		return handoff.Handoff{}, err
	}
	defer cancel()
	done, err := s.turns.take(ctx, id)
	if err != nil {
		return handoff.Handoff{}, err
	}
	defer done()
	was, err := s.read(ctx, id)
	if err != nil {
		return handoff.Handoff{}, err
	}
	ctx, cancel = finishing(ctx)
	defer cancel()
	stamp, r := newStamp(), s.newReservation(id)
	for try := range changes {
		next, err := fn(was.handoff)
		if err == nil && next.ID != id {
			err = handoff.Errorf(handoff.CodeInternal, "an update may not change the id of a handoff")
		}
		if err != nil {
			r.release(ctx, &was.handoff)
			return was.handoff, err
		}
		other, err := s.change(ctx, r, was, next, stamp)
		switch {
		case err != nil:
			return was.handoff, err
		case other == nil:
			return next, nil
		}
		was = *other
		// Processes that want the same handoff would meet again at the same pace.
		wait := time.Duration(rand.Int64N(int64(min(try+1, 20)))) * time.Millisecond //nolint:gosec // spreads load, guards nothing
		if err := pause(ctx, wait); err != nil {
			return was.handoff, fault(ctx, err)
		}
	}
	return was.handoff, unavailable(errContended)
}

var errContended = errors.New("others change the handoff all the time")

// change saves next in place of was. If another process was quicker, it returns
// what that one left, and has saved nothing.
func (s *Store) change(ctx context.Context, r *reservation, was held, next handoff.Handoff, stamp string) (other *held, err error) {
	rec, err := record.Rewrite([]byte(was.record), next)
	if err != nil {
		r.release(ctx, &was.handoff)
		return nil, err
	}
	w := saving{
		stamp: stamp, record: rec, due: string(record.Time(next.DueAt())), until: was.until, announce: next.Seq != was.handoff.Seq,
	}
	if string(rec) == was.record && w.due == was.due {
		r.release(ctx, &was.handoff)
		return nil, nil //nolint:nilnil // saved as it is, and nobody came in between
	}
	if err := s.prepare(ctx, r, was, next, &w); err != nil {
		if handoff.CodeOf(err) == handoff.CodeConflict {
			r.release(ctx, &was.handoff)
		}
		return nil, err
	}
	answers, err := s.run(ctx, true, s.save(s.script.update, next.ID, was.stamp, w))
	if err != nil {
		return nil, err // it may be saved, so what leads to it stays
	}
	switch said, fields := saved(answers[0]); said {
	case saidDone:
		s.known.Remember(rec, next)
		r.release(ctx, &next)
		s.letGo(ctx, was.handoff, next)
		return nil, nil //nolint:nilnil // saved, and nobody came in between
	case saidTaken:
		found, err := s.decode(next.ID, fields)
		return &found, err
	case saidGone:
		r.release(ctx, nil)
		return nil, notFound()
	case saidLate:
		return nil, unavailable(errLate)
	}
	return nil, fmt.Errorf("saving handoff %s: redis answers %v", next.ID, answers[0])
}

// prepare makes lead to next what did not lead to was, and all of it for longer
// if its time has grown.
func (s *Store) prepare(ctx context.Context, r *reservation, was held, next handoff.Handoff, w *saving) error {
	now := time.Now()
	keys, lists := added(was.handoff.Keys(), next.Keys()), added(s.places(was.handoff), s.places(next))
	place := string(record.Place(next))
	if place != string(record.Place(was.handoff)) {
		lists = s.places(next)
	}
	if end := useful(next, now); end.Add(leastSpare).Unix() > was.until {
		w.until = end.Add(spare).Unix()
		keys, lists = next.Keys(), s.places(next)
	}
	if err := r.reserve(ctx, keys, lists, place, time.Until(time.Unix(w.until, 0))); err != nil {
		return err
	}
	w.deadline = r.deadline
	return nil
}

// added are those of is that are not of was.
func added[T comparable](was, is []T) []T {
	old := make(map[T]bool, len(was))
	for _, x := range was {
		old[x] = true
	}
	var out []T
	for _, x := range is {
		if !old[x] {
			out = append(out, x)
		}
	}
	return out
}

// Delete implements handoff.Store.
func (s *Store) Delete(ctx context.Context, id handoff.ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := finishing(ctx)
	defer cancel()
	was, err := s.read(ctx, id)
	if handoff.CodeOf(err) == handoff.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := s.run(ctx, true, call{s.script.remove, []string{s.recordKey(id), s.dueKey(s.shard(id))}, []any{string(id)}}); err != nil {
		return err
	}
	s.letGo(ctx, was.handoff, handoff.Handoff{})
	return nil
}
