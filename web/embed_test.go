package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/static"
)

// framingOf is a world with a shop that embeds its displays, and a page of it.
func framingOf(t *testing.T, change ...func(*setting)) (*world, *embedder) {
	t.Helper()
	shop := newEmbedder(t)
	return newWorld(t, append(change, func(s *setting) { s.shop = shop.origin })...), shop
}

// framed makes a handoff for the shop's frame.
func (w *world) framed(shop *embedder) *story {
	w.t.Helper()
	return w.begin(map[string]any{"parentOrigin": shop.origin, "returnUrl": shop.origin + "/done"})
}

// script is the tag for the embedding script.
func (w *world) script() string { return `<script src="` + w.public + `/embed/v1.js" async></script>` }

// heardOf is a condition: the page heard this of the handoff, at the element.
func heardOf(s *story, kind, status, on string) string {
	return fmt.Sprintf(`heard.some((e) => e.id === %q && e.type === %q && e.status === %q && e.on === %q)`, s.made.ID, kind, status, on)
}

// TestEmbedSeveral: three displays in a page of another site, each with its own
// events; taken out, put in again, given another handoff, and mounted by hand.
func TestEmbedSeveral(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w, shop := framingOf(t)
	var stories []*story
	var body strings.Builder
	for i := range 3 {
		s := w.framed(shop)
		stories = append(stories, s)
		fmt.Fprintf(&body, `<handoff-frame id="f%d" src=%q title="Handy %d"></handoff-frame>`, i, s.made.DisplayURL, i)
	}
	page := b.Desktop(t)
	page.Navigate(shop.host(hosted{body: w.script() + body.String()}))
	for i, s := range stories {
		waitFor(page, heardOf(s, "ready", "displayed", fmt.Sprintf("f%d", i)))
	}
	// One moves on; the others hear nothing of it.
	stories[1].scan()
	stories[1].tap()
	waitFor(page, heardOf(stories[1], "state", "connected", "f1"))
	if got := browser.Eval[string](page, `heard.filter((e) => e.type !== "ready" && e.on !== "f1").map((e) => e.on + " " + e.status).join()`); got != "" {
		t.Errorf("the others heard %q, want nothing", got)
	}
	if got := browser.Eval[string](page, `[...document.querySelectorAll("handoff-frame")].map((e) => inside(e).title + " " + inside(e).getAttribute("allow")).join()`); got != "Handy 0 null,Handy 1 null,Handy 2 null" {
		t.Errorf("the frames are called and may %q, want their titles and nothing", got)
	}

	// Taken out: nothing of it is left. Put in again, it is where it was.
	const all = `JSON.stringify([document.querySelectorAll("handoff-frame").length, listeners, waiting.size])`
	before := browser.Eval[string](page, `(pass(), `+all+`)`) // of the three, nobody waits any more
	browser.Eval[bool](page, `(taken = f1, f1.remove(), true)`)
	if got := browser.Eval[string](page, `(n = JSON.parse(`+all+`), JSON.stringify([n[0] + 1, n[1] + 1, n[2]]))`); got != before {
		t.Errorf("elements, listeners and timers with one more are %s, before it was taken out %s", got, before)
	}
	if n := browser.Eval[int](page, `taken.shadowRoot.querySelectorAll("iframe").length`); n != 0 {
		t.Errorf("an element that was taken out has %d frames, want none", n)
	}
	browser.Eval[bool](page, `(heard.length = 0, document.body.prepend(taken), true)`)
	waitFor(page, heardOf(stories[1], "ready", "connected", "f1"))

	// Another handoff in the same element: only that one is heard from now on.
	other := w.framed(shop)
	browser.Eval[bool](page, `(heard.length = 0, f0.src = `+quoted(other.made.DisplayURL)+`, f0.title = "Anders", true)`)
	waitFor(page, heardOf(other, "ready", "displayed", "f0"))
	w.call(http.MethodPost, "/v1/handoffs/"+stories[0].made.ID+"/cancel", nil)
	w.call(http.MethodPost, "/v1/handoffs/"+other.made.ID+"/cancel", nil)
	waitFor(page, heardOf(other, "end", "cancelled", "f0"))
	if got := browser.Eval[string](page, `inside(f0).title + " " + heard.filter((e) => e.id === `+quoted(stories[0].made.ID)+`).length`); got != "Anders 0" {
		t.Errorf("the frame is called, and events of the handoff before are %q, want Anders and none", got)
	}
	page.WantNoProblems()
	for _, f := range []string{stories[1].made.DisplayURL, stories[2].made.DisplayURL, other.made.DisplayURL} {
		page.Frame(f).WantNoProblems()
	}
}

