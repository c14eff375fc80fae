package web_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
)

// TestComesBack: after a reload, a crash, sleep and a cut network both screens show
// the step that is the present one by then, in the time that is logged.
func TestComesBack(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	for name, trouble := range map[string]func(desk, phone *browser.Page, meanwhile func()) (from time.Time, desk2, phone2 *browser.Page){
		"reload": func(desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
			meanwhile()
			from := time.Now()
			desk.Reload()
			phone.Reload()
			return from, desk, phone
		},
		"crash": func(desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
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
		"sleep": func(desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
			wakeDesk, wakePhone := desk.Freeze(), phone.Freeze()
			meanwhile()
			from := time.Now()
			wakeDesk()
			wakePhone()
			return from, desk, phone
		},
		"network lost": func(desk, phone *browser.Page, meanwhile func()) (time.Time, *browser.Page, *browser.Page) {
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
			s := newWorld(t, asked(handoff.ConfirmAlways)).begin()
			desk, phone := b.Desktop(t), b.Phone(t)
			desk.Navigate(s.made.DisplayURL)
			desk.WaitVisible("panel-waiting")
			phone.Navigate(s.code())
			phone.Follow("continue")
			number := shownDigits(phone)
			desk.WaitVisible("panel-number")

			// The same step first, and then the one that it became meanwhile.
			from, desk, phone := trouble(desk, phone, func() {})
			desk.WaitVisible("panel-number")
			phone.WaitVisible("digits")
			if name == "network lost" {
				desk.WaitGone("offline")
			}
			same := time.Since(from)
			from, desk, phone = trouble(desk, phone, func() {
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
