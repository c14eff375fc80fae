package templates_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/chromedp/chromedp"

	"github.com/handoff-portal/handoff/templates"
)

func TestDisplayFollows(t *testing.T) {
	b := newTab(t)
	s := newStage(t, templates.DisplayPage(newWorld(t, "en").display(templates.ScreenWaiting)))
	b.run(chromedp.Navigate(s.URL + "/h/key"))
	if got, want := b.text(visible), "panel-waiting"; got != want {
		t.Fatalf("at first the panel is %q, want %q", got, want)
	}

	s.set(func() { s.frame = "M1 1h2v2h-2z" })
	s.say(state(8, templates.ScreenOpened, `"say":"Open on a phone","opened":"Open on a phone"`, `,"frame":4`))
	b.await(`document.querySelector("[data-testid=slot-opened]").offsetHeight`)
	b.await(`document.querySelector("#qr path").getAttribute("d") === "M1 1h2v2h-2z"`)
	if got, want := b.text(`document.getElementById("qr").getAttribute("viewBox")`), "0 0 9 9"; got != want {
		t.Errorf("viewBox of the renewed code = %q, want %q", got, want)
	}

	s.say(state(9, templates.ScreenNumber, `"say":"Type it","from":"On an iPhone"`, ""))
	b.await(visible + ` === "panel-number"`)
	for script, want := range map[string]string{
		`document.getElementById("live").textContent`:               "Type it",
		`document.getElementById("number-from").textContent`:        "On an iPhone",
		`document.activeElement.id`:                                 "number",
		`document.title`:                                            "Type the number your phone shows – Acme Bank",
		`document.querySelector("[aria-current=step]").textContent`: "Connected",
	} {
		if got := b.text(script); got != want {
			t.Errorf("%s = %q, want %q", script, got, want)
		}
	}

	// An older state changes nothing.
	b.text(`(went = 0, new MutationObserver(() => went++).observe(document.querySelector("[data-testid=panel-waiting]"), {attributes: true}))`)
	s.say(state(3, templates.ScreenWaiting, "", ""))
	b.until(s.streamed)
	s.say(state(10, templates.ScreenNumber, `"say":"Wrong","wrong":"Wrong. <b>One</b> try left."`, ""))
	b.await(`document.getElementById("number-wrong").textContent === "Wrong. <b>One</b> try left."`)
	if got := b.text(`went`); got != "0" {
		t.Errorf("an older state changed the panel")
	}

	// A form is sent without leaving the page.
	b.run(chromedp.SendKeys(chromedp.CSS("#number"), "4831"), chromedp.Click(chromedp.CSS("[data-testid=action-confirm] button")))
	b.await(`document.getElementById("number").value === ""`)
	if got, want := s.posted(), "confirm?number=4831"; got != want {
		t.Errorf("posted %q, want %q", got, want)
	}
	if n := s.loaded(); n != 1 {
		t.Errorf("the page was loaded %d times, want once", n)
	}

	// One that fails says so.
	s.set(func() { s.status = http.StatusTooManyRequests })
	b.run(chromedp.Click(chromedp.CSS("[data-testid=action-cancel] button")))
	b.await(`document.getElementById("trouble").offsetHeight`)

	// A good end moves on by itself, where the state says.
	s.say(state(11, templates.ScreenCompleted, `"say":"All done"`, fmt.Sprintf(`,"end":true,"returnUrl":%q`, s.URL+"/done?status=completed")))
	b.await(visible + ` === "panel-completed"`)
	if got := b.text(`document.getElementById("rest").offsetHeight`); got != "0" {
		t.Errorf("after the end the countdown's height is %s, want 0", got)
	}
	b.await(`location.pathname === "/done"`)
}

