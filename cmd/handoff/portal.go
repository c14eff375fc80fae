package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/config"
	"github.com/handoff-portal/handoff/internal/egress"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/i18n"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/limit"
	"github.com/handoff-portal/handoff/internal/live"
	"github.com/handoff-portal/handoff/internal/metrics"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/store/memstore"
	"github.com/handoff-portal/handoff/internal/webhook"
	"github.com/handoff-portal/handoff/web"
)

// source is the name of this integration in the platform's own logs.
const source = "handoff-portal"

// portal is everything that serves, put together. Nothing runs yet.
type portal struct {
	store   handoff.Store
	service *handoff.Service
	hub     *live.Hub
	handler http.Handler // public
	inside  http.Handler // for operators, on the internal listener
	counted *metrics.Metrics
	closers []func() error
}

// parts is what a portal is put together from.
type parts struct {
	config *config.Config
	store  handoff.Store
	demo   bool                     // every page says that it is a demonstration
	amend  func(*partner.Directory) // before anybody else reads it; may be nil
	log    *slog.Logger
}

// newPortal wires the parts. The faults it finds are those of the configuration
// that only show when everything is there.
func newPortal(p parts) (*portal, error) {
	keys, err := keyring.New(p.config.ServerKeys)
	if err != nil {
		return nil, fmt.Errorf("server_keys: %w", err)
	}
	partners, err := partner.New(p.config.Partners)
	if err != nil {
		return nil, err
	}
	if p.amend != nil {
		p.amend(partners)
	}
	catalog, err := i18n.Load()
	if err != nil {
		return nil, fmt.Errorf("loading the languages: %w", err)
	}
	counted := metrics.New(metrics.Options{Version: version(), Rule: applink.Rule})
	platforms, closers, err := newPlatforms(p.config, p.log, counted)
	if err != nil {
		return nil, err
	}
	guard := egress.New(egress.Options{Allow: p.config.EgressAllow})
	closers = append(closers, func() error { guard.CloseIdleConnections(); return nil })
	sender, err := webhook.New(webhook.Config{
		Endpoints: endpoints(p.config.Partners), Client: guard.Client(), Refused: egress.ErrRefused, Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	hub := live.New()
	service := handoff.NewService(handoff.Config{
		Store: counted.Store(p.store), Vault: keys, Platforms: counted.Platforms(platforms), Notifier: hub,
		Deliverer: counted.Deliverer(sender), Witness: counted, Log: p.log,
	})
	limiter, streams, err := newLimits(p.config.Limits)
	if err != nil {
		return nil, err
	}
	handler, err := web.New(web.Config{
		Handoffs: service, Partners: partners, Changes: hub, Catalog: catalog,
		Public: p.config.PublicURL, Link: p.config.LinkURL, Frame: p.config.Frames, Demo: p.demo, Log: p.log,
		Limiter: limiter, Streams: streams, TrustedProxies: p.config.TrustedProxies, Observe: counted.Request,
	})
	if err != nil {
		return nil, err
	}
	counted.Gauge("handoff_viewers", "Streams that are open, of displays and of phones' pages.", nil, func() float64 { return float64(streams.Total()) })
	inside := &inside{handoffs: service, partners: partners, sender: sender, log: p.log}
	return &portal{store: p.store, service: service, hub: hub, handler: handler, inside: inside.handler(), counted: counted, closers: closers}, nil
}

// endpoints are where each partner wants to be told.
func endpoints(partners []partner.Partner) map[handoff.PartnerID][]webhook.Endpoint {
	all := make(map[handoff.PartnerID][]webhook.Endpoint)
	for _, p := range partners {
		for _, w := range p.Webhooks {
			all[p.ID] = append(all[p.ID], webhook.Endpoint{URL: w.URL, Secrets: w.Secrets})
		}
	}
	return all
}

// close lets go of what the portal holds, the store last, once nothing runs.
func (p *portal) close() error {
	faults := make([]error, 0, len(p.closers))
	for _, c := range p.closers {
		faults = append(faults, c())
	}
	return errors.Join(faults...)
}

// work runs the worker until ctx ends, and returns a channel that is closed when
// its last step is done.
func (p *portal) work(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.service.Run(ctx)
	}()
	return done
}

// newLimits makes what counts against the limits, in this process.
func newLimits(l config.Limits) (*limit.Limiter, *limit.Streams, error) {
	limiter, err := limit.New(limit.Rates{
		CreatesPerPartner: limit.Rate(l.CreatesPerPartner), ClaimsPerNetwork: limit.Rate(l.ClaimsPerNetwork),
		PagesPerNetwork: limit.Rate(l.PagesPerNetwork), UnknownPerNetwork: limit.Rate(l.UnknownPerNetwork),
	}, time.Now)
	if err != nil {
		return nil, nil, fmt.Errorf("limits: %w", err)
	}
	return limiter, limit.NewStreams(limit.StreamLimits{PerHandoff: l.StreamsPerHandoff, PerNetwork: l.StreamsPerNetwork, Total: l.Streams}), nil
}

// openStore opens the store of the configuration. Closing it is the caller's.
func openStore(c config.Store) (store handoff.Store, closeStore func() error, err error) {
	switch c.Kind {
	case config.StoreMemory:
		return memstore.New(), func() error { return nil }, nil
	case config.StoreFile:
		s, err := boltstore.Open(c.Path, boltstore.Options{})
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	return nil, nil, fmt.Errorf("store: %q is not a kind of store", c.Kind)
}

// platforms finds the client with a partner's credential.
type platforms map[handoff.PartnerID]handoff.Platform

// Platform implements handoff.Platforms.
func (p platforms) Platform(id handoff.PartnerID) (handoff.Platform, error) {
	if found, ok := p[id]; ok {
		return found, nil
	}
	return nil, handoff.Errorf(handoff.CodeInternal, "partner %s has no platform", id)
}

// newPlatforms makes one client for each credential, so that partners who share
// one share its access token and its breaker.
func newPlatforms(c *config.Config, log *slog.Logger, counted *metrics.Metrics) (platforms, []func() error, error) {
	clients := make([]*platform.Client, len(c.Platforms))
	closers := make([]func() error, 0, len(c.Platforms))
	for i, p := range c.Platforms {
		client, err := platform.New(platform.Config{
			Version: platform.Version(p.Version), APIURL: p.APIURL, TokenURL: p.TokenURL,
			Grant: platform.Grant(p.Grant), Scope: p.Scope,
			ClientID: p.ClientID, ClientSecret: p.ClientSecret, Username: p.Username, Password: p.Password,
			Source: source, Log: log,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("platform: %w", err)
		}
		clients[i] = client
		counted.Gauge("handoff_platform_breaker_open", "1 while calls of the platform are not made, because it failed too often in a row.",
			map[string]string{"platform": strconv.Itoa(i), "url": p.APIURL}, func() float64 {
				if client.BreakerOpen() {
					return 1
				}
				return 0
			})
		closers = append(closers, func() error { client.Close(); return nil })
	}
	all := make(platforms, len(c.PlatformOf))
	for id, i := range c.PlatformOf {
		all[id] = clients[i]
	}
	return all, closers, nil
}
