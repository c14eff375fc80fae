package web_test

import (
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
)

// TestThreatHostileFrame frames the display where it must not be: nobody sees
// anything of it, and its state reaches nobody.
func TestThreatHostileFrame(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	shop, hostile := newEmbedder(t), newEmbedder(t)
	seen := &witness{}
	w := newWorld(t, func(s *setting) { s.shop = shop.origin }, seen.put)
	framed := w.create(map[string]any{"parentOrigin": shop.origin})
	alone := w.create()
	const open = "allow-scripts allow-forms allow-popups"
	for _, test := range []struct {
		name, page string
		blocked    bool
	}{
		{"its parent", framing(shop.origin, framed.DisplayURL), false},
		{"its parent, sandboxed with its origin", framing(shop.origin, framed.DisplayURL, open, "allow-same-origin"), false},
		{"another site", framing(hostile.origin, framed.DisplayURL), true},
		{"another origin of the portal's own site", framing(hostile.near(), framed.DisplayURL), true},
		{"its parent within another site", framing(hostile.origin, framing(shop.origin, framed.DisplayURL)), true},
		{"its parent, without an origin", framing(hostile.origin, framing(shop.origin, framed.DisplayURL), open), true},
		{"its parent, sandboxed without its origin", framing(shop.origin, framed.DisplayURL, open), true},
		{"another site, sandboxed", framing(hostile.origin, framed.DisplayURL, open), true},
		{"a handoff without a parent", framing(shop.origin, alone.DisplayURL), true},
		{"a handoff without a parent, the portal's own site", framing(hostile.near(), alone.DisplayURL), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(seen.all(followed))
			page := b.Desktop(t, browser.ReducedMotion) // or the picture is of a code that fades in
			page.Navigate(test.page)
			var code string
			var got, follows int
			// What is allowed may take its time; of what is not, one look is enough,
			// after the page has loaded.
			for range 50 {
				code, _ = browser.FindQR(t, page.Screenshot())
				got = browser.Eval[int](page, "got.length")
				follows = len(seen.all(followed)) - before
				if test.blocked || (code != "" && got > 0 && follows > 0) {
					break
				}
			}
			var texts []string
			for _, frame := range page.Frames() {
				texts = append(texts, browser.Eval[string](frame, shownText))
			}
			text := strings.Join(texts, "\n")
			if !test.blocked {
				if !strings.HasPrefix(code, w.link) || got == 0 || follows == 0 || !strings.Contains(text, "Acme") {
					t.Errorf("the code %q, %d messages, %d requests for the state, the text %q: want some of each", code, got, follows, text)
				}
				return
			}
			if code != "" || got > 0 || follows > 0 || strings.Contains(text, "Acme") {
				t.Errorf("the code %q, %d messages, %d requests for the state, the text %q: want nothing of the display", code, got, follows, text)
			}
		})
	}
}

// shownText is the text that a person can see on a page.
const shownText = `document.body && document.body.checkVisibility() ? document.body.innerText : ""`

// followed is a request for a display's state, or for anything it renews itself from.
func followed(a visit) bool {
	return strings.HasPrefix(a.path, "/h/") && strings.Count(a.path, "/") > 2
}
