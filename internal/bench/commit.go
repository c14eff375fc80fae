//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/handoff-portal/handoff/internal/attest"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/i18n"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/limit"
	"github.com/handoff-portal/handoff/internal/live"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
	"github.com/handoff-portal/handoff/internal/store/memstore"
	"github.com/handoff-portal/handoff/internal/stream"
	"github.com/handoff-portal/handoff/web"
)

// measureCommit measures from the moment in which the store has taken a claim to
// the one in which the desktop's end of the stream has read the event. Beside it a
// byte goes there and back over TCP. Both processes read one clock.
func measureCommit(ctx context.Context, b *bench) ([]row, error) {
	pong, address, err := b.startRole(ctx, b.cores.server, "pong")
	if err != nil {
		return nil, err
	}
	defer pong.stop()
	ball, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer ball.Close()
	role, said, err := b.startRole(ctx, b.cores.server, "commit")
	if err != nil {
		return nil, err
	}
	defer role.stop()
	address, key, _ := strings.Cut(said, " ")
	p := &portal{b: b, process: role, address: address, key: handoff.Secret(key), client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}
	defer p.client.CloseIdleConnections()
	phone, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	defer phone.Close()
	answers := bufio.NewReader(phone)
	n := 1000
	if b.quick {
		n = 20
	}
	var events, pongs []time.Duration
	for i := range n + n/10 {
		took, err := p.commitOnce(ctx, i, phone, answers)
		if err != nil {
			return nil, err
		}
		there, err := hit(ball)
		if err != nil {
			return nil, err
		}
		if i >= n/10 { // after warming up
			events, pongs = append(events, took), append(pongs, there)
		}
	}
	slices.Sort(events)
	slices.Sort(pongs)
	ratio := func(p float64) float64 { return float64(percentile(events, p)) / float64(percentile(pongs, p)) }
	return []row{{
		what:   "the store's commit of a claim to the desktop's event, p50 and p99",
		got:    fmt.Sprintf("%.1f× and %.1f×: %s and %s", ratio(0.5), ratio(0.99), micro(percentile(events, 0.5)), micro(percentile(events, 0.99))),
		beside: fmt.Sprintf("TCP ping-pong: %s and %s", micro(percentile(pongs, 0.5)), micro(percentile(pongs, 0.99))),
		goal:   "≤ 1.5×", met: ratio(0.5) <= 1.5 && ratio(0.99) <= 1.5,
	}}, nil
}

// commitOnce makes a handoff, opens its display and its stream, has a phone press
// Continue, and returns how long after the commit the desktop was told.
func (p *portal) commitOnce(ctx context.Context, n int, phone net.Conn, answers *bufio.Reader) (time.Duration, error) {
	h, err := p.create(ctx, n)
	if err != nil {
		return 0, err
	}
	tap, err := p.tap(ctx, h)
	if err != nil {
		return 0, err
	}
	desk, events, err := p.follow(ctx, h.DisplayURL)
	if err != nil {
		return 0, err
	}
	defer desk.Close()
	if _, err := phone.Write(tap); err != nil {
		return 0, err
	}
	if err := untilEvent(events, `"screen":"connected"`); err != nil {
		return 0, err
	}
	told := time.Now().UnixNano()
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		return 0, fmt.Errorf("the answer to Continue is %s, want 303", answer.Status)
	}
	said, err := p.ask("when?")
	if err != nil {
		return 0, err
	}
	committed, err := strconv.ParseInt(said, 10, 64)
	return time.Duration(told - committed), err
}

// commits is a store that notes when it took the last claim.
type commits struct {
	handoff.Store
	at atomic.Int64 // in nanoseconds, as Unix counts
}

// Update implements handoff.Store.
func (s *commits) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	h, err := s.Store.Update(ctx, id, fn)
	if err == nil && h.Claim != nil {
		s.at.Store(time.Now().UnixNano())
	}
	return h, err
}

// onePlatform is every partner's.
type onePlatform struct{ client *platform.Client }

// Platform implements handoff.Platforms.
func (p onePlatform) Platform(handoff.PartnerID) (handoff.Platform, error) { return p.client, nil }

// serveCommits is a portal of the usual parts over a store that notes its commits.
// It says its address and a partner's key, and then when the last claim was taken, as
// often as it is asked.
func serveCommits(ctx context.Context) error {
	sim, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	go func() { _ = web.NewServer(platformsim.New(platformsim.Options{}), log).Serve(sim) }()
	client, err := platform.New(platform.Config{
		Version: platform.V2, APIURL: "http://" + sim.Addr().String() + "/v2/captain", TokenURL: "http://" + sim.Addr().String() + "/as/token.oauth2",
		Grant: platform.GrantClientCredentials, Scope: "gbg.token", ClientID: "demo", ClientSecret: platformsim.Secret, Log: log,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	store, key := &commits{Store: memstore.New()}, partner.NewKey()
	handler, closeAll, err := commitPortal("http://"+ln.Addr().String(), store, onePlatform{client}, key, log)
	if err != nil {
		return err
	}
	server := web.NewServer(handler, log)
	go func() { _ = server.Serve(ln) }()
	fmt.Println(ln.Addr(), key.Reveal())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(store.at.Load())
	}
	return errors.Join(closeAll(), server.Close(), sim.Close())
}

// commitPortal puts the parts together.
func commitPortal(public string, store handoff.Store, platforms handoff.Platforms, key handoff.Secret, log *slog.Logger) (http.Handler, func() error, error) {
	keys, err := keyring.New([]handoff.Secret{handoff.Secret(keyring.Generate())})
	if err != nil {
		return nil, nil, err
	}
	partners, err := partner.New([]partner.Partner{{
		ID: "acme", Name: "Acme Bank", KeyHashes: []handoff.Hash{partner.HashKey(key)}, Confirmation: handoff.ConfirmNever, Retain: time.Hour, CompleteWithin: time.Hour,
		Routes: []handoff.Route{handoff.RouteLink, handoff.RouteTyped, handoff.RouteLocal}, Brand: partner.Brand{Color: "#0b5fff"},
		Apps: []partner.App{{ID: "main", Name: "Acme", Exchange: handoff.ExchangePortal, CodeMode: handoff.CodeLink, WebURL: "https://app.acme.example"}},
	}})
	if err != nil {
		return nil, nil, err
	}
	catalog, err := i18n.Load()
	if err != nil {
		return nil, nil, err
	}
	many := limit.Rate{Count: 1e8, Per: time.Second}
	limiter, err := limit.New(limit.Rates{
		CreatesPerPartner: many, ClaimsPerNetwork: many, PagesPerNetwork: many, UnknownPerNetwork: many,
		MessagesPerHandoff: many, MessagesPerRecipient: many, MessagesPerNetwork: many, MessagesPerArea: many,
	}, time.Now)
	if err != nil {
		return nil, nil, err
	}
	poller, err := stream.NewPoller()
	if err != nil {
		return nil, nil, err
	}
	hub := live.New()
	service := handoff.NewService(handoff.Config{Store: store, Vault: keys, Platforms: platforms, Notifier: hub, Log: log})
	handler, err := web.New(web.Config{
		Handoffs: service, Records: attest.New(public, keys), Partners: partners, Changes: hub, Catalog: catalog, Public: public, Link: public,
		Frame: time.Second, Limiter: limiter, Streams: limit.NewStreams(limit.StreamLimits{PerHandoff: 5, PerNetwork: 1000, Total: 1000}), Poller: poller, Log: log,
	})
	return handler, func() error { hub.Close(); return poller.Close() }, err
}
