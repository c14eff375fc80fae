package web_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
)

// mishap is what happens to both screens. It ends, and they can be looked at, from
// then on; perhaps they are others by then.
type mishap func(l *cable, desk, phone *browser.Page, meanwhile func()) (from time.Time, desk2, phone2 *browser.Page)

// TestComesBack: after a reload, a crash of the page or of all of the browser, sleep,
// a cut network and a cut or dead stream both screens show the step that is the present one by
// then, in the time that is logged.
func TestComesBack(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	for name, trouble := range map[string]mishap{
		"reload": func(_ *cable, desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
			meanwhile()
			from := time.Now()
			desk.Reload()
			phone.Reload()
			return from, desk, phone
		},
		"crash": func(_ *cable, desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
			at, own := desk.URL(), phone.URL()
			desk.Crash()
			phone.Crash()
			meanwhile()
			desk2, phone2 := desk.Tab(), phone.Tab()
			from := time.Now()
			desk2.Navigate(at)
			phone2.Navigate(own)
			return from, desk2, phone2
		},
		"killed": func(_ *cable, desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
			at, own := desk.URL(), phone.URL()
			phone.WaitWritten("handoff-phone")
			deskAgain, phoneAgain := desk.Kill(), phone.Kill()
			meanwhile()
			desk2, phone2 := deskAgain(), phoneAgain()
			from := time.Now()
			desk2.Navigate(at)
			phone2.Navigate(own)
			return from, desk2, phone2
		},
		"sleep": func(_ *cable, desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
			wakeDesk, wakePhone := desk.Freeze(), phone.Freeze()
			meanwhile()
			from := time.Now()
			wakeDesk()
			wakePhone()
			return from, desk, phone
		},
		"stream dropped": func(l *cable, desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
			l.drop()
			meanwhile()
			return time.Now(), desk, phone
		},
		// Nothing tells a page of this but the silence: it is noticed after 20 s.
		"stream dead": func(l *cable, desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
			l.forget()
			meanwhile()
			return time.Now(), desk, phone
		},
		"cable cut": func(l *cable, desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
			l.cut()
			desk.WaitVisible("offline")
			meanwhile()
			from := time.Now()
			l.mend()
			return from, desk, phone
		},
		"network lost": func(_ *cable, desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
			deskOnline, phoneOnline := desk.Offline(), phone.Offline()
			desk.WaitVisible("offline")
			meanwhile()
			from := time.Now()
			deskOnline()
			phoneOnline()
			return from, desk, phone
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newCable(t)
			s := newWorld(t, asked(handoff.ConfirmAlways), func(s *setting) { s.cable = l }).begin()
			deskBy, phoneBy := b, b
			if name == "killed" {
				deskBy, phoneBy = browser.New(t, browser.Kept), browser.New(t, browser.Kept)
			}
			desk, phone := deskBy.Desktop(t), phoneBy.Phone(t)
			desk.Navigate(s.made.DisplayURL)
			desk.WaitVisible("panel-waiting")
			phone.Navigate(s.code())
			phone.Follow("continue")
			number := shownDigits(phone)
			desk.WaitVisible("panel-number")

			// The same step first, and then the one that it became meanwhile.
			from, desk, phone := trouble(l, desk, phone, func() {})
			desk.WaitVisible("panel-number")
			phone.WaitVisible("digits")
			if name == "network lost" || name == "cable cut" {
				desk.WaitGone("offline")
			}
			same := time.Since(from)
			from, desk, phone = trouble(l, desk, phone, func() {
				s.desk.post(s.made.DisplayURL+"/confirm", url.Values{"number": {number}})
			})
			desk.WaitVisible("panel-connected")
			onDesk := time.Since(from)
			phone.WaitVisible("open")
			t.Logf("the same step after %s, the next one after %s on the computer, %s on the phone",
				same.Round(time.Millisecond), onDesk.Round(time.Millisecond), time.Since(from).Round(time.Millisecond))
		})
	}
}
