package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// testLimit bounds one package's tests. go test prints every goroutine then,
// which says more than being killed at the program's own limit.
const testLimit = 12 * time.Minute

// atOnce is how many tests of a package run at once: most wait, for a browser or
// a clock, more than they work.
const atOnce = 4

// withoutBrowser is in what a test says that the race detector's presence skips:
// internal/browser has it. The step before has run those.
const withoutBrowser = "not with the race detector"

// test runs all tests and counts them.
func (c *checker) test(ctx context.Context) verdict {
	return c.goTest(ctx, "go test -run 'TestName' -shuffle SEED ./package")
}

// race runs the tests that drive no browser once more, watched by the race detector.
func (c *checker) race(ctx context.Context) verdict {
	if _, ok := lookAny([]string{"gcc", "cc", "clang"}); !ok {
		return c.missing("there is no C compiler", remedyFor([]string{"gcc", "libc6-dev"}))
	}
	v := c.goTest(ctx, "go test -race -run 'TestName' -shuffle SEED ./package", "-race")
	v.again = true
	v.tests.skips = slices.DeleteFunc(v.tests.skips, func(skip string) bool { return strings.Contains(skip, withoutBrowser) })
	return v
}

// goTest runs the tests of all packages. again is how to repeat one.
func (c *checker) goTest(ctx context.Context, again string, flags ...string) verdict {
	v := verdict{tests: &tally{}}
	limit := testLimit
	if c.long {
		c.extra["HANDOFF_LONG"] = "1"
		limit = 0
	}
	args := append([]string{"test", "-json", "-shuffle=on", "-vet=off", "-parallel=" + strconv.Itoa(atOnce), "-timeout=" + limit.String()}, flags...)
	args = append(args, "./...")

	stop, err := c.startRedis(ctx)
	if err != nil {
		v.notes = append(v.notes, note{"tests against a real Redis: " + err.Error(), remedyFor([]string{"redis-server"})})
		if c.ci {
			v.status, v.reason = failed, "no Redis to test with"
		}
	}
	defer stop()

	cmd := c.command(ctx, "go", args...)
	pipe, events := io.Pipe()
	cmd.Stdout = events
	read := make(chan struct{})
	go func() {
		defer close(read)
		v.tests.read(pipe, c.out)
	}()
	err = cmd.Run()
	_ = events.Close() // never fails: it only tells the reader that this is the end
	<-read
	switch {
	case v.tests.failed > 0:
		v.status, v.reason = failed, "tests failed"
		v.remedy = "to repeat one: " + again
	case err != nil:
		v.status, v.reason = failed, named("go test", err).Error()
	case v.tests.passed == 0:
		v.status, v.reason = failed, fmt.Sprintf("no test ran (%d skipped)", len(v.tests.skips))
	}
	return v
}
