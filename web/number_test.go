package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// asked is a policy by which numbers are asked for.
func asked(c handoff.Confirmation) func(*setting) {
	return func(s *setting) { s.confirmation = c }
}

// digits is the number the phone shows.
func (s *story) digits() string {
	s.t.Helper()
	s.own.wantPage(s.t, http.StatusOK, "number")
	n := s.own.page(s.t).Find(`[data-testid="digits"] span[aria-hidden]`).Text()
	if len(n) != 4 {
		s.t.Fatalf("the phone shows %q, want four digits", n)
	}
	return n
}

// enter types a number at the display.
func (s *story) enter(number string) answer {
	s.t.Helper()
	a := s.open()
	if !slices.Contains(a.forms(s.t), "action-confirm") {
		s.t.Fatalf("the display has no field for the number: %s", a.panel(s.t))
	}
	return s.desk.post(s.made.DisplayURL+"/confirm", url.Values{"number": {number}})
}

// not is another number than this one.
func not(number string) string {
	n, _ := strconv.Atoi(number)
	return strconv.Itoa(10000 + (n+1)%10000)[1:]
}

func TestNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin()
	s.open()
	s.scan()
	s.tap()
	number := s.digits()
	w.wantStatus(s.made.ID, "claimed")
	display := s.open()
	display.wantPanel(t, http.StatusOK, "panel-number")
	if strings.Contains(string(display.body), number) {
		t.Errorf("the display shows the number that is to be typed there")
	}
	if again := s.phone.get(s.own.url.String()); again.page(t).Find(`[data-testid="digits"]`).Text() != s.own.page(t).Find(`[data-testid="digits"]`).Text() {
		t.Errorf("a reload shows another number")
	}
	wrong := s.enter(not(number))
	wrong.wantPanel(t, http.StatusOK, "panel-number")
	if said := wrong.page(t).Find(`[data-testid="slot-wrong"]:not([hidden])`).Text(); said == "" {
		t.Errorf("the display does not say that the number was wrong")
	}
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusOK, "number")
	if got := w.calls("connect"); len(got) != 0 {
		t.Fatalf("connects before the number = %d, want none", len(got))
	}
	s.enter(" "+number[:2]+" "+number[2:]+" ").wantPanel(t, http.StatusOK, "panel-connected")
	if got := w.calls("connect"); len(got) != 0 {
		t.Errorf("connects before the phone's page asks = %d, want none", len(got))
	}
	s.own = s.phone.get(s.own.url.String())
	s.own.wantPage(t, http.StatusOK, "ready")
	s.toApp()
	if h := w.get(s.made.ID); h.Confirmed == nil || *h.Confirmed != "number" {
		t.Errorf("confirmed = %v, want number", h.Confirmed)
	}
	s.toEnd()
}

// TestWrongNumbers: two burn a claim, three burnt claims the code, and a new code
// forgives them.
func TestWrongNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin()
	s.open()
	code := s.code()
	for burnt := range handoff.MaxBurnt {
		s.phone = w.person(iPhone)
		s.scan().wantPage(t, http.StatusOK, "landing")
		s.tap()
		number := s.digits()
		s.enter(not(number)).wantPanel(t, http.StatusOK, "panel-number")
		panel := "panel-waiting"
		if burnt == handoff.MaxBurnt-1 {
			panel = "panel-too_many"
		}
		s.enter(not(number)).wantPanel(t, http.StatusOK, panel)
		s.phone.get(s.own.url.String()).wantPage(t, http.StatusGone, "notice-wrong_number")
		// It is burnt: the right one is too late.
		s.desk.post(s.made.DisplayURL+"/confirm", url.Values{"number": {number}}).wantPanel(t, http.StatusOK, panel)
	}
	w.wantStatus(s.made.ID, "displayed")
	display := s.open()
	if got := display.forms(t); !slices.Contains(got, "action-renew") || display.page(t).Find("#qr path").AttrOr("d", "") != "" {
		t.Errorf("the display offers %v and a code, want a new code, and none to scan", got)
	}
	if a := s.desk.get(s.made.DisplayURL + "/qr.png"); a.StatusCode != http.StatusConflict {
		t.Errorf("qr.png = %d, want 409: there is no code", a.StatusCode)
	}
	w.person(iPhone).get(code).wantPage(t, http.StatusGone, "notice-old_code")
	s.desk.press(display, "action-renew").wantPanel(t, http.StatusOK, "panel-waiting")
	w.person(iPhone).get(code).wantPage(t, http.StatusGone, "notice-old_code")
	for range 2 { // and it takes two burnt ones again
		s.phone = w.person(iPhone)
		s.scan()
		s.tap()
		number := s.digits()
		s.enter(not(number))
		s.enter(not(number)).wantPanel(t, http.StatusOK, "panel-waiting")
	}
	s.phone = w.person(iPhone)
	s.scan()
	s.tap()
	s.enter(s.digits()).wantPanel(t, http.StatusOK, "panel-connected")
	s.own = s.phone.get(s.own.url.String())
	s.own.wantPage(t, http.StatusOK, "ready")
	if got := w.calls("connect"); len(got) != 1 {
		t.Errorf("connects = %d, want one", len(got))
	}
}

