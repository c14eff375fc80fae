package static_test

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/static"
)

var update = flag.Bool("update", false, "keep the present embedding script under its hashed name")

func loadEmbed(t *testing.T) *static.Embed {
	t.Helper()
	e, err := static.LoadEmbed("/embed/")
	if err != nil {
		t.Fatalf("LoadEmbed() error = %v", err)
	}
	return e
}

// TestEmbedServe: what partners' pages load is there for every site, and says how
// long it stays.
func TestEmbedServe(t *testing.T) {
	e := loadEmbed(t)
	hashed, integrity := e.Script()
	ask := func(method, path, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
		r.Header.Set("If-None-Match", etag)
		got := httptest.NewRecorder()
		e.ServeHTTP(got, r)
		return got
	}
	for path, want := range map[string][2]string{
		"/embed/v1.js":   {"text/javascript; charset=utf-8", "public, max-age=3600"},
		hashed:           {"text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		"/embed/v1.d.ts": {"application/typescript; charset=utf-8", "public, max-age=3600"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			got := ask(method, path, "")
			if got.Code != http.StatusOK || (got.Body.Len() > 0) != (method == http.MethodGet) {
				t.Errorf("%s %s = %d with %d bytes, want 200, and bytes for GET alone", method, path, got.Code, got.Body.Len())
			}
			for name, value := range map[string]string{
				"Content-Type": want[0], "Cache-Control": want[1], "Access-Control-Allow-Origin": "*",
				"Cross-Origin-Resource-Policy": "cross-origin", "X-Content-Type-Options": "nosniff", "Set-Cookie": "",
			} {
				if v := got.Header().Get(name); v != value {
					t.Errorf("%s %s: %s = %q, want %q", method, path, name, v, value)
				}
			}
			if again := ask(method, path, got.Header().Get("ETag")); again.Code != http.StatusNotModified {
				t.Errorf("%s %s again, unchanged: %d, want 304", method, path, again.Code)
			}
		}
	}
	if got := static.Integrity(ask(http.MethodGet, hashed, "").Body.Bytes()); got != integrity {
		t.Errorf("the integrity of %s is %s, want %s", hashed, got, integrity)
	}
	for _, path := range []string{"/embed/", "/embed/v1.000000000000.js", "/embed/v2.js", "/embed/embed/v1.js", "/v1.js"} {
		if got := ask(http.MethodGet, path, ""); got.Code != http.StatusNotFound {
			t.Errorf("GET %s = %d, want 404", path, got.Code)
		}
	}
}

// TestEmbedKept: the present script is kept under its hashed name too, so that the
// release after the next one still serves it to the pages that name it.
func TestEmbedKept(t *testing.T) {
	e := loadEmbed(t)
	url, _ := e.Script()
	kept := filepath.Join("embed", strings.TrimPrefix(url, "/embed/"))
	if *update {
		if err := os.WriteFile(kept, e.Body(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("%v; run this test with -update, and remove only what no release has served", err)
	}
}
