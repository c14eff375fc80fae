package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/limit"
)

// rawStream opens the stream of a display of w, by an HTTP version, over a
// connection of its own.
func (w *world) rawStream(t *testing.T, displayURL, version string) *net.TCPConn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err = fmt.Fprintf(conn, "GET %s/events HTTP/%s\r\nHost: %s\r\nUser-Agent: %s\r\nAccept-Language: en\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\r\n",
		strings.TrimPrefix(displayURL, w.public), version, strings.TrimPrefix(w.public, "http://"), desktop)
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// perRequest is what no two answers have in common.
var perRequest = regexp.MustCompile(`(?m)^(Date|X-Request-Id): .*$`)

// TestStreamBytes: a page cannot tell whether its stream's connection was taken
// over: the head and the events are the same, byte for byte, in the same order.
func TestStreamBytes(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"1.1", "1.0"} {
		taken := newWorld(t, func(s *setting) { s.frame = 0 })
		plain := newWorld(t, func(s *setting) { s.frame, s.way, s.beside = 0, wayPlain, taken })
		s := taken.begin(map[string]any{"returnUrl": "http://localhost:8999/done"})
		s.open()
		var streams []*net.TCPConn
		var read []*bufio.Reader
		for _, w := range []*world{taken, plain} {
			streams = append(streams, w.rawStream(t, s.made.DisplayURL, version))
			read = append(read, bufio.NewReader(streams[len(streams)-1]))
		}
		var heard [2]strings.Builder
		until := func(part string) {
			t.Helper()
			for i, r := range read {
				for line := ""; !strings.Contains(line, part); {
					var err error
					if line, err = r.ReadString('\n'); err != nil {
						t.Fatalf("reading a stream up to %s: %v", part, err)
					}
					heard[i].WriteString(line)
				}
			}
		}
		until(`"screen":"waiting"`)
		s.scan()
		plain.hub.Changed(s.stored())
		until(`"screen":"opened"`)
		s.desk.post(s.made.DisplayURL+"/cancel", nil)
		plain.hub.Changed(s.stored())
		for i, r := range read {
			rest, err := io.ReadAll(r)
			if err != nil {
				t.Fatalf("HTTP/%s: reading the end of a stream: %v", version, err)
			}
			heard[i].Write(rest)
		}
		got, want := perRequest.ReplaceAllString(heard[0].String(), "$1"), perRequest.ReplaceAllString(heard[1].String(), "$1")
		if got != want {
			t.Errorf("HTTP/%s: a stream whose connection was taken over says\n%s, want what net/http says:\n%s", version, got, want)
		}
		if !strings.HasPrefix(got, "HTTP/"+version+" 200 OK\r\n") || !strings.Contains(got, `"screen":"cancelled"`) || !strings.HasSuffix(got, "}\n\n") ||
			strings.Contains(strings.ToLower(got), "transfer-encoding") || strings.Contains(got, "Connection: close\r\n") != (version == "1.1") {
			t.Errorf("HTTP/%s: a stream says\n%s, want a head without chunks, and states up to the end", version, got)
		}
		taken.wantTaken(wayTaken, 1)
		plain.wantTaken(wayPlain, 0)
	}
}

// TestStreamsAreLetGo: a stream is told of when it has ended, with all that it
// sent, and leaves its place to another, whichever end was it that went.
func TestStreamsAreLetGo(t *testing.T) { overEachWay(t, testStreamsAreLetGo) }

func testStreamsAreLetGo(t *testing.T, over func(*setting)) {
	w := newWorld(t, over, func(s *setting) { s.streams = limit.StreamLimits{PerHandoff: 2, PerNetwork: 2, Total: 2} })
	s := w.begin()
	s.open()
	logged := len(w.logs.String())
	gone := w.person(desktop).stream(s.made.DisplayURL, "")
	stays := s.desk.stream(s.made.DisplayURL, "")
	gone.until("waiting")
	stays.until("waiting")
	if a := s.desk.stream(s.made.DisplayURL, ""); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a third stream = %d, want 503", a.StatusCode)
	}
	_ = gone.Body.Close()
	w.wantLogged(logged, "request", map[string]string{"route": "/h/:key/events", "request_id": gone.Header.Get("X-Request-Id")})
	w.untilStream(s.made.DisplayURL)
	s.desk.post(s.made.DisplayURL+"/cancel", nil)
	stays.until("cancelled")
	if e, ok := stays.next(); ok {
		t.Errorf("after the end the stream says %+v", e)
	}
	id := stays.Header.Get("X-Request-Id")
	w.wantLogged(logged, "request", map[string]string{"route": "/h/:key/events", "request_id": id})
	for _, l := range w.logs.since(t, logged) {
		if l.str("request_id") == id && (l["status"] != 200.0 || l["bytes"] != float64(stays.body.n) || l["method"] != "GET") {
			t.Errorf("the stream that said %d bytes is logged as %v", stays.body.n, l)
		}
	}
	for begin := time.Now(); len(w.hub.Followed()) > 0; { // the other stream of untilStream may be open still
		if time.Since(begin) > patience {
			t.Fatalf("%v is followed, though it has ended", w.hub.Followed())
		}
	}
	w.wantSamples(`handoff_http_requests_total{method="GET",route="/h/:key/events",status="200"} 3`)
}

