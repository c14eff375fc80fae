package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
)

// storageThrows is what becomes of each way to keep something on this page.
const storageThrows = `(async () => {
	const tries = {
		cookie: () => { document.cookie = "a=b"; if (!document.cookie) throw 0 },
		localStorage: () => localStorage.setItem("a", "b"),
		sessionStorage: () => sessionStorage.setItem("a", "b"),
		indexedDB: () => new Promise((yes, no) => { const r = indexedDB.open("a"); r.onsuccess = yes; r.onerror = no }),
		caches: () => caches.open("a"),
	};
	const kept = [];
	for (const [name, attempt] of Object.entries(tries)) try { await attempt(); kept.push(name) } catch {}
	return kept.join() })()`

// TestThreatThirdPartyCookiesBlocked plays the whole story in a frame on another
// site, by the script that partners use, in a browser that keeps nothing, with the
// phone beside it in another browser with its own cookie.
func TestThreatThirdPartyCookiesBlocked(t *testing.T) {
	t.Parallel()
	shop := newEmbedder(t)
	seen := &witness{}
	w := newWorld(t, func(s *setting) { s.twoHosts, s.shop, s.confirmation = true, shop.origin, handoff.ConfirmAlways }, seen.put)
	h := w.create(map[string]any{"parentOrigin": shop.origin, "returnUrl": shop.origin + "/done"})
	desk := browser.New(t, browser.BlockCookies).Desktop(t, browser.ReducedMotion)
	phone := browser.New(t).Phone(t)

	desk.Navigate(shop.origin + "/embed?src=" + h.DisplayURL)
	frame := desk.Frame(h.DisplayURL)
	frame.WaitVisible("panel-waiting")
	if kept := browser.Eval[string](frame, storageThrows); kept != "" {
		t.Fatalf("the browser of this test keeps things in %s, want it to keep nothing", kept)
	}
	// Every form of the frame works without a cookie: another way, stopped again, and
	// a phone that is sent away.
	browser.Eval[bool](frame, `document.querySelector("[data-testid=others]").open = true`)
	pressShown(frame, "action-send-link")
	frame.WaitVisible("link")
	pressShown(frame, "action-revoke-link")
	frame.WaitGone("link")
	phone.Navigate(framedCode(t, frame, desk))
	phone.WaitVisible("landing")
	frame.WaitVisible("slot-opened")
	phone.Follow("continue")
	phone.WaitVisible("digits")
	frame.WaitVisible("panel-number")
	pressShown(frame, "action-release")
	frame.WaitVisible("panel-waiting")
	phone.WaitVisible("notice-other_phone")

	phone.Navigate(framedCode(t, frame, desk))
	phone.Follow("continue")
	frame.WaitVisible("panel-number")
	typeNumber(frame, strings.TrimSpace(browser.Eval[string](phone, `document.querySelector('[data-testid="digits"] [aria-hidden]').textContent`)))
	frame.WaitVisible("panel-connected")
	phone.WaitVisible("open")
	w.pickUp(phone.Attribute("open", "href"))
	frame.WaitVisible("panel-delivered")
	if err := w.sim.SetJourney(h.InstanceID, finished); err != nil {
		t.Fatal(err)
	}
	frame.WaitVisible("panel-completed")
	phone.WaitVisible("finished")
	end := browser.Eval[string](desk, `new Promise((told) => { const i = setInterval(() => {
		const end = heard.find((m) => m.type === "end"); if (end) { clearInterval(i); told(end.status + " " + end.returnUrl) } }, 20) })`)
	if want := "completed " + shop.origin + "/done?"; !strings.HasPrefix(end, want) {
		t.Errorf("the parent heard %q, want it to begin with %q", end, want)
	}

	ofDisplay := seen.all(func(v visit) bool { return strings.HasPrefix(v.path, "/h/") })
	for _, v := range ofDisplay {
		if v.setCookie || v.cookie {
			t.Errorf("%s %s (%s): Set-Cookie %t, Cookie %t, want neither", v.method, v.path, v.dest, v.setCookie, v.cookie)
		}
	}
	if got := desk.Cookies(); len(got) != 0 {
		t.Errorf("the desktop keeps the cookies %q, want none", got)
	}
	if got := phone.Cookies(); len(got) != 1 {
		t.Errorf("the phone keeps the cookies %q, want its own one", got)
	}
	t.Logf("%d requests of the display, none with a cookie and none given one", len(ofDisplay))
	desk.WantNoProblems()
	frame.WantNoProblems()
	phone.WantNoProblems("410") // the page of the claim that was released
}

// drawn waits until a page has drawn what it shows.
const drawn = `new Promise((yes) => requestAnimationFrame(() => requestAnimationFrame(() => yes(true))))`

// framedCode is the code that a frame shows in its page's window, once there is one.
func framedCode(t *testing.T, frame, page *browser.Page) string {
	t.Helper()
	browser.Eval[bool](frame, `new Promise((seen) => { const i = setInterval(() => {
		if (document.querySelector("#qr path").getAttribute("d")) { clearInterval(i); seen(true) } }, 20) })`)
	browser.Eval[bool](frame, drawn)
	return browser.DecodeQR(t, page.Window())
}

