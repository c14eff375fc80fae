package redisstore_test

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/redistest"
	"github.com/handoff-portal/handoff/internal/store/redisstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

// connect returns a client of the server at an address, closed with the test.
func connect(t testing.TB, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { c.Close() })
	return c
}

func TestConformance(t *testing.T) {
	client := connect(t, redistest.Address(t))
	storetest.Run(t, func(*testing.T) handoff.Store {
		return redisstore.New(client, redisstore.Options{Prefix: redistest.Prefix()})
	})
}

func BenchmarkStore(b *testing.B) {
	client := connect(b, redistest.Start(b, redistest.Durable()...).Addr)
	storetest.Bench(b, func(*testing.B) handoff.Store {
		return redisstore.New(client, redisstore.Options{Prefix: redistest.Prefix()})
	})
}
