package redislive_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/live"
	"github.com/handoff-portal/handoff/internal/live/redislive"
	"github.com/handoff-portal/handoff/internal/redistest"
	"github.com/handoff-portal/handoff/internal/store/redisstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

// process is one of those that share a Redis.
type process struct {
	store *redisstore.Store
	hub   *live.Hub
}

func newProcess(t *testing.T, addr, prefix string) *process {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	p := &process{store: redisstore.New(client, redisstore.Options{Prefix: prefix}), hub: live.New()}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		redislive.New(client, p.store.Channel(), p.store, p.hub, slog.New(slog.NewTextHandler(t.Output(), nil))).Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-done; client.Close() })
	return p
}

func (p *process) change(t *testing.T, id handoff.ID) handoff.Handoff {
	t.Helper()
	for {
		h, err := p.store.Update(t.Context(), id, func(h handoff.Handoff) (handoff.Handoff, error) {
			h.Seq++
			h.Events = append(slices.Clone(h.Events), handoff.Event{Seq: h.Seq, Type: handoff.EventExtended, At: h.CreatedAt})
			return h, nil
		})
		if err == nil {
			return h
		}
		if handoff.CodeOf(err) != handoff.CodeStoreUnavailable {
			t.Fatalf("Update: %v", err)
		}
	}
}

// await waits until a follower hears of seq, and fails if it hears something older
// than before.
func await(t *testing.T, updates <-chan handoff.Handoff, seq int) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for last := 0; ; {
		select {
		case h := <-updates:
			if h.Seq < last {
				t.Errorf("a follower heard of seq %d after %d", h.Seq, last)
			}
			if last = h.Seq; last >= seq {
				return
			}
		case <-limit:
			t.Fatalf("a follower never heard of seq %d; the last was %d", seq, last)
		}
	}
}

// subscribed waits until a process hears what another changes.
func subscribed(t *testing.T, from, to *process, id handoff.ID) <-chan handoff.Handoff {
	t.Helper()
	updates, stop := to.hub.Subscribe(id)
	t.Cleanup(stop)
	await(t, updates, from.change(t, id).Seq)
	return updates
}

func TestOtherProcessesHear(t *testing.T) {
	addr, prefix := redistest.Address(t), redistest.Prefix()
	one, two := newProcess(t, addr, prefix), newProcess(t, addr, prefix)
	h := storetest.Handoff(1)
	if _, err := one.store.Create(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	updates := subscribed(t, one, two, h.ID)
	for range 20 {
		await(t, updates, one.change(t, h.ID).Seq)
	}
}

// What changes while a process hears nothing, because Redis was restarted or the
// connection was cut, reaches its followers once it listens again, without another
// change.
func TestResumes(t *testing.T) {
	server := redistest.Start(t, redistest.Durable()...)
	one, two := newProcess(t, server.Addr, "handoff"), newProcess(t, server.Addr, "handoff")
	h := storetest.Handoff(1)
	if _, err := one.store.Create(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	updates := subscribed(t, one, two, h.ID)
	direct := server.Client()
	for name, lose := range map[string]func(){
		"restart": func() { server.Kill(); server.Run() },
		"cut": func() {
			if err := direct.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		lose()
		seq := one.change(t, h.ID).Seq // most likely before two listens again
		t.Log(name, seq)
		await(t, updates, seq)
	}
}
