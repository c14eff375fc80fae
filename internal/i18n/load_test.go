package i18n

import (
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/text/language"
)

func TestLoadFaults(t *testing.T) {
	tests := []struct{ name, file, text, want string }{
		{"not a tag", "lang/nonsense-tag-x.json", `{"_name":"N"}`, "not a language tag"},
		{"not JSON", "lang/fr.json", `{`, "unexpected end"},
		{"no name", "lang/fr.json", `{"a":"b"}`, "no _name"},
		{"empty text", "lang/fr.json", `{"_name":"N","a":""}`, "no text"},
		{"a number", "lang/fr.json", `{"_name":"N","a":1}`, "is neither a text"},
		{"nine digits", "lang/fr.json", `{"_name":"N","_digits":"012345678"}`, "9 digits"},
		{"missing form", "lang/pl.json", `{"_name":"N","a":{"one":"x","other":"y"}}`, `no plural form "few"`},
		{"form too many", "lang/fr.json", `{"_name":"N","a":{"one":"x","two":"y","other":"z"}}`, "want [one other] alone"},
	}
	for _, tt := range tests {
		fsys := fstest.MapFS{
			"lang/en.json": {Data: []byte(`{"_name":"English"}`)},
			tt.file:        {Data: []byte(tt.text)},
		}
		if _, err := load(fsys); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: load(%s) error = %v, want one with %q", tt.name, tt.text, err, tt.want)
		}
	}
	if _, err := load(fstest.MapFS{"lang/de.json": {Data: []byte(`{"_name":"Deutsch"}`)}}); err == nil {
		t.Error("load without English: error = nil, want one")
	}
}

func TestCategories(t *testing.T) {
	for lang, want := range map[string]string{
		"en": "one other", "ja": "other", "fr": "one other", "pl": "one few many other", "ar": "zero one two few many other",
		"lv": "zero one other", "lt": "one few other", "ga": "one two few many other", "mt": "one two few many other", "eu": "one other",
	} {
		if got := strings.Join(categories(language.MustParse(lang)), " "); got != want {
			t.Errorf("categories(%s) = %q, want %q", lang, got, want)
		}
	}
}
