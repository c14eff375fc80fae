package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// each runs a test for both versions of the platform, on one host and on two.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, version := range []platform.Version{platform.V1, platform.V2} {
		for _, two := range []bool{false, true} {
			name := string(version) + " one host"
			if two {
				name = string(version) + " two hosts"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, newWorld(t, func(s *setting) { s.version, s.twoHosts = version, two }))
			})
		}
	}
}

func TestStoryInABrowser(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		h := w.create(map[string]any{"reference": "order 1234", "returnUrl": "http://localhost:8999/done?order=7"})
		if h.Status != "created" || !strings.HasPrefix(h.DisplayURL, w.public+"/h/") {
			t.Fatalf("created = %+v, want status created and a display URL on %s", h, w.public)
		}
		desk, phone := w.person(desktop), w.person(iPhone)
		display := desk.get(h.DisplayURL)
		if n := display.page(t).Find("a[data-deep-link]").Length(); display.StatusCode != http.StatusOK || n != 1 {
			t.Fatalf("display = %d with %d deep links, want 200 with one", display.StatusCode, n)
		}
		w.wantStatus(h.ID, "displayed")
		link := w.scan(h.DisplayURL)
		if !strings.HasPrefix(link, w.link+"/c/acme/") {
			t.Fatalf("QR = %q, want a link below %s/c/acme/", link, w.link)
		}
		landing := phone.get(link)
		if got := landing.testID(t); got != "landing" {
			t.Fatalf("the link shows %q (%d), want the landing", got, landing.StatusCode)
		}
		if got := w.calls("start", "connect"); !slices.Equal(got, []string{"start"}) {
			t.Fatalf("platform calls before a tap = %v, want one start", got)
		}
		own := phone.press(landing, "continue")
		if got := own.testID(t); got != "ready" {
			t.Fatalf("after Continue: %q (%d), want ready", got, own.StatusCode)
		}
		open := own.page(t).Find(`[data-testid="open"]`).AttrOr("href", "")
		if !strings.HasPrefix(open, w.link+"/a/acme/") {
			t.Fatalf("app link = %q, want one below %s/a/acme/", open, w.link)
		}
		w.wantStatus(h.ID, "connected")
		if again := phone.get(own.url.String()); again.page(t).Find(`[data-testid="open"]`).AttrOr("href", "") != open {
			t.Errorf("a reload shows another app link")
		}
		if again := phone.press(landing, "continue"); again.url.String() != own.url.String() {
			t.Errorf("a second tap leads to %s, want %s", again.url, own.url)
		}
		if thief := w.person(iPhone).get(own.url.String()); thief.StatusCode != http.StatusNotFound {
			t.Errorf("another browser with the page's address gets %d, want 404", thief.StatusCode)
		}
		verifier, _ := pkce()
		pickup := open[strings.LastIndex(open, "/")+1:]
		got := w.native("/v1/pickups", map[string]string{"pickup": pickup, "verifier": verifier})
		var first, second token
		got.json(t, &first)
		if got.StatusCode != http.StatusOK || strings.Count(first.EndUserToken, ".") != 2 || first.InstanceID != h.InstanceID {
			t.Fatalf("pickup = %d %s, want a token of %s", got.StatusCode, got.body, h.InstanceID)
		}
		w.native("/v1/pickups", map[string]string{"pickup": pickup, "verifier": verifier}).json(t, &second)
		if second.EndUserToken != first.EndUserToken {
			t.Errorf("the same pair again gets another token")
		}
		stranger, _ := pkce()
		if a := w.native("/v1/pickups", map[string]string{"pickup": pickup, "verifier": stranger}); a.StatusCode != http.StatusGone {
			t.Errorf("another verifier gets %d, want 410", a.StatusCode)
		}
		w.wantStatus(h.ID, "delivered")
		if err := w.sim.SetJourney(h.InstanceID, finished); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(61 * time.Second)
		done := w.wantStatus(h.ID, "completed")
		if *done.Route != "qr" || done.Device == nil || done.Device.OS != "iOS" || done.Confirmed == nil || *done.Confirmed != "scan" {
			t.Errorf("completed = route %v, device %+v, confirmed %v, want qr, iOS, scan", *done.Route, done.Device, done.Confirmed)
		}
		end := desk.get(h.DisplayURL)
		back := end.page(t).Find("section:not([hidden]) a[data-return]").AttrOr("href", "")
		if !strings.HasPrefix(back, "http://localhost:8999/done?") || !strings.Contains(back, "handoff="+h.ID) || !strings.Contains(back, "status=completed") {
			t.Errorf("the way back = %q, want the return URL with handoff and status", back)
		}
		if late := w.person(iPhone).get(link); late.StatusCode != http.StatusGone {
			t.Errorf("a used code answers %d, want 410", late.StatusCode)
		}
		if strings.Contains(w.logs.String(), first.EndUserToken) {
			t.Errorf("the end-user token is in the log")
		}
	})
}

func TestStoryInAnApp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		h := w.create(map[string]any{"label": "Account opening"})
		w.person(desktop).get(h.DisplayURL)
		verifier, challenge := pkce()
		a := w.native("/v1/claims", map[string]any{
			"code": w.scan(h.DisplayURL), "codeChallenge": challenge,
			"deviceInfo": map[string]string{"deviceId": "0123456789abcdef01", "deviceName": strings.Repeat("é", 100), "deviceType": "mobile"},
		})
		var claim struct {
			ClaimID, Status string
			Number          *string
			Context         struct{ Partner, Label, Browser, OS string }
		}
		a.json(t, &claim)
		if a.StatusCode != http.StatusCreated || claim.Status != "confirmed" || claim.Context.Partner != "Acme Bank" ||
			claim.Context.Browser != "Chrome" || claim.Context.OS != "Linux" || claim.Context.Label != "Account opening" {
			t.Fatalf("claim = %d %s, want 201 confirmed with its context", a.StatusCode, a.body)
		}
		stranger, _ := pkce()
		if a := w.native("/v1/claims/"+claim.ClaimID+"/token", map[string]string{"codeVerifier": stranger}); a.StatusCode != http.StatusNotFound {
			t.Errorf("a wrong verifier gets %d, want 404", a.StatusCode)
		}
		var first, second token
		got := w.native("/v1/claims/"+claim.ClaimID+"/token", map[string]string{"codeVerifier": verifier})
		got.json(t, &first)
		if got.StatusCode != http.StatusOK || strings.Count(first.EndUserToken, ".") != 2 {
			t.Fatalf("token = %d %s, want a token", got.StatusCode, got.body)
		}
		w.native("/v1/claims/"+claim.ClaimID+"/token", map[string]string{"codeVerifier": verifier}).json(t, &second)
		if second.EndUserToken != first.EndUserToken {
			t.Errorf("the same call again gets another token")
		}
		if got := w.calls("connect"); len(got) != 1 {
			t.Errorf("connects = %d, want 1", len(got))
		}
		w.wantStatus(h.ID, "delivered")
	})
}

// finished is a journey that has come to a good end, in the words of both versions.
var finished = platformsim.Journey{Status: "Completed", ResultStatus: "complete"}
