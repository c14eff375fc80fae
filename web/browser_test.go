package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform"
)

// shop is a partner's site: a page that frames the display, and the page people
// come back to. It is on localhost, which is another site than 127.0.0.1.
func shop(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/frame":
			_, _ = fmt.Fprintf(rw, `<!doctype html><title>Shop</title><link rel="icon" href="data:,">
				<iframe data-testid="frame" src="%s" width="800" height="700"></iframe>
				<script>window.got = []; addEventListener("message", (e) => window.got.push({origin: e.origin, ...e.data}));</script>`, r.URL.Query().Get("src"))
		case "/done":
			_, _ = fmt.Fprint(rw, `<!doctype html><title>Shop</title><link rel="icon" href="data:,"><main data-testid="done">Welcome back</main>`)
		default:
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(srv.Close)
	return strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
}

// pickUp does what the app does with an app link.
func (w *world) pickUp(link string) {
	w.t.Helper()
	verifier, _ := pkce()
	a := w.native("/v1/pickups", map[string]string{"pickup": link[strings.LastIndex(link, "/")+1:], "verifier": verifier})
	if a.StatusCode != http.StatusOK {
		w.t.Fatalf("POST /v1/pickups = %d %s, want 200", a.StatusCode, a.body)
	}
}

// TestStoryInChromium plays the whole story with a desktop and a phone, the code
// read from the desktop's screenshot, ending on the partner's page.
func TestStoryInChromium(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	for _, version := range []platform.Version{platform.V1, platform.V2} {
		for _, two := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s two_hosts=%v", version, two), func(t *testing.T) {
				t.Parallel()
				home := shop(t)
				w := newWorld(t, func(s *setting) { s.version, s.twoHosts, s.bolt, s.shop = version, two, true, home })
				h := w.create(map[string]any{"returnUrl": home + "/done"})
				desk, phone := b.Desktop(t), b.Phone(t)
				desk.Navigate(h.DisplayURL)
				desk.WaitVisible("panel-waiting")
				link := browser.DecodeQR(t, desk.Screenshot())
				if !strings.HasPrefix(link, w.link+"/c/acme/") {
					t.Fatalf("the screenshot's code = %q, want a link below %s/c/acme/", link, w.link)
				}
				phone.Navigate(link)
				phone.WaitVisible("landing")
				desk.WaitVisible("slot-opened")
				phone.Follow("continue")
				phone.WaitVisible("open")
				desk.WaitVisible("panel-connected")
				w.pickUp(phone.Attribute("open", "href"))
				desk.WaitVisible("panel-delivered")
				if err := w.sim.SetJourney(h.InstanceID, finished); err != nil {
					t.Fatal(err)
				}
				desk.WaitVisible("done") // the display moved on by itself
				if got := desk.URL(); !strings.Contains(got, "handoff="+h.ID) || !strings.Contains(got, "status=completed") {
					t.Errorf("the desktop is at %s, want the return URL with handoff and status", got)
				}
				phone.WaitVisible("finished")
				desk.WantNoProblems()
				phone.WantNoProblems()
			})
		}
	}
}

// TestFramedStoryInChromium plays it in a partner's iframe, with the number
// asked for, and a slow user whose connect token has expired meanwhile.
func TestFramedStoryInChromium(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	home := shop(t)
	w := newWorld(t, func(s *setting) {
		s.twoHosts, s.shop, s.frame, s.confirmation = true, home, time.Second, handoff.ConfirmAlways
	})
	h := w.create(map[string]any{"returnUrl": home + "/done", "parentOrigin": home})
	desk, phone := b.Desktop(t), b.Phone(t)
	desk.Navigate(home + "/frame?src=" + h.DisplayURL)
	frame := desk.Frame(h.DisplayURL)
	frame.WaitVisible("panel-waiting")
	w.clock.advance(130 * time.Second) // the connect token lived 120
	path := `document.querySelector("#qr path").getAttribute("d")`
	before := browser.Eval[string](frame, path)
	browser.Eval[bool](frame, `new Promise((seen) => { const i = setInterval(() => { if (`+path+` !== `+quoted(before)+`) { clearInterval(i); seen(true) } }, 20) })`)
	phone.Navigate(browser.DecodeQR(t, desk.Screenshot()))
	phone.Follow("continue")
	phone.WaitVisible("digits")
	number := strings.TrimSpace(browser.Eval[string](phone, `document.querySelector('[data-testid="digits"] [aria-hidden]').textContent`))
	frame.WaitVisible("panel-number")
	wrong := "0000"
	if number == wrong {
		wrong = "1111"
	}
	typeNumber(frame, wrong)
	frame.WaitText("slot-wrong", "One try left")
	typeNumber(frame, number)
	frame.WaitVisible("panel-connected")
	phone.WaitVisible("open") // the phone's page moved on by itself
	w.pickUp(phone.Attribute("open", "href"))
	frame.WaitVisible("panel-delivered")
	if got := len(w.calls("connect")); got != 1 {
		t.Errorf("connects = %d, want 1: a slow user costs a new start, not a failed connect", got)
	}
	if err := w.sim.SetJourney(h.InstanceID, finished); err != nil {
		t.Fatal(err)
	}
	frame.WaitVisible("panel-completed")
	end := browser.Eval[string](desk, `new Promise((told) => { const i = setInterval(() => {
		const end = window.got.find((m) => m.type === "end"); if (end) { clearInterval(i); told(JSON.stringify(end)) } }, 20) })`)
	for _, want := range []string{`"origin":"` + w.public + `"`, `"status":"completed"`, `"id":"` + h.ID + `"`, `"returnUrl":"` + home + `/done?`} {
		if !strings.Contains(end, want) {
			t.Errorf("the parent was told %s, want it to hold %s", end, want)
		}
	}
	if got := desk.URL(); !strings.HasPrefix(got, home+"/frame") {
		t.Errorf("the parent is at %s: a frame never navigates it", got)
	}
	if got := frame.URL(); got != h.DisplayURL {
		t.Errorf("the frame is at %s, want %s: it never navigates itself", got, h.DisplayURL)
	}
	frame.WantNoProblems()
	phone.WantNoProblems()
}

