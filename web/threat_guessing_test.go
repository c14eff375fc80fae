package web_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// recorder is a store that notes what is asked of it.
type recorder struct {
	handoff.Store
	mu    sync.Mutex
	calls []string // guarded by mu
}

func (r *recorder) note(call string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
}

// taken are the calls since it was asked last.
func (r *recorder) taken() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := strings.Join(r.calls, " ")
	r.calls = r.calls[:0]
	return all
}

func (r *recorder) Lookup(ctx context.Context, key handoff.Key) (handoff.Handoff, error) {
	kind, _, _ := strings.Cut(string(key), ":")
	r.note("Lookup:" + kind)
	return r.Store.Lookup(ctx, key)
}

func (r *recorder) Get(ctx context.Context, id handoff.ID) (handoff.Handoff, error) {
	r.note("Get")
	return r.Store.Get(ctx, id)
}

func (r *recorder) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	r.note("Update")
	return r.Store.Update(ctx, id, fn)
}

// guess is a kind of request that a guesser makes.
type guess struct {
	method, path string // with CAP where the capability goes
	body         string
}

func guesses() []guess {
	const (
		verifier = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
		claim    = `{"code":"CAP","codeChallenge":"` + verifier + `","deviceInfo":{"deviceId":"0123456789abcdef","deviceType":"mobile"}}`
		token    = `{"codeVerifier":"` + verifier + `"}`
	)
	return []guess{
		{http.MethodGet, "/c/acme/CAP", ""},
		{http.MethodPost, "/c/acme/CAP", "attempt=0123456789abcdef"},
		{http.MethodPost, "/c/acme/CAP/reject", "sure=1"},
		{http.MethodGet, "/h/CAP", ""},
		{http.MethodGet, "/h/CAP/status", ""},
		{http.MethodGet, "/h/CAP/events", ""},
		{http.MethodGet, "/h/CAP/qr.svg", ""},
		{http.MethodPost, "/h/CAP/confirm", "number=1234"},
		{http.MethodPost, "/h/CAP/continue", "number=1234"},
		{http.MethodGet, "/p/CAP", ""},
		{http.MethodGet, "/p/CAP/status", ""},
		{http.MethodPost, "/p/CAP/open", "x=1"},
		{http.MethodPost, "/p/CAP/reject", "sure=1"},
		{http.MethodGet, "/r/CAP", ""},
		{http.MethodPost, "/v1/claims", claim},
		{http.MethodPost, "/v1/claims/CAP/token", token},
		{http.MethodPost, "/v1/claims/CAP/reject", token},
		{http.MethodPost, "/v1/pickups", `{"pickup":"CAP","verifier":"` + verifier + `"}`},
		{http.MethodPost, "/v1/reports/CAP", `{"event":"started"}`},
	}
}

// ask sends a guess to the handler itself, from a network.
func (g guess) ask(h http.Handler, host, capability, network string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(g.method, strings.ReplaceAll(g.path, "CAP", capability), strings.NewReader(strings.ReplaceAll(g.body, "CAP", capability)))
	r.Host = host
	r.Header.Set("X-Forwarded-For", network)
	switch {
	case strings.HasPrefix(g.path, "/v1/"):
		r.Header.Set("Content-Type", "application/json")
	case g.method == http.MethodPost:
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	got := httptest.NewRecorder()
	h.ServeHTTP(got, r)
	return got
}

// random is a capability that never was: mostly of the right form, often not.
func random(n int) string {
	b := make([]byte, 48)
	_, _ = rand.Read(b)
	text := base64.RawURLEncoding.EncodeToString(b)
	switch n % 8 {
	case 0:
		return text[:1+n%21]
	case 1:
		return text // 64 characters: too long
	case 2:
		return rand.Text() // of a code
	case 3:
		return rand.Text() + "." + rand.Text()[:1+n%3] + "." + rand.Text()[:10]
	case 4:
		return "ho_" + text[:22]
	}
	return text[:22]
}

// TestThreatGuessing: 100,000 capabilities that never were get one 404 until the
// limit of their network, after the same calls of the store, malformed ones and
// those of another kind or partner too.
func TestThreatGuessing(t *testing.T) {
	t.Parallel()
	const networks = 100
	each := 1000 // of them
	if testing.Short() || raced {
		each = 100
	}
	all, most := networks*each, each-each/10
	store := &recorder{}
	w := newWorld(t, func(s *setting) {
		s.log, s.rates.UnknownPerNetwork = io.Discard, few(most)
		s.proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // where httptest's requests come from
		s.wrap = func(inner handoff.Store) handoff.Store {
			store.Store = inner
			return store
		}
	})
	h := w.server.Handler
	host := strings.TrimPrefix(w.public, "http://")
	foreign := w.foreign()
	w.stop() // the worker asks the store too
	store.taken()
	var wants [19]struct{ body, calls string }
	for i := range all {
		network := i / each
		n := i % each
		which := i % len(wants)
		g := guesses()[which]
		capability := random(i)
		if n%20 == 3 {
			capability = foreign[g.path][n%len(foreign[g.path])]
		}
		got := g.ask(h, host, capability, fmt.Sprintf("198.51.%d.%d", 100+network/200, network%200))
		body := strings.ReplaceAll(got.Body.String(), got.Header().Get("X-Request-ID"), "ID")
		calls := store.taken()
		want := &wants[which]
		if want.body == "" {
			want.body, want.calls = body, calls
		}
		if n >= most {
			if got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") == "" {
				t.Fatalf("guess %d of a network, %s %s = %d, want 429 and when to come again", n, g.method, g.path, got.Code)
			}
		} else if got.Code != http.StatusNotFound || body != want.body {
			t.Fatalf("%s %s with %s = %d, want 404 as for any other:\n%s\n%s", g.method, g.path, capability, got.Code, body, want.body)
		}
		if calls != want.calls || calls == "" {
			t.Fatalf("%s %s with %s makes the calls [%s], want [%s] as for any other", g.method, g.path, capability, calls, want.calls)
		}
	}
}