// TestPhoneFrame reaches the app from a sandboxed frame on a phone whose browser
// gives frames no cookies: by one tap out of the frame, and one into the app.
func TestPhoneFrame(t *testing.T) {
	t.Parallel()
	shop := newEmbedder(t)
	seen := &witness{}
	w := newWorld(t, func(s *setting) { s.twoHosts, s.shop = true, shop.origin }, seen.put)
	h := w.create(map[string]any{"parentOrigin": shop.origin})
	phone := browser.New(t, browser.Named(iPhone), browser.BlockFrames("127.0.0.1", "localhost")).Phone(t, browser.Agent(iPhone))
	address := framing(shop.origin, h.DisplayURL, "allow-scripts", "allow-forms", "allow-same-origin", "allow-popups", "allow-popups-to-escape-sandbox")
	phone.Navigate(address)
	if got := browser.Eval[int](phone, "innerWidth"); got != 390 {
		t.Fatalf("the window is %d px wide, want 390", got)
	}
	frame := phone.Frame(h.DisplayURL)
	frame.WaitVisible("panel-waiting")
	if kept := browser.Eval[string](frame, storageThrows); kept != "" {
		t.Fatalf("the frame of this test keeps things in %s, want it to keep nothing", kept)
	}
	taps := 0
	top := phone.Opened(func() { frame.Click("action-continue") })
	taps++
	top.WaitVisible("open")
	link := top.Attribute("open", "href")
	if !strings.HasPrefix(link, w.link+"/a/acme/") {
		t.Errorf("the app link = %q, want one below %s/a/acme/", link, w.link)
	}
	if got := top.Follow("open"); got != http.StatusOK {
		t.Errorf("the app link answers a browser %d, want 200", got)
	}
	taps++
	if taps != 2 {
		t.Errorf("%d taps from the frame to the app, want 2", taps)
	}
	w.pickUp(link)
	frame.WaitVisible("panel-delivered")
	if got := w.get(h.ID); *got.Route != "local" || got.Device == nil || got.Device.Class != "mobile" {
		t.Errorf("the handoff went by %s with %+v, want local with a mobile", *got.Route, got.Device)
	}
	for _, v := range seen.all(func(v visit) bool { return strings.HasPrefix(v.path, "/h/") }) {
		topLevel := v.method == http.MethodPost && v.dest == "document"
		if v.setCookie != topLevel || v.cookie {
			t.Errorf("%s %s (%s): Set-Cookie %t, Cookie %t, want one set top level and none else", v.method, v.path, v.dest, v.setCookie, v.cookie)
		}
	}
	if got := phone.URL(); got != address {
		t.Errorf("the parent is at %s: a frame never navigates it", got)
	}
	if got := frame.URL(); got != h.DisplayURL {
		t.Errorf("the frame is at %s: it never navigates itself", got)
	}
	t.Logf("%d taps from the frame to the app", taps)
	frame.WantNoProblems()
	top.WantNoProblems()
}

// TestFrameStays ends a framed display in each way that moves a display of its own
// on: the frame and its parent stay where they are, and the parent is told.
func TestFrameStays(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	shop := newEmbedder(t)
	seen := &witness{}
	w := newWorld(t, func(s *setting) { s.shop = shop.origin }, seen.put)
	for _, test := range []struct {
		name, status string
		end          func(s *story, frame *browser.Page)
	}{
		{"completed", "completed", func(s *story, frame *browser.Page) {
			s.scan()
			s.tap()
			s.toApp()
			frame.WaitVisible("panel-delivered")
			if err := s.sim.SetJourney(s.made.InstanceID, finished); err != nil {
				t.Fatal(err)
			}
			s.report("finished")
		}},
		{"no phone", "cancelled", func(_ *story, frame *browser.Page) {
			browser.Eval[bool](frame, `document.querySelector("[data-testid=others]").open = true`)
			pressShown(frame, "action-no-phone")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := w.with(t).begin(map[string]any{"parentOrigin": shop.origin, "returnUrl": shop.origin + "/done"})
			page := b.Desktop(t)
			address := framing(shop.origin, s.made.DisplayURL)
			page.Navigate(address)
			frame := page.Frame(s.made.DisplayURL)
			frame.WaitVisible("panel-waiting")
			// The time that a display waits before it moves on passes at once.
			browser.Eval[bool](frame, `(later = setTimeout, setTimeout = (f, ms, ...more) => later(f, ms > 1000 ? 0 : ms, ...more), true)`)
			test.end(s, frame)
			status := browser.Eval[string](page, `new Promise((told) => { const i = setInterval(() => {
				const end = got.find((m) => m.type === "end"); if (end) { clearInterval(i); told(end.status) } }, 20) })`)
			if status != test.status {
				t.Errorf("the parent is told of %q, want %q", status, test.status)
			}
			// A page that is about to leave has left before two more answers are here.
			browser.Eval[bool](frame, `(async () => { for (const i of [1, 2]) { await fetch(location.href + "/status"); await new Promise((next) => later(next, 0)) } return true })()`)
			if got := page.URL(); got != address {
				t.Errorf("the parent is at %s: a frame never navigates it", got)
			}
			if got := frame.URL(); got != s.made.DisplayURL {
				t.Errorf("the frame is at %s: it never navigates itself", got)
			}
			if got := browser.Eval[int](page, "loads"); got != 1 {
				t.Errorf("the frame was loaded %d times, want once", got)
			}
			if shop.visited("/done") {
				t.Error("something went to the return URL by itself")
			}
			back := `(() => { const a = document.querySelector("section:not([hidden]) [data-return]"); return a.checkVisibility() + " " + a.target + " " + a.href })()`
			if got, want := browser.Eval[string](frame, back), "true _top "+shop.origin+"/done?"; !strings.HasPrefix(got, want) {
				t.Errorf("the way back is shown, opens in, and leads to %q, want %q", got, want)
			}
			frame.WantNoProblems()
		})
	}
}