// TestDisplayAsksAgainForItsCode: one that does not turn is asked for again too, where
// it could not be had.
func TestDisplayAsksAgainForItsCode(t *testing.T) {
	b := newTab(t)
	s := newStage(t, templates.DisplayPage(newWorld(t, "en").display(templates.ScreenWaiting)))
	b.run(chromedp.Navigate(s.URL + "/h/key"))
	b.text(`(real = setTimeout, window.setTimeout = (f, ms, ...more) => real(f, ms / 100, ...more))`)
	s.say(state(8, templates.ScreenWaiting, "", `,"frame":4`))
	b.until(func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.asked > 1 })
	s.set(func() { s.frame = "M1 1h2v2h-2z" })
	b.await(`document.querySelector("#qr path").getAttribute("d") === "M1 1h2v2h-2z"`)
}

// TestDisplayWithoutStream polls, says when there is nothing to be had, and stays
// on the page after an end that is to be read.
func TestDisplayWithoutStream(t *testing.T) {
	b := newTab(t)
	s := newStage(t, templates.DisplayPage(newWorld(t, "en").display(templates.ScreenConnected)))
	s.set(func() { s.mute = true })
	b.run(chromedp.Navigate(s.URL + "/h/key"))
	b.await(`document.getElementById("offline").offsetHeight`)
	s.set(func() { s.mute = false })
	s.say(state(8, templates.ScreenDelivered, `"say":"In the app"`, ""))
	b.await(visible + ` === "panel-delivered"`)
	if got := b.text(`document.getElementById("offline").offsetHeight`); got != "0" {
		t.Errorf("back again, the offline notice has height %s, want 0", got)
	}
	s.say(state(9, templates.ScreenExpired, `"say":"Over","expired":"Over."`, `,"end":true,"returnUrl":"javascript:alert(1)"`))
	b.await(visible + ` === "panel-expired"`)
	if got := b.text(`document.querySelectorAll("a[href^=javascript]").length`); got != "0" {
		t.Errorf("%s links run script, want none", got)
	}
}

// TestDisplayMoreTime offers more time near the end, and takes it back.
func TestDisplayMoreTime(t *testing.T) {
	b := newTab(t)
	d := newWorld(t, "en").display(templates.ScreenWaiting)
	d.Left = 90 * 1e9
	s := newStage(t, templates.DisplayPage(d))
	b.run(chromedp.Navigate(s.URL + "/h/key"))
	s.say(state(7, templates.ScreenWaiting, "", `,"extend":true`))
	b.until(s.streamed)
	b.await(`document.getElementById("more").offsetHeight`)
	b.run(chromedp.Click(chromedp.CSS("[data-testid=action-extend] button")))
	later := d.ExpiresAt.Add(600 * 1e9).Format("2006-01-02T15:04:05Z07:00")
	s.say(state(8, templates.ScreenWaiting, "", fmt.Sprintf(`,"expiresAt":%q`, later)))
	b.await(`!document.getElementById("more").offsetHeight`)
	if got, want := b.text(`document.getElementById("left").textContent`), "12 minutes left"; got != want {
		t.Errorf("after the extension %q, want %q", got, want)
	}
}

