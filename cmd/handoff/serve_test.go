package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/partner"
)

const settings = `public_url: http://127.0.0.1:%[1]d
link_url: http://localhost:%[1]d
listen: 127.0.0.1:%[1]d
internal_listen: 127.0.0.1:%[2]d
server_keys: [env:HANDOFF_KEY]
store: file:handoff.db
platform:
  version: v2
  api_url: %[3]s
  token_url: %[4]s/as/token.oauth2
  grant: client_credentials
  scope: gbg.token
  client_id: env:GBG_CLIENT_ID
  client_secret: env:GBG_CLIENT_SECRET
partners:
  - id: acme
    name: Acme Bank
    keys: ["%[5]s"]
    apps:
      - {id: main, name: Acme, scheme: com.acme.app}
`

func settingsEnv() func(string) string {
	values := map[string]string{"HANDOFF_KEY": keyring.Generate(), "GBG_CLIENT_ID": "any", "GBG_CLIENT_SECRET": "demo"}
	return func(name string) string { return values[name] }
}

func writeSettings(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "handoff.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// logged is one line of the log.
type logged struct {
	Msg string `json:"msg"`
}

// startServe serves a configuration until stop is called. heard gets the message
// of every line of the log.
func startServe(t *testing.T, getenv func(string) string, args ...string) (heard <-chan string, stop func(), ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, w := io.Pipe()
	end := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"serve"}, args...), getenv, streams{strings.NewReader(""), io.Discard, w})
		w.Close()
		end <- err
	}()
	messages := make(chan string, 1000)
	go func() {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			var l logged
			if json.Unmarshal(lines.Bytes(), &l) == nil {
				messages <- l.Msg
			}
		}
		close(messages)
	}()
	return messages, cancel, end
}

func awaitLog(t *testing.T, heard <-chan string, message string) {
	t.Helper()
	for m := range heard {
		if m == message {
			return
		}
	}
	t.Fatalf("the log ended without %q", message)
}

