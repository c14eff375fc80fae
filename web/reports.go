package web

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/web/site"
)

// reports takes what browsers tell of our pages. What they send holds the page's
// address, which is a capability, and whatever a page of somebody else's makes
// them say: so a directive and an origin are all that is logged of it, and little
// of that in a minute.
type reports struct {
	*site.Site

	mu     sync.Mutex
	since  time.Time // guarded by mu: of this minute
	logged int       // guarded by mu: in this minute
	silent int       // guarded by mu: not logged in this minute
}

// reportsPerMinute is how many are logged.
const reportsPerMinute = 10

// cspReport is a violation as browsers tell it: in a list of "reports" (Reporting
// API), or alone by report-uri (CSP 2), with other names for the same.
type cspReport struct {
	Type string `json:"type"`
	Body struct {
		Directive string `json:"effectiveDirective"`
		Blocked   string `json:"blockedURL"`
	} `json:"body"`
	Old struct {
		Directive string `json:"effective-directive"`
		Violated  string `json:"violated-directive"`
		Blocked   string `json:"blocked-uri"`
	} `json:"csp-report"`
}

// take serves POST /reports/csp. Whatever came, the answer is the same.
func (r *reports) take(c echo.Context) error {
	var all []cspReport
	var one cspReport
	dec := json.NewDecoder(c.Request().Body)
	switch contentType, _, _ := strings.Cut(c.Request().Header.Get("Content-Type"), ";"); strings.TrimSpace(contentType) {
	case "application/reports+json":
		if err := dec.Decode(&all); err != nil {
			return c.NoContent(http.StatusNoContent)
		}
	case "application/csp-report":
		if err := dec.Decode(&one); err != nil {
			return c.NoContent(http.StatusNoContent)
		}
		one.Type, one.Body.Directive, one.Body.Blocked = "csp-violation", one.Old.Directive, one.Old.Blocked
		if one.Body.Directive == "" {
			one.Body.Directive, _, _ = strings.Cut(one.Old.Violated, " ")
		}
		all = append(all, one)
	}
	for _, report := range all {
		if report.Type == "csp-violation" {
			r.log(c, report)
		}
	}
	return c.NoContent(http.StatusNoContent)
}

func (r *reports) log(c echo.Context, report cspReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Handoffs.Now()
	if now.Sub(r.since) >= time.Minute {
		if r.silent > 0 {
			r.Log.WarnContext(c.Request().Context(), "csp_violations_not_logged", "count", r.silent)
		}
		r.since, r.logged, r.silent = now, 0, 0
	}
	if r.logged >= reportsPerMinute {
		r.silent++
		return
	}
	r.logged++
	r.Log.LogAttrs(c.Request().Context(), slog.LevelWarn, "csp_violation",
		slog.String("directive", directiveOf(report.Body.Directive)), slog.String("blocked", originOf(report.Body.Blocked)))
}

var directiveForm = regexp.MustCompile(`^[a-z-]{1,40}$`)

// directiveOf is the name of a directive, or "other".
func directiveOf(s string) string {
	if directiveForm.MatchString(s) {
		return s
	}
	return "other"
}

// originOf is the origin of what was blocked, without path and query; the word a
// browser says of what has no address, such as inline; or "other".
func originOf(s string) string {
	switch s {
	case "inline", "eval", "wasm-eval", "self", "data", "blob", "trusted-types-policy", "trusted-types-sink":
		return s
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !reportedHost.MatchString(u.Host) {
		return "other"
	}
	return u.Scheme + "://" + u.Host
}

var reportedHost = regexp.MustCompile(`^[a-z0-9.:\[\]-]{1,100}$`)
