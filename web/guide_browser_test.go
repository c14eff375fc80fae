package web_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
)

// The guide's pages fit every window, break no policy, and can be walked and copied
// by keyboard. HANDOFF_SCREENSHOTS names a folder for pictures of them.
func TestGuideInChromium(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w := newWorld(t, func(s *setting) { s.twoHosts = true })
	paths := slices.DeleteFunc(slices.Sorted(maps.Keys(w.guide())), func(path string) bool {
		return strings.HasPrefix(path, "/docs/errors/") && path != "/docs/errors/gone"
	})
	for _, window := range []struct {
		name   string
		traits []browser.Trait
	}{
		{"320", []browser.Trait{browser.Size(320, 800, 1)}},
		{"768 forced", []browser.Trait{browser.Size(768, 1024, 1), browser.ForcedColors}},
		{"1280 dark", []browser.Trait{browser.Dark}},
	} {
		t.Run(window.name, func(t *testing.T) {
			page := b.Desktop(t, window.traits...)
			for _, path := range paths {
				if status := page.Navigate(w.public + path); status != 200 {
					t.Errorf("GET %s = %d", path, status)
				}
				if n := page.Overflow(); n > 0 {
					t.Errorf("%s is %d pixels wider than a window of %s", path, n, window.name)
				}
				if dir := os.Getenv("HANDOFF_SCREENSHOTS"); dir != "" {
					name := "guide-" + strings.ReplaceAll(strings.Trim(path, "/"), "/", "-") + "-" + strings.ReplaceAll(window.name, " ", "-") + ".png"
					if err := os.WriteFile(filepath.Join(dir, name), page.Screenshot(), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			page.WantNoProblems()
		})
	}

	page := b.Desktop(t)
	page.Navigate(w.public + "/docs/quick-start")
	page.Press("\t\r")
	if got := browser.Eval[string](page, "location.hash + ' ' + document.activeElement.id"); got != "#content content" {
		t.Errorf("after the first tab and Enter the page is at %q, want its content", got)
	}
	samples, buttons := browser.Eval[int](page, "document.querySelectorAll('.sample').length"), browser.Eval[int](page, "document.querySelectorAll('.sample button').length")
	if samples != buttons || samples < 10 {
		t.Errorf("%d samples have %d buttons to copy them, want one each", samples, buttons)
	}
	if got := browser.Eval[string](page, `new Promise((done) => {
			const button = document.querySelector(".sample button");
			new MutationObserver(() => done(button.textContent)).observe(button, { childList: true });
			button.click();
		})`); got != "Copied" && got != "Marked: copy it" {
		t.Errorf("a press on Copy says %q", got)
	}
	page.WantNoProblems()
}
