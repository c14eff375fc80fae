package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
)

// referred is the link that an app finds in its Play referrer.
func (s *story) referred() string {
	s.t.Helper()
	store, err := url.Parse(s.own.link(s.t, "store"))
	if err != nil || store.Host != "play.google.com" || store.Query().Get("id") != "com.acme.app" {
		s.t.Fatalf("the way to the store is %s, want Google Play's of the app", store)
	}
	referrer, err := url.ParseQuery(store.Query().Get("referrer"))
	link := referrer.Get("handoff")
	if err != nil || !strings.HasPrefix(link, s.link+"/c/acme/") {
		s.t.Fatalf("the referrer is %q, want a link of ours in it", store.Query().Get("referrer"))
	}
	if strings.Contains(link, s.pickup()) {
		s.t.Fatalf("the referrer carries the pickup")
	}
	return link
}

// appClaim is an app's claim and what it was answered.
type appClaim struct {
	ClaimID, Status, Number string
	ExpiresIn               int

	w                               *world
	verifier, challenge, from, code string
}

func (w *world) appFrom(address, code string) *appClaim {
	verifier, challenge := pkce()
	return &appClaim{w: w, from: address, code: code, verifier: verifier, challenge: challenge}
}

func (c *appClaim) claim() answer {
	c.w.t.Helper()
	a := c.w.nativeFrom(c.from, "/v1/claims", map[string]any{
		"code": c.code, "codeChallenge": c.challenge,
		"deviceInfo": map[string]string{"deviceId": "0123456789abcdef01", "deviceType": "mobile"},
	})
	if a.StatusCode == http.StatusCreated {
		a.json(c.w.t, c)
	}
	return a
}

func (c *appClaim) token() answer {
	c.w.t.Helper()
	return c.w.native("/v1/claims/"+c.ClaimID+"/token", map[string]string{"codeVerifier": c.verifier})
}

// TestPlayReferrer: the app is opened straight from the store, and goes on in place
// of the phone's page, which waits for the end and then carries the return link.
func TestPlayReferrer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) {
		s.confirmation, s.proxies, s.shop, s.twoHosts, s.bolt = handoff.ConfirmAuto, local(), "http://localhost:8999", true, true
	})
	s := w.begin(map[string]any{"returnUrl": "http://localhost:8999/done"})
	s.phone = w.person(android)
	s.phone.header.Set("X-Forwarded-For", "203.0.113.7")
	s.open()
	s.scan()
	s.tap().wantPage(t, http.StatusOK, "ready")
	link := s.referred()
	s.tells(s.phone, "store")
	s.open().wantPanel(t, http.StatusOK, "panel-store")
	w.clock.advance(6 * time.Minute)                      // a slow network
	s.phone.get(link).wantPage(t, http.StatusOK, "ready") // the phone's own browser is led to its page

	app := w.appFrom("203.0.113.7", link)
	for range 2 { // an answer is lost
		if a := app.claim(); a.StatusCode != http.StatusCreated || app.Status != "confirmed" || app.Number != "" {
			t.Fatalf("claim = %d %s, want 201 confirmed without a number", a.StatusCode, a.body)
		}
	}
	s.open().wantPanel(t, http.StatusOK, "panel-connected")
	if got := s.phoneState().Screen; got != "in app" {
		t.Errorf("the phone's page is told %q, want in app", got)
	}
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusOK, "notice-in_app")
	if a := app.token(); a.StatusCode != http.StatusOK {
		t.Fatalf("token = %d %s, want 200", a.StatusCode, a.body)
	} else {
		a.json(t, &s.token)
	}
	if h := w.get(s.made.ID); h.Status != "delivered" || *h.Route != "qr" || *h.Confirmed != "scan" {
		t.Errorf("handoff = %s by %s, %s, want delivered by the scan of the qr", h.Status, *h.Route, *h.Confirmed)
	}
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusOK, "notice-in_app")
	s.toEnd()
	end := s.phone.get(s.own.url.String())
	end.wantPage(t, http.StatusOK, "finished")
	if got := end.link(t, "return"); !strings.HasPrefix(got, "http://localhost:8999/done?") {
		t.Errorf("the phone carries %q, want the return link", got)
	}
}

