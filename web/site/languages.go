package site

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/i18n"
	"github.com/handoff-portal/handoff/templates"
)

// langParam is a person's own choice of language, from the menu on the page. It
// is in the address, since a framed page can keep nothing anywhere else.
const langParam = "lang"

// Language is what a page speaks: what the person chose, else what the partner
// asked for, else what the browser prefers.
func (s *Site) Language(c echo.Context, locale string) i18n.Lang {
	if lang, ok := s.chosen(c); ok {
		return lang
	}
	w := wanted{locale, c.Request().Header.Get("Accept-Language")}
	lang, ok := s.matched.Get(w)
	if !ok {
		lang = s.catalog.Match(w.locale, w.accept)
		if len(w.locale)+len(w.accept) <= rememberedSize {
			s.matched.Put(w, lang)
		}
	}
	return lang
}

// wanted is what is said of the language: by the partner, and by the browser.
type wanted struct{ locale, accept string }

// chosen is the language in the address, or in that of the page that asks: its
// forms, its stream and the pages it leads to. Our Referrer-Policy has browsers
// name it to ourselves, and to nobody else.
func (s *Site) chosen(c echo.Context) (i18n.Lang, bool) {
	if c.Request().URL.RawQuery != "" {
		if lang, ok := s.catalog.Has(c.QueryParam(langParam)); ok {
			return lang, true
		}
	}
	referer := c.Request().Referer()
	if !strings.Contains(referer, "?") {
		return "", false
	}
	from, err := url.Parse(referer)
	if err != nil || from.Host != s.public.Host {
		return "", false
	}
	return s.catalog.Has(from.Query().Get(langParam))
}

// menus are the language menus, one for each language that can be the current one.
// A draft is offered to nobody who does not read it already.
func menus(catalog *i18n.Catalog) map[i18n.Lang][]templates.Language {
	all := make(map[i18n.Lang][]templates.Language)
	for _, current := range catalog.Langs() {
		for _, l := range catalog.Langs() {
			if l != current && !slices.Contains(catalog.Offered(), l) {
				continue
			}
			all[current] = append(all[current], templates.Language{
				Tag: string(l), Name: catalog.Name(l), Dir: catalog.Dir(l), Current: l == current, URL: templ.SafeURL("?" + langParam + "=" + string(l)),
			})
		}
	}
	return all
}

// languages is the menu of a page: the same page in each language. The answer to
// a form has none, since its address alone leads elsewhere.
func (s *Site) languages(c echo.Context, current i18n.Lang) []templates.Language {
	if m := c.Request().Method; m != http.MethodGet && m != http.MethodHead {
		return nil
	}
	return s.menus[current]
}

// SeeOther sends a browser on to another of our pages, in the language it chose.
func (s *Site) SeeOther(c echo.Context, path string) error {
	return c.Redirect(http.StatusSeeOther, s.InLanguage(c, path))
}

// InLanguage is an address of ours with the language that the person chose, if they
// did. What stands in the answer to a form needs it: the address of such a page has
// no language for the next request to name.
func (s *Site) InLanguage(c echo.Context, address string) string {
	lang, ok := s.chosen(c)
	if !ok {
		return address
	}
	mark := "?"
	if strings.Contains(address, "?") {
		mark = "&"
	}
	return address + mark + langParam + "=" + string(lang)
}
