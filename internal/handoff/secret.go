package handoff

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a credential that must never reach a log, an error message or a
// page. Every implicit rendering of it is redacted; Reveal is for the one place
// that needs the value. fmt cannot call methods on unexported fields, so a
// Secret stays out of structs that are printed; encoding/json calls none on the
// keys of a map, so it is never one; and %w and %p, which vet finds, call none.
type Secret string

// Format writes a fixed text in place of the value, whatever the verb: without
// it, one that does not fit a text, such as %d, would print the value as it is.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns a fixed text in place of the value.
func (Secret) String() string { return redacted }

// GoString returns a fixed text in place of the value.
func (Secret) GoString() string { return redacted }

// LogValue returns a fixed text in place of the value.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a fixed text in place of the value.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }
