package site

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/reqctx"
)

// Install puts around all routes of e what every request meets: an id, one line in the
// log, an answer if it fails or panics, and a refusal under a host that is not ours. It
// comes before the routes, and after whatever is to see a request sooner.
func (s *Site) Install(e *echo.Echo) {
	e.HTTPErrorHandler = s.answerError
	e.IPExtractor = s.Address
	e.Pre(s.identify, s.onlyOverTLS)
	e.Use(s.logRequests, s.recoverPanics, s.knownHosts)
}

// identify gives every request an id of ours: one from outside could
// carry anything into our logs.
func (s *Site) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := requestID()
		c.SetRequest(c.Request().WithContext(reqctx.With(c.Request().Context(), id)))
		c.Response().Header().Set("X-Request-ID", id)
		return next(c)
	}
}

// requestID is another one for every request. It is no secret and guards nothing; 120
// bits do not meet by chance.
func requestID() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var id [24]byte
	for half := range 2 {
		bits := rand.Uint64() //nolint:gosec // G404: a name, not a secret
		for i := range 12 {
			id[12*half+i] = alphabet[bits&31]
			bits >>= 5
		}
	}
	return string(id[:])
}

// logRequests has failures answered, and writes one line a request: the route's
// pattern, never its path, since paths carry capabilities.
func (s *Site) logRequests(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		if err := next(c); err != nil {
			c.Error(err)
		}
		if c.Get(takenKey) == nil {
			s.LogRequest(c.Request().Context(), c.Request().Method, c.Path(), c.Response().Status, time.Since(began), c.Response().Size)
		}
		return nil
	}
}

// takenKey marks a request whose connection was taken over.
const takenKey = "taken"

// MarkTaken says of a request that its connection was taken over: it is not over when
// its handler returns, and who took it has it logged, by LogRequest.
func MarkTaken(c echo.Context) { c.Set(takenKey, true) }

// LogRequest tells of a request that has been answered: its route's pattern, how long
// that took, and the bytes of the answer.
func (s *Site) LogRequest(ctx context.Context, method, route string, status int, took time.Duration, size int64) {
	s.Log.LogAttrs(ctx, slog.LevelInfo, "request",
		slog.String("method", method), slog.String("route", route), slog.Int("status", status),
		slog.Duration("took", took), slog.Int64("bytes", size))
	if s.observe != nil {
		s.observe(method, route, status, took, path.Base(route) == "events")
	}
}

// recoverPanics makes a panic an internal failure, told without detail.
func (s *Site) recoverPanics(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			r := recover()
			if r == nil {
				return
			}
			if r == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
				panic(r)
			}
			s.Log.ErrorContext(c.Request().Context(), "panic", "route", c.Path(), "value", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = handoff.Errorf(handoff.CodeInternal, "panic")
		}()
		return next(c)
	}
}

// knownHosts refuses a Host that is not ours: nothing we send is built from it,
// and nothing should be cached under it.
func (s *Site) knownHosts(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if h := strings.ToLower(c.Request().Host); h != s.public.Host && h != s.link.Host {
			if strings.HasPrefix(c.Request().URL.Path, "/v1/") {
				c.Set(apiKey, true)
			}
			return handoff.Errorf(handoff.CodeMisdirected, "this host is not served here")
		}
		return next(c)
	}
}

// OnPublicHost reports whether a request came to the public host.
func (s *Site) OnPublicHost(c echo.Context) bool {
	return strings.ToLower(c.Request().Host) == s.public.Host
}

// PublicHost answers on the public host only.
func (s *Site) PublicHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.OnPublicHost(c) {
			return handoff.Errorf(handoff.CodeNotFound, "no such path")
		}
		return next(c)
	}
}

// OnLinkHost reports whether a request came to the link host, which may be the public
// one too.
func (s *Site) OnLinkHost(c echo.Context) bool {
	return strings.ToLower(c.Request().Host) == s.link.Host
}

// LinkHost answers on the link host only.
func (s *Site) LinkHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !s.OnLinkHost(c) {
			return handoff.Errorf(handoff.CodeNotFound, "no such path")
		}
		return next(c)
	}
}

const apiKey = "api"

// AnswersJSON marks a group whose failures are problems, whose bodies are JSON,
// and which knows no cookies, so that no browser can be made to call it.
func AnswersJSON(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(apiKey, true)
		setAPIHeaders(c.Response().Header())
		if c.Request().Header.Get("Cookie") != "" {
			return handoff.Errorf(handoff.CodeInvalid, "cookies are not taken here")
		}
		return next(c)
	}
}

func setAPIHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
}

func isAPI(c echo.Context) bool {
	api, ok := c.Get(apiKey).(bool)
	return ok && api
}

// BrowsersOnly keeps out of browser routes what is no person's doing: a request
// another site made (net/http's CrossOriginProtection, and refusing what says
// nothing of its origin at all), and a prefetch or preview, which starts nothing.
func BrowsersOnly(next echo.HandlerFunc) echo.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		r := c.Request()
		for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
			if v := strings.ToLower(r.Header.Get(name)); strings.Contains(v, "prefetch") || strings.Contains(v, "preview") || strings.Contains(v, "prerender") {
				return handoff.Errorf(handoff.CodePlatformUnavailable, "not for a preview")
			}
		}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return next(c)
		}
		if err := protection.Check(r); err != nil {
			return &handoff.Error{Code: handoff.CodeForbidden, Detail: "the request came from another site", Err: err}
		}
		if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
			return handoff.Errorf(handoff.CodeForbidden, "the request does not say where it came from")
		}
		return next(c)
	}
}

// WholeForm refuses a form that cannot be read to its end, before anything is made
// of the part that could.
func WholeForm(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method != http.MethodPost {
			return next(c)
		}
		err := c.Request().ParseForm()
		if e, ok := errors.AsType[*echo.HTTPError](err); ok {
			return e // beyond the limit of the body
		}
		if err != nil {
			return handoff.Errorf(handoff.CodeInvalid, "the form cannot be read")
		}
		return next(c)
	}
}
