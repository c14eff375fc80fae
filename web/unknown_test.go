package web_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// capabilityRoutes are the kinds of route that take a capability.
func capabilityRoutes() []string {
	return []string{"landing", "press", "display", "form", "phone", "claim", "token", "reject", "pickup", "report"}
}

// unknown are requests to a kind of route with capabilities that are malformed,
// unknown and foreign.
func (w *world) unknown(route string) []func() answer {
	w.t.Helper()
	h, strange := w.create(), rand.Text()
	w.person(desktop).get(h.DisplayURL)
	var link struct{ URL string }
	w.call(http.MethodPost, "/v1/handoffs/"+h.ID+"/links", nil).json(w.t, &link)
	code := link.URL[strings.LastIndex(link.URL, "/")+1:] // good at its partner's, and without a frame
	_, challenge := pkce()
	verifier, _ := pkce()
	each := func(ask func(string) answer, all ...string) (asks []func() answer) {
		for _, one := range all {
			asks = append(asks, func() answer { return ask(one) })
		}
		return asks
	}
	get := func(path string) answer { return w.person(iPhone).get(w.public + path) }
	post := func(path string) answer { return w.person(iPhone).post(w.public+path, nil) }
	codes := []string{"acme/" + strange, "acme/-", "other/" + code, "nobody/" + code, "acme/" + code + ".0.ABCDEFGHJK", "acme/%00%ff"}
	keys := []string{strange, "-", code, h.ID, strings.Repeat("A", 4000)}
	switch route {
	case "landing":
		return each(func(c string) answer { return get("/c/" + c) }, codes...)
	case "press":
		return each(func(c string) answer { return post("/c/" + c) }, codes...)
	case "display":
		return each(func(key string) answer { return get("/h/" + key) }, keys...)
	case "form":
		return each(func(key string) answer { return post("/h/" + key + "/cancel") }, keys...)
	case "phone":
		return each(func(key string) answer { return get("/p/" + key) }, keys...)
	case "claim":
		return each(func(c string) answer {
			partner, code, _ := strings.Cut(c, " ")
			return w.native("/v1/claims", map[string]any{
				"partner": partner, "code": code, "codeChallenge": challenge,
				"deviceInfo": map[string]any{"deviceId": "0123456789abcdef", "deviceType": "mobile"},
			})
		}, " "+strange, " -", "other "+code, "nobody "+code, "acme "+strange, "acme https://elsewhere.example/c/acme/"+code, "Acme! "+code)
	case "token", "reject":
		return each(func(key string) answer {
			return w.native("/v1/claims/"+key+"/"+route, map[string]string{"codeVerifier": verifier})
		}, keys...)
	case "pickup":
		return each(func(key string) answer {
			return w.native("/v1/pickups", map[string]string{"pickup": key, "verifier": verifier})
		}, append(keys, "")...)
	case "report":
		return each(func(key string) answer { return w.native("/v1/reports/"+key, map[string]string{"event": "started"}) }, keys...)
	}
	w.t.Fatalf("there is no route %s", route)
	return nil
}

// lookups is a store that counts how often a capability is looked up.
type lookups struct {
	handoff.Store
	made atomic.Int64
}

func (l *lookups) Lookup(ctx context.Context, key handoff.Key) (handoff.Handoff, error) {
	l.made.Add(1)
	return l.Store.Lookup(ctx, key)
}

// TestUnknownAlike: what is malformed, unknown or foreign gets one body, but for
// the id of the request, after the same work.
func TestUnknownAlike(t *testing.T) {
	t.Parallel()
	store := &lookups{}
	w := newWorld(t, func(s *setting) {
		s.wrap = func(inner handoff.Store) handoff.Store {
			store.Store = inner
			return store
		}
	})
	for _, route := range capabilityRoutes() {
		first := ""
		for i, ask := range w.unknown(route) {
			before := store.made.Load()
			a := ask()
			if made := store.made.Load() - before; made != 1 {
				t.Errorf("%s, number %d (%.60s) looks up %d times, want once", route, i, a.url.Path, made)
			}
			body := strings.ReplaceAll(string(a.body), a.Header.Get("X-Request-ID"), "ID")
			if first == "" {
				first = body
			}
			if a.StatusCode != http.StatusNotFound || body != first {
				t.Errorf("%s, number %d (%.60s) = %d %s, want 404 as the first one: %s", route, i, a.url.Path, a.StatusCode, body, first)
			}
		}
	}
}

// TestUnknownPerNetwork: guessing ends with 429, on all routes together, and those
// who guess nothing are served from the same network.
func TestUnknownPerNetwork(t *testing.T) {
	t.Parallel()
	const most = 40
	w := newWorld(t, func(s *setting) { s.rates.UnknownPerNetwork = few(most) })
	h := w.create()
	count := 0
	for _, route := range append(capabilityRoutes(), "landing", "claim", "display") {
		for _, ask := range w.unknown(route) {
			a := ask()
			if count++; count > most {
				wantLimited(t, fmt.Sprintf("guess %d, by %s", count, route), a)
			} else if a.StatusCode != http.StatusNotFound {
				t.Errorf("guess %d, by %s = %d, want 404", count, route, a.StatusCode)
			}
		}
	}
	if count <= most+10 {
		t.Fatalf("%d guesses, want more than the limit of %d", count, most)
	}
	phone := w.person(iPhone)
	if a := phone.press(phone.get(w.scan(h.DisplayURL)), "continue"); a.StatusCode != http.StatusOK {
		t.Errorf("claiming beyond the limit of guesses = %d, want 200: it was no guess", a.StatusCode)
	}
	if a := w.call(http.MethodGet, "/v1/handoffs/ho_AAAAAAAAAAAAAAAAAAAAAA", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("a partner's unknown handoff = %d, want 404: it shows a key", a.StatusCode)
	}
	if a := phone.get(w.public + "/favicon.ico"); a.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown path = %d, want 404: it is no capability", a.StatusCode)
	}
	w.clock.advance(time.Minute)
	if a := phone.get(w.public + "/h/" + rand.Text()); a.StatusCode != http.StatusNotFound {
		t.Errorf("a guess a minute later = %d, want 404", a.StatusCode)
	}
}

// A code that never was leaves nothing in the browser; a landing knows it again.
func TestUnknownCodeSetsNoCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	for code, want := range map[string]bool{"0123456789ABCDEFGHJKMNPQRS": false, "short": false, s.code()[strings.LastIndex(s.code(), "/")+1:]: true} {
		a := w.person(iPhone).get(w.link + "/c/acme/" + code)
		if got := a.Header.Get("Set-Cookie") != ""; got != want {
			t.Errorf("GET /c/acme/%s = %d, sets a cookie: %t, want %t", code, a.StatusCode, got, want)
		}
	}
}
