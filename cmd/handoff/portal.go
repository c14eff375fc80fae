package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/attest"
	"github.com/handoff-portal/handoff/internal/config"
	"github.com/handoff-portal/handoff/internal/doctor"
	"github.com/handoff-portal/handoff/internal/egress"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/i18n"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/limit"
	"github.com/handoff-portal/handoff/internal/live"
	"github.com/handoff-portal/handoff/internal/live/redislive"
	"github.com/handoff-portal/handoff/internal/message"
	"github.com/handoff-portal/handoff/internal/metrics"
	"github.com/handoff-portal/handoff/internal/operator"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/store/memstore"
	"github.com/handoff-portal/handoff/internal/stream"
	"github.com/handoff-portal/handoff/internal/traces"
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
	relay   func(context.Context, redislive.Hub) // nil: nobody else changes anything
	handler http.Handler                         // public
	inside  http.Handler                         // for operators, on the internal listener
	counted *metrics.Metrics
	closers []func() error
}

// parts is what a portal is put together from.
type parts struct {
	config *config.Config
	shared
	demo      bool                     // every page says that it is a demonstration
	messenger messenger                // nil: whatever the configuration has
	amend     func(*partner.Directory) // before anybody else reads it; may be nil
	now       func() time.Time         // nil: time.Now
	log       *slog.Logger
}

