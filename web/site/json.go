package site

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// ReadJSON reads the body into v, as ParseJSON does.
func ReadJSON(c echo.Context, v any) error {
	body, err := ReadBody(c)
	if err != nil {
		return err
	}
	return ParseJSON(body, v)
}

// ReadBody reads a body that is said to be JSON.
func ReadBody(c echo.Context) ([]byte, error) {
	r := c.Request()
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, handoff.Errorf(handoff.CodeUnsupportedMedia, "send Content-Type: application/json")
	}
	body, err := io.ReadAll(r.Body) // as much as its group's limit lets through
	if err == nil {
		return body, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, handoff.Errorf(handoff.CodePayloadTooLarge, "the body is too large")
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		return nil, e
	}
	e := handoff.Errorf(handoff.CodeInvalid, "the body did not come to its end")
	e.Err = err
	return nil, e
}

// ParseJSON reads a body into v: JSON, whole, without a member that v does not
// know or that stands twice. Every fault names the place by a JSON pointer.
func ParseJSON(body []byte, v any) error {
	err := jsonv2.Unmarshal(body, v, jsonv2.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	e := handoff.Errorf(handoff.CodeInvalid, "the body is not what this call takes")
	e.Err = err
	e.Fields = []handoff.FieldFault{faultOf(err)}
	return e
}

// faultOf says where and what, in words of ours: the library's own speak of Go types.
func faultOf(err error) handoff.FieldFault {
	if e, ok := errors.AsType[*jsonv2.SemanticError](err); ok {
		at := string(e.JSONPointer)
		switch {
		case errors.Is(err, jsonv2.ErrUnknownName):
			return handoff.FieldFault{Pointer: at, Detail: "there is no such member"}
		case e.JSONKind != 0:
			return handoff.FieldFault{Pointer: at, Detail: "a JSON " + kindName(e.JSONKind) + " does not fit here"}
		}
		return handoff.FieldFault{Pointer: at, Detail: "this value does not fit here"}
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		detail := "this is not JSON"
		if errors.Is(err, jsontext.ErrDuplicateName) {
			detail = "this member stands twice"
		}
		return handoff.FieldFault{Pointer: string(e.JSONPointer), Detail: detail}
	}
	return handoff.FieldFault{Detail: "this is not JSON"}
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '{':
		return "object"
	case '[':
		return "array"
	}
	return "value"
}

// WriteJSON sends v; the content type is JSON unless it was set before.
func WriteJSON(c echo.Context, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	t := c.Response().Header().Get("Content-Type")
	if !strings.HasPrefix(t, "application/") {
		t = "application/json"
	}
	return c.Blob(status, t, append(body, '\n'))
}

// WireTime is a time as the API shows it: RFC 3339, UTC, to the millisecond.
func WireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