// TestPlayReferrerElsewhere: the code for the store, passed on, is worth no more
// than a link: the number is asked for on the computer.
func TestPlayReferrerElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.confirmation, s.proxies = handoff.ConfirmAuto, local() })
	begun := func() *story {
		s := w.begin()
		s.phone = w.person(android)
		s.phone.header.Set("X-Forwarded-For", "203.0.113.7")
		s.open()
		s.scan()
		s.tap().wantPage(t, http.StatusOK, "ready")
		return s
	}
	s := begun()
	app := w.appFrom("198.51.100.9", s.referred())
	if a := app.claim(); a.StatusCode != http.StatusCreated || app.Status != "claimed" || len(app.Number) != 4 {
		t.Fatalf("claim = %d %s, want 201 claimed with a number", a.StatusCode, a.body)
	}
	if app.ExpiresIn < 299 || app.ExpiresIn > 300 {
		t.Errorf("the app's claim lasts %d s, want five minutes: its person logs in first", app.ExpiresIn)
	}
	w.clock.advance(4 * time.Minute)
	app.token().wantProblem(t, http.StatusConflict, handoff.CodeNotConfirmed)
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusOK, "ready") // it has lost nothing yet
	s.open().wantPanel(t, http.StatusOK, "panel-number")
	s.enter(app.Number)
	if a := app.token(); a.StatusCode != http.StatusOK {
		t.Fatalf("token = %d %s, want 200", a.StatusCode, a.body)
	}
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusOK, "notice-in_app")

	// Wrong numbers end the stranger's claim alone.
	s = begun()
	link := s.referred()
	stranger := w.appFrom("198.51.100.9", link)
	stranger.claim()
	s.enter(not(stranger.Number))
	s.enter(not(stranger.Number))
	stranger.token().wantProblem(t, http.StatusGone, handoff.CodeGone)
	w.person(iPhone).get(link).wantPage(t, http.StatusConflict, "landing")
	// Once the app is there, the code is used; once the phone was let go, it is dead.
	s.toApp()
	if p := w.appFrom("203.0.113.7", link).claim().wantProblem(t, http.StatusGone, handoff.CodeGone); p.Reason != "used" {
		t.Errorf("after the pickup: reason %q, want used", p.Reason)
	}
	s = begun()
	link = s.referred()
	s.desk.press(s.open(), "action-release")
	if p := w.appFrom("203.0.113.7", link).claim().wantProblem(t, http.StatusGone, handoff.CodeGone); p.Reason != "released" {
		t.Errorf("after a release: reason %q, want released", p.Reason)
	}
}

// TestAppClipBanner: a landing offers the App Clip, which is opened with the landing's
// own address and claims with that; the phone's own page, whose address is no code,
// offers none.
func TestAppClipBanner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) {
		s.dress = func(p *partner.Partner) { p.Apps[0].IOS.Clip = "ABCDE12345.com.acme.app.Clip" }
	})
	s := w.begin()
	s.open()
	banner := func(a answer) string { return a.page(t).Find(`meta[name="apple-itunes-app"]`).AttrOr("content", "") }
	landing := s.scan()
	if got := banner(landing); !strings.HasPrefix(got, "app-id=1, app-argument=") || !strings.HasSuffix(got, ", app-clip-bundle-id=com.acme.app.Clip, app-clip-display=card") {
		t.Errorf("the banner of the landing = %q, want the App Clip too", got)
	}
	clip := w.appFrom("", landing.url.String())
	if a := clip.claim(); a.StatusCode != http.StatusCreated {
		t.Errorf("the clip claims with %s: %d %s, want 201", landing.url, a.StatusCode, a.body)
	}
	own := w.begin()
	own.open()
	own.scan()
	own.tap().wantPage(t, http.StatusOK, "ready")
	if got := banner(own.own); !strings.HasPrefix(got, "app-id=1, ") || strings.Contains(got, "clip") {
		t.Errorf("the banner of the phone's page = %q, want no App Clip", got)
	}
}

// TestAppClipOnPages: where pages have a host of their own, that names App Clips, and
// nothing that an app would open, so that Safari offers one on the landing too.
func TestAppClipOnPages(t *testing.T) {
	t.Parallel()
	const file = "/.well-known/apple-app-site-association"
	w := newWorld(t, func(s *setting) {
		s.twoHosts = true
		s.dress = func(p *partner.Partner) { p.Apps[0].IOS.Clip = "ABCDE12345.com.acme.app.Clip" }
	})
	a := w.person(iPhone).get(w.public + file)
	if got, want := string(a.body), `{"appclips":{"apps":["ABCDE12345.com.acme.app.Clip"]}}`+"\n"; got != want || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("the file of the pages' host = %s %q, want %q", a.Header.Get("Content-Type"), got, want)
	}
	if a := w.person(iPhone).get(w.link + file); !strings.Contains(string(a.body), `"applinks":{"details":[{"appIDs"`) {
		t.Errorf("the file of the link host = %s, want its apps", a.body)
	}
	s := w.begin()
	s.open()
	landing := s.scan()
	if landing.url.Host != strings.TrimPrefix(w.public, "http://") {
		t.Errorf("the landing is at %s, want %s", landing.url, w.public)
	}
	if a := w.appFrom("", landing.url.String()).claim(); a.StatusCode != http.StatusCreated {
		t.Errorf("the clip claims with %s: %d %s, want 201", landing.url, a.StatusCode, a.body)
	}
	without := newWorld(t, func(s *setting) { s.twoHosts = true })
	without.person(iPhone).get(without.public+file).wantPage(t, http.StatusNotFound, "problem")
}

