package templates_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/handoff-portal/handoff/static"
	"github.com/handoff-portal/handoff/templates"
)

// policy is the Content-Security-Policy that the scripts must work under.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// stage is a server that shows one page and says about it what a test wants said.
type stage struct {
	*httptest.Server
	page templ.Component

	mu     sync.Mutex
	now    string        // the state JSON
	more   chan struct{} // closed when there is a newer state
	frame  string        // the d of the code's path, as of now; empty: there is none to be had
	asked  int           // how often for the code
	mute   bool          // no stream, no state
	sent   string        // the last state that went down a stream
	posts  []string      // path and form of every POST
	loads  int           // of the page
	status int           // of the answer to a POST; zero: 303
}

func newStage(t *testing.T, page templ.Component) *stage {
	t.Helper()
	assets, err := static.Load("/static/")
	if err != nil {
		t.Fatalf("static.Load() error = %v", err)
	}
	s := &stage{page: page, more: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("/static/", assets)
	mux.HandleFunc("GET /h/key", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.loads++
		page := s.page
		s.mu.Unlock()
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Render(r.Context(), w)
	})
	mux.HandleFunc("GET /h/key/events", s.events)
	mux.HandleFunc("GET /h/key/status", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.mute || s.now == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(s.now))
	})
	mux.HandleFunc("GET /h/key/qr.svg", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked++
		if s.frame == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path fill="#000" d="%s"/></svg>`, s.frame)
	})
	mux.HandleFunc("POST /h/key/{action}", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.posts = append(s.posts, r.PathValue("action")+"?"+r.PostForm.Encode())
		if s.status != 0 {
			w.WriteHeader(s.status)
			return
		}
		http.Redirect(w, r, "/h/key", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /done", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("done")) })
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// events sends the state at once and whenever it changes.
func (s *stage) events(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.mute {
		s.mu.Unlock()
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	for {
		s.mu.Lock()
		now, more := s.now, s.more
		s.mu.Unlock()
		if now != "" {
			_, _ = fmt.Fprintf(w, "event: state\ndata: %s\n\n", now)
		}
		_ = http.NewResponseController(w).Flush()
		s.set(func() { s.sent = now })
		select {
		case <-r.Context().Done():
			return
		case <-more:
		}
	}
}

// say makes this the state.
func (s *stage) say(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = state
	close(s.more)
	s.more = make(chan struct{})
}

func (s *stage) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// streamed reports whether the state of now went down a stream.
func (s *stage) streamed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent == s.now
}

func (s *stage) loaded() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads
}

func (s *stage) posted() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.posts, " ")
}

// tab is a browser tab; anything its console complains of fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func newTab(t *testing.T) *tab {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil || testing.Short() {
		t.Skip("needs chromium, and time")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.WindowSize(1280, 900))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	err = chromedp.Listen(ctx, func(event any) {
		if e, ok := event.(*runtime.EventExceptionThrown); ok {
			t.Errorf("exception in the page: %+v", e)
		}
	})
	if err != nil {
		t.Fatalf("browser: %v", err)
	}
	return &tab{t: t, ctx: ctx}
}

func (b *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// text evaluates a script to a text.
func (b *tab) text(script string) string {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+script+")"))
	if err != nil {
		b.t.Fatalf("evaluating %s: %v", script, err)
	}
	return got
}

// await asks until the script is true.
func (b *tab) await(script string) {
	b.t.Helper()
	ok := b.until(func() bool {
		// A page that is just being left cannot answer: ask again.
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+script+")"))
		return err == nil && got
	})
	if !ok {
		b.t.Fatalf("never became true: %s; the page: %s", script, b.text("document.body.innerText"))
	}
}

// until asks again and again, for a while, and reports whether it came true.
func (b *tab) until(is func() bool) bool {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for {
		if is() {
			return true
		}
		select {
		case <-end:
			return false
		case <-tick.C:
		}
	}
}

// visible is a script for the name of the panel that is shown.
const visible = `[...document.querySelectorAll("[data-screen]")].filter(p=>p.offsetHeight).map(p=>p.dataset.testid).join()`

// state is a state JSON.
func state(seq int, screen templates.Screen, slots, more string) string {
	return fmt.Sprintf(`{"v":1,"seq":%d,"status":"s%d","screen":%q,"pollAfter":1,"slots":{%s}%s}`, seq, seq, screen, slots, more)
}