// messenger sends links to people, and tells what became of them.
type messenger interface {
	web.Messenger
	handoff.Receipts
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
	if faults := textFaults(p.config, catalog); len(faults) > 0 {
		return nil, faults
	}
	counted := metrics.New(metrics.Options{Version: version(), Rule: applink.Rule})
	platforms, closers, err := newPlatforms(p.config, p.log, counted)
	if err != nil {
		return nil, err
	}
	guard := egress.New(egress.Options{Allow: p.config.EgressAllow})
	closers = append(closers, func() error { guard.CloseIdleConnections(); return nil })
	attestor := attest.New(p.config.PublicURL, keys)
	sender, err := webhook.New(webhook.Config{
		Endpoints: endpoints(p.config.Partners), Client: guard.Client(), Sign: attestor.Sign, Refused: egress.ErrRefused, Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	if p.messenger == nil {
		if p.messenger, err = newMessenger(p.config, nil); err != nil {
			return nil, err
		}
	}
	hub := live.New()
	behind := handoff.Config{
		Store: counted.Store(p.store), Vault: keys, Platforms: counted.Platforms(platforms), Notifier: hub,
		Deliverer: counted.Deliverer(sender), Witness: counted, Receipts: p.messenger, Log: p.log, Now: p.now,
	}
	traced := p.newTracer()
	if traced != nil {
		closers = append(closers, traced.Close)
		behind.Store, behind.Platforms, behind.Deliverer = traced.Store(behind.Store), traced.Platforms(behind.Platforms), traced.Deliverer(behind.Deliverer)
	}
	service := handoff.NewService(behind)
	limiter, err := p.newLimiter(p.config.Limits)
	if err != nil {
		return nil, err
	}
	streams := newStreams(p.config.Limits)
	poller, err := stream.NewPoller()
	if err != nil {
		return nil, err
	}
	closers = append(closers, poller.Close)
	front := web.Config{
		Handoffs: service, Records: attestor, Partners: partners, Changes: hub, Catalog: catalog,
		Public: p.config.PublicURL, Link: p.config.LinkURL, Frame: p.config.Frames, Demo: p.demo, Log: p.log,
		Limiter: limiter, Streams: streams, Poller: poller, TrustedProxies: p.config.TrustedProxies, CountryHeader: p.config.CountryHeader, Observe: counted.Request,
		Messenger: p.messenger,
		Examines:  func(key string) (string, bool) { return doctor.ReadKey(keys, key, service.Now()) },
	}
	if traced != nil {
		front.Trace, front.TraceParents = traced.Request, p.config.Traces.FromProxies
	}
	handler, err := web.New(front)
	if err != nil {
		return nil, err
	}
	counted.Gauge("handoff_viewers", "Streams that are open, of displays and of phones' pages.", nil, func() float64 { return float64(streams.Total()) })
	page := operator.NewPage(operator.PageConfig{Handoffs: service, Partners: partnerIDs(p.config.Partners), Rule: applink.Rule, Log: p.log})
	inside := &inside{store: p.store, page: page, handoffs: service, partners: partners, sender: sender, log: p.log}
	return &portal{
		store: p.store, service: service, hub: hub, relay: p.relay, handler: handler, inside: inside.handler(), counted: counted, closers: closers,
	}, nil
}

// newTracer makes what follows requests, or nil where nobody wants to know.
func (p parts) newTracer() *traces.Tracer {
	t := p.config.Traces
	if t == nil {
		return nil
	}
	return traces.New(traces.Options{URL: t.URL, Headers: t.Headers, Share: t.Share, Version: version(), Log: p.log})
}

func partnerIDs(partners []partner.Partner) []handoff.PartnerID {
	ids := make([]handoff.PartnerID, len(partners))
	for i, p := range partners {
		ids[i] = p.ID
	}
	return ids
}

// newMessenger makes what sends links to people, by whatever is configured. roots
// are a test's, in place of the system's.
func newMessenger(c *config.Config, roots *x509.CertPool) (*message.Sender, error) {
	m := message.Config{RootCAs: roots}
	if c.SMS != nil {
		m.SMS = &message.SMS{URL: c.SMS.URL, Account: c.SMS.Account, Token: c.SMS.Token, From: c.SMS.From}
	}
	if c.Mail != nil {
		m.Mail = &message.Mail{SMTP: c.Mail.SMTP, Username: c.Mail.Username, Password: c.Mail.Password, From: c.Mail.From}
	}
	return message.New(m)
}

// textFaults are partners' texts for messages that there are not, in languages
// that we do not have, or with placeholders that nothing fills.
func textFaults(c *config.Config, catalog *i18n.Catalog) config.Faults {
	var faults config.Faults
	for i, p := range c.Partners {
		for _, key := range slices.Sorted(maps.Keys(p.Texts)) {
			if err := catalog.Check(i18n.Override{key: p.Texts[key]}); err != nil {
				faults = append(faults, c.Fault(fmt.Sprintf("partners[%d].texts.%s", i, key), err.Error(), "name a message of ours, and what it has"))
			}
		}
	}
	return faults
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

// close lets go of what the portal holds, the store last, once nothing runs. No
// stream is open then: a server does not wait for those that were taken from it.
func (p *portal) close() error {
	p.hub.Close()
	faults := make([]error, 0, len(p.closers))
	for _, c := range p.closers {
		faults = append(faults, c())
	}
	return errors.Join(faults...)
}

// work runs the worker, and what tells of other processes' changes, until ctx
// ends. It returns a channel that is closed when their last steps are done.
func (p *portal) work(ctx context.Context) <-chan struct{} {
	var running sync.WaitGroup
	running.Go(func() { p.service.Run(ctx) })
	if p.relay != nil {
		running.Go(func() { p.relay(ctx, p.hub) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		running.Wait()
	}()
	return done
}

// newLimiter makes what counts against the rates: for all processes where they
// share a store, else for this one.
func (s shared) newLimiter(l config.Limits) (web.Limiter, error) {
	rates := limit.Rates{
		CreatesPerPartner: limit.Rate(l.CreatesPerPartner), ClaimsPerNetwork: limit.Rate(l.ClaimsPerNetwork),
		PagesPerNetwork: limit.Rate(l.PagesPerNetwork), UnknownPerNetwork: limit.Rate(l.UnknownPerNetwork),
		MessagesPerHandoff: limit.Rate(l.MessagesPerHandoff), MessagesPerRecipient: limit.Rate(l.MessagesPerRecipient),
		MessagesPerNetwork: limit.Rate(l.MessagesPerNetwork), MessagesPerArea: limit.Rate(l.MessagesPerArea),
	}
	count := s.limiter
	if count == nil {
		count = func(r limit.Rates) (web.Limiter, error) { return limit.New(r, time.Now) }
	}
	limiter, err := count(rates)
	if err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	return limiter, nil
}

func newStreams(l config.Limits) *limit.Streams {
	return limit.NewStreams(limit.StreamLimits{PerHandoff: l.StreamsPerHandoff, PerNetwork: l.StreamsPerNetwork, Total: l.Streams})
}

// shared is the store, and what processes that have it in common share besides.
type shared struct {
	store   handoff.Store
	close   func() error
	relay   func(context.Context, redislive.Hub)   // nil: there is one process
	limiter func(limit.Rates) (web.Limiter, error) // nil: this process counts by itself
}

// openStore opens the store of the configuration. Closing it is the caller's.
func openStore(ctx context.Context, c config.Store, log *slog.Logger) (shared, error) {
	switch c.Kind {
	case config.StoreMemory:
		return shared{store: memstore.New(), close: func() error { return nil }}, nil
	case config.StoreFile:
		s, err := boltstore.Open(c.Path, boltstore.Options{})
		if err != nil {
			return shared{}, err
		}
		return shared{store: s, close: s.Close}, nil
	case config.StoreRedis:
		return openRedis(ctx, c.Redis, log)
	}
	return shared{}, fmt.Errorf("store: %q is not a kind of store", c.Kind)
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

// newPlatforms finds the client of each partner.
func newPlatforms(c *config.Config, log *slog.Logger, counted *metrics.Metrics) (platforms, []func() error, error) {
	clients, closers, err := newClients(c, log)
	if err != nil {
		return nil, nil, err
	}
	for i, client := range clients {
		counted.Gauge("handoff_platform_breaker_open", "1 while calls of the platform are not made, because it failed too often in a row.",
			map[string]string{"platform": strconv.Itoa(i), "url": c.Platforms[i].APIURL}, func() float64 {
				if client.BreakerOpen() {
					return 1
				}
				return 0
			})
	}
	all := make(platforms, len(c.PlatformOf))
	for id, i := range c.PlatformOf {
		all[id] = clients[i]
	}
	return all, closers, nil
}

// newClients makes one client for each credential, so that partners who share
// one share its access token and its breaker.
func newClients(c *config.Config, log *slog.Logger) ([]*platform.Client, []func() error, error) {
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
		closers = append(closers, func() error { client.Close(); return nil })
	}
	return clients, closers, nil
}
