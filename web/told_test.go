package web_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
)

// told collects what assistive technology is told at each step of a story.
type told struct{ b strings.Builder }

// changing is what is another text in every run.
var changing = []struct {
	found *regexp.Regexp
	as    string
}{
	{regexp.MustCompile(`https?://[^\s"]+/c/[^\s"]+`), "LINK"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST"},
	{regexp.MustCompile(`\d{3} \d{3} \d{4}`), "TEN DIGITS"},
	{regexp.MustCompile(`\d \d \d \d`), "FOUR DIGITS"},
	{regexp.MustCompile(`(Reference for support: )\w+`), "${1}REF"},
	{regexp.MustCompile(`\d+ (minutes?|seconds?) left`), "TIME left"},
	{regexp.MustCompile(`(a moment|\d+ minutes?) ago`), "TIME ago"},
}

func (d *told) step(who string, p *browser.Page) {
	text := p.Told()
	for _, c := range changing {
		text = c.found.ReplaceAllString(text, c.as)
	}
	fmt.Fprintf(&d.b, "# %s\n%s\n", who, text)
}

// listen notes what live regions say from here on, for as long as the page lives.
func listen(p *browser.Page) {
	browser.Eval[bool](p, `(window.heard = [], document.querySelectorAll("[role=status], [role=alert], [aria-live]").forEach((region) =>
		new MutationObserver(() => region.textContent.trim() && window.heard.push(region.textContent.trim()))
			.observe(region, {childList: true, characterData: true, subtree: true})), true)`)
}

func heard(p *browser.Page) []string { return browser.Eval[[]string](p, `window.heard`) }

// wantFocus checks what has the focus: what was pressed and is gone has handed it on.
func wantFocus(t *testing.T, p *browser.Page, want string) {
	t.Helper()
	if got := p.Focused(); got != want {
		t.Errorf("the focus is on %q, want %q", got, want)
	}
}

var spacedDigits = regexp.MustCompile(`\d \d \d \d`)

// TestScreenReaderAlone goes through the whole story by what a screen reader is told
// and nothing else: every control is found by its role and name. There is no camera:
// once with ten digits, once with a link and the number that it asks for. What is told
// at each step is kept in testdata, so that a change of a name shows in review; and
// each change is spoken once, a new code never.
func TestScreenReaderAlone(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	// A step is told once the display has spoken, which is a moment after its page is
	// there.
	finish := func(t *testing.T, s *story, d *told, desk, phone *browser.Page) {
		t.Helper()
		phone.WaitTold("link", "Open the Acme app")
		d.step("phone, connected", phone)
		desk.WaitTold("status", "Your phone is connected")
		d.step("computer, connected", desk)
		link := phone.Attribute("open", "href") // what the phone's system would open
		phone.Use("link", "Open the Acme app")
		phone.WaitTold("heading", "Open the app")
		d.step("phone, no app took the link", phone)
		s.wantEvent("tapped")
		s.world.pickUp(link)
		desk.WaitTold("status", "Continue in the Acme app")
		d.step("computer, in the app", desk)
		if err := s.sim.SetJourney(s.made.InstanceID, finished); err != nil {
			t.Fatal(err)
		}
		desk.WaitTold("status", "All done")
		d.step("computer, done", desk)
	}
	begin := func(t *testing.T) (*told, *story, *browser.Page, *browser.Page) {
		t.Helper()
		w := newWorld(t, func(s *setting) { s.twoHosts, s.confirmation, s.frame = true, handoff.ConfirmAuto, time.Second })
		s := &story{world: w, made: w.create()}
		d, desk, phone := &told{}, b.Desktop(t), b.Phone(t)
		desk.Navigate(s.made.DisplayURL)
		desk.WaitTold("heading", "Continue on your phone")
		listen(desk)
		d.step("computer, waiting", desk)
		browser.Eval[bool](desk, `new Promise((renewed) => new MutationObserver(() => renewed(true)).observe(document.querySelector("#qr path"), {attributes: true}))`)
		desk.Use("DisclosureTriangle", "Can’t scan?")
		desk.WaitTold("button", "Show the digits")
		d.step("computer, other ways", desk)
		return d, s, desk, phone
	}
	wantHeard := func(t *testing.T, p *browser.Page, want []string) {
		t.Helper()
		if diff := cmp.Diff(want, heard(p)); diff != "" {
			t.Errorf("the display said (-want +got):\n%s", diff)
		}
	}

	t.Run("typed", func(t *testing.T) {
		t.Parallel()
		d, s, desk, phone := begin(t)
		desk.Use("button", "Show the digits")
		desk.WaitTold("button", "Stop this code")
		d.step("computer, ten digits", desk)
		digits := regexp.MustCompile(`\d{3} \d{3} \d{4}`).FindString(desk.Told())
		wantFocus(t, desk, `paragraph "`+digits+`"`)
		phone.Navigate(s.public + "/t/acme")
		phone.WaitTold("heading", "Type the code")
		d.step("phone, to type them", phone)
		phone.Enter("The ten digits on your computer’s screen", "0123456789")
		phone.Use("button", "Continue")
		phone.WaitTold("paragraph", "No such code is open.")
		d.step("phone, wrong digits", phone)
		phone.Navigate(s.public + "/t/acme")
		phone.WaitTold("heading", "Type the code")
		phone.Enter("The ten digits on your computer’s screen", digits)
		phone.Use("button", "Continue")
		phone.WaitTold("heading", "Continue with Acme Bank?")
		d.step("phone, who asks", phone)
		desk.WaitTold("status", "The link is open on a phone.")
		phone.Use("button", "Continue")
		finish(t, s, d, desk, phone)
		golden(t, "told-typed.txt", d.b.String())
		wantHeard(t, desk, []string{
			"The link is open on a phone. Tap Continue there.", "Your phone is connected", "Continue in the Acme app", "All done",
		})
	})
	t.Run("link", func(t *testing.T) {
		t.Parallel()
		d, s, desk, phone := begin(t)
		desk.Use("button", "Make a link")
		desk.WaitTold("button", "Stop this link")
		desk.WaitTold("status", "It works for one device.")
		wantFocus(t, desk, `textbox "Link for your phone"`)
		d.step("computer, a link", desk)
		phone.Navigate(regexp.MustCompile(`https?://\S+/c/[^\s"]+`).FindString(desk.Told()))
		phone.WaitTold("heading", "Continue with Acme Bank?")
		desk.WaitTold("status", "The link is open on a phone.")
		d.step("computer, opened", desk)
		phone.Use("button", "Continue")
		phone.WaitTold("heading", "Type this on your computer")
		d.step("phone, a number", phone)
		number := spacedDigits.FindString(phone.Told())
		desk.WaitTold("status", "Type the number your phone shows")
		d.step("computer, a number", desk)
		wrong := not(strings.ReplaceAll(number, " ", ""))
		desk.Enter("The four digits", wrong)
		desk.Use("button", "Confirm")
		desk.WaitTold("status", "That’s not the number.")
		d.step("computer, a wrong number", desk)
		desk.Enter("The four digits", number)
		desk.Use("button", "Confirm")
		finish(t, s, d, desk, phone)
		golden(t, "told-link.txt", d.b.String())
		wantHeard(t, desk, []string{
			"Made a moment ago. It works for one device.", "The link is open on a phone. Tap Continue there.",
			"Type the number your phone shows", "That’s not the number. One try left.",
			"Your phone is connected", "Continue in the Acme app", "All done",
		})
	})
	t.Run("message", func(t *testing.T) {
		t.Parallel()
		p := newTracked(t)
		w := newWorld(t, brief, func(s *setting) { s.messenger, s.receipts = p, p })
		s, desk := w.begin(map[string]any{"expiresIn": 86400}), b.Desktop(t)
		desk.Navigate(s.made.DisplayURL)
		listen(desk)
		desk.Use("DisclosureTriangle", "Can’t scan?")
		desk.Enter("Your mobile number, with its country code", mobile)
		desk.Press("\r")
		desk.WaitTold("status", "Being sent to")
		p.become(w, "sent")
		desk.WaitTold("paragraph", "Sent to")
		p.become(w, "undelivered")
		desk.WaitTold("status", "It couldn’t be sent to")
		s.scan()
		desk.WaitTold("status", "The link is open on a phone.")
		s.desk.post(s.made.DisplayURL+"/reject", nil)
		desk.WaitTold("heading", "Stopped")
		wantHeard(t, desk, []string{
			"Being sent to ••56.", "It couldn’t be sent to ••56. Check it, or use another way.",
			"The link is open on a phone. Tap Continue there.", "Stopped",
		})
	})
}
