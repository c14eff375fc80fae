package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/partner"
)

// call runs a command that ends by itself.
func call(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	return callWith(t, func(string) string { return "" }, args...)
}

// callWith is call with an environment.
func callWith(t *testing.T, getenv func(string) string, args ...string) (out string, err error) {
	t.Helper()
	var o bytes.Buffer
	err = run(t.Context(), args, getenv, streams{strings.NewReader(""), &o, t.Output()})
	return o.String(), err
}

func TestRunWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{"fly"},
		{"key", "door"},
		{"phone"},
		{"serve"},
		{"phone", "1234567890", "--yes", "--no"},
		{"phone", "1234567890", "--device-type", "fridge"},
		{"phone", "1234567890", "--device-id", "short"},
		{"sim", "--listen"},
		{"sim", "--listen", "nonsense"},
		{"--no-such-flag"},
	} {
		_, err := call(t, args...)
		if got := exitStatus(err); got != exitUsage {
			t.Errorf("run(%q) exit status = %d (%v), want %d", args, got, err, exitUsage)
		}
	}
}

func TestRunHelp(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "handoff demo --lan"},
		{[]string{"--help"}, "handoff demo --lan"},
		{[]string{"phone", "--help"}, "--no-report"},
		{[]string{"sim", "--help"}, "--listen ADDR"},
		{[]string{"key", "--help"}, "handoff key partner"},
		{[]string{"webhooks", "replay", "--help"}, "Only this notice"},
	} {
		out, err := call(t, tt.args...)
		if err != nil || !strings.Contains(out, tt.want) {
			t.Errorf("run(%q) = %v, %q, want help with %q on standard output", tt.args, err, out, tt.want)
		}
		for line := range strings.Lines(out) {
			if n := utf8.RuneCountInString(line) - 1; n > helpWidth && !strings.HasPrefix(line, "\t") {
				t.Errorf("run(%q) prints %d columns, want %d at most: %q", tt.args, n, helpWidth, line)
			}
		}
	}
	if out, err := call(t, "--version"); err != nil || !strings.Contains(out, "go1.") {
		t.Errorf("run(--version) = %q, %v, want the version", out, err)
	}
}

func TestRunKeys(t *testing.T) {
	out, err := call(t, "key", "partner")
	if err != nil {
		t.Fatal(err)
	}
	key := strings.Fields(out)[1]
	if want := partner.KeyHashText(handoff.Secret(key)); !strings.Contains(out, want) {
		t.Errorf("run(key partner) printed %q, want the key's hash %q", out, want)
	}
	out, err = call(t, "key", "server")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.New([]handoff.Secret{handoff.Secret(strings.TrimSpace(out))}); err != nil {
		t.Errorf("run(key server) printed what keyring.New refuses: %v", err)
	}
	out, err = call(t, "key", "webhook")
	if err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(out), "whsec_")
	if b, err := base64.StdEncoding.DecodeString(text); !ok || err != nil || len(b) != 32 {
		t.Errorf("run(key webhook) printed %q, want whsec_ and 32 bytes of base64 (%v)", out, err)
	}
	out, err = call(t, "key")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"server key: ", "partner key: ", "its hash: ", "webhook secret: ", "sha256:", "whsec_"} {
		if !strings.Contains(out, want) {
			t.Errorf("run(key) printed %q, want one of each kind", out)
		}
	}
}

// start runs a command that serves, and returns what it prints, line by line,
// and a function that stops it and returns its error.
func start(t *testing.T, args ...string) (lines *bufio.Scanner, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, func(string) string { return "" }, streams{strings.NewReader(""), w, t.Output()})
		w.CloseWithError(err) // the reader is told why nothing more comes
		ended <- err
	}()
	t.Cleanup(cancel)
	return bufio.NewScanner(r), func() error {
		cancel()
		go func() { _, _ = io.Copy(io.Discard, r) }()
		return <-ended
	}
}

// address waits for a line that contains label and returns the first URL after it.
func address(t *testing.T, lines *bufio.Scanner, label string) string {
	t.Helper()
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), label); ok {
			for word := range strings.FieldsSeq(rest) {
				if strings.HasPrefix(word, "http") {
					return word
				}
			}
		}
	}
	t.Fatalf("no line with %q and an address was printed: %v", label, lines.Err())
	return ""
}

func TestRunSim(t *testing.T) {
	lines, stop := start(t, "sim", "--listen", "127.0.0.1:0")
	url := address(t, lines, "v2")
	go func() {
		for lines.Scan() {
		}
	}()
	resp, err := http.Get(url + "/journey/health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET health of the stand-in = %s, want 200", resp.Status)
	}
	if err := stop(); err != nil {
		t.Errorf("run(sim) after its context ended = %v, want nil", err)
	}
}

func TestRunLive(t *testing.T) {
	lines, stop := start(t, "sim", "--listen", "127.0.0.1:0")
	at := strings.TrimSuffix(strings.TrimPrefix(address(t, lines, "v2"), "http://"), "/v2/captain")
	go func() {
		for lines.Scan() {
		}
	}()
	// The stand-in is no portal: it answers 401 to paths it does not know.
	if _, err := call(t, "live", "--address", at); exitStatus(err) != exitFaults {
		t.Errorf("run(live) on something that is no portal = %v, want exit status 1", err)
	}
	_ = stop()
	if _, err := call(t, "live", "--address", at); exitStatus(err) != exitFaults {
		t.Errorf("run(live) on nothing = %v, want exit status 1", err)
	}
}
