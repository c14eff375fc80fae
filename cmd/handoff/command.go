package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alexflint/go-arg"
)

// commands is the whole command line.
type commands struct {
	Serve    *serveCommand    `arg:"subcommand" help:"Serve the portal."`
	Demo     *demoCommand     `arg:"subcommand" help:"Everything at once, nothing to configure: portal, a made-up shop, a stand-in platform, an app."`
	Sim      *simCommand      `arg:"subcommand" help:"The stand-in platform alone."`
	Phone    *phoneCommand    `arg:"subcommand" help:"The reference app: take a link, a picture of a code, or ten digits, as a partner's app would."`
	Check    *checkCommand    `arg:"subcommand" help:"Every fault of a configuration at once, with line and remedy."`
	Doctor   *doctorCommand   `arg:"subcommand" help:"What is wrong with the world around a running portal, and the one line to change."`
	Key      *keyCommand      `arg:"subcommand" help:"Make keys: a partner's, a server's, a webhook secret."`
	Show     *showCommand     `arg:"subcommand" help:"What became of a handoff, step by step, and what to tell the person who asks."`
	Webhooks *webhooksCommand `arg:"subcommand" help:"What partners were told, and telling them again."`
	Backup   *backupCommand   `arg:"subcommand" help:"Copy the file store of a running portal."`
	Live     *liveCommand     `arg:"subcommand" help:"Ask a running portal whether it is alive: for a container's health check."`

	Version bool `help:"Print the version and exit."`
}

const description = `Handoff moves an identity-verification journey from the screen where it began to the phone that can finish it.

Try it, with nothing to configure:

	handoff demo
	handoff demo --lan          # with a real phone on the same network

Serve it:

	handoff check --config handoff.yaml
	handoff serve --config handoff.yaml

Results go to standard output, logs to standard error: as text on a terminal, as JSON otherwise. Exit status 0 is good, 1 means faults were found, 2 a wrong command line.`

// environment is what a command may use of the process it runs in.
type environment struct {
	streams
	ctx    context.Context //nolint:containedctx // handed from run to the one command it runs
	getenv func(string) string
}

// command is what a command line may ask for.
type command interface {
	Run(e *environment) error
}

// run is the program: everything main does except touch the process. It returns
// when the command is done; those that serve are done when ctx is cancelled and
// open requests have finished.
func run(ctx context.Context, args []string, getenv func(string) string, std streams) error {
	var all commands
	parser, err := arg.NewParser(arg.Config{Program: "handoff", IgnoreEnv: true}, &all)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	switch err := parser.Parse(args); {
	case errors.Is(err, arg.ErrHelp):
		return writeHelp(std.out, parser)
	case err != nil:
		return misused(err, parser)
	case all.Version:
		_, err = fmt.Fprintln(std.out, version())
		return err
	}
	chosen, ok := parser.Subcommand().(command)
	if !ok {
		return misused(errors.New("one of the commands is needed"), parser)
	}
	return chosen.Run(&environment{streams: std, ctx: ctx, getenv: getenv})
}

// oneOf refuses a value that a flag does not have.
func oneOf(flag, value string, values ...string) error {
	if !slices.Contains(values, value) {
		return usagef("%s %q: it is one of %s", flag, value, strings.Join(values, ", "))
	}
	return nil
}

// version says what was built: the module's version, which names the commit.
func version() string {
	built, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := built.Main.Version
	if v == "" {
		v = "devel"
	}
	return v + " (" + built.GoVersion + ")"
}
