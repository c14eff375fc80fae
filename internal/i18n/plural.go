package i18n

import (
	"slices"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Categories lists the plural categories of CLDR.
func Categories() []string { return []string{"zero", "one", "two", "few", "many", "other"} }

// category returns the plural category of the integer n (CLDR's cardinal rules).
func category(tag language.Tag, n int) string {
	// Browsers count by a newer CLDR than golang.org/x/text has: in that, Maltese has
	// a form for two.
	if n == 2 {
		if base, _ := tag.Base(); base.String() == "mt" {
			return "two"
		}
	}
	switch plural.Cardinal.MatchPlural(tag, max(n, -n), 0, 0, 0, 0) {
	case plural.Zero:
		return "zero"
	case plural.One:
		return "one"
	case plural.Two:
		return "two"
	case plural.Few:
		return "few"
	case plural.Many:
		return "many"
	case plural.Other:
	}
	return "other"
}

// largest is the largest number that a message ever counts: minutes of a day.
const largest = 1440

// categories lists the categories that lang has for the integers we count, in
// CLDR's order. (French has "many", but from a million on.)
func categories(tag language.Tag) []string {
	seen := map[string]bool{"other": true} // for fractions, and as the fallback
	for n := range largest + 1 {
		seen[category(tag, n)] = true
	}
	return slices.DeleteFunc(Categories(), func(c string) bool { return !seen[c] })
}
