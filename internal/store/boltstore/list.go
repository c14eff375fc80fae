package boltstore

import (
	"bytes"
	"context"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

// List implements handoff.Store. A query for an instance reads its index, any
// other one the partner's; status and reference are checked record by record,
// record.MaxExamined of them for one page. A page may therefore be short, even
// empty, and still have a next one.
func (s *Store) List(ctx context.Context, q handoff.Query) (handoff.Page, error) {
	after, err := record.Start(q)
	if err != nil {
		return handoff.Page{}, err
	}
	var page handoff.Page
	err = s.view(ctx, func(r reader) error {
		name, prefix := partnerBucket, partnerPrefix(q.Partner)
		if q.Instance != "" {
			name, prefix = instanceBucket, instancePrefix(q.Partner, q.Instance)
		}
		var err error
		page, err = s.known.Collect(q, func(yield func(place, rec []byte) bool) {
			c := r.tx.Bucket([]byte(name)).Cursor()
			start := append(bytes.Clone(prefix), after...)
			k, _ := c.Seek(start)
			if len(after) > 0 && bytes.Equal(k, start) {
				k, _ = c.Next()
			}
			for ; bytes.HasPrefix(k, prefix); k, _ = c.Next() {
				place := k[len(prefix):]
				if !yield(place, r.record(place)) {
					return
				}
			}
		})
		return err
	})
	return page, err
}

// record returns the record at a place of a list, or nil.
func (r reader) record(place []byte) []byte {
	if len(place) < record.TimeSize {
		return nil
	}
	_, rec, err := split(r.records.Get(place[record.TimeSize:]))
	if err != nil {
		return nil
	}
	return rec
}

// Due implements handoff.Store.
func (s *Store) Due(ctx context.Context, t time.Time, limit int) ([]handoff.ID, error) {
	var ids []handoff.ID
	err := s.view(ctx, func(r reader) error {
		now := record.Time(t)
		c := r.tx.Bucket([]byte(dueBucket)).Cursor()
		for k, _ := c.First(); len(k) > record.TimeSize && len(ids) < limit; k, _ = c.Next() {
			due, id := k[:record.TimeSize], k[record.TimeSize:]
			if bytes.Compare(due, now) > 0 {
				break
			}
			if at, _, err := split(r.records.Get(id)); err == nil && bytes.Equal(at, due) {
				ids = append(ids, handoff.ID(id))
			}
		}
		return nil
	})
	return ids, err
}
