package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

const (
	fuzzShort = 3 * time.Second  // for each target
	fuzzLong  = 60 * time.Second // for each target with -long
	fuzzCap   = 2 * time.Minute  // for all together, compiling included; none with -long

	// fuzzReserve is what fuzzing leaves of the time for the whole run to the
	// steps after it, and to a target that has begun.
	fuzzReserve = time.Minute
)

var (
	fuzzForm  = regexp.MustCompile(`(?m)^func (Fuzz[^a-z\s(]\w*)\(`)
	benchForm = regexp.MustCompile(`(?m)^func (Benchmark[^a-z\s(]\w*)\(`)
)

// target is a fuzz target or a benchmark.
type target struct {
	pkg  string // as go test takes it: ./internal/handoff
	name string
}

// targets finds functions of the given form in test files, in order.
func (c *checker) targets(form *regexp.Regexp) ([]target, error) {
	files, err := c.files("*_test.go")
	if err != nil {
		return nil, err
	}
	var found []target
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(c.root, filepath.FromSlash(file)))
		if err != nil {
			return nil, fmt.Errorf("looking for targets: %w", err)
		}
		for _, m := range form.FindAllSubmatch(text, -1) {
			found = append(found, target{pkg: "./" + path.Dir(file), name: string(m[1])})
		}
	}
	return found, nil
}

// fuzz runs each fuzz target for a while. Targets that the cap leaves no time
// for are named; their seeds have run as tests all the same.
func (c *checker) fuzz(ctx context.Context) verdict {
	found, err := c.targets(fuzzForm)
	if err != nil {
		return verdictOf(err, "")
	}
	each := fuzzShort
	if c.long {
		each = fuzzLong
	}
	end := time.Now().Add(fuzzCap)
	if limit, ok := ctx.Deadline(); ok && limit.Add(-fuzzReserve).Before(end) {
		end = limit.Add(-fuzzReserve)
	}
	tests := &tally{}
	v := verdict{tests: tests}
	for _, f := range found {
		if !c.long && time.Now().After(end) {
			v.notes = append(v.notes, note{
				what:   fmt.Sprintf("fuzzing %s in %s: the time for all targets is used up", f.name, f.pkg),
				remedy: "go run ./internal/check -only fuzz -long",
			})
			continue
		}
		if err := c.fuzzOne(ctx, f, each); err != nil {
			tests.failed++
			tests.failures = append(tests.failures, f.pkg+"."+f.name)
			continue
		}
		tests.passed++
	}
	if tests.failed > 0 {
		v.status = failed
		v.reason = "a fuzz target failed"
		v.remedy = "the input is under testdata/fuzz now: mend the code, and commit the input as a seed"
	}
	return v
}

// fuzzOne fuzzes one target for a while.
func (c *checker) fuzzOne(ctx context.Context, f target, each time.Duration) error {
	cmd := c.command(ctx, "go", "test", "-run=NONE", "-fuzz=^"+f.name+"$", "-fuzztime="+each.String(), f.pkg)
	var said bytes.Buffer
	both := io.MultiWriter(c.out, &said)
	cmd.Stdout, cmd.Stderr = both, both
	err := cmd.Run()
	if err != nil && ctx.Err() == nil && timeWasUp(said.Bytes()) {
		fmt.Fprintln(c.out, "check: the time was up and nothing was found (go.dev/issue/75804): this is no failure")
		return nil
	}
	return err
}

// timeUpForm is what a fuzz run prints that ended because its time was up.
var timeUpForm = regexp.MustCompile(`(?m)^--- FAIL: Fuzz\w+ \([0-9.]+s\)\n    context deadline exceeded\nFAIL$`)

// timeWasUp tells a run that failed for no other reason than the end of its
// time from one that found something. Go before 1.27 reports the end as a
// failure when the machine is busy (go.dev/issue/75804). A real find is written
// to a file, and says so.
func timeWasUp(said []byte) bool {
	return timeUpForm.Match(said) && bytes.Count(said, []byte("--- FAIL")) == 1 &&
		!bytes.Contains(said, []byte("Failing input")) && !bytes.Contains(said, []byte("panic:"))
}

// bench runs every benchmark once, so that none rots. It compares no times: on
// a shared machine they say little.
func (c *checker) bench(ctx context.Context) verdict {
	found, err := c.targets(benchForm)
	if err != nil || len(found) == 0 {
		return verdictOf(err, "")
	}
	var pkgs []string
	for _, f := range found {
		pkgs = append(pkgs, f.pkg)
	}
	slices.Sort(pkgs)
	args := append([]string{"test", "-run=NONE", "-vet=off", "-bench=.", "-benchtime=1x"}, slices.Compact(pkgs)...)
	return verdictOf(c.run(ctx, "go", args...), "")
}
