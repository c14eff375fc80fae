// Package memstore keeps handoffs in memory, for tests and for trying the
// portal out. It forgets everything when the process ends.
package memstore

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

var _ handoff.Store = (*Store)(nil)

// Store keeps handoffs in memory, as the other stores would read them again: what a
// record would lose is lost here too. A List that is not of one instance's looks at
// every handoff there is: it is for thousands, not for millions.
type Store struct {
	mu      sync.RWMutex
	entries map[handoff.ID]*entry  // guarded by mu; an entry is not changed but for index
	keys    map[handoff.Key]*entry // guarded by mu
	due     queue                  // guarded by mu; all entries
	of      map[owned][]*entry     // guarded by mu; those of each instance, in no order
}

// owned is an instance as a partner names it.
type owned struct {
	partner  handoff.PartnerID
	instance handoff.InstanceID
}

// entry is a handoff, and what is asked of it often.
type entry struct {
	handoff handoff.Handoff
	keys    []handoff.Key
	place   []byte
	due     time.Time
	index   int // in the queue
}

func newEntry(h handoff.Handoff) *entry {
	h = record.Canonical(h)
	return &entry{handoff: h, keys: h.Keys(), place: record.Place(h), due: h.DueAt()}
}

func (e *entry) owned() owned { return owned{e.handoff.Partner, e.handoff.Instance} }

// New returns an empty store.
func New() *Store {
	return &Store{entries: make(map[handoff.ID]*entry), keys: make(map[handoff.Key]*entry), of: make(map[owned][]*entry)}
}

// Create implements handoff.Store.
func (s *Store) Create(ctx context.Context, h handoff.Handoff) (others bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	e := newEntry(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[h.ID] != nil {
		return false, handoff.Errorf(handoff.CodeConflict, "there is a handoff with this id already")
	}
	others = len(s.of[e.owned()]) > 0
	return others, s.put(e)
}

// Get implements handoff.Store.
func (s *Store) Get(ctx context.Context, id handoff.ID) (handoff.Handoff, error) {
	if err := ctx.Err(); err != nil {
		return handoff.Handoff{}, err
	}
	s.mu.RLock()
	e := s.entries[id]
	s.mu.RUnlock()
	return found(e)
}

// Lookup implements handoff.Store.
func (s *Store) Lookup(ctx context.Context, key handoff.Key) (handoff.Handoff, error) {
	if err := ctx.Err(); err != nil {
		return handoff.Handoff{}, err
	}
	s.mu.RLock()
	e := s.keys[key]
	s.mu.RUnlock()
	return found(e)
}

func found(e *entry) (handoff.Handoff, error) {
	if e == nil {
		return handoff.Handoff{}, notFound()
	}
	return e.handoff, nil
}

// Update implements handoff.Store. fn runs once, and no other call is served
// meanwhile.
func (s *Store) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	if err := ctx.Err(); err != nil {
		return handoff.Handoff{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	if e == nil {
		return handoff.Handoff{}, notFound()
	}
	next, err := fn(e.handoff)
	if err != nil {
		return e.handoff, err
	}
	if next.ID != id {
		return e.handoff, handoff.Errorf(handoff.CodeInternal, "an update may not change the id of a handoff")
	}
	if err := s.put(newEntry(next)); err != nil {
		return e.handoff, err
	}
	return next, nil
}

// put saves e under all its keys in place of what was there. s.mu is held.
func (s *Store) put(e *entry) error {
	for _, k := range e.keys {
		if other := s.keys[k]; other != nil && other.handoff.ID != e.handoff.ID {
			return handoff.Errorf(handoff.CodeConflict, "a key belongs to another handoff")
		}
	}
	s.remove(e.handoff.ID)
	for _, k := range e.keys {
		s.keys[k] = e
	}
	s.of[e.owned()] = append(s.of[e.owned()], e)
	s.entries[e.handoff.ID] = e
	heap.Push(&s.due, e)
	return nil
}

// remove takes out the handoff with this ID, if there is one. s.mu is held.
func (s *Store) remove(id handoff.ID) {
	e := s.entries[id]
	if e == nil {
		return
	}
	for _, k := range e.keys {
		delete(s.keys, k)
	}
	left := slices.DeleteFunc(s.of[e.owned()], func(other *entry) bool { return other == e })
	if s.of[e.owned()] = left; len(left) == 0 {
		delete(s.of, e.owned())
	}
	heap.Remove(&s.due, e.index)
	delete(s.entries, id)
}

// List implements handoff.Store.
func (s *Store) List(ctx context.Context, q handoff.Query) (handoff.Page, error) {
	if err := ctx.Err(); err != nil {
		return handoff.Page{}, err
	}
	after, err := record.Start(q)
	if err != nil {
		return handoff.Page{}, err
	}
	var all []*entry
	s.mu.RLock()
	if q.Instance != "" {
		all = slices.Clone(s.of[owned{q.Partner, q.Instance}])
	} else {
		for _, e := range s.entries {
			if e.handoff.Partner == q.Partner {
				all = append(all, e)
			}
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *entry) int { return bytes.Compare(a.place, b.place) })
	return record.Collect(q, func(yield func(place []byte, e *entry) bool) {
		for _, e := range all {
			if bytes.Compare(e.place, after) > 0 && !yield(e.place, e) {
				return
			}
		}
	}, func(_ []byte, e *entry) (handoff.Handoff, bool, error) { return e.handoff, true, nil })
}

// Due implements handoff.Store. In the queue, what is due later stands below what is
// due sooner: so what is not due hides all that is below it.
func (s *Store) Due(ctx context.Context, t time.Time, limit int) ([]handoff.ID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var due []*entry
	s.mu.RLock()
	for below := []int{0}; len(below) > 0; {
		i := below[len(below)-1]
		below = below[:len(below)-1]
		if i < len(s.due) && !s.due[i].due.After(t) {
			due = append(due, s.due[i])
			below = append(below, 2*i+1, 2*i+2)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(due, (*entry).compare)
	var ids []handoff.ID
	for _, e := range due[:min(len(due), max(limit, 0))] {
		ids = append(ids, e.handoff.ID)
	}
	return ids, nil
}

// Delete implements handoff.Store.
func (s *Store) Delete(ctx context.Context, id handoff.ID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(id)
	return nil
}

func notFound() error { return handoff.Errorf(handoff.CodeNotFound, "no such handoff") }

// queue is a heap of entries, the one that is due first on top.
type queue []*entry

// compare says which is due first.
func (e *entry) compare(o *entry) int {
	return cmp.Or(e.due.Compare(o.due), cmp.Compare(e.handoff.ID, o.handoff.ID))
}

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(i, j int) bool { return q[i].compare(q[j]) < 0 }

// Swap implements heap.Interface.
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	e := x.(*entry) //nolint:forcetypeassert,errcheck // nothing else is pushed
	e.index = len(*q)
	*q = append(*q, e)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}
