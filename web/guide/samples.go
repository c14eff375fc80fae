package guide

import (
	"embed"
	"path"
	"strings"
)

//go:embed samples
var sampleFiles embed.FS

// sample is a piece of code to copy. Tests take it from the page and run it.
type sample struct {
	name     string // such as create.sh
	language string // as people call it
	code     string
}

// The hosts in the files, as in the documentation; a page has this portal's own.
const (
	anyPublic = "https://go.example.com"
	anyLink   = "https://link.example.com"
)

func loadSamples(c Config) (map[string]sample, error) {
	files, err := sampleFiles.ReadDir("samples")
	if err != nil {
		return nil, err
	}
	script, integrity := c.Embed.Script()
	ours := strings.NewReplacer(
		anyPublic, c.Public, anyLink, c.Link, host(anyPublic), host(c.Public), host(anyLink), host(c.Link),
		"/embed/v1.000000000000.js", script, "sha384-HASH", integrity,
	)
	all := make(map[string]sample, len(files))
	for _, f := range files {
		text, err := sampleFiles.ReadFile(path.Join("samples", f.Name()))
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(f.Name(), ".txt") // Go's tools would take a .go file for one of ours
		all[name] = sample{name: name, language: languageOf(name), code: ours.Replace(strings.TrimSuffix(string(text), "\n"))}
	}
	return all, nil
}

// host is an origin without its scheme.
func host(origin string) string {
	_, h, _ := strings.Cut(origin, "://")
	return h
}

func languageOf(name string) string {
	switch path.Ext(name) {
	case ".sh":
		return "Shell"
	case ".go":
		return "Go"
	case ".mjs":
		return "Node"
	case ".py":
		return "Python"
	case ".java":
		return "Java"
	case ".php":
		return "PHP"
	case ".swift":
		return "Swift"
	case ".kt":
		return "Kotlin"
	case ".html":
		return "HTML"
	case ".json":
		return "JSON"
	case ".yaml":
		return "YAML"
	case ".xml":
		return "XML"
	case ".js":
		return "JavaScript"
	}
	return "Text"
}

// sample returns a sample, and panics on a name there is none of: a typo in the
// program, found by the first test that renders the page.
func (v view) sample(name string) sample {
	s, ok := v.samples[name]
	if !ok {
		panic("guide: no sample " + name)
	}
	return s
}
