package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The image is to stay below 25 MB: the program, the certificates it brings and the
// licence.
const (
	imageLimit   = 25_000_000
	certificates = 230_000
	licence      = 12_000
	// What the image's program is smaller by, at least, than one that is made of packages
	// as the tests have compiled them: the flags of the Dockerfile. It was 856,203 bytes
	// on 2026-11-27.
	imageSaves = 830_000
)

// size builds the program and weighs it. In the quick form nothing is compiled anew;
// the long form builds it as the Dockerfile does.
func (c *checker) size(ctx context.Context) verdict {
	dir, err := os.MkdirTemp("", "handoff-size-")
	if err != nil {
		return verdictOf(err, "")
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "handoff")
	callers, err := c.link(ctx, program)
	if err != nil {
		return verdictOf(err, "")
	}
	if len(callers) > 0 {
		return verdict{
			status: failed, reason: strings.Join(callers, ", ") + ": calls methods by name, so the linker keeps every method there is: 10 MB",
			remedy: "do without what calls it: text/template and most command-line libraries do",
		}
	}
	limit := int64(imageLimit - certificates - licence)
	if !c.long {
		return weigh(program, limit+imageSaves)
	}
	line, err := c.imageBuild(program)
	if err != nil {
		return verdictOf(err, "")
	}
	if err := c.run(ctx, "sh", "-c", line); err != nil {
		return verdictOf(err, "")
	}
	return weigh(program, limit)
}

func weigh(program string, limit int64) verdict {
	file, err := os.Stat(program)
	if err != nil {
		return verdictOf(err, "")
	}
	if file.Size() > limit {
		return verdict{
			status: failed, reason: fmt.Sprintf("the program has %d bytes, more than %d: the image would pass 25 MB", file.Size(), limit),
			remedy: "docs/decisions.md has what weighs what",
		}
	}
	return verdict{}
}

// link links the program, and returns the functions in it by which any method may be
// called, but for those that reflect itself has.
func (c *checker) link(ctx context.Context, program string) (callers []string, err error) {
	cmd := c.command(ctx, "go", "build", "-o", program, "-ldflags", "-s -w -dumpdep", "./cmd/handoff")
	cmd.Stderr = nil
	graph, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, named("go build", err)
	}
	lines := bufio.NewScanner(graph)
	lines.Buffer(nil, 1<<20)
	var last []string // the graph's end, which says why, if it ended early
	for lines.Scan() {
		if name, ok := byName(lines.Text()); ok && !slices.Contains(callers, name) {
			callers = append(callers, name)
		}
		if last = append(last, lines.Text()); len(last) > 3 {
			last = last[1:]
		}
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%w: %s", named("go build", err), strings.Join(last, " "))
	}
	return callers, lines.Err()
}

// byName takes the function from a line of the linker's graph, A -> B, if A is in the
// program because something calls it, and calls methods by names of its own.
func byName(line string) (string, bool) {
	from, _, ok := strings.Cut(line, " -> ")
	name, ok2 := strings.CutSuffix(from, " <ReflectMethod>")
	return name, ok && ok2 && !strings.HasPrefix(name, "reflect.")
}

// imageBuild is the command by which the Dockerfile builds the program, to be put
// elsewhere.
func (c *checker) imageBuild(program string) (string, error) {
	const begins, puts = "RUN CGO_ENABLED=0 go build ", "/out/handoff"
	text, err := os.ReadFile(filepath.Join(c.root, "Dockerfile"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
		if strings.HasPrefix(line, begins) && strings.Contains(line, puts) {
			return strings.ReplaceAll(strings.TrimPrefix(line, "RUN "), puts, program), nil
		}
	}
	return "", fmt.Errorf("the Dockerfile has no %q", begins)
}
