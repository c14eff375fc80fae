//go:build linux

// Command bench measures the portal beside yardsticks, in one run, and prints the
// table of docs/performance.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const usage = `Bench measures the portal beside yardsticks and prints the goals as a table in
Markdown: what was measured, beside what, the goal, and whether it is met.

usage: go run ./internal/bench [flags]

  -only NAMES   measure these only, separated by commas: -only page,create
  -list         print what can be measured, and measure nothing
  -quick        short rounds and few of everything, to see that it works: such
                figures say little
  -round TIME   length of a round (default 3s, with -quick 300ms)
  -rounds N     rounds of each, by turns with its yardstick (default 3)
  -viewers N    open displays where viewers are measured (default 10000, with
                -quick 200)

How it measures: "handoff serve", built anew, runs in a process of its own on the
first core, and so does every yardstick; what sends requests runs on the last one,
with the stand-in for the platform and Redis. Over 64 connections that are kept,
each answer is followed by the next request. Rounds of the portal and of its
yardstick alternate; medians of the rounds are printed, and of their ratios. Beside
the rates stands the processor time that the server spent on a request, which other
work on the machine changes less.

It needs Linux, two cores, the go command, and redis-server for what is kept in
Redis; without it those rows say so. 10,000 viewers need as many open files
(ulimit -n). Nothing is left behind. Exit status: 0 measured, whatever the figures
say; 1 something failed; 2 wrong usage.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are what the command line says.
type options struct {
	quick   bool
	round   time.Duration
	rounds  int
	viewers int
}

// run is the program without the process: it returns the exit status.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	if len(args) > 0 && args[0] == roleArgument {
		return exitStatus(errs, play(ctx, args[1:]))
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() { fmt.Fprint(out, usage) }
	var o options
	only := flags.String("only", "", "")
	list := flags.Bool("list", false, "")
	flags.BoolVar(&o.quick, "quick", false, "")
	flags.DurationVar(&o.round, "round", 0, "")
	flags.IntVar(&o.rounds, "rounds", 3, "")
	flags.IntVar(&o.viewers, "viewers", 0, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.round < 0 || o.viewers < 0 {
		fmt.Fprintln(errs, "bench: wrong usage; see --help")
		return 2
	}
	if *list {
		for _, s := range subjects() {
			fmt.Fprintf(out, "%-8s %s\n", s.name, s.about)
		}
		return 0
	}
	chosen, err := choose(*only)
	if err != nil {
		fmt.Fprintln(errs, "bench:", err)
		return 2
	}
	if o.round == 0 {
		o.round = 3 * time.Second
		if o.quick {
			o.round = 300 * time.Millisecond
		}
	}
	if o.viewers == 0 {
		o.viewers = 10_000
		if o.quick {
			o.viewers = 200
		}
	}
	return exitStatus(errs, measure(ctx, o, chosen, out, errs))
}

func exitStatus(errs io.Writer, err error) int {
	if err != nil {
		fmt.Fprintln(errs, "bench:", err)
		return 1
	}
	return 0
}

// choose returns the subjects named in only, a list separated by commas, in the
// order of all. An empty list is all of them.
func choose(only string) ([]subject, error) {
	if only == "" {
		return subjects(), nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(only, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	var chosen []subject
	for _, s := range subjects() {
		if wanted[s.name] {
			chosen = append(chosen, s)
			delete(wanted, s.name)
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("there is no %q to measure; -list names all there is", name)
	}
	return chosen, nil
}
