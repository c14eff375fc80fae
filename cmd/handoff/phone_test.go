package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A bare connect token of v1 goes the whole way too, though no answer there says
// which journey it is of.
func TestPhoneFinishesByBareToken(t *testing.T) {
	lines, stop := start(t, "sim", "--listen", "127.0.0.1:0")
	t.Cleanup(func() { _ = stop() })
	api := address(t, lines, "v1")
	go func() {
		for lines.Scan() {
		}
	}()
	ask := func(path, kind, bearer, body string) (out struct {
		Access       string `json:"access_token"`
		ConnectToken string
		Status       string
	},
	) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Authorization", "Bearer "+bearer)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("POST %s = %s, %v", path, resp.Status, err)
		}
		return out
	}
	access := ask("/as/token.oauth2", "application/x-www-form-urlencoded", "", url.Values{
		"client_id": {"any"}, "client_secret": {"demo"}, "grant_type": {"password"}, "username": {"any"}, "password": {"any"},
	}.Encode()).Access
	const journey = `{"instanceId":"PiBareToken000001","scope":["mobile"]}`
	token := ask("/journey/device/start", "application/json", access, journey).ConnectToken
	out, err := call(t, "phone", "--platform", api, "--yes", "--finish", "--json", "--", token) // it may begin with a dash
	if err != nil || !strings.Contains(out, `"instanceId": "PiBareToken000001"`) {
		t.Fatalf("run(phone) with a bare connect token = %v, printed %s; want its journey finished", err, out)
	}
	if got := ask("/journey/state/fetch", "application/json", access, journey).Status; got != "Completed" {
		t.Errorf("the journey is %q after --finish, want Completed", got)
	}
}
