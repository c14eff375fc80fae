package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// result is a step that has ended.
type result struct {
	step    string
	verdict verdict
	took    time.Duration
}

// tally counts tests by how they ended.
type tally struct {
	passed, failed int
	failures       []string // names of failed tests and packages
	tops           []top    // the failed tests that are no part of another
	wavered        []string // names of tests that failed, and passed by themselves
	skips          []string // names and reasons of skipped tests
}

// top is a test of a package.
type top struct{ pkg, test string }

func (t top) String() string { return t.pkg + "." + t.test }

// String names a status as the report prints it.
func (s status) String() string {
	switch s {
	case passed:
		return "ok"
	case failed:
		return "FAILED"
	case skipped:
		return "SKIPPED"
	}
	return "unknown"
}

// report prints the table, what was left out, what failed, and the closing
// line. It returns the exit status.
func report(out io.Writer, results []result) int {
	fmt.Fprint(out, "\n=== report\n")
	var total time.Duration
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range results {
		total += r.took
		cells := []string{r.step, r.verdict.status.String(), seconds(r.took), summary(r.verdict)}
		fmt.Fprintln(table, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	fmt.Fprintf(table, "all\t\t%s\n", seconds(total))
	_ = table.Flush() // the writer below it reports its own faults, if it has any

	printSkips(out, results)
	printWavered(out, results)
	printFailures(out, results)

	good, bad := count(results)
	fmt.Fprintf(out, "\n%d passed, %d failed\n", good, bad)
	if bad > 0 {
		return 1
	}
	return 0
}

// count adds up tests, and steps without tests of their own as one each. A step whose tests
// all passed but that failed in another way counts as one failure.
func count(results []result) (good, bad int) {
	for _, r := range results {
		tests := tally{}
		if r.verdict.tests != nil {
			tests = *r.verdict.tests
		}
		if !r.verdict.again {
			good += tests.passed
		}
		bad += tests.failed
		switch r.verdict.status {
		case passed:
			if r.verdict.tests == nil || r.verdict.again {
				good++
			}
		case failed:
			if tests.failed == 0 {
				bad++
			}
		case skipped:
		}
	}
	return good, bad
}

// summary is the last column of the table.
func summary(v verdict) string {
	var parts []string
	if v.tests != nil {
		parts = append(parts, fmt.Sprintf("%d tests passed, %d failed, %d skipped",
			v.tests.passed, v.tests.failed, len(v.tests.skips)))
	}
	if v.reason != "" {
		parts = append(parts, v.reason)
	}
	if len(v.notes) > 0 {
		parts = append(parts, fmt.Sprintf("%d parts left out", len(v.notes)))
	}
	return strings.Join(parts, "; ")
}

// printSkips repeats everything that was not run, so that nobody takes it for
// passed.
func printSkips(out io.Writer, results []result) {
	var lines []string
	for _, r := range results {
		if r.verdict.status == skipped {
			lines = append(lines, fmt.Sprintf("SKIPPED step %s: %s%s", r.step, r.verdict.reason, hint(r.verdict.remedy)))
		}
		for _, n := range r.verdict.notes {
			lines = append(lines, fmt.Sprintf("SKIPPED in %s: %s%s", r.step, n.what, hint(n.remedy)))
		}
		if r.verdict.tests != nil {
			for _, s := range r.verdict.tests.skips {
				lines = append(lines, "SKIPPED test "+s)
			}
		}
	}
	printBlock(out, lines)
}

// printWavered names the tests that did not fail twice, so that somebody mends them.
func printWavered(out io.Writer, results []result) {
	var lines []string
	for _, r := range results {
		if r.verdict.tests != nil {
			for _, w := range r.verdict.tests.wavered {
				lines = append(lines, "FLAKY test "+w+": failed among all the others, passed by itself; what it said stands above")
			}
		}
	}
	printBlock(out, lines)
}

// printFailures names what failed and what to do about it.
func printFailures(out io.Writer, results []result) {
	var lines []string
	for _, r := range results {
		if r.verdict.tests != nil {
			for _, f := range r.verdict.tests.failures {
				lines = append(lines, "FAILED test "+f)
			}
		}
		if r.verdict.status == failed {
			lines = append(lines, fmt.Sprintf("FAILED step %s: %s%s", r.step, r.verdict.reason, hint(r.verdict.remedy)))
		}
	}
	printBlock(out, lines)
}

func printBlock(out io.Writer, lines []string) {
	if len(lines) > 0 {
		fmt.Fprintf(out, "\n%s\n", strings.Join(lines, "\n"))
	}
}

func hint(remedy string) string {
	if remedy == "" {
		return ""
	}
	return "\n    to fix it: " + remedy
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