// typeNumber fills the display's field and presses Confirm, in one step: a page
// that refreshes itself may be gone before a second one. One that is just being read
// may not have the field yet.
func typeNumber(p *browser.Page, number string) {
	for !browser.Eval[bool](p, `(() => {
		const field = document.getElementById("number"), button = document.querySelector('[data-testid="action-confirm"] button');
		if (!field || !button) return false;
		field.value = `+quoted(number)+`;
		button.click();
		return true;
	})()`) {
		p.WaitVisible("panel-number")
	}
}

// pressShown presses the button of a form that stands on several screens of the
// display, on the one that is visible.
func pressShown(p *browser.Page, testID string) {
	browser.Eval[bool](p, `(document.querySelector('section:not([hidden]) [data-testid="`+testID+`"] button').click(), true)`)
}

// scanned is the code on the display's screenshot, once there is one.
func scanned(t *testing.T, p *browser.Page) string {
	t.Helper()
	browser.Eval[bool](p, `new Promise((seen) => { const i = setInterval(() => {
		if (document.querySelector("#qr path").getAttribute("d")) { clearInterval(i); seen(true) } }, 20) })`)
	return browser.DecodeQR(t, p.Screenshot())
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// TestReloadAndSecondTab finds the same step after a reload, in a second tab, and
// after a release.
func TestReloadAndSecondTab(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w := newWorld(t, func(s *setting) { s.twoHosts = true })
	h := w.create()
	desk, phone := b.Desktop(t), b.Phone(t)
	desk.Navigate(h.DisplayURL)
	phone.Navigate(browser.DecodeQR(t, desk.Screenshot()))
	phone.Follow("continue")
	desk.WaitVisible("panel-connected")
	desk.Reload()
	desk.WaitVisible("panel-connected")
	second := desk.Tab()
	second.Navigate(h.DisplayURL)
	second.WaitVisible("panel-connected")
	pressShown(second, "action-release")
	second.WaitVisible("panel-waiting")
	desk.WaitVisible("panel-waiting")
	phone.WaitVisible("notice-other_phone")
	other := b.Phone(t, browser.Android)
	other.Navigate(scanned(t, second)) // the tab in front: one that is hidden rests
	other.Follow("continue")
	other.WaitVisible("open")
	if got := other.Attribute("open", "href"); !strings.HasPrefix(got, "intent://") || !strings.Contains(got, "package=com.acme.app") {
		t.Errorf("the app link on Android = %q, want intent: with the package", got)
	}
}

// TestWithoutScript plays the story with JavaScript off on both sides: plain
// forms, and pages that refresh themselves.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w := newWorld(t, func(s *setting) { s.twoHosts, s.confirmation = true, handoff.ConfirmAlways })
	h := w.create()
	desk, phone := b.Desktop(t, browser.NoScript), b.Phone(t, browser.NoScript)
	desk.Navigate(h.DisplayURL)
	phone.Navigate(browser.DecodeQR(t, desk.Screenshot()))
	phone.Follow("continue")
	number := shownDigits(phone)
	desk.WaitVisible("panel-number") // by refresh
	typeNumber(desk, number)
	desk.WaitVisible("panel-connected")
	phone.WaitVisible("open") // by refresh
	w.pickUp(phone.Attribute("open", "href"))
	desk.WaitVisible("panel-delivered")
}
