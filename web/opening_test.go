package web_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
)

// wantEvent waits for the worker to note something.
func (s *story) wantEvent(want handoff.EventType) {
	s.t.Helper()
	updates, stop := s.hub.Subscribe(handoff.ID(s.made.ID))
	defer stop()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		h := s.stored()
		if slices.ContainsFunc(h.Events, func(e handoff.Event) bool { return e.Type == want }) {
			return
		}
		select {
		case <-updates:
		case <-ctx.Done():
			s.t.Fatalf("no event %q among %+v", want, h.Events)
		}
	}
}

// tells is what the phone's page says of a tap, by its script.
func (s *story) tells(p *person, what string) int {
	s.t.Helper()
	return p.post(s.public+s.own.url.Path+"/"+what, nil).StatusCode
}

// state is what a page kept up to date by script is told.
type state struct {
	Screen string
	Slots  map[string]string
}

func (s *story) deskState() (got state) {
	s.t.Helper()
	s.desk.get(s.made.DisplayURL+"/status").json(s.t, &got)
	return got
}

func (s *story) phoneState() (got state) {
	s.t.Helper()
	s.phone.get(s.public+s.own.url.Path+"/status").json(s.t, &got)
	return got
}

func helps(t *testing.T, a answer) bool {
	t.Helper()
	_, open := a.page(t).Find(`[data-testid="help"]`).Attr("open")
	return open
}

// TestUnopened: the link into the app is tapped and no pickup comes within half a
// minute. Both screens say what to try, and the launcher's rule is counted.
func TestUnopened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	if helps(t, s.own) {
		t.Errorf("the phone says what to try before anything was tried")
	}
	for range 2 { // a second tap in vain does not start the half minute again
		if got := s.tells(s.phone, "tapped"); got != http.StatusNoContent {
			t.Fatalf("POST …/tapped = %d, want 204", got)
		}
		w.clock.advance(8 * time.Second)
	}
	if got := s.tells(w.person(iPhone), "tapped"); got != http.StatusNotFound {
		t.Errorf("another phone tells of a tap: %d, want 404", got)
	}
	if got := s.deskState(); got.Screen != "connected" || got.Slots["unopened"] != "" {
		t.Errorf("before the half minute is over the display shows %+v, want connected", got)
	}
	if got := s.phoneState().Screen; got != "ready" {
		t.Errorf("before the half minute is over the phone is told %q, want ready", got)
	}
	w.clock.advance(14 * time.Second)
	s.wantEvent(handoff.EventUnopened)
	got := s.deskState()
	if got.Screen != "unopened" || !strings.Contains(got.Slots["unopened"], "didn’t open") || got.Slots["say"] != got.Slots["unopened"] {
		t.Errorf("the display is told %+v, want what to try, spoken too", got)
	}
	desk := s.open()
	desk.wantPanel(t, http.StatusOK, "panel-connected")
	if text := desk.page(t).Find(`[data-testid="slot-unopened"]:not([hidden])`).Text(); text != got.Slots["unopened"] {
		t.Errorf("the display says %q, want %q", text, got.Slots["unopened"])
	}
	if got := s.phoneState().Screen; got != "unopened" {
		t.Errorf("the phone is told %q, want unopened", got)
	}
	if !helps(t, s.phone.get(s.own.url.String())) {
		t.Errorf("the phone's page hides what to try")
	}
	w.wantSamples(
		`handoff_app_links_total{outcome="shown",rule="ios-safari"} 1`,
		`handoff_app_links_total{outcome="tapped",rule="ios-safari"} 1`,
		`handoff_app_links_total{outcome="unopened",rule="ios-safari"} 1`,
	)

	// A fresh link has its own half minute.
	s.own = s.phone.press(s.phone.get(s.own.url.String()), "try-again")
	if got := s.deskState().Screen; got != "connected" {
		t.Errorf("with a fresh link the display shows %q, want connected", got)
	}
	s.tells(s.phone, "tapped")
	w.clock.advance(20 * time.Second)
	s.toApp()
	if got := s.deskState(); got.Screen != "delivered" || got.Slots["unopened"] != "" {
		t.Errorf("after the pickup the display shows %+v, want delivered", got)
	}
	if got := s.phoneState().Screen; got != "delivered" {
		t.Errorf("after the pickup the phone is told %q, want delivered", got)
	}
	w.clock.advance(time.Minute)
	s.tells(s.phone, "tapped") // late news changes nothing
	s.toEnd()
	w.wantSamples(
		`handoff_app_links_total{outcome="tapped",rule="ios-safari"} 2`,
		`handoff_app_links_total{outcome="unopened",rule="ios-safari"} 1`,
		`handoff_app_links_total{outcome="picked_up",rule="ios-safari"} 1`,
	)
}

