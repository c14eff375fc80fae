package web_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// TestOpenAgain: a fresh app link, and the old one dies.
func TestOpenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	old := *s
	s.own = s.phone.press(s.own, "try-again")
	s.own.wantPage(t, http.StatusOK, "ready")
	if s.pickup() == old.pickup() {
		t.Fatalf("open gives the same pickup again")
	}
	if p := old.pickUp().wantProblem(t, http.StatusGone, handoff.CodeGone); p.Reason != "replaced" {
		t.Errorf("the old pickup: reason %q, want replaced", p.Reason)
	}
	s.toApp()
	if got, want := w.calls("start", "connect"), []string{"start", "connect", "start", "connect"}; !slices.Equal(got, want) {
		t.Errorf("calls = %v, want %v", got, want)
	}
	// Delivered: the app was closed by mistake.
	s.report("left")
	s.open().wantPanel(t, http.StatusOK, "panel-stopped")
	page := s.phone.get(s.own.url.String())
	page.wantPage(t, http.StatusOK, "ready")
	s.own = s.phone.press(page, "try-again")
	s.toApp()
	s.open().wantPanel(t, http.StatusOK, "panel-delivered")
	s.toEnd()
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusOK, "finished")
}

func TestOpenTooOften(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	for range handoff.MaxOpens - 1 { // the first link is no fresh one
		s.own = s.phone.press(s.own, "try-again")
		s.own.wantPage(t, http.StatusOK, "ready")
	}
	a := s.phone.press(s.own, "try-again")
	a.wantPage(t, http.StatusTooManyRequests, "problem")
	if a.Header.Get("Retry-After") == "" {
		t.Errorf("429 without Retry-After")
	}
	s.toApp() // the last link is as good as the first
}

// TestPickupFades: an app link that nobody used within two minutes is followed by
// a fresh one at the next look.
func TestPickupFades(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	old := *s
	s.own = s.phone.get(s.own.url.String())
	if s.pickup() != old.pickup() {
		t.Errorf("a reload shows another app link")
	}
	w.clock.advance(121 * time.Second)
	if p := old.pickUp().wantProblem(t, http.StatusGone, handoff.CodeGone); p.Reason != "expired" {
		t.Errorf("the old pickup: reason %q, want expired", p.Reason)
	}
	s.own = s.phone.get(s.own.url.String())
	s.own.wantPage(t, http.StatusOK, "ready")
	if s.pickup() == old.pickup() {
		t.Fatalf("the page shows the old app link")
	}
	s.toApp()
	w.wantConnectsOnce()
	s.toEnd()
}

// TestUsedPickup: the same pair repeats its answer for a minute, and then is gone.
func TestUsedPickup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	verifier, _ := pkce()
	ask := func(verifier string) answer {
		return w.native("/v1/pickups", map[string]string{"pickup": s.pickup(), "verifier": verifier})
	}
	if a := ask(verifier); a.StatusCode != http.StatusOK {
		t.Fatalf("pickup = %d %s, want 200", a.StatusCode, a.body)
	}
	w.clock.advance(50 * time.Second)
	if a := ask(verifier); a.StatusCode != http.StatusOK {
		t.Errorf("again after 50 s = %d, want 200", a.StatusCode)
	}
	w.clock.advance(11 * time.Second)
	if p := ask(verifier).wantProblem(t, http.StatusGone, handoff.CodeGone); p.Reason != "used" {
		t.Errorf("again after 61 s: reason %q, want used", p.Reason)
	}
	for _, bad := range []string{"", "short", strings.Repeat("x", 42), strings.Repeat("x", 129), strings.Repeat("é", 43)} {
		p := ask(bad).wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/verifier" {
			t.Errorf("verifier %q: errors = %+v, want one at /verifier", bad, p.Errors)
		}
	}
	var bodies []string
	for _, pickup := range []string{"", "x", strings.Repeat("A", 22), strings.Repeat("A", 4000), s.own.url.Path} {
		p := w.native("/v1/pickups", map[string]string{"pickup": pickup, "verifier": verifier}).
			wantProblem(t, http.StatusNotFound, handoff.CodeNotFound)
		bodies = append(bodies, p.Title+p.Detail)
	}
	if len(slices.Compact(bodies)) != 1 {
		t.Errorf("unknown pickups are told apart: %q", bodies)
	}
}

