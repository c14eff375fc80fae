package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// step is one check.
type step struct {
	name  string
	about string
	after []string // steps this one builds on, and so brings along
	run   func(*checker, context.Context) verdict
}

// status is how a step ended.
type status int

const (
	passed status = iota
	failed
	skipped // not run, or not fully: never counted as passed
)

// verdict is how a step ended, and why if not well.
type verdict struct {
	status status
	reason string // one line
	remedy string // what to do about it, if that is known
	tests  *tally // for the steps that run tests
	again  bool   // its tests have run before and count as one
	notes  []note // parts left out of a step that otherwise ran
}

// note is a part of a step that was left out.
type note struct{ what, remedy string }

// steps is the list of checks in their order: what others build on first, then
// what is quick, then what is slow.
func steps() []step {
	return []step{
		{
			name:  "tools",
			about: "finds or installs what the tests need: a browser, fonts, a QR decoder, a C compiler, Redis",
			run:   (*checker).tools,
		},
		{
			name:  "tidy",
			about: "go.mod and go.sum say what the code imports",
			run:   commandStep("run go mod tidy", "go", "mod", "tidy", "-diff"),
		},
		{
			name:  "generate",
			about: "generated files are what go generate makes today",
			run:   (*checker).generate,
		},
		{
			name:  "templ",
			about: "templates are formatted",
			run:   (*checker).templates,
		},
		{
			name:  "imports",
			about: "packages import inward only, generated code too",
			run:   (*checker).imports,
		},
		{
			name:  "vet",
			about: "go vet",
			run:   commandStep("", "go", "vet", "./..."),
		},
		{
			name:  "size",
			about: "the image stays below 25 MB, and nothing makes the linker keep what nobody calls; with -long, built as the Dockerfile does",
			run:   (*checker).size,
		},
		{
			name:  "lint",
			about: "golangci-lint with .golangci.yml: faults, imports that point outward, house rules",
			run:   (*checker).lint,
		},
		{
			name:  "format",
			about: "gofumpt and goimports leave every file as it is",
			run:   (*checker).format,
		},
		{
			name:  "openapi",
			about: "the linter Redocly CLI finds nothing to say of the API's description; needs Node",
			after: []string{"tools"},
			run:   (*checker).openapi,
		},
		{
			name:  "test",
			about: "all tests in random order, browser tests among them",
			after: []string{"tools"},
			run:   (*checker).test,
		},
		{
			name:  "race",
			about: "the tests that drive no browser once more, with the race detector; needs a C compiler",
			after: []string{"tools"},
			run:   (*checker).race,
		},
		{
			name:  "fuzz",
			about: "every fuzz target for a few seconds, with -long for a minute",
			run:   (*checker).fuzz,
		},
		{
			name:  "bench",
			about: "every benchmark compiles and runs once; no figure is compared",
			run:   (*checker).bench,
		},
		{
			name:  "vuln",
			about: "govulncheck: no known vulnerability is reachable; needs vuln.go.dev",
			run:   (*checker).vuln,
		},
	}
}

// checker is one run of the program.
type checker struct {
	root    string // of the module
	out     io.Writer
	getenv  func(string) string
	ci      bool
	long    bool
	install bool
	extra   map[string]string // environment added for every command
}

// commandStep is a step that is one command: it passes if the command exits 0.
func commandStep(remedy, name string, args ...string) func(*checker, context.Context) verdict {
	return func(c *checker, ctx context.Context) verdict {
		return verdictOf(c.run(ctx, name, args...), remedy)
	}
}

// verdictOf is passed for a nil error, and failed for another.
func verdictOf(err error, remedy string) verdict {
	if err != nil {
		return verdict{status: failed, reason: err.Error(), remedy: remedy}
	}
	return verdict{}
}

// missing is the verdict for something that cannot be had: a failure in CI,
// where nobody would read that it was skipped.
func (c *checker) missing(reason, remedy string) verdict {
	v := verdict{status: skipped, reason: reason, remedy: remedy}
	if c.ci {
		v.status = failed
	}
	return v
}

// lint runs the linters.
func (c *checker) lint(ctx context.Context) verdict {
	return c.withTool(ctx, golangciLint, "", "run", "--allow-parallel-runners", "./...")
}

// format compares every file with what the formatters would make of it.
func (c *checker) format(ctx context.Context) verdict {
	return c.withTool(ctx, golangciLint, "run golangci-lint fmt, or gofumpt -w and goimports -w", "fmt", "--diff")
}

// templates checks the form of .templ files. Prettier is kept out of it: templ
// uses it wherever it is installed, and so the answer would depend on the
// machine.
func (c *checker) templates(ctx context.Context) verdict {
	files, err := c.files("*.templ")
	if err != nil || len(files) == 0 {
		return verdictOf(err, "")
	}
	return verdictOf(
		c.run(ctx, "go", "tool", "templ", "fmt", "-fail", "-prettier-command=none", "."),
		"the files are formatted now; commit them",
	)
}

// withTool runs a Go tool with args, after installing it if need be.
func (c *checker) withTool(ctx context.Context, t goTool, remedy string, args ...string) verdict {
	path, err := c.goTool(ctx, t)
	if err != nil {
		return c.missing(err.Error(), "go install "+t.at())
	}
	return verdictOf(c.run(ctx, path, args...), remedy)
}

// runAll runs the steps one after another, whatever becomes of each.
func (c *checker) runAll(ctx context.Context, chosen []step) []result {
	var results []result
	for i, s := range chosen {
		fmt.Fprintf(c.out, "\n=== %d/%d %s: %s\n", i+1, len(chosen), s.name, s.about)
		start := time.Now()
		v := verdict{status: failed, reason: "not run: " + reasonOf(ctx)}
		if ctx.Err() == nil {
			v = s.run(c, ctx)
			if ctx.Err() != nil && v.status == failed {
				v.reason = "stopped: " + reasonOf(ctx)
			}
		}
		r := result{step: s.name, verdict: v, took: time.Since(start)}
		fmt.Fprintf(c.out, "=== %s %s in %s\n", s.name, r.verdict.status, r.took.Round(100*time.Millisecond))
		results = append(results, r)
	}
	return results
}

// reasonOf says why ctx ended.
func reasonOf(ctx context.Context) string {
	if err := context.Cause(ctx); err != nil {
		return err.Error()
	}
	return "unknown"
}
