package web_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
)

// guide are the pages of the guide, but for errors that read alike.
func (l *looks) guide(t *testing.T) {
	kept := &keeper{}
	w := newWorld(t, kept.put, func(s *setting) { s.twoHosts = true })
	paths := slices.DeleteFunc(slices.Sorted(maps.Keys(w.guide())), func(path string) bool {
		return !l.long && strings.HasPrefix(path, "/docs/errors/") && path != "/docs/errors/gone"
	})
	page := l.browser.Desktop(t)
	for _, path := range paths {
		if status := page.Navigate(w.public + path); status != 200 {
			t.Errorf("GET %s = %d", path, status)
		}
		l.look(view{t: t, page: page, at: page, kept: kept, name: "guide " + strings.ReplaceAll(strings.Trim(path, "/"), "/", " "), lang: "en"}, l.depth("en"))
	}
	page.WantNoProblems()
}

// The guide can be walked and copied by keyboard.
func TestGuideInChromium(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w := newWorld(t, func(s *setting) { s.twoHosts = true })
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