// TestLease: an unconfirmed claim lasts a minute beyond the last look at its page,
// and comes back with its owner.
func TestLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin()
	s.open()
	s.scan()
	s.tap()
	number := s.digits()
	for range 4 {
		w.clock.advance(50 * time.Second)
		if a := s.phone.get(s.own.url.String() + "/status"); a.StatusCode != http.StatusOK {
			t.Fatalf("status of the page = %d, want 200", a.StatusCode)
		}
	}
	w.wantStatus(s.made.ID, "claimed")
	w.clock.advance(61 * time.Second)
	w.wantStatus(s.made.ID, "displayed")
	s.open().wantPanel(t, http.StatusOK, "panel-waiting")
	s.own = s.phone.get(s.own.url.String())
	if again := s.digits(); again != number {
		t.Errorf("the page that came back shows %s, want %s", again, number)
	}
	s.enter(number)
	w.clock.advance(10 * time.Minute) // confirmed: until the deadline
	s.own = s.phone.get(s.own.url.String())
	s.toApp()
}

// TestOwnPageIsBound: its address is worth nothing without the cookie.
func TestOwnPageIsBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	thief := s.phone.lost()
	own := s.own.url.String()
	thief.get(own).wantPage(t, http.StatusNotFound, "notice-ended")
	thief.post(own+"/open", nil).wantPage(t, http.StatusNotFound, "notice-ended")
	thief.post(own+"/reject", nil).wantPage(t, http.StatusNotFound, "notice-ended")
	thief.get(own+"/status").wantPage(t, http.StatusNotFound, "problem")
	thief.get(own+"/events").wantPage(t, http.StatusNotFound, "problem")
	thief.get(w.public+"/p/AAAAAAAAAAAAAAAAAAAAAA").wantPage(t, http.StatusNotFound, "notice-ended")
	w.wantStatus(s.made.ID, "connected")
	s.toApp()
}

// TestStore: on the way to the store the place is kept.
func TestStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	if got := s.own.link(t, "store"); got != "https://apps.apple.com/app/id1" {
		t.Errorf("the store's link = %q, want the app's", got)
	}
	if a := s.phone.post(s.own.url.String()+"/store", nil); a.StatusCode != http.StatusNoContent {
		t.Fatalf("store = %d, want 204", a.StatusCode)
	}
	s.open().wantPanel(t, http.StatusOK, "panel-store")
	s.own = s.phone.get(s.own.url.String())
	s.own.wantPage(t, http.StatusOK, "ready")
	if s.own.link(t, "store") != "" || s.own.link(t, "open") == "" {
		t.Errorf("a phone that is back from the store is sent there again, or not to the app")
	}
	w.clock.advance(10 * time.Minute)
	s.own = s.phone.get(s.own.url.String())
	s.toApp()
	s.open().wantPanel(t, http.StatusOK, "panel-delivered")
}

// TestWaysToOpen: what a browser gets to open the app with.
func TestWaysToOpen(t *testing.T) {
	t.Parallel()
	const web = "http://localhost:8998/handoff"
	w := newWorld(t, func(s *setting) { s.webURL, s.twoHosts = web, true })
	s := w.begin()
	s.open()
	s.phone = w.person(android)
	s.scan()
	s.tap().wantPage(t, http.StatusOK, "ready")
	open := s.own.link(t, "open")
	host := strings.TrimPrefix(w.link, "http://")
	if !strings.HasPrefix(open, "intent://"+host+"/a/acme/"+s.pickup()+"#Intent;") ||
		!strings.Contains(open, ";package=com.acme.app;") || !strings.HasSuffix(open, ";end") {
		t.Errorf("app link on Android = %q, want an intent for the package", open)
	}
	if got, want := s.own.link(t, "web"), web+"?pickup="+s.pickup(); got != want {
		t.Errorf("web app = %q, want %q", got, want)
	}
	if got := s.own.link(t, "store"); !strings.HasPrefix(got, "https://play.google.com/") {
		t.Errorf("store = %q, want Google's", got)
	}
	s.toApp()

	// The app link in a browser, on either host: a page that helps and redeems nothing.
	s = w.connected()
	for _, address := range []string{s.own.link(t, "open"), strings.Replace(s.own.link(t, "open"), w.link, w.public, 1)} {
		a := w.person(iPhone).get(address)
		a.wantPage(t, http.StatusOK, "app-link")
		if got := a.link(t, "open"); a.url.Host != strings.TrimPrefix(w.public, "http://") || got != s.own.link(t, "open") {
			t.Errorf("%s leads to %s with %q, want the public host with the same link", address, a.url, got)
		}
		if a.Header.Get("Set-Cookie") != "" {
			t.Errorf("the help page sets a cookie")
		}
	}
	w.person(iPhone).get(w.public+"/a/nobody/x").wantPage(t, http.StatusNotFound, "problem")
	s.toApp()
}

