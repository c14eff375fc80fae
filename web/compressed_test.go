package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestCompressedDisplay asks for a display as clients do that can read gzip, and as
// those that cannot: the page is the same, and caches are told what it depends on.
func TestCompressedDisplay(t *testing.T) {
	w := newWorld(t, func(s *setting) { s.frame = time.Hour })
	h := w.create()
	address := h.DisplayURL
	w.person(desktop).get(address)
	tests := []struct {
		accept string
		zipped bool
	}{
		{"", false},
		{"identity", false},
		{"br, deflate", false},
		{"*", false},
		{"gzip;q=0", false},
		{"gzip; q=0.000", false},
		{"xgzip", false},
		{"gzip", true},
		{"br;q=1, GZIP;q=0.5", true},
		{"deflate,gzip ; q=1.0, *;q=0", true},
	}
	var pages []string
	for _, test := range tests {
		r := w.person(desktop).request(http.MethodGet, address, nil)
		r.Header.Set("Accept-Encoding", test.accept)
		res, err := (&http.Transport{DisableCompression: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body := io.Reader(res.Body)
		if got := res.Header.Get("Content-Encoding"); (got == "gzip") != test.zipped || (got != "" && got != "gzip") {
			t.Errorf("with Accept-Encoding %q the page has Content-Encoding %q, want gzip: %t", test.accept, got, test.zipped)
		} else if test.zipped {
			if body, err = gzip.NewReader(res.Body); err != nil {
				t.Fatal(err)
			}
		}
		page, err := io.ReadAll(body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatalf("reading the page for Accept-Encoding %q: %v", test.accept, err)
		}
		if got := res.Header.Get("Vary"); got != "Accept-Encoding" {
			t.Errorf("Vary = %q, want Accept-Encoding", got)
		}
		t.Logf("Accept-Encoding %q: %d bytes of %d", test.accept, res.ContentLength, len(page))
		pages = append(pages, withoutClock(string(page)))
	}
	for i, page := range pages {
		if page != pages[0] || !strings.HasSuffix(page, "</html>") {
			t.Errorf("with Accept-Encoding %q the page is another one", tests[i].accept)
		}
	}
}

// withoutClock leaves out the server's clock, which is another one in every page.
func withoutClock(page string) string {
	before, after, _ := strings.Cut(page, `data-now="`)
	_, after, _ = strings.Cut(after, `"`)
	return before + after
}
