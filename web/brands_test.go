package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/partner"
)

// TestBrandSheet: a partner's colour is on its pages, with an ink that reads on it, and
// in dark colours the nearest that reads there.
func TestBrandSheet(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		brand partner.Brand
		want  string
	}{
		"one colour": {
			partner.Brand{Color: "#0b5fff"},
			":root{--accent:#0b5fff;--on-accent:#ffffff}\n@media (prefers-color-scheme:dark){:root{--accent:#4987ff;--on-accent:#000000}}",
		},
		"a dark pair": {
			partner.Brand{Color: "#7a1fa2", ColorDark: "#d7a8ff"},
			":root{--accent:#7a1fa2;--on-accent:#ffffff}\n@media (prefers-color-scheme:dark){:root{--accent:#d7a8ff;--on-accent:#000000}}",
		},
	} {
		w := newWorld(t, func(s *setting) { s.dress = func(p *partner.Partner) { p.Brand = test.brand } })
		a := w.person(desktop).get(w.create().DisplayURL)
		if a.StatusCode != http.StatusOK || !strings.Contains(string(a.body), test.want) {
			t.Errorf("%s: the display (%d) is without %q", name, a.StatusCode, test.want)
		}
	}
}

// TestOwnTexts: a partner's own texts are on all of its pages, those of no handoff too.
func TestOwnTexts(t *testing.T) {
	t.Parallel()
	own := map[string]string{
		"display.waiting.heading": "/h", "phone.landing.heading": "/c", "phone.typed.heading": "/t", "phone.applink.heading": "/a",
	}
	w := newWorld(t, func(s *setting) {
		s.dress = func(p *partner.Partner) {
			p.Texts = map[string]map[string]string{}
			for key, page := range own {
				p.Texts[key] = map[string]string{"en": "Our own heading of " + page}
			}
		}
	})
	s := w.begin()
	for page, a := range map[string]answer{
		"/h": s.open(), "/c": s.scan(), "/t": s.phone.get(w.public + "/t/acme"), "/a": s.phone.get(w.public + "/a/acme/" + strings.Repeat("x", 22)),
	} {
		if want := "Our own heading of " + page; a.StatusCode != http.StatusOK || !strings.Contains(a.page(t).Find("h1").Text(), want) {
			t.Errorf("%s (%d) has the headings %q, want %q among them", page, a.StatusCode, a.page(t).Find("h1").Text(), want)
		}
	}
}

// TestGrounds: a partner's colours are measured on the very grounds of the sheet.
func TestGrounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := string(w.person(desktop).get(w.create().DisplayURL).body)
	light, dark, ok := strings.Cut(body, "prefers-color-scheme: dark")
	if !ok {
		light, dark, ok = strings.Cut(body, "prefers-color-scheme:dark")
	}
	for scheme, test := range map[string]struct {
		sheet  string
		ground partner.Ground
	}{"light": {light, partner.Light()}, "dark": {dark, partner.Dark()}} {
		for property, want := range map[string]string{"ground": test.ground.Page, "surface": test.ground.Card} {
			m := regexp.MustCompile(`--` + property + `: ?(#[0-9a-f]{3,6})`).FindStringSubmatch(test.sheet)
			if !ok || m == nil || m[1] != want && m[1] != want[:4] {
				t.Errorf("%s: --%s is %q in the sheet, and %s where contrast is measured", scheme, property, m, want)
			}
		}
	}
	if !regexp.MustCompile(`--tint: ?color-mix\(in srgb, ?var\(--accent\) 9%, ?var\(--surface\)\)`).MatchString(body) {
		t.Error("the sheet's tint is no longer the 9 % that contrast is measured with")
	}
}