func status(t *testing.T, address string) int {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// create asks for a handoff and returns its display.
func create(t *testing.T, public, key string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, public+"/v1/handoffs", strings.NewReader(`{"instanceId":"PiServeTest000001"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var h struct{ DisplayURL string }
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("POST /v1/handoffs = %s, %v", resp.Status, err)
	}
	return h.DisplayURL
}

// A stream is open when the portal is told to stop: readiness goes first, the
// stream ends, and so does the program, with nothing lost.
func TestServeStops(t *testing.T) {
	lines, stopSim := start(t, "sim", "--listen", "127.0.0.1:0")
	api := address(t, lines, "v2")
	go func() {
		for lines.Scan() {
		}
	}()
	defer stopSim()
	port, env := fourPorts(t), settingsEnv()
	key := partner.NewKey()
	file := writeSettings(t, fmt.Sprintf(settings, port, port+1, api, strings.TrimSuffix(api, "/v2/captain"), partner.KeyHashText(key)))
	heard, stop, ended := startServe(t, env, "--config", file, "--drain", "1s")
	awaitLog(t, heard, "serving")

	internal := fmt.Sprintf("http://127.0.0.1:%d", port+1)
	if got := status(t, internal+"/readyz"); got != http.StatusOK {
		t.Errorf("GET /readyz = %d, want 200", got)
	}
	if _, err := call(t, "live", "--address", strings.TrimPrefix(internal, "http://")); err != nil {
		t.Errorf("run(live) on a serving portal = %v, want nil", err)
	}

	public := fmt.Sprintf("http://127.0.0.1:%d", port)
	display := create(t, public, key.Reveal())
	desk := newPerson(t, "desk")
	desk.get(display)
	resp, err := http.Get(display + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()

	// A second process on the same file is told why it cannot have it.
	elsewhere := fourPorts(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	second := strings.NewReplacer(strconv.Itoa(port+1), strconv.Itoa(elsewhere+1), strconv.Itoa(port), strconv.Itoa(elsewhere)).Replace(string(text))
	beside := filepath.Join(filepath.Dir(file), "second.yaml")
	if err := os.WriteFile(beside, []byte(second), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := callWith(t, env, "serve", "--config", beside); exitStatus(err) != exitFaults || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("run(serve) on a file that is served = %v, want exit status 1 and why", err)
	}

	stop()
	awaitLog(t, heard, "stopping")
	if got := status(t, internal+"/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("GET /readyz while draining = %d, want 503", got)
	}
	if got := status(t, internal+"/livez"); got != http.StatusOK {
		t.Errorf("GET /livez while draining = %d, want 200", got)
	}
	stream, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(stream), "event: bye") {
		t.Errorf("the stream ended with %v after %q, want a bye", err, stream)
	}
	for range heard {
	}
	if err := <-ended; err != nil {
		t.Errorf("run(serve) = %v, want nil", err)
	}

	// The file is free again, and the handoff is still in it.
	heard, stop, ended = startServe(t, env, "--config", file)
	awaitLog(t, heard, "serving")
	desk.get(display)
	stop()
	for range heard {
	}
	if err := <-ended; err != nil {
		t.Errorf("run(serve) again = %v, want nil", err)
	}
}

func TestServeRefusesFaults(t *testing.T) {
	file := writeSettings(t, "public_url: http://go.example.com\n")
	_, err := call(t, "serve", "--config", file)
	if exitStatus(err) != exitFaults || !strings.Contains(err.Error(), "handoff.yaml:1:") {
		t.Errorf("run(serve) with faults = %v, want exit status 1 and their lines", err)
	}
	if _, err := call(t, "serve"); exitStatus(err) != exitUsage {
		t.Errorf("run(serve) without --config = %v, want exit status 2", err)
	}
}

// manyApps are n apps of one partner, with long names of their own.
func manyApps(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "      - {id: a%d, name: A, ios: {app_id: ABCDE12345.com.%s%d}}\n", i, strings.Repeat("a", 200), i)
	}
	return b.String()
}

func TestCheck(t *testing.T) {
	good := fmt.Sprintf(settings, 8080, 9090, "http://127.0.0.1:8082/v2/captain", "http://127.0.0.1:8082", partner.KeyHashText("k"))
	tests := []struct {
		name, text string
		status     int
		says       string
	}{
		{"good", good, exitGood, ""},
		{"unknown key", good + "colour: blue\n", exitFaults, "handoff.yaml:21:"},
		{"two faults", strings.Replace(good, "store: file:handoff.db", "store: tape:1", 1) + "colour: blue\n", exitFaults, "handoff.yaml:6:"},
		{"texts", strings.Replace(good, "    apps:", "    texts:\n      display.title: {en: Hello}\n      display.waiting.heading: {en: \"Go on at {nobody}\"}\n    apps:", 1), exitFaults, "handoff.yaml:20:"},
		{"a colour", strings.Replace(good, "    apps:", "    brand: {color: \"#eeeeee\"}\n    apps:", 1), exitFaults, "handoff.yaml:19:20:"},
		{"association files", good + manyApps(600), exitFaults, "handoff.yaml:16:3:"},
		{"a secret in the file", strings.Replace(good, "env:GBG_CLIENT_SECRET", "hunter2hunter2", 1), exitFaults, "client_secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := writeSettings(t, tt.text)
			var out strings.Builder
			err := run(t.Context(), []string{"check", "--config", file}, settingsEnv(), streams{strings.NewReader(""), &out, t.Output()})
			if got := exitStatus(err); got != tt.status || !strings.Contains(out.String(), tt.says) {
				t.Errorf("run(check) exit status = %d, output %q; want %d and %q", got, out.String(), tt.status, tt.says)
			}
			if strings.Contains(out.String(), "hunter2") {
				t.Errorf("run(check) printed a secret: %q", out.String())
			}
			if tt.status == exitFaults && !errors.Is(err, errTold) {
				t.Errorf("run(check) error = %v, want the faults printed once", err)
			}
		})
	}
	if _, err := call(t, "check", "--config", filepath.Join(t.TempDir(), "none.yaml")); exitStatus(err) != exitFaults {
		t.Errorf("run(check) without the file = %v, want exit status 1", err)
	}
}
