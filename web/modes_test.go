package web_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform"
)

// versions runs a test for both versions of the platform.
func versions(t *testing.T, test func(t *testing.T, w *world), change ...func(*setting)) {
	t.Helper()
	for _, version := range []platform.Version{platform.V1, platform.V2} {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, append(change, func(s *setting) { s.version = version })...))
		})
	}
}

// connectAsApp is device/connect as a partner's own app calls it.
func connectAsApp(t *testing.T, platformURL, token string) answer {
	t.Helper()
	body := `{"connectToken":"` + token + `","deviceInfo":{"deviceId":"0123456789abcdef01","deviceType":"mobile"}}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, platformURL+"/journey/device/connect", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return send(t, &http.Client{}, r)
}

// TestAppConnects: with exchange: app the app gets the connect token and connects
// by itself.
func TestAppConnects(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, w *world) {
		s := w.begin()
		s.open()
		verifier, challenge := pkce()
		var claim struct{ ClaimID, Status string }
		w.native("/v1/claims", map[string]any{
			"code": s.code(), "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef01", "deviceType": "mobile"},
		}).json(t, &claim)
		w.clock.advance(20 * time.Second)
		ask := func() (a answer) {
			a = w.native("/v1/claims/"+claim.ClaimID+"/token", map[string]string{"codeVerifier": verifier})
			a.json(t, &s.token)
			return a
		}
		first := ask()
		if s.token.TokenType != "connect" || len(s.token.ConnectToken) < 8 || s.token.EndUserToken != "" || s.token.ExpiresIn < 95 || s.token.ExpiresIn > 100 {
			t.Fatalf("token = %d %s, want a connect token with 100 s left", first.StatusCode, first.body)
		}
		want := "com.acme.app://go/" + s.made.InstanceID + "?t=" + url.QueryEscape(s.token.ConnectToken)
		if s.token.JourneyURL != want {
			t.Errorf("journeyUrl = %q, want %q", s.token.JourneyURL, want)
		}
		if again := ask(); !bytes.Equal(again.body, first.body) {
			t.Errorf("the same call again: %s, want %s", again.body, first.body)
		}
		h := w.wantStatus(s.made.ID, "delivered")
		for _, e := range h.Events {
			if e.Type == "connected" {
				t.Errorf("events = %v, want none that says connected", h.Events)
			}
		}
		if got := w.calls("connect"); len(got) != 0 {
			t.Errorf("connects by the portal = %d, want none", len(got))
		}
		if a := connectAsApp(t, s.token.PlatformURL, s.token.ConnectToken); a.StatusCode >= 300 {
			t.Errorf("the app's own connect = %d %s, want success", a.StatusCode, a.body)
		}
		s.toEnd()
		w.wantNoTokens("the log", w.logs.String())
	}, func(s *setting) {
		s.exchange, s.journeyURL = handoff.ExchangeApp, "com.acme.app://go/{instanceId}?t={connectToken}"
	})
}

// TestLateAppConnects: a connect token too near its end is not handed out.
func TestLateAppConnects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.exchange = handoff.ExchangeApp })
	s := w.begin()
	s.open()
	verifier, challenge := pkce()
	w.clock.advance(112 * time.Second)
	var claim struct{ ClaimID string }
	w.native("/v1/claims", map[string]any{
		"code": s.code(), "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef01"},
	}).json(t, &claim)
	w.native("/v1/claims/"+claim.ClaimID+"/token", map[string]string{"codeVerifier": verifier}).json(t, &s.token)
	if s.token.ExpiresIn < 110 {
		t.Errorf("expiresIn = %d, want a fresh token", s.token.ExpiresIn)
	}
}

// tokenMode is an app whose own scanner reads the platform's connect token.
func tokenMode(s *setting) { s.codeMode, s.exchange = handoff.CodeToken, handoff.ExchangeApp }

// TestTokenInTheCode: the QR is the connect token itself, renewed in time.
func TestTokenInTheCode(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, w *world) {
		s := w.begin()
		a := s.open()
		a.wantPanel(t, http.StatusOK, "panel-waiting")
		deep := a.page(t).Find("a[data-deep-link]")
		first := w.scan(s.made.DisplayURL)
		if deep.Length() != 1 || deep.AttrOr("href", "") != w.link+"/a/acme/connect#token="+first || len(first) < 8 {
			t.Fatalf("the code holds %q, the deep link is %q, want the raw token in both", first, deep.AttrOr("href", ""))
		}
		if st := s.status(); st.Slots["deep_link"] != w.link+"/a/acme/connect#token="+first {
			t.Errorf("deep_link of the status = %q, want the page's", st.Slots["deep_link"])
		}
		w.clock.advance(85 * time.Second)
		if again := w.scan(s.made.DisplayURL); again != first {
			t.Errorf("renewed before three quarters of its life are over")
		}
		w.clock.advance(6 * time.Second)
		second := w.scan(s.made.DisplayURL)
		if second == first {
			t.Fatalf("not renewed after three quarters of its life")
		}
		if st := s.status(); st.Slots["deep_link"] != w.link+"/a/acme/connect#token="+second {
			t.Errorf("deep_link of the status = %q, want the new one", st.Slots["deep_link"])
		}
		w.clock.advance(10 * time.Minute) // nobody looked
		third := w.scan(s.made.DisplayURL)
		if got := len(w.callsOf(s.made.InstanceID, "start")); got != 3 || third == second {
			t.Errorf("starts = %d, want three", got)
		}
		// The app alone goes on: there is no page for this device, no link to send,
		// and no number to ask for.
		for _, agent := range []string{desktop, iPhone} {
			for _, name := range w.person(agent).get(s.made.DisplayURL).forms(t) {
				if name == "action-continue" || name == "action-send-link" {
					t.Errorf("the display offers %s", name)
				}
			}
		}
		w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/links", nil).wantProblem(t, http.StatusConflict, handoff.CodeConflict)
		w.call(http.MethodPost, "/v1/handoffs", map[string]any{"instanceId": newInstance(), "confirmation": "always"}).
			wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
		// The deep link in a browser: a page that helps, without the token.
		help := w.person(iPhone).get(w.link + "/a/acme/connect#token=" + third)
		help.wantPage(t, http.StatusOK, "app-link")
		w.wantNoTokens("the help page", string(help.body))
		w.wantStatus(s.made.ID, "displayed")
		if a := connectAsApp(t, w.api, third); a.StatusCode >= 300 {
			t.Fatalf("the app's own connect = %d %s, want success", a.StatusCode, a.body)
		}
		if err := w.sim.SetJourney(s.made.InstanceID, finished); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(61 * time.Second)
		w.wantStatus(s.made.ID, "completed")
		s.open().wantPanel(t, http.StatusOK, "panel-completed")
		w.wantNoTokens("the log", w.logs.String())
	}, tokenMode)
}
