package handoff

import (
	"errors"
	"fmt"
	"time"
)

// Code classifies a failure. The ones a machine may be shown are spelt as in
// the public contract.
type Code string

// The codes of the public contract.
const (
	CodeInvalid             Code = "invalid_request"
	CodeUnauthorized        Code = "unauthorized"
	CodeForbidden           Code = "forbidden"
	CodeDeviceNotAllowed    Code = "device_not_allowed" // the scope excludes this class of device
	CodeNotFound            Code = "not_found"          // malformed, unknown, foreign, or swept
	CodeConflict            Code = "conflict"           // somebody else holds it, or the status does not allow it
	CodeNotConfirmed        Code = "not_confirmed"      // the number has not been typed yet
	CodeGone                Code = "gone"               // was good once; Reason says what became of it
	CodePayloadTooLarge     Code = "payload_too_large"
	CodeUnsupportedMedia    Code = "unsupported_media_type"
	CodeMisdirected         Code = "misdirected" // a Host that is not ours
	CodeIdempotencyMismatch Code = "idempotency_mismatch"
	CodeRateLimited         Code = "rate_limited"
	CodePlatformUnavailable Code = "platform_unavailable"
	CodeInternal            Code = "internal"
)

// PublicCodes lists the codes of the public contract.
func PublicCodes() []Code {
	return []Code{
		CodeInvalid, CodeUnauthorized, CodeForbidden, CodeDeviceNotAllowed, CodeNotFound, CodeConflict, CodeNotConfirmed, CodeGone,
		CodePayloadTooLarge, CodeUnsupportedMedia, CodeMisdirected, CodeIdempotencyMismatch, CodeRateLimited, CodePlatformUnavailable, CodeInternal,
	}
}

// Codes that stay inside: the service turns each into a step or into one of the
// codes above.
const (
	CodeUnknownJourney   Code = "unknown_journey"   // the platform knows no such journey, or it is another organisation's
	CodeConnectSpent     Code = "connect_spent"     // the connect token was used before, or has expired
	CodeConnectLost      Code = "connect_lost"      // no answer to a connect: the token may or may not be used up
	CodeStoreUnavailable Code = "store_unavailable" // nothing can be read or saved just now; after a change: it may have been saved
	CodeJourneyLost      Code = "journey_lost"      // no answer to a journey's start: it may or may not have begun
)

// Reason says why something that was good once is gone.
type Reason string

// The reasons of the public contract.
const (
	ReasonUsed      Reason = "used"
	ReasonExpired   Reason = "expired"
	ReasonCancelled Reason = "cancelled"
	ReasonRejected  Reason = "rejected"
	ReasonReplaced  Reason = "replaced"
	ReasonReleased  Reason = "released"
)

// FieldFault is one fault of a request, at a JSON pointer (RFC 6901).
type FieldFault struct {
	Pointer string
	Detail  string
}

// Error is a failure with a code.
type Error struct {
	Code       Code
	Reason     Reason        // with CodeGone
	Detail     string        // safe to show a partner engineer
	Fields     []FieldFault  // with CodeInvalid
	RetryAfter time.Duration // with CodePlatformUnavailable, CodeRateLimited, CodeNotConfirmed
	UpstreamID string        // the platform's X-Request-ID, for its support; logged, never shown
	Err        error         // the cause, if any: logged, never shown
}

// Errorf returns an Error with a detail that is safe to show.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Gone returns the Error for something that was good once.
func Gone(reason Reason) *Error {
	return &Error{Code: CodeGone, Reason: reason, Detail: "this has ended: " + string(reason)}
}

// Error joins code, detail, upstream request id and cause, for logs.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.UpstreamID != "" {
		s += " (upstream request " + e.UpstreamID + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of err, and CodeInternal for anything unrecognised, so
// that forgetting to classify hides details rather than leaking them.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
