package web_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/handoff-portal/handoff/internal/config"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
)

// guide is every page of the guide, by its path, found by following its links.
func (w *world) guide() map[string]*goquery.Document {
	w.t.Helper()
	reader := w.person(desktop)
	found := map[string]*goquery.Document{}
	for todo := []string{"/docs"}; len(todo) > 0; todo = todo[1:] {
		path := todo[0]
		if found[path] != nil {
			continue
		}
		a := send(w.t, reader.client, reader.request(http.MethodGet, w.public+path, nil))
		if a.StatusCode != http.StatusOK {
			w.t.Errorf("GET %s = %d, want 200", path, a.StatusCode)
		}
		page := a.page(w.t)
		found[path] = page
		page.Find("a").Each(func(_ int, link *goquery.Selection) {
			if to, _, _ := strings.Cut(link.AttrOr("href", ""), "#"); strings.HasPrefix(to, "/docs") {
				todo = append(todo, to)
			}
		})
	}
	return found
}

// Every page has one heading, titles nobody else's, and links that lead somewhere.
func TestGuideHangsTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.twoHosts = true })
	pages := w.guide()
	titles := map[string]string{}
	for path, page := range pages {
		if n := page.Find("h1").Length(); n != 1 {
			t.Errorf("%s has %d headings of the first level, want 1", path, n)
		}
		title := page.Find("title").Text()
		if other, taken := titles[title]; taken {
			t.Errorf("%s and %s have the title %q", path, other, title)
		}
		titles[title] = path
		ids := map[string]bool{}
		page.Find("[id]").Each(func(_ int, s *goquery.Selection) {
			if id := s.AttrOr("id", ""); ids[id] {
				t.Errorf("%s has the id %q twice", path, id)
			} else {
				ids[id] = true
			}
		})
		page.Find("a[href*='#']").Each(func(_ int, s *goquery.Selection) {
			to, id, _ := strings.Cut(s.AttrOr("href", ""), "#")
			target := page
			if to != "" {
				target = pages[to]
			}
			if target != nil && target.Find("#"+id).Length() != 1 {
				t.Errorf("%s links to %s#%s, which is not there", path, to, id)
			}
		})
		page.Find(".sample").Each(func(_ int, s *goquery.Selection) {
			if code := s.Find("code").Text(); strings.Contains(code, "go.example.com") || strings.Contains(code, "link.example.com") {
				t.Errorf("%s: the sample %s has an address of nobody", path, s.AttrOr("data-sample", ""))
			}
		})
	}
	if len(pages) < 12+len(handoff.PublicCodes()) {
		t.Errorf("found %d pages, want all of the guide and one for each code", len(pages))
	}
}

// Each code of the API has its page, which says what the answer says: the page is
// the type of its problems.
func TestGuideHasEveryCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	declared := publicCodes(t)
	listed := handoff.PublicCodes()
	if len(declared) != len(listed) {
		t.Errorf("PublicCodes() has %d codes, and %d are declared", len(listed), len(declared))
	}
	pages := w.guide()
	for _, code := range declared {
		page := pages["/docs/errors/"+code]
		if page == nil {
			t.Errorf("the guide has no page on %s", code)
			continue
		}
		if h1 := page.Find("h1").Text(); h1 != code {
			t.Errorf("the page on %s is headed %q", code, h1)
		}
		page.Find("main > p").Each(func(_ int, p *goquery.Selection) {
			if len(strings.TrimSpace(p.Text())) < 8 {
				t.Errorf("the page on %s says %q", code, p.Text())
			}
		})
	}
	a := w.raw(http.MethodGet, "/v1/nothing", "")
	var p struct {
		Type   string
		Status int
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatal(err)
	}
	page := pages[strings.TrimPrefix(p.Type, w.public)]
	if page == nil {
		t.Fatalf("a problem's type is %q, which is no page of the guide", p.Type)
	}
	if got := page.Find("main > p code").First().Text(); got != strconv.Itoa(p.Status) {
		t.Errorf("%s says that the status is %s, want %d", p.Type, got, p.Status)
	}
}

// publicCodes are the codes of the first const block of internal/handoff/errors.go.
func publicCodes(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(gotoken.NewFileSet(), "../internal/handoff/errors.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, d := range f.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || block.Tok != gotoken.CONST || !strings.Contains(block.Doc.Text(), "codes of the public contract") {
			continue
		}
		for _, s := range block.Specs {
			text, err := strconv.Unquote(s.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, text)
		}
	}
	if len(codes) < 15 {
		t.Fatalf("found the codes %q, want those of the contract", codes)
	}
	return codes
}

