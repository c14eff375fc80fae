// Package redislive tells a process's open pages what other processes changed.
//
// The store tells a channel of Redis the id of each handoff in the moment its
// change is saved, so a process that dies after saving has told too. Each process
// listens on one connection, reads what somebody follows here, and passes it on to
// its hub, which drops what it has passed on already.
//
// A channel of Redis forgets: whoever was not listening has missed what was said.
// So after each new subscription all that is followed is read again.
package redislive

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Hub is where this process's pages follow handoffs.
type Hub interface {
	handoff.Notifier
	// Viewers is how many follow a handoff; Followed are those that anybody does.
	Viewers(id handoff.ID) int
	Followed() []handoff.ID
}

// Relay brings the changes of other processes to a hub.
type Relay struct {
	client  redis.UniversalClient
	channel string
	store   handoff.Store
	hub     Hub
	log     *slog.Logger

	mu     sync.Mutex
	unread map[handoff.ID]struct{} // guarded by mu: changed, and not read yet
	wake   chan struct{}           // holds one value while something is unread
}

// How the relay listens and reads.
const (
	checkEvery = time.Second // a silent connection is asked whether it lives
	checkTime  = 2 * time.Second
	backlog    = 1000
	readers    = 8
	againAfter = 250 * time.Millisecond // what could not be read
)

// New returns a relay; its work is done in Run. channel is the store's.
func New(client redis.UniversalClient, channel string, store handoff.Store, hub Hub, log *slog.Logger) *Relay {
	return &Relay{
		client: client, channel: channel, store: store, hub: hub, log: log,
		unread: make(map[handoff.ID]struct{}), wake: make(chan struct{}, 1),
	}
}

// Run listens until ctx ends. It outlives any loss of the connection.
func (r *Relay) Run(ctx context.Context) {
	var reading sync.WaitGroup
	defer reading.Wait()
	for range readers {
		reading.Go(func() { r.read(ctx) })
	}
	sub := r.client.Subscribe(ctx, r.channel)
	defer sub.Close()
	said := sub.ChannelWithSubscriptions(
		redis.WithChannelSize(backlog), redis.WithChannelHealthCheckInterval(checkEvery),
		redis.WithChannelPingTimeout(checkTime), redis.WithChannelReconnectTimeout(checkTime),
	)
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-said:
			if !ok {
				return
			}
			r.hear(ctx, m)
		}
	}
}

// hear notes what has to be read.
func (r *Relay) hear(ctx context.Context, m any) {
	switch m := m.(type) {
	case *redis.Subscription:
		followed := r.hub.Followed()
		r.log.DebugContext(ctx, "changes_followed_anew", "followed", len(followed))
		r.note(followed...)
	case *redis.Message:
		if id := handoff.ID(m.Payload); r.hub.Viewers(id) > 0 {
			r.note(id)
		}
	}
}

func (r *Relay) note(ids ...handoff.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		r.unread[id] = struct{}{}
	}
	r.rouse()
}

// rouse wakes a reader if there is anything to read. r.mu is held.
func (r *Relay) rouse() {
	if len(r.unread) == 0 {
		return
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// next takes one that is unread, and wakes another reader for the rest.
func (r *Relay) next() (id handoff.ID, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id = range r.unread {
		delete(r.unread, id)
		r.rouse()
		return id, true
	}
	return "", false
}

// read reads what was noted, and tells the hub.
func (r *Relay) read(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		id, ok := r.next()
		if !ok {
			continue
		}
		h, err := r.store.Get(ctx, id)
		switch {
		case err == nil:
			r.hub.Changed(h)
		case ctx.Err() != nil:
			return
		case handoff.CodeOf(err) != handoff.CodeNotFound: // a page must not be left behind
			r.log.WarnContext(ctx, "change_not_read", "handoff", id, "error", err)
			t := time.NewTimer(againAfter)
			select {
			case <-ctx.Done():
			case <-t.C:
			}
			t.Stop()
			r.note(id)
		}
	}
}
