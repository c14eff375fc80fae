package templates

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/i18n"
)

// moreTimeAt is how long before the end people are asked whether they need more.
const moreTimeAt = 2 * time.Minute

// framed reports whether the page really sits in a frame it may sit in.
func (d Display) framed() bool { return d.Framed && d.ParentOrigin != "" }

// on reports whether s is the panel to show. Opened shares the panel of waiting.
func (d Display) on(s Screen) bool {
	switch d.Screen { //nolint:exhaustive // the others have panels of their own
	case ScreenOpened:
		return s == ScreenWaiting
	case ScreenUnopened:
		return s == ScreenConnected
	}
	return s == d.Screen
}

// withReload is the page, reloading itself where there is no script to follow by:
// while there is something to wait for, and nothing to type.
func (d Display) withReload() Page {
	p := d.Page
	if p.Refresh == 0 && !d.Screen.Ended() && d.Screen != ScreenNumber && d.Screen != ScreenTooMany && d.NotSent == nil {
		p.Refresh = 5
	}
	return p
}

// shownHeading is the visible panel's heading.
func (d Display) shownHeading() string {
	if d.OnPhone && d.on(ScreenWaiting) {
		return d.T.T("display.here.heading")
	}
	return d.heading(d.Page)
}

// said is what a screen reader need not be told, because the page opens with it.
func (d Display) said() string {
	if d.Screen == ScreenWaiting {
		return d.shownHeading()
	}
	return d.slot(slotSay)
}

// now is the server's clock, for browsers whose own is wrong.
func (d Display) now() string {
	if d.marks != nil {
		return d.marks[ownNow]
	}
	if d.ExpiresAt.IsZero() {
		return ""
	}
	return stamp(d.ExpiresAt.Add(-d.Left))
}

// seq, expires and left are what their names say, as the page has them.
func (d Display) seq() string {
	if d.marks != nil {
		return d.marks[ownSeq]
	}
	return itoa(d.Seq)
}

func (d Display) expires() string {
	if d.marks != nil {
		return d.marks[ownExpires]
	}
	return stamp(d.ExpiresAt)
}

func (d Display) left() string {
	if d.marks != nil {
		return d.marks[ownLeft]
	}
	return d.T.Left(d.Left)
}

// class is the body's.
func (d Display) class() string {
	if d.framed() {
		return classFramed
	}
	return "display"
}

// classFramed is the class of a framed display's body. Its content is hidden until
// our stylesheet shows it: a frame that is sandboxed without its origin can have
// neither sheet nor script of ours, and must show nothing.
const classFramed = "display framed"

// parent is the origin to post messages to, or empty.
func (d Display) parent() string {
	if d.framed() {
		return d.ParentOrigin
	}
	return ""
}

// othersOpen unfolds the other ways where one is in use, and where a computer is
// asked for, which scans nothing.
func (d Display) othersOpen() bool {
	return d.Link != nil || d.SMS != nil || d.Email != nil || d.NotSent != nil || d.TypedCode != "" || d.T.Target() == i18n.Computer
}

// slot is one of the slots.
func (d Display) slot(name string) string { return d.Slots(d.Page)[name] }

// moreTime reports whether to ask for more time now.
func (d Display) moreTime() bool {
	return d.CanExtend && !d.Screen.Ended() && d.Left <= moreTimeAt
}

// tone is the colour of a panel's badge.
func (s Screen) tone() string {
	switch {
	case s == ScreenCompleted:
		return "good"
	case s.Ended():
		return "plain"
	}
	return ""
}

// step is how far s is along the progress bar, 0 to 4; −1 for the ends that are no success.
func (s Screen) step() int {
	switch s {
	case ScreenWaiting, ScreenOpened, ScreenInApp, ScreenTooMany, ScreenAway:
		return 0
	case ScreenNumber, ScreenStore, ScreenConnected, ScreenUnopened:
		return 1
	case ScreenDelivered, ScreenStopped, ScreenQuiet:
		return 2
	case ScreenCompleted:
		return 4
	case ScreenExpired, ScreenCancelled, ScreenCancelledLate, ScreenRejected, ScreenRejectedLate, ScreenFailed, ScreenReplaced:
	}
	return -1
}

// screens is the data-screen attribute of a panel: the screens it stands for.
func (s Screen) screens() string {
	switch s { //nolint:exhaustive // the others stand for themselves
	case ScreenConnected:
		return string(ScreenConnected) + " " + string(ScreenUnopened)
	case ScreenWaiting:
		return string(ScreenWaiting) + " " + string(ScreenOpened)
	}
	return string(s)
}

// countdown is what the script needs to count by itself, as JSON: the plural forms
// of minutes and seconds, and the digits.
func countdown(t i18n.Printer) string {
	b, err := json.Marshal(map[string]any{
		"h":      t.Forms("time.hours_left"),
		"m":      t.Forms("time.minutes_left"),
		"s":      t.Forms("time.seconds_left"),
		"digits": t.Digits(),
	})
	if err != nil {
		return "{}" // cannot happen: maps of strings
	}
	return string(b)
}

// stamp is a time as the script reads it (RFC 3339, UTC).
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	// With fractions: a clock cut to the second would promise a minute too many.
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// progressClass marks a step of the progress bar as done, current or to come.
func progressClass(at, step int) string {
	switch {
	case step < at:
		return "done"
	case step == at:
		return "now"
	}
	return "next"
}

// title is the document's title: the heading, and whose page it is.
func title(p Page, heading string) string {
	if p.Brand.Name == "" {
		return heading
	}
	return p.T.T("common.title", "heading", heading, "partner", p.Brand.Name)
}

// initial is the letter that stands for a partner without a logo.
func initial(name string) string {
	for _, r := range name {
		return strings.ToUpper(string(r))
	}
	return ""
}

// language is the current entry of the menu.
func (p Page) language() Language {
	for _, l := range p.Languages {
		if l.Current {
			return l
		}
	}
	return Language{Tag: string(p.T.Lang()), Name: string(p.T.Lang()), Dir: p.T.Dir()}
}

// hasFooter reports whether there is anything to put there.
func (p Page) hasFooter() bool {
	return p.Links != Links{} || p.SupportRef != ""
}

func itoa(n int) string { return strconv.Itoa(n) }