// TestWhoIsAsked: each policy on each route.
func TestWhoIsAsked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		policy handoff.Confirmation
		asks   []string // routes
	}{
		{handoff.ConfirmNever, nil},
		{handoff.ConfirmLinks, []string{"link", "partner"}},
		{handoff.ConfirmAuto, []string{"link", "partner"}},
		{handoff.ConfirmAlways, []string{"qr", "link", "partner"}},
	} {
		t.Run(string(tt.policy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, asked(tt.policy))
			for route, code := range map[string]func(s *story) string{
				"qr":   func(s *story) string { return s.code() },
				"link": func(s *story) string { return s.copied() },
				"partner": func(s *story) string {
					var l struct{ URL string }
					w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/links", nil).json(t, &l)
					return l.URL
				},
				// The display's own link, opened by its own phone, and by another.
				"local": func(s *story) string {
					s.desk = s.phone
					return s.open().page(t).Find("a[data-deep-link]").AttrOr("href", "")
				},
				"local elsewhere": func(s *story) string {
					return s.open().page(t).Find("a[data-deep-link]").AttrOr("href", "")
				},
			} {
				s := w.begin()
				if route != "local" {
					s.open()
				}
				s.landing = s.phone.get(code(s))
				want := "ready"
				route, elsewhere := strings.CutSuffix(route, " elsewhere")
				if slices.Contains(tt.asks, route) || (elsewhere && slices.Contains(tt.asks, "link")) {
					want = "number"
				}
				if got := s.tap().testID(t); got != want {
					t.Errorf("by %s: the phone shows %q, want %q", route, got, want)
				}
				if h := w.get(s.made.ID); h.Route == nil || *h.Route != route {
					t.Errorf("by %s: route = %v", route, h.Route)
				}
			}
		})
	}
}

// TestSecondPhoneIsRisk: under auto, a scan by a second phone is asked.
func TestSecondPhoneIsRisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAuto))
	s := w.begin()
	s.open()
	s.scan()
	s.tap().wantPage(t, http.StatusOK, "ready")
	s.desk.press(s.open(), "action-release")
	s.phone = w.person(android)
	s.scan()
	s.tap()
	s.enter(s.digits())
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusOK, "ready")
}

// TestThief: who claims first without the display in sight gets nothing, and the
// one in front of it can go on.
func TestThief(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin()
	s.open()
	code := s.code()
	thief := &story{world: w, made: s.made, desk: s.desk, phone: w.person(android)}
	thief.landing = thief.phone.get(code)
	thief.tap()
	stolen := thief.digits()
	// A later phone takes an unconfirmed claim's place; whose number is typed wins.
	s.scan().wantPage(t, http.StatusOK, "landing")
	s.tap()
	number := s.digits()
	thief.own = thief.phone.get(thief.own.url.String())
	if again := thief.digits(); again != stolen || again == number {
		t.Errorf("the thief's page shows %s after %s, the other phone's %s, want its own as it was", again, stolen, number)
	}
	s.enter(number).wantPanel(t, http.StatusOK, "panel-connected")
	thief.phone.get(thief.own.url.String()).wantPage(t, http.StatusGone, "notice-other_phone")
	thief.phone.press(thief.landing, "continue").wantPage(t, http.StatusConflict, "landing")
	s.own = s.phone.get(s.own.url.String())
	s.toApp()
	if got := w.calls("connect"); len(got) != 1 {
		t.Errorf("connects = %d, want one", len(got))
	}
}

// An app that comes with the local link of a phone's display is that phone's, and is
// not asked; unless it is known to be somewhere else, to where the link was sent.
func TestLocalLinkElsewhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, display, app string
		asked              bool
	}{
		{"the same network", "198.51.100.7", "198.51.100.7", false},
		{"not known", "", "198.51.100.7", false},
		{"two kinds of address", "198.51.100.7", "2001:db8::7", false},
		{"another network", "198.51.100.7", "203.0.113.9", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, asked(handoff.ConfirmAlways), func(s *setting) { s.proxies = local() })
			s := w.begin()
			if tt.display != "" {
				s.phone.header.Set("X-Forwarded-For", tt.display)
			}
			link := s.phone.get(s.made.DisplayURL).page(t).Find("a[data-deep-link]").AttrOr("href", "")
			_, challenge := pkce()
			a := w.nativeFrom(tt.app, "/v1/claims", map[string]any{
				"code": link, "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef01", "deviceType": "mobile"},
			})
			var claim struct{ Number *string }
			a.json(t, &claim)
			if a.StatusCode != http.StatusCreated || (claim.Number != nil) != tt.asked {
				t.Errorf("claim = %d %s, want it asked for the number: %t", a.StatusCode, a.body, tt.asked)
			}
		})
	}
}

// TestAppIsAsked: an app waits for the number too, and shows it.
func TestAppIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin()
	s.open()
	verifier, challenge := pkce()
	var claim struct {
		ClaimID, Status string
		Number          *string
		ExpiresIn       int
		Interval        int
	}
	a := w.native("/v1/claims", map[string]any{
		"code": s.code(), "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef01", "deviceType": "mobile"},
	})
	a.json(t, &claim)
	if a.StatusCode != http.StatusCreated || claim.Status != "claimed" || claim.Number == nil || claim.ExpiresIn < 295 || claim.ExpiresIn > 300 || claim.Interval != 2 {
		t.Fatalf("claim = %d %s, want 201 claimed with a number, for 300 s, asked for every 2 s", a.StatusCode, a.body)
	}
	ask := func() answer {
		return w.native("/v1/claims/"+claim.ClaimID+"/token", map[string]string{"codeVerifier": verifier})
	}
	early := ask()
	early.wantProblem(t, http.StatusConflict, handoff.CodeNotConfirmed)
	if got := early.Header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After = %q, want 2", got)
	}
	s.enter(*claim.Number).wantPanel(t, http.StatusOK, "panel-connected")
	got := ask()
	got.json(t, &s.token)
	if got.StatusCode != http.StatusOK || s.token.EndUserToken == "" || got.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("token = %d %v, want it, and not to be stored", got.StatusCode, got.Header)
	}
	s.toEnd()
	if p := ask().wantProblem(t, http.StatusGone, handoff.CodeGone); p.Reason == "" {
		t.Errorf("after the end: no reason")
	}
}
