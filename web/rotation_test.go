package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/browser"
)

// TestRotationIsReadable takes pictures while the code changes every second: each
// can be read, each holds a code that opens the landing, and nothing is spoken of it.
func TestRotationIsReadable(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w := newWorld(t, func(s *setting) { s.frame = time.Second })
	h := w.create()
	desk := b.Desktop(t)
	desk.Navigate(h.DisplayURL)
	desk.WaitVisible("panel-waiting")
	// What is drawn and what is said, from now on.
	browser.Eval[bool](desk, `(() => {
		drawn = 0; spoken = [];
		const live = document.getElementById("live");
		new MutationObserver(() => drawn++).observe(document.querySelector("#qr path"), {attributes: true, attributeFilter: ["d"]});
		new MutationObserver(() => spoken.push(live.textContent)).observe(live, {childList: true, characterData: true, subtree: true});
		return true })()`)
	// Twenty one after the other, then one right after each of the next changes.
	const pictures, changes = 20, 3
	codes := map[string]bool{}
	phone := w.person(iPhone)
	for i := range pictures + changes {
		if i >= pictures {
			browser.Eval[bool](desk, `new Promise((seen) => { const was = drawn, i = setInterval(() => { if (drawn > was) { clearInterval(i); seen(true) } }, 1) })`)
		}
		link := browser.DecodeQR(t, desk.Window())
		codes[link] = true
		r := phone.request(http.MethodGet, link, nil)
		r.Header.Set("Sec-Fetch-Mode", "no-cors") // no person's look, of which the display would speak
		if a := phone.follow(r); a.testID(t) != "landing" {
			t.Errorf("picture %d: the code leads to %q (%d), want the landing", i+1, a.testID(t), a.StatusCode)
		}
	}
	if len(codes) < changes {
		t.Errorf("%d pictures held %d codes, want %d or more", pictures+changes, len(codes), changes)
	}
	if got := browser.Eval[int](desk, "spoken.length"); got != 0 {
		t.Errorf("the live region changed %d times while the code did: %s", got, browser.Eval[string](desk, "spoken.join()"))
	}
	t.Logf("%d pictures read, %d different codes, %d drawn", pictures+changes, len(codes), browser.Eval[int](desk, "drawn"))
	desk.WantNoProblems()
}
