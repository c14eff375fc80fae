package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// TestAppThatTakesFourMinutes: an app claims by a good scan, at once, and then has
// its user log in for four minutes. Its claim lasts, with the number it was given,
// and a phone that comes meanwhile takes nothing from it.
func TestAppThatTakesFourMinutes(t *testing.T) {
	t.Parallel()
	for _, policy := range []handoff.Confirmation{handoff.ConfirmNever, handoff.ConfirmAuto, handoff.ConfirmAlways} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, asked(policy))
			s := w.begin()
			s.open()
			verifier, challenge := pkce()
			a := w.native("/v1/claims", map[string]any{
				"code": s.code(), "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef", "deviceType": "mobile"},
			})
			if a.StatusCode != http.StatusCreated {
				t.Fatalf("POST /v1/claims = %d %s, want 201", a.StatusCode, a.body)
			}
			var claim struct {
				ClaimID string
				Number  *string
			}
			a.json(t, &claim)
			w.clock.advance(4 * time.Minute)
			if c := s.stored().Claim; c == nil || !c.Until.IsZero() && !c.Until.After(w.clock.now()) {
				t.Fatalf("after four minutes the claim is %+v, want it to last", c)
			}
			if claim.Number != nil {
				s.open().wantPanel(t, http.StatusOK, "panel-number")
				s.desk.post(s.made.DisplayURL+"/confirm", url.Values{"number": {*claim.Number}})
			}
			s.open().wantPanel(t, http.StatusOK, "panel-connected")
			s.scanRefused()
			got := w.native("/v1/claims/"+claim.ClaimID+"/token", map[string]string{"codeVerifier": verifier})
			if got.StatusCode != http.StatusOK {
				t.Fatalf("the token after four minutes = %d %s, want 200", got.StatusCode, got.body)
			}
			got.json(t, &s.token)
			if s.token.EndUserToken == "" {
				t.Error("the answer has no token")
			}
			var way []string
			for _, e := range w.wantStatus(s.made.ID, "delivered").Events {
				way = append(way, e.Type)
			}
			if n := len(way); n < 3 || !slices.Equal(way[n-3:], []string{"confirmed", "connected", "delivered"}) {
				t.Errorf("events = %v, want each status on the way at the end", way)
			}
			s.toEnd()
			if h := w.get(s.made.ID); h.Confirmed == nil || (*h.Confirmed == "number") != (claim.Number != nil) {
				t.Errorf("confirmed by %v, want by number: %t", h.Confirmed, claim.Number != nil)
			}
		})
	}
}

// scanRefused opens the code on another phone: the one that holds it keeps it.
func (s *story) scanRefused() {
	s.t.Helper()
	s.scan().wantPage(s.t, http.StatusConflict, "landing")
}
