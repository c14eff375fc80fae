package handoff

import "log/slog"

const redacted = "[redacted]"

// Secret is a credential that must never reach a log, an error message or a
// page. Every implicit rendering of it is redacted; Reveal is for the one place
// that needs the value. fmt cannot call methods on unexported fields, so a
// Secret stays out of structs that are printed.
type Secret string

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
