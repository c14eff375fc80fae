package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

// A pointer leads from a key to a handoff: its id, an @, and Redis's time in
// milliseconds when it was written. It is written before the record that holds the
// key, so one without such a record may belong to a process that is about to write
// it. That process gives up after reserveTime, by Redis's clock, whatever it went
// through meanwhile; after twice that and more the pointer is there for the taking.
const (
	reserveTime = 5 * time.Second
	staleTime   = 15 * time.Second
)

// owner is the handoff that a pointer leads to.
func owner(pointer string) handoff.ID {
	id, _, _ := strings.Cut(pointer, "@")
	return handoff.ID(id)
}

func writtenAt(pointer string) (ms int64) {
	_, at, _ := strings.Cut(pointer, "@")
	ms, _ = strconv.ParseInt(at, 10, 64) // zero: it is stale
	return ms
}

// reservation is what a call wrote before the record it is for.
type reservation struct {
	store    *Store
	id       handoff.ID
	pointers map[handoff.Key]string
	lists    map[string]string // the entry in each
	deadline int64             // Redis's time in ms until which the record may be written; 0: any time
}

func (s *Store) newReservation(id handoff.ID) *reservation {
	return &reservation{store: s, id: id, pointers: make(map[handoff.Key]string), lists: make(map[string]string)}
}

// reserve makes keys and lists lead to the handoff, for so long. CodeConflict if a
// key is another's. It lasts by itself: the record that follows may be saved by
// another master.
func (r *reservation) reserve(ctx context.Context, keys []handoff.Key, lists []string, place string, ttl time.Duration) error {
	s := r.store
	calls := make([]call, 0, len(keys)+len(lists))
	for _, k := range keys {
		calls = append(calls, call{s.script.reserve, []string{s.keyKey(k)}, []any{string(r.id), ttl.Milliseconds(), ""}})
	}
	for _, l := range lists {
		calls = append(calls, call{s.script.enlist, []string{l}, []any{place, ttl.Milliseconds()}})
		r.lists[l] = place
	}
	if len(calls) == 0 {
		return nil
	}
	answers, err := s.run(ctx, true, calls...)
	if err != nil {
		return err
	}
	for i, k := range keys {
		at, there, err := reserved(answers[i])
		if err != nil {
			return err
		}
		if there != "" {
			if at, err = r.takeOver(ctx, k, there, at, ttl); err != nil {
				return err
			}
		}
		r.pointers[k] = string(r.id) + "@" + strconv.FormatInt(at, 10)
		if until := at + reserveTime.Milliseconds(); r.deadline == 0 || until < r.deadline {
			r.deadline = until
		}
	}
	return nil
}

// takeOver takes a key whose pointer leads to another handoff, if that has let go
// of it.
func (r *reservation) takeOver(ctx context.Context, k handoff.Key, pointer string, at int64, ttl time.Duration) (int64, error) {
	s := r.store
	taken := handoff.Errorf(handoff.CodeConflict, "a key belongs to another handoff")
	var raw *redis.StringCmd
	switch err := s.ask(ctx, func(p redis.Pipeliner) { raw = p.HGet(ctx, s.recordKey(owner(pointer)), fieldRecord) }); {
	case isNil(err):
		if at-writtenAt(pointer) < staleTime.Milliseconds() {
			return 0, taken // its record is on the way, perhaps
		}
	case err != nil:
		return 0, fault(ctx, err)
	default:
		h, err := record.Unmarshal([]byte(raw.Val()))
		if err != nil {
			return 0, err
		}
		if slices.Contains(h.Keys(), k) || at-writtenAt(pointer) < staleTime.Milliseconds() {
			return 0, taken
		}
	}
	answers, err := s.run(ctx, true, call{s.script.reserve, []string{s.keyKey(k)}, []any{string(r.id), ttl.Milliseconds(), pointer}})
	if err != nil {
		return 0, err
	}
	at, there, err := reserved(answers[0])
	if err == nil && there != "" {
		err = taken
	}
	return at, err
}

// reserved reads the answer of the script reserve.
func reserved(answer any) (at int64, there string, err error) {
	parts, ok := answer.([]any)
	if !ok || len(parts) != 2 {
		return 0, "", fmt.Errorf("reserving a key: redis answers %v", answer)
	}
	text, _ := parts[0].(string)
	there, _ = parts[1].(string)
	if at, err = strconv.ParseInt(text, 10, 64); err != nil {
		return 0, "", fmt.Errorf("reserving a key: %w", err)
	}
	return at, there, nil
}

// release takes back what was reserved and is not in h, as far as nobody has
// taken it since. It is a kindness: what stays leads nowhere, and expires.
func (r *reservation) release(ctx context.Context, kept *handoff.Handoff) {
	s := r.store
	var calls []call
	var keys []handoff.Key
	var lists []string
	if kept != nil {
		keys, lists = kept.Keys(), s.places(*kept)
	}
	for k, pointer := range r.pointers {
		if !slices.Contains(keys, k) {
			calls = append(calls, call{s.script.release, []string{s.keyKey(k)}, []any{pointer}})
		}
	}
	for l, place := range r.lists {
		if !slices.Contains(lists, l) || place != string(record.Place(*kept)) {
			calls = append(calls, call{s.script.strikeOut, []string{l}, []any{place}})
		}
	}
	if len(calls) > 0 {
		_, _ = s.run(ctx, false, calls...)
	}
}

// letGo makes keys and lists lead to a handoff no more: those of was that are not
// of is.
func (s *Store) letGo(ctx context.Context, was, is handoff.Handoff) {
	var calls []call
	keys, lists := is.Keys(), s.places(is)
	for _, k := range was.Keys() {
		if is.ID == "" || !slices.Contains(keys, k) {
			calls = append(calls, call{s.script.release, []string{s.keyKey(k)}, []any{string(was.ID) + "@"}})
		}
	}
	place := string(record.Place(was))
	for _, l := range s.places(was) {
		if is.ID == "" || !slices.Contains(lists, l) || place != string(record.Place(is)) {
			calls = append(calls, call{s.script.strikeOut, []string{l}, []any{place}})
		}
	}
	if len(calls) > 0 {
		_, _ = s.run(ctx, false, calls...)
	}
}
