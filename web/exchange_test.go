package web_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// TestExchangeByTheAppThroughABrowser: an app that connects by itself gets a
// connect token for its pickup too, and the portal never connects.
func TestExchangeByTheAppThroughABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.exchange = handoff.ExchangeApp })
	s := w.begin()
	s.open()
	s.landing = s.scan()
	s.own = s.tap()
	s.own.wantPage(t, http.StatusOK, "ready")
	w.wantStatus(s.made.ID, "confirmed")
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusOK, "ready")
	var got token
	s.pickUp().json(t, &got)
	if got.ConnectToken == "" || got.EndUserToken != "" || got.TokenType != "connect" || got.ExpiresIn > 120 {
		t.Errorf("pickup = %q token for %d s, end-user token given: %t; want a connect token", got.TokenType, got.ExpiresIn, got.EndUserToken != "")
	}
	h := w.wantStatus(s.made.ID, "delivered")
	for _, e := range h.Events {
		if e.Type == "connected" {
			t.Errorf("events = %v, want no connected", h.Events)
		}
	}
	if calls := w.calls("start", "connect"); slices.Contains(calls, "connect") {
		t.Errorf("platform calls = %v, want no connect", calls)
	}
}

// TestOpenFromTheDeliveredPage: after the app was opened, the page's main button makes a fresh
// link.
func TestOpenFromTheDeliveredPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.delivered()
	page := s.phone.get(s.own.url.String())
	page.wantPage(t, http.StatusOK, "ready")
	if n := page.page(t).Find(`a[href=""]`).Length(); n != 0 {
		t.Errorf("%d links lead nowhere", n)
	}
	again := s.phone.press(page, "reopen")
	again.wantPage(t, http.StatusOK, "ready")
	if again.link(t, "open") == "" {
		t.Errorf("a fresh link was asked for, and there is none")
	}
}

// TestAtTheStore: the way to the store is told to the computer, and the place is
// kept.
func TestAtTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	a := s.phone.post(s.own.url.String()+"/store", nil)
	if a.StatusCode != http.StatusNoContent {
		t.Fatalf("POST store = %d, want 204", a.StatusCode)
	}
	s.desk.get(s.made.DisplayURL).wantPanel(t, http.StatusOK, "panel-store")
	w.clock.advance(handoff.TokenRest) // a visit to the store takes longer than a pickup lives
	page := s.phone.get(s.own.url.String())
	page.wantPage(t, http.StatusOK, "ready")
	if page.page(t).Find(`[data-testid="store"]`).Length() != 0 {
		t.Errorf("back from the store, the page offers it again")
	}
	s.own = page
	s.toApp()
}
