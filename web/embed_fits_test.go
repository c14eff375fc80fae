package web_test

import (
	"fmt"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
)

// TestEmbedFits: at every width and in every state the frame is as tall as what is in
// it, growing and shrinking, without a scrollbar in it or around it.
func TestEmbedFits(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w, shop := framingOf(t, func(s *setting) { s.confirmation = handoff.ConfirmAlways })
	for _, language := range []string{"en", "ar"} {
		t.Run(language, func(t *testing.T) {
			s := w.with(t).begin(map[string]any{"parentOrigin": shop.origin, "returnUrl": shop.origin + "/done", "locale": language})
			page := b.Desktop(t, browser.Size(1280, 1600, 1))
			page.Navigate(shop.host(hosted{body: w.script() + `<div id="box"><handoff-frame id="f" src="` + s.made.DisplayURL + `"></handoff-frame></div>`}))
			waitFor(page, heardOf(s, "ready", "displayed", "f"))
			frame := page.Frame(s.made.DisplayURL)
			var before [4]int
			var grown, shrunk [4]bool
			for _, state := range []struct {
				name, panel string
				reach       func()
			}{
				{"waiting", "panel-waiting", func() {}},
				{"other ways", "link", func() {
					browser.Eval[bool](frame, `document.querySelector("[data-testid=others]").open = true`)
					pressShown(frame, "action-send-link")
					pressShown(frame, "action-send-typed")
					frame.WaitVisible("typed-code")
				}},
				{"opened", "slot-opened", func() {
					browser.Eval[bool](frame, `!(document.querySelector("[data-testid=others]").open = false)`)
					s.scan()
				}},
				{"number", "panel-number", func() { s.tap() }},
				{"wrong number", "slot-wrong", func() { typeNumber(frame, wrongOf(s.digits())) }},
				{"connected", "panel-connected", func() { typeNumber(frame, s.digits()) }},
				{"delivered", "panel-delivered", func() {
					s.own = s.phone.get(s.own.url.String())
					s.toApp()
				}},
				{"stopped", "panel-stopped", func() { s.report("left") }},
				{"offline", "offline", func() {
					browser.Eval[bool](frame, `dispatchEvent(new Event("offline"))`)
				}},
				{"completed", "panel-completed", func() { s.toEnd() }},
			} {
				state.reach()
				frame.WaitVisible(state.panel)
				var heights [4]int
				for i, width := range []int{1200, 768, 480, 320} { // each change of state comes at 320 px
					browser.Eval[bool](page, fmt.Sprintf(`(box.style.width = "%dpx", true)`, width))
					waitFor(frame, fmt.Sprintf(`innerWidth === %d && %s`, width, fits))
					heights[i] = browser.Eval[int](page, `f.clientHeight`)
					if got := browser.Eval[string](page, `inside(f).clientHeight + " " + (document.documentElement.scrollWidth - document.documentElement.clientWidth)`); got != fmt.Sprint(heights[i], " 0") {
						t.Errorf("%s at %d px: the element is %d px tall, its frame and what the page is too wide by: %s", state.name, width, heights[i], got)
					}
				}
				t.Logf("%-14s 1200: %4d  768: %4d  480: %4d  320: %4d", state.name, heights[0], heights[1], heights[2], heights[3])
				for i := range heights {
					grown[i] = grown[i] || before[i] > 0 && heights[i] > before[i]
					shrunk[i] = shrunk[i] || heights[i] < before[i]
				}
				before = heights
			}
			if all := [4]bool{true, true, true, true}; grown != all || shrunk != all {
				t.Errorf("from state to state the frame grew %v and shrank %v, want both at every width", grown, shrunk)
			}
			page.WantNoProblems()
			frame.WantNoProblems()
		})
	}
}

// wrongOf is a number that is not the right one.
func wrongOf(number string) string {
	if number == "0000" {
		return "1111"
	}
	return "0000"
}

// TestEmbedPartly: a code that the window of the page around it cuts off is told of,
// and one that is all there is not.
func TestEmbedPartly(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w, shop := framingOf(t)
	s := w.framed(shop)
	page := b.Desktop(t, browser.Size(1280, 400, 1))
	page.Navigate(shop.host(hosted{body: w.script() + `<handoff-frame id="f" src="` + s.made.DisplayURL + `"></handoff-frame>`}))
	waitFor(page, heardOf(s, "ready", "displayed", "f"))
	frame := page.Frame(s.made.DisplayURL)
	const note = `document.querySelector("[data-testid=partly] span").checkVisibility()`
	waitFor(frame, note)
	if got := browser.Eval[string](frame, `document.getElementById("live").textContent`); got != browser.Eval[string](frame, `document.querySelector("[data-testid=partly]").textContent`) {
		t.Errorf("what is spoken is %q, want that the code is cut off", got)
	}
	browser.Eval[bool](page, `(scrollTo(0, 150), true)`)
	waitFor(frame, "!"+note)
	waitFor(frame, fits) // its place is kept
	frame.WantNoProblems()
}
