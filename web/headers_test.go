package web_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	hashed     = regexp.MustCompile(`\.[0-9a-f]{8,}\.`)
	style      = regexp.MustCompile(`'sha256-[^']+'`)
	capability = regexp.MustCompile(`/(h|p)/[A-Za-z0-9_-]{22}`)
	cookie     = regexp.MustCompile(`(handoff-phone=)[A-Za-z0-9_-]{43}`)
	expiry     = regexp.MustCompile(`Expires=[^;]*`)
	quota      = regexp.MustCompile(`;r=[0-9]+;t=[0-9]+`)
	named      = regexp.MustCompile(`ho_[A-Za-z0-9_-]{22}`)
)

// TestHeadersGolden shows every change of a header in review.
func TestHeadersGolden(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.twoHosts = true })
	alone, framed := w.begin(), w.begin(map[string]any{"parentOrigin": "http://localhost:8999"})
	alone.open()
	framed.open()
	s := w.connected()
	host := func(address string) string { return strings.Replace(address, w.link, w.public, 1) }
	inFrame := framed.desk.request(http.MethodGet, framed.made.DisplayURL, nil)
	inFrame.Header.Set("Sec-Fetch-Dest", "iframe") // where the sheets are files
	sheets := send(t, framed.desk.client, inFrame).page(t).Find(`link[rel="stylesheet"]`)
	static, _ := sheets.Attr("href")
	brand, _ := sheets.Last().Attr("href")
	get := func(p *person, address string) answer {
		return send(t, p.client, p.request(http.MethodGet, address, nil))
	}
	created := w.call(http.MethodPost, "/v1/handoffs", map[string]any{"instanceId": newInstance()})
	var b strings.Builder
	var page map[string]string
	for _, one := range []struct {
		what string
		answer
	}{
		{"display", get(alone.desk, alone.made.DisplayURL)},
		{"display that may be framed", get(framed.desk, framed.made.DisplayURL)},
		{"picture of a display that may be framed", get(framed.desk, framed.made.DisplayURL+"/qr.svg")},
		{"status of a display", get(alone.desk, alone.made.DisplayURL+"/status")},
		{"form of a display", send(t, alone.desk.client, alone.desk.request(http.MethodPost, alone.made.DisplayURL+"/extend", nil))},
		{"landing", get(w.person(iPhone), host(alone.code()))},
		{"code on the link host", get(w.person(iPhone), alone.code())},
		{"unknown code", get(w.person(iPhone), w.public+"/c/acme/unknown")},
		{"phone's own page", get(s.phone, s.own.url.String())},
		{"app link in a browser", get(w.person(iPhone), host(s.own.link(t, "open")))},
		{"token answer", s.pickUp()},
		{"created", created},
		{"keys", w.raw(http.MethodGet, "/v1/jwks.json", "")},
		{"problem", w.raw(http.MethodGet, "/v1/nothing", "")},
		{"guide", get(w.person(desktop), w.public+"/docs")},
		{"unknown path", get(w.person(desktop), w.public+"/nothing")},
		{"static file", get(w.person(desktop), w.public+static)},
		{"brand", get(w.person(desktop), w.public+brand)},
		{"embedding script", get(w.person(desktop), w.public+"/embed/v1.js")},
		{"association file", get(w.person(desktop), w.link+"/.well-known/assetlinks.json")},
	} {
		got := w.headers(one.answer)
		if page == nil {
			page = got
		}
		if got["Permissions-Policy"] != page["Permissions-Policy"] || one.what == "display" {
			fmt.Fprintf(&b, "%s: %d\n", one.what, one.StatusCode)
			for _, name := range slices.Sorted(maps.Keys(got)) {
				fmt.Fprintf(&b, "  %s: %s\n", name, got[name])
			}
			continue
		}
		fmt.Fprintf(&b, "%s: %d, as the display, but\n", one.what, one.StatusCode)
		for _, name := range slices.Sorted(maps.Keys(got)) {
			if got[name] != page[name] {
				fmt.Fprintf(&b, "  %s: %s\n", name, got[name])
			}
		}
		for _, name := range slices.Sorted(maps.Keys(page)) {
			if _, ok := got[name]; !ok {
				fmt.Fprintf(&b, "  no %s\n", name)
			}
		}
	}
	golden(t, "headers.txt", b.String())
}

// headers are an answer's, but for what tells nothing.
func (w *world) headers(a answer) map[string]string {
	all := map[string]string{}
	for name, values := range a.Header {
		switch name {
		case "Date", "Content-Length", "X-Request-Id", "Etag":
		default:
			all[name] = w.steady(strings.Join(values, " | "))
		}
	}
	return all
}

// steady is a header without what differs from one run to the next.
func (w *world) steady(v string) string {
	v = strings.NewReplacer(w.public, "PUBLIC", w.link, "LINK").Replace(v)
	v = hashed.ReplaceAllString(v, ".HASH.")
	v = style.ReplaceAllString(v, "'sha256-HASH'")
	v = capability.ReplaceAllString(v, "/$1/CAPABILITY")
	v = cookie.ReplaceAllString(v, "${1}ID")
	v = quota.ReplaceAllString(v, ";r=LEFT;t=SECONDS")
	v = expiry.ReplaceAllString(v, "Expires=LATER")
	v = named.ReplaceAllString(v, "ho_ID")
	return regexp.MustCompile(`/c/acme/[A-Z0-9.]{26,}`).ReplaceAllString(v, "/c/acme/CODE")
}
