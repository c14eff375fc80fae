package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/phone"
)

type phoneCommand struct {
	Input string `arg:"positional,required" help:"A link (/c/… or /a/…), a PNG or JPEG with a code, ten digits, or a bare connect token (after --, if it begins with a dash)." placeholder:"URL|IMAGE|DIGITS"`

	Portal     string        `help:"The portal's address, for input that does not name it." placeholder:"URL"`
	Partner    string        `help:"The partner's id, for ten digits." placeholder:"ID"`
	Platform   string        `help:"The platform's API base, for a connect token." placeholder:"URL"`
	Yes        bool          `help:"Agree without asking."`
	No         bool          `help:"Say \"this wasn't me\" without asking."`
	Finish     bool          `help:"Finish the journey, on the stand-in platform."`
	NoReport   bool          `arg:"--no-report" help:"Do not tell the portal how the app gets on."`
	JSON       bool          `help:"Print the result as JSON, and what happens on standard error."`
	Timeout    time.Duration `default:"10m" help:"How long to wait for the number to be typed, and for everything else."`
	DeviceID   string        `arg:"--device-id" help:"The device's id, 16 to 64 characters. Default: a new one." placeholder:"ID"`
	DeviceName string        `arg:"--device-name" placeholder:"NAME" default:"Handoff reference app" help:"The device's name."`
	DeviceType string        `arg:"--device-type" placeholder:"TYPE" default:"mobile" help:"mobile or desktop."`
}

// Help is shown by handoff phone --help.
func (phoneCommand) Help() string {
	return `Plays a partner's native app: claims a code with PKCE or redeems an app link's pickup, shows who asks, waits for the number to be typed, gets the token and reports. It never prints a token. It asks before it carries on, where there is a terminal to ask on.

Examples:

	handoff phone 'http://localhost:8080/c/acme/…'
	handoff phone screenshot.png --yes --finish
	handoff phone '123 456 7890' --portal http://localhost:8080 --partner acme
	handoff phone 'http://localhost:8080/a/acme/connect#token=…' --platform http://127.0.0.1:8082/v2/captain
	handoff phone code.png --yes --json | jq .token.expiresIn`
}

// Run plays the app once.
func (c *phoneCommand) Run(e *environment) error {
	if n := len(c.DeviceID); n != 0 && (n < 16 || n > 64) {
		return usagef("--device-id has 16 to 64 characters, not %d", n)
	}
	if c.Yes && c.No {
		return usagef("--yes or --no, not both")
	}
	if err := oneOf("--device-type", c.DeviceType, "mobile", "desktop"); err != nil {
		return err
	}
	say := e.out
	if c.JSON {
		say = e.errs
	}
	result, err := phone.Run(e.ctx, phone.Options{
		Input: c.Input, Portal: c.Portal, Partner: c.Partner, Platform: c.Platform,
		Timeout: c.Timeout, Finish: c.Finish, Report: !c.NoReport, Say: say,
		Consent: c.consent(e),
		Client: phone.NewClient(phone.Config{
			Device: phone.Device{ID: c.DeviceID, Name: c.DeviceName, Type: c.DeviceType},
			Warn:   func(s string) { fmt.Fprintln(e.errs, s) },
		}),
	})
	if c.JSON {
		enc := json.NewEncoder(e.out)
		enc.SetIndent("", "  ")
		if jsonErr := enc.Encode(result); jsonErr != nil {
			return jsonErr
		}
	}
	return err
}

// consent answers as the flags say, or asks the person. Where there is nobody, the
// command is run by a script, which has it play the app to the end.
func (c *phoneCommand) consent(e *environment) func(context.Context, phone.Context) (bool, error) {
	if c.Yes || c.No {
		return func(context.Context, phone.Context) (bool, error) { return c.Yes, nil }
	}
	if !isTerminal(e.in) {
		return func(context.Context, phone.Context) (bool, error) {
			fmt.Fprintln(e.errs, "There is no terminal to ask on: carrying on, as with --yes.")
			return true, nil
		}
	}
	return func(ctx context.Context, _ phone.Context) (bool, error) {
		fmt.Fprint(e.errs, "Was this you, and do you want to carry on? [y/n] ")
		return ask(ctx, e.in)
	}
}

// ask reads a yes or a no. The read itself cannot be interrupted; the process
// ends around it.
func ask(ctx context.Context, in io.Reader) (bool, error) {
	type reply struct {
		line string
		err  error
	}
	replies := make(chan reply, 1)
	go func() {
		line, err := bufio.NewReader(in).ReadString('\n')
		replies <- reply{line, err}
	}()
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case r := <-replies:
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return false, fmt.Errorf("reading the answer: %w", r.err)
		}
		answer := strings.ToLower(strings.TrimSpace(r.line))
		return answer == "y" || answer == "yes", nil
	}
}
