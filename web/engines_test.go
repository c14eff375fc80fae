package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
)

// engines are the browsers beside Chromium.
var engines = map[string]func(browser.Reporter, bool) *browser.Engine{"Firefox": browser.Firefox, "WebKit": browser.WebKit}

// TestEnginesHostileFrame is TestThreatHostileFrame in the other engines.
func TestEnginesHostileFrame(t *testing.T) {
	browser.Long(t, "the hostile frame in Firefox and WebKit")
	for name, start := range engines {
		t.Run(name, func(t *testing.T) {
			e := start(t, false)
			shop, hostile := newEmbedder(t), newEmbedder(t)
			seen := &witness{}
			w := newWorld(t, func(s *setting) { s.shop = shop.origin }, seen.put)
			framed := w.create(map[string]any{"parentOrigin": shop.origin})
			alone := w.create()
			const open = "allow-scripts allow-forms allow-popups"
			for _, test := range []struct {
				name, page string
				blocked    bool
			}{
				{"its parent", framing(shop.origin, framed.DisplayURL), false},
				{"another site", framing(hostile.origin, framed.DisplayURL), true},
				{"another origin of the portal's own site", framing(hostile.near(), framed.DisplayURL), true},
				{"its parent within another site", framing(hostile.origin, framing(shop.origin, framed.DisplayURL)), true},
				{"its parent, sandboxed without its origin", framing(shop.origin, framed.DisplayURL, open), true},
				{"another site, sandboxed", framing(hostile.origin, framed.DisplayURL, open), true},
				{"a handoff without a parent", framing(shop.origin, alone.DisplayURL), true},
			} {
				before := len(seen.all(followed))
				e.Navigate(test.page)
				if !test.blocked {
					e.Wait(`got.some((m) => m.type === "state" || m.type === "ready") && loads > 0`)
				} else {
					e.Wait(`loads > 0 || document.readyState === "complete"`)
				}
				got := e.Text("got.length")
				e.Frame(0)
				if !test.blocked {
					e.WaitVisible("panel-waiting")
					e.Wait(still)
				}
				e.Top()
				code, _ := browser.FindQR(t, e.Window())
				e.Frame(0)
				text := e.TryText(engineText)
				if strings.Contains(test.page, "frame%3Fsrc") { // one more within
					e.Frame(0)
					text += e.TryText(engineText)
				}
				e.Top()
				follows := len(seen.all(followed)) - before
				parts := []bool{code != "", got != "0", follows > 0, strings.Contains(text, "Acme")}
				if slices.Contains(parts, test.blocked) {
					t.Errorf("%s: the code %q, %s messages, %d requests for the state, the text %q: want blocked = %t", test.name, code, got, follows, text, test.blocked)
				}
			}
		})
	}
}

// engineText is shownText for engines that cannot tell what is visible.
const engineText = `document.body && document.body.getClientRects().length ? document.body.innerText : ""`

// still is true once nothing fades in any more.
const still = `document.getAnimations().length === 0`

// TestEnginesCookiesBlocked plays the embedded story to its end in the other
// engines, which keep no cookie, with a phone beside them, in a page with a strict
// policy; and shows a stranger's page a link alone.
func TestEnginesCookiesBlocked(t *testing.T) {
	browser.Long(t, "the embedded display in Firefox and WebKit")
	for name, start := range engines {
		t.Run(name, func(t *testing.T) {
			e := start(t, true)
			shop, hostile := newEmbedder(t), newEmbedder(t)
			seen := &witness{}
			w := newWorld(t, func(s *setting) { s.twoHosts, s.shop, s.confirmation = true, shop.origin, handoff.ConfirmAlways }, seen.put)
			s := w.begin(map[string]any{"parentOrigin": shop.origin, "returnUrl": shop.origin + "/done"})
			page := hosted{
				body:   w.script() + `<handoff-frame id="f" src="` + s.made.DisplayURL + `"></handoff-frame>`,
				policy: "default-src 'none'; style-src 'none'; script-src 'self' " + w.public + "/embed/; frame-src " + w.public,
			}
			e.Navigate(shop.host(page))
			e.Wait(heardOf(s, "ready", "displayed", "f"))
			e.Within(theFrame)
			e.WaitVisible("panel-waiting")
			e.Wait(fits)
			kept := e.Text(`(() => { const kept = [];
				try { document.cookie = "a=b"; if (document.cookie) kept.push("cookie") } catch {}
				for (const name of ["localStorage", "sessionStorage"]) try { window[name].setItem("a", "b"); kept.push(name) } catch {}
				return kept.join() })()`)
			t.Logf("%s keeps in the frame: %q", name, kept)
			if strings.Contains(kept, "cookie") || name == "Firefox" && kept != "" {
				t.Errorf("the frame of this test keeps things in %s", kept)
			}
			e.Wait(still)
			e.Top()
			code := browser.DecodeQR(t, e.Window())
			e.Within(theFrame)
			s.landing = s.phone.get(code)
			e.WaitVisible("slot-opened")
			s.tap()
			e.WaitVisible("panel-number")
			e.Wait(fits)
			e.Text(`(document.getElementById("number").value = ` + quoted(s.digits()) + `, document.querySelector("[data-testid=action-confirm] button").click())`)
			e.WaitVisible("panel-connected")
			s.own = s.phone.get(s.own.url.String())
			s.own.wantPage(t, http.StatusOK, "ready")
			s.toApp()
			e.WaitVisible("panel-delivered")
			if err := w.sim.SetJourney(s.made.InstanceID, finished); err != nil {
				t.Fatal(err)
			}
			s.report("finished")
			e.WaitVisible("panel-completed")
			e.Wait(fits)
			e.Top()
			e.Wait(heardOf(s, "end", "completed", "f"))
			if got, want := e.Text(`heard.find((m) => m.type === "end").returnUrl`), shop.origin+"/done?"; !strings.HasPrefix(got, want) {
				t.Errorf("the end says to go on to %s, want %s…", got, want)
			}
			if shop.visited("/done") {
				t.Error("the frame took the page to the return URL")
			}
			for _, v := range seen.all(func(v visit) bool { return strings.HasPrefix(v.path, "/h/") }) {
				if v.setCookie || v.cookie {
					t.Errorf("%s %s: Set-Cookie %t, Cookie %t, want neither", v.method, v.path, v.setCookie, v.cookie)
				}
			}
			page.policy = ""
			e.Navigate(hostile.host(page))
			e.Wait(`waiting.size > 0 && pass() > 0 && f.shadowRoot.querySelector("a") !== null`)
			if got, want := e.Text(`got.length + heard.length + " " + f.shadowRoot.querySelector("a").href`), "0 "+s.made.DisplayURL; got != want {
				t.Errorf("a stranger's page has messages, events and a link %s, want %s", got, want)
			}
		})
	}
}
