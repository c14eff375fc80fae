package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/handoff-portal/handoff/internal/config"
	"github.com/handoff-portal/handoff/internal/limit"
	"github.com/handoff-portal/handoff/internal/limit/redislimit"
	"github.com/handoff-portal/handoff/internal/live/redislive"
	"github.com/handoff-portal/handoff/internal/store/redisstore"
	"github.com/handoff-portal/handoff/internal/store/sentinel"
	"github.com/handoff-portal/handoff/web"
)

// How long the parts of a call of Redis may take; the store bounds the whole.
const (
	redisDial  = time.Second
	redisReply = 3 * time.Second
	redisPool  = 64 // connections; more than that many callers wait for one
)

// openRedis opens a store that several processes share, with what counts and
// tells for all of them. A Redis that does not answer yet is no fault, or one that
// restarts would keep every process down; one that refuses us is.
func openRedis(ctx context.Context, c *config.Redis, log *slog.Logger) (shared, error) {
	o := &redis.UniversalOptions{
		Addrs: c.Addrs, MasterName: c.Master, IsClusterMode: c.Cluster, DB: c.DB,
		Username: c.Username, Password: c.Password.Reveal(),
		SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword.Reveal(),
		ClientName: "handoff", DisableIdentity: true, ContextTimeoutEnabled: true,
		DialTimeout: redisDial, DialerRetries: 1, ReadTimeout: redisReply, WriteTimeout: redisReply, PoolTimeout: redisReply,
		PoolSize: redisPool, MinIdleConns: 2, ConnMaxIdleTime: time.Minute,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if c.TLS {
		o.TLSConfig = &tls.Config{RootCAs: c.CA, MinVersion: tls.VersionTLS12}
	}
	client := redis.NewUniversalClient(o)
	closeAll := client.Close
	var so redisstore.Options
	if c.Master != "" {
		so.Sentinels = sentinel.NewGroup(o.Failover(), time.Now)
		closeAll = func() error { return errors.Join(client.Close(), so.Sentinels.Close()) }
	}
	store := redisstore.New(client, so)
	doubts, err := store.Prepare(ctx)
	switch {
	case redisstore.Refused(err):
		return shared{}, errors.Join(fmt.Errorf("opening the store: %w", err), closeAll())
	case err != nil:
		log.WarnContext(ctx, "store_not_answering", "error", err)
	}
	for _, d := range doubts {
		log.WarnContext(ctx, "store_settings", "warning", d)
	}
	return shared{
		store: store, close: closeAll,
		relay: func(ctx context.Context, hub redislive.Hub) {
			redislive.New(client, store.Channel(), store, hub, log).Run(ctx)
		},
		limiter: func(r limit.Rates) (web.Limiter, error) { return redislimit.New(client, redisPrefix, r) },
	}, nil
}

// redisPrefix begins the keys of what is counted, as it does the store's.
const redisPrefix = "handoff"

// redisLog passes on what go-redis has to say, which names addresses and no values:
// a line a second, since without Redis it says the same at every attempt.
type redisLog struct {
	log  *slog.Logger
	last *atomic.Int64 // Unix time of the last line
}

// Printf implements the library's logger.
func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	now, last := time.Now().Unix(), l.last.Load()
	if now > last && l.last.CompareAndSwap(last, now) {
		l.log.WarnContext(ctx, "redis", "message", fmt.Sprintf(format, v...))
	}
}
