package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

type liveCommand struct {
	Address string        `default:"127.0.0.1:9090" help:"The portal's internal_listen." placeholder:"ADDR"`
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer."`
}

// Help is shown by handoff live --help.
func (liveCommand) Help() string {
	return `Exit status 0 if the portal's /livez answers 200, 1 otherwise. In an image without a shell:

	HEALTHCHECK CMD ["/handoff", "live"]`
}

// Run asks once.
func (c *liveCommand) Run(e *environment) error {
	ctx, cancel := context.WithTimeout(e.ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Address+"/livez", http.NoBody)
	if err != nil {
		return usagef("%q is not an address such as 127.0.0.1:9090", c.Address)
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		return fmt.Errorf("asking whether the portal lives: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the portal at %s answers %s", c.Address, resp.Status)
	}
	return nil
}
