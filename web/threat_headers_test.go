package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// ask sends a request to the handler itself, as a proxy that ends TLS would.
func (w *world) ask(method, address, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	w.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		w.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, u.RequestURI(), strings.NewReader(body))
	r.Host = u.Host
	r.Header.Set("User-Agent", iPhone)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(u.Path, "/v1/") {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+w.key.Reveal())
	}
	for _, c := range change {
		c(r)
	}
	got := httptest.NewRecorder()
	w.server.Handler.ServeHTTP(got, r)
	return got
}

// lineOf is the first line with this message after the first n bytes of the log.
func (w *world) lineOf(n int, msg string) line {
	w.t.Helper()
	w.wantLogged(n, msg, nil)
	for _, l := range w.logs.since(w.t, n) {
		if l.str("msg") == msg {
			return l
		}
	}
	return nil
}

// TestHeadersOfEveryRoute: whatever is asked for, and whether it is there or not,
// comes over TLS only, is not sniffed, not framed, and not read by other sites; and
// cookies are set by the phone's pages alone.
func TestHeadersOfEveryRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.https = true })
	b, err := os.ReadFile("testdata/routes.txt")
	if err != nil {
		t.Fatal(err)
	}
	var made wire
	answer{Response: &http.Response{}, body: w.ask(http.MethodPost, w.public+"/v1/handoffs", `{"instanceId":"`+newInstance()+`"}`).Body.Bytes()}.json(t, &made)
	key := made.DisplayURL[strings.LastIndex(made.DisplayURL, "/")+1:]
	w.ask(http.MethodGet, made.DisplayURL, "")
	var link struct{ URL string }
	answer{Response: &http.Response{}, body: w.ask(http.MethodPost, w.public+"/v1/handoffs/"+made.ID+"/links", "").Body.Bytes()}.json(t, &link)
	code := link.URL[strings.LastIndex(link.URL, "/")+1:]
	page := w.ask(http.MethodGet, w.public+"/c/acme/"+code, "").Body.String()
	file := func(prefix string) string {
		rest := page[strings.Index(page, prefix)+len(prefix):]
		return rest[:strings.IndexAny(rest, `"`)]
	}
	seen := map[string]int{}
	for route := range strings.Lines(string(b)) {
		path, method, _ := strings.Cut(strings.TrimSpace(route), " ")
		if method == "route_not_found" {
			method = http.MethodGet
		}
		for _, good := range []bool{false, true} {
			values := map[string]string{":key": "none", ":code": "none", ":id": "none", ":claim": "none", ":pickup": "none", ":response": "none", ":report": "none", "*": "none"}
			if good {
				values = map[string]string{
					":key": key, ":code": code, ":id": made.ID,
					"/static/*": "/static/" + file("/static/"), "/brand/*": "/brand/" + file("/brand/"), "/embed/*": "/embed/v1.js",
				}
			}
			at := strings.ReplaceAll(path, ":partner", "acme")
			for name, value := range values {
				at = strings.ReplaceAll(at, name, value)
			}
			if strings.Contains(at, "/events") && good {
				continue
			}
			for _, host := range []string{w.public, w.link, "https://evil.example"} {
				got := w.ask(method, host+at, "", func(r *http.Request) {
					if strings.HasPrefix(at, "/h/") && strings.HasSuffix(at, "/cancel") {
						r.Header.Set("Sec-Fetch-Site", "cross-site")
					}
				})
				seen[http.StatusText(got.Code)]++
				where := fmt.Sprintf("%s %s%s (%d)", method, host, at, got.Code)
				resource := "same-origin"
				if strings.HasPrefix(at, "/embed/") && got.Code == http.StatusOK {
					resource = "cross-origin" // for partners' pages
				}
				h := got.Header()
				for name, want := range map[string]string{
					"Strict-Transport-Security": "max-age=63072000; includeSubDomains", "X-Content-Type-Options": "nosniff",
					"Cross-Origin-Resource-Policy": resource,
				} {
					if h.Get(name) != want {
						t.Errorf("%s: %s = %q, want %q", where, name, h.Get(name), want)
					}
				}
				policy := h.Get("Content-Security-Policy")
				if !strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, "frame-ancestors 'none'") {
					t.Errorf("%s: Content-Security-Policy = %q, want one that starts from nothing and is not framed", where, policy)
				}
				public := strings.HasPrefix(at, "/static/") || strings.HasPrefix(at, "/brand/") || strings.HasPrefix(at, "/embed/") || strings.HasPrefix(at, "/.well-known/")
				kept := got.Code < 300 && (public || method == http.MethodHead || got.Body.Len() == 0)
				if store := h.Get("Cache-Control"); !kept && store != "no-store" {
					t.Errorf("%s: Cache-Control = %q, want no-store", where, store)
				}
				if cookies := got.Result().Cookies(); len(cookies) > 0 {
					phones := strings.HasPrefix(at, "/c/") || strings.HasSuffix(at, "/continue") || strings.HasPrefix(at, "/h/")
					if !phones || host != w.public {
						t.Errorf("%s sets a cookie, want none", where)
					}
				}
			}
		}
	}
	for _, status := range []int{200, 204, 303, 302, 404, 403, 421, 400} {
		if seen[http.StatusText(status)] == 0 {
			t.Errorf("no answer of %d was looked at: %v", status, seen)
		}
	}
}

