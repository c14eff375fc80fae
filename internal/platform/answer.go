package platform

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Limits on what an answer may say.
const (
	maxAnswer     = 64 << 10
	maxState      = 1 << 20 // v1 has no slim view
	maxRetryAfter = time.Hour
	maxLifetime   = 7 * 24 * time.Hour // longer is taken for a mistake; 86399 s has been seen
)

// seconds is a lifetime that comes as a number or as a string of one. Anything
// else, and anything not above zero, is zero: unknown.
type seconds time.Duration

func (s *seconds) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(strings.Trim(string(b), "\" "), 64)
	if err != nil || !(f > 0 && f <= maxLifetime.Seconds()) {
		f = 0
	}
	*s = seconds(f * float64(time.Second))
	return nil
}

// or is the lifetime, or else what remains until the exp of a JWT, or else what
// is documented.
func (s seconds) or(jwt string, at time.Time, documented time.Duration) time.Duration {
	if s > 0 {
		return time.Duration(s)
	}
	if left := jwtExpiry(jwt).Sub(at); left > 0 && left <= maxLifetime {
		return left
	}
	return documented
}

// jwtExpiry reads the exp of a JWT (RFC 7519, section 4.1.4), and nothing else
// of a token whose key only the platform holds. It is zero if there is none.
func jwtExpiry(token string) time.Time {
	_, rest, ok := strings.Cut(token, ".")
	body, _, more := strings.Cut(rest, ".")
	if !ok || !more {
		return time.Time{}
	}
	plain, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	if err := json.Unmarshal(plain, &claims); err != nil || claims.Expires <= 0 || claims.Expires > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Expires), 0)
}

// word is a string; what is no string reads as empty instead of failing.
type word string

func (w *word) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		s = ""
	}
	*w = word(s)
	return nil
}

// integer is a number, or a string of one; anything else reads as zero.
type integer int

func (n *integer) UnmarshalJSON(b []byte) error {
	i, err := strconv.Atoi(strings.Trim(string(b), "\" "))
	if err != nil {
		i = 0
	}
	*n = integer(i)
	return nil
}

// inBand returns the status of an error that came as a success, in either of
// the shapes an error has, or zero. A journey's state is "Error" with a capital
// and has a result, so it is not taken for one.
func inBand(body []byte) int {
	var in struct {
		Status  json.RawMessage `json:"status"`
		Code    integer         `json:"code"`
		Message word            `json:"message"`
		Result  json.RawMessage `json:"result"`
	}
	if json.Unmarshal(body, &in) != nil {
		return 0
	}
	code := in.Code
	if string(in.Status) != `"error"` {
		var status integer
		if json.Unmarshal(in.Status, &status) != nil || status < 400 {
			return 0
		}
		code = status
	} else if in.Result != nil || (in.Code == 0 && in.Message == "") {
		return 0
	}
	if code < 400 || code > 599 {
		return http.StatusInternalServerError
	}
	return int(code)
}

// codeForm and requestIDForm are what may go from an answer into a log line.
var (
	codeForm      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)
	requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._:=/+-]{1,128}$`)
)

// upstreamCode is the platform's own code of an error, if its body has the
// shape that carries one. Other shapes, HTML and nothing at all are as good.
func upstreamCode(body []byte) string {
	var in struct {
		Errors []struct {
			Code json.RawMessage `json:"code"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &in) != nil || len(in.Errors) == 0 {
		return ""
	}
	code := strings.Trim(string(in.Errors[0].Code), `"`)
	if !codeForm.MatchString(code) {
		return ""
	}
	return code
}

func requestID(h http.Header) string {
	if id := h.Get("X-Request-ID"); requestIDForm.MatchString(id) {
		return id
	}
	return ""
}

// isHTML reports whether an answer is a page, so somebody else's: the platform
// answers in JSON or with nothing.
func isHTML(h http.Header, body []byte) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "text/html") ||
		strings.HasPrefix(strings.TrimSpace(string(body[:min(len(body), 64)])), "<")
}

// clockOf is the platform's clock as its answer tells it, or ours.
func clockOf(h http.Header, now time.Time) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at
	}
	return now
}

// retryAfter reads RFC 9110, section 10.2.3: seconds, or a date, which counts by
// the platform's own clock. It is zero if there is none, and an hour at most.
func retryAfter(h http.Header, clock time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(clock), 0), maxRetryAfter)
	}
	return 0
}
