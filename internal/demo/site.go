package demo

import (
	"bytes"
	"embed"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
)

//go:generate go tool templ generate -include-version=false

//go:embed pages
var files embed.FS

// site is what the shop and the app have in common: pages, headers, faults.
type site struct {
	name  string // of the made-up thing
	frame string // an origin whose pages it frames, with their script, and sends forms on to; empty: none
	log   *slog.Logger
	now   func() time.Time
}

func newSite(name, frame string, log *slog.Logger, now func() time.Time) *site {
	return &site{name: name, frame: frame, log: log, now: now}
}

// handler puts the rules for every answer around mux.
func (s *site) handler(mux *http.ServeMux) http.Handler {
	mux.HandleFunc("GET /demo.css", asset("pages/demo.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /listen.js", asset("pages/listen.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /play.js", asset("pages/play.js", "text/javascript; charset=utf-8"))
	policy := "default-src 'none'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
	if s.frame == "" {
		policy += "; script-src 'self'; form-action 'self'"
	} else {
		policy += "; script-src 'self' " + s.frame + "/embed/; form-action 'self' " + s.frame + "; frame-src " + s.frame
	}
	// Browsers name the sender of a form; one from elsewhere is refused.
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Robots-Tag", "noindex")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		guarded.ServeHTTP(w, r)
	})
}

func asset(name, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		b, err := files.ReadFile(name)
		if err != nil {
			http.Error(w, "no such file", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(b) // the browser may be gone
	}
}

// view is what every page is drawn from.
type view struct {
	Site  string
	Title string
	Now   time.Time
	// Refresh reloads the page after so many seconds; zero: never.
	Refresh int
	// Next is where the page goes at once by itself; empty: nowhere.
	Next string
	Wide bool // uses all of a wide window
}

// show draws a page in memory first, so that a fault becomes a page of its own.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, v view, body templ.Component) {
	v.Site, v.Now = s.name, s.now()
	var b bytes.Buffer
	if err := layout(v, body).Render(r.Context(), &b); err != nil {
		s.log.ErrorContext(r.Context(), "page failed", "page", v.Title, "error", err)
		http.Error(w, "This page failed. The log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser may be gone
}

// fault shows what went wrong. The demonstration is for engineers, so the cause
// is on the page; causes never hold a secret.
func (s *site) fault(w http.ResponseWriter, r *http.Request, status int, err error) {
	s.log.WarnContext(r.Context(), "demo fault", "site", s.name, "error", err)
	s.show(w, r, status, view{Title: "That did not work"}, faultPage(err.Error()))
}

func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }

// around is text between before and after; nothing, where there is none.
func around(before, text, after string) string {
	if text == "" {
		return ""
	}
	return before + text + after
}

// times says how often something came, if it was not once.
func times(before string, n int) string {
	if n < 2 {
		return ""
	}
	return before + strconv.Itoa(n) + " times"
}

// toldStatuses are what webhooks told, one after another.
func toldStatuses(all []told) string {
	if len(all) == 0 {
		return "–"
	}
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = string(t.Status)
	}
	return strings.Join(names, ", ")
}
