// Package static embeds the portal's stylesheets, scripts and images and serves
// them under names that carry a hash of their content.
package static

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
)

//go:embed css js img
var files embed.FS

// Assets are the files under their hashed names. They are read-only and safe for
// concurrent use.
type Assets struct {
	byName map[string]asset  // "css/app.css"
	byURL  map[string]string // hashed URL to name
}

// asset is one file, ready to send.
type asset struct {
	url         string
	integrity   string
	contentType string
	body        []byte
	zip         []byte // body in gzip
}

// Load hashes every file once. Prefix is the path they are served under, with a
// slash at each end: "/static/".
func Load(prefix string) (*Assets, error) {
	if !strings.HasPrefix(prefix, "/") || !strings.HasSuffix(prefix, "/") {
		return nil, fmt.Errorf("asset prefix %q: needs a slash at each end", prefix)
	}
	a := &Assets{byName: map[string]asset{}, byURL: map[string]string{}}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && name != parts {
			return err
		}
		var body []byte
		if d.IsDir() {
			name += ".css"
			body, err = joined(parts)
		} else {
			body, err = files.ReadFile(name)
		}
		if err != nil {
			return fmt.Errorf("reading asset %s: %w", name, err)
		}
		contentType, ok := typeOf(name)
		if !ok {
			return fmt.Errorf("asset %s: no content type for its extension", name)
		}
		if path.Ext(name) == ".css" {
			body = squeezed(body)
		}
		url := prefix + Hashed(name, body)
		zip, err := Gzip(body)
		if err != nil {
			return err
		}
		a.byName[name] = asset{url: url, integrity: Integrity(body), contentType: contentType, body: body, zip: zip}
		a.byURL[url] = name
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// parts is the folder of css/app.css, which is served as one.
const parts = "css/app"

// joined is the sheets of a folder as one, in the order of their names: that of the
// cascade.
func joined(folder string) ([]byte, error) {
	names, err := fs.Glob(files, folder+"/*.css")
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, name := range names {
		part, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, part)
	}
	return bytes.Join(all, nil), nil
}

// squeezed is a sheet without what only its writers need: comments, the ends and
// beginnings of lines, and spaces beside marks. A sheet stands in every page. No text
// in quotes of ours has any of these.
func squeezed(css []byte) []byte {
	css = comment.ReplaceAll(css, nil)
	css = afterMark.ReplaceAll(css, []byte("$1"))
	css = lineBreak.ReplaceAll(css, []byte(" "))
	css = besideMark.ReplaceAll(css, []byte("$1"))
	css = afterColon.ReplaceAll(css, []byte("$1")) // before one, it is another selector
	return bytes.TrimSpace(bytes.ReplaceAll(css, []byte(";}"), []byte("}")))
}

var (
	comment    = regexp.MustCompile(`(?s)/\*.*?\*/`)
	afterMark  = regexp.MustCompile(`([{};,])\s*\n\s*`)
	lineBreak  = regexp.MustCompile(`\s*\n\s*`)
	besideMark = regexp.MustCompile(` ?([{},>]) ?`)
	afterColon = regexp.MustCompile(`(:) `)
)

// Hashed returns name with twelve hex digits of body's SHA-256 before the extension.
func Hashed(name string, body []byte) string {
	sum := sha256.Sum256(body)
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
}

// Integrity returns body's hash in the form of the integrity attribute
// (Subresource Integrity, SHA-384).
func Integrity(body []byte) string {
	sum := sha512.Sum384(body)
	return "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
}

// StyleHash is the source expression by which a Content-Security-Policy allows a
// style element with this text (CSP 3, §2.3.1).
func StyleHash(text []byte) string {
	sum := sha256.Sum256(text)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// typeOf does not ask the system's MIME table, which differs between machines.
func typeOf(name string) (string, bool) {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8", true
	case ".js":
		return "text/javascript; charset=utf-8", true
	case ".svg":
		return "image/svg+xml", true
	case ".png":
		return "image/png", true
	}
	return "", false
}

// URL returns where the file is served. It panics on a name that is not embedded:
// a typo in the program, found by the first test that renders a page.
func (a *Assets) URL(name string) string { return a.named(name).url }

// Integrity returns the file's hash for an integrity attribute, and panics as URL does.
func (a *Assets) Integrity(name string) string { return a.named(name).integrity }

// Body returns the file's content, which must not be written to, and panics as URL does.
func (a *Assets) Body(name string) []byte { return a.named(name).body }

func (a *Assets) named(name string) asset {
	f, ok := a.byName[name]
	if !ok {
		panic("static: no asset " + name)
	}
	return f
}

// ServeHTTP serves the hashed names and nothing else.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := a.byURL[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	f := a.byName[name]
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", cachedForEver)
	h.Set("X-Content-Type-Options", "nosniff")
	Serve(w, r, f.body, f.zip)
}
