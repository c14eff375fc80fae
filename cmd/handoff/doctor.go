package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/handoff-portal/handoff/internal/config"
	"github.com/handoff-portal/handoff/internal/doctor"
	"github.com/handoff-portal/handoff/internal/egress"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/webhook"
)

type doctorCommand struct {
	Config string `arg:"required" help:"The configuration." placeholder:"FILE"`
	URL    string `help:"Connect to this address in place of public_url and link_url, whose names are asked for all the same." placeholder:"URL"`
	JSON   bool   `help:"Print JSON."`

	roots *x509.CertPool // a test's, in place of the system's
}

// Help is shown by handoff doctor --help.
func (doctorCommand) Help() string {
	return `Examines what stands around a running portal: certificates and clocks, both hosts and the proxy before them, association files, framing, event streams, caches, the store, the credentials of the platform and of who sends messages, webhooks. For everything that is wrong it says why it matters and the one line to change.

It makes no handoff and starts no journey. It asks the platform for an access token, and sends each webhook an event of type handoff.test, and a forged one that the receiver should refuse.

Exit status 0 if there is no fault, warnings or not; 1 if there is one.

Examples:

	handoff doctor --config handoff.yaml
	handoff doctor --config handoff.yaml --url http://127.0.0.1:8080   # past the proxy
	handoff doctor --config handoff.yaml --json`
}

// Run examines, and prints what was found.
func (c *doctorCommand) Run(e *environment) error {
	if at, err := url.Parse(c.URL); c.URL != "" && (err != nil || at.Host == "" || (at.Scheme != "http" && at.Scheme != "https")) {
		return usagef("--url %q: write scheme and host, as in http://127.0.0.1:8080", c.URL)
	}
	cfg, err := config.Load(c.Config, e.getenv)
	if faults, ok := errors.AsType[config.Faults](err); ok {
		return fmt.Errorf("%s has %s; handoff check says the same:\n%w", c.Config, counted(len(faults), "fault"), faults)
	}
	if err != nil {
		return err
	}
	found, err := c.examine(e, cfg)
	if err != nil {
		return err
	}
	if err := c.print(e.out, found); err != nil {
		return err
	}
	count := make(map[doctor.Level]int)
	for _, f := range found {
		count[f.Level]++
	}
	fmt.Fprintf(e.errs, "%s, %s, %d good\n", counted(count[doctor.Fault], "fault"), counted(count[doctor.Warning], "warning"), count[doctor.OK])
	if count[doctor.Fault] > 0 {
		return errTold
	}
	return nil
}

// examine puts together what the doctor asks with.
func (c *doctorCommand) examine(e *environment, cfg *config.Config) ([]doctor.Finding, error) {
	silent := slog.New(slog.DiscardHandler) // findings say it
	keys, err := keyring.New(cfg.ServerKeys)
	if err != nil {
		return nil, fmt.Errorf("server_keys: %w", err)
	}
	clients, closers, err := newClients(cfg, silent)
	if err != nil {
		return nil, err
	}
	guard := egress.New(egress.Options{Allow: cfg.EgressAllow})
	defer guard.CloseIdleConnections()
	sender, err := webhook.New(webhook.Config{Endpoints: endpoints(cfg.Partners), Client: guard.Client(), Refused: egress.ErrRefused, Log: silent})
	if err != nil {
		return nil, err
	}
	messenger, err := newMessenger(cfg, c.roots)
	if err != nil {
		return nil, err
	}
	o := doctor.Options{Config: cfg, Vault: keys, URL: c.URL, RootCAs: c.roots, Webhooks: sender, Messages: messenger, Store: func(ctx context.Context) error { return tryStore(ctx, cfg.Store) }}
	for _, client := range clients {
		o.Platforms = append(o.Platforms, client)
	}
	d, err := doctor.New(o)
	if err != nil {
		return nil, err
	}
	progress := func(int, int) {}
	if isTerminal(e.errs) {
		progress = func(done, all int) { fmt.Fprintf(e.errs, "\r%d of %d examinations\x1b[K", done, all) }
		defer fmt.Fprint(e.errs, "\r\x1b[K")
	}
	found := d.Run(e.ctx, progress)
	for _, closeClient := range closers {
		err = errors.Join(err, closeClient())
	}
	return found, err
}

// tryStore finds out whether serve could open the store, without making one.
func tryStore(ctx context.Context, c config.Store) error {
	if c.Kind == config.StoreFile {
		if _, err := os.Stat(c.Path); errors.Is(err, os.ErrNotExist) {
			probe, err := os.CreateTemp(filepath.Dir(c.Path), ".handoff-doctor-*")
			if err != nil {
				return err
			}
			return errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	opened, err := openStore(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	_, err = opened.store.Due(ctx, time.Time{}, 1)
	return errors.Join(err, opened.close())
}

// print writes what was found for people or for programs.
func (c *doctorCommand) print(w io.Writer, found []doctor.Finding) error {
	if c.JSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(found)
	}
	for _, f := range found {
		if _, err := fmt.Fprintf(w, "%-8s %-12s %s\n%22s%s\n", f.Level, f.Check, f.About, "", f.What); err != nil {
			return err
		}
		if f.Level == doctor.OK {
			continue
		}
		if _, err := fmt.Fprintf(w, "%22swhy:    %s\n%22schange: %s\n", "", f.Why, "", f.Change); err != nil {
			return err
		}
	}
	return nil
}
