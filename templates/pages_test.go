package templates_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/static"
)

// go test ./templates -run Pages -pages DIR writes every page in every language
// there, with its assets, to be looked at and measured in a browser.
var pagesDir = flag.String("pages", "", "write every page to this folder")

func TestPages(t *testing.T) {
	catalog, err := speak()
	if err != nil {
		t.Fatalf("i18n.Load() error = %v", err)
	}
	for _, lang := range catalog.Langs() {
		for name, page := range newWorld(t, lang).pages() {
			var b strings.Builder
			if err := page.Render(t.Context(), &b); err != nil {
				t.Errorf("rendering %s in %s: %v", name, lang, err)
				continue
			}
			if *pagesDir != "" {
				write(t, filepath.Join(*pagesDir, string(lang), name+".html"), b.String())
			}
		}
	}
	if *pagesDir == "" {
		return
	}
	assets, err := static.Load("/static/")
	if err != nil {
		t.Fatalf("static.Load() error = %v", err)
	}
	for _, name := range []string{"css/app.css", "js/display.js", "js/phone.js", "img/icon.svg"} {
		write(t, filepath.Join(*pagesDir, assets.URL(name)), string(assets.Body(name)))
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
