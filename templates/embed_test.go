package templates_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/handoff-portal/handoff/static"
	"github.com/handoff-portal/handoff/templates"
)

// TestEmbed puts a display into another site's page with the embedding script.
func TestEmbed(t *testing.T) {
	b := newTab(t)
	script, err := static.LoadEmbed("/embed/")
	if err != nil {
		t.Fatalf("static.LoadEmbed() error = %v", err)
	}
	var frameURL string
	parent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1.js" {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write(script.Body())
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!DOCTYPE html><script src="/v1.js" async></script>
			<script>got=[];for(const n of ["ready","state","end"])addEventListener("handoff-"+n,e=>got.push(e.detail.type))</script>
			<handoff-frame src=%q></handoff-frame>`, frameURL)
	}))
	t.Cleanup(parent.Close)
	origin := strings.Replace(parent.URL, "127.0.0.1", "localhost", 1)
	d := newWorld(t, "en").display(templates.ScreenWaiting)
	d.Framed, d.ParentOrigin = true, origin
	s := newStage(t, templates.DisplayPage(d))
	frameURL = s.URL + "/h/key"
	b.run(chromedp.Navigate(origin))
	b.await(`got.includes("ready")`)
	b.await(`document.querySelector("handoff-frame").shadowRoot.querySelector("iframe").style.height !== "640px"`)

	// What does not come from the frame is not heard.
	height := b.text(`document.querySelector("handoff-frame").shadowRoot.querySelector("iframe").style.height`)
	b.text(`(postMessage({source: "handoff", v: 1, type: "end"}, "*"), postMessage({source: "handoff", v: 1, type: "resize", height: 5}, "*"), 0)`)
	s.say(state(8, templates.ScreenConnected, `"say":"Connected"`, ""))
	b.await(`got.includes("state")`)
	if got := b.text(`got.includes("end")`); got != "false" {
		t.Error("a message that was not the frame's became an event")
	}
	b.await(fmt.Sprintf(`document.querySelector("handoff-frame").shadowRoot.querySelector("iframe").style.height !== %q`, height)) // the shorter panel
	if got := b.text(`parseInt(document.querySelector("handoff-frame").shadowRoot.querySelector("iframe").style.height) > 200`); got != "true" {
		t.Error("a message that was not the frame's changed its height")
	}

	b.text(`(document.querySelector("handoff-frame").remove(), 0)`)
	if got := b.text(`document.querySelectorAll("iframe").length`); got != "0" {
		t.Errorf("removed, yet %s frames are left", got)
	}
	mounted := `Handoff.mount(document.body, {url: "javascript:alert(1)"})`
	if got := b.text(`(() => { try { ` + mounted + `; return "mounted" } catch (e) { return e.name } })()`); got != "TypeError" {
		t.Errorf("%s: %s, want a TypeError", mounted, got)
	}
}
