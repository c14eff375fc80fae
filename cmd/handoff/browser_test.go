package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
)

// What a person sees of the demonstration, in two browsers: the shop frames the
// display from another site, a phone scans the code off the screen, the app's
// page takes over, and the shop moves on by itself.
func TestDemoInBrowsers(t *testing.T) {
	b := browser.New(t)
	w := startDemo(t)
	desk := b.Desktop(t)
	desk.Navigate(w.shop)
	look(t, desk, "shop-home")
	desk.Follow("open")
	frame := desk.Frame(w.portal + "/h/")
	frame.WaitVisible("panel-waiting")
	desk.WaitText("log", "ready")
	look(t, desk, "shop-check")
	link := browser.DecodeQR(t, desk.Picture("frame"))
	if !strings.Contains(link, "/c/acme/") {
		t.Errorf("the code on the screen holds %q, want a link of the partner's", link)
	}

	hand := b.Phone(t)
	hand.Navigate(link)
	hand.Follow("continue")
	hand.Follow("web")
	hand.WaitVisible("finish")
	if got, want := hand.URL(), w.app+"/"; got != want {
		t.Errorf("the app's page is at %q, want %q without the pickup", got, want)
	}
	look(t, hand, "app-in")
	desk.WaitText("log", "delivered")
	hand.Follow("finish")
	look(t, hand, "app-over")
	desk.WaitVisible("truth") // the shop has moved on
	if got := desk.Text("truth"); !strings.Contains(got, "API says completed") {
		t.Errorf("the shop says %q, want what the API says", got)
	}
	look(t, desk, "shop-done")
	if n := hand.Overflow(); n > 0 {
		t.Errorf("the app's page is %d pixels wider than a phone", n)
	}
	hand.Navigate(w.app + "/")
	hand.WantNoProblems()
	desk.WantNoProblems()
}

// The app's page as a scanner, on a dark phone: who asks, and the number.
func TestDemoAppPageInBrowser(t *testing.T) {
	b := browser.New(t)
	w := startDemo(t)
	hand := b.Phone(t, browser.Dark)
	hand.Navigate(w.app)
	look(t, hand, "app-home")
	hand.Type("code", w.link)
	hand.Follow("scan")
	look(t, hand, "app-asked")
	hand.Follow("agree")
	if got := hand.Text("number"); len(got) != 4 {
		t.Errorf("the app shows the number %q, want four digits", got)
	}
	look(t, hand, "app-number")
	hand.WantNoProblems()
}

// look keeps a screenshot where HANDOFF_LOOK names a folder.
func look(t *testing.T, p *browser.Page, name string) {
	t.Helper()
	dir := os.Getenv("HANDOFF_LOOK")
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), p.Screenshot(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The playground, played once from the form to the end: the frame, its events, the
// fake phone and its number, and the webhooks, on one page that is never loaded
// anew.
func TestPlaygroundInBrowser(t *testing.T) {
	b := browser.New(t)
	w := startDemo(t)
	desk := b.Desktop(t)
	desk.Navigate(w.shop)
	look(t, desk, "play-0-home")
	desk.Follow("play")
	look(t, desk, "play-1-form")
	desk.Follow("create")
	frame := desk.Frame(w.portal + "/h/")
	frame.WaitVisible("panel-waiting")
	desk.WaitText("log", "handoff-ready")
	desk.WaitText("webhooks", "handoff.displayed")
	look(t, desk, "play-2-waiting")
	browser.Eval[int](desk, "window.same = 1")

	desk.Click("act-link")
	desk.WaitText("deeds", "The phone shows ")
	_, rest, _ := strings.Cut(browser.Eval[string](desk, "document.querySelector('[data-testid=deeds]').innerText"), "The phone shows ")
	number, _, _ := strings.Cut(rest, ":")
	desk.WaitText("said", "done. The phone shows "+number)
	frame.WaitVisible("action-confirm")
	look(t, desk, "play-3-number")
	browser.Eval[bool](frame, fmt.Sprintf("document.getElementById('number').value = %q; document.querySelector('[data-testid=action-confirm]').requestSubmit(); true", number))
	desk.WaitText("log", "handoff-state · confirmed")
	browser.Eval[bool](desk, `(document.querySelector("[data-testid=act-open]").click(), true)`)
	desk.WaitText("status", "delivered, came by partner, confirmed by number")
	look(t, desk, "play-4-delivered")
	// Not by the pointer: lists above the button may still grow, and move it away.
	browser.Eval[bool](desk, `(document.querySelector("[data-testid=act-finish]").click(), true)`)
	desk.WaitText("webhooks", "handoff.completed signature valid · seq")
	desk.WaitText("log", "handoff-end · completed")
	desk.WaitText("status", "API says completed")
	look(t, desk, "play-5-completed")
	if browser.Eval[int](desk, "window.same || 0") != 1 {
		t.Error("the playground was loaded anew, and its frame with it")
	}
	desk.WantNoProblems()
	frame.WantNoProblems()
}
