package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/handoff-portal/handoff/internal/config"
	"github.com/handoff-portal/handoff/internal/demo"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/message"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
	"github.com/handoff-portal/handoff/internal/qr"
	"github.com/handoff-portal/handoff/internal/store/memstore"
)

type demoCommand struct {
	Port    int  `default:"8080" help:"The portal's port; shop, stand-in platform and app take the three after it."`
	LAN     bool `help:"Let a real phone on the same network take part, by plain http."`
	Verbose bool `arg:"-v" help:"Log every request and every call of the platform."`
}

// Help is shown by handoff demo --help.
func (demoCommand) Help() string {
	return `Starts a portal, a made-up bank's shop that hands its customers off, a stand-in for the platform, and the bank's app, played by a page. Text messages and e-mails are shown on a page of the shop's, /post, and sent to nobody. Nothing is kept, nobody is verified, and every page says so.

Open the shop's address and follow it; play the phone with the app's page, with handoff phone, or, with --lan, with a phone.

Examples:

	handoff demo
	handoff demo --port 9000
	handoff demo --lan`
}

// Run plays until it is told to stop.
func (c *demoCommand) Run(e *environment) error {
	if c.Port < 1 || c.Port > 65532 {
		return usagef("--port %d: it and the three after it must be between 1 and 65535", c.Port)
	}
	setup, err := demo.NewSetup(demo.Options{Port: c.Port, LAN: c.LAN})
	if err != nil {
		return err
	}
	log := newLog(e.errs, levelFor(c.Verbose, slog.LevelWarn))
	letters := demo.NewPost(time.Now)
	p, err := newPortal(parts{
		config: demoConfig(setup), shared: shared{store: memstore.New()}, demo: true, messenger: demoPost{letters}, log: log,
		amend: func(d *partner.Directory) {
			if bank, ok := d.ByID(setup.Partner.ID); ok {
				setup.OpenToLAN(bank)
			}
		},
	})
	if err != nil {
		return err
	}
	sites, err := c.sites(e.ctx, setup, p, letters, log)
	if err != nil {
		return errors.Join(err, p.close())
	}
	serving, stop := context.WithCancel(e.ctx)
	defer stop()
	worked := p.work(serving)
	told := make(chan error, 1)
	go func() {
		err := c.tell(serving, e.out, setup)
		if err != nil {
			stop()
		}
		told <- err
	}()
	err = serveSites(serving, log, sites...)
	stop()
	<-worked
	err = errors.Join(err, <-told, p.close())
	if e.ctx.Err() != nil {
		return nil // told to stop, which is how a demonstration ends
	}
	return err
}

// demoPost sends to the shop's page, and reads addresses as a real sender does.
type demoPost struct{ *demo.Post }

// Recipient implements web.Messenger.
func (demoPost) Recipient(r handoff.Route, text, region string) (handoff.Recipient, error) {
	return new(message.Sender).Recipient(r, text, region)
}

// demoConfig is what a configuration file would say.
func demoConfig(s demo.Setup) *config.Config {
	return &config.Config{
		PublicURL: s.PublicURL, LinkURL: s.LinkURL,
		ServerKeys: []handoff.Secret{handoff.Secret(keyring.Generate())},
		Frames:     5 * time.Second, Limits: config.DefaultLimits(),
		// The shop is on this machine; a real receiver is on the internet.
		EgressAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		Platforms: []config.Platform{{
			Version: config.V2, APIURL: s.PlatformURL(), TokenURL: s.TokenURL(),
			Grant: config.GrantClientCredentials, Scope: "gbg.token", ClientID: "demo", ClientSecret: platformsim.Secret,
		}},
		PlatformOf: map[handoff.PartnerID]int{s.Partner.ID: 0},
		Partners:   []partner.Partner{s.Partner},
	}
}

// sites opens the four addresses.
func (c *demoCommand) sites(ctx context.Context, s demo.Setup, p *portal, letters *demo.Post, log *slog.Logger) ([]site, error) {
	shop, err := demo.NewShop(demo.ShopConfig{
		PortalURL: s.PublicURL, StandIn: s.StandInURL, AppURL: s.AppURL, Origins: s.Origins(), Key: s.Key, HookSecret: s.HookSecret, Post: letters, Log: log,
	})
	if err != nil {
		return nil, err
	}
	app, err := demo.NewApp(demo.AppConfig{PortalURL: s.PublicURL, Partner: s.Partner.ID, PlatformURL: s.PlatformURL(), Log: log})
	if err != nil {
		return nil, err
	}
	sites := []site{
		{name: "portal", handler: p.handler, onShutdown: p.hub.Close},
		{name: "shop", handler: shop, onShutdown: shop.Close},
		{name: "platform", handler: platformsim.New(platformsim.Options{Log: log}), last: true},
		{name: "app", handler: app},
	}
	for i, address := range []string{s.ListenPortal, s.ListenShop, s.ListenStandIn, s.ListenApp} {
		ln, err := listen(ctx, address)
		if err != nil {
			for _, opened := range sites[:i] {
				err = errors.Join(err, opened.ln.Close())
			}
			return nil, fmt.Errorf("%w (--port moves all four)", err)
		}
		sites[i].ln = ln
	}
	return sites, nil
}

// tell prints what there is to play with.
func (c *demoCommand) tell(ctx context.Context, out io.Writer, s demo.Setup) error {
	ready, err := demo.MakeReady(ctx, s.PublicURL, s.Key, &http.Client{Timeout: 20 * time.Second})
	if err != nil {
		return fmt.Errorf("the demonstration does not work: %w", err)
	}
	scan, about := ready.Link, "the ready-made handoff's link"
	if s.LANShopURL != "" {
		scan, about = s.LANShopURL, "the shop, for a phone on this network"
	}
	code, err := qr.Reference(scan)
	if err != nil {
		return fmt.Errorf("drawing the code: %w", err)
	}
	drawing := code.Text()
	if isTerminal(out) {
		drawing = code.Terminal()
	}
	_, err = fmt.Fprintf(out, `A demonstration: nothing is kept, nobody is verified.

  Begin here    %s   the made-up bank's shop
  The portal    %s   its links go to %s
  The app       %s   played by a page: paste a code into it
  The platform  %s   a stand-in; calls so far at /_sim/calls
  Messages      %s/post   what was sent by text message and e-mail: it ends there
  Partner key   %s

A handoff is ready made. Its display: %s
Be its phone in a terminal:           handoff phone '%s' --finish

%s
This code is %s. Ctrl-C ends the demonstration.
`, s.ShopURL, s.PublicURL, s.LinkURL, s.AppURL, s.StandInURL, s.ShopURL, s.Key.Reveal(), ready.DisplayURL, ready.Link, drawing, about)
	return err
}
