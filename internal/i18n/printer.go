package i18n

import "time"

// Lang is a language with a file, as a BCP 47 tag.
type Lang string

// Override holds a partner's own texts: message key, language, text.
type Override map[string]map[string]string

// Catalog holds every language. It is read-only and safe for concurrent use.
type Catalog struct{}

// Load reads the embedded languages.
func Load() (*Catalog, error) { return &Catalog{}, nil }

// Langs lists the languages by tag.
func (c *Catalog) Langs() []Lang { return []Lang{"en"} }

// Name returns what lang calls itself.
func (c *Catalog) Name(lang Lang) string { return string(lang) }

// Dir returns ltr or rtl.
func (c *Catalog) Dir(lang Lang) string { return "ltr" }

// Match returns the language to speak: the handoff's locale if we have it, else
// the best of Accept-Language, else English. Both may be anything.
func (c *Catalog) Match(locale, acceptLanguage string) Lang { return "en" }

// Printer returns a printer for lang, which may be any tag (unknown: English).
func (c *Catalog) Printer(lang Lang, texts Override) Printer { return Printer{} }

// Target is the kind of device a handoff asks for, which texts call by its name.
type Target string

// The targets.
const (
	Phone    Target = ""
	Computer Target = "computer"
)

// Printer prints messages in one language. The zero Printer prints keys.
type Printer struct{}

// For returns p for handoffs to the other kind of device.
func (p Printer) For(t Target) Printer { return p }

// Lang returns the language printed.
func (p Printer) Lang() Lang { return "en" }

// Dir returns ltr or rtl.
func (p Printer) Dir() string { return "ltr" }

// T returns the message with its placeholders filled: names and values in turn.
func (p Printer) T(key string, args ...any) string { return key }

// Ago returns "a moment ago", "2 minutes ago" and so on.
func (p Printer) Ago(d time.Duration) string { return "" }

// Span returns "15 minutes" and so on.
func (p Printer) Span(d time.Duration) string { return "" }
