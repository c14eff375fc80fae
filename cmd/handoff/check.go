package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/handoff-portal/handoff/internal/config"
	"github.com/handoff-portal/handoff/internal/store/memstore"
)

type checkCommand struct {
	Config string `arg:"required" help:"The configuration." placeholder:"FILE"`
}

// Help is shown by handoff check --help.
func (checkCommand) Help() string {
	return `Reads the configuration as serve would, secrets included, and prints every fault with its line and what to do about it. It opens no store and asks nobody outside.

Exit status 0 if serve would start, warnings or not; 1 if not.`
}

// Run prints faults, then warnings.
func (c *checkCommand) Run(e *environment) error {
	cfg, err := config.Load(c.Config, e.getenv)
	if err != nil {
		return c.refuse(e, err)
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(e.out, "warning:", w)
	}
	// What only shows when all parts are put together, such as a partner's texts.
	p, err := newPortal(parts{config: cfg, shared: shared{store: memstore.New()}, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return c.refuse(e, err)
	}
	if err := p.close(); err != nil {
		return err
	}
	fmt.Fprintf(e.errs, "%s: no faults, %s\n", c.Config, counted(len(cfg.Warnings), "warning"))
	return nil
}

// refuse prints faults, of which each has its line.
func (c *checkCommand) refuse(e *environment, err error) error {
	faults, ok := errors.AsType[config.Faults](err)
	if !ok {
		return err
	}
	fmt.Fprintln(e.out, faults.Error())
	fmt.Fprintf(e.errs, "%s: %s\n", c.Config, counted(len(faults), "fault"))
	return errTold
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
