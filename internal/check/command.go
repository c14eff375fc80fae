package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// command prepares a command that runs at the root of the module, writes to the
// report, reads nothing, and ends with ctx together with its children. It is
// printed in a form to copy.
func (c *checker) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	shown := name
	if filepath.IsAbs(name) {
		shown = filepath.Base(name)
	}
	fmt.Fprintf(c.out, "$ %s\n", strings.Join(append([]string{shown}, args...), " "))
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // every command is written out in this package
	cmd.Dir = c.root
	cmd.Env = c.environment()
	cmd.Stdout = c.out
	cmd.Stderr = c.out
	endWithChildren(cmd)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// run runs a command and waits for its end.
func (c *checker) run(ctx context.Context, name string, args ...string) error {
	return named(name, c.command(ctx, name, args...).Run())
}

// named adds to an exit status whose it is.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%s: %s", filepath.Base(name), exit.ProcessState)
	}
	return fmt.Errorf("%s: %w", filepath.Base(name), err)
}

// environment is the environment of every command. Version control stamps are
// off: a tree that belongs to another user, as in many containers, would fail
// every build of a program.
func (c *checker) environment() []string {
	env := append(os.Environ(), "GOFLAGS="+strings.TrimSpace(c.getenv("GOFLAGS")+" -buildvcs=false"))
	for _, name := range slices.Sorted(maps.Keys(c.extra)) {
		env = append(env, name+"="+c.extra[name])
	}
	return env
}

// moduleRoot is the folder of the go.mod in force.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("asking go for the module: %w", err)
	}
	path := strings.TrimSpace(string(out))
	if path == "" || path == os.DevNull {
		return "", errors.New("run this inside the repository: there is no go.mod here")
	}
	return filepath.Dir(path), nil
}
