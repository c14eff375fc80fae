package main

import (
	"context"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// commands is the whole command line.
type commands struct {
	Serve    serveCommand    `cmd:"" help:"Serve the portal."`
	Demo     demoCommand     `cmd:"" help:"Everything at once, nothing to configure: portal, a made-up shop, a stand-in platform, an app."`
	Sim      simCommand      `cmd:"" help:"The stand-in platform alone."`
	Phone    phoneCommand    `cmd:"" help:"The reference app: take a link, a picture of a code, or ten digits, as a partner's app would."`
	Check    checkCommand    `cmd:"" help:"Every fault of a configuration at once, with line and remedy."`
	Doctor   doctorCommand   `cmd:"" help:"What is wrong with the world around a running portal, and the one line to change."`
	Key      keyCommand      `cmd:"" help:"Make keys: a partner's, a server's, a webhook secret."`
	Show     showCommand     `cmd:"" help:"What became of a handoff, step by step, and what to tell the person who asks."`
	Webhooks webhooksCommand `cmd:"" help:"What partners were told, and telling them again."`
	Backup   backupCommand   `cmd:"" help:"Copy the file store of a running portal."`
	Live     liveCommand     `cmd:"" help:"Ask a running portal whether it is alive: for a container's health check."`

	Version kong.VersionFlag `help:"Print the version and exit."`
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

// run is the program: everything main does except touch the process. It returns
// when the command is done; those that serve are done when ctx is cancelled and
// open requests have finished.
func run(ctx context.Context, args []string, getenv func(string) string, std streams) error {
	var cli commands
	done := false
	parser, err := kong.New(&cli,
		kong.Name("handoff"),
		kong.Description(description),
		kong.Vars{"version": version()},
		kong.Writers(std.out, std.errs),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Exit(func(int) { done = true }), // --help and --version have printed
	)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if done {
		return nil
	}
	if err != nil {
		return &usageError{err}
	}
	return parsed.Run(&environment{streams: std, ctx: ctx, getenv: getenv})
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
