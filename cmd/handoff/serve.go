package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/handoff-portal/handoff/internal/config"
)

type serveCommand struct {
	Config  string        `arg:"required" help:"The configuration." placeholder:"FILE"`
	Drain   time.Duration `default:"0s" help:"How long to go on serving, while /readyz says no, after being told to stop."`
	Verbose bool          `arg:"-v" help:"Log more."`
}

// Help is shown by handoff serve --help.
func (serveCommand) Help() string {
	return `Serves until SIGTERM or SIGINT. Then /readyz answers 503, streams end so that browsers reconnect elsewhere, open requests finish, and the exit status is 0, within 20 seconds and --drain.

/livez, /readyz and what handoff webhooks asks are on the configuration's internal_listen, which must not be reachable from outside.

Examples:

	HANDOFF_KEY=$(handoff key server) handoff serve --config handoff.yaml
	handoff serve --config handoff.yaml --drain 5s   # behind a balancer that asks /readyz`
}

// Run serves until it is told to stop.
func (c *serveCommand) Run(e *environment) error {
	log := newLog(e.errs, levelFor(c.Verbose, slog.LevelInfo))
	cfg, err := config.Load(c.Config, e.getenv)
	if faults, ok := errors.AsType[config.Faults](err); ok {
		return fmt.Errorf("%s has %s; handoff check says the same:\n%w", c.Config, counted(len(faults), "fault"), faults)
	}
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		log.WarnContext(e.ctx, "configuration", "warning", w.String())
	}
	store, err := openStore(e.ctx, cfg.Store, log)
	if err != nil {
		return err
	}
	p, err := newPortal(parts{config: cfg, shared: store, log: log})
	if err != nil {
		return errors.Join(err, store.close())
	}
	p.closers = append(p.closers, store.close)
	return errors.Join(c.serve(e.ctx, log, cfg, p), p.close())
}

func (c *serveCommand) serve(ctx context.Context, log *slog.Logger, cfg *config.Config, p *portal) error {
	public, err := listen(ctx, cfg.Listen)
	if err != nil {
		return err
	}
	internal, err := listen(ctx, cfg.InternalListen)
	if err != nil {
		return errors.Join(err, public.Close())
	}
	debug.FreeOSMemory() // reading languages and settings took several times what is kept of them
	probe := newProbe(p.store)
	log.InfoContext(ctx, "serving", "public_url", cfg.PublicURL, "link_url", cfg.LinkURL,
		"listen", public.Addr().String(), "internal_listen", internal.Addr().String(), "store", string(cfg.Store.Kind), "version", version())

	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() {
		probe.stopping.Store(true)
		log.InfoContext(serving, "stopping", "drain", c.Drain)
		time.AfterFunc(c.Drain, stop)
	})()
	worked := p.work(serving)
	err = serveSites(serving, log,
		site{name: "portal", ln: public, handler: p.handler, onShutdown: p.hub.Close},
		site{name: "internal", ln: internal, handler: probe.handler(p.counted.Handler(), p.inside), last: true})
	stop()
	<-worked
	log.InfoContext(ctx, "stopped")
	return err
}

func levelFor(verbose bool, usual slog.Level) slog.Level {
	if verbose {
		return slog.LevelDebug
	}
	return usual
}
