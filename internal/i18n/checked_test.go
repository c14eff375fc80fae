package i18n_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/i18n"
)

// securityTexts are those by which a person tells a trick from the real thing: who
// asks, "This wasn't me", the number, and the ends.
func securityTexts() []string {
	return []string{
		"display.waiting.warning", "display.number.heading", "display.number.from", "display.number.wrong", "display.number.not_mine",
		"display.too_many.heading", "display.too_many.text", "display.expired.text", "display.cancelled.text", "display.late",
		"display.rejected.text", "display.failed.text", "display.replaced.text",
		"phone.landing.heading", "phone.landing.warning", "phone.landing.continue", "phone.landing.reject",
		"phone.elsewhere.heading", "phone.elsewhere.text", "phone.elsewhere.continue", "phone.number.heading", "phone.number.text",
		"phone.old_code.heading", "phone.old_code.text", "phone.ended.heading", "phone.ended.text", "phone.stopped.text",
		"phone.other_phone.text", "phone.wrong_number.heading", "phone.wrong_number.text",
		"phone.reject.heading", "phone.reject.text", "phone.reject.stop", "phone.reject.back",
	}
}

// A language that says when it was checked has its back-translation on record, of
// every security text; and one with a record says so.
func TestCheckedLanguages(t *testing.T) {
	c := load(t)
	for _, key := range securityTexts() {
		if !slices.Contains(c.Keys(), key) {
			t.Errorf("%s is no key any more", key)
		}
	}
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "languages.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for section := range strings.SplitSeq(string(raw), "\n## ") {
		if head, body, ok := strings.Cut(section, "\n"); ok {
			if lang, _, ok := strings.Cut(head, ":"); ok {
				sections[lang] = body
			}
		}
	}
	for _, lang := range c.Langs() {
		if lang == i18n.Source {
			continue
		}
		section, recorded := sections[string(lang)]
		checked := slices.Contains(c.Offered(), lang)
		if checked != recorded {
			t.Errorf("%s is checked: %t, and its back-translation is in docs/languages.md: %t", lang, checked, recorded)
		}
		if !recorded {
			continue
		}
		for _, key := range securityTexts() {
			_, row, _ := strings.Cut(section, "| `"+key+"` | ")
			if row, _, _ = strings.Cut(row, "\n"); len(strings.TrimSpace(strings.TrimSuffix(row, "|"))) < 2 {
				t.Errorf("%s: no back-translation of %s in docs/languages.md", lang, key)
			}
		}
	}
}

// A draft is spoken where a partner names it, and to nobody else.
func TestDrafts(t *testing.T) {
	c := load(t)
	for _, lang := range c.Langs() {
		if got := c.Match(string(lang), "en"); got != lang {
			t.Errorf("Match(%s, en) = %s, want what the partner named", lang, got)
		}
		// Instead of a draft one of the offered languages that its readers know may do: Spanish for Catalan.
		got := c.Match("", string(lang))
		if offered := slices.Contains(c.Offered(), lang); offered != (got == lang) {
			t.Errorf("Match(\"\", %s) = %s, and it is offered: %t", lang, got, offered)
		}
	}
}
