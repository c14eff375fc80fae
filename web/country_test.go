package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// from is a setting whose proxies, which requests come through, say the country.
func from(s *setting) {
	s.confirmation, s.proxies, s.country = handoff.ConfirmAuto, local(), "X-Country"
}

// Under auto the number is asked for on a fresh scan from another country. One that
// is not known is not another one (S9).
func TestAnotherCountryIsRisk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, desk, phone string
		change            func(*setting)
		asks, known       bool
	}{
		{"the same", "FR", "fr", from, false, true},
		{"another", "FR", "NG", from, true, true},
		{"the phone's not known", "FR", "", from, false, true},
		{"the desktop's not known", "", "NG", from, false, false},
		{"a code for no country", "FR", "XX", from, false, true},
		{"a continent", "FR", "EU", from, false, true},
		{"nonsense", "FR", "<b>Nigeria", from, false, true},
		{"nobody configured it", "FR", "NG", asked(handoff.ConfirmAuto), false, false},
		{"no proxy says so", "FR", "NG", func(s *setting) { from(s); s.proxies = nil }, false, false},
		{"never asked", "FR", "NG", func(s *setting) { from(s); s.confirmation = handoff.ConfirmNever }, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.change)
			s := w.begin()
			s.desk.header.Set("X-Country", tt.desk)
			s.phone.header.Set("X-Country", tt.phone)
			s.open()
			landing := s.scan()
			text := landing.page(t).Find("main").Text()
			if got, want := strings.Contains(text, "(France)"), tt.known; got != want {
				t.Errorf("the landing names the country: %t, want %t: %s", got, want, text)
			}
			s.tap()
			want := "ready"
			if tt.asks {
				want = "number"
			}
			s.own.wantPage(t, http.StatusOK, want)
			if from := s.open().page(t).Find("#number-from").Text(); tt.asks && !strings.Contains(from, "(Nigeria)") {
				t.Errorf("the display says %q of the phone, want its country", from)
			}
		})
	}
}
