package web_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
)

// cost is what is pressed and typed on each screen.
type cost struct{ deskTaps, deskKeys, phoneTaps, phoneKeys int }

func spent(desk, phone *browser.Page) (c cost) {
	c.deskTaps, c.deskKeys = desk.Spent()
	c.phoneTaps, c.phoneKeys = phone.Spent()
	return c
}

// TestCosts goes the ways that people go, by mouse and finger, until the app is asked
// to open, and counts what the browser was made to do: after a scan one tap besides
// agreeing, and no keys; on this device two taps; without a camera ten digits.
func TestCosts(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	agree := func(phone *browser.Page) {
		phone.WaitVisible("landing")
		phone.Tap("button", "Continue")
	}
	open := func(phone *browser.Page) {
		phone.WaitTold("link", "Open the Acme app")
		phone.Tap("link", "Open the Acme app")
		phone.WaitVisible("app-link") // no app takes it here
	}
	for _, way := range []struct {
		name   string
		want   cost
		policy handoff.Confirmation
		walk   func(w *world, h wire, desk, phone *browser.Page)
	}{
		{"scan", cost{phoneTaps: 2}, "", func(_ *world, _ wire, desk, phone *browser.Page) {
			phone.Navigate(browser.DecodeQR(t, desk.Screenshot()))
			agree(phone)
			open(phone)
		}},
		{"scan, a number asked for", cost{deskKeys: 5, phoneTaps: 2}, handoff.ConfirmAlways, func(_ *world, _ wire, desk, phone *browser.Page) {
			phone.Navigate(browser.DecodeQR(t, desk.Screenshot()))
			agree(phone)
			number := shownDigits(phone)
			desk.WaitVisible("panel-number")
			desk.Press(number + "\r") // the field has the focus
			open(phone)
		}},
		{"this device, the link opens the app", cost{phoneTaps: 1}, "", func(_ *world, h wire, _, phone *browser.Page) {
			phone.Navigate(h.DisplayURL)
			phone.Tap("link", "Continue on this device")
			phone.WaitVisible("landing") // no app takes it here
		}},
		{"this device, it does not", cost{phoneTaps: 2}, "", func(_ *world, h wire, _, phone *browser.Page) {
			phone.Navigate(h.DisplayURL)
			phone.Tap("button", "Try again") // "Didn't open?"
			open(phone)
		}},
		{"no camera, ten digits", cost{deskTaps: 2, phoneTaps: 4, phoneKeys: 10}, "", func(w *world, _ wire, desk, phone *browser.Page) {
			desk.Tap("DisclosureTriangle", "Can’t scan?")
			desk.Tap("button", "Show the digits")
			digits := strings.Join(strings.Fields(desk.Text("typed-code")), "")
			phone.Navigate(w.public + "/t/acme")
			phone.Tap("textbox", "The ten digits on your computer’s screen")
			// A finger's tap becomes a click, and moves the focus, a moment later.
			browser.Eval[bool](phone, `new Promise((done) => {
				const look = () => document.activeElement.id === "code" ? done(true) : setTimeout(look, 20);
				look();
			})`)
			phone.Press(digits)
			phone.Tap("button", "Continue")
			agree(phone)
			open(phone)
		}},
		{"no camera, a link", cost{deskTaps: 3, deskKeys: 5, phoneTaps: 2}, handoff.ConfirmAuto, func(_ *world, _ wire, desk, phone *browser.Page) {
			desk.Tap("DisclosureTriangle", "Can’t scan?")
			desk.Tap("button", "Make a link")
			desk.Tap("button", "Copy")
			phone.Navigate(browser.Eval[string](desk, `document.getElementById("link").value`))
			agree(phone)
			number := shownDigits(phone)
			desk.WaitVisible("panel-number")
			desk.Press(number + "\r")
			open(phone)
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setting) {
				s.twoHosts = true
				if way.policy != "" {
					s.confirmation = way.policy
				}
			})
			h := w.create()
			desk, phone := b.Desktop(t), b.Phone(t)
			desk.Navigate(h.DisplayURL)
			desk.WaitVisible("panel-waiting")
			way.walk(w, h, desk, phone)
			got := spent(desk, phone)
			t.Logf("| %s | %d | %d | %d | %d |", way.name, got.deskTaps, got.deskKeys, got.phoneTaps, got.phoneKeys)
			if got != way.want {
				t.Errorf("it costs %+v, want %+v", got, way.want)
			}
		})
	}
}

// next is the way on from where people are stuck or at an end: one tap on a control,
// and what they see then.
type next struct {
	role, name string
	want       string         // data-testid; empty: it leads away from us, and is there
	mend       func(s *story) // what has ended by then: an outage, a wait
	instead    string         // why there is no tap
}

