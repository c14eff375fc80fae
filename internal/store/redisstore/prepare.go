package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// format is the layout of what is in Redis. A program refuses one it does not
// know; what is inside a record has its own version.
const format = "1"

// ErrFormat says that a newer program laid out what is in Redis.
var ErrFormat = errors.New("redis holds handoffs in a layout that this program does not know: a newer one wrote them")

// Refused reports whether Redis answered, and refused: waiting changes nothing.
func Refused(err error) bool {
	if errors.Is(err, ErrFormat) {
		return true
	}
	for _, prefix := range []string{"WRONGPASS", "NOAUTH", "NOPERM", "ERR invalid password", "ERR DB index"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

// Prepare checks that the layout is known and that Redis lets us in. doubts are
// what of its settings loses handoffs; a Redis that does not tell its settings is
// not asked twice.
func (s *Store) Prepare(ctx context.Context) (doubts []string, err error) {
	ctx, cancel, err := begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	key := s.prefix + ":format"
	if err := s.client.SetNX(ctx, key, format, 0).Err(); err != nil && !readOnly(err) {
		return nil, fmt.Errorf("preparing the store: %w", err)
	}
	found, err := s.client.Get(ctx, key).Result()
	if err != nil && !isNil(err) {
		return nil, fmt.Errorf("preparing the store: %w", err)
	}
	if found != format && found != "" {
		return nil, ErrFormat
	}
	if s.sentinels != nil {
		doubts = append(doubts, s.sentinels.Doubts(ctx)...)
	}
	replicated := false
	if m, err := s.master(ctx, key); err == nil {
		if replicated, err = s.replicated(ctx, m, true); err != nil {
			return nil, fmt.Errorf("preparing the store: %w", err)
		}
	}
	if values, err := s.client.ConfigGet(ctx, "min-replicas-to-write").Result(); err == nil && replicated && values["min-replicas-to-write"] == "0" {
		doubts = append(doubts, "redis has replicas and min-replicas-to-write 0: "+
			"a master that has lost its replicas goes on alone, and what it acknowledges then is lost if another takes over")
	}
	for _, want := range []struct{ setting, value, otherwise string }{
		{"appendonly", "yes", "what is acknowledged is lost when Redis stops"},
		{"appendfsync", "always", "what was acknowledged in the last second is lost when Redis stops"},
		{"maxmemory-policy", "noeviction", "handoffs go when memory is short"},
	} {
		values, err := s.client.ConfigGet(ctx, want.setting).Result()
		if err != nil {
			return doubts, nil // managed services keep their settings to themselves
		}
		if got := values[want.setting]; got != want.value {
			doubts = append(doubts, fmt.Sprintf("redis has %s %q, and without %q %s", want.setting, got, want.value, want.otherwise))
		}
	}
	return doubts, nil
}

// readOnly: a replica that is about to become master, perhaps.
func readOnly(err error) bool { return redis.HasErrorPrefix(err, "READONLY") }
