package static

import (
	"bytes"
	"embed"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed embed
var embedded embed.FS

// Embed are the files that partners' pages load: the script of version 1, its types,
// and under its hashed name every version of the script that a release has served.
// Partners write those names and their integrity into pages of their own, so one
// that is missing breaks somebody's page. Read-only, safe for concurrent use.
type Embed struct {
	byURL  map[string]lasting
	script asset
}

// lasting is a file and how long it stays as it is.
type lasting struct {
	asset

	cache string
}

const (
	cachedForAnHour = "public, max-age=3600"
	cachedForEver   = "public, max-age=31536000, immutable"
)

// LoadEmbed reads the files. Prefix is the path they are served under, with a slash
// at each end: "/embed/".
func LoadEmbed(prefix string) (*Embed, error) {
	entries, err := embedded.ReadDir("embed")
	if err != nil {
		return nil, fmt.Errorf("listing the embedding scripts: %w", err)
	}
	e := &Embed{byURL: map[string]lasting{}}
	for _, entry := range entries {
		name := entry.Name()
		body, err := embedded.ReadFile("embed/" + name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		f := asset{url: prefix + name, integrity: Integrity(body), contentType: "text/javascript; charset=utf-8", body: body}
		switch hashed := Hashed("v1.js", body); {
		case name == "v1.js":
			e.byURL[f.url] = lasting{f, cachedForAnHour}
			f.url = prefix + hashed
			e.byURL[f.url] = lasting{f, cachedForEver}
			e.script = f
		case name == hashed:
			e.byURL[f.url] = lasting{f, cachedForEver}
		case path.Ext(name) == ".ts":
			f.contentType = "application/typescript; charset=utf-8"
			e.byURL[f.url] = lasting{f, cachedForAnHour}
		default:
			return nil, fmt.Errorf("%s is no name for what is in it", name)
		}
	}
	return e, nil
}

// Script is where the present script is served for ever, and its integrity.
func (e *Embed) Script() (url, integrity string) { return e.script.url, e.script.integrity }

// Body returns the present script, which must not be written to.
func (e *Embed) Body() []byte { return e.script.body }

// ServeHTTP serves the files to pages of any site, and nothing else.
func (e *Embed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	f, ok := e.byURL[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h.Set("Access-Control-Allow-Origin", "*") // integrity is only looked at where the answer may be read
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cache)
	h.Set("ETag", `"`+strings.TrimPrefix(f.integrity, "sha384-")+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
