package redisstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

// entry is a place of a list and the record there, if there is one.
type entry struct {
	place, record string
}

// List implements handoff.Store. A query for an instance reads its list, any other
// one the partner's; status and reference are checked record by record,
// record.MaxExamined of them for one page. A page may therefore be short, even
// empty, and still have a next one.
func (s *Store) List(ctx context.Context, q handoff.Query) (handoff.Page, error) {
	after, err := record.Start(q)
	if err != nil {
		return handoff.Page{}, err
	}
	ctx, cancel, err := begin(ctx)
	if err != nil {
		return handoff.Page{}, err
	}
	defer cancel()
	list := s.partnerKey(q.Partner)
	if q.Instance != "" {
		list = s.instanceKey(q.Partner, q.Instance)
	}
	from := "-"
	if len(after) > 0 {
		from = "(" + string(after)
	}
	var failed error
	page, err := s.known.Collect(q, func(yield func(place, rec []byte) bool) {
		// The first lot is what fills a page without a filter, and tells of a next.
		for count := int64(q.Limit) + 1; ; count = 250 {
			var lot []entry
			if lot, failed = s.entries(ctx, list, from, count); failed != nil {
				return
			}
			for _, e := range lot {
				var rec []byte
				if e.record != "" {
					rec = []byte(e.record)
				}
				if !yield([]byte(e.place), rec) {
					return
				}
			}
			if int64(len(lot)) < count {
				return
			}
			from = "(" + lot[len(lot)-1].place
		}
	})
	if failed != nil {
		return handoff.Page{}, failed
	}
	return page, err
}

// entries are the next count of a list, with their records. One without a record
// stays, since the record may be on its way: it goes with the whole list, which
// expires once nothing has been added for a month beyond the longest time.
func (s *Store) entries(ctx context.Context, list, from string, count int64) ([]entry, error) {
	var places *redis.StringSliceCmd
	err := s.ask(ctx, func(p redis.Pipeliner) {
		places = p.ZRangeByLex(ctx, list, &redis.ZRangeBy{Min: from, Max: "+", Count: count})
	})
	if err != nil {
		return nil, fault(ctx, err)
	}
	if len(places.Val()) == 0 {
		return nil, nil
	}
	found := make([]*redis.StringCmd, len(places.Val()))
	err = s.ask(ctx, func(p redis.Pipeliner) {
		for i, place := range places.Val() {
			found[i] = p.HGet(ctx, s.recordKey(idAt(place)), fieldRecord)
		}
	})
	if err != nil && !isNil(err) {
		return nil, fault(ctx, err)
	}
	lot := make([]entry, len(places.Val()))
	for i, place := range places.Val() {
		lot[i].place = place
		if lot[i].record, err = found[i].Result(); err != nil && !isNil(err) {
			return nil, fault(ctx, err)
		}
	}
	return lot, nil
}

// idAt is the handoff at a place of a list, or of the index of what is due.
func idAt(place string) handoff.ID {
	return handoff.ID(place[min(record.TimeSize, len(place)):])
}

// Due implements handoff.Store.
func (s *Store) Due(ctx context.Context, t time.Time, limit int) ([]handoff.ID, error) {
	ctx, cancel, err := begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	if limit < 1 {
		return nil, nil
	}
	last := "[" + string(record.Time(t)) + "\xff" // after every id at that time
	of := make([]*redis.StringSliceCmd, shards)
	err = s.ask(ctx, func(p redis.Pipeliner) {
		for n := range of {
			of[n] = p.ZRangeByLex(ctx, s.dueKey(n), &redis.ZRangeBy{Min: "-", Max: last, Count: int64(limit)})
		}
	})
	if err != nil {
		return nil, fault(ctx, err)
	}
	var due []string
	for _, one := range of {
		due = append(due, one.Val()...)
	}
	slices.SortFunc(due, cmp.Compare[string])
	return s.living(ctx, due[:min(len(due), limit)])
}

// living are the handoffs of entries of the index. One that has expired is struck
// out.
func (s *Store) living(ctx context.Context, due []string) ([]handoff.ID, error) {
	if len(due) == 0 {
		return nil, nil
	}
	there := make([]*redis.IntCmd, len(due))
	err := s.ask(ctx, func(p redis.Pipeliner) {
		for i, e := range due {
			there[i] = p.Exists(ctx, s.recordKey(idAt(e)))
		}
	})
	if err != nil {
		return nil, fault(ctx, err)
	}
	ids := make([]handoff.ID, 0, len(due))
	for i, e := range due {
		id := idAt(e)
		if there[i].Val() == 1 {
			ids = append(ids, id)
			continue
		}
		if _, err := s.run(ctx, false, call{s.script.forget, []string{s.recordKey(id), s.dueKey(s.shard(id))}, []any{e}}); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// clustered reports whether keys are spread over several masters.
func (s *Store) clustered() bool {
	_, ok := s.client.(*redis.ClusterClient)
	return ok
}