// TestSlowViewer: a page that does not read is let go, and others are told all the
// same, meanwhile and afterwards.
func TestSlowViewer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) {
		s.frame = 0
		s.tune = func(srv *http.Server) { // with little room on the way, it shows soon
			inner := srv.ConnContext
			srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
				_ = c.(*net.TCPConn).SetWriteBuffer(4 << 10)
				return inner(ctx, c)
			}
		}
	})
	s := w.begin()
	s.open()
	logged := len(w.logs.String())
	slow := w.rawStream(t, s.made.DisplayURL, "1.1")
	_ = slow.SetReadBuffer(4 << 10)
	reads := s.desk.stream(s.made.DisplayURL, "")
	reads.until("waiting")
	for begin := time.Now(); !strings.Contains(w.logs.String()[logged:], `"route":"/h/:key/events"`); {
		if time.Since(begin) > patience {
			t.Fatal("a page that reads nothing is not let go")
		}
		s.desk.post(s.made.DisplayURL+"/renew", nil)
		reads.untilSeq(s.stored().Seq)
	}
	s.desk.post(s.made.DisplayURL+"/cancel", nil)
	reads.until("cancelled")
	if whole, err := io.ReadAll(slow); err != nil || !strings.Contains(string(whole), `"screen":"waiting"`) || strings.Contains(string(whole), "cancelled") {
		t.Errorf("the page that did not read finds %d bytes, error %v, want some states, and not the last", len(whole), err)
	}
}

// TestStreamsComeAndGo: pages come and go while their handoff changes. Whoever
// stays is told the last, and in the end nothing is left.
func TestStreamsComeAndGo(t *testing.T) { overEachWay(t, testStreamsComeAndGo) }

func testStreamsComeAndGo(t *testing.T, over func(*setting)) {
	w := newWorld(t, over, func(s *setting) { s.frame = time.Second })
	s := w.begin()
	s.open()
	var pages sync.WaitGroup
	for range 8 {
		pages.Go(func() {
			for range 10 {
				conn := w.rawStream(t, s.made.DisplayURL, "1.1")
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					t.Errorf("reading a stream: %v", err)
				}
				_ = conn.Close()
			}
		})
		pages.Go(func() {
			stays := w.person(desktop).stream(s.made.DisplayURL, "")
			stays.until("cancelled")
		})
	}
	for range 20 {
		s.desk.post(s.made.DisplayURL+"/renew", nil)
	}
	s.desk.post(s.made.DisplayURL+"/cancel", nil)
	pages.Wait()
	for begin := time.Now(); len(w.hub.Followed()) > 0; {
		if time.Since(begin) > patience {
			t.Fatalf("%v is followed, though all pages have gone", w.hub.Followed())
		}
	}
}

// TestStreamHeartbeat: a stream says that it is still there, though nothing happens.
func TestStreamHeartbeat(t *testing.T) {
	overEachWay(t, func(t *testing.T, over func(*setting)) {
		w := newWorld(t, over, func(s *setting) { s.frame, s.heartbeat = 0, 100*time.Millisecond })
		s := w.begin()
		s.open()
		r := w.rawStream(t, s.made.DisplayURL, "1.1")
		_ = r.SetDeadline(time.Now().Add(2 * patience))
		beats := 0
		for lines := bufio.NewScanner(r); beats < 2 && lines.Scan(); {
			if lines.Text() == "data" {
				beats++
			}
		}
		if beats < 2 {
			t.Errorf("a quiet stream ended after %d signs of life, want it to go on", beats)
		}
	})
}
