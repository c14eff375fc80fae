//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// measure measures the chosen subjects, one after another, and prints the table.
func measure(ctx context.Context, o options, chosen []subject, out, errs io.Writer) error {
	found, err := findCores()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "handoff-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, cores: found, dir: dir, say: func(format string, args ...any) { fmt.Fprintf(errs, format+"\n", args...) }}
	b.say("building the program")
	if err := b.build(ctx); err != nil {
		return err
	}
	if err := stayOn(found.load); err != nil {
		return err
	}
	var rows []row
	before := loadAverage()
	for _, s := range chosen {
		b.say("measuring %s: %s (load average %s)", s.name, s.about, loadAverage())
		more, err := s.run(ctx, b)
		if err != nil {
			return fmt.Errorf("measuring %s: %w", s.name, err)
		}
		rows = append(rows, more...)
	}
	fmt.Fprintf(out, "%s. Server and load on a core each, %d connections, medians of %d rounds of %s by turns%s. Load average before %s, after %s.\n\n",
		machine(ctx), connections, o.rounds, o.round, map[bool]string{true: " (-quick: these figures say little)"}[o.quick], before, loadAverage())
	printTable(out, rows)
	return nil
}

// machine says where and when this runs, and on what.
func machine(ctx context.Context) string {
	parts := []string{
		time.Now().UTC().Format(time.DateOnly), fmt.Sprintf("%d cores (%s)", runtime.NumCPU(), processor()), "Linux " + firstWord("/proc/sys/kernel/osrelease"), runtime.Version(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			for path, name := range map[string]string{"github.com/labstack/echo/v4": "Echo", "go.etcd.io/bbolt": "bbolt", "github.com/skip2/go-qrcode": "skip2"} {
				if m.Path == path {
					parts = append(parts, name+" "+strings.TrimSuffix(m.Version, "+incompatible"))
				}
			}
		}
	}
	if v, err := exec.CommandContext(ctx, "redis-server", "--version").Output(); err == nil {
		if _, after, ok := bytes.Cut(v, []byte("v=")); ok {
			number, _, _ := bytes.Cut(after, []byte(" "))
			parts = append(parts, "Redis "+string(number))
		}
	}
	if v, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		parts = append(parts, "commit "+strings.TrimSpace(string(v)))
	}
	return strings.Join(parts, ", ")
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func firstWord(file string) string {
	b, err := os.ReadFile(file) //nolint:gosec // G304: of /proc
	if words := strings.Fields(string(b)); err == nil && len(words) > 0 {
		return words[0]
	}
	return "unknown"
}

func loadAverage() string { return firstWord("/proc/loadavg") }
