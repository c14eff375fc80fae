//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// endWithChildren makes the end of the context end the command's whole process
// group: go test alone would leave test binaries, and those a browser, behind.
func endWithChildren(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
