package i18n

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/unicode/bidi"
)

// message is a text, or one text for each plural category.
type message struct {
	text  string
	forms map[string]string
}

// Target is the kind of device a handoff asks for, which texts call by its name.
// A key has a text of its own for it, at key@target, where the sentence differs.
type Target string

// The targets.
const (
	Phone    Target = ""
	Computer Target = "computer"
)

// Printer prints messages in one language. It is a value; the zero Printer prints
// the keys themselves.
type Printer struct {
	tongue *tongue
	source *tongue
	texts  Override
	target Target
}

// Printer returns a printer for lang (one we do not have: Source) in which texts
// stand before our own. It does not copy texts.
func (c *Catalog) Printer(lang Lang, texts Override) Printer {
	return Printer{tongue: c.tongue(lang), source: c.tongues[Source], texts: texts}
}

// For returns p for handoffs to the kind of device t.
func (p Printer) For(t Target) Printer {
	p.target = t
	return p
}

// Target returns the kind of device p speaks of.
func (p Printer) Target() Target { return p.target }

// Lang returns the language printed.
func (p Printer) Lang() Lang {
	if p.tongue == nil {
		return Source
	}
	return p.tongue.lang
}

// Dir returns "ltr" or "rtl".
func (p Printer) Dir() string {
	if p.tongue != nil && p.tongue.rtl {
		return "rtl"
	}
	return "ltr"
}

// T returns the message under key, its {placeholders} filled from args: names and
// values in turn. An int is printed in the language's digits; the one called "n"
// chooses the plural form. Values are kept apart from the writing direction around
// them. A key that is nowhere is printed as it is, which the tests of the keys
// make impossible for ours.
func (p Printer) T(key string, args ...any) string {
	text, ok := p.find(key, args)
	if !ok {
		return key
	}
	if len(args) == 0 {
		return text
	}
	return placeholder(text, func(name string) (string, bool) {
		v, ok := argument(args, name)
		if !ok {
			return "", false
		}
		if n, isInt := v.(int); isInt {
			return p.isolate(p.Number(n)), true
		}
		return p.isolate(fmt.Sprint(v)), true
	})
}

// find looks for the text under key: the partner's before ours, the target's
// before the common one, the language before the source.
func (p Printer) find(key string, args []any) (string, bool) {
	keys := []string{key}
	if p.target != Phone {
		keys = []string{key + "@" + string(p.target), key}
	}
	for _, k := range keys {
		if text, ok := p.texts[k][string(p.Lang())]; ok && text != "" {
			return text, true
		}
	}
	for _, t := range []*tongue{p.tongue, p.source} {
		if t == nil {
			continue
		}
		for _, k := range keys {
			m, ok := t.messages[k]
			if !ok {
				continue
			}
			if m.forms == nil {
				return m.text, true
			}
			if n, isInt := count(args); isInt {
				if text, ok := m.forms[category(t.tag, n)]; ok {
					return text, true
				}
			}
			return m.forms["other"], true
		}
	}
	return "", false
}

// Forms returns a plural message's texts by category, placeholders unfilled, for
// a script that counts by itself.
func (p Printer) Forms(key string) map[string]string {
	if p.tongue == nil {
		return nil
	}
	return maps.Clone(p.tongue.messages[key].forms)
}

// Digits returns the language's ten digits from zero.
func (p Printer) Digits() string {
	if p.tongue == nil || p.tongue.digits == nil {
		return "0123456789"
	}
	return string(p.tongue.digits)
}

// Number returns n in the language's digits. Codes that people type are not
// numbers, and stay in 0–9.
func (p Printer) Number(n int) string {
	s := strconv.Itoa(n)
	if p.tongue == nil || p.tongue.digits == nil {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return r
		}
		return p.tongue.digits[r-'0']
	}, s)
}

// Country returns the name of a country, given by its ISO 3166-1 alpha-2 code, in
// the language printed: English where CLDR has no names in it. Empty for none.
func (p Printer) Country(code string) string {
	region, err := language.ParseRegion(code)
	if err != nil || p.tongue == nil {
		return ""
	}
	if namer := display.Regions(p.tongue.tag); namer != nil {
		if name := namer.Name(region); name != "" {
			return name
		}
	}
	return display.English.Regions().Name(region)
}

// Ago says how long ago something was: "a moment ago" within 45 seconds, then in
// minutes, from 90 minutes on in hours. A time to come was a moment ago.
func (p Printer) Ago(d time.Duration) string {
	switch {
	case d < 45*time.Second:
		return p.T("time.now")
	case d < 90*time.Minute:
		return p.T("time.minutes_ago", "n", max(1, whole(d, time.Minute)))
	}
	return p.T("time.hours_ago", "n", whole(d, time.Hour))
}

// Span says how long something is, in hours where it is whole hours from two on,
// in minutes, or below one minute in seconds.
func (p Printer) Span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return p.T("time.seconds", "n", max(0, whole(d, time.Second)))
	case d >= 2*time.Hour && d%time.Hour == 0, d >= 24*time.Hour:
		return p.T("time.hours", "n", whole(d, time.Hour))
	}
	return p.T("time.minutes", "n", whole(d, time.Minute))
}

// Left says how much time is left, rounded up, as a countdown does.
func (p Printer) Left(d time.Duration) string {
	switch {
	case d <= time.Minute:
		return p.T("time.seconds_left", "n", max(0, ceil(d, time.Second)))
	case d > 2*time.Hour:
		return p.T("time.hours_left", "n", ceil(d, time.Hour))
	}
	return p.T("time.minutes_left", "n", ceil(d, time.Minute))
}

func whole(d, unit time.Duration) int { return int((d + unit/2) / unit) }
func ceil(d, unit time.Duration) int  { return int((d + unit - 1) / unit) }

// isolate keeps an inserted value from disturbing the direction of the text around
// it, and the text from disturbing the value (Unicode UAX 9, FSI and PDI). In
// left-to-right text only a value with right-to-left letters needs it.
func (p Printer) isolate(s string) string {
	if p.Dir() == "rtl" || hasRTL(s) {
		return "\u2068" + s + "\u2069"
	}
	return s
}

func hasRTL(s string) bool {
	for _, r := range s {
		if r < 0x590 {
			continue
		}
		props, _ := bidi.LookupRune(r)
		if class := props.Class(); class == bidi.R || class == bidi.AL {
			return true
		}
	}
	return false
}

// argument returns the value that follows name in args.
func argument(args []any, name string) (any, bool) {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == name {
			return args[i+1], true
		}
	}
	return nil, false
}

// count returns the number that chooses the plural form.
func count(args []any) (int, bool) {
	v, _ := argument(args, "n")
	n, ok := v.(int)
	return n, ok
}

// placeholder replaces each {name} in text by what fill returns for it; where that
// is nothing, the placeholder stays.
func placeholder(text string, fill func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, ok := strings.Cut(rest, "}")
		value, known := "", false
		if ok {
			value, known = fill(name)
		}
		if !known {
			b.WriteByte('{')
			text = rest
			continue
		}
		b.WriteString(value)
		text = after
	}
}

// ASCIIDigits returns the decimal digits of s as 0–9 and drops spaces and dashes,
// so that a code typed on any keyboard reads the same. Everything else stays.
func ASCIIDigits(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r):
			return -1
		case unicode.Is(unicode.Nd, r):
			// Unicode keeps decimal digits in runs of ten, zero first, so a
			// digit's value is its distance from the start of its run, mod ten.
			var n rune
			for unicode.Is(unicode.Nd, r-n-1) {
				n++
			}
			return '0' + n%10
		}
		return r
	}, s)
}
