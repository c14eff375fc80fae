package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/partner"
)

// TestServeLimits: every limit of the configuration is the one that counts, by the
// address that the configured proxies tell of.
func TestServeLimits(t *testing.T) {
	lines, stopSim := start(t, "sim", "--listen", "127.0.0.1:0")
	api := address(t, lines, "v2")
	go func() {
		for lines.Scan() {
		}
	}()
	defer stopSim()
	for limit, c := range map[string]struct {
		path   string
		method string
		status int
		fresh  int // from another address
		bodies string
	}{
		"creates_per_partner: 2/h": {"/v1/handoffs", http.MethodPost, http.StatusTooManyRequests, http.StatusTooManyRequests, `{"instanceId":"PiServeTest0000%02d"}`},
		"claims_per_network: 2/h":  {"/v1/claims", http.MethodPost, http.StatusTooManyRequests, http.StatusNotFound, `{"code":"NoSuchCodeAtAll0000%02d","codeChallenge":"","deviceInfo":{"deviceId":""}}`},
		"pages_per_network: 2/h":   {"/h/NoSuchDisplay", http.MethodGet, http.StatusTooManyRequests, http.StatusNotFound, ""},
		"unknown_per_network: 2/h": {"/p/NoSuchPage", http.MethodGet, http.StatusTooManyRequests, http.StatusNotFound, ""},
		"streams_per_handoff: 2":   {"events", http.MethodGet, http.StatusServiceUnavailable, http.StatusServiceUnavailable, ""},
		"streams_per_network: 2":   {"events", http.MethodGet, http.StatusServiceUnavailable, http.StatusOK, ""},
		"streams: 2":               {"events", http.MethodGet, http.StatusServiceUnavailable, http.StatusServiceUnavailable, ""},
	} {
		t.Run(limit, func(t *testing.T) {
			port, key := fourPorts(t), partner.NewKey()
			text := fmt.Sprintf(settings, port, port+1, api, strings.TrimSuffix(api, "/v2/captain"), partner.KeyHashText(key))
			file := writeSettings(t, text+"trusted_proxies: [127.0.0.1]\nlimits: {"+limit+"}\n")
			heard, stop, ended := startServe(t, settingsEnv(), "--config", file)
			awaitLog(t, heard, "serving")
			public := fmt.Sprintf("http://127.0.0.1:%d", port)
			target := public + c.path
			if c.path == "events" {
				target = create(t, public, key.Reveal()) + "/events"
			}
			n := 0
			ask := func(from string) int {
				n++
				body := c.bodies
				if body != "" {
					body = fmt.Sprintf(body, n)
				}
				req, err := http.NewRequestWithContext(t.Context(), c.method, target, bytes.NewReader([]byte(body)))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Authorization", "Bearer "+key.Reveal())
				req.Header.Set("X-Forwarded-For", from)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { resp.Body.Close() }) // streams stay open until then
				limited := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable
				if limited != (resp.Header.Get("Retry-After") != "") {
					t.Errorf("%d with Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
				}
				return resp.StatusCode
			}
			for i := range 2 {
				if got := ask("192.0.2.1"); got == c.status {
					t.Fatalf("request %d = %d, want it within the limit", i+1, got)
				}
			}
			if got := ask("192.0.2.1"); got != c.status {
				t.Errorf("the third request = %d, want %d", got, c.status)
			}
			if got := ask("192.0.2.2"); got != c.fresh {
				t.Errorf("a request from elsewhere = %d, want %d", got, c.fresh)
			}
			stop()
			for range heard {
			}
			if err := <-ended; err != nil {
				t.Errorf("run(serve) = %v, want nil", err)
			}
		})
	}
}
