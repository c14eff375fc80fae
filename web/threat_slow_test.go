package web_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slow opens a connection that sends begin and then a byte now and again, for as
// long as it is let; done is closed when it was cut off.
func slow(t *testing.T, address, begin string) (done <-chan struct{}) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, begin); err != nil {
		t.Fatal(err)
	}
	cut := make(chan struct{})
	go func() { // writes until the server hangs up
		for range time.Tick(20 * time.Millisecond) {
			if _, err := io.WriteString(conn, "a"); err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(cut)
		_, _ = io.Copy(io.Discard, bufio.NewReader(conn))
		_ = conn.Close()
	}()
	return cut
}

// TestThreatSlowClients: 200 who never finish their headers, and 200 who never finish
// their bodies, are cut off, and people are served meanwhile.
func TestThreatSlowClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) {
		s.tune = func(srv *http.Server) { // the same limits, sooner
			srv.ReadHeaderTimeout, srv.ReadTimeout = srv.ReadHeaderTimeout/10, srv.ReadTimeout/10
		}
	})
	at, err := url.Parse(w.public)
	if err != nil {
		t.Fatal(err)
	}
	h := w.create()
	var cut []<-chan struct{}
	for range 200 {
		cut = append(cut, slow(t, at.Host, "GET / HTTP/1.1\r\nHost: "+at.Host+"\r\nX-Slow: "))
	}
	bodies := []string{
		"POST /v1/claims HTTP/1.1\r\nContent-Type: application/json\r\n",
		"POST /v1/handoffs HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer " + w.key.Reveal() + "\r\n",
		"POST " + strings.TrimPrefix(h.DisplayURL, w.public) + "/confirm HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nOrigin: " + w.public + "\r\n",
		"POST /nowhere HTTP/1.1\r\n",
	}
	for i := range 200 {
		cut = append(cut, slow(t, at.Host, bodies[i%len(bodies)]+"Host: "+at.Host+"\r\nContent-Length: 4000\r\n\r\n{\""))
	}
	s := w.begin()
	s.open()
	s.scan()
	s.tap()
	late := time.After(patience)
	for i, done := range cut {
		select {
		case <-done:
		case <-late:
			t.Fatalf("slow client %d is still connected", i)
		}
	}
}

// TestServerLimits: no server of ours waits for ever, or reads headers without end.
func TestServerLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if s := w.server; s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
		t.Errorf("NewServer() = %+v, want every limit set", s)
	}
	p := w.person(desktop)
	r := p.request(http.MethodGet, w.public+"/", nil)
	r.Header.Set("X-Large", strings.Repeat("a", 40<<10))
	if a := send(t, p.client, r); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("40 KB of headers = %d, want 431", a.StatusCode)
	}
}

// endless is a body without end, which nobody holds; taken counts what was read of it.
type endless struct{ taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	e.taken.Add(int64(len(p)))
	return len(p), nil
}

// TestThreatHugeBodies: bodies of 1 GB, with their length told and without, are
// refused at every kind of route after a small part, and change nothing, while
// people are served.
func TestThreatHugeBodies(t *testing.T) {
	t.Parallel()
	const (
		huge = 1 << 30
		part = 64 << 20 // the server reads 64 KB; what more is taken lies in the system's buffers
	)
	w := newWorld(t)
	h := w.create()
	seq := len(w.get(h.ID).Events)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: stay}
	display := strings.TrimPrefix(h.DisplayURL, w.public)
	type way struct{ path, content, begin string }
	var ways []way
	for path, begin := range map[string]string{
		"/v1/handoffs": `{"instanceId":"`, "/v1/claims": `{"code":"`, "/v1/claims/x/token": `{"codeVerifier":"`, "/v1/pickups": `{"pickup":"`, "/v1/reports/x": `{"event":"`,
	} {
		ways = append(ways, way{path, "application/json", begin})
	}
	for path, begin := range map[string]string{
		display + "/confirm": "number=", display + "/cancel": "x=", "/c/acme/x": "attempt=", "/t/acme": "code=", "/p/x/open": "x=",
	} {
		ways = append(ways, way{path, "application/x-www-form-urlencoded", begin})
	}
	ways = append(ways, way{"/reports/csp", "application/csp-report", `{"csp-report":{"blocked-uri":"`})
	var sent sync.WaitGroup
	for _, to := range ways {
		for _, told := range []bool{true, false} {
			body := &endless{}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.public+to.path,
				io.LimitReader(io.MultiReader(strings.NewReader(to.begin), body), huge))
			if err != nil {
				t.Fatal(err)
			}
			if r.ContentLength = -1; told {
				r.ContentLength = huge
			}
			r.Header.Set("Content-Type", to.content)
			r.Header.Set("Origin", w.public)
			if to.path == "/v1/handoffs" {
				r.Header.Set("Authorization", "Bearer "+w.key.Reveal())
			}
			sent.Go(func() {
				status := 0
				if res, err := client.Do(r); err == nil {
					status = res.StatusCode
					_ = res.Body.Close()
				}
				// Refused by its length alone, one may be cut off before it could hear so.
				want := status == http.StatusRequestEntityTooLarge || told && status == 0 ||
					!told && to.path == "/reports/csp" && status == http.StatusNoContent // the same answer to whatever comes
				if n := body.taken.Load(); !want || n > part {
					t.Errorf("1 GB to %s (length told: %t) = %d after %d bytes, want 413 after a part", to.path, told, status, n)
				}
			})
		}
	}
	w.delivered()
	sent.Wait()
	w.delivered()
	if got := w.get(h.ID); len(got.Events) != seq {
		t.Errorf("the handoff has the events %v, want none of a body that was refused", got.Events)
	}
}