// TestSmartAppBanner: only Safari on Apple's phones and tablets is told, and only of a code.
func TestSmartAppBanner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	banner := func(a answer) string { return a.page(t).Find(`meta[name="apple-itunes-app"]`).AttrOr("content", "") }
	landing := banner(s.scan())
	link, ok := strings.CutPrefix(landing, "app-id=1, app-argument=")
	if !ok || !strings.HasPrefix(link, w.link+"/c/acme/") || strings.Contains(link, ".") && strings.Contains(link[strings.LastIndex(link, "/"):strings.Index(link, "?")], ".") {
		t.Errorf("the banner of the landing = %q, want the app and the code without its frame", landing)
	}
	s.tap().wantPage(t, http.StatusOK, "ready")
	ready := banner(s.own)
	if !strings.HasPrefix(ready, "app-id=1, app-argument="+w.link+"/c/acme/") || strings.Contains(ready, s.pickup()) {
		t.Errorf("the banner of the page with the app link = %q, want a code, and not the pickup", ready)
	}
	// What Safari gives the app from the landing claims as the scanned code does.
	other := w.begin()
	other.open()
	got := strings.TrimPrefix(banner(other.scan()), "app-id=1, app-argument=")
	w.clock.advance(4 * time.Minute)
	app := w.appFrom("", got)
	if a := app.claim(); a.StatusCode != http.StatusCreated || app.Status != "confirmed" {
		t.Errorf("the app claims with %s: %d %s, want 201 confirmed", got, a.StatusCode, a.body)
	}
	for _, agent := range []string{android, instagram, strings.Replace(iPhone, "Version/", "CriOS/125.0 Version/", 1)} {
		if got := banner(w.person(agent).get(w.freshCode())); got != "" {
			t.Errorf("%s gets the banner %q", agent, got)
		}
	}
}

// TestNoAppFromHere: where no app opens, there is a step that does something.
func TestNoAppFromHere(t *testing.T) {
	t.Parallel()
	for _, web := range []string{"", "https://app.acme.example/handoff"} {
		w := newWorld(t, func(s *setting) { s.webURL = web })
		s := w.begin()
		s.open()
		s.phone = w.person(instagram)
		stay, err := s.scan().url.Parse(s.landing.link(t, "stay"))
		if err != nil {
			t.Fatal(err)
		}
		s.landing = s.phone.get(stay.String())
		s.tap().wantPage(t, http.StatusOK, "ready")
		open, inWeb := s.own.link(t, "open"), s.own.link(t, "web")
		if s.own.page(t).Find(`[data-testid="reopen"]`).Length() != 0 || (web == "") != (open != "") || (web == "") != (inWeb == "") {
			t.Errorf("inside Instagram, web app %q: open %q, web %q", web, open, inWeb)
		}
	}
}

// TestTabletThatSaysMac: an iPad's Safari calls itself a Mac; its person goes on.
func TestTabletThatSaysMac(t *testing.T) {
	t.Parallel()
	const mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15"
	w := newWorld(t)
	s := w.begin()
	s.open()
	s.phone = w.person(mac)
	a := s.scan()
	a.wantPage(t, http.StatusForbidden, "wrong-device")
	s.landing = s.phone.tapLink(a, "tablet")
	s.landing.wantPage(t, http.StatusOK, "landing")
	s.phone.tapLink(s.phone.press(s.landing, "reject"), "back").wantPage(t, http.StatusOK, "landing")
	s.tap().wantPage(t, http.StatusOK, "ready")
	if d := w.get(s.made.ID).Device; d.Class != "tablet" || d.OS != "iPadOS" {
		t.Errorf("device = %+v, want a tablet with iPadOS", d)
	}
	s.toApp()

	// It stays one where another phone was faster.
	late := w.begin()
	late.open()
	ipad := w.person(mac)
	landing := ipad.tapLink(ipad.get(late.code()), "tablet")
	late.phone.press(late.scan(), "continue").wantPage(t, http.StatusOK, "ready")
	elsewhere := ipad.press(landing, "continue")
	elsewhere.wantPage(t, http.StatusConflict, "landing")
	ipad.press(elsewhere, "continue").wantPage(t, http.StatusOK, "number")

	if got := w.person(desktop).get(w.freshCode()).link(t, "tablet"); got != "" {
		t.Errorf("Windows is offered %q", got)
	}
}

// freshCode is the code of another handoff, displayed.
func (w *world) freshCode() string {
	w.t.Helper()
	s := w.begin()
	s.open()
	return s.code()
}
