package web_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/handoff-portal/handoff/internal/browser"
)

// What a page may weigh as it is transferred, compressed, with all that it asks for.
// A phone's page by itself, headers besides, is to arrive in what TCP sends before it
// has to wait (RFC 6928, ten segments); of a display, the tail of its code follows.
const (
	maxDisplay = 30_000
	maxPhone   = 15_000
	maxScript  = 6_000
	maxFlight  = 13_000
)

// fetched is how many bytes an address takes, headers not counted, and the body as
// it is then.
func fetched(t *testing.T, p *person, address string) (size int64, a answer) {
	t.Helper()
	r := p.request(http.MethodGet, address, nil)
	r.Header.Set("Accept-Encoding", "gzip")
	res, err := (&http.Client{Jar: p.client.Jar, Transport: &http.Transport{DisableCompression: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	size, err = io.Copy(io.Discard, res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s = %d, %v", r.URL.Path, res.StatusCode, err)
	}
	return size, p.get(address)
}

// weigh adds up a page and what it asks for, and checks that nothing has to be
// fetched before it can be drawn.
func weigh(t *testing.T, name string, p *person, address string, limit int64) {
	t.Helper()
	size, a := fetched(t, p, address)
	parts := map[string]int64{"the page": size}
	if limit == maxPhone && size > maxFlight {
		t.Errorf("%s is %d bytes by itself, want at most %d, which arrive in one round trip", name, size, maxFlight)
	}
	doc := a.page(t)
	if n := doc.Find(`link[rel="stylesheet"], script:not([defer]):not([async])`).Length(); n > 0 || doc.Find("head > style").Length() == 0 {
		t.Errorf("%s waits for %d files before it is drawn, want none, and its sheet within", name, n)
	}
	total := size
	doc.Find("script[src], link[href], img[src]").Each(func(_ int, e *goquery.Selection) {
		ref := e.AttrOr("src", e.AttrOr("href", ""))
		at, err := a.url.Parse(ref)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := fetched(t, p, at.String())
		parts[ref] = n
		total += n
		if e.Is("script") && n > maxScript {
			t.Errorf("%s has a script of %d bytes, want at most %d", name, n, maxScript)
		}
	})
	t.Logf("%s: %d bytes: %v", name, total, parts)
	if total > limit {
		t.Errorf("%s weighs %d bytes, want at most %d: %v", name, total, limit, parts)
	}
}

// TestWeight holds both sides' pages to what they may weigh, in the languages with the
// most to say.
func TestWeight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, lang := range []string{"en", "ru", "hi"} {
		s := w.connected()
		s.desk.accept, s.phone.accept = lang, lang
		weigh(t, "the display, connected, in "+lang, s.desk, s.made.DisplayURL, maxDisplay)
		weigh(t, "the phone's own page in "+lang, s.phone, s.own.url.String(), maxPhone)
		s = w.begin()
		s.desk.accept, s.phone.accept = lang, lang
		weigh(t, "the display in "+lang, s.desk, s.made.DisplayURL, maxDisplay)
		s.desk.post(s.made.DisplayURL+"/send", url.Values{"route": {"link"}})
		weigh(t, "the display with a link in "+lang, s.desk, s.made.DisplayURL, maxDisplay)
		weigh(t, "the landing in "+lang, s.phone, s.code(), maxPhone)
	}
}

// TestDrawnAtOnce: a browser draws both sides' pages while everything else that they
// ask for is still on its way.
func TestDrawnAtOnce(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	held := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(held) }) }
	t.Cleanup(release)
	w := newWorld(t, func(s *setting) {
		s.tune = func(srv *http.Server) {
			next := srv.Handler
			srv.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/static/") || strings.HasPrefix(r.URL.Path, "/brand/") {
					<-held
				}
				next.ServeHTTP(rw, r)
			})
		}
	})
	s := w.begin()
	s.open()
	for name, address := range map[string]string{"display": s.made.DisplayURL, "landing": s.code()} {
		page := b.Phone(t)
		if name == "display" {
			page = b.Desktop(t)
		}
		// Not Navigate: it waits for all the page asks for.
		browser.Eval[bool](page, `(location.href = `+quoted(address)+`, true)`)
		page.WaitVisible(name)
		page.WaitPainted()
		if got := browser.Eval[string](page, `getComputedStyle(document.querySelector(".primary, .card")).borderStartStartRadius`); got != "12px" {
			t.Errorf("the %s is drawn without its sheet: a corner of %s", name, got)
		}
	}
	release()
}