// TestCookie: its attributes, over TLS and on plain loopback.
func TestCookie(t *testing.T) {
	t.Parallel()
	for _, https := range []bool{true, false} {
		w := newWorld(t, func(s *setting) { s.https = https })
		var made, link struct{ ID, URL string }
		decode := func(got *httptest.ResponseRecorder, into any) {
			if err := json.Unmarshal(got.Body.Bytes(), into); err != nil {
				t.Fatalf("%d %s: %v", got.Code, got.Body, err)
			}
		}
		decode(w.ask(http.MethodPost, w.public+"/v1/handoffs", `{"instanceId":"`+newInstance()+`"}`), &made)
		decode(w.ask(http.MethodPost, w.public+"/v1/handoffs/"+made.ID+"/links", ""), &link)
		landing := strings.Replace(link.URL, w.link, w.public, 1)
		cookies := w.ask(http.MethodGet, landing, "").Result().Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%d cookies, want one", len(cookies))
		}
		c := cookies[0]
		name := map[bool]string{true: "__Host-handoff-phone", false: "handoff-phone"}[https]
		if c.Name != name || c.Secure != https || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" ||
			c.MaxAge <= 0 || c.MaxAge > 24*60*60 || len(c.Value) != 43 {
			t.Errorf("https %t: %s, want %s, Secure only there, HttpOnly, SameSite=Lax, Path=/, no Domain, a day, and an id of 256 bits", https, c.Raw, name)
		}
		again := w.ask(http.MethodGet, landing, "", func(r *http.Request) { r.AddCookie(c) })
		if got := again.Header().Get("Set-Cookie"); got != "" {
			t.Errorf("https %t: a browser with its cookie gets %s", https, got)
		}
		forged := w.ask(http.MethodGet, landing, "", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name, Value: "short"}) })
		if got := forged.Header().Get("Set-Cookie"); got == "" {
			t.Errorf("https %t: a cookie that is none of ours is kept", https)
		}
	}
}

