package boltstore

import (
	"bytes"
	"context"
	"fmt"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

// Create implements handoff.Store.
func (s *Store) Create(ctx context.Context, h handoff.Handoff) (others bool, err error) {
	rec, err := record.Marshal(h)
	if err != nil {
		return false, err
	}
	is := &stored{handoff: h, due: record.Time(h.DueAt())}
	err = s.write(ctx, func(w *writer) error {
		if w.records.Get([]byte(h.ID)) != nil {
			return handoff.Errorf(handoff.CodeConflict, "there is a handoff with this id already")
		}
		of := instancePrefix(h.Partner, h.Instance)
		first, _ := w.instances.Cursor().Seek(of)
		others = bytes.HasPrefix(first, of)
		if err := w.replace(h.ID, nil, is, rec); err != nil {
			return err
		}
		s.known.Remember(rec, h)
		return nil
	})
	return others, err
}

// Update implements handoff.Store. fn runs in the goroutine that commits, one at
// a time for the whole store, so it should be quick; a panic in it is passed on
// to the caller. A context that ends while Update waits for its turn ends it;
// one that ends later does not, and the update is saved.
func (s *Store) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	var saw, saved handoff.Handoff
	err := s.write(ctx, func(w *writer) error {
		value := w.records.Get([]byte(id))
		if value == nil {
			return notFound()
		}
		due, rec, err := split(value)
		if err != nil {
			return fmt.Errorf("reading handoff %s: %w", id, err)
		}
		was, _, err := s.known.Unmarshal(id, rec)
		if err != nil {
			return fmt.Errorf("reading handoff %s: %w", id, err)
		}
		saw = was
		next, err := fn(was)
		if err != nil {
			return err
		}
		if next.ID != id {
			return handoff.Errorf(handoff.CodeInternal, "an update may not change the id of a handoff")
		}
		nextRec, err := record.Rewrite(rec, next)
		if err != nil {
			return err
		}
		nextDue := record.Time(next.DueAt())
		if !bytes.Equal(rec, nextRec) || !bytes.Equal(due, nextDue) {
			if err := w.replace(id, &stored{was, due}, &stored{next, nextDue}, nextRec); err != nil {
				return err
			}
			s.known.Remember(nextRec, next)
		}
		saved = next
		return nil
	})
	if err != nil {
		return saw, err
	}
	return saved, nil
}

// Delete implements handoff.Store.
func (s *Store) Delete(ctx context.Context, id handoff.ID) error {
	return s.write(ctx, func(w *writer) error {
		value := w.records.Get([]byte(id))
		if value == nil {
			return nil
		}
		due, rec, err := split(value)
		if err != nil {
			return fmt.Errorf("reading handoff %s: %w", id, err)
		}
		was, _, err := s.known.Unmarshal(id, rec)
		if err != nil {
			return fmt.Errorf("reading handoff %s: %w", id, err)
		}
		return w.replace(id, &stored{was, due}, nil, nil)
	})
}
