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

// atOnce is how many tests of a package run at once: most wait, for a browser,
// another program or a clock, more than they work.
const atOnce = 4

// unraced is in what a test says that the race detector's presence skips: in
// internal/browser, and where it takes long. The step before has run those.
const unraced = "not with the race detector"

// test runs all tests and counts them.
func (c *checker) test(ctx context.Context) verdict {
	return c.goTest(ctx, []string{"./..."}, "go test -run 'TestName' -shuffle SEED ./package")
}

// race runs the tests that drive no browser, and do not take long, once more, watched
// by the race detector.
func (c *checker) race(ctx context.Context) verdict {
	if _, ok := lookAny([]string{"gcc", "cc", "clang"}); !ok {
		return c.missing("there is no C compiler", remedyFor([]string{"gcc", "libc6-dev"}))
	}
	packages, err := c.packages(ctx)
	if err != nil {
		return verdictOf(err, "")
	}
	packages = slices.DeleteFunc(packages, func(path string) bool {
		return slices.ContainsFunc(alone(), func(pkg string) bool { return strings.HasSuffix(path, pkg) })
	})
	v := c.goTest(ctx, packages, "go test -race -run 'TestName' -shuffle SEED ./package", "-race")
	v.again = true
	v.tests.skips = slices.DeleteFunc(v.tests.skips, func(skip string) bool { return strings.Contains(skip, unraced) })
	return v
}

// alone are packages without two goroutines of their own, whose tests take long
// where the race detector watches, and one that tests finished programs.
func alone() []string {
	return []string{"/internal/qr", "/internal/phone", "/internal/i18n", "/templates", "/internal/reliability"}
}

// packages lists those of the module.
func (c *checker) packages(ctx context.Context) ([]string, error) {
	cmd := c.command(ctx, "go", "list", "./...")
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return nil, named("go list", err)
	}
	return strings.Fields(out.String()), nil
}

// goTest runs the tests of packages. again is how to repeat one.
func (c *checker) goTest(ctx context.Context, packages []string, again string, flags ...string) verdict {
	v := verdict{tests: &tally{}}
	limit := testLimit
	if c.long {
		c.extra["HANDOFF_LONG"] = "1"
		limit = 0
	}
	args := append([]string{"test", "-json", "-shuffle=on", "-vet=off", "-parallel=" + strconv.Itoa(atOnce), "-timeout=" + limit.String()}, flags...)
	args = append(args, packages...)

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
	if !slices.Contains(flags, "-race") && v.tests.mayWaver() { // a race that shows once is there
		c.lookAgain(ctx, v.tests)
		if v.tests.failed == 0 {
			err = nil
		}
	}
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
