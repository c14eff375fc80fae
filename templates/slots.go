package templates

import (
	"strings"

	"github.com/handoff-portal/handoff/internal/i18n"
)

// The slots: names of the changing texts, in the page's data-slot attributes and
// in the state JSON. A missing or empty one hides what is marked data-when with it.
const (
	slotSay      = "say"       // what a screen reader is told once
	slotOpened   = "opened"    // the line under the heading while a link is open
	slotInApp    = "inapp"     // which in-app browser, and the way out
	slotFrom     = "from"      // which phone shows the number
	slotWrong    = "wrong"     // a wrong number, and the tries left
	slotStore    = "store"     // which store the phone is at
	slotUnopened = "unopened"  // what to try where the app did not open
	slotExpired  = "expired"   // how long it was open
	slotLink     = "link"      // the link to copy
	slotLinkMade = "link_made" // when it was made
	slotSMS      = "sms"       // what became of the text message
	slotEmail    = "email"     // what became of the e-mail
	slotUnsent   = "unsent"    // of those two, what did not go as it was asked for: told once, too
	slotTyped    = "typed"     // the ten digits, in groups
	slotDeepLink = "deep_link" // the deep link, where it is renewed
)

// Slots returns the "slots" of the state JSON: every changing text of the display
// as it is shown, in p's language. Empty ones are left out.
func (s State) Slots(p Page) map[string]string {
	slots := map[string]string{slotSay: s.heading(p)}
	set := func(name, text string) {
		if text != "" {
			slots[name] = text
		}
	}
	switch s.Screen {
	case ScreenOpened:
		set(slotOpened, p.T.T("display.opened.text"))
		set(slotSay, slots[slotOpened])
	case ScreenInApp:
		name := s.InApp
		if name == "" {
			name = p.T.T("phone.inapp.unknown")
		}
		set(slotInApp, p.T.T("display.inapp.text", "name", name))
	case ScreenNumber:
		set(slotFrom, p.T.T("display.number.from", "on", s.Device.on(p.T), "ago", p.T.Ago(s.Ago)))
		if s.WrongTries > 0 {
			set(slotWrong, p.T.T("display.number.wrong", "n", s.TriesLeft))
			set(slotSay, slots[slotWrong])
		}
	case ScreenStore:
		set(slotStore, s.storeText(p))
	case ScreenUnopened:
		set(slotUnopened, p.T.T("display.quiet.text"))
		set(slotSay, slots[slotUnopened])
	case ScreenExpired:
		set(slotExpired, p.T.T("display.expired.text", "time", p.T.Span(s.Lasted), "partner", p.Brand.Name))
	case ScreenWaiting, ScreenTooMany, ScreenConnected, ScreenDelivered, ScreenStopped, ScreenQuiet, ScreenCompleted,
		ScreenCancelled, ScreenCancelledLate, ScreenRejected, ScreenRejectedLate, ScreenFailed, ScreenReplaced, ScreenAway:
	}
	if s.Link != nil {
		set(slotLink, s.Link.URL)
		set(slotLinkMade, p.T.T("other.link_made", "ago", p.T.Ago(s.Link.SentAt)))
	}
	set(slotSMS, s.SMS.text(p))
	set(slotEmail, s.Email.text(p))
	set(slotUnsent, strings.TrimSpace(s.SMS.unsent(p)+" "+s.Email.unsent(p)))
	set(slotTyped, grouped(s.TypedCode))
	set(slotDeepLink, s.DeepLink)
	return slots
}

// text says what became of a message.
func (s *Sent) text(p Page) string {
	if s == nil {
		return ""
	}
	switch s.State {
	case SentSending:
		return p.T.T("other.sending", "to", s.To)
	case SentDone:
		return p.T.T("other.sent", "to", s.To, "ago", p.T.Ago(s.Ago))
	case SentFailed:
		return p.T.T("other.not_sent", "to", s.To)
	case SentUnsure:
	}
	return p.T.T("other.maybe_sent", "to", s.To)
}

// unsent is text, of a message that did not go, or may not have.
func (s *Sent) unsent(p Page) string {
	if s == nil || s.State != SentFailed && s.State != SentUnsure {
		return ""
	}
	return s.text(p)
}

// heading is the screen's heading.
func (s State) heading(p Page) string {
	switch s.Screen {
	case ScreenWaiting, ScreenOpened:
		return p.T.T("display.waiting.heading")
	case ScreenInApp:
		return p.T.T("display.inapp.heading")
	case ScreenNumber:
		return p.T.T("display.number.heading")
	case ScreenTooMany:
		return p.T.T("display.too_many.heading")
	case ScreenStore:
		return p.T.T("display.store.heading")
	case ScreenConnected, ScreenUnopened:
		return p.T.T("display.connected.heading")
	case ScreenDelivered:
		return p.T.T("display.delivered.heading", "app", p.Brand.App)
	case ScreenStopped:
		return p.T.T("display.stopped.heading")
	case ScreenQuiet:
		return p.T.T("display.quiet.heading")
	case ScreenCompleted:
		return p.T.T("display.completed.heading")
	case ScreenExpired:
		return p.T.T("display.expired.heading")
	case ScreenCancelled, ScreenCancelledLate:
		return p.T.T("display.cancelled.heading")
	case ScreenRejected, ScreenRejectedLate:
		return p.T.T("display.rejected.heading")
	case ScreenFailed:
		return p.T.T("display.failed.heading")
	case ScreenReplaced:
		return p.T.T("display.replaced.heading")
	case ScreenAway:
		return p.T.T("display.away.heading")
	}
	return ""
}

func (s State) storeText(p Page) string {
	switch s.Store {
	case "apple":
		return p.T.T("display.store.apple")
	case "google":
		return p.T.T("display.store.google")
	}
	return p.T.T("display.store.other", "app", p.Brand.App)
}

// on says "on an iPhone (France)", with the country where that is known.
func (d Device) on(t i18n.Printer) string {
	text := d.kind(t)
	if country := t.Country(d.Country); country != "" {
		text += " (" + country + ")"
	}
	return text
}

// kind says "on an iPhone": with its preposition, because languages inflect the two together.
func (d Device) kind(t i18n.Printer) string {
	switch {
	case d.OS == "iOS" && d.Class == "mobile":
		return t.T("on.iphone")
	case d.OS == "iPadOS", d.OS == "iOS" && d.Class == "tablet":
		return t.T("on.ipad")
	case d.OS == "Android" && d.Class == "mobile":
		return t.T("on.android")
	case d.OS == "Android" && d.Class == "tablet":
		return t.T("on.android_tablet")
	case d.OS == "Windows":
		return t.T("on.windows")
	case d.OS == "macOS":
		return t.T("on.mac")
	}
	switch d.Class {
	case "mobile":
		return t.T("on.phone")
	case "tablet":
		return t.T("on.tablet")
	case "desktop":
		return t.T("on.computer")
	}
	return t.T("on.device")
}

// where says "on a Windows computer, in Chrome".
func (d Device) where(t i18n.Printer) string {
	if d.Browser == "" {
		return d.on(t)
	}
	return t.T("asked.place_browser", "place", d.on(t), "browser", d.Browser)
}

// grouped sets ten digits in groups that are easy to read and to type.
func grouped(code string) string {
	if len(code) != 10 {
		return code
	}
	return code[:3] + " " + code[3:6] + " " + code[6:]
}

// spaced sets digits apart, so that they are read out one by one.
func spaced(digits string) string { return strings.Join(strings.Split(digits, ""), " ") }
