package web

import (
	"maps"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/static"
	"github.com/handoff-portal/handoff/web/guide"
)

const policyHeader = "Content-Security-Policy"

// policy is the Content-Security-Policy of the pages of a handoff.
func (s *site) policy(frameAncestors string) string {
	return s.policyWith(frameAncestors, " "+static.StyleHash([]byte(s.sheet)), "js/display.js", "js/phone.js")
}

// policyWith is the Content-Security-Policy of a page. Scripts are allowed by their
// full, content-hashed address, so nothing else on our own host runs either; the sheet
// that stands in the page itself, by its hash, and a partner's colours by theirs.
func (s *site) policyWith(frameAncestors, style string, scripts ...string) string {
	allowed := []string{"script-src"}
	for _, name := range scripts {
		allowed = append(allowed, s.public.Scheme+"://"+s.public.Host+s.assets.URL(name))
	}
	return strings.Join([]string{
		"default-src 'none'", strings.Join(allowed, " "),
		"style-src 'self'" + style, "img-src 'self'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'",
		"frame-ancestors " + frameAncestors,
		"require-trusted-types-for 'script'", "trusted-types 'none'",
		"report-uri " + reportsPath, "report-to csp",
	}, "; ")
}

// setPageHeaders sets what every page has; a display that may be framed changes
// three of them in allowFrame.
func (s *site) setPageHeaders(h http.Header, policy string) {
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
	h.Set("Reporting-Endpoints", `csp="`+reportsPath+`"`)
}

// onlyOverTLS tells browsers to come by https only, with every answer of ours.
func (s *site) onlyOverTLS(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.public.Scheme == "https" {
			c.Response().Header().Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		return next(c)
	}
}

// fileHeaders are those of what is no page: a picture opened by itself is a
// document, and runs and loads nothing; nor is it framed, or read by other sites.
func fileHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
		return next(c)
	}
}

// permissions grants nothing but writing to the clipboard, for "Copy the link".
const permissions = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(self), display-capture=(), " +
	"encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), idle-detection=(), " +
	"magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), publickey-credentials-create=(), " +
	"publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()"

// pageHeaders are those of the pages that nobody frames.
func pageHeaders(s *site) echo.MiddlewareFunc { return s.headersWith(s.policy("'none'")) }

// guideHeaders are those of the guide, which has a script of its own.
func guideHeaders(s *site) echo.MiddlewareFunc {
	return s.headersWith(s.policyWith("'none'", "", guide.Script))
}

func (s *site) headersWith(policy string) echo.MiddlewareFunc {
	prepared := make(http.Header)
	s.setPageHeaders(prepared, policy)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			maps.Copy(c.Response().Header(), prepared) // setting one later puts another in its place
			return next(c)
		}
	}
}

// framedHeaders begin as those of a page that nobody frames, so that an error
// before the handoff is known cannot be framed either.
func framedHeaders(s *site) echo.MiddlewareFunc { return pageHeaders(s) }

// framed reports whether the browser says that it loads the page into a frame.
func framed(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "iframe", "frame", "embed", "object", "fencedframe":
		return true
	}
	return false
}

// notFramed refuses a page that is loaded into a frame, whatever the browser
// makes of frame-ancestors.
func notFramed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if framed(c.Request()) {
			return handoff.Errorf(handoff.CodeForbidden, "this page is not shown in a frame")
		}
		return next(c)
	}
}

// allowFrame lets the one parent origin of a handoff frame its display, and nobody else.
func (s *site) allowFrame(c echo.Context, parent string) error {
	if parent == "" {
		if framed(c.Request()) {
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
