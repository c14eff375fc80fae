package i18n

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Override holds a partner's own texts: message key, language, text. A key may
// name a target ("key@computer"). Plural messages cannot be overridden.
type Override map[string]map[string]string

// Check reports everything that is wrong with a partner's texts: keys and
// languages that we do not have, plural messages, and placeholders that the
// message has no value for.
func (c *Catalog) Check(texts Override) error {
	var faults []error
	source := c.tongues[Source]
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		base, _, _ := strings.Cut(key, "@")
		m, ok := source.messages[base]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("texts: %q is not a message", key))
			continue
		case m.forms != nil:
			faults = append(faults, fmt.Errorf("texts: %q has plural forms, and cannot be replaced", key))
			continue
		}
		for _, lang := range slices.Sorted(maps.Keys(texts[key])) {
			if c.tongues[Lang(lang)] == nil {
				faults = append(faults, fmt.Errorf("texts: %s: %q is not a language we have", key, lang))
			}
			placeholder(texts[key][lang], func(name string) (string, bool) {
				if !strings.Contains(m.text, "{"+name+"}") {
					faults = append(faults, fmt.Errorf("texts: %s, %s: no value for {%s}", key, lang, name))
				}
				return "", true
			})
		}
	}
	return errors.Join(faults...)
}
