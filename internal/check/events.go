package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is a line of go test -json (go doc test2json, go help buildjson).
type event struct {
	Action  string
	Package string // empty for the output of a build
	Test    string // empty for what concerns a whole package
	Output  string
}

// testReader makes sense of the events of one go test -json.
type testReader struct {
	tally    *tally
	out      io.Writer
	said     map[string][]string // package or package.Test to its output
	open     map[string][]string // package to its tests that have begun and not ended
	failedIn map[string]bool     // packages with a test counted as failed
}

// read counts the events of go test -json. It prints a line for each package
// when it ends, and all that a failed test or package said; what a passing one
// said is dropped.
func (t *tally) read(events io.Reader, out io.Writer) {
	r := &testReader{
		tally:    t,
		out:      out,
		said:     map[string][]string{},
		open:     map[string][]string{},
		failedIn: map[string]bool{},
	}
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		var e event
		switch {
		case strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &e) == nil:
			r.take(e)
		default:
			fmt.Fprint(out, line) // not an event: the go command itself speaks
		}
		if err != nil {
			break
		}
	}
	r.endRest()
}

// endRest counts what was running when the events ended, as they do when the
// time is up, as failed: those are the tests to look at.
func (r *testReader) endRest() {
	for _, pkg := range slices.Sorted(maps.Keys(r.open)) {
		for _, test := range r.open[pkg] {
			fmt.Fprintf(r.out, "%s--- FAIL: %s did not end\n", strings.Join(r.said[test], ""), test)
			r.tally.failed++
			r.tally.failures = append(r.tally.failures, test+" (did not end)")
		}
	}
}

// key names the test of an event, or its package.
func (e event) key() string {
	if e.Test == "" {
		return e.Package
	}
	return e.Package + "." + e.Test
}

func (r *testReader) take(e event) {
	switch e.Action {
	case "run":
		r.open[e.Package] = append(r.open[e.Package], e.key())
	case "output":
		r.said[e.key()] = append(r.said[e.key()], e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test != "" {
			r.endTest(e)
			return
		}
		r.endPackage(e)
	}
}

// endTest counts one test, and prints what it said if it failed.
func (r *testReader) endTest(e event) {
	said := r.said[e.key()]
	delete(r.said, e.key())
	r.open[e.Package] = slices.DeleteFunc(r.open[e.Package], func(key string) bool { return key == e.key() })
	if e.Action == "skip" && slices.Contains(said, dataRace) {
		e.Action = "fail" // go test itself notices only when the package ends
	}
	switch e.Action {
	case "pass":
		r.tally.passed++
	case "fail":
		r.tally.failed++
		r.tally.failures = append(r.tally.failures, e.key())
		if !strings.Contains(e.Test, "/") {
			r.tally.tops = append(r.tally.tops, top{e.Package, e.Test})
		}
		r.failedIn[e.Package] = true
		fmt.Fprint(r.out, strings.Join(said, ""))
	case "skip":
		r.tally.skips = append(r.tally.skips, e.key()+": "+skipReason(said))
	}
}

// endPackage prints the closing line of a package. If the package failed, it
// prints everything that is left: the seed of the order, a panic, the output of
// tests that a panic or a time limit cut short. A package that failed without a
// failed test, as one that does not compile, counts as one failure.
func (r *testReader) endPackage(e event) {
	said := r.said[e.Package]
	open := r.open[e.Package]
	delete(r.said, e.Package)
	delete(r.open, e.Package)
	if e.Action != "fail" {
		for _, l := range said {
			if strings.HasPrefix(l, "ok ") || strings.HasPrefix(l, "? ") {
				fmt.Fprint(r.out, l)
			}
		}
		return
	}
	for _, test := range open {
		fmt.Fprint(r.out, strings.Join(r.said[test], ""))
		delete(r.said, test)
	}
	fmt.Fprint(r.out, strings.Join(said, ""))
	if !r.failedIn[e.Package] {
		r.tally.failed++
		r.tally.failures = append(r.tally.failures, e.Package)
	}
}

// dataRace begins a report of the race detector.
const dataRace = "WARNING: DATA RACE\n"

// reasonForm is how go test prints what a test said: with the line it said it
// on.
var reasonForm = regexp.MustCompile(`^\s+\w+\.go:\d+: `)

// skipReason picks from a skipped test's output what it said last, on skipping.
func skipReason(said []string) string {
	reason := "no reason given"
	for _, l := range said {
		if reasonForm.MatchString(l) {
			reason = strings.TrimSpace(l)
		}
	}
	return reason
}