// TestUntapped: a page without script tells of no tap, so time alone speaks; and
// counts nothing against a rule that may never have been tried.
func TestUntapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	seq := s.stored().Seq
	w.clock.advance(40 * time.Second)
	if got := s.deskState().Screen; got != "connected" || helps(t, s.phone.get(s.own.url.String())) {
		t.Errorf("before a minute is over the display shows %q, and the phone what to try", got)
	}
	w.clock.advance(20 * time.Second)
	if got := s.deskState().Screen; got != "unopened" || !helps(t, s.phone.get(s.own.url.String())) {
		t.Errorf("after a minute the display shows %q, or the phone not what to try", got)
	}
	if got := s.phoneState().Screen; got != "ready" {
		t.Errorf("the phone is told %q: a page that somebody reads is not to reload", got)
	}
	if got := s.stored().Seq; got != seq || strings.Contains(w.scrape(), `outcome="unopened"`) {
		t.Errorf("seq = %d, want %d, and nothing counted", got, seq)
	}
}

// TestFadedLink: a page that is looked at for long, or again after the store, gets
// a fresh link by itself.
func TestFadedLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	first := s.pickup()
	if got := s.tells(s.phone, "store"); got != http.StatusNoContent {
		t.Fatalf("POST …/store = %d, want 204", got)
	}
	if got := s.phoneState().Screen; got != "installed" {
		t.Errorf("back from the store the phone is told %q, want installed", got)
	}
	w.clock.advance(handoff.TokenRest)
	if got := s.phoneState().Screen; got != "installed faded" {
		t.Errorf("with a link that leads nowhere the phone is told %q", got)
	}
	s.own = s.phone.get(s.own.url.String())
	if got := s.phoneState().Screen; got != "installed" || s.pickup() == first {
		t.Errorf("reloaded, the phone is told %q, with the old link or not", got)
	}
	s.toApp()
}

// TestUnopenedInChromium: both screens follow by themselves.
func TestUnopenedInChromium(t *testing.T) {
	b := browser.New(t)
	w := newWorld(t, func(s *setting) { s.twoHosts = true })
	h := w.create()
	desk, phone := b.Desktop(t), b.Phone(t)
	desk.Navigate(h.DisplayURL)
	phone.Navigate(browser.DecodeQR(t, desk.Screenshot()))
	phone.Follow("continue")
	link := phone.Attribute("open", "href")
	phone.Click("open")
	phone.WaitVisible("app-link") // no app takes the link, so the browser keeps it
	s := &story{world: w, made: h}
	s.wantEvent(handoff.EventTapped)
	w.clock.advance(handoff.OpeningTakes)
	desk.WaitVisible("slot-unopened")
	if got := browser.Eval[string](desk, `document.getElementById("live").textContent`); got != desk.Text("slot-unopened") {
		t.Errorf("the display speaks %q, want what it shows", got)
	}
	browser.Eval[bool](phone, `(history.back(), true)`)
	phone.WaitVisible("try-again")
	w.pickUp(link)
	desk.WaitVisible("panel-delivered")
	phone.WaitGone("open")
	desk.WantNoProblems()
	phone.WantNoProblems()
}

// TestFromGmail: the link is opened over Gmail, in a sheet of the phone's own browser.
// Only the very first request says so, to the link host; the rule by which the app is
// opened later is counted as Gmail's. Where it is a browser of Gmail's own, the page
// leads out of it.
func TestFromGmail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.twoHosts, s.confirmation = true, handoff.ConfirmNever })
	s := w.begin()
	s.open()
	link := s.desk.post(s.made.DisplayURL+"/send", url.Values{"route": {"link"}}).page(t).Find(`[data-testid="link"]`).AttrOr("value", "")
	s.phone = w.person(android)
	tap := s.phone.request(http.MethodGet, link, nil)
	tap.Header.Set("Referer", "android-app://com.google.android.gm/")
	landing := s.phone.follow(tap)
	landing.wantPage(t, http.StatusOK, "landing")
	if other := landing.page(t).Find(`[data-testid="languages"] a`).AttrOr("href", ""); !strings.Contains(other, "via=Gmail") {
		t.Errorf("another language is at %q, which forgets Gmail", other)
	}
	ready := s.phone.press(landing, "continue")
	ready.wantPage(t, http.StatusOK, "ready")
	if open := ready.page(t).Find(`[data-testid="open"]`).AttrOr("href", ""); !strings.HasPrefix(open, "intent://") {
		t.Errorf("the app is opened by %q, want an intent", open)
	}
	w.wantSamples(`handoff_app_links_total{outcome="shown",rule="android-gmail"} 1`)

	inside := w.person(android)
	inside.header.Set("X-Requested-With", "com.google.android.gm")
	w.begin().open()
	a := inside.get(w.freshCode())
	a.wantPage(t, http.StatusOK, "inapp")
	if text := a.page(t).Find("main p").Text(); !strings.Contains(text, "inside Gmail") {
		t.Errorf("the page inside Gmail says %q, and not where one is", text)
	}
}
