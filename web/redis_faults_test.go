package web_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/redistest"
)

// brokenRedis is a portal on a Redis of its own, behind a proxy.
func brokenRedis(t *testing.T) (w *world, server *redistest.Server, proxy *redistest.Proxy) {
	t.Helper()
	server = redistest.Start(t, redistest.Durable()...)
	proxy = redistest.StartProxy(t, server.Addr)
	return newWorld(t, func(s *setting) { s.redis = proxy.Addr }), server, proxy
}

// wantUnavailable: a machine is told to come again, and when.
func wantUnavailable(t *testing.T, call string, a answer) {
	t.Helper()
	after, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if a.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1 || after > 10 {
		t.Errorf("%s answers %d with Retry-After %q, want 503 and some seconds: %s", call, a.StatusCode, a.Header.Get("Retry-After"), a.body)
	}
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json") {
		var p problem
		a.json(t, &p)
		if p.Code != string(handoff.CodePlatformUnavailable) {
			t.Errorf("%s has the code %s, want %s", call, p.Code, handoff.CodePlatformUnavailable)
		}
	}
}

// TestRedisFaults: whatever is wrong with Redis, machines are told to come again,
// a page says so or shows what can still be read, and when it is over the very same
// requests go through, with one exchange.
func TestRedisFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		breakIt, mend func(t *testing.T, c *redis.Client, p *redistest.Proxy)
		readable      bool // what is there can still be read
		partly        bool // and changed, where it takes no new key
		slow          bool // each call takes seconds: fewer of them
	}{
		"refused": {
			breakIt: func(_ *testing.T, _ *redis.Client, p *redistest.Proxy) { p.Set(redistest.Refuse) },
			mend:    func(_ *testing.T, _ *redis.Client, p *redistest.Proxy) { p.Set(redistest.Pass) },
		},
		"silent": {
			breakIt: func(_ *testing.T, _ *redis.Client, p *redistest.Proxy) { p.Set(redistest.Stall) },
			mend:    func(_ *testing.T, _ *redis.Client, p *redistest.Proxy) { p.Set(redistest.Pass) },
			slow:    true,
		},
		"full": {
			breakIt:  func(t *testing.T, c *redis.Client, _ *redistest.Proxy) { set(t, c, "maxmemory", "1") },
			mend:     func(t *testing.T, c *redis.Client, _ *redistest.Proxy) { set(t, c, "maxmemory", "0") },
			readable: true, partly: true,
		},
		"read-only": {
			breakIt: func(t *testing.T, c *redis.Client, _ *redistest.Proxy) {
				if err := c.ReplicaOf(t.Context(), "127.0.0.1", "1").Err(); err != nil {
					t.Fatal(err)
				}
			},
			mend: func(t *testing.T, c *redis.Client, _ *redistest.Proxy) {
				if err := c.ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil {
					t.Fatal(err)
				}
			},
			readable: true,
		},
		"without replicas": {
			breakIt:  func(t *testing.T, c *redis.Client, _ *redistest.Proxy) { set(t, c, "min-replicas-to-write", "1") },
			mend:     func(t *testing.T, c *redis.Client, _ *redistest.Proxy) { set(t, c, "min-replicas-to-write", "0") },
			readable: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, server, proxy := brokenRedis(t)
			direct := server.Client()
			claimed, ready := w.begin(), w.connected()
			claimed.open()
			landing := claimed.scan()
			verifier, _ := pkce()
			pickup := map[string]string{"pickup": ready.pickup(), "verifier": verifier}

			tt.breakIt(t, direct, proxy)
			wantUnavailable(t, "POST /v1/handoffs", w.call(http.MethodPost, "/v1/handoffs", map[string]any{"instanceId": "PiRedisFaults000001"}))
			paths := []string{"", "/status"}
			if !tt.partly {
				wantUnavailable(t, "POST /v1/pickups", w.native("/v1/pickups", pickup))
			}
			if tt.slow {
				paths = paths[:1]
			} else {
				wantUnavailable(t, "Continue", claimed.phone.press(landing, "continue"))
			}
			for _, path := range paths {
				a := claimed.desk.get(claimed.made.DisplayURL + path)
				if tt.readable && a.StatusCode != http.StatusOK {
					t.Errorf("GET of a display%s that can be read = %d, want 200", path, a.StatusCode)
				} else if !tt.readable {
					wantUnavailable(t, "GET of a display"+path, a)
				}
			}

			tt.mend(t, direct, proxy)
			var got token
			a := w.native("/v1/pickups", pickup)
			for ; a.StatusCode == http.StatusServiceUnavailable; a = w.native("/v1/pickups", pickup) {
				time.Sleep(50 * time.Millisecond) // connections that died in the pool
			}
			if a.json(t, &got); a.StatusCode != http.StatusOK || got.EndUserToken == "" {
				t.Errorf("the same pickup afterwards = %d %s, want its token", a.StatusCode, a.body)
			}
			claimed.own = claimed.phone.press(landing, "continue")
			claimed.own.wantPage(t, http.StatusOK, "ready")
			w.wantConnectsOnce()
			if n := len(w.callsOf(ready.made.InstanceID, "connect")); n != 1 {
				t.Errorf("the handoff was connected %d times, want once", n)
			}
		})
	}
}

