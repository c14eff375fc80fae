package webhook_test

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// The receiver in the README, copied as it stands, takes what we send, and
// refuses it from anybody else.
func TestReadmeReceiver(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "**Webhooks** tell")
	_, rest, _ = strings.Cut(rest, "```go\n")
	source, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the README has no receiver")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte(strings.Replace(source, "127.0.0.1:8090", address, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "receiver")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, file).CombinedOutput(); err != nil {
		t.Fatalf("go build of the README's receiver: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), program)
	run.Env = append(os.Environ(), "ACME_HOOK="+newSecret.Reveal())
	run.Stderr = t.Output()
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = run.Process.Kill(); _ = run.Wait() }()

	url := "http://" + address + "/hooks"
	deliver := func(secret handoff.Secret) handoff.Receipt {
		t.Helper()
		return sender(t, loopback(), url, nil, secret).Deliver(t.Context(), notice(url))
	}
	for t.Context().Err() == nil { // until it listens
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			break
		}
	}
	if got := deliver(newSecret); got != (handoff.Receipt{Outcome: "status 200", Delivered: true}) {
		t.Errorf("Deliver() to the README's receiver = %+v", got)
	}
	if got := deliver(oldSecret); got != (handoff.Receipt{Outcome: "status 401"}) {
		t.Errorf("Deliver() with another secret to the README's receiver = %+v, want %d", got, http.StatusUnauthorized)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, notice(url).MessageID()) || !strings.Contains(line, `"handoff.connected"`) {
		t.Errorf("the README's receiver said %q, %v, want id and body", line, err)
	}
}
