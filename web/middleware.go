package web

import (
	"context"
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

// identifyRequest gives every request an id of ours: one from outside could
// carry anything into our logs.
func (s *site) identifyRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := requestID()
		c.SetRequest(c.Request().WithContext(reqctx.With(c.Request().Context(), id)))
		c.Response().Header().Set("X-Request-ID", id)
		return next(c)
	}
}

// tracing follows each request, by the route's pattern. What a request says of a
// trace that it belongs to is believed of no client (S21): of our own proxies
// alone, and only where these are known to write it themselves.
func tracing(c Config) echo.MiddlewareFunc {
	trace, proxies := c.Trace, c.TrustedProxies
	if !c.TraceParents {
		proxies = nil
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r, parent := c.Request(), ""
			if isProxy(proxies, r) {
				parent = r.Header.Get("traceparent")
			}
			ctx, end := trace(r.Context(), r.Method, c.Path(), parent)
			defer func() { end(c.Response().Status) }()
			c.SetRequest(r.WithContext(ctx))
			return next(c)
		}
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
func (s *site) logRequests(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		if err := next(c); err != nil {
			c.Error(err)
		}
		if c.Get(takenKey) == nil {
			s.logRequest(c.Request().Context(), c.Request().Method, c.Path(), c.Response().Status, time.Since(began), c.Response().Size)
		}
		return nil
	}
}

// logRequest tells of a request that has been answered.
func (s *site) logRequest(ctx context.Context, method, route string, status int, took time.Duration, size int64) {
	s.log.LogAttrs(ctx, slog.LevelInfo, "request",
		slog.String("method", method), slog.String("route", route), slog.Int("status", status),
		slog.Duration("took", took), slog.Int64("bytes", size))
	if s.observe != nil {
		s.observe(method, route, status, took, path.Base(route) == "events")
	}
}

// recoverPanics makes a panic an internal failure, told without detail.
func (s *site) recoverPanics(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			r := recover()
			if r == nil {
				return
			}
			if r == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
				panic(r)
			}
			s.log.ErrorContext(c.Request().Context(), "panic", "route", c.Path(), "value", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = handoff.Errorf(handoff.CodeInternal, "panic")
		}()
		return next(c)
	}
}

// knownHosts refuses a Host that is not ours: nothing we send is built from it,
// and nothing should be cached under it.
func (s *site) knownHosts(next echo.HandlerFunc) echo.HandlerFunc {
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

// publicHost answers on the public host only.
func (s *site) publicHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if strings.ToLower(c.Request().Host) != s.public.Host {
			return handoff.Errorf(handoff.CodeNotFound, "no such path")
		}
		return next(c)
	}
}

// linkHost answers on the link host only.
func (s *site) linkHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if strings.ToLower(c.Request().Host) != s.link.Host {
			return handoff.Errorf(handoff.CodeNotFound, "no such path")
		}
		return next(c)
	}
}

// sendToPublic sends a browser that came to the link host, because no app took
// the link, to the same path on the public one. It looks nothing up.
func (s *site) sendToPublic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if strings.ToLower(c.Request().Host) == s.public.Host {
			return next(c)
		}
		return c.Redirect(http.StatusFound, s.public.Scheme+"://"+s.public.Host+c.Request().URL.RequestURI())
	}
}

const apiKey = "api"

// answersJSON marks a group whose failures are problems, whose bodies are JSON,
// and which knows no cookies, so that no browser can be made to call it.
func answersJSON(next echo.HandlerFunc) echo.HandlerFunc {
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

// browsersOnly keeps out of browser routes what is no person's doing: a request
// another site made (net/http's CrossOriginProtection, and refusing what says
// nothing of its origin at all), and a prefetch or preview, which starts nothing.
func browsersOnly(next echo.HandlerFunc) echo.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		r := c.Request()
		for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
			if v := strings.ToLower(r.Header.Get(name)); strings.Contains(v, "prefetch") || strings.Contains(v, "preview") || strings.Contains(v, "prerender") {
				e := handoff.Errorf(handoff.CodePlatformUnavailable, "not for a preview")
				return e
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
