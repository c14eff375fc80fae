package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/operator"
	"github.com/handoff-portal/handoff/internal/partner"
)

// served is a portal that is being served over the stand-in platform.
type served struct {
	public, inside string
	key            string // the partner's
}

// serveWithSim serves until the test ends.
func serveWithSim(t *testing.T) served {
	t.Helper()
	lines, stopSim := start(t, "sim", "--listen", "127.0.0.1:0")
	api := address(t, lines, "v2")
	go func() {
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() { _ = stopSim() })
	port, key := fourPorts(t), partner.NewKey()
	file := writeSettings(t, fmt.Sprintf(settings, port, port+1, api, strings.TrimSuffix(api, "/v2/captain"), partner.KeyHashText(key)))
	heard, stop, ended := startServe(t, settingsEnv(), "--config", file)
	awaitLog(t, heard, "serving")
	t.Cleanup(func() {
		stop()
		for range heard {
		}
		if err := <-ended; err != nil {
			t.Errorf("run(serve) = %v", err)
		}
	})
	return served{fmt.Sprintf("http://127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", port+1), key.Reveal()}
}

// Support reads a handoff's story by the reference on the screen, and nothing in
// it opens anything.
func TestShow(t *testing.T) {
	s := serveWithSim(t)
	display := create(t, s.public, s.key)
	desk, phone := newPerson(t, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"),
		newPerson(t, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1")
	_, page := desk.get(display)
	ref := find(t, page, `Reference for support: (\w{6})`)
	link := find(t, page, `data-deep-link href="([^"]+)"`)

	show := func(name string) (operator.Timeline, string) {
		t.Helper()
		out, err := call(t, "show", name, "--address", s.inside, "--json")
		if err != nil {
			t.Fatalf("run(show %s) = %v", name, err)
		}
		var got operator.Timeline
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("run(show %s) printed %q: %v", name, out, err)
		}
		words, err := call(t, "show", name, "--address", s.inside)
		if err != nil {
			t.Fatalf("run(show %s) = %v", name, err)
		}
		for _, secret := range []string{display[strings.LastIndex(display, "/")+1:], link[strings.LastIndex(link, "/")+1:]} {
			if strings.Contains(out, secret) || strings.Contains(words, secret) {
				t.Errorf("run(show %s) printed a capability: %s", name, out)
			}
		}
		return got, words
	}
	got, words := show(strings.ToLower(ref))
	if got.SupportRef != ref || got.Status != "displayed" || got.Phone != nil || got.Computer != "Chrome on Linux" {
		t.Errorf("run(show %s) = %+v, want a handoff that Chrome on Linux displays, and no phone yet", ref, got)
	}
	if !strings.Contains(words, "No phone has come yet") || !strings.Contains(words, "the computer shows the code") {
		t.Errorf("run(show %s) printed %s, want the code displayed and what to say", ref, words)
	}

	at, page := phone.get(link)
	phone.post(at, url.Values{"attempt": {find(t, page, `name="attempt" value="([^"]+)"`)}})
	got, words = show(string(got.ID))
	var types []string
	for _, e := range got.Events {
		types = append(types, e.Type)
	}
	if got.Phone == nil || got.Phone.Device != "Safari on iOS" || !slices.Contains(types, "claimed") {
		t.Errorf("run(show %s) = %+v, want the claim of an iPhone", got.ID, got)
	}
	if !strings.Contains(words, "Safari on iOS, by local") || !strings.Contains(words, "What to say") {
		t.Errorf("run(show %s) printed %s, want how the phone came", got.ID, words)
	}

	if !strings.Contains(words, "  live") {
		t.Errorf("run(show %s) printed %s, want the codes live while the number is waited for", got.ID, words)
	}

	second := create(t, s.public, s.key)
	_, page = desk.get(second)
	picture := filepath.Join(t.TempDir(), "code.png")
	if err := os.WriteFile(picture, []byte(pageOf(desk, second+"/qr.png")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, "phone", picture); err != nil {
		t.Fatalf("run(phone) = %v", err)
	}
	if got, words = show(find(t, page, `Reference for support: (\w{6})`)); got.Status != "delivered" || strings.Contains(words, "  live") || !strings.Contains(words, "ended: used") {
		t.Errorf("run(show %s) printed %s, want it delivered and its codes used", got.ID, words)
	}

	for _, tt := range []struct {
		status int
		args   []string
	}{
		{exitFaults, []string{"ZZZZZZ", "--address", s.inside}},
		{exitFaults, []string{"../livez", "--address", s.inside}},
		{exitFaults, []string{ref, "--address", "127.0.0.1:1"}},
		{exitUsage, nil},
	} {
		if _, err := call(t, append([]string{"show"}, tt.args...)...); exitStatus(err) != tt.status {
			t.Errorf("run(show %q) = %v, want exit status %d", tt.args, err, tt.status)
		}
	}
	if got := rawStatus(t, http.MethodGet, s.public+"/handoffs/"+ref, "", nil); got != http.StatusNotFound {
		t.Errorf("GET /handoffs/%s on the public listener = %d, want 404", ref, got)
	}
}

// Prometheus asks by whatever name it knows the machine by.
func TestServeMetrics(t *testing.T) {
	s := serveWithSim(t)
	newPerson(t, "desk").get(create(t, s.public, s.key))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.inside+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "portal.internal:9090"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET /metrics = %s, %v", resp.Status, err)
	}
	for _, want := range []string{
		`handoff_steps_total{cause="",partner="acme",route="",status="displayed"} 1`,
		`handoff_platform_breaker_open{platform="0",`, "handoff_viewers 0", "go_goroutines ", "process_resident_memory_bytes ", "handoff_build_info{version=",
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("GET /metrics has no %s", want)
		}
	}
	if got := status(t, s.public+"/metrics"); got != http.StatusNotFound {
		t.Errorf("GET /metrics on the public listener = %d, want 404", got)
	}
}
