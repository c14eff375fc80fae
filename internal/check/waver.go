package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// mostWavering is how many failed tests are looked at again: more are no accident.
const mostWavering = 3

// steadfast are packages whose tests lose what they look for if they pass the second
// time: those that count what is lost.
func steadfast() []string {
	return []string{"/internal/reliability", "/internal/store/boltstore", "/internal/store/redisstore", "/internal/handoff", "/internal/webhook"}
}

// mayWaver reports whether what failed are a few tests that ended, of packages that
// drive browsers and other programs: a machine that is busy can make one fail.
func (t *tally) mayWaver() bool {
	if len(t.tops) == 0 || len(t.tops) > mostWavering {
		return false
	}
	for _, failure := range t.failures {
		if !slices.ContainsFunc(t.tops, func(test top) bool { return test.has(failure) }) {
			return false
		}
	}
	return !slices.ContainsFunc(t.tops, func(test top) bool {
		return slices.ContainsFunc(steadfast(), func(pkg string) bool { return strings.HasSuffix(test.pkg, pkg) })
	})
}

// has reports whether a failure is the test's own, or one of its parts'.
func (t top) has(failure string) bool {
	return failure == t.String() || strings.HasPrefix(failure, t.String()+"/")
}

// lookAgain runs each failed test once more, by itself. One that passes has
// wavered: the report names it, and it counts as passed.
func (c *checker) lookAgain(ctx context.Context, t *tally) {
	for _, test := range slices.Clone(t.tops) {
		fmt.Fprintf(c.out, "\n=== once more, by itself: %s\n", test)
		cmd := c.command(ctx, "go", "test", "-json", "-vet=off", "-count=1", "-timeout="+testLimit.String(), "-run=^"+regexp.QuoteMeta(test.test)+"$", test.pkg)
		var events bytes.Buffer
		cmd.Stdout = &events
		err := cmd.Run()
		var second tally
		second.read(&events, c.out)
		if err == nil && second.failed == 0 && second.passed > 0 {
			t.waver(test)
		}
	}
}

// waver takes a test back from what failed.
func (t *tally) waver(test top) {
	before := len(t.failures)
	t.failures = slices.DeleteFunc(t.failures, test.has)
	taken := before - len(t.failures)
	t.failed, t.passed = t.failed-taken, t.passed+taken
	t.tops = slices.DeleteFunc(t.tops, func(other top) bool { return other == test })
	t.wavered = append(t.wavered, test.String())
}
