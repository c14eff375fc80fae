package static_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/static"
)

func load(t *testing.T) *static.Assets {
	t.Helper()
	a, err := static.Load("/static/")
	if err != nil {
		t.Fatalf("Load() error = %v", err)
	}
	return a
}

func TestServe(t *testing.T) {
	a := load(t)
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	get := func(method, path string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	for name, want := range map[string]string{
		"css/app.css": "text/css; charset=utf-8", "js/display.js": "text/javascript; charset=utf-8",
		"js/phone.js": "text/javascript; charset=utf-8", "img/icon.svg": "image/svg+xml",
	} {
		url := a.URL(name)
		if !regexp.MustCompile(`^/static/\w+/\w+\.[0-9a-f]{12}\.\w+$`).MatchString(url) {
			t.Errorf("URL(%s) = %s, want a hash in it", name, url)
		}
		res := get(http.MethodGet, url)
		var body bytes.Buffer
		if _, err := body.ReadFrom(res.Body); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusOK || !bytes.Equal(body.Bytes(), a.Body(name)) {
			t.Errorf("GET %s: %s, %d bytes, want %d", url, res.Status, body.Len(), len(a.Body(name)))
		}
		for header, want := range map[string]string{
			"Content-Type": want, "Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff",
		} {
			if got := res.Header.Get(header); got != want {
				t.Errorf("GET %s: %s = %q, want %q", url, header, got, want)
			}
		}
		if got, want := a.Integrity(name), static.Integrity(body.Bytes()); got != want {
			t.Errorf("Integrity(%s) = %s, want %s", name, got, want)
		}
	}
	for _, path := range []string{"/static/css/app.css", "/static/", "/static/../static.go", "/static/css/app.000000000000.css", "/"} {
		if res := get(http.MethodGet, path); res.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %s, want 404", path, res.Status)
		}
	}
	if res := get(http.MethodPost, a.URL("css/app.css")); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s, want 405", res.Status)
	}
	if res := get(http.MethodHead, a.URL("css/app.css")); res.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %s, want 200", res.Status)
	}
}

func TestLoadPrefix(t *testing.T) {
	for _, prefix := range []string{"", "static/", "/static"} {
		if _, err := static.Load(prefix); err == nil {
			t.Errorf("Load(%q) error = nil, want one", prefix)
		}
	}
}

func TestURLPanicsOnATypo(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error(`URL("css/ap.css") did not panic`)
		}
	}()
	load(t).URL("css/ap.css")
}

// TestWeight keeps a page light enough for a bad connection.
func TestWeight(t *testing.T) {
	a := load(t)
	for name, limit := range map[string]int{"css/app.css": 6 << 10, "js/display.js": 6 << 10, "js/phone.js": 2100, "v1.js": 2560} {
		body := loadEmbed(t).Body()
		if name != "v1.js" {
			body = a.Body(name)
		}
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if b.Len() > limit {
			t.Errorf("%s is %d bytes compressed, want at most %d", name, b.Len(), limit)
		}
	}
}

// TestScriptsParseNothing keeps out what Trusted Types refuse, and what a strict
// policy would.
func TestScriptsParseNothing(t *testing.T) {
	a := load(t)
	for name, body := range map[string][]byte{"js/display.js": a.Body("js/display.js"), "js/phone.js": a.Body("js/phone.js"), "v1.js": loadEmbed(t).Body()} {
		for _, word := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "DOMParser", "document.write", "eval(", "Function(", "localStorage", "sessionStorage", "cookie", "http://", "https://", "data-deep-link"} {
			if strings.Contains(string(body), word) {
				t.Errorf("%s has %s in it", name, word)
			}
		}
	}
}

// TestStylesAreLogical keeps the one sheet good for both directions of writing.
func TestStylesAreLogical(t *testing.T) {
	physical := regexp.MustCompile(`(?m)^\s*((margin|padding|border|inset)-(left|right|top|bottom)|left|right|top|bottom|width|height|min-width|max-width|float|text-align: *(left|right))\s*:`)
	for _, m := range physical.FindAllString(string(load(t).Body("css/app.css")), -1) {
		t.Errorf("app.css has %q", strings.TrimSpace(m))
	}
}