// TestEmbedMount: the same by hand, before and after.
func TestEmbedMount(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w, shop := framingOf(t)
	s := w.framed(shop)
	page := b.Desktop(t)
	page.Navigate(shop.host(hosted{body: w.script() + `<div id="here"><p>Above</p></div>`}))
	waitFor(page, `"Handoff" in window`)
	browser.Eval[bool](page, `(none = listeners, told = [], mounted = Handoff.mount(here, {url: new URL(`+quoted(s.made.DisplayURL)+`), title: "Weiter", onEvent: (m) => told.push(m)}), true)`)
	waitFor(page, `told.some((m) => m.type === "ready")`)
	w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/cancel", nil)
	waitFor(page, `told.some((m) => m.type === "end")`)
	want := fmt.Sprintf(`{"type":"end","id":%q,"seq":%d,"status":"cancelled","returnUrl":"%s/done?handoff=%s&status=cancelled"}`, s.made.ID, s.stored().Seq, shop.origin, s.made.ID)
	if got := browser.Eval[string](page, `JSON.stringify(told.find((m) => m.type === "end"))`); got != want {
		t.Errorf("onEvent got %s, want %s", got, want)
	}
	if got := browser.Eval[string](page, `here.children.length + " " + inside(here.lastChild).title + " " + Object.isFrozen(Handoff)`); got != "2 Weiter true" {
		t.Errorf("mounted: %q, want it after what was there, with its title", got)
	}
	if got := browser.Eval[string](page, `(mounted.destroy(), mounted.destroy(), here.innerHTML + " " + (listeners - none))`); got != "<p>Above</p> 0" {
		t.Errorf("destroyed: %q, want what was there, and no listener", got)
	}
	again := w.framed(shop)
	browser.Eval[bool](page, `(told.length = 0, Handoff.mount(here, {url: `+quoted(again.made.DisplayURL)+`, onEvent: (m) => told.push(m)}), true)`)
	waitFor(page, `told.some((m) => m.id === `+quoted(again.made.ID)+`)`)
	for _, url := range []string{`"javascript:alert(1)"`, `"/h/key"`, `""`, `undefined`, `"data:text/html,x"`, `"http://"`} {
		script := `(() => { try { Handoff.mount(here, {url: ` + url + `}); return "mounted" } catch (e) { return e.name + " " + here.children.length } })()`
		if got := browser.Eval[string](page, script); got != "TypeError 2" {
			t.Errorf("mounting %s: %s, want a TypeError and nothing new", url, got)
		}
	}
	// The script twice, and a source given to an element before it is one.
	third := w.framed(shop)
	browser.Eval[bool](page, `new Promise((yes) => { const s = document.createElement("script"); s.src = `+quoted(w.public+"/embed/v1.js?again")+`; s.onload = () => yes(true); document.body.append(s) })`)
	page.Navigate(shop.host(hosted{body: `<handoff-frame id="early"></handoff-frame>`}))
	browser.Eval[bool](page, `new Promise((yes) => { early.src = `+quoted(third.made.DisplayURL)+`;
		const s = document.createElement("script"); s.src = `+quoted(w.public+"/embed/v1.js")+`; s.onload = () => yes(true); document.body.append(s) })`)
	waitFor(page, heardOf(third, "ready", "displayed", "early"))
	page.WantNoProblems()
}

