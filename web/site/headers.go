package site

import (
	"maps"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/static"
)

// ReportsPath is where browsers tell of what a page's policy forbade.
const ReportsPath = "/reports/csp"

const policyHeader = "Content-Security-Policy"

// policy is the Content-Security-Policy of the pages of a handoff.
func (s *Site) policy(frameAncestors string) string {
	return s.policyWith(frameAncestors, " "+static.StyleHash([]byte(s.sheet)), "js/display.js", "js/phone.js")
}

// policyWith is the Content-Security-Policy of a page. Scripts are allowed by their
// full, content-hashed address, so nothing else on our own host runs either; the sheet
// that stands in the page itself, by its hash, and a partner's colours by theirs.
func (s *Site) policyWith(frameAncestors, style string, scripts ...string) string {
	allowed := []string{"script-src"}
	for _, name := range scripts {
		allowed = append(allowed, s.Hosts.Public+s.assets.URL(name))
	}
	return strings.Join([]string{
		"default-src 'none'", strings.Join(allowed, " "),
		"style-src 'self'" + style, "img-src 'self'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'",
		"frame-ancestors " + frameAncestors,
		"require-trusted-types-for 'script'", "trusted-types 'none'",
		"report-uri " + ReportsPath, "report-to csp",
	}, "; ")
}

// setPageHeaders sets what every page has; a display that may be framed changes
// three of them in AllowFrame.
func (s *Site) setPageHeaders(h http.Header, policy string) {
	h.Set(policyHeader, policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: it would make form posts send "Origin: null".
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", permissions)
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Cache-Control", "no-store")
	h.Set("Reporting-Endpoints", `csp="`+ReportsPath+`"`)
}

// onlyOverTLS tells browsers to come by https only, with every answer of ours.
func (s *Site) onlyOverTLS(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.public.Scheme == "https" {
			c.Response().Header().Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		return next(c)
	}
}

// FileHeaders are those of what is no page: a picture opened by itself is a
// document, and runs and loads nothing; nor is it framed, or read by other sites.
// A file that lasts says so itself; one that is not here is kept by nobody, since a
// newer process beside this one may have it.
func FileHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
		h.Set("Cache-Control", "no-store")
		return next(c)
	}
}

// permissions grants nothing but writing to the clipboard, for "Copy the link".
const permissions = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(self), display-capture=(), " +
	"encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), idle-detection=(), " +
	"magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), publickey-credentials-create=(), " +
	"publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()"

// PageHeaders are those of a page that nobody frames. A display begins with them too,
// until AllowFrame: so an error before its handoff is known cannot be framed either.
func (s *Site) PageHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return withHeaders(s.forPages, next)
}

// HeadersFor are the same for pages that run these scripts, assets by their names, in
// place of those of a handoff's pages.
func (s *Site) HeadersFor(scripts ...string) echo.MiddlewareFunc {
	prepared := make(http.Header)
	s.setPageHeaders(prepared, s.policyWith("'none'", "", scripts...))
	return func(next echo.HandlerFunc) echo.HandlerFunc { return withHeaders(prepared, next) }
}

func withHeaders(prepared http.Header, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		maps.Copy(c.Response().Header(), prepared) // setting one later puts another in its place
		return next(c)
	}
}

// Framed reports whether the browser says that it loads the page into a frame.
func Framed(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "iframe", "frame", "embed", "object", "fencedframe":
		return true
	}
	return false
}

// NotFramed refuses a page that is loaded into a frame, whatever the browser
// makes of frame-ancestors.
func NotFramed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if Framed(c.Request()) {
			return handoff.Errorf(handoff.CodeForbidden, "this page is not shown in a frame")
		}
		return next(c)
	}
}

// AllowFrame lets the one parent origin of a handoff frame its display, and nobody else.
func (s *Site) AllowFrame(c echo.Context, parent string) error {
	if parent == "" {
		if Framed(c.Request()) {
			return handoff.Errorf(handoff.CodeForbidden, "this page is not shown in a frame")
		}
		return nil
	}
	header := c.Response().Header()
	policy, ok := s.policies.Get(parent)
	if !ok {
		policy = s.policy(parent)
		s.policies.Put(parent, policy)
	}
	header.Set(policyHeader, policy)
	header.Del("X-Frame-Options")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin") // a parent may require it (COEP)
	return nil
}