// TestFormsAreBodies: what a form asks for is in its body; an address that somebody
// is made to open or to post to says nothing.
func TestFormsAreBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin()
	s.open()
	link := strings.Replace(s.live(handoff.RouteLink), w.link, w.public, 1)
	s.landing = s.phone.get(link)
	for _, a := range []answer{
		s.phone.post(link+"?attempt="+newAttempt(), nil), s.phone.post(link+"/reject?sure=1&attempt="+newAttempt(), nil),
		s.desk.post(s.made.DisplayURL+"/send?route=typed", nil), s.desk.post(s.made.DisplayURL+"/revoke?route=link", nil),
		s.phone.post(w.public+"/t/acme?code="+strings.TrimPrefix(s.live(handoff.RouteTyped), w.link+"/c/acme/"), nil),
	} {
		if a.StatusCode == http.StatusOK && a.testID(t) != "reject-ask" {
			t.Errorf("%s?%s answers %d with %q, want a refusal", a.url.Path, a.url.RawQuery, a.StatusCode, a.testID(t))
		}
	}
	if h := s.stored(); h.Claims != 0 || h.CodeOn(handoff.RouteLink, w.clock.now()) == nil {
		t.Errorf("the handoff has %d claims and lost its link, want nothing to have happened", h.Claims)
	}
	s.tap()
	s.desk.post(s.made.DisplayURL+"/confirm?number="+s.digits(), nil)
	s.phone.post(s.own.url.String()+"/reject?sure=1", nil).wantPage(t, http.StatusOK, "reject-ask")
	if got := s.stored().Status; got != handoff.StatusClaimed {
		t.Errorf("after a number in the address it is %s, want claimed", got)
	}
}

// TestPanic: a panic is one answer like any other failure of ours, and tells nothing.
func TestPanic(t *testing.T) {
	t.Parallel()
	p := &panics{}
	w := newWorld(t, func(s *setting) {
		s.wrap = func(inner handoff.Store) handoff.Store { p.Store = inner; return p }
	})
	for _, value := range []any{"the secret of it", errors.New("the secret of it"), 7, http.ErrServerClosed} {
		for _, ask := range []func() *httptest.ResponseRecorder{
			func() *httptest.ResponseRecorder { return w.ask(http.MethodGet, w.public+"/h/none", "") },
			func() *httptest.ResponseRecorder { return w.ask(http.MethodPost, w.public+"/c/acme/none", "attempt=x") },
			func() *httptest.ResponseRecorder {
				return w.ask(http.MethodPost, w.public+"/v1/pickups", `{"pickup":"x","verifier":"`+strings.Repeat("v", 43)+`"}`)
			},
		} {
			logged := len(w.logs.String())
			p.mu.Lock()
			p.next = value
			p.mu.Unlock()
			got := ask()
			if body := got.Body.String(); got.Code != http.StatusInternalServerError || strings.Contains(body, "secret") || strings.Contains(body, "goroutine") || strings.Contains(body, "panic") {
				t.Errorf("a panic of %v answers %d %s, want 500 and nothing of it", value, got.Code, body)
			}
			line := w.lineOf(logged, "panic")
			if !strings.Contains(line.str("stack"), "panics).Lookup") || line.str("request_id") != got.Header().Get("X-Request-ID") {
				t.Errorf("the log says %v, want where it was, and in which request", line)
			}
		}
	}
	if got := w.ask(http.MethodGet, w.public+"/h/none", ""); got.Code != http.StatusNotFound {
		t.Errorf("after panics, an unknown display = %d, want 404", got.Code)
	}
	defer func() {
		if r := recover(); r != http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
			t.Errorf("http.ErrAbortHandler becomes %v: the server would not cut the connection", r)
		}
	}()
	p.next = http.ErrAbortHandler
	w.ask(http.MethodGet, w.public+"/h/none", "")
	t.Error("http.ErrAbortHandler is answered: the server would not cut the connection")
}

