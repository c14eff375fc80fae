package site

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/reqctx"
)

// outcome is how a failure is answered: the status of pages and of the API, and
// the title of a problem.
type outcome struct {
	status int
	title  string
}

func outcomeOf(code handoff.Code) outcome {
	switch code {
	case handoff.CodeInvalid:
		return outcome{http.StatusBadRequest, "The request is not valid"}
	case handoff.CodeUnauthorized:
		return outcome{http.StatusUnauthorized, "A valid key is needed"}
	case handoff.CodeForbidden:
		return outcome{http.StatusForbidden, "This is not allowed"}
	case handoff.CodeDeviceNotAllowed:
		return outcome{http.StatusForbidden, "This device is not allowed"}
	case handoff.CodeNotFound:
		return outcome{http.StatusNotFound, "There is nothing here"}
	case handoff.CodeConflict:
		return outcome{http.StatusConflict, "This does not fit the present state"}
	case handoff.CodeNotConfirmed:
		return outcome{http.StatusConflict, "The number has not been typed yet"}
	case handoff.CodeGone:
		return outcome{http.StatusGone, "This has ended"}
	case handoff.CodePayloadTooLarge:
		return outcome{http.StatusRequestEntityTooLarge, "The request is too large"}
	case handoff.CodeUnsupportedMedia:
		return outcome{http.StatusUnsupportedMediaType, "The content type is not supported"}
	case handoff.CodeMisdirected:
		return outcome{http.StatusMisdirectedRequest, "This host is not served here"}
	case handoff.CodeIdempotencyMismatch:
		return outcome{http.StatusUnprocessableEntity, "The idempotency key was used for another request"}
	case handoff.CodeRateLimited:
		return outcome{http.StatusTooManyRequests, "Too many requests"}
	case handoff.CodePlatformUnavailable:
		return outcome{http.StatusServiceUnavailable, "The verification platform is not answering"}
	case handoff.CodeUnknownJourney:
		// Told to the display or the phone by the handoff's state; it comes here
		// only from POST /v1/handoffs with a journey.
		return outcome{http.StatusBadRequest, "The platform does not know this journey"}
	case handoff.CodeStoreUnavailable:
		return outcome{http.StatusServiceUnavailable, "The portal cannot save anything just now"}
	case handoff.CodeConnectSpent, handoff.CodeConnectLost, handoff.CodeJourneyLost:
		return outcome{http.StatusServiceUnavailable, "The verification platform is not answering"}
	case handoff.CodeInternal:
	}
	return outcome{http.StatusInternalServerError, "Something went wrong"}
}

// StatusOf is how a failure of this code is answered.
func StatusOf(code handoff.Code) int { return outcomeOf(code).status }

// Away reports whether err is that the platform, or the store, does not answer: a page
// keeps its place then, and tries again by itself.
func Away(err error) bool {
	return err != nil && publicCode(handoff.CodeOf(err)) == handoff.CodePlatformUnavailable
}

// publicCode is the code of the contract for one of ours.
func publicCode(code handoff.Code) handoff.Code {
	switch code {
	case handoff.CodeUnknownJourney:
		return handoff.CodeInvalid
	case handoff.CodeConnectSpent, handoff.CodeConnectLost, handoff.CodeJourneyLost, handoff.CodeStoreUnavailable:
		return handoff.CodePlatformUnavailable
	case handoff.CodeInvalid, handoff.CodeUnauthorized, handoff.CodeForbidden, handoff.CodeDeviceNotAllowed,
		handoff.CodeNotFound, handoff.CodeConflict, handoff.CodeNotConfirmed, handoff.CodeGone, handoff.CodePayloadTooLarge,
		handoff.CodeUnsupportedMedia, handoff.CodeMisdirected, handoff.CodeIdempotencyMismatch, handoff.CodeRateLimited,
		handoff.CodePlatformUnavailable, handoff.CodeInternal:
	}
	return code
}

// problem is an answer of application/problem+json (RFC 9457).
type problem struct {
	Type     string         `json:"type"`
	Title    string         `json:"title"`
	Status   int            `json:"status"`
	Detail   string         `json:"detail,omitempty"`
	Instance string         `json:"instance"` // the request id
	Code     handoff.Code   `json:"code"`
	Reason   handoff.Reason `json:"reason,omitempty"`
	Errors   []problemField `json:"errors,omitempty"`
}

