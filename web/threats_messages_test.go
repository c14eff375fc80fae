package web_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
)

// spoofs are messages that pretend, as an array in JavaScript: of our own shape, of
// the commands one might hope for, and of no shape at all.
const spoofs = `[
	{source: "handoff", v: 1, type: "ready"}, {source: "handoff", v: 1, type: "state", seq: 99, status: "completed"},
	{source: "handoff", v: 1, type: "end", seq: 99, status: "completed", returnUrl: "https://evil.example/"},
	{source: "handoff", v: 1, type: "resize", height: 5}, {type: "confirm", number: "0000"}, {type: "cancel"}, {screen: "completed", end: true},
	"handoff", "end", 7, null, true, [], {}, new Map([["source", "handoff"]]), new Error("handoff")]`

// settled waits until a page has taken all messages sent to it before.
const settled = `new Promise((yes) => { const c = new MessageChannel(); c.port1.onmessage = () => setTimeout(() => yes(true), 0); setTimeout(() => c.port2.postMessage(0), 0) })`

// settle waits until both sides have taken the messages of the other.
func settle(pages ...*browser.Page) {
	for range 2 {
		for _, p := range pages {
			browser.Eval[bool](p, settled)
		}
	}
}

// waitFor waits until a JavaScript expression is true in a page.
func waitFor(p *browser.Page, expression string) {
	browser.Eval[bool](p, `new Promise((yes) => { const i = setInterval(() => { if (`+expression+`) { clearInterval(i); yes(true) } }, 10) })`)
}

// addFrame puts a frame into a page and waits until it has loaded.
func addFrame(p *browser.Page, src string) {
	browser.Eval[bool](p, `new Promise((yes) => { const f = document.createElement("iframe"); f.src = `+quoted(src)+`; f.onload = () => yes(true); document.body.append(f) })`)
}

// running is the address of a page at origin that runs a script.
func running(origin, script string) string {
	return origin + "/run?" + url.Values{"script": {script}}.Encode()
}

// TestThreatSpoofedMessages sends messages that pretend to each side of a frame, and
// looks for the display's messages where they must not arrive.
func TestThreatSpoofedMessages(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	t.Run("to the display", func(t *testing.T) { spoofDisplay(t, b) })
	t.Run("to the page around it", func(t *testing.T) { spoofParent(t, b) })
	t.Run("a wrong parent", func(t *testing.T) { overhear(t, b) })
}

// spoofDisplay sends a display messages from its own parent, from a frame of another
// origin beside it, and from itself: it takes none, and asks nothing of the portal.
func spoofDisplay(t *testing.T, b *browser.Browser) {
	shop, hostile := newEmbedder(t), newEmbedder(t)
	seen := &witness{}
	w := newWorld(t, func(s *setting) { s.shop, s.frame = shop.origin, 0 }, seen.put)
	h := w.create(map[string]any{"parentOrigin": shop.origin})
	page := b.Desktop(t, browser.ReducedMotion)
	page.Navigate(framing(shop.origin, h.DisplayURL))
	frame := page.Frame(h.DisplayURL)
	frame.WaitVisible("panel-waiting")
	waitFor(frame, `performance.getEntriesByType("resource").some((e) => e.name.endsWith("/qr.svg"))`) // what it asks for by itself
	settle(frame)
	browser.Eval[bool](frame, `(changes = [], new MutationObserver((l) => changes.push(...l.filter((m) => m.target.id !== "left").map((m) => m.target.nodeName + " " + m.target.id)))
		.observe(document.documentElement, {subtree: true, childList: true, attributes: true, characterData: true}), true)`)
	all := func(visit) bool { return true }
	before := len(seen.all(all))

	browser.Eval[bool](page, `(() => { for (const m of `+spoofs+`) for (const to of ["*", "`+w.public+`"]) frames[0].postMessage(m, to); return true })()`)
	addFrame(page, running(hostile.origin, `for (const m of `+spoofs+`) parent.frames[0].postMessage(m, "*")`))
	browser.Eval[bool](frame, `(() => { heard = 0; addEventListener("message", () => heard++); for (const m of `+spoofs+`) postMessage(m, "*"); return true })()`)
	settle(page, frame)
	if got := browser.Eval[int](frame, "heard"); got < 16 {
		t.Fatalf("the frame got %d messages, want at least its own 16", got)
	}
	if got := browser.Eval[string](frame, "changes.join()"); got != "" {
		t.Errorf("messages changed the display: %s", got)
	}
	if now := seen.all(all); len(now) != before {
		t.Errorf("messages made the display ask for %+v", now[before:])
	}
	frame.WaitVisible("panel-waiting")
	frame.WantNoProblems()
}

