// Command handoff serves the portal, and helps those who integrate it: a demo
// with nothing to configure, a stand-in platform, a reference app, and checks.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Exit statuses.
const (
	exitGood   = 0
	exitFaults = 1
	exitUsage  = 2
)

func main() {
	redis.SetLogger(redisLog{newLog(os.Stderr, slog.LevelInfo), new(atomic.Int64)}) // the library has one for the process
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	if err != nil && !errors.Is(err, errTold) {
		fmt.Fprintln(os.Stderr, "handoff:", err)
	}
	os.Exit(exitStatus(err))
}

// streams are the three files of a process: results go to out, logs and
// questions to errs.
type streams struct {
	in   io.Reader
	out  io.Writer
	errs io.Writer
}

// errTold is a failure that has already been told on standard error or output.
var errTold = errors.New("told already")

// usageError is a command line that asks for nothing there is.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() + "\nSee handoff --help." }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// exitStatus is what a shell is told of err.
func exitStatus(err error) int {
	if err == nil {
		return exitGood
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFaults
}
