package web_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// TestThreatOpenRedirect: where the portal sends people, or offers to, is on its own
// two hosts, or what the partner has registered.
func TestThreatOpenRedirect(t *testing.T) {
	t.Parallel()
	rec := &tape{}
	w := newWorld(t, func(s *setting) {
		s.twoHosts, s.confirmation, s.webURL = true, handoff.ConfirmLinks, "https://app.acme.example/handoff"
		s.tune = func(server *http.Server) { server.Handler = rec.over(server.Handler) }
	})
	const shop = "http://localhost:8999"
	for _, bad := range []string{
		"https://evil.example/done", "//evil.example/done", "/done", "done", "http://localhost:8999.evil.example/done", "http://localhost:8999@evil.example/done",
		"http://evil.example@localhost:8999/done", "http://localhost:8998/done", "http://localhost/done", "https://localhost:8999/done",
		"http://localhost:8999/done/", "http://localhost:8999/done/..", "http://localhost:8999/done%2f..%2fx", "http://localhost:8999/Done",
		"http://localhost:8999/x/../done", "http://localhost:8999//done", "http://localhost:8999\\@evil.example/done", "http:\\\\evil.example/done",
		"http://localhost:8999/done#https://evil.example", "http://localhost:8999\t/done", " http://localhost:8999/done", "http://localhost:8999/done\r\nLocation: x",
		"javascript:alert(1)", "JaVaScRiPt:alert(1)//http://localhost:8999/done", "data:text/html,x", "intent://x#Intent;scheme=https;end", "com.acme.app://x",
		"http://127.0.0.1:8999/done", "http://[::1]:8999/done", "http://localhost:08999/done", "http://ⓛocalhost:8999/done", "http://localhost:8999/done;x", "*", "null",
	} {
		for _, member := range []string{"returnUrl", "parentOrigin"} {
			a := w.call(http.MethodPost, "/v1/handoffs", map[string]any{"instanceId": newInstance(), member: bad})
			p := a.wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
			if len(p.Errors) != 1 || p.Errors[0].Pointer != "/"+member {
				t.Errorf("%s %q: faults at %v, want one at /%s", member, bad, p.Errors, member)
			}
		}
	}

	// A whole run, with all that anybody could add to it.
	s := w.begin(map[string]any{"returnUrl": shop + "/done?next=https%3A%2F%2Fevil.example&handoff=x", "parentOrigin": shop})
	s.open()
	link := s.live(handoff.RouteLink)
	evil := []string{"?o=https://evil.example", "?stay=1&o=//evil.example", "?returnUrl=https://evil.example&next=//evil.example", "?tablet=1%0d%0aLocation:x"}
	for _, query := range evil {
		for _, agent := range []string{iPhone, android, instagram, desktop} {
			p := w.person(agent)
			r := p.request(http.MethodGet, link+query, nil)
			r.Header.Set("Referer", "https://evil.example/")
			r.Header.Set("X-Forwarded-Host", "evil.example")
			r.Header.Set("Forwarded", "host=evil.example;proto=https")
			r.Header.Set("X-Original-URL", "https://evil.example/")
			p.follow(r)
			p.post(strings.Replace(link, w.link, w.public, 1)+"/reject"+query, url.Values{"opened": {"https://evil.example"}, "attempt": {"//evil.example"}})
		}
	}
	s.landing = s.phone.get(link)
	s.tap()
	s.enter(s.digits())
	s.own = s.phone.get(s.own.url.String())
	for _, query := range evil {
		s.phone.post(s.own.url.String()+"/open"+query, nil)
		s.desk.post(s.made.DisplayURL+"/extend"+query, url.Values{"next": {"https://evil.example"}})
		s.phone.get(w.public + "/a/acme/" + s.pickup() + query)
	}
	s.own = s.phone.get(s.own.url.String())
	s.toApp()
	s.toEnd()
	s.phone.get(s.own.url.String())
	s.open()

	// Requests that no client of ours would send.
	at := strings.TrimPrefix(w.link, "http://")
	for _, target := range []string{
		"//evil.example/c/acme/x", "/c/acme/x//evil.example", "/c/acme/..//evil.example", "/\\evil.example", "/c/acme/%0d%0aLocation:%20https://evil.example",
		"http://evil.example/c/acme/x", "http://" + at + "@evil.example/c/acme/x", "/a/acme/x?//evil.example", "/c//evil.example", "/a/acme/@evil.example", "/%2f%2fevil.example/c/acme/x",
	} {
		for _, host := range []string{at, strings.TrimPrefix(w.public, "http://"), "evil.example", at + "@evil.example", "evil.example#" + at, ""} {
			raw(t, w.listen, target, host)
		}
	}

	ours := []string{w.public, w.link, shop, "https://app.acme.example", "https://apps.apple.com", "https://play.google.com"}
	allowed := func(address string) bool {
		u, err := url.Parse(address)
		if err != nil {
			return false
		}
		switch {
		case u.Scheme == "" && u.Host == "":
			return address == "" || strings.HasPrefix(address, "?") || strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") && !strings.Contains(address, "\\")
		case u.Scheme == "intent": // with its package, and what it falls back to
			_, rest, _ := strings.Cut(address, "S.browser_fallback_url=")
			fallback, err := url.QueryUnescape(strings.TrimSuffix(strings.Split(rest, ";")[0], ";"))
			return err == nil && strings.Contains(address, ";package=com.acme.app;") && (fallback == "" || strings.HasPrefix(fallback, w.public+"/"))
		}
		return slices.Contains(ours, u.Scheme+"://"+u.Host) && u.User == nil
	}
	redirects, links := 0, 0
	for _, x := range rec.all() {
		if to := x.header.Get("Location"); to != "" {
			redirects++
			u, err := url.Parse(to)
			if err != nil || !allowed(to) || u.Host != "" && "http://"+u.Host != w.public {
				t.Errorf("%s is sent to %s", x, to)
			}
		}
		if !strings.HasPrefix(x.header.Get("Content-Type"), "text/html") {
			continue
		}
		page, err := goquery.NewDocumentFromReader(bytes.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		page.Find("[href], [action], [src], [formaction], [http-equiv=refresh]").Each(func(_ int, e *goquery.Selection) {
			for _, name := range []string{"href", "action", "src", "formaction"} {
				if to, ok := e.Attr(name); ok {
					links++
					if !allowed(to) {
						t.Errorf("%s leads to %s, by %s", x, to, name)
					}
				}
			}
			if refresh := e.AttrOr("content", ""); strings.Contains(strings.ToLower(refresh), "url") {
				t.Errorf("%s refreshes to %s", x, refresh)
			}
		})
	}
	t.Logf("%d redirects, %d links", redirects, links)
	if redirects < 20 || links < 200 {
		t.Errorf("%d redirects and %d links: too few to tell", redirects, links)
	}
}

// raw sends a request as it is.
func raw(t *testing.T, address, target, host string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nSec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n", target, host); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("GET %s of %s: %v", target, host, err)
	}
	_ = res.Body.Close()
}
