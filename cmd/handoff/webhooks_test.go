package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/handoff-portal/handoff/internal/partner"
)

// mailbox is a receiver of webhooks.
type mailbox struct {
	*httptest.Server

	mu     sync.Mutex
	status int
	got    []string // types
	news   chan struct{}
}

const boxSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func newMailbox(t *testing.T, status int) *mailbox {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(boxSecret)
	if err != nil {
		t.Fatal(err)
	}
	m := &mailbox{status: status, news: make(chan struct{}, 100)}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := wh.Verify(body, r.Header); err != nil {
			t.Errorf("Verify(): %v", err)
		}
		var e struct{ Type string }
		_ = json.Unmarshal(body, &e)
		m.mu.Lock()
		m.got = append(m.got, e.Type)
		w.WriteHeader(m.status)
		m.mu.Unlock()
		m.news <- struct{}{}
	}))
	t.Cleanup(m.Close)
	return m
}

// await waits for one more webhook.
func (m *mailbox) await(t *testing.T) {
	t.Helper()
	select {
	case <-m.news:
	case <-time.After(time.Minute): // rather than for ever
		t.Fatalf("no webhook came after %q", m.all())
	}
}

func (m *mailbox) all() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.got, " ")
}

// rawStatus asks as something other than the command would.
func rawStatus(t *testing.T, method, address, host string, header http.Header) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// A portal with two receivers, one of them gone: the command lists what was told
// and what was not, and sends it again once the receiver is back.
func TestWebhooks(t *testing.T) {
	good, gone := newMailbox(t, http.StatusOK), newMailbox(t, http.StatusGone)
	port := fourPorts(t)
	key := partner.NewKey()
	values := settingsEnv()
	env := func(name string) string {
		if name == "HOOK" {
			return boxSecret
		}
		return values(name)
	}
	text := fmt.Sprintf(settings, port, port+1, "http://127.0.0.1:1/v2/captain", "http://127.0.0.1:1", partner.KeyHashText(key)) +
		fmt.Sprintf("    webhooks:\n      - {url: %q, secrets: [env:HOOK]}\n      - {url: %q, secrets: [env:HOOK]}\negress_allow: [127.0.0.0/8]\n", good.URL+"/canary", gone.URL)
	heard, stop, ended := startServe(t, env, "--config", writeSettings(t, text))
	awaitLog(t, heard, "serving")
	defer func() {
		stop()
		for range heard {
		}
		if err := <-ended; err != nil {
			t.Errorf("run(serve) = %v", err)
		}
	}()
	public, inside := fmt.Sprintf("http://127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", port+1)
	create(t, public, key.Reveal())
	good.await(t)
	gone.await(t)
	awaitLog(t, heard, "webhook_endpoint_gone")

	list := func(args ...string) []told {
		t.Helper()
		out, err := call(t, append(append([]string{"webhooks"}, args...), "--address", inside, "--json")...)
		if err != nil {
			t.Fatalf("run(webhooks %s) = %v", args, err)
		}
		var all []told
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			t.Fatalf("run(webhooks %s) printed %q: %v", args, out, err)
		}
		if strings.Contains(out, "canary") || strings.Contains(out, "whsec") {
			t.Errorf("run(webhooks %s) printed a secret: %s", args, out)
		}
		return all
	}
	failed := list("list", "--partner", "acme")
	if len(failed) != 1 || len(failed[0].Endpoints) != 1 || !failed[0].Endpoints[0].Gone || failed[0].Endpoints[0].Notices[0].Outcome != "status 410" {
		t.Fatalf("run(webhooks list --partner acme) = %+v, want what the endpoint that is gone did not take", failed)
	}
	if all := list("list"); len(all) != 1 || all[0].ID != failed[0].ID {
		t.Errorf("run(webhooks list) = %+v, want the same of all partners", all)
	}
	h := failed[0]
	for _, name := range []string{string(h.ID), h.SupportRef, strings.ToLower(h.SupportRef)} {
		one := list("list", name)
		for len(one) == 1 && one[0].Endpoints[0].Notices[0].State == "waiting" && t.Context().Err() == nil {
			one = list("list", name) // it has arrived, and is being noted
		}
		if len(one) != 1 || one[0].ID != h.ID || len(one[0].Endpoints) != 2 || one[0].Endpoints[0].Notices[0].State != "delivered" {
			t.Errorf("run(webhooks list %s) = %+v, want the handoff and both endpoints", name, one)
		}
	}
	if waiting := list("list", "--partner", "acme", "--state", "waiting"); len(waiting) != 0 {
		t.Errorf("run(webhooks list --state waiting) = %+v, want none", waiting)
	}
	out, err := call(t, "webhooks", "list", h.SupportRef, "--address", inside)
	if err != nil || !strings.Contains(out, string(h.ID)) || !strings.Contains(out, "gone (410)") || !strings.Contains(out, "handoff.created") {
		t.Errorf("run(webhooks list) = %v, %q", err, out)
	}

	gone.mu.Lock()
	gone.status = http.StatusOK
	gone.mu.Unlock()
	again := list("replay", string(h.ID), "--seq", "1", "--endpoint", string(h.Endpoints[0].Endpoint))
	if n := again[0].Endpoints[1].Notices[0]; n.State == "failed" || n.Attempts > 1 {
		t.Errorf("run(webhooks replay) = %+v, want it begun anew", n)
	}
	gone.await(t)
	list("replay", h.SupportRef)
	gone.await(t)
	good.await(t)
	if good.all() != "handoff.created handoff.created" || gone.all() != "handoff.created handoff.created handoff.created" {
		t.Errorf("the receivers got %q and %q", good.all(), gone.all())
	}

	for _, tt := range []struct {
		status int
		args   []string
	}{
		{exitFaults, []string{"list", "ho_0000000000000000000000", "--address", inside}},
		{exitFaults, []string{"list", "ZZZZZZ", "--address", inside}},
		{exitFaults, []string{"list", "--partner", "globex", "--address", inside}},
		{exitFaults, []string{"list", "../livez", "--address", inside}},
		{exitFaults, []string{"replay", string(h.ID), "--seq", "9", "--address", inside}},
		{exitFaults, []string{"replay", string(h.ID), "--endpoint", "we_none", "--address", inside}},
		{exitFaults, []string{"list", string(h.ID), "--address", "127.0.0.1:1"}},
		{exitUsage, []string{"list", string(h.ID), "--partner", "acme", "--address", inside}},
		{exitUsage, []string{"list", "--partner", "acme", "--state", "odd"}},
		{exitUsage, []string{"list", string(h.ID), "--address", "no address\n"}},
		{exitUsage, []string{"replay"}},
		{exitUsage, []string{"replay", string(h.ID), "--seq", "-1"}},
	} {
		if _, err := call(t, append([]string{"webhooks"}, tt.args...)...); exitStatus(err) != tt.status {
			t.Errorf("run(webhooks %q) = %v, want exit status %d", tt.args, err, tt.status)
		}
	}

	// Nobody but an operator's program is answered, and only inside.
	path := "/webhooks/" + string(h.ID)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if got := rawStatus(t, method, public+path, "", nil); got != http.StatusNotFound && got != http.StatusMethodNotAllowed && got != http.StatusForbidden {
			t.Errorf("%s %s on the public listener = %d, want a refusal", method, path, got)
		}
		for _, tt := range []struct {
			host   string
			header http.Header
		}{
			{"rebound.example", nil},
			{"rebound.example:9090", nil},
			{"", http.Header{"Origin": {"http://evil.example"}}},
			{"", http.Header{"Origin": {"null"}}},
		} {
			if got := rawStatus(t, method, "http://"+inside+path, tt.host, tt.header); got != http.StatusMisdirectedRequest {
				t.Errorf("%s by host %q with %v = %d, want 421", method, tt.host, tt.header, got)
			}
		}
	}
	if got := rawStatus(t, http.MethodPost, "http://"+inside+path, "", http.Header{"Sec-Fetch-Site": {"cross-site"}}); got != http.StatusForbidden {
		t.Errorf("POST by a page elsewhere = %d, want 403", got)
	}
	for _, body := range []string{"/webhooks?partner=acme", "/webhooks?state=failed", "/webhooks?partner=acme&state=failed&cursor=x"} {
		if got := rawStatus(t, http.MethodGet, "http://"+inside+body, "", nil); got != http.StatusBadRequest {
			t.Errorf("GET %s = %d, want 400", body, got)
		}
	}
}