// TestEmbedPolicies: a page with the strictest policy there is frames the display,
// and one that embeds only what is willing.
func TestEmbedPolicies(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w, shop := framingOf(t)
	hashed, integrity := embedScript(t)
	pinned := `<script src="` + w.public + hashed + `" integrity="` + integrity + `" crossorigin async></script>`
	const rest = "default-src 'none'; style-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'; "
	for _, test := range []struct {
		name, script string
		hosted
	}{
		{"by path", w.script(), hosted{policy: rest + "script-src 'self' " + w.public + "/embed/; frame-src " + w.public}},
		{"by address, pinned", pinned, hosted{policy: rest + "script-src 'self' " + w.public + hashed + "; frame-src " + w.public + "/h/"}},
		{"by hash", pinned, hosted{policy: rest + "script-src 'self' '" + integrity + "'; frame-src " + w.public}},
		{"by nonce", strings.Replace(w.script(), "<script", `<script nonce="n0nce"`, 1), hosted{policy: rest + "script-src 'self' 'nonce-n0nce'; frame-src " + w.public}},
		{"willing", w.script(), hosted{isolated: true}},
		{"willing, pinned, by path", pinned, hosted{isolated: true, policy: rest + "script-src 'self' " + w.public + "/embed/; frame-src " + w.public}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := w.with(t).framed(shop)
			test.body = test.script + `<handoff-frame id="f" src="` + s.made.DisplayURL + `"></handoff-frame>`
			page := b.Desktop(t)
			page.Navigate(shop.host(test.hosted))
			waitFor(page, heardOf(s, "ready", "displayed", "f"))
			if got := browser.Eval[bool](page, "crossOriginIsolated"); got != test.isolated {
				t.Errorf("isolated = %t, want %t", got, test.isolated)
			}
			frame := page.Frame(s.made.DisplayURL)
			frame.WaitVisible("panel-waiting")
			waitFor(frame, fits)
			s.scan()
			s.tap()
			frame.WaitVisible("panel-connected")
			waitFor(page, heardOf(s, "state", "connected", "f"))
			waitFor(frame, fits)
			if got := browser.Eval[string](page, `getComputedStyle(f).display + " " + f.getAttribute("style") + " " + (inside(f).clientWidth === f.clientWidth)`); got != "block null true" {
				t.Errorf("the element is %q, want a block without a style of its own, filled", got)
			}
			page.WantNoProblems()
			frame.WantNoProblems()
		})
	}
}

// fits is a condition in a frame: it is exactly as tall as what is in it, and no
// wider.
const fits = `(() => { const d = document.documentElement;
	return innerHeight === Math.ceil(document.body.getBoundingClientRect().height) && d.scrollHeight <= innerHeight && d.scrollWidth <= d.clientWidth })()`

// TestEmbedInstead: where the display cannot be framed, there is a way to it, or
// what the page has for that; and the display, if it comes late after all.
func TestEmbedInstead(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w, shop := framingOf(t)
	hostile := newEmbedder(t)
	gone := newEmbedder(t) // stands for a portal that does not answer
	s := w.framed(shop)
	alone := w.begin()
	frame := func(src string) string {
		return `<handoff-frame id="f" src="` + src + `" title="Weiter am Handy"></handoff-frame>`
	}
	const link = `(() => { const a = f.shadowRoot.querySelector("a"); return a.checkVisibility() + " " + a.target + " " + a.textContent + " " + a.href + " " + inside(f).checkVisibility() })()`
	for _, test := range []struct {
		name string
		at   *embedder
		src  string
		hosted
	}{
		{"another origin than the parent's", hostile, s.made.DisplayURL, hosted{}},
		{"a handoff without a parent", shop, alone.made.DisplayURL, hosted{}},
		{"no such handoff", shop, w.public + "/h/nothing", hosted{}},
		{"another page", shop, gone.origin + "/done", hosted{}},
		{"no such host", shop, "https://portal.invalid/h/key", hosted{}},
		{"forbidden by the page's policy", shop, s.made.DisplayURL, hosted{policy: "frame-src 'none'"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := b.Desktop(t)
			test.body = w.script() + frame(test.src)
			page.Navigate(test.at.host(test.hosted))
			waitFor(page, `waiting.size > 0 && pass() > 0 && f.shadowRoot.querySelector("a")`)
			if got, want := browser.Eval[string](page, link), "true _top Weiter am Handy "+test.src+" false"; got != want {
				t.Errorf("in its place there is %q, want %q", got, want)
			}
			if n := browser.Eval[int](page, "heard.length + got.length"); n != 0 {
				t.Errorf("the page got %d messages and events, want none", n)
			}
		})
	}
	t.Run("with something in it", func(t *testing.T) {
		page := b.Desktop(t)
		page.Navigate(hostile.host(hosted{body: w.script() + strings.Replace(frame(s.made.DisplayURL), "></", `><a id="own" href="/else">Own way</a></`, 1)}))
		waitFor(page, `inside(f)`)
		if browser.Eval[bool](page, `own.checkVisibility()`) {
			t.Error("what is within the element is shown beside the frame")
		}
		waitFor(page, `pass() > 0 && own.checkVisibility()`)
		if got := browser.Eval[int](page, `f.shadowRoot.querySelectorAll("a").length`); got != 0 {
			t.Errorf("there are %d links of ours beside what is within the element, want none", got)
		}
	})
	t.Run("without scripts", func(t *testing.T) {
		page := b.Desktop(t, browser.NoScript)
		page.Navigate(shop.host(hosted{body: w.script() + strings.Replace(frame(s.made.DisplayURL), "></", `><a data-testid="own" href="/else">Own way</a></`, 1)}))
		page.WaitVisible("own")
	})
	t.Run("late", func(t *testing.T) {
		page := b.Desktop(t)
		page.Navigate(shop.host(hosted{body: w.script() + `<handoff-frame id="f" title="Weiter"></handoff-frame>`}))
		waitFor(page, `f.shadowRoot`)
		browser.Eval[bool](page, `(f.src = `+quoted(s.made.DisplayURL)+`, pass(), true)`) // before anything has come
		if got := browser.Eval[bool](page, `f.shadowRoot.querySelector("a").checkVisibility()`); !got {
			t.Error("nothing has come, and there is no link")
		}
		waitFor(page, heardOf(s, "ready", "displayed", "f"))
		if got := browser.Eval[string](page, `inside(f).checkVisibility() + " " + f.shadowRoot.children.length`); got != "true 1" {
			t.Errorf("when it came, it is %q, want it visible and alone", got)
		}
		// And when the display goes: a way to what there is to say.
		waitFor(page, `(pass(), waiting.size === 0)`)
		browser.Eval[bool](page, `(inside(f).src = "`+w.public+`/h/nothing", true)`)
		waitFor(page, `pass() > 0 && f.shadowRoot.querySelector("a")`)
	})
	t.Run("no address", func(t *testing.T) {
		page := b.Desktop(t)
		page.Navigate(shop.host(hosted{body: w.script() + strings.Replace(frame("javascript:alert(1)"), "></", `><a id="own" href="/else">Own way</a></`, 1)}))
		waitFor(page, `f.shadowRoot && own.checkVisibility()`)
		browser.Eval[bool](page, `(f.src = `+quoted(s.made.DisplayURL)+`, true)`)
		waitFor(page, heardOf(s, "ready", "displayed", "f"))
		browser.Eval[bool](page, `(f.removeAttribute("src"), true)`)
		if got := browser.Eval[bool](page, `own.checkVisibility() && !inside(f)`); !got {
			t.Error("without a source it shows no more what is within it")
		}
	})
}