// The diagram, the words below it and the table have every status there is.
func TestGuideHasEveryStatus(t *testing.T) {
	t.Parallel()
	page := newWorld(t).guide()["/docs/states"]
	drawn, told := map[string]int{}, page.Find("#diagram ~ p").First().Text()
	page.Find("svg text").Each(func(_ int, s *goquery.Selection) { drawn[s.Text()]++ })
	for _, s := range handoff.Statuses() {
		row := page.Find("tbody tr").FilterFunction(func(_ int, r *goquery.Selection) bool { return r.Find("th").Text() == string(s) })
		if drawn[string(s)] != 1 || !strings.Contains(told, string(s)) || row.Length() != 1 || len(row.Find("td").Text()) < 20 {
			t.Errorf("the page on states has %s drawn %d times, told %v, described %q", s, drawn[string(s)], strings.Contains(told, string(s)), row.Text())
		}
	}
}

// The configuration that the guide prints is one, without any fault, and has every
// key that there is.
func TestGuideConfiguration(t *testing.T) {
	t.Parallel()
	page := newWorld(t).guide()["/docs/configuration"]
	text := page.Find("[data-sample='handoff.yaml'] code").Text()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "acme.svg"), []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>`), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HANDOFF_KEY": keyring.Generate(), "ACME_HOOK": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	// The page has this portal's own addresses, which are on loopback.
	if _, err := config.Parse(filepath.Join(dir, "handoff.yaml"), []byte(text), func(name string) string {
		if v, ok := env[name]; ok {
			return v
		}
		return "x-" + name
	}); err != nil {
		t.Errorf("the guide's configuration: %v", err)
	}
	for _, key := range configKeys(t) {
		if !regexp.MustCompile(`\b` + key + `\b`).MatchString(page.Find("main").Text()) {
			t.Errorf("the page on the configuration does not mention %s", key)
		}
	}
}

// configKeys are the keys that internal/config reads, by its source.
func configKeys(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../internal/config/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	add := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == gotoken.STRING {
				if key, err := strconv.Unquote(l.Value); err == nil {
					keys = append(keys, key)
				}
			}
			return true
		})
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "partnerKeys" {
					add(n)
				}
			case *ast.CallExpr:
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "section" {
					for _, arg := range n.Args {
						add(arg)
					}
				}
			}
			return true
		})
	}
	if len(keys) < 60 {
		t.Fatalf("found the keys %q, want all of the configuration", keys)
	}
	return keys
}

// Pieces of JSON in the guide are JSON.
func TestGuideJSON(t *testing.T) {
	t.Parallel()
	for path, page := range newWorld(t).guide() {
		page.Find(".sample[data-sample$='.json']").Each(func(_ int, s *goquery.Selection) {
			if code := s.Find("code").Text(); !json.Valid([]byte(code)) {
				t.Errorf("%s: the sample %s is no JSON", path, s.AttrOr("data-sample", ""))
			}
		})
	}
}

// The reference has every operation, parameter, answer and field of the document
// that the portal serves, and every link in it leads to one of them.
func TestGuideReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.guide()["/docs/api"]
	var d struct {
		Paths, Webhooks map[string]map[string]json.RawMessage
		Components      struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Properties map[string]any }
			}
		}
	}
	if err := json.Unmarshal(w.raw(http.MethodGet, "/v1/openapi.json", "").body, &d); err != nil {
		t.Fatal(err)
	}
	names := func(section *goquery.Selection) map[string]bool {
		all := map[string]bool{}
		section.Find("tbody th").Each(func(_ int, s *goquery.Selection) {
			name, _, _ := strings.Cut(strings.TrimSpace(s.Text()), " ")
			all[name] = true
		})
		return all
	}
	operations := 0
	for _, paths := range []map[string]map[string]json.RawMessage{d.Paths, d.Webhooks} {
		for path, item := range paths {
			for method, raw := range item {
				var o struct {
					OperationID, Summary string
					Parameters           []struct{ Name string }
					Responses            map[string]any
				}
				if method != "get" && method != "post" || json.Unmarshal(raw, &o) != nil {
					if method != "parameters" && method != "servers" {
						t.Errorf("the test does not understand %s of %s", method, path)
					}
					continue
				}
				operations++
				section := page.Find("#" + o.OperationID)
				if section.Find("h3").Text() != o.Summary || (strings.HasPrefix(path, "/") && !strings.Contains(section.Text(), strings.ToUpper(method)+" "+path)) {
					t.Errorf("the reference has no section for %s %s", method, path)
				}
				there := names(section)
				for _, p := range o.Parameters {
					if p.Name != "" && !there[p.Name] {
						t.Errorf("the reference has no parameter %s of %s", p.Name, o.OperationID)
					}
				}
				for status := range o.Responses {
					if !there[status] && !strings.Contains(section.Text(), "Answer "+status) {
						t.Errorf("the reference has no answer %s of %s", status, o.OperationID)
					}
				}
			}
		}
	}
	if operations < 13 {
		t.Errorf("the document has %d operations, want all of the contract", operations)
	}
	for name, s := range d.Components.Schemas {
		there := names(page.Find("#schema-" + name))
		for field, f := range s.Properties {
			if !there[field] {
				t.Errorf("the reference has no field %s of %s", field, name)
			}
			for inner := range f.Properties {
				if !there[field+"."+inner] {
					t.Errorf("the reference has no field %s.%s of %s", field, inner, name)
				}
			}
		}
	}
}