// theFrame is the iframe within a page's first handoff-frame.
const theFrame = `document.querySelector("handoff-frame").shadowRoot.querySelector("iframe")`

// spoofParent sends messages to a page that uses our script: only those of our shape,
// from its own frame while the display is in it, become events.
func spoofParent(t *testing.T, b *browser.Browser) {
	shop, hostile := newEmbedder(t), newEmbedder(t)
	w := newWorld(t, func(s *setting) { s.shop = shop.origin })
	h, other := w.create(map[string]any{"parentOrigin": shop.origin}), w.create(map[string]any{"parentOrigin": shop.origin})
	page := b.Desktop(t)
	page.Navigate(shop.origin + "/embed?src=" + h.DisplayURL)
	waitFor(page, `heard.some((m) => m.type === "ready")`)
	frame := page.Frame(h.DisplayURL)
	frame.WaitVisible("panel-waiting")
	settle(frame, page)
	want := browser.Eval[string](page, `got.length = heard.length = 0, JSON.stringify([0, `+theFrame+`.style.height])`)
	check := func(from string) {
		t.Helper()
		if browser.Eval[int](page, `got.length`) == 0 {
			t.Fatalf("from %s the page got no message: the test is none", from)
		}
		if got := browser.Eval[string](page, `JSON.stringify([heard.length, `+theFrame+`.style.height])`); got != want {
			t.Errorf("messages from %s: events and height are %s, want %s", from, got, want)
		}
		browser.Eval[int](page, `got.length = heard.length = 0`)
	}

	browser.Eval[bool](page, `(() => { for (const m of `+spoofs+`) postMessage(m, "*"); return true })()`)
	settle(page)
	check("itself")
	addFrame(page, running(hostile.origin, `for (const m of `+spoofs+`) parent.postMessage(m, "*")`))
	settle(page)
	check("another origin")
	// The right origin, but not the element's own frame.
	addFrame(page, other.DisplayURL)
	waitFor(page, `got.some((m) => m.id === "`+other.ID+`" && m.type === "ready")`)
	settle(page)
	check("another handoff's display")
	// The right frame and origin, but not our shape.
	browser.Eval[bool](frame, `(() => { for (const m of `+spoofs+`.slice(4)) parent.postMessage(m, "*");
		for (const m of [{v: 1, type: "end"}, {source: "handoff", type: "end"}, {source: "handoff", v: "1", type: "end"}, {source: "handoff", v: 2, type: "end"},
			{source: "handoff", v: 1}, {source: "handoff", v: 1, type: "click"}, {source: "handoff", v: 1, type: ["end"]},
			{source: "handoff", v: 1, type: "resize"}, {source: "handoff", v: 1, type: "resize", height: -5}, {source: "handoff", v: 1, type: "resize", height: 1e6},
			{source: "handoff", v: 1, type: "resize", height: "5px; position: fixed"}, {source: "handoff", v: 1, type: "resize", height: NaN}]) parent.postMessage(m, "*");
		return true })()`)
	settle(frame, page)
	check("its frame in another shape")
	// The right frame, but another origin has come into it.
	browser.Eval[bool](page, `new Promise((yes) => { const f = `+theFrame+`; f.onload = () => yes(true);
		f.src = `+quoted(running(hostile.origin, `for (const m of `+spoofs+`) parent.postMessage(m, "*")`))+` })`)
	settle(page)
	check("its frame at another origin")
	page.WantNoProblems()
}

// overhear frames the display in another page than its parent, in a browser that
// knows no policy at all, and so would show it: no message reaches that page.
func overhear(t *testing.T, b *browser.Browser) {
	shop, hostile := newEmbedder(t), newEmbedder(t)
	seen := &witness{anywhere: true}
	w := newWorld(t, func(s *setting) { s.shop = shop.origin }, seen.put)
	for _, test := range []struct {
		name, origin string
		hears        bool
	}{{"the parent", shop.origin, true}, {"a stranger", hostile.origin, false}} {
		s := w.begin(map[string]any{"parentOrigin": shop.origin, "returnUrl": shop.origin + "/done"})
		page := b.Desktop(t)
		page.Navigate(framing(test.origin, s.made.DisplayURL))
		waitFor(page, `loads === 1`)
		s.scan()
		s.tap()
		w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/cancel", nil)
		// It shows the end, so it has had every occasion to speak.
		page.Frame(s.made.DisplayURL).WaitVisible("panel-cancelled")
		settle(page)
		if n := browser.Eval[int](page, "got.length"); (n > 0) != test.hears {
			t.Errorf("%s got %d messages: %s", test.name, n, browser.Eval[string](page, "JSON.stringify(got)"))
		}
	}
}