// TestDisplayInAFrame tells the parent, and it alone, and never navigates.
func TestDisplayInAFrame(t *testing.T) {
	b := newTab(t)
	var frameURL string
	parent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<script>window.got=[];addEventListener("message",e=>got.push(e.data))</script><iframe src=%q height=900 width=900></iframe>`, frameURL)
	}))
	t.Cleanup(parent.Close)
	origin := strings.Replace(parent.URL, "127.0.0.1", "localhost", 1)
	for _, test := range []struct {
		name, origin, want string
	}{
		{"the right parent", origin, "ready resize state end"},
		{"another parent", "https://shop.example", ""},
	} {
		d := newWorld(t, "en").display(templates.ScreenWaiting)
		d.Framed, d.ParentOrigin = true, test.origin
		s := newStage(t, templates.DisplayPage(d))
		frameURL = s.URL + "/h/key"
		b.run(chromedp.Navigate(origin))
		s.say(state(8, templates.ScreenCompleted, `"say":"All done"`, `,"end":true,"returnUrl":"https://shop.example/done"`))
		if test.want == "" {
			b.until(s.streamed)
		} else {
			b.await(`got.some(m => m.type === "end")`)
		}
		if got := b.text(`[...new Set(got.map(m => m.type))].sort((a, b) => "ready resize state end".indexOf(a) - "ready resize state end".indexOf(b)).join(" ")`); got != test.want {
			t.Errorf("%s got %q, want %q", test.name, got, test.want)
		}
		if test.want == "" {
			continue
		}
		end := `JSON.stringify(got.find(m => m.type === "end"))`
		want := `{"source":"handoff","v":1,"type":"end","id":"ho_AbCdEfGhIjKlMnOpQrStUv","seq":8,"status":"s8","returnUrl":"https://shop.example/done"}`
		if got := b.text(end); got != want {
			t.Errorf("%s: end = %s, want %s", test.name, got, want)
		}
		if got := b.text(`got.find(m => m.type === "resize").height > 300`); got != "true" {
			t.Errorf("%s: no height worth the name", test.name)
		}
	}
}

func TestPhoneReloadsWhenItMovedOn(t *testing.T) {
	b := newTab(t)
	s := newStage(t, templates.NumberPage(templates.Number{
		Page: newWorld(t, "en").page, Live: templates.Live{Base: "/h/key", Seq: 7, Screen: "number"}, Digits: "4831",
	}))
	b.run(chromedp.Navigate(s.URL + "/h/key"))
	s.say(state(8, "number", "", ""))
	s.set(func() {
		s.page = templates.NumberPage(templates.Number{
			Page: newWorld(t, "en").page, Live: templates.Live{Base: "/h/key", Seq: 9, Screen: "ready"}, Digits: "1",
		})
	})
	b.until(s.streamed)
	if n := s.loaded(); n != 1 {
		t.Errorf("the same screen: loaded %d times, want once", n)
	}
	s.say(state(9, "ready", "", ""))
	b.await(`document.querySelector("[data-testid=digits]").textContent.includes("1") && document.getElementById("handoff").dataset.seq === "9"`)
}

// TestPhoneThatDidNotLeave: what a page does not hear while its link is being followed,
// it asks for after that.
func TestPhoneThatDidNotLeave(t *testing.T) {
	b := newTab(t)
	ready := func(seq int, screen string) templ.Component {
		return templates.ReadyPage(templates.Ready{
			Page: newWorld(t, "en").page, Live: templates.Live{Base: "/h/key", Seq: seq, Screen: screen}, OpenURL: "#nowhere", Way: templates.OpenTap,
		})
	}
	s := newStage(t, ready(7, "ready"))
	s.say(state(7, "ready", "", ""))
	b.run(chromedp.Navigate(s.URL + "/h/key"))
	b.until(s.streamed)
	b.text(`(held = [], real = setTimeout, window.setTimeout = (f, ms, ...more) => ms === 20000 ? held.push(f) : real(f, ms, ...more))`)
	b.text(`document.getElementById("open").click()`)
	s.set(func() { s.page = ready(8, "delivered") })
	s.say(state(8, "delivered", "", ""))
	b.until(s.streamed)
	if got := b.text(`document.getElementById("handoff").dataset.seq`); got != "7" {
		t.Errorf("a page that is being left was loaded anew: seq %s", got)
	}
	b.text(`held.forEach((f) => f())`)
	b.await(`document.getElementById("handoff").dataset.seq === "8"`)
}

func TestPhoneHelpOpensWhenTheAppDoesNot(t *testing.T) {
	b := newTab(t)
	page := newWorld(t, "en").page
	s := newStage(t, templates.ReadyPage(templates.Ready{Page: page, OpenURL: "#nowhere", Way: templates.OpenTap}))
	b.run(chromedp.Navigate(s.URL + "/h/key"))
	if got := b.text(`document.getElementById("help").open`); got != "false" {
		t.Errorf("help open at first = %s, want false", got)
	}
	b.run(chromedp.Click(chromedp.CSS("#open")))
	b.await(`document.getElementById("help").open`)
}