// TestPolicyReports: what a browser tells of a page's policy is logged without
// anything of an address, and not too often.
func TestPolicyReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	policy := w.ask(http.MethodGet, w.public+"/c/acme/none", "").Header()
	if !strings.Contains(policy.Get("Content-Security-Policy"), "; report-uri /reports/csp; report-to csp") || policy.Get("Reporting-Endpoints") != `csp="/reports/csp"` {
		t.Errorf("pages have %q and %q, want where to tell of violations", policy.Get("Content-Security-Policy"), policy.Get("Reporting-Endpoints"))
	}
	tell := func(contentType, body string) {
		t.Helper()
		got := w.ask(http.MethodPost, w.public+"/reports/csp", body, func(r *http.Request) {
			r.Header.Set("Content-Type", contentType)
			r.Header.Set("Sec-Fetch-Site", "none")
		})
		if got.Code != http.StatusNoContent || got.Body.Len() > 0 {
			t.Errorf("a report answers %d %s, want 204", got.Code, got.Body)
		}
	}
	const canary = "jIyO-display-key-canary"
	for _, tt := range []struct{ contentType, body, directive, blocked string }{
		{"application/reports+json", `[{"type":"csp-violation","url":"https://go.example.com/h/` + canary + `","body":{"documentURL":"https://go.example.com/h/` + canary + `","effectiveDirective":"img-src","blockedURL":"https://evil.example/x/` + canary + `?y=` + canary + `","sample":"` + canary + `"}}]`, "img-src", "https://evil.example"},
		{"application/csp-report", `{"csp-report":{"document-uri":"https://go.example.com/h/` + canary + `","violated-directive":"script-src-elem ` + canary + `","blocked-uri":"inline"}}`, "script-src-elem", "inline"},
		{"application/csp-report; charset=utf-8", `{"csp-report":{"effective-directive":"` + canary + `","blocked-uri":"` + canary + `"}}`, "other", "other"},
		{"application/csp-report", `{"csp-report":{"effective-directive":"style-src\nmsg=forged","blocked-uri":"https://` + canary + ` x/"}}`, "other", "other"},
		{"application/csp-report", `{"csp-report":{"effective-directive":"connect-src","blocked-uri":"https://` + canary + `@evil.example:8443/"}}`, "connect-src", "https://evil.example:8443"},
	} {
		before := len(w.logs.String())
		tell(tt.contentType, tt.body)
		line := w.lineOf(before, "csp_violation")
		if line.str("directive") != tt.directive || line.str("blocked") != tt.blocked {
			t.Errorf("%s is logged as %v, want %s of %s", tt.body, line, tt.directive, tt.blocked)
		}
	}
	for _, nothing := range []string{"", "{", "[]", `{"csp-report":7}`, `[{"type":"deprecation","body":{"effectiveDirective":"img-src"}}]`, `[[[[`} {
		tell("application/reports+json", nothing)
		tell("application/csp-report", strings.ReplaceAll(nothing, "csp-report", "x"))
		tell("text/plain", nothing)
	}
	before := len(w.logs.String())
	report := `{"csp-report":{"effective-directive":"img-src","blocked-uri":"inline"}}`
	for range 100 {
		tell("application/csp-report", report)
	}
	if n := strings.Count(w.logs.String()[before:], `"csp_violation"`); n > 10 {
		t.Errorf("%d of 100 reports are logged, want ten a minute at most", n)
	}
	w.clock.advance(time.Minute)
	before = len(w.logs.String())
	tell("application/csp-report", report)
	w.wantLogged(before, "csp_violations_not_logged", nil)
	w.wantLogged(before, "csp_violation", nil)
	if strings.Contains(w.logs.String(), canary) {
		t.Errorf("the log holds an address: %s", w.logs.String())
	}
	big := w.ask(http.MethodPost, w.public+"/reports/csp", strings.Repeat(" ", 17<<10), func(r *http.Request) { r.Header.Set("Content-Type", "application/csp-report") })
	if big.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a report of 17 KB = %d, want 413", big.Code)
	}
	for _, name := range []string{http.MethodGet, http.MethodPut} {
		if got := w.ask(name, w.public+"/reports/csp", ""); got.Code != http.StatusNotFound {
			t.Errorf("%s /reports/csp = %d, want 404", name, got.Code)
		}
	}
}
