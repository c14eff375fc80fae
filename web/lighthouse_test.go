package web_test

import (
	"net/http"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
)

// TestLighthouse asks Lighthouse of the three pages that people open, as a phone with
// a slow connection has them.
func TestLighthouse(t *testing.T) {
	browser.Long(t, "Lighthouse")
	least := map[string]int{"accessibility": 100, "best-practices": 100, "performance": 95}
	w := newWorld(t, func(s *setting) { s.frame = 10 * patience }) // a code outlives the start of Lighthouse
	opened := func() *story {
		s := w.begin()
		s.open().wantPanel(t, http.StatusOK, "panel-waiting")
		return s
	}
	for _, page := range []struct {
		name    string
		address func() string // asked for when its turn comes: a code does not last
	}{
		{"the display, waiting", func() string { return opened().made.DisplayURL }},
		{"the phone's landing", func() string { return opened().code() }},
		{"the page for ten digits", func() string { return w.public + "/t/acme" }},
	} {
		ask := func() browser.Lighthouse {
			address := page.address()
			said := browser.AskLighthouse(t, address)
			t.Logf("Lighthouse %s on %s: %v", said.Version, page.name, said.Scores)
			for _, line := range append(said.Warnings, said.Short...) {
				t.Logf("Lighthouse on %s: %s", page.name, line)
			}
			if said.Page != address {
				t.Errorf("Lighthouse on %s was led to %s", page.name, said.Page)
			}
			return said
		}
		said := ask()
		// It reckons with the time this machine took, which others on it can only
		// lengthen: the best of three counts.
		for n := 1; n < 3 && said.Scores["performance"] < least["performance"]; n++ {
			said.Scores["performance"] = max(said.Scores["performance"], ask().Scores["performance"])
		}
		for category, want := range least {
			if got, ok := said.Scores[category]; !ok || got < want {
				t.Errorf("Lighthouse on %s: %s is %d, want at least %d", page.name, category, got, want)
			}
		}
	}
}
