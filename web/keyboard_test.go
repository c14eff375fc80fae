package web_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
)

// wantWalk checks that Tab stops at everything that can be operated, in the order in
// which it is read, that each stop is seen, and that the page does not keep the focus.
func wantWalk(t *testing.T, p *browser.Page) {
	t.Helper()
	if diff := cmp.Diff(p.Controls(), p.Walk()); diff != "" {
		t.Errorf("Tab does not stop at every control in reading order (-read +stops):\n%s", diff)
	}
}

// enterAt presses Enter on a thing that Tab has led to.
func enterAt(p *browser.Page, control string) {
	p.TabTo(control)
	p.Press("\r")
}

// shownDigits is the number that a phone's page shows.
func shownDigits(p *browser.Page) string {
	var number string
	for number == "" { // one that refreshes itself is without them for a moment
		p.WaitVisible("digits")
		number = browser.Eval[string](p, `document.querySelector('[data-testid="digits"] [aria-hidden]')?.textContent ?? ""`)
	}
	return strings.TrimSpace(number)
}

// TestKeyboardAlone goes through the whole story on both screens by Tab, Enter, Space
// and digits: with a code that is scanned, with ten digits, and with a link.
func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	b := browser.New(t)

	// finish goes on from the landing, with a number if one is asked for.
	finish := func(t *testing.T, w *world, h wire, desk, phone *browser.Page, numbered bool) {
		t.Helper()
		phone.WaitVisible("landing")
		wantWalk(t, phone)
		enterAt(phone, `button "Continue"`)
		if numbered {
			number := shownDigits(phone)
			wantWalk(t, phone)
			desk.WaitVisible("panel-number")
			if at, want := desk.Focused(), `textbox "The four digits"`; at != want {
				desk.TabTo(want)
			}
			desk.Press(number + "\r")
		}
		desk.WaitVisible("panel-connected")
		wantWalk(t, desk)
		phone.WaitVisible("open")
		wantWalk(t, phone)
		link := phone.Attribute("open", "href")
		enterAt(phone, `link "Open the Acme app"`)
		phone.WaitVisible("app-link") // no app takes the link here
		wantWalk(t, phone)
		w.pickUp(link)
		desk.WaitVisible("panel-delivered")
		wantWalk(t, desk)
		if err := w.sim.SetJourney(h.InstanceID, finished); err != nil {
			t.Fatal(err)
		}
		desk.WaitVisible("panel-completed")
		enterAt(desk, `link "Back to Acme Bank"`)
		desk.WaitVisible("done")
	}
	for name, numbered := range map[string]bool{"scanned": true, "typed": false, "link": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := shop(t)
			w := newWorld(t, func(s *setting) {
				s.twoHosts, s.shop = true, home
				s.confirmation = map[string]handoff.Confirmation{"scanned": handoff.ConfirmAlways}[name]
				if s.confirmation == "" {
					s.confirmation = handoff.ConfirmAuto
				}
			})
			h := w.create(map[string]any{"returnUrl": home + "/done"})
			desk, phone := b.Desktop(t), b.Phone(t)
			desk.Navigate(h.DisplayURL)
			desk.WaitVisible("panel-waiting")
			wantWalk(t, desk)
			switch name {
			case "scanned":
				phone.Navigate(browser.DecodeQR(t, desk.Screenshot()))
			case "typed":
				desk.TabTo(`DisclosureTriangle "Can’t scan?"`)
				desk.Press(" ")
				wantWalk(t, desk)
				enterAt(desk, `button "Show the digits"`)
				digits := desk.Text("typed-code")
				phone.Navigate(w.public + "/t/acme")
				wantWalk(t, phone)
				phone.TabTo(`textbox "The ten digits on your computer’s screen"`)
				phone.Press(strings.Join(strings.Fields(digits), "") + "\r")
			case "link":
				enterAt(desk, `DisclosureTriangle "Can’t scan?"`)
				enterAt(desk, `button "Make a link"`)
				desk.WaitVisible("link")
				wantWalk(t, desk)
				enterAt(desk, `button "Copy"`)
				phone.Navigate(browser.Eval[string](desk, `document.getElementById("link").value`))
			}
			finish(t, w, h, desk, phone, numbered)
			desk.WantNoProblems()
			for _, p := range []*browser.Page{desk, phone} {
				if taps, keys := p.Spent(); taps != 0 || keys == 0 {
					t.Errorf("%d taps and %d keys, want keys alone", taps, keys)
				}
			}
		})
	}
}
