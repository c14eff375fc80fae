package web_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// witness stands before the portal and notes what browsers ask of it, and whether
// they are given a cookie.
type witness struct {
	mu   sync.Mutex
	seen []visit // guarded by mu
	// anywhere takes the policy from every page, as if a browser knew none.
	anywhere bool
}

// visit is one request and what was set by its answer.
type visit struct {
	method, path, dest string
	cookie             bool // sent with it
	setCookie          bool
}

// put is the setting that puts w before the portal.
func (w *witness) put(s *setting) {
	s.tune = func(srv *http.Server) { srv.Handler = w.over(srv.Handler) }
}

func (w *witness) over(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		i := len(w.seen)
		w.seen = append(w.seen, visit{
			method: r.Method, path: r.URL.Path, dest: r.Header.Get("Sec-Fetch-Dest"), cookie: r.Header.Get("Cookie") != "",
		})
		anywhere := w.anywhere
		if r.UserAgent() == iPhone {
			// Safari has no client hints; Chromium sends its own with a new tab's first
			// request, whatever it calls itself.
			for _, hint := range []string{"Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform"} {
				r.Header.Del(hint)
			}
		}
		w.mu.Unlock()
		next.ServeHTTP(&witnessed{ResponseWriter: rw, anywhere: anywhere, cookie: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.seen[i].setCookie = true
		}}, r)
	})
}

// all are the requests that fit, so far.
func (w *witness) all(fits func(visit) bool) []visit {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []visit
	for _, a := range w.seen {
		if fits(a) {
			list = append(list, a)
		}
	}
	return list
}

// witnessed is one answer.
type witnessed struct {
	http.ResponseWriter

	anywhere bool
	cookie   func()
}

func (w *witnessed) WriteHeader(status int) {
	if len(w.Header()["Set-Cookie"]) > 0 {
		w.cookie()
	}
	if w.anywhere {
		w.Header().Del("Content-Security-Policy")
		w.Header().Del("X-Frame-Options")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *witnessed) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// embedder is a site whose pages frame others: /frame a plain one, with sandbox if
// that is visit for, /embed with our own script, /done where people come back to,
// and those that a test hosts. Each page keeps the messages it gets in got, the
// element's events in heard, and counts loads of its frame in loads. It is on
// localhost, which is another site than 127.0.0.1.
type embedder struct {
	origin string
	mu     sync.Mutex
	asked  []string          // guarded by mu: paths
	hosted map[string]hosted // guarded by mu: by path
}

// hosted is a page of a test's own. Its scripts are files, so that its policy may be
// as strict as there are: {portal} in it is the portal's origin.
type hosted struct {
	body   string
	policy string
	// isolated: it asks for what it embeds to be willing (COEP), as a page must that
	// wants to be isolated from other origins.
	isolated bool
}

// host serves a page at a path of its own, and returns its address.
func (e *embedder) host(h hosted) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	path := fmt.Sprintf("/hosted/%d", len(e.hosted))
	e.hosted[path] = h
	return e.origin + path
}

// serve answers with the page that is hosted at a path, if there is one.
func (e *embedder) serve(rw http.ResponseWriter, path string) bool {
	e.mu.Lock()
	h, ok := e.hosted[path]
	e.mu.Unlock()
	if !ok {
		return false
	}
	if h.policy != "" {
		rw.Header().Set("Content-Security-Policy", h.policy)
	}
	if h.isolated {
		rw.Header().Set("Cross-Origin-Embedder-Policy", "require-corp")
		rw.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(rw, `<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
		<script src="/page.js"></script>%s`, h.body)
	return true
}

// pageScript is that of hosted pages. Time passes in them when pass is called: what
// is put off for one to ten seconds waits for that, and not what a driver puts off
// for longer. listeners are those for messages.
const pageScript = `got = []; heard = []; listeners = 0; waiting = new Map();
	for (const [name, by] of [["addEventListener", 1], ["removeEventListener", -1]]) {
		const real = window[name];
		window[name] = (type, ...rest) => { if (type === "message") listeners += by; return real.call(window, type, ...rest) };
	}
	addEventListener("message", (e) => got.push({origin: e.origin, ...e.data}));
	for (const n of ["ready", "state", "end"]) addEventListener("handoff-" + n, (e) => heard.push({...e.detail, on: e.target.id}));
	later = setTimeout;
	setTimeout = (f, ms = 0, ...rest) => {
		if (ms < 1000 || ms > 10000) return later(f, ms, ...rest);
		const id = later(() => {});
		waiting.set(id, f);
		return id;
	};
	{ const real = clearTimeout; clearTimeout = (id) => { waiting.delete(id); real(id) } }
	pass = () => { const due = [...waiting.values()]; waiting.clear(); for (const f of due) f(); return due.length };
	inside = (e) => e.shadowRoot.querySelector("iframe")`

func newEmbedder(t testing.TB) *embedder {
	t.Helper()
	e := &embedder{hosted: map[string]hosted{}}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		e.asked = append(e.asked, r.URL.Path)
		e.mu.Unlock()
		const head = `<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
			<script>got = []; loads = 0; addEventListener("message", (e) => got.push({origin: e.origin, ...e.data}));
			heard = []; for (const n of ["ready", "state", "end"]) addEventListener("handoff-" + n, (e) => heard.push(e.detail))</script>`
		q := r.URL.Query()
		src := html.EscapeString(q.Get("src"))
		if e.serve(rw, r.URL.Path) {
			return
		}
		switch r.URL.Path {
		case "/page.js":
			rw.Header().Set("Content-Type", "text/javascript")
			_, _ = fmt.Fprint(rw, pageScript)
		case "/frame":
			sandbox := ""
			if q.Has("sandbox") {
				sandbox = `sandbox="` + html.EscapeString(q.Get("sandbox")) + `"`
			}
			rw.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = fmt.Fprintf(rw, head+`<iframe data-testid="frame" src="%s" %s style="width: 100%%; height: 900px" onload="loads++"></iframe>`, src, sandbox)
		case "/embed":
			rw.Header().Set("Content-Type", "text/html; charset=utf-8")
			portal, _, _ := strings.Cut(src, "/h/")
			_, _ = fmt.Fprintf(rw, head+`<script src="%s/embed/v1.js" async></script><handoff-frame src="%s"></handoff-frame>`, portal, src)
		case "/run":
			rw.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = fmt.Fprintf(rw, head+`<script>%s</script>`, q.Get("script"))
		case "/done":
			rw.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = fmt.Fprint(rw, head+`<main data-testid="done">Welcome back</main>`)
		default:
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(srv.Close)
	e.origin = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	return e
}

// near is the same site under the portal's own host name, another origin by its port.
func (e *embedder) near() string { return strings.Replace(e.origin, "localhost", "127.0.0.1", 1) }

// visited reports whether a browser came for a path.
func (e *embedder) visited(path string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.asked, path)
}

// framing is the address of a page at origin that frames src, with these sandbox
// permissions, if any.
func framing(origin, src string, sandbox ...string) string {
	q := url.Values{"src": {src}}
	if len(sandbox) > 0 {
		q.Set("sandbox", strings.Join(sandbox, " "))
	}
	return origin + "/frame?" + q.Encode()
}
