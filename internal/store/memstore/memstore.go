// Package memstore keeps handoffs in memory, for tests and for trying the
// portal out. It forgets everything when the process ends.
package memstore

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

var _ handoff.Store = (*Store)(nil)

// Store keeps handoffs in memory. It keeps records as the other stores write
// them, so values never share memory, and what a record would lose is lost here
// too. Due and List look at every handoff there is, but for a List of one
// instance's: it is for thousands, not for millions.
type Store struct {
	decoy []byte

	mu      sync.Mutex
	entries map[handoff.ID]entry       // guarded by mu
	keys    map[handoff.Key]handoff.ID // guarded by mu

	// instances are the handoffs of each instance, in no order. Guarded by mu.
	instances map[owned][]handoff.ID
}

// owned is an instance as a partner names it.
type owned struct {
	partner  handoff.PartnerID
	instance handoff.InstanceID
}

// entry is a record, and what is asked of it without decoding it.
type entry struct {
	record []byte // never written to
	keys   []handoff.Key
	owned  owned
	place  []byte
	due    time.Time
}

// New returns an empty store.
func New() *Store {
	return &Store{
		decoy: record.Decoy(), entries: make(map[handoff.ID]entry), keys: make(map[handoff.Key]handoff.ID),
		instances: make(map[owned][]handoff.ID),
	}
}

// Create implements handoff.Store.
func (s *Store) Create(ctx context.Context, h handoff.Handoff) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := record.Marshal(h)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.entries[h.ID]; taken {
		return handoff.Errorf(handoff.CodeConflict, "there is a handoff with this id already")
	}
	return s.put(h, b)
}

// Get implements handoff.Store.
func (s *Store) Get(ctx context.Context, id handoff.ID) (handoff.Handoff, error) {
	if err := ctx.Err(); err != nil {
		return handoff.Handoff{}, err
	}
	s.mu.Lock()
	e, ok := s.entries[id]
	s.mu.Unlock()
	return s.decode(e, ok)
}

// Lookup implements handoff.Store.
func (s *Store) Lookup(ctx context.Context, key handoff.Key) (handoff.Handoff, error) {
	if err := ctx.Err(); err != nil {
		return handoff.Handoff{}, err
	}
	s.mu.Lock()
	e, ok := s.entries[s.keys[key]]
	s.mu.Unlock()
	return s.decode(e, ok && slices.Contains(e.keys, key))
}

// decode decodes the decoy where there is no entry.
func (s *Store) decode(e entry, ok bool) (handoff.Handoff, error) {
	if !ok {
		e.record = s.decoy
	}
	h, err := record.Unmarshal(e.record)
	if err != nil {
		return handoff.Handoff{}, err
	}
	if !ok {
		return handoff.Handoff{}, notFound()
	}
	return h, nil
}

// Update implements handoff.Store. fn runs once, and no other call is served
// meanwhile.
func (s *Store) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	if err := ctx.Err(); err != nil {
		return handoff.Handoff{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[id]
	if !ok {
		return handoff.Handoff{}, notFound()
	}
	h, err := record.Unmarshal(e.record)
	if err != nil {
		return handoff.Handoff{}, err
	}
	next, err := fn(h)
	if err != nil {
		return h, err
	}
	if next.ID != id {
		return h, handoff.Errorf(handoff.CodeInternal, "an update may not change the id of a handoff")
	}
	b, err := record.Marshal(next)
	if err != nil {
		return h, err
	}
	if err := s.put(next, b); err != nil {
		return h, err
	}
	return next, nil
}

// put saves h under all its keys in place of what was there. s.mu is held.
func (s *Store) put(h handoff.Handoff, b []byte) error {
	keys := h.Keys()
	for _, k := range keys {
		if owner, taken := s.keys[k]; taken && owner != h.ID {
			return handoff.Errorf(handoff.CodeConflict, "a key belongs to another handoff")
		}
	}
	s.remove(h.ID)
	for _, k := range keys {
		s.keys[k] = h.ID
	}
	of := owned{h.Partner, h.Instance}
	s.instances[of] = append(s.instances[of], h.ID)
	s.entries[h.ID] = entry{record: b, keys: keys, owned: of, place: record.Place(h), due: h.DueAt()}
	return nil
}

// remove takes out the handoff with this ID, if there is one. s.mu is held.
func (s *Store) remove(id handoff.ID) {
	e, ok := s.entries[id]
	if !ok {
		return
	}
	for _, k := range e.keys {
		delete(s.keys, k)
	}
	left := slices.DeleteFunc(s.instances[e.owned], func(other handoff.ID) bool { return other == id })
	if s.instances[e.owned] = left; len(left) == 0 {
		delete(s.instances, e.owned)
	}
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
	var found []entry
	s.mu.Lock()
	ids := maps.Keys(s.entries)
	if q.Instance != "" {
		ids = slices.Values(s.instances[owned{q.Partner, q.Instance}])
	}
	for id := range ids {
		if e := s.entries[id]; e.owned.partner == q.Partner && bytes.Compare(e.place, after) > 0 {
			found = append(found, e)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b entry) int { return bytes.Compare(a.place, b.place) })
	return record.Collect(q, func(yield func(place, rec []byte) bool) {
		for _, e := range found {
			if !yield(e.place, e.record) {
				return
			}
		}
	})
}

// Due implements handoff.Store.
func (s *Store) Due(ctx context.Context, t time.Time, limit int) ([]handoff.ID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.DeleteFunc(slices.Collect(maps.Keys(s.entries)), func(id handoff.ID) bool {
		return s.entries[id].due.After(t)
	})
	slices.SortFunc(ids, func(a, b handoff.ID) int {
		return cmp.Or(s.entries[a].due.Compare(s.entries[b].due), cmp.Compare(a, b))
	})
	return ids[:min(len(ids), max(limit, 0))], nil
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