// TestEmbedOnPhone: on a phone the frame begins with going on there.
func TestEmbedOnPhone(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w, shop := framingOf(t, func(s *setting) { s.confirmation = handoff.ConfirmAlways })
	s := w.framed(shop)
	phone := b.Phone(t)
	phone.Navigate(shop.host(hosted{body: w.script() + `<handoff-frame id="f" src="` + s.made.DisplayURL + `"></handoff-frame>`}))
	waitFor(phone, heardOf(s, "ready", "displayed", "f"))
	frame := phone.Frame(s.made.DisplayURL)
	frame.WaitVisible("action-continue")
	waitFor(frame, fits)
	if got := browser.Eval[string](frame, `[document.querySelector("#qr").checkVisibility(), document.querySelector("a[data-deep-link], [data-testid=action-continue] button").textContent,
		document.querySelector("[data-testid=action-continue]").target].join()`); got != "false,Continue on this device,_blank" {
		t.Errorf("the code shows, and the first way on is %q, want it covered, and this device", got)
	}
	if n := phone.Overflow(); n > 0 {
		t.Errorf("the page is %d px too wide", n)
	}
	phone.WantNoProblems()
	frame.WantNoProblems()
}

// embedScript is where the script is for ever, and its integrity.
func embedScript(t *testing.T) (path, integrity string) {
	t.Helper()
	e, err := static.LoadEmbed("/embed/")
	if err != nil {
		t.Fatal(err)
	}
	return e.Script()
}

// TestEmbedColours: the frame is light or dark as the page around it is, whatever its
// reader prefers.
func TestEmbedColours(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w, shop := framingOf(t)
	for scheme, dark := range map[string]bool{"light": false, "light dark": true, "dark": true, "normal": false} {
		s := w.framed(shop)
		page := b.Desktop(t, browser.Dark)
		page.Navigate(shop.host(hosted{body: w.script() + `<style>:root { color-scheme: ` + scheme + ` }</style><handoff-frame id="f" src="` + s.made.DisplayURL + `"></handoff-frame>`}))
		waitFor(page, heardOf(s, "ready", "displayed", "f"))
		if got := browser.Eval[bool](page.Frame(s.made.DisplayURL), `matchMedia("(prefers-color-scheme: dark)").matches`); got != dark {
			t.Errorf("in a page that is %s the frame is dark: %t, want %t", scheme, got, dark)
		}
	}
}