type problemField struct {
	Pointer string `json:"pointer"` // RFC 6901
	Detail  string `json:"detail"`
}

// Classified returns err as one with a code. Echo's own errors, for unknown
// paths, methods and sizes, get the code that fits.
func Classified(err error) *handoff.Error {
	if e, ok := errors.AsType[*handoff.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch e.Code {
		case http.StatusNotFound:
			return handoff.Errorf(handoff.CodeNotFound, "no such path")
		case http.StatusMethodNotAllowed:
			return handoff.Errorf(handoff.CodeNotFound, "no such method on this path")
		case http.StatusRequestEntityTooLarge:
			return handoff.Errorf(handoff.CodePayloadTooLarge, "the body is too large")
		}
		return &handoff.Error{Code: handoff.CodeInternal, Err: err}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return handoff.Errorf(handoff.CodePayloadTooLarge, "the body is too large")
	}
	return &handoff.Error{Code: handoff.CodeInternal, Err: err}
}

// statusLeft is the status of a request whose client has gone before its answer, as
// proxies count it. It is no failure of ours: a stranger could make any number of them.
const statusLeft = 499

// answerError is the one place where a failure becomes a status.
func (s *Site) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	ctx := c.Request().Context()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		_ = c.NoContent(statusLeft) // for the log and the counts: nobody reads it
		return
	}
	e := Classified(err)
	o := outcomeOf(e.Code)
	if o.status >= http.StatusInternalServerError {
		level := slog.LevelError
		if Away(e) {
			level = slog.LevelWarn
		}
		s.Log.LogAttrs(ctx, level, "request_failed", slog.String("route", c.Path()), slog.String("code", string(e.Code)), slog.Any("error", err))
	}
	SetRetryAfter(c, e)
	if !isAPI(c) && c.Response().Header().Get("Content-Security-Policy") == "" { // before a group's own headers
		maps.Copy(c.Response().Header(), s.forPages)
	}
	var sent error
	switch {
	case isAPI(c):
		sent = s.sendProblem(c, e, o)
	case c.Request().Method == http.MethodHead:
		sent = c.NoContent(o.status)
	default:
		sent = s.sendErrorPage(c, e, o)
	}
	if sent != nil {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "error_answer_failed", slog.String("route", c.Path()), slog.Any("error", sent))
	}
}

// SetRetryAfter says when to try again what failed, where the contract promises that.
func SetRetryAfter(c echo.Context, e *handoff.Error) {
	after := e.RetryAfter
	if after <= 0 {
		switch publicCode(e.Code) { //nolint:exhaustive // the two codes that promise the header
		case handoff.CodePlatformUnavailable:
			after = 5 * time.Second
		case handoff.CodeRateLimited:
			after = time.Minute
		default:
			return
		}
	}
	c.Response().Header().Set("Retry-After", WholeSeconds(after))
}

// problemPath is where the documentation has a page for each code.
const problemPath = "/docs/errors/"

func (s *Site) sendProblem(c echo.Context, e *handoff.Error, o outcome) error {
	code := publicCode(e.Code)
	p := problem{
		Type: s.Hosts.Public + problemPath + string(code), Title: o.title, Status: o.status, Detail: e.Detail,
		Instance: reqctx.ID(c.Request().Context()), Code: code, Reason: e.Reason,
	}
	if code == handoff.CodeInternal {
		p.Detail = ""
	}
	if code == handoff.CodeInvalid && len(e.Fields) == 0 { // promised with this code, also where nothing in the body is at fault
		p.Errors = []problemField{{Detail: e.Detail}}
	}
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, problemField{Pointer: f.Pointer, Detail: f.Detail})
	}
	setAPIHeaders(c.Response().Header()) // it may have failed before its group's own
	c.Response().Header().Set("Content-Type", "application/problem+json")
	return WriteJSON(c, o.status, p)
}

// WholeSeconds is d in seconds, rounded up, as headers have it.
func WholeSeconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}
