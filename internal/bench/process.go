//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cores are where things run: what is measured has one of its own.
type cores struct{ server, load int }

// findCores takes the first and the last core that this process may use.
func findCores() (cores, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return cores{}, fmt.Errorf("asking which cores there are: %w", err)
	}
	c := cores{-1, -1}
	for i := range 1024 {
		if set.IsSet(i) {
			if c.server < 0 {
				c.server = i
			}
			c.load = i
		}
	}
	if c.server == c.load {
		return c, errors.New("there is one core, and it takes two: one for the server, one for the load")
	}
	return c, nil
}

func only(core int) *unix.CPUSet {
	var set unix.CPUSet
	set.Set(core)
	return &set
}

// stayOn keeps this process on a core: its threads, and those they start.
func stayOn(core int) error {
	for range 3 { // a thread may be starting meanwhile
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("listing this process's threads: %w", err)
		}
		for _, t := range tasks {
			id, _ := strconv.Atoi(t.Name())
			if err := unix.SchedSetaffinity(id, only(core)); err != nil && err != unix.ESRCH {
				return fmt.Errorf("staying on core %d: %w", core, err)
			}
		}
	}
	runtime.GOMAXPROCS(1)
	return nil
}

// process is one that this run started.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	ended chan struct{}
}

// start starts a program on a core. It ends with this process, whatever becomes
// of that.
func start(ctx context.Context, core int, env []string, errs io.Writer, program string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, program, args...), ended: make(chan struct{})} //nolint:gosec // G204: ours, and redis-server
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = errs
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = 5 * time.Second
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewScanner(out)
	// A child has the cores of the thread that starts it. That thread is not used
	// for anything else: Pdeathsig looks at it, and its cores are no longer ours.
	begun := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.SchedSetaffinity(0, only(core)); err != nil {
			begun <- err
			return
		}
		begun <- p.cmd.Start()
		<-p.ended
	}()
	if err := <-begun; err != nil {
		close(p.ended)
		return nil, fmt.Errorf("starting %s on core %d: %w", filepath.Base(program), core, err)
	}
	return p, nil
}

// line is the next line that the process prints.
func (p *process) line() (string, error) {
	if p.lines.Scan() {
		return p.lines.Text(), nil
	}
	if err := p.lines.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("%s has ended", filepath.Base(p.cmd.Path))
}

// ask sends a line and returns the answer.
func (p *process) ask(question string) (string, error) {
	if _, err := io.WriteString(p.in, question+"\n"); err != nil {
		return "", err
	}
	return p.line()
}

// stop ends the process: one of ours ends with its input.
func (p *process) stop() {
	_ = p.in.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = p.cmd.Wait()                          // how it ended is of no interest
	close(p.ended)
}

// spent is the processor time of the process so far.
func (p *process) spent() (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, f := range files {
		b, err := os.ReadFile(f) //nolint:gosec // G304: of /proc
		if err != nil {
			continue // a thread that ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", f, err)
		}
		total += time.Duration(ns)
	}
	return total, nil
}

// resident is the memory of the process, in bytes, as the kernel counts it, and
// the part of it that is the program's file, which the kernel may drop at any time.
func (p *process) resident() (all, file int, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	var size, pages, shared int
	if _, err := fmt.Sscan(string(b), &size, &pages, &shared); err != nil {
		return 0, 0, fmt.Errorf("reading %q: %w", b, err)
	}
	return pages * os.Getpagesize(), shared * os.Getpagesize(), nil
}
