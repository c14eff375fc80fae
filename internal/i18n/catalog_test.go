package i18n_test

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/handoff-portal/handoff/internal/i18n"
)

// loaded is what every test reads: nobody writes to a catalogue.
var loaded = sync.OnceValues(i18n.Load)

func load(tb testing.TB) *i18n.Catalog {
	tb.Helper()
	c, err := loaded()
	if err != nil {
		tb.Fatalf("Load() error = %v", err)
	}
	return c
}

// entries reads a language file as it is written: texts by key, the forms of a
// plural under key[form].
func entries(t *testing.T, lang i18n.Lang) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("lang", string(lang)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatalf("%s: %v", lang, err)
	}
	texts := map[string]string{}
	for key, value := range file {
		switch v := value.(type) {
		case string:
			texts[key] = v
		case map[string]any:
			for form, text := range v {
				texts[key+"["+form+"]"], _ = text.(string)
			}
		}
	}
	return texts
}

// messageKey is the key of an entry, without its plural form.
func messageKey(entry string) string { key, _, _ := strings.Cut(entry, "["); return key }

// TestLanguagesHaveTheSameKeys lets a language leave out only what its words do not
// need: the texts for the other target, where the common one does.
func TestLanguagesHaveTheSameKeys(t *testing.T) {
	c := load(t)
	want := map[string]bool{}
	for entry := range entries(t, i18n.Source) {
		want[messageKey(entry)] = true
	}
	for _, lang := range c.Langs() {
		got := map[string]bool{}
		for entry := range entries(t, lang) {
			got[messageKey(entry)] = true
		}
		for key := range want {
			if !got[key] {
				t.Errorf("%s has no text for %s", lang, key)
			}
		}
		for key := range got {
			if !want[key] && !strings.HasPrefix(key, "_") {
				t.Errorf("%s has a text for %s, which %s has not", lang, key, i18n.Source)
			}
		}
	}
}

var placeholderForm = regexp.MustCompile(`\{([^}]*)\}`)

func placeholders(text string) []string {
	var names []string
	for _, m := range placeholderForm.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestPlaceholders holds every language to the source's placeholders. The number
// may be left to words in the forms that stand for few: "one minute", "دقيقتين".
func TestPlaceholders(t *testing.T) {
	c := load(t)
	source := entries(t, i18n.Source)
	for _, lang := range c.Langs() {
		for entry, text := range entries(t, lang) {
			if strings.HasPrefix(entry, "_") {
				continue
			}
			key := messageKey(entry)
			want := placeholders(source[entry])
			if entry != key {
				want = placeholders(source[key+"[other]"])
			}
			got := placeholders(text)
			if slices.Equal(got, want) {
				continue
			}
			words := strings.HasSuffix(entry, "[zero]") || strings.HasSuffix(entry, "[one]") || strings.HasSuffix(entry, "[two]")
			if words && slices.Equal(append(got, "n"), want) {
				continue
			}
			t.Errorf("%s, %s: placeholders %v, want %v, in %q", lang, entry, got, want, text)
		}
	}
}

// sameAsSource lists what may read the same in a language as in English.
func sameAsSource() map[string]bool {
	return map[string]bool{"common.title": true}
}

func TestNothingIsLeftInEnglish(t *testing.T) {
	c := load(t)
	source, allowed := entries(t, i18n.Source), sameAsSource()
	for _, lang := range c.Langs() {
		if lang == i18n.Source || strings.HasPrefix(string(lang), "en-") {
			continue
		}
		for entry, text := range entries(t, lang) {
			if text == source[entry] && !allowed[messageKey(entry)] {
				t.Errorf("%s, %s: %q, as in %s", lang, entry, text, i18n.Source)
			}
		}
	}
}

// TestTextIsPlain keeps markup, stray spaces, shouting and words that people do not
// use out of every language.
func TestTextIsPlain(t *testing.T) {
	c := load(t)
	jargon := regexp.MustCompile(`(?i)\b(token|session|instance|invalid)\b`)
	for _, lang := range c.Langs() {
		for entry, text := range entries(t, lang) {
			switch {
			case strings.ContainsAny(text, "<>&"):
				t.Errorf("%s, %s: markup in %q", lang, entry, text)
			case strings.TrimSpace(text) != text || strings.Contains(text, "  "):
				t.Errorf("%s, %s: stray space in %q", lang, entry, text)
			case strings.ContainsAny(text, "!！¡"):
				t.Errorf("%s, %s: exclamation mark in %q", lang, entry, text)
			case jargon.MatchString(text):
				t.Errorf("%s, %s: jargon in %q", lang, entry, text)
			}
		}
	}
}

// TestNumbersReadForwards keeps a number that is written in groups from being read
// backwards, group by group, where the text around it runs from right to left.
func TestNumbersReadForwards(t *testing.T) {
	c := load(t)
	groups := regexp.MustCompile(`[^\x{2066}]\+[0-9]+ [0-9]`)
	for _, lang := range c.Langs() {
		for entry, text := range entries(t, lang) {
			if c.Dir(lang) == "rtl" && groups.MatchString(text) {
				t.Errorf("%s, %s: a number in groups that no U+2066 holds together, in %q", lang, entry, text)
			}
		}
	}
}

// TestFilesSayNothingTwice reads the files as a stream of tokens, since JSON keeps
// the last of two equal keys and says nothing.
func TestFilesSayNothingTwice(t *testing.T) {
	for _, lang := range load(t).Langs() {
		f, err := os.Open(filepath.Join("lang", string(lang)+".json"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		d := json.NewDecoder(f)
		seen, depth, isKey := map[string]bool{}, 0, false
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", lang, err)
			}
			switch v := tok.(type) {
			case json.Delim:
				if v == '{' {
					depth++
				} else {
					depth--
				}
				isKey = depth == 1
			case string:
				if depth != 1 {
					continue
				}
				if isKey && seen[v] {
					t.Errorf("%s has %s twice", lang, v)
				}
				seen[v] = seen[v] || isKey
				isKey = !isKey
			}
		}
	}
}

// TestKeysAreUsed reads the program: every key in it exists, and every key there is
// is in it. A key is written out wherever it is used, never put together.
func TestKeysAreUsed(t *testing.T) {
	c := load(t)
	keys := c.Keys()
	used := map[string]bool{}
	literal := regexp.MustCompile(`"([a-z_]+(?:\.[a-z0-9_]+)+)"`)
	lookup := regexp.MustCompile(`\bT\("([^"]+)"|\bForms\("([^"]+)"`)
	root := filepath.Join("..", "..")
	for _, folder := range []string{"templates", "web", filepath.Join("internal", "i18n")} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(name string, d os.DirEntry, err error) error {
			if err != nil {
				if os.IsNotExist(err) {
					return nil
				}
				return err
			}
			ours := strings.HasSuffix(name, ".templ") ||
				strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") && !strings.HasSuffix(name, "_templ.go")
			if d.IsDir() || !ours {
				return nil
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			for _, m := range lookup.FindAllStringSubmatch(string(text), -1) {
				if key := m[1] + m[2]; !slices.Contains(keys, key) {
					t.Errorf("%s uses %s, which has no text", name, key)
				}
			}
			for _, m := range literal.FindAllStringSubmatch(string(text), -1) {
				used[m[1]] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range keys {
		if base, _, _ := strings.Cut(key, "@"); !used[base] {
			t.Errorf("%s is used nowhere", key)
		}
	}
}