// foreign are capabilities that are good for something else, by the path of a guess.
func (w *world) foreign() map[string][]string {
	w.t.Helper()
	s, waiting := w.delivered(), w.begin()
	waiting.open()
	link := waiting.live(handoff.RoutePartner)
	code := link[strings.LastIndex(link, "/")+1:]
	display := s.made.DisplayURL[strings.LastIndex(s.made.DisplayURL, "/")+1:]
	claim := s.own.url.Path[strings.LastIndex(s.own.url.Path, "/")+1:]
	report := s.token.ReportURL[strings.LastIndex(s.token.ReportURL, "/")+1:]
	other := w.raw(http.MethodPost, "/v1/handoffs", `{"instanceId":"`+newInstance()+`"}`, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+w.other.Reveal())
	})
	var made wire
	other.json(w.t, &made)
	made = wire{ID: made.ID, DisplayURL: made.DisplayURL}
	var l struct{ URL string }
	w.callAs(w.other, http.MethodPost, "/v1/handoffs/"+made.ID+"/links", nil).json(w.t, &l)
	theirs := l.URL[strings.LastIndex(l.URL, "/")+1:] // good at /c/other/ only
	keys := []string{made.ID, s.made.ID, report, code, s.made.SupportRef}
	by := map[string][]string{}
	for _, g := range guesses() {
		switch {
		case strings.HasPrefix(g.path, "/c/"):
			by[g.path] = append([]string{theirs, display, claim}, keys...)
			by[g.path] = slices.DeleteFunc(by[g.path], func(c string) bool { return c == code })
		case strings.HasPrefix(g.path, "/h/"):
			by[g.path] = append([]string{claim, theirs}, keys...)
		case strings.HasPrefix(g.path, "/v1/reports/"):
			by[g.path] = []string{display, claim, code, theirs, made.ID}
		case g.path == "/v1/claims":
			by[g.path] = []string{display, claim, report, made.ID}
		default: // /p/, too: this phone's own page, without its cookie
			by[g.path] = append([]string{display, claim, theirs}, keys...)
		}
	}
	return by
}

// BenchmarkThreatGuessing times what a guesser can time: one that is malformed,
// one that is unknown and one that is another's, against each other.
func BenchmarkThreatGuessing(b *testing.B) {
	w := newWorld(b, func(s *setting) { s.log = io.Discard })
	h, host := w.server.Handler, strings.TrimPrefix(w.public, "http://")
	foreign := w.foreign()
	for _, which := range []int{0, 3, 9, 14, 15, 17} {
		g := guesses()[which]
		b.Run(strings.ReplaceAll(g.method+g.path, "/", "."), func(b *testing.B) {
			var took [3]time.Duration
			for b.Loop() {
				for i, capability := range []string{random(5), random(8), foreign[g.path][0]} {
					begin := time.Now()
					g.ask(h, host, capability, "198.51.100.1")
					took[i] += time.Since(begin)
				}
			}
			b.ReportMetric(float64(took[1])/float64(took[0]), "malformed/unknown")
			b.ReportMetric(float64(took[2])/float64(took[0]), "foreign/unknown")
		})
	}
}
