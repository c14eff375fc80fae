package i18n_test

import (
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/i18n"
)

func TestT(t *testing.T) {
	c := load(t)
	texts := i18n.Override{
		"common.back":                      {"en": "Back to the shop", "de": ""},
		"display.waiting.heading@computer": {"en": "Carry on at your desk"},
	}
	tests := []struct {
		name    string
		printer i18n.Printer
		key     string
		args    []any
		want    string
	}{
		{"plain", c.Printer("en", nil), "common.cancel", nil, "Cancel"},
		{"filled", c.Printer("en", nil), "common.back", []any{"partner", "Acme Bank"}, "Back to Acme Bank"},
		{"a value is not read again", c.Printer("en", nil), "common.back", []any{"partner", "{partner}"}, "Back to {partner}"},
		{"a missing value shows", c.Printer("en", nil), "common.back", []any{"x", "y"}, "Back to {partner}"},
		{"unknown key", c.Printer("en", nil), "no.such.key", nil, "no.such.key"},
		{"unknown language", c.Printer("xx", nil), "common.cancel", nil, "Cancel"},
		{"zero printer", i18n.Printer{}, "common.cancel", nil, "common.cancel"},
		{"one", c.Printer("en", nil), "display.number.wrong", []any{"n", 1}, "That’s not the number. One try left."},
		{"other", c.Printer("en", nil), "display.number.wrong", []any{"n", 2}, "That’s not the number. 2 tries left."},
		{"arabic two", c.Printer("ar", nil), "time.minutes", []any{"n", 2}, "دقيقتين"},
		{"arabic few, in its digits", c.Printer("ar", nil), "time.minutes", []any{"n", 9}, "\u2068٩\u2069 دقائق"},
		{"isolated in Arabic", c.Printer("ar", nil), "common.back", []any{"partner", "Acme"}, "العودة إلى \u2068Acme\u2069"},
		{"isolated if Arabic", c.Printer("en", nil), "common.back", []any{"partner", "بنك"}, "Back to \u2068بنك\u2069"},
		{"target", c.Printer("en", nil).For(i18n.Computer), "display.connected.heading", nil, "Your computer is connected"},
		{"target, common text", c.Printer("en", nil).For(i18n.Computer), "common.cancel", nil, "Cancel"},
		{"partner's", c.Printer("en", texts), "common.back", nil, "Back to the shop"},
		{"partner's, empty", c.Printer("de", texts), "common.back", []any{"partner", "Acme"}, "Zurück zu Acme"},
		{"partner's, for a target", c.Printer("en", texts).For(i18n.Computer), "display.waiting.heading", nil, "Carry on at your desk"},
		{"partner's, for the other", c.Printer("en", texts), "display.waiting.heading", nil, "Continue on your phone"},
	}
	for _, tt := range tests {
		if got := tt.printer.T(tt.key, tt.args...); got != tt.want {
			t.Errorf("%s: T(%q, %v) = %q, want %q", tt.name, tt.key, tt.args, got, tt.want)
		}
	}
}

func TestTimes(t *testing.T) {
	c := load(t)
	en, de, bn, sr := c.Printer("en", nil), c.Printer("de", nil), c.Printer("bn", nil), c.Printer("sr", nil)
	tests := []struct{ name, got, want string }{
		{"Ago(-1h)", en.Ago(-time.Hour), "a moment ago"},
		{"Ago(10s)", en.Ago(10 * time.Second), "a moment ago"},
		{"Ago(50s)", en.Ago(50 * time.Second), "1 minute ago"},
		{"Ago(2m)", de.Ago(2 * time.Minute), "vor 2 Minuten"},
		{"Ago(3h)", en.Ago(3 * time.Hour), "3 hours ago"},
		{"Span(30s)", en.Span(30 * time.Second), "30 seconds"},
		{"Span(15m)", en.Span(15 * time.Minute), "15 minutes"},
		{"Span(15m), de", de.Span(15 * time.Minute), "15 Minuten"},
		{"Ago(12m), bn, in its digits", bn.Ago(12 * time.Minute), "১২ মিনিট আগে"},
		{"Span(21m), sr", sr.Span(21 * time.Minute), "21 минут"},
		{"Left(22s), sr", sr.Left(22 * time.Second), "још 22 секунде"},
		{"Span(90m)", en.Span(90 * time.Minute), "90 minutes"},
		{"Span(24h)", en.Span(24 * time.Hour), "24 hours"},
		{"Left(14m59s)", en.Left(14*time.Minute + 59*time.Second), "15 minutes left"},
		{"Left(61s)", en.Left(61 * time.Second), "2 minutes left"},
		{"Left(1m)", en.Left(time.Minute), "60 seconds left"},
		{"Left(1s)", en.Left(time.Second), "1 second left"},
		{"Left(-1s)", en.Left(-time.Second), "0 seconds left"},
		{"Left(3h)", en.Left(3 * time.Hour), "3 hours left"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s = %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestDirAndName(t *testing.T) {
	c := load(t)
	for lang, want := range map[i18n.Lang]string{"en": "ltr English", "de": "ltr Deutsch", "ar": "rtl العربية", "xx": "ltr xx"} {
		if got := c.Dir(lang) + " " + c.Name(lang); got != want {
			t.Errorf("Dir and Name of %s = %q, want %q", lang, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	c := load(t)
	tests := []struct {
		locale, accept string
		want           i18n.Lang
	}{
		{"", "", "en"},
		{"de", "ar", "de"},
		{"de-AT", "", "de"},
		{"de_CH", "", "de"},
		{"xx", "ar-EG,en;q=0.5", "ar"},
		{"", "eo;q=0.9, de;q=0.8", "de"},
		{"", "en;q=0.1, de;q=0.9", "de"},
		{"", "*", "en"},
		{"not a tag", "de", "de"},
		{strings.Repeat("de-", 100), "ar", "ar"},
		{"", strings.Repeat("de,", 1000), "en"},
	}
	for _, tt := range tests {
		if got := c.Match(tt.locale, tt.accept); got != tt.want {
			t.Errorf("Match(%.20q, %.20q) = %s, want %s", tt.locale, tt.accept, got, tt.want)
		}
	}
}

func FuzzMatch(f *testing.F) {
	c := load(f)
	for _, s := range []string{"de", "de-AT;q=0.5", "*", ",,;q=", "x-y-z", "zh-Hant-TW", "\x00", "i-klingon"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, locale, accept string) {
		if got, ok := c.Has(string(c.Match(locale, accept))); !ok {
			t.Errorf("Match(%q, %q) = %q, which is not a language of ours", locale, accept, got)
		}
	})
}

func TestASCIIDigits(t *testing.T) {
	for in, want := range map[string]string{
		"4831": "4831", " 48 31 ": "4831", "٤٨٣١": "4831", "۴۸۳۱": "4831", "४८३१": "4831", "４８３１": "4831",
		"482-913–0571": "4829130571", "𝟜𝟠𝟛𝟙": "4831", "\u200f٤٨٣١": "4831", "12a4": "12a4", "": "",
	} {
		if got := i18n.ASCIIDigits(in); got != want {
			t.Errorf("ASCIIDigits(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzASCIIDigits(f *testing.F) {
	f.Add("٤٨٣١ 12")
	f.Fuzz(func(t *testing.T, s string) {
		if got := i18n.ASCIIDigits(i18n.ASCIIDigits(s)); got != i18n.ASCIIDigits(s) {
			t.Errorf("ASCIIDigits(ASCIIDigits(%q)) = %q, want %q", s, got, i18n.ASCIIDigits(s))
		}
	})
}
