package site

import (
	"fmt"
	"net/http"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/static"
	"github.com/handoff-portal/handoff/templates"
)

// Brands are the partners' stylesheets and logos, made once, under names that
// carry a hash of their content.
type Brands struct {
	files map[string]brandFile // by path
	of    map[handoff.PartnerID]brandLook
}

type brandFile struct {
	contentType string
	body, zip   []byte
}

type brandLook struct {
	css  templates.Asset
	hash string // of the sheet, for the Content-Security-Policy
	logo string
}

// LoadBrands makes the files of every partner, to be served below prefix.
func LoadBrands(partners *partner.Directory, prefix string) (*Brands, error) {
	b := &Brands{files: map[string]brandFile{}, of: map[handoff.PartnerID]brandLook{}}
	add := func(name, contentType string, body []byte) (string, error) {
		path := prefix + static.Hashed(name, body)
		zip, err := static.Gzip(body)
		if len(zip) >= len(body) {
			zip = nil // a picture is compressed already
		}
		b.files[path] = brandFile{contentType: contentType, body: body, zip: zip}
		return path, err
	}
	for _, p := range partners.All() {
		var look brandLook
		var err error
		if p.Brand.Color != "" {
			css := brandCSS(p.Brand)
			path, err := add(string(p.ID)+".css", "text/css; charset=utf-8", css)
			if err != nil {
				return nil, err
			}
			look.css = templates.Asset{URL: path, Integrity: static.Integrity(css), Body: string(css)}
			look.hash = static.StyleHash(css)
		}
		if len(p.Brand.Logo) > 0 {
			name := string(p.ID) + map[string]string{"image/svg+xml": ".svg", "image/png": ".png"}[p.Brand.LogoType]
			if look.logo, err = add(name, p.Brand.LogoType, p.Brand.Logo); err != nil {
				return nil, err
			}
		}
		b.of[p.ID] = look
	}
	return b, nil
}

// brandCSS is a stylesheet, to stand after css/app.css, that sets a partner's colour
// for light and for dark. Without a dark colour the light one is lightened until it
// reads on a dark card. The partner's settings were refused if a colour did not read.
func brandCSS(b partner.Brand) []byte {
	dark := b.ColorDark
	if dark == "" {
		dark = partner.Dark().Nearest(b.Color)
	}
	return fmt.Appendf(nil, ":root{--accent:%s;--on-accent:%s}\n@media (prefers-color-scheme:dark){:root{--accent:%s;--on-accent:%s}}\n",
		b.Color, partner.Ink(b.Color), dark, partner.Ink(dark))
}

// ServeHTTP serves the files, which never change under their names.
func (b *Brands) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := b.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	static.Serve(w, r, f.body, f.zip)
}
