package static_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/browser"
)

// TestSqueezed has a browser read every sheet as it is written and as it is served:
// both say the same. A custom property's value is what is written, spaces included;
// those beside marks mean nothing.
func TestSqueezed(t *testing.T) {
	assets := load(t)
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><link rel=icon href='data:,'>"))
	}))
	t.Cleanup(empty.Close)
	page := browser.New(t).Desktop(t)
	page.Navigate(empty.URL)
	rules := func(sheet []byte) []string {
		text, err := json.Marshal(string(sheet))
		if err != nil {
			t.Fatal(err)
		}
		return browser.Eval[[]string](page, `(() => { const s = new CSSStyleSheet(); s.replaceSync(`+string(text)+`); return [...s.cssRules].map(r => r.cssText.replace(/([,:]) /g, "$1")) })()`)
	}
	for name, pattern := range map[string]string{"css/app.css": "css/app/*.css", "css/guide.css": "css/guide.css"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		var written []byte
		for _, file := range files {
			part, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			written = append(written, part...)
		}
		want := rules(written)
		if len(want) < 10 {
			t.Errorf("%s has %d rules, want more", name, len(want))
		}
		if diff := cmp.Diff(want, rules(assets.Body(name))); diff != "" {
			t.Errorf("%s says something else when it is served (-written +served):\n%s", name, diff)
		}
	}
}
