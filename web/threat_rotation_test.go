package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
)

// then is the portal that follows this one, on its store and address, with other keys.
func (w *world) then(keys ...handoff.Secret) *world {
	w.t.Helper()
	w.stop()
	http.DefaultClient.CloseIdleConnections() // to the one that is gone
	return newWorld(w.t, asked(handoff.ConfirmAlways), func(s *setting) { s.bolt, s.after, s.keys = true, w, keys })
}

// TestKeyRotation: the server key is changed, and the portal started anew, at every
// step of a handoff; nothing is lost. When all has ended the old key goes, and what
// ended is still there to be read.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	old, fresh := handoff.Secret(keyring.Generate()), handoff.Secret(keyring.Generate())
	steps := []struct {
		name string
		do   func(s *story)
	}{
		{"create", func(*story) {}},
		{"open", func(s *story) { s.open().wantPanel(s.t, http.StatusOK, "panel-waiting") }},
		{"scan", func(s *story) { s.scan().wantPage(s.t, http.StatusOK, "landing") }},
		{"tap", func(s *story) { s.tap().wantPage(s.t, http.StatusOK, "number") }},
		{"look again", func(s *story) {
			before := s.digits()
			s.own = s.phone.get(s.own.url.String())
			if again := s.digits(); again != before {
				s.t.Errorf("the number was %s and is %s", before, again)
			}
		}},
		{"type the number", func(s *story) { s.enter(s.digits()).wantPanel(s.t, http.StatusOK, "panel-connected") }},
		{"connect", func(s *story) {
			s.own = s.phone.get(s.own.url.String())
			s.own.wantPage(s.t, http.StatusOK, "ready")
		}},
		{"pick up", func(s *story) { s.toApp() }},
		{"finish", func(s *story) { s.toEnd() }},
	}
	for at := range steps {
		t.Run("before "+steps[at].name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, asked(handoff.ConfirmAlways), func(s *setting) { s.bolt, s.keys = true, []handoff.Secret{old} })
			s := w.begin()
			for i, step := range steps {
				if i == at {
					s.world = s.then(fresh, old)
					if i == 3 { // a code that was scanned before is as good as one of now
						s.landing = s.phone.get(s.landing.url.String())
					}
				}
				step.do(s)
			}
			s.world = s.then(fresh)
			if h := s.get(s.made.ID); h.Status != "completed" {
				t.Errorf("with the new key alone it is %s, want completed", h.Status)
			}
			s.open().wantPanel(t, http.StatusOK, "panel-completed")
			s.phone.get(s.own.url.String()).wantPage(t, http.StatusOK, "finished")
			var list struct{ Items []wire }
			s.call(http.MethodGet, "/v1/handoffs", nil).json(t, &list)
			if len(list.Items) != 1 {
				t.Errorf("the list has %d handoffs, want the one that ended", len(list.Items))
			}
			next := s.begin() // and all goes on
			next.open()
			next.scan()
			next.tap().wantPage(t, http.StatusOK, "number")
		})
	}
}

// TestKeyRotationByOtherWays: the same for what else waits: an app's claim, digits to
// type, links, the way out of an in-app browser, and a claim beside.
func TestKeyRotationByOtherWays(t *testing.T) {
	t.Parallel()
	old, fresh := handoff.Secret(keyring.Generate()), handoff.Secret(keyring.Generate())
	w := newWorld(t, asked(handoff.ConfirmAlways), func(s *setting) { s.bolt, s.keys = true, []handoff.Secret{old} })
	typed, app, inApp, beside, here := w.begin(), w.begin(), w.begin(), w.begin(), w.begin()
	for _, s := range []*story{typed, app, inApp, beside} {
		s.open()
	}
	digits := typed.live(handoff.RouteTyped)
	verifier, challenge := pkce()
	claim := map[string]any{"code": app.live(handoff.RoutePartner), "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef", "deviceType": "mobile"}}
	var before, after struct{ ClaimID, Number string }
	w.native("/v1/claims", claim).json(t, &before)
	inApp.phone = w.person(instagram)
	out := inApp.scan().page(t).Find(`[data-testid="link"]`).AttrOr("value", "")
	link := beside.live(handoff.RouteLink)
	beside.landing = beside.phone.get(link)
	beside.tap()
	other := w.person(android)
	other.press(other.get(link), "continue")
	here.desk = w.person(iPhone)
	here.phone = here.desk
	here.own = here.desk.press(here.open(), "action-continue")
	here.toApp()

	next := w.then(fresh, old)
	for _, s := range []*story{typed, app, inApp, beside, here} {
		s.world = next
	}
	typed.landing = typed.phone.post(next.public+"/t/acme", url.Values{"code": {digits[strings.LastIndex(digits, "/")+1:]}})
	typed.landing.wantPage(t, http.StatusOK, "landing")
	typed.tap()
	typed.enter(typed.digits())

	next.native("/v1/claims", claim).json(t, &after)
	if after != before || after.Number == "" {
		t.Errorf("the app's claim is %v, want %v as before", after, before)
	}
	app.enter(before.Number)
	next.native("/v1/claims/"+before.ClaimID+"/token", map[string]string{"codeVerifier": verifier}).json(t, &app.token)
	if app.token.EndUserToken == "" {
		t.Error("the app gets no token")
	}
	app.report("started")

	inApp.phone = next.person(iPhone)
	inApp.landing = inApp.phone.get(out)
	inApp.tap().wantPage(t, http.StatusOK, "number")

	beside.own = beside.phone.get(beside.own.url.String())
	beside.enter(beside.digits()).wantPanel(t, http.StatusOK, "panel-connected")

	if here.token.ReturnURL == nil {
		t.Fatal("the app has nothing to return with")
	}
	if a := here.phone.get(*here.token.ReturnURL); a.url.Path != here.own.url.Path {
		t.Errorf("the app's return leads to %s, want the page that began", a.url)
	}
}

// A call that comes again when the server key of its answer is gone is told so.
func TestKeyRotationAndIdempotency(t *testing.T) {
	t.Parallel()
	old, fresh := handoff.Secret(keyring.Generate()), handoff.Secret(keyring.Generate())
	w := newWorld(t, asked(handoff.ConfirmAlways), func(s *setting) { s.bolt, s.keys = true, []handoff.Secret{old} })
	body := `{"instanceId":"` + newInstance() + `"}`
	post := func(w *world, key string) answer { return w.raw(http.MethodPost, "/v1/handoffs", body, keyed(key)) }
	first := post(w, "order 7")
	w = w.then(fresh, old)
	if a := post(w, "order 7"); a.StatusCode != http.StatusCreated || string(a.body) != string(first.body) {
		t.Errorf("with both keys the call is answered %d %s, want %s", a.StatusCode, a.body, first.body)
	}
	w = w.then(fresh)
	post(w, "order 7").wantProblem(t, http.StatusConflict, handoff.CodeConflict)
	if a := post(w, "order 8"); a.StatusCode != http.StatusCreated {
		t.Errorf("another Idempotency-Key is answered %d %s, want 201", a.StatusCode, a.body)
	}
}
