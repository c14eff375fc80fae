package i18n

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
)

//go:embed lang/*.json
var files embed.FS

// Source is the language the others are translated from, and the one spoken when
// nothing better matches.
const Source Lang = "en"

// Lang is a language with a file, as a BCP 47 tag.
type Lang string

// Catalog holds every language. It is read-only and safe for concurrent use.
type Catalog struct {
	tongues map[Lang]*tongue
	all     choice
	// offered are the languages that a second pair of eyes has checked: the others
	// are drafts, spoken only where a partner names them.
	offered choice
}

// choice is what Match chooses from.
type choice struct {
	langs   []Lang // sorted, Source first: the order of the matcher
	matcher language.Matcher
}

// tongue is one language.
type tongue struct {
	lang     Lang
	checked  bool
	tag      language.Tag
	name     string
	rtl      bool
	digits   []rune // ten, or none for 0–9
	messages map[string]message
}

// Load reads the embedded languages and reports everything that is wrong with them.
func Load() (*Catalog, error) { return load(files) }

func load(fsys fs.FS) (*Catalog, error) {
	names, err := fs.Glob(fsys, "lang/*.json")
	if err != nil {
		return nil, fmt.Errorf("listing languages: %w", err)
	}
	c := &Catalog{tongues: make(map[Lang]*tongue)}
	var faults []error
	for _, name := range names {
		t, err := readTongue(fsys, name)
		if err != nil {
			faults = append(faults, fmt.Errorf("language file %s: %w", name, err))
			continue
		}
		c.tongues[t.lang] = t
	}
	if c.tongues[Source] == nil {
		faults = append(faults, fmt.Errorf("no language file for %s", Source))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	langs := slices.SortedFunc(maps.Keys(c.tongues), func(a, b Lang) int {
		switch {
		case a == b:
			return 0
		case a == Source:
			return -1
		case b == Source:
			return 1
		}
		return strings.Compare(string(a), string(b))
	})
	c.all = c.choice(langs)
	c.offered = c.choice(slices.DeleteFunc(slices.Clone(langs), func(l Lang) bool { return l != Source && !c.tongues[l].checked }))
	return c, nil
}

func (c *Catalog) choice(langs []Lang) choice {
	tags := make([]language.Tag, len(langs))
	for i, l := range langs {
		tags[i] = c.tongues[l].tag
	}
	return choice{langs, language.NewMatcher(tags)}
}

// Keys that describe the language rather than say something in it.
const (
	metaName = "_name" // what the language calls itself
	// metaChecked is the day on which its security texts were last checked against
	// the source by translating them back: docs/languages.md has them.
	metaChecked = "_checked"
	metaDigits  = "_digits" // its digits from zero, where they are not 0–9
)

func readTongue(fsys fs.FS, name string) (*tongue, error) {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(path.Base(name), ".json")
	tag, err := language.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("the name is not a language tag: %w", err)
	}
	var entries map[string]any // read in one go: there are 20,000 of them
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, err
	}
	t := &tongue{lang: Lang(base), tag: tag, rtl: rightToLeft(tag), messages: make(map[string]message, len(entries))}
	counts := categories(tag)
	for key, value := range entries {
		if strings.HasPrefix(key, "_") {
			text, _ := value.(string) // what is no string is no name, no day and no digits
			if err := t.about(key, text); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			continue
		}
		m, err := parseMessage(value, counts)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		t.messages[key] = m
	}
	if t.name == "" {
		return nil, fmt.Errorf("no %s", metaName)
	}
	return t, nil
}

// about takes what describes the language.
func (t *tongue) about(key, text string) error {
	switch key {
	case metaName:
		t.name = text
	case metaChecked:
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return err
		}
		t.checked = true
	case metaDigits:
		if t.digits = []rune(text); len(t.digits) != 10 {
			return fmt.Errorf("%d digits, want 10", len(t.digits))
		}
	default:
		return errors.New("there is no such key")
	}
	return nil
}

// parseMessage reads a text, or an object of texts by plural category, which must
// have exactly the categories of need.
func parseMessage(value any, need []string) (message, error) {
	if object, ok := value.(map[string]any); ok {
		forms := make(map[string]string, len(object))
		for category, form := range object {
			forms[category], _ = form.(string)
		}
		for _, category := range need {
			if forms[category] == "" {
				return message{}, fmt.Errorf("no plural form %q", category)
			}
		}
		if len(forms) != len(need) {
			return message{}, fmt.Errorf("plural forms %v, want %v alone", slices.Sorted(maps.Keys(forms)), need)
		}
		return message{forms: forms}, nil
	}
	text, ok := value.(string)
	switch {
	case !ok:
		return message{}, fmt.Errorf("%v is neither a text nor one for each plural form", value)
	case text == "":
		return message{}, errors.New("no text")
	}
	return message{text: text}, nil
}

// rightToLeft reports whether the language is usually written so, by its script.
func rightToLeft(tag language.Tag) bool {
	script, _ := tag.Script()
	switch script.String() {
	case "Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm", "Rohg":
		return true
	}
	return false
}

// Langs lists the languages, English first, then by tag.
func (c *Catalog) Langs() []Lang { return slices.Clone(c.all.langs) }

// Offered lists those that are no drafts, in the same order.
func (c *Catalog) Offered() []Lang { return slices.Clone(c.offered.langs) }

// Name returns what lang calls itself, or the tag of a language we do not have.
func (c *Catalog) Name(lang Lang) string {
	if t := c.tongues[lang]; t != nil {
		return t.name
	}
	return string(lang)
}

// Dir returns "ltr" or "rtl".
func (c *Catalog) Dir(lang Lang) string {
	if t := c.tongues[lang]; t != nil && t.rtl {
		return "rtl"
	}
	return "ltr"
}

// Keys lists the message keys of the source language, sorted.
func (c *Catalog) Keys() []string {
	return slices.Sorted(maps.Keys(c.tongues[Source].messages))
}

// tongue returns the language, or the source for one we do not have.
func (c *Catalog) tongue(lang Lang) *tongue {
	if t := c.tongues[lang]; t != nil {
		return t
	}
	return c.tongues[Source]
}
