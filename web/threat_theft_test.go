package web_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// ways are how a code gets to a phone: each returns what the phone opens.
func ways() map[handoff.Route]func(s *story) answer {
	return map[handoff.Route]func(s *story) answer{ //nolint:exhaustive // those with a claim of their own kind
		handoff.RouteQR:   func(s *story) answer { return s.phone.get(s.code()) },
		handoff.RouteLink: func(s *story) answer { return s.phone.get(s.live(handoff.RouteLink)) },
		handoff.RoutePartner: func(s *story) answer {
			return s.phone.get(s.live(handoff.RoutePartner))
		},
		handoff.RouteTyped: func(s *story) answer {
			link := s.live(handoff.RouteTyped)
			return s.phone.post(s.public+"/t/acme", url.Values{"code": {link[strings.LastIndex(link, "/")+1:]}})
		},
	}
}

// live is the link of a route, made if there is none.
func (s *story) live(r handoff.Route) string {
	s.t.Helper()
	h := s.stored()
	code, ok, err := s.handoff.Code(h, r)
	if err == nil && !ok {
		_, code, err = s.handoff.AddLink(s.t.Context(), h, r)
	}
	if err != nil {
		s.t.Fatalf("no code of %s: %v", r, err)
	}
	return s.link + "/c/acme/" + code.Reveal()
}

// TestThreatTheft: the victim's code reaches the thief's phone first. Without the
// number it never connects; two wrong numbers burn its claim, and the victim goes
// on by the same way.
func TestThreatTheft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		policy handoff.Confirmation
		routes []handoff.Route
		guess  bool // somebody tries typed codes meanwhile
	}{
		{handoff.ConfirmAlways, []handoff.Route{handoff.RouteQR, handoff.RouteLink, handoff.RoutePartner, handoff.RouteTyped}, false},
		{handoff.ConfirmAuto, []handoff.Route{handoff.RouteLink, handoff.RoutePartner}, false},
		{handoff.ConfirmAuto, []handoff.Route{handoff.RouteQR, handoff.RouteTyped}, true},
		{handoff.ConfirmLinks, []handoff.Route{handoff.RouteLink, handoff.RoutePartner}, false},
	} {
		for _, route := range tt.routes {
			t.Run(string(tt.policy)+" "+string(route), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, asked(tt.policy), func(s *setting) { s.proxies = local() })
				theft(w, ways()[route], tt.guess)
			})
		}
	}
}

func theft(w *world, way func(*story) answer, guess bool) {
	t := w.t
	s := w.begin()
	s.open()
	if guess {
		for i := range 20 {
			w.guessFrom(i)
		}
	}
	thief := &story{world: w, made: s.made, desk: s.desk, phone: w.person(android)}
	thief.landing = way(thief)
	thief.landing.wantPage(t, http.StatusOK, "landing")
	thief.tap()
	stolen := thief.digits()
	// Whatever the thief's page asks for, and however often, nothing comes of it.
	for range 3 {
		thief.phone.get(thief.own.url.String()).wantPage(t, http.StatusOK, "number")
		thief.phone.post(thief.own.url.String()+"/open", nil)
	}
	if got := w.calls("connect"); len(got) != 0 {
		t.Fatalf("connects without the number = %d, want none", len(got))
	}
	s.open().wantPanel(t, http.StatusOK, "panel-number")
	for range handoff.MaxTries {
		s.enter(not(stolen))
	}
	thief.phone.get(thief.own.url.String()).wantPage(t, http.StatusGone, "notice-wrong_number")
	s.open().wantPanel(t, http.StatusOK, "panel-waiting")
	if got := w.get(s.made.ID).Status; got != "displayed" {
		t.Errorf("after two wrong numbers the handoff is %s, want displayed", got)
	}
	s.landing = way(s)
	s.landing.wantPage(t, http.StatusOK, "landing")
	s.tap()
	s.enter(s.digits()).wantPanel(t, http.StatusOK, "panel-connected")
	thief.phone.press(thief.landing, "continue")
	s.own = s.phone.get(s.own.url.String())
	s.toApp()
	if h := w.get(s.made.ID); h.Confirmed == nil || *h.Confirmed != "number" || h.Device.OS != "iOS" {
		t.Errorf("confirmed %v by %+v, want by number, on the victim's phone", h.Confirmed, h.Device)
	}
	s.toEnd()
	if n := len(w.callsOf(s.made.InstanceID, "connect")); n != 1 {
		t.Errorf("connects = %d, want one", n)
	}
}

// local are the addresses that tests come from, as those of a proxy.
func local() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// guessFrom types a code that is none, from a network of its own.
func (w *world) guessFrom(network int) {
	w.t.Helper()
	r := w.person(android).request(http.MethodPost, w.public+"/t/acme", url.Values{"code": {"0000000000"}})
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", network+1))
	if a := send(w.t, &http.Client{CheckRedirect: stay}, r); a.StatusCode != http.StatusNotFound {
		w.t.Fatalf("a guess answers %d, want 404", a.StatusCode)
	}
}
