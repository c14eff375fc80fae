// Package guide serves the portal's guide for those who integrate it: pages of
// prose, samples that tests run, the API reference and a page for each error.
//
// It needs nothing but the addresses of the portal, and knows no partner: what
// it shows anybody may read.
package guide

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/static"
)

//go:generate go tool templ generate -include-version=false

// Script is the one script of the guide's pages, an asset of package static.
const Script = "js/guide.js"

// Config is what the guide is about.
type Config struct {
	Public string // public_url: scheme, host and port, no slash at the end
	Link   string // link_url, or the same
	Assets *static.Assets
	Embed  *static.Embed
	// Document describes the API in OpenAPI 3.1, with this portal's addresses.
	Document []byte
	Demo     bool // every page says that nothing here is real
}

// Guide serves the pages. It is read-only and safe for concurrent use.
type Guide struct {
	config   Config
	samples  map[string]sample
	document *document
}

// New prepares the pages.
func New(c Config) (*Guide, error) {
	samples, err := loadSamples(c)
	if err != nil {
		return nil, fmt.Errorf("reading the guide's samples: %w", err)
	}
	d, err := parseDocument(c.Document)
	if err != nil {
		return nil, err
	}
	return &Guide{config: c, samples: samples, document: d}, nil
}

// Mount adds the pages to g, whose prefix is /docs and whose middleware sets
// what every page of ours has.
func (d *Guide) Mount(g *echo.Group) {
	all := pages()
	look := []string{http.MethodGet, http.MethodHead} // programs that check links begin with HEAD
	for i, p := range all {
		g.Match(look, p.path, func(c echo.Context) error { return d.show(c, all, i) })
	}
	g.Match(look, "/errors/:code", d.failure)
}

// show serves one of the pages.
func (d *Guide) show(c echo.Context, all []page, i int) error {
	v := d.view(all[i].title, all[i].path)
	if i > 0 {
		v.previous = &v.contents[i-1]
	}
	if i+1 < len(all) {
		v.next = &v.contents[i+1]
	}
	return render(c, layout(v, all[i].body(v)))
}

// failure serves GET /docs/errors/:code, the address that is a problem's type.
func (d *Guide) failure(c echo.Context) error {
	code := handoff.Code(c.Param("code"))
	if !slices.Contains(handoff.PublicCodes(), code) {
		return handoff.Errorf(handoff.CodeNotFound, "there is no such error")
	}
	v := d.view(string(code), "/errors")
	return render(c, layout(v, failurePage(v, code, adviceOn(code))))
}

// view is what every page has. current is the path of the page in the contents.
func (d *Guide) view(title, current string) view {
	v := view{Config: d.config, samples: d.samples, document: d.document, title: title}
	for _, p := range pages() {
		v.contents = append(v.contents, entry{
			title: p.title, about: p.about, url: templ.SafeURL("/docs" + p.path), current: p.path == current,
		})
	}
	return v
}

// render sends a page once it is whole.
func render(c echo.Context, page templ.Component) error {
	var b bytes.Buffer
	if err := page.Render(c.Request().Context(), &b); err != nil {
		return err
	}
	return c.HTMLBlob(http.StatusOK, b.Bytes())
}