// waysOn are the ways on from every scene that is no step of the usual way. A phone
// whose next step is at the computer is tried there: the display has a code to scan.
func waysOn() map[string]next {
	mended := func(s *story) { s.sim.Mend() }
	newCode := next{role: "button", name: "Show a new code", want: "panel-waiting"}
	another := next{role: "button", name: "Use another phone", want: "panel-waiting"}
	back := next{role: "link", name: "Back to Acme Bank", want: "done"}
	atComputer := next{instead: "the computer shows a code to scan"}
	return map[string]next{
		"display opened in an app": newCode, "display too many tries": newCode, "display stopped": newCode, "display quiet": newCode,
		"display store": another, "display connected": another, "display delivered": another,
		"display completed": back, "display expired": back, "display cancelled": back, "display cancelled after delivery": back,
		"display rejected": back, "display rejected after delivery": back, "display replaced": back, "display failed": back,
		"display more time":        {role: "button", name: "Yes, keep it open", want: "panel-waiting"},
		"display message not sent": {role: "button", name: "Show the digits", want: "typed-code"},
		"display platform away":    {instead: "it goes on by itself", want: "panel-waiting", mend: mended},

		"phone landing inside an app":           {role: "button", name: "Copy the link", want: "inapp"},
		"phone landing on a computer":           {instead: "the page shows a code to scan"},
		"phone landing, already open elsewhere": {role: "button", name: "Continue here", want: "digits"},
		"phone back from the store":             {role: "link", name: "Get the app"},
		"phone delivered":                       {role: "button", name: "Open the Acme app", want: "open"},
		"phone finished, with a way back":       {role: "link", name: "Back to Acme Bank"},
		"phone stop, asked once more":           {role: "link", name: "Go back", want: "landing"},
		"phone stopped":                         {instead: "it was stopped on purpose; the computer leads back"},
		"phone old code":                        atComputer,
		"phone released":                        atComputer,
		"phone wrong number":                    atComputer,
		"phone platform away":                   {role: "link", name: "Try now", want: "open", mend: mended},
		"phone beyond a limit":                  {role: "link", name: "Try now", want: "typed", mend: func(s *story) { s.clock.advance(time.Minute) }},
		"phone a fault of ours":                 {role: "link", name: "Try now", want: "problem"},
		"phone nothing can be saved":            {role: "link", name: "Try now", want: "problem"},
		"phone app link":                        {role: "link", name: "Get the app"},
		"phone returned to another browser":     {instead: "the browser that began goes on"},
		"phone ended":                           {instead: "it was cancelled at the computer, whose page leads back"},
		"phone from another site":               {instead: "nothing of ours led there"},
		"phone an address that isn't ours":      {instead: "nothing of ours led there"},
		"phone unknown":                         {instead: "nothing is known of it"},
		"phone no such page":                    {instead: "nothing is known of it"},
		"phone no such display":                 {instead: "nothing is known of it"},
	}
}

// usual are the scenes that are steps of the usual way, or have a field to fill.
const usual = `display waiting|display waiting on a phone|display waiting with a link|display waiting with ten digits|display opened|display number|display wrong number|
display another phone asks|display offline|display code partly in view|display as its partner has it|display messages sent|display for a computer|display for the app's own scanner|
phone landing|phone number|phone ready|phone ready on Android|phone finished|phone typed code|phone typed code, too short|phone typed code, unknown|phone typed code, too often|
phone landing, as its partner has it|phone ready, with a web app`

// TestDeadEnds takes the way on from every place where people are stuck or at an end.
// It is one tap. CI tries the display's ends alone; with HANDOFF_LONG all are tried.
func TestDeadEnds(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	ways, steps := waysOn(), map[string]bool{}
	for name := range strings.SplitSeq(strings.ReplaceAll(usual, "\n", ""), "|") {
		steps[name] = true
	}
	try := func(name string, sc scene, bring func(t *testing.T, s *story) *browser.Page) {
		way, ok := ways[name]
		if !ok {
			if !steps[name] {
				t.Errorf("where do people go from %q?", name)
			}
			return
		}
		if os.Getenv("HANDOFF_LONG") == "" && name != "display expired" && name != "display opened in an app" && name != "phone back from the store" {
			return
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := shop(t)
			s := newWorld(t, brief, func(s *setting) { s.shop = home }, sc.setting).begin(sc.more, map[string]any{"returnUrl": home + "/done"})
			p := bring(t, s)
			p.WaitVisible(sc.want)
			if way.mend != nil {
				way.mend(s)
			}
			before, _ := p.Spent()
			if way.role != "" {
				p.WaitTold(way.role, way.name)
				if way.want != "" {
					p.Tap(way.role, way.name)
				}
			}
			if way.want != "" {
				p.WaitVisible(way.want)
			}
			if way.instead == "the computer shows a code to scan" {
				desk := b.Desktop(t)
				desk.Navigate(s.made.DisplayURL)
				if link := browser.DecodeQR(t, desk.Screenshot()); !strings.HasPrefix(link, s.link+"/c/") {
					t.Errorf("the computer shows %q", link)
				}
			}
			if way.instead == "the page shows a code to scan" {
				browser.DecodeQR(t, p.Screenshot())
			}
			after, _ := p.Spent()
			told := way.instead
			if told == "" {
				told = way.role + " " + way.name
			}
			t.Logf("| %s | %d | %s |", name, max(after-before, map[bool]int{true: 1}[way.instead == ""]), told)
			if after-before > 1 {
				t.Errorf("%d taps", after-before)
			}
		})
	}
	for _, sc := range displayScenes() {
		try("display "+sc.name, sc, func(t *testing.T, s *story) *browser.Page {
			if sc.before != nil {
				sc.before(s)
			}
			page := b.Desktop(t, sc.traits...)
			page.Navigate(s.made.DisplayURL)
			if sc.play != nil {
				page.WaitVisible("panel-waiting")
				sc.play(s)
			}
			browser.Eval[bool](page, `(document.querySelectorAll("[data-testid=others]").forEach((d) => d.open = true), true)`)
			return page
		})
	}
	for _, sc := range phoneScenes() {
		try("phone "+sc.name, sc, func(t *testing.T, s *story) *browser.Page {
			phone := b.Phone(t, append([]browser.Trait{browser.Agent(iPhone)}, sc.traits...)...)
			sc.walk(s, phone)
			return phone
		})
	}
}
