package web_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
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

// TestSlowClients: 200 who never finish their headers, and 200 who never finish
// their bodies, are cut off, and people are served meanwhile.
func TestSlowClients(t *testing.T) {
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
