// Package i18n turns message keys into text in the reader's language.
//
// A language is one file, lang/{tag}.json, of keys and texts; adding a file adds
// the language. English is the source: what it has, every other language has.
package i18n
