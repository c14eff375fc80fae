package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// recorder keeps the first delivery that it is sent.
type recorder struct {
	*httptest.Server

	first chan delivery
}

// delivery is a webhook as it came.
type delivery struct {
	header http.Header
	body   []byte
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{first: make(chan delivery, 1)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		select {
		case r.first <- delivery{req.Header.Clone(), body}:
		default: // one is enough
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// receiver is one of the guide's programs that take webhooks.
type receiver struct {
	sample, port string
	needs        []string // programs
	optional     bool     // what it needs is not everywhere, in CI neither
	command      func(t *testing.T, dir, file string) []string
}

func receivers(t *testing.T) []receiver {
	t.Helper()
	file := func(program ...string) func(*testing.T, string, string) []string {
		return func(_ *testing.T, _, file string) []string { return append(program, file) }
	}
	all := []receiver{
		{sample: "receiver.go", needs: []string{"go"}, command: func(t *testing.T, dir, file string) []string {
			program := filepath.Join(dir, "receiver")
			if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, file).CombinedOutput(); err != nil {
				t.Fatalf("go build: %v\n%s", err, out)
			}
			return []string{program}
		}},
		{sample: "receiver.mjs", needs: []string{"node"}, command: func(t *testing.T, dir, file string) []string {
			if err := os.Symlink(npmModules(t, "npm"), filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			return []string{"node", file}
		}},
		{sample: "receiver.py", needs: []string{"python3"}, command: file("python3")},
		{sample: "Receiver.java", needs: []string{"javac"}, optional: true, command: file("java")},
		{sample: "receiver.php", needs: []string{"php"}, command: func(_ *testing.T, _, file string) []string {
			return []string{"php", "-S", "127.0.0.1:8090", file}
		}},
	}
	for i := range all {
		all[i].port = freePort(t)
	}
	return all
}

// start runs the sample as it stands, but for its port, and returns what it prints.
func (r receiver) start(t *testing.T, g *guided) <-chan string {
	t.Helper()
	code := g.sample(t, r.sample)
	for _, name := range r.needs {
		if _, err := exec.LookPath(name); err != nil && r.optional {
			t.Skipf("there is no %s: %s is not run", name, r.sample)
		}
		needProgram(t, name)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, r.sample)
	if err := os.WriteFile(file, []byte(strings.Replace(code, "8090", r.port, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := r.command(t, dir, file)
	for i := range args {
		args[i] = strings.Replace(args[i], "8090", r.port, 1)
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "ACME_HOOK="+boxSecret)
	out, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		w.Close()
	})
	printed := make(chan string, 1000)
	go func() {
		defer close(printed)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			printed <- lines.Text()
		}
	}()
	listening(t, r.port)
	return printed
}

// Every receiver of the guide takes what the portal sends, and nothing that differs
// from it by a byte. Go's and Node's verify with the published libraries.
func (g *guided) testReceivers(t *testing.T, heard *recorder, all []receiver) {
	for _, r := range all {
		t.Run(r.sample, func(t *testing.T) {
			printed := r.start(t, g)
			create(t, g.public, g.key.Reveal())
			line := ""
			for !strings.Contains(line, `"handoff.created"`) {
				var ok bool
				if line, ok = <-printed; !ok {
					t.Fatal("the receiver ended before a webhook came")
				}
			}
			if !strings.Contains(line, "msg_") {
				t.Errorf("the receiver printed %q, want the webhook's id before it", line)
			}
			r.tamper(t, heard.delivery())
		})
	}
}

// delivery is the one that was kept.
func (r *recorder) delivery() delivery {
	d := <-r.first
	r.first <- d
	return d
}

// tamper sends what the portal sent, once more, and then not quite that.
func (r receiver) tamper(t *testing.T, sent delivery) {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(boxSecret)
	if err != nil {
		t.Fatal(err)
	}
	id := sent.header.Get("webhook-id")
	signedAt := func(at time.Time) func(*delivery) {
		return func(d *delivery) {
			signature, err := wh.Sign(id, at, d.body)
			if err != nil {
				t.Fatal(err)
			}
			d.header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
			d.header.Set("webhook-signature", signature)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*delivery)
		good   bool
	}{
		{"as it came", func(*delivery) {}, true},
		{"a second time, later", signedAt(time.Now()), true},
		{"while a secret is replaced", func(d *delivery) {
			d.header.Set("webhook-signature", "v1,"+strings.Repeat("A", 43)+"= "+d.header.Get("webhook-signature"))
		}, true},
		{"one byte of the body", func(d *delivery) { d.body[len(d.body)/2] ^= 1 }, false},
		{"a byte more", func(d *delivery) { d.body = append(d.body, ' ') }, false},
		{"another id", func(d *delivery) { d.header.Set("webhook-id", id+"0") }, false},
		{"another time", func(d *delivery) {
			sentAt, err := strconv.ParseInt(d.header.Get("webhook-timestamp"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			d.header.Set("webhook-timestamp", strconv.FormatInt(sentAt-1, 10))
		}, false},
		{"six minutes ago", signedAt(time.Now().Add(-6 * time.Minute)), false},
		{"in six minutes", signedAt(time.Now().Add(6 * time.Minute)), false},
		{"no signature", func(d *delivery) { d.header.Del("webhook-signature") }, false},
		{"no time", func(d *delivery) { d.header.Del("webhook-timestamp") }, false},
		{"a time of letters", func(d *delivery) { d.header.Set("webhook-timestamp", "now") }, false},
		{"an empty signature", func(d *delivery) { d.header.Set("webhook-signature", "v1,") }, false},
	} {
		d := delivery{sent.header.Clone(), bytes.Clone(sent.body)}
		tt.change(&d)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:"+r.port+"/hooks", bytes.NewReader(d.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = d.header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s, sent to %s: %v", tt.name, r.sample, err)
			continue
		}
		resp.Body.Close()
		if good := resp.StatusCode/100 == 2; good != tt.good || (!good && resp.StatusCode != http.StatusUnauthorized) {
			t.Errorf("%s, sent to %s = %s, want it taken: %t", tt.name, r.sample, resp.Status, tt.good)
		}
	}
}
