package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
)

// testLimit bounds one package's tests. go test prints every goroutine then,
// which says more than being killed at the program's own limit.
const testLimit = 24 * time.Minute

// unwatched are packages of the tests alone that the race detector does not watch. It
// makes them several times as slow; and the browser's driver reads a frame's nodes
// without its own lock (chromedp v0.23.0, Target.domEvent), which would now and then
// fail a test of ours.
func unwatched() []string {
	var args []string
	for _, pattern := range []string{"github.com/chromedp/...", "github.com/makiuchi-d/gozxing/...", "github.com/PuerkitoBio/goquery"} {
		args = append(args, "-gcflags="+pattern+"=-race=false")
	}
	return args
}

// atOnce is how many tests of a package run at once: most wait, for a browser or
// a clock, more than they work.
const atOnce = 4

// test runs all tests and counts them.
func (c *checker) test(ctx context.Context) verdict {
	v := verdict{tests: &tally{}}
	args := []string{"test", "-json", "-shuffle=on", "-vet=off", "-parallel=" + strconv.Itoa(atOnce)}
	if _, ok := lookAny([]string{"gcc", "cc", "clang"}); ok {
		args = append(args, "-race")
		args = append(args, unwatched()...)
	} else {
		v.notes = append(v.notes, note{"the race detector: there is no C compiler", remedyFor([]string{"gcc", "libc6-dev"})})
	}
	limit := testLimit
	if c.long {
		c.extra["HANDOFF_LONG"] = "1"
		limit = 0
	}
	args = append(args, "-timeout="+limit.String(), "./...")

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
		v.remedy = "to repeat one: go test -race -run 'TestName' -shuffle SEED ./package"
	case err != nil:
		v.status, v.reason = failed, named("go test", err).Error()
	case v.tests.passed == 0:
		v.status, v.reason = failed, fmt.Sprintf("no test ran (%d skipped)", len(v.tests.skips))
	}
	return v
}
