package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/browser"
)

// TestEmbedStays opens one frame-hosting page for one handoff after another, each
// with another end, and leaves it: no frame ever takes the page anywhere, nor itself,
// and each end says where to go on. Seven of them, 200 with HANDOFF_LONG.
func TestEmbedStays(t *testing.T) {
	t.Parallel()
	n := 7
	if os.Getenv("HANDOFF_LONG") != "" {
		n = 200
	}
	b := browser.New(t)
	seen := &witness{}
	w, shop := framingOf(t, seen.put)
	page := b.Desktop(t, browser.ReducedMotion)
	ends := []struct {
		status string
		end    func(s *story, frame *browser.Page)
	}{
		{"cancelled", func(_ *story, frame *browser.Page) {
			browser.Eval[bool](frame, `(document.querySelector("[data-testid=action-cancel] button").click(), true)`)
		}},
		{"cancelled", func(s *story, _ *browser.Page) { s.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/cancel", nil) }},
		{"cancelled", func(_ *story, frame *browser.Page) { pressShown(frame, "action-no-phone") }},
		{"rejected", func(s *story, _ *browser.Page) { s.phone.press(s.phone.press(s.scan(), "reject"), "reject-sure") }},
		{"completed", func(s *story, _ *browser.Page) {
			s.scan()
			s.tap()
			s.toApp()
			if err := s.sim.SetJourney(s.made.InstanceID, finished); err != nil {
				s.t.Fatal(err)
			}
			s.report("finished")
		}},
		{"completed", func(s *story, _ *browser.Page) {
			s.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/complete", map[string]string{"outcome": "failed"})
		}},
		{"expired", func(s *story, _ *browser.Page) { s.clock.advance(16 * time.Minute) }},
	}
	for i := range n {
		test := ends[i%len(ends)]
		t.Run(fmt.Sprintf("%d %s", i, test.status), func(t *testing.T) {
			s := w.with(t).framed(shop)
			address := shop.host(hosted{body: w.script() + `<handoff-frame id="f" src="` + s.made.DisplayURL + `"></handoff-frame>`})
			page.Navigate(address)
			waitFor(page, heardOf(s, "ready", "displayed", "f"))
			before := browser.Eval[int](page, "history.length")
			frame := page.Frame(s.made.DisplayURL)
			// The time that a display waits before it moves on passes at once.
			browser.Eval[bool](frame, `(later = setTimeout, setTimeout = (f, ms, ...more) => later(f, ms > 1000 ? 0 : ms, ...more), true)`)
			test.end(s, frame)
			waitFor(page, `heard.some((e) => e.type === "end")`)
			// A page that is about to leave has left before two more answers are here.
			browser.Eval[bool](frame, `(async () => { for (const i of [1, 2]) { await fetch(location.href + "/status"); await new Promise((next) => later(next, 0)) } return true })()`)
			end := browser.Eval[struct{ ID, Status, ReturnURL string }](page, `heard.find((e) => e.type === "end")`)
			back, err := url.Parse(end.ReturnURL)
			if err != nil || end.ID != s.made.ID || end.Status != test.status || !strings.HasPrefix(end.ReturnURL, shop.origin+"/done?") ||
				back.Query().Get("handoff") != s.made.ID || back.Query().Get("status") != test.status {
				t.Errorf("the end is told as %+v, want %s with its return URL", end, test.status)
			}
			if got := page.URL(); got != address {
				t.Errorf("the page is at %s: a frame never navigates it", got)
			}
			if got := browser.Eval[int](page, "history.length"); got != before {
				t.Errorf("there are %d steps to go back instead of %d", got, before)
			}
			loaded := seen.all(func(v visit) bool { return s.made.DisplayURL == w.public+v.path })
			if len(loaded) != 1 || loaded[0].dest != "iframe" {
				t.Errorf("the display was loaded as %+v, want once, in a frame", loaded)
			}
		})
	}
	if shop.visited("/done") {
		t.Error("something went to the return URL by itself")
	}
}
