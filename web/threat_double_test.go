package web_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// TestThreatDoubleClaim: 200 phones and apps claim at once, at two web servers with
// services of their own on one store; then 200 apps bring one pickup. One winner each.
func TestThreatDoubleClaim(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, one *world) {
		two := newWorld(t, func(s *setting) { s.beside = one })
		servers := []string{one.listen, two.listen}
		spread := func(requests []*http.Request) []answer {
			for i, r := range requests {
				r.Host, r.URL.Host = r.URL.Host, servers[i%2]
			}
			return race(t, requests)
		}
		s := one.begin()
		s.open()
		code := s.code()
		requests := make([]*http.Request, rivals)
		for i := range requests {
			if i%4 < 2 { // a phone at each server, then an app at each
				requests[i] = one.person(iPhone).request(http.MethodPost, code, url.Values{"attempt": {newAttempt()}})
				continue
			}
			_, challenge := pkce()
			requests[i] = one.json("/v1/claims", map[string]any{
				"code": code, "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": newAttempt(), "deviceType": "mobile"},
			})
		}
		won := map[bool]int{}
		for i, a := range spread(requests) {
			switch a.StatusCode {
			case http.StatusSeeOther, http.StatusCreated:
				won[true]++
			case http.StatusConflict:
				won[false]++
			default:
				t.Errorf("claim %d answers %d %s, want 303, 201 or 409", i, a.StatusCode, a.body)
			}
		}
		if won[true] != 1 || won[false] != rivals-1 {
			t.Fatalf("%d claims won and %d were told of another, want 1 and %d", won[true], won[false], rivals-1)
		}
		if h := s.stored(); h.Claims != 1 || h.Status != handoff.StatusConfirmed && h.Status != handoff.StatusConnected {
			t.Errorf("the handoff is %s with %d claims, want confirmed with one", h.Status, h.Claims)
		}
		p := one.connected()
		verifiers := make([]string, rivals)
		for i := range verifiers {
			verifiers[i], _ = pkce()
		}
		got := 0
		for i, a := range spread(one.pickups(p.pickup(), verifiers...)) {
			if a.StatusCode == http.StatusOK {
				got++
			} else if a.StatusCode != http.StatusGone {
				t.Errorf("pickup %d answers %d %s, want 200 or 410", i, a.StatusCode, a.body)
			}
		}
		if n := len(one.callsOf(p.made.InstanceID, "connect")); got != 1 || n != 1 {
			t.Errorf("%d pickups won, with %d connects, want one and one", got, n)
		}
	})
}

// json is an app's request, not sent yet.
func (w *world) json(path string, body any) *http.Request {
	w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.link+path, bytes.NewReader(b))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}
