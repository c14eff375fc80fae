// Command check runs every check this repository has, the same list for people
// and for CI, in one order, to the end:
//
//	go run ./internal/check               everything, within 15 minutes on two cores
//	go run ./internal/check -only lint    one step
//	go run ./internal/check -list         the steps
//
// It first fetches what the steps need. A tool that cannot be had is a failure
// where CI is set, and elsewhere a loud SKIPPED with the way to get it: nothing
// is left out in silence.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

const usage = `Check runs every check of this repository and goes on after a failure.

usage: go run ./internal/check [flags]

  -only NAMES   run these steps only, separated by commas: -only lint,test
  -list         print the steps and what each does, and run nothing
  -long         also what takes long: a minute of fuzzing for each target, and
                the tests that look at HANDOFF_LONG (set to 1 for them)
  -limit TIME   stop after this time and report what is left as failed; 0 is no
                limit (default 40m, with -long none)
  -install=BOOL install missing tools, from Debian's packages when this runs as
                root or sudo asks nothing (default true)

Tools built from source are kept in the user's cache folder, never in the tree.
The browser is the program named by HANDOFF_CHROMIUM, or the first on the PATH
of chromium-headless-shell, chrome-headless-shell (a third of the time, for all
tests but those of a person's own settings), chromium, chromium-browser,
google-chrome, google-chrome-stable.

With CI set, a missing tool is a failure. Without, the step or the tests that
need it are skipped, and the end of the report says so once more.

The last line is "N passed, N failed". It counts tests and their subtests, and
every step without tests of its own as one. Exit status: 0 all good, 1 something
failed, 2 wrong usage.
`

// defaultLimit ends a run that hangs. On two cores that have nothing else to do a
// run takes less than 15 minutes; on a busier machine it may take longer.
const defaultLimit = 30 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	os.Exit(code)
}

// run is the program without the process: it returns the exit status.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) int {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage) }
	only := flags.String("only", "", "")
	list := flags.Bool("list", false, "")
	long := flags.Bool("long", false, "")
	limit := flags.Duration("limit", defaultLimit, "")
	install := flags.Bool("install", true, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(out, "check: unexpected argument %q; see --help\n", flags.Arg(0))
		return 2
	}
	if *list {
		for _, s := range steps() {
			fmt.Fprintf(out, "%-10s %s\n", s.name, s.about)
		}
		return 0
	}
	chosen, err := choose(steps(), *only)
	if err != nil {
		fmt.Fprintf(out, "check: %v\n", err)
		return 2
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		fmt.Fprintf(out, "check: %v\n", err)
		return 2
	}
	if *long && *limit == defaultLimit {
		*limit = 0
	}
	if *limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, *limit, fmt.Errorf("the limit of %s is used up", *limit))
		defer cancel()
	}
	c := &checker{
		root:    root,
		out:     out,
		getenv:  getenv,
		ci:      getenv("CI") != "" && getenv("CI") != "false",
		long:    *long,
		install: *install,
		extra:   map[string]string{},
	}
	return report(out, c.runAll(ctx, chosen))
}

// choose returns the steps named in only, a list separated by commas, with what
// they build on, in the order of all. An empty list is all of them.
func choose(all []step, only string) ([]step, error) {
	if only == "" {
		return all, nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(only, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(all, func(s step) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no step is called %q; -list names them", name)
		}
		wanted[name] = true
		for _, before := range all[i].after {
			wanted[before] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(s step) bool { return !wanted[s.name] }), nil
}
