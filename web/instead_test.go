package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// number is what a phone's page asks a person to type on the computer.
func (a answer) number(t testing.TB) string {
	t.Helper()
	return strings.TrimSpace(a.page(t).Find(`[data-testid="digits"] [aria-hidden]`).Text())
}

func wrongNumber(right string) string {
	if right == "0000" {
		return "1111"
	}
	return "0000"
}

// TestContinueHereInstead: a second phone asks for the place of the first, and
// gets it only by its number on the display, whatever the policy.
func TestContinueHereInstead(t *testing.T) {
	t.Parallel()
	w := newWorld(t) // confirmation never
	s := w.connected()
	second := w.person(android)
	elsewhere := second.get(s.code())
	elsewhere.wantPage(t, http.StatusConflict, "landing")
	if elsewhere.page(t).Find(`[data-testid="elsewhere"]`).Length() != 1 {
		t.Fatalf("the landing of a handoff that another phone holds does not say so")
	}
	asks := second.press(elsewhere, "continue")
	asks.wantPage(t, http.StatusOK, "number")
	if h := w.get(s.made.ID); h.Status != "connected" || h.Device.OS != "iOS" {
		t.Fatalf("asking moved the handoff: %s on %s, want connected on iOS", h.Status, h.Device.OS)
	}
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusOK, "ready")
	s.desk.get(s.made.DisplayURL).wantPanel(t, http.StatusOK, "panel-number")

	// "That's not my phone" is said of the one that asks.
	s.desk.post(s.made.DisplayURL+"/release", nil).wantPanel(t, http.StatusOK, "panel-connected")
	second.get(asks.url.String()).wantPage(t, http.StatusGone, "notice-other_phone")

	// Two wrong numbers let it go, and leave the first phone where it was.
	third := w.person(android)
	asks = third.press(third.get(s.code()), "continue")
	for range 2 {
		s.desk.post(s.made.DisplayURL+"/confirm", url.Values{"number": {wrongNumber(asks.number(t))}})
	}
	third.get(asks.url.String()).wantPage(t, http.StatusGone, "notice-wrong_number")
	w.wantStatus(s.made.ID, "connected")

	// The right one moves the handoff; the first phone is told.
	fourth := w.person(android)
	asks = fourth.press(fourth.get(s.code()), "continue")
	s.desk.post(s.made.DisplayURL+"/confirm", url.Values{"number": {asks.number(t)}}).wantPanel(t, http.StatusOK, "panel-connected")
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusGone, "notice-other_phone")
	fourth.get(asks.url.String()).wantPage(t, http.StatusOK, "ready")
	if h := w.wantStatus(s.made.ID, "connected"); h.Device.OS != "Android" || h.Confirmed == nil || *h.Confirmed != "number" {
		t.Errorf("moved to %+v, confirmed %v, want Android by number", h.Device, h.Confirmed)
	}
}

// TestRivalLapses: a phone that asked and went away is forgotten.
func TestRivalLapses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	second := w.person(android)
	second.press(second.get(s.code()), "continue").wantPage(t, http.StatusOK, "number")
	updates, stop := w.hub.Subscribe(handoff.ID(s.made.ID))
	defer stop()
	w.clock.advance(handoff.PhoneLease + time.Second)
	for h := range updates {
		if h.Rival == nil {
			break
		}
	}
	s.desk.get(s.made.DisplayURL).wantPanel(t, http.StatusOK, "panel-connected")
}

// typedCode asks the display for ten digits.
func (s *story) typedCode(t testing.TB) string {
	t.Helper()
	a := s.desk.post(s.made.DisplayURL+"/send", url.Values{"route": {"typed"}})
	digits := strings.Join(strings.Fields(a.page(t).Find(`[data-testid="typed-code"]`).Text()), "")
	if len(digits) != 10 {
		t.Fatalf("the display shows %q as a typed code, want ten digits", digits)
	}
	return digits
}

// TestTypedCode: no camera, ten digits.
func TestTypedCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	digits := s.typedCode(t)
	form := s.phone.get(w.public + "/t/acme")
	form.wantPage(t, http.StatusOK, "typed")
	spaced := digits[:3] + " " + digits[3:6] + "-" + digits[6:]
	s.landing = s.phone.post(w.public+"/t/acme", url.Values{"code": {spaced}})
	s.landing.wantPage(t, http.StatusOK, "landing")
	if got := s.phone.post(w.public+"/t/other", url.Values{"code": {digits}}); got.StatusCode != http.StatusNotFound {
		t.Errorf("the digits at another partner answer %d, want 404", got.StatusCode)
	}
	s.tap().wantPage(t, http.StatusOK, "ready")
	if h := w.get(s.made.ID); h.Route == nil || *h.Route != "typed" {
		t.Errorf("route = %v, want typed", h.Route)
	}
	s.toApp()
}

// TestTypedCodeInAnApp claims with digits, which need the partner beside them.
func TestTypedCodeInAnApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	body := func(partner string) map[string]any {
		_, challenge := pkce()
		return map[string]any{
			"code": s.typedCode(t), "partner": partner, "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef"},
		}
	}
	w.native("/v1/claims", body("")).wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
	w.native("/v1/claims", body("other")).wantProblem(t, http.StatusNotFound, handoff.CodeNotFound)
	if a := w.native("/v1/claims", body("acme")); a.StatusCode != http.StatusCreated {
		t.Errorf("claim by digits = %d %s, want 201", a.StatusCode, a.body)
	}
}

