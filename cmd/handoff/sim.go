package main

import (
	"fmt"
	"log/slog"
	"net"

	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

type simCommand struct {
	Listen string `default:"127.0.0.1:8082" help:"Address to listen on; port 0 takes a free one." placeholder:"ADDR"`
}

// Help is shown by handoff sim --help.
func (simCommand) Help() string {
	return `The stand-in has the platform's rules and none of its checks: it verifies nobody. Any client id with the secret "demo" gets an access token; any well-formed instanceId that begins with Pi is a live journey.

Examples:

	handoff sim
	curl -d '{"call":"connect","kind":"drop_after","count":1}' http://127.0.0.1:8082/_sim/faults
	curl -d '{"status":"Completed"}' http://127.0.0.1:8082/_sim/journeys/PiExampleInstance01
	curl http://127.0.0.1:8082/_sim/calls`
}

// Run serves the stand-in until it is told to stop.
func (c *simCommand) Run(e *environment) error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return usagef("--listen: %q is no address to listen on: write host:port, as in 127.0.0.1:8082", c.Listen)
	}
	log := newLog(e.errs, slog.LevelInfo)
	ln, err := listen(e.ctx, c.Listen)
	if err != nil {
		return err
	}
	base := "http://" + ln.Addr().String()
	fmt.Fprintf(e.out, `A stand-in for GBG GO: not the platform, it verifies nobody.
v1            %[1]s/captain/api
v2            %[1]s/v2/captain
access tokens %[1]s/as/token.oauth2  (any client id, secret %[2]q)
calls so far  %[1]s/_sim/calls
`, base, platformsim.Secret)
	return serveSites(e.ctx, log, site{name: "platform", ln: ln, handler: platformsim.New(platformsim.Options{Log: log})})
}
