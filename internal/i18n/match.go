package i18n

import "golang.org/x/text/language"

// Limits on what Match reads: a browser's list is far below both, and parsing
// takes time that grows with the input.
const (
	maxAccept = 500 // bytes of an Accept-Language header
	maxTag    = 64  // bytes of a single tag
)

// Match returns the language to speak: the first that we have of the handoff's
// locale and the Accept-Language header (RFC 9110 §12.5.4), else Source. Only the
// locale, which a partner names, chooses a draft. Both may be anything at all; what
// is malformed or too long is passed over.
func (c *Catalog) Match(locale, acceptLanguage string) Lang {
	if locale != "" && len(locale) <= maxTag {
		if tag, err := language.Parse(locale); err == nil {
			if lang, ok := c.all.best(tag); ok {
				return lang
			}
		}
	}
	if acceptLanguage != "" && len(acceptLanguage) <= maxAccept {
		if tags, _, err := language.ParseAcceptLanguage(acceptLanguage); err == nil {
			if lang, ok := c.offered.best(tags...); ok {
				return lang
			}
		}
	}
	return Source
}

// Has returns lang if we have exactly that language, for a person's own choice
// from the menu.
func (c *Catalog) Has(lang string) (Lang, bool) {
	_, ok := c.tongues[Lang(lang)]
	return Lang(lang), ok
}

// best does not take the matcher's guesses (Low confidence), which include
// English for everything unknown.
func (c choice) best(tags ...language.Tag) (Lang, bool) {
	_, i, confidence := c.matcher.Match(tags...)
	if confidence < language.High {
		return "", false
	}
	return c.langs[i], true
}