func set(t *testing.T, c *redis.Client, name, value string) {
	t.Helper()
	if err := c.ConfigSet(t.Context(), name, value).Err(); err != nil {
		t.Fatal(err)
	}
}

// TestRedisLosesAnswers plays handoffs while one answer of Redis in three is cut
// off after what was asked for has been done, and then while every answer is late.
// People who try again get through, and nothing happens twice.
func TestRedisLosesAnswers(t *testing.T) {
	unraced(t)
	t.Parallel()
	w, _, proxy := brokenRedis(t)
	for _, mode := range []redistest.Mode{redistest.Reset, redistest.Reset, redistest.Reset, redistest.Slow} {
		s := w.begin()
		proxy.Set(mode)
		again := func(what string, do func() answer) answer {
			t.Helper()
			for range 50 {
				a := do()
				away := what == "the display" && a.StatusCode == http.StatusOK && a.panel(t) == "panel-away"
				if a.StatusCode != http.StatusServiceUnavailable && !away {
					return a
				}
			}
			t.Fatalf("%s does not get through in 50 tries", what)
			return answer{}
		}
		again("the display", s.open).wantPanel(t, http.StatusOK, "panel-waiting")
		proxy.Set(redistest.Pass)
		code := s.code()
		proxy.Set(mode)
		landing := again("the landing", func() answer { return s.phone.get(code) })
		s.own = again("Continue", func() answer { return s.phone.press(landing, "continue") })
		s.own = again("the phone's page", func() answer { return s.phone.get(s.own.url.String()) })
		s.own.wantPage(t, http.StatusOK, "ready")
		verifier, _ := pkce()
		body := map[string]string{"pickup": s.pickup(), "verifier": verifier}
		if a := again("the pickup", func() answer { return w.native("/v1/pickups", body) }); a.StatusCode != http.StatusOK {
			t.Errorf("the pickup = %d %s, want 200", a.StatusCode, a.body)
		}
		proxy.Set(redistest.Pass)
		h := s.stored()
		counts := make(map[handoff.EventType]int)
		for _, e := range h.Events {
			counts[e.Type]++
		}
		for _, once := range []handoff.EventType{"created", "displayed", "claimed", "confirmed", "connected", "delivered"} {
			if counts[once] != 1 {
				t.Errorf("%s happened %d times, want once, among %v", once, counts[once], h.Events)
			}
		}
		if h.Claims != 1 {
			t.Errorf("the handoff counts %d claims, want 1", h.Claims)
		}
	}
	w.wantConnectsOnce()
}

// TestStreamAcrossProcesses: a desktop at one process sees what a phone does at
// another, by its stream.
func TestStreamAcrossProcesses(t *testing.T) {
	t.Parallel()
	one := newWorld(t, func(s *setting) { s.redis = redistest.Address(t) })
	two := newWorld(t, func(s *setting) { s.beside = one })
	s := one.begin()
	s.open()
	stream := s.desk.stream(s.made.DisplayURL, "")
	stream.until("waiting")
	elsewhere := func(address string) string { // the same portal by the other process
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return u.Path
	}
	at := func(p *person, method, path string, form url.Values) answer {
		r := p.request(method, one.public+path, form)
		r.Host, r.URL.Host = r.URL.Host, two.listen
		return send(t, p.client, r)
	}
	code := elsewhere(s.code())
	if a := at(s.phone, http.MethodPost, code, url.Values{"attempt": {newAttempt()}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("Continue at the other process = %d %s", a.StatusCode, a.body)
	}
	if st := stream.until("connected"); st.Status != "confirmed" && st.Status != "connected" {
		t.Errorf("the desktop was told %q, want confirmed", st.Status)
	}
}
