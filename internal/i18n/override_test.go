package i18n_test

import (
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/i18n"
)

func TestCheck(t *testing.T) {
	c := load(t)
	good := i18n.Override{
		"common.back":                      {"en": "Back to the shop", "de": "Zurück zu {partner}"},
		"display.waiting.heading@computer": {"en": "Carry on at your desk"},
	}
	if err := c.Check(good); err != nil {
		t.Errorf("Check(%v) error = %v, want none", good, err)
	}
	bad := i18n.Override{
		"no.such.key":  {"en": "x"},
		"time.minutes": {"en": "{n} min"},
		"common.back":  {"xx": "x", "en": "Back to {shop}"},
	}
	err := c.Check(bad)
	if err == nil {
		t.Fatalf("Check(%v) error = nil, want four faults", bad)
	}
	for _, want := range []string{`"no.such.key" is not a message`, `"time.minutes" has plural forms`, `"xx" is not a language`, "no value for {shop}"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Check(%v) error = %v, want %q in it", bad, err, want)
		}
	}
}
