package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/handoff-portal/handoff/web"
)

// shutdownLimit is how long open requests may take once we are told to stop.
const shutdownLimit = 18 * time.Second

// site is an address and what answers there.
type site struct {
	name    string // for the log
	ln      net.Listener
	handler http.Handler
	// onShutdown runs when the site stops taking requests: it ends streams,
	// which Shutdown would otherwise wait for.
	onShutdown func()
	last       bool // stops after the others
}

// listen opens a TCP address.
func listen(ctx context.Context, address string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	return ln, nil
}

// server returns an http.Server with the portal's timeouts, whatever the site.
func (s site) server(log *slog.Logger) *http.Server {
	srv := web.NewServer(s.handler, log.With("site", s.name))
	if s.onShutdown != nil {
		srv.RegisterOnShutdown(s.onShutdown)
	}
	return srv
}

// serveSites serves until ctx is cancelled or one site fails, then stops all of
// them and returns when open requests have finished. Sites marked last answer
// until the others are done, so that a probe sees "stopping" rather than nothing.
func serveSites(ctx context.Context, log *slog.Logger, sites ...site) error {
	group, ctx := errgroup.WithContext(ctx)
	servers := make([]*http.Server, len(sites))
	for i, s := range sites {
		servers[i] = s.server(log)
		group.Go(func() error {
			if err := servers[i].Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serving %s: %w", s.name, err)
			}
			return nil
		})
	}
	group.Go(func() error {
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
		defer cancel()
		return errors.Join(stopSites(limit, sites, servers, false), stopSites(limit, sites, servers, true))
	})
	return group.Wait()
}

func stopSites(ctx context.Context, sites []site, servers []*http.Server, last bool) error {
	var group errgroup.Group
	for i, s := range sites {
		if s.last != last {
			continue
		}
		group.Go(func() error {
			if err := servers[i].Shutdown(ctx); err != nil {
				_ = servers[i].Close() // its time is over: cut what is left
				return fmt.Errorf("stopping %s: %w", s.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}