// TestTypedCodeEnds: after ten minutes, by the display's button, or by a newer one.
func TestTypedCodeEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, end := range map[string]func(s *story){
		"late":     func(*story) { w.clock.advance(handoff.TypedLife + time.Second) },
		"revoked":  func(s *story) { s.desk.post(s.made.DisplayURL+"/revoke", url.Values{"route": {"typed"}}) },
		"replaced": func(s *story) { s.typedCode(t) },
	} {
		s := w.begin()
		s.open()
		digits := s.typedCode(t)
		end(s)
		if a := s.phone.post(w.public+"/t/acme", url.Values{"code": {digits}}); a.StatusCode != http.StatusGone {
			t.Errorf("%s: the digits answer %d, want 410", name, a.StatusCode)
		}
	}
}

// TestGuessingTypedCodes: five failures a network in ten minutes, by every way in;
// a good code then has to wait too, and is good again after.
func TestGuessingTypedCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin(map[string]any{"expiresIn": 3600})
	s.open()
	digits := s.typedCode(t)
	wrong := wrongDigits(digits)
	guesser := w.person(iPhone)
	_, challenge := pkce()
	claim := map[string]any{"code": wrong, "partner": "acme", "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef"}}
	for i, status := range []int{
		guesser.post(w.public+"/t/acme", url.Values{"code": {wrong}}).StatusCode,
		guesser.get(w.public + "/c/acme/" + wrong).StatusCode,
		guesser.post(w.public+"/c/acme/"+wrong, url.Values{"attempt": {"0123456789abcdef"}}).StatusCode,
		guesser.post(w.public+"/c/acme/"+wrong+"/reject", url.Values{}).StatusCode,
		w.native("/v1/claims", claim).StatusCode,
	} {
		if status != http.StatusNotFound {
			t.Errorf("guess %d = %d, want 404", i, status)
		}
	}
	late := guesser.post(w.public+"/t/acme", url.Values{"code": {digits}})
	late.wantPage(t, http.StatusTooManyRequests, "typed")
	if late.Header.Get("Retry-After") == "" {
		t.Errorf("beyond the budget there is no Retry-After")
	}
	w.native("/v1/claims", claim).wantProblem(t, http.StatusTooManyRequests, handoff.CodeRateLimited)
	// The code of a link is not a guess.
	s.scan().wantPage(t, http.StatusOK, "landing")
	w.clock.advance(10*time.Minute + time.Second)
	guesser.post(w.public+"/t/acme", url.Values{"code": {s.typedCode(t)}}).wantPage(t, http.StatusOK, "landing")
}

// TestGuessingWhileLimited: a guess that is answered 429, since its network asked for
// too much that is unknown, is a failure like any other: were it given back, digits
// could be tried without end, and the right ones told by their answer.
func TestGuessingWhileLimited(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		w := newWorld(t, func(s *setting) { s.rates.UnknownPerNetwork = few(1) })
		s := w.begin()
		s.open()
		digits := s.typedCode(t)
		guesser := w.person(iPhone)
		guesser.get(w.public + "/c/acme/unknown")
		for i := range 5 {
			if a := guesser.follow(guesser.request(method, w.public+"/c/acme/"+wrongDigits(digits), url.Values{"attempt": {newAttempt()}})); a.StatusCode != http.StatusTooManyRequests {
				t.Fatalf("%s of wrong digits, number %d = %d, want 429", method, i+1, a.StatusCode)
			}
		}
		guesser.get(w.public+"/c/acme/"+digits).wantPage(t, http.StatusTooManyRequests, "problem")
	}
}

func wrongDigits(digits string) string {
	last := '0' + (digits[9]-'0'+1)%10
	return digits[:9] + string(last)
}

// TestReturnFromTheApp: on one device, the app comes back with its response code,
// which leads on only in the browser that began.
func TestReturnFromTheApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin()
	s.desk = w.person(iPhone)
	s.phone = s.desk
	s.own = s.desk.press(s.open(), "action-continue")
	var got token
	s.pickUp().json(t, &got)
	if got.ReturnURL == nil || !strings.HasPrefix(*got.ReturnURL, w.public+"/r/") {
		t.Fatalf("returnUrl = %v, want one below %s/r/", got.ReturnURL, w.public)
	}
	w.person(iPhone).get(*got.ReturnURL).wantPage(t, http.StatusForbidden, "notice-elsewhere")
	if err := w.sim.SetJourney(s.made.InstanceID, finished); err != nil {
		t.Fatal(err)
	}
	if a := s.phone.get(*got.ReturnURL); a.url.String() != s.own.url.String() {
		t.Errorf("the app's return leads to %s, want the phone's own page", a.url)
	}
	w.wantStatus(s.made.ID, "completed") // asked for at once, not in a minute
	s.phone.get(*got.ReturnURL).wantPage(t, http.StatusOK, "finished")
}