// TestContinueHere: the device that shows the display goes on by itself.
func TestContinueHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin()
	s.desk = w.person(iPhone)
	display := s.open()
	display.wantPanel(t, http.StatusOK, "panel-waiting")
	if display.Header.Get("Set-Cookie") == "" {
		t.Errorf("a phone's display, top level, sets no cookie: it could not tell that this is the browser that began")
	}
	s.phone = s.desk
	s.own = s.desk.press(display, "action-continue")
	s.own.wantPage(t, http.StatusOK, "ready")
	w.person(iPhone).get(s.own.url.String()).wantPage(t, http.StatusNotFound, "notice-ended")
	s.toApp()
	if h := w.get(s.made.ID); *h.Route != "local" || h.Confirmed != nil {
		t.Errorf("route = %v, confirmed %v, want local, and nothing confirmed", h.Route, h.Confirmed)
	}
	s.toEnd()
	// A computer cannot, where the scope is a phone's.
	s = w.begin()
	if got := s.open().forms(t); slices.Contains(got, "action-continue") {
		t.Errorf("a computer is offered %v, want no way to go on here", got)
	}
	s.desk.post(s.made.DisplayURL+"/continue", nil).wantPage(t, http.StatusForbidden, "wrong-device")
	w.wantStatus(s.made.ID, "displayed")
}

// TestPagesWithoutScriptWatch: a page that follows by being loaded again counts as
// one that watches, so the journey is asked for in two seconds, not in a minute.
func TestPagesWithoutScriptWatch(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(*story) answer{
		"display": func(s *story) answer { return s.open() },
		"phone":   func(s *story) answer { return s.phone.get(s.own.url.String()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.delivered()
			if err := w.sim.SetJourney(s.made.InstanceID, finished); err != nil {
				t.Fatal(err)
			}
			look(s)
			if next := s.stored().Poll.Next.Sub(w.clock.now()); next > 2*time.Second {
				t.Fatalf("the journey is asked for in %s, want within 2 seconds", next)
			}
			w.clock.advance(3 * time.Second)
			w.wantStatus(s.made.ID, "completed")
		})
	}
}

// unsaved is a store that can be read while it takes nothing.
type unsaved struct {
	handoff.Store

	now atomic.Bool
}

func (u *unsaved) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	if u.now.Load() {
		return handoff.Handoff{}, handoff.Errorf(handoff.CodeStoreUnavailable, "out of order")
	}
	return u.Store.Update(ctx, id, fn)
}

// TestDisplayWithNothingSaved: a store that takes nothing just now keeps a display from
// nobody, a phone's neither, whose browser would be remembered.
func TestDisplayWithNothingSaved(t *testing.T) {
	t.Parallel()
	store := &unsaved{}
	w := newWorld(t, func(s *setting) {
		s.wrap = func(inner handoff.Store) handoff.Store { store.Store = inner; return store }
	})
	s := w.begin()
	s.open()
	store.now.Store(true)
	for agent, p := range map[string]*person{"a computer": s.desk, "a phone": w.person(iPhone)} {
		if a := p.get(s.made.DisplayURL); a.StatusCode != http.StatusOK {
			t.Errorf("%s gets its display with %d, want 200: %s", agent, a.StatusCode, a.testID(t))
		}
	}
}

// TestContinueTooLate: a button that is pressed too late leads to what the display
// shows by then.
func TestContinueTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.desk = w.person(iPhone)
	s.open()
	s.scan()
	s.tap()
	s.desk.post(s.made.DisplayURL+"/continue", nil).wantPanel(t, http.StatusOK, "panel-connected")
	s.desk.post(s.made.DisplayURL+"/cancel", nil)
	s.desk.post(s.made.DisplayURL+"/continue", nil).wantPanel(t, http.StatusOK, "panel-cancelled")
}
