package web_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/qr"
	"github.com/handoff-portal/handoff/web"
)

// Every benchmark here measures a bare Echo handler too, by turns with its own
// subject, and reports the two as a ratio: figures of one machine say little of
// another, and those of a busy one little of itself. docs/performance.md holds
// the results.
//
// The requests go over loopback, on connections that are kept, from this process.
// What sends them makes no garbage and reads little of the answers, so that the
// figures are the server's.

// connections is how many a load keeps busy at once.
const connections = 64

// rounds is how often a benchmark measures Echo and its own subject by turns.
const rounds = 5

// kept is a connection that is used again and again.
type kept struct {
	net.Conn
	r *bufio.Reader
}

func dial(b *testing.B, host string) *kept {
	b.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &kept{Conn: conn, r: bufio.NewReaderSize(conn, 16<<10)}
}

// exchange sends a request and reads its answer to the end.
func (k *kept) exchange(request []byte, status int) error {
	if _, err := k.Write(request); err != nil {
		return err
	}
	length, err := k.head(status)
	if err != nil || length >= 0 {
		_, skip := k.r.Discard(max(length, 0))
		return firstOf(err, skip)
	}
	for { // chunked
		line, err := k.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return fmt.Errorf("reading a chunk's size: %w", err)
		}
		if _, err := k.r.Discard(int(n) + len("\r\n")); err != nil || n == 0 {
			return err
		}
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// head reads an answer's status line and header, and returns the length of its
// body, or -1 if it is chunked.
func (k *kept) head(status int) (length int, err error) {
	line, err := k.r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if got, err := strconv.Atoi(string(line[len("HTTP/1.1 "):][:3])); err != nil || got != status {
		return 0, fmt.Errorf("the answer is %q, want status %d", line, status)
	}
	for {
		line, err := k.r.ReadSlice('\n')
		if err != nil || len(line) == len("\r\n") {
			return length, err
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return 0, err
			}
		} else if bytes.HasPrefix(line, []byte("Transfer-Encoding: ")) {
			length = -1
		}
	}
}

// load sends requests over several connections at once.
type load struct {
	b      *testing.B
	conns  []*kept
	status int                // that every answer must have
	next   func(i int) []byte // request for connection i
}

func newLoad(b *testing.B, host string, status int, next func(i int) []byte) *load {
	b.Helper()
	l := &load{b: b, status: status, next: next}
	for range min(connections, b.N) {
		l.conns = append(l.conns, dial(b, host))
	}
	return l
}

// send sends n requests and returns how long that took.
func (l *load) send(n int) time.Duration {
	l.b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	errs := make([]error, len(l.conns))
	var wg sync.WaitGroup
	begin := time.Now()
	for i, k := range l.conns {
		wg.Go(func() {
			for left.Add(-1) >= 0 && errs[i] == nil {
				errs[i] = k.exchange(l.next(i), l.status)
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	if err := firstOf(errs...); err != nil {
		l.b.Fatal(err)
	}
	return took
}

// bareEcho is the yardstick: a handler that answers a string, without middleware,
// behind a server with our limits.
func bareEcho(b *testing.B, routes ...func(*echo.Echo)) (host string) {
	b.Helper()
	e := echo.New()
	e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "Hello, World!") })
	for _, add := range routes {
		add(e)
	}
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := web.NewServer(e, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	b.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return listener.Addr().String()
}

func bareLoad(b *testing.B) *load {
	b.Helper()
	host := bareEcho(b)
	request := []byte("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
	return newLoad(b, host, http.StatusOK, func(int) []byte { return request })
}

// sideBySide measures bare Echo and ours by turns, for about the same time each,
// and reports the median of the ratios. after, which is not measured, comes after
// each round.
func sideBySide(b *testing.B, ours func(n int) time.Duration, after func()) {
	b.Helper()
	bare := bareLoad(b)
	bare.send(min(b.N, 1000)) // connections and caches warm up
	var ratios, echoes []float64
	var total time.Duration
	b.ResetTimer()
	b.StopTimer()
	for left, turn := b.N, rounds; turn > 0 && left > 0; turn-- {
		n := (left + turn - 1) / turn
		left -= n
		b.StartTimer()
		took := ours(n)
		b.StopTimer()
		total += took
		after()
		sent, spent := 0, time.Duration(0)
		for chunk := max(n, len(bare.conns)); spent < took; sent += chunk {
			spent += bare.send(chunk)
		}
		each := spent.Seconds() / float64(sent)
		echoes = append(echoes, each)
		ratios = append(ratios, 100*each*float64(n)/took.Seconds())
	}
	b.ReportMetric(float64(b.N)/total.Seconds(), "req/s")
	b.ReportMetric(1/median(echoes), "echo-req/s")
	b.ReportMetric(median(ratios), "%-of-echo")
}

func median[T float64 | time.Duration](v []T) T {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// quiet has the portal log as it does in production, to where nobody looks.
func quiet(b testing.TB) func(*setting) {
	b.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = null.Close() })
	return func(s *setting) { s.log = null }
}

// displayed makes handoffs that are shown, and returns the paths of their displays.
func (w *world) displayed(n int) []string {
	w.t.Helper()
	desk := w.person(desktop)
	paths := make([]string, n)
	for i := range paths {
		h := w.create()
		if a := desk.get(h.DisplayURL); a.StatusCode != http.StatusOK {
			w.t.Fatalf("GET %s = %d, want 200", a.url.Path, a.StatusCode)
		}
		paths[i] = strings.TrimPrefix(h.DisplayURL, w.public)
	}
	return paths
}

// browserRequest is what Chrome sends, as bytes.
func (w *world) browserRequest(method, path, accept, mode, dest, body string, more ...string) []byte {
	host := strings.TrimPrefix(w.public, "http://")
	lines := append([]string{
		method + " " + path + " HTTP/1.1", "Host: " + host, "Connection: keep-alive", "Upgrade-Insecure-Requests: 1",
		"User-Agent: " + desktop, "Accept: " + accept, "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
		"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: " + mode, "Sec-Fetch-Dest: " + dest,
	}, more...)
	if body != "" {
		lines = append(lines, "Content-Length: "+strconv.Itoa(len(body)))
	}
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n" + body)
}

const acceptHTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// BenchmarkDisplayPage asks for displays of handoffs that are shown, with all
// middleware, each of which has a code to draw that was not drawn before.
func BenchmarkDisplayPage(b *testing.B) {
	w := newWorld(b, quiet(b), func(s *setting) { s.frame = time.Millisecond })
	requests := make([][]byte, 0, connections)
	for _, path := range w.displayed(min(connections, b.N)) {
		requests = append(requests, w.browserRequest(http.MethodGet, path, acceptHTML, "navigate", "document", ""))
	}
	l := newLoad(b, strings.TrimPrefix(w.public, "http://"), http.StatusOK, func(i int) []byte { return requests[i] })
	l.send(len(l.conns))
	b.ReportAllocs()
	sideBySide(b, l.send, func() {})
}

// BenchmarkQR makes of links what a page has of them, on every core at once as
// the server would.
func BenchmarkQR(b *testing.B) {
	var count atomic.Int64
	b.ReportAllocs()
	sideBySide(b, func(n int) time.Duration {
		var left atomic.Int64
		left.Store(int64(n))
		var wg sync.WaitGroup
		begin := time.Now()
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					c, err := qr.Encode(fmt.Sprintf("https://link.example.com/c/acme/0123456789ABCDEFGHJKMNPQRS.1A.%010d", count.Add(1)))
					if err != nil {
						b.Error(err)
						return
					}
					_ = c.SVG()
				}
			})
		}
		wg.Wait()
		return time.Since(begin)
	}, func() {})
}

// BenchmarkCreate makes handoffs for instances that have none yet.
func BenchmarkCreate(b *testing.B) {
	for _, store := range []string{"memstore", "boltstore"} {
		b.Run(store, func(b *testing.B) {
			made := &made{}
			w := newWorld(b, quiet(b), func(s *setting) { s.bolt, s.wrap = store == "boltstore", made.over })
			host := strings.TrimPrefix(w.public, "http://")
			body := `{"instanceId":"` + newInstance() + `","reference":"order 1234","label":"Open an account"}`
			head := "POST /v1/handoffs HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer " + w.key.Reveal() +
				"\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
			at := len(head) + len(`{"instanceId":"Pi`)
			requests := make([][]byte, connections)
			for i := range requests {
				requests[i] = []byte(head + body)
			}
			l := newLoad(b, host, http.StatusCreated, func(i int) []byte {
				copy(requests[i][at:], rand.Text()[:22])
				return requests[i]
			})
			l.send(len(l.conns))
			b.ReportAllocs()
			sideBySide(b, l.send, func() { made.forget(b) })
		})
	}
}

// made is a store that remembers what it was given, so that it can be emptied.
type made struct {
	handoff.Store
	mu  sync.Mutex
	ids []handoff.ID // guarded by mu
}

func (m *made) over(s handoff.Store) handoff.Store {
	m.Store = s
	return m
}

// Create implements handoff.Store.
func (m *made) Create(ctx context.Context, h handoff.Handoff) (others bool, err error) {
	m.mu.Lock()
	m.ids = append(m.ids, h.ID)
	m.mu.Unlock()
	return m.Store.Create(ctx, h)
}

// forget deletes it all, so that a round does not pay for the one before.
func (m *made) forget(b *testing.B) {
	b.Helper()
	var wg sync.WaitGroup
	for part := range slices.Chunk(m.ids, max(1, len(m.ids)/connections)) {
		wg.Go(func() {
			for _, id := range part {
				if err := m.Delete(b.Context(), id); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	m.ids = m.ids[:0]
}

// BenchmarkClaimToEvent measures from the press of Continue on a phone to the
// event that the desktop reads, nobody else being there. Beside it stands one
// request of bare Echo over a connection that is kept.
func BenchmarkClaimToEvent(b *testing.B) {
	w := newWorld(b, quiet(b))
	host := strings.TrimPrefix(w.public, "http://")
	phone, echoConn := dial(b, host), dial(b, bareEcho(b))
	echoRequest := []byte("GET / HTTP/1.1\r\nHost: " + echoConn.RemoteAddr().String() + "\r\n\r\n")
	var events, echoes []time.Duration
	b.ResetTimer()
	b.StopTimer()
	for range b.N {
		h := w.create()
		path := strings.TrimPrefix(h.DisplayURL, w.public)
		w.person(desktop).get(h.DisplayURL)
		stream := dial(b, host)
		if _, err := stream.Write(w.browserRequest(http.MethodGet, path+"/events", "text/event-stream", "cors", "empty", "")); err != nil {
			b.Fatal(err)
		}
		if _, err := stream.head(http.StatusOK); err != nil {
			b.Fatal(err)
		}
		stream.wantEvent(b, `"screen":"waiting"`)
		tap := w.tapOf(b, h)
		begin := time.Now()
		if err := echoConn.exchange(echoRequest, http.StatusOK); err != nil {
			b.Fatal(err)
		}
		echoes = append(echoes, time.Since(begin))
		b.StartTimer()
		begin = time.Now()
		if _, err := phone.Write(tap); err != nil {
			b.Fatal(err)
		}
		stream.wantEvent(b, `"screen":"connected"`)
		events = append(events, time.Since(begin))
		b.StopTimer()
		if length, err := phone.head(http.StatusSeeOther); err != nil || length != 0 {
			b.Fatalf("the answer to Continue has %d bytes, error %v, want none", length, err)
		}
		_ = stream.Close()
		if err := w.store.Delete(b.Context(), handoff.ID(h.ID)); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(events)
	slices.Sort(echoes)
	b.ReportMetric(float64(events[len(events)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(events[len(events)*99/100].Nanoseconds()), "p99-ns")
	b.ReportMetric(float64(echoes[len(echoes)/2].Nanoseconds()), "echo-p50-ns")
	b.ReportMetric(float64(echoes[len(echoes)*99/100].Nanoseconds()), "echo-p99-ns")
	b.ReportMetric(events[len(events)/2].Seconds()/echoes[len(echoes)/2].Seconds(), "x-echo-p50")
}

// tapOf is Continue on a landing, made by a phone that scanned the code now.
func (w *world) tapOf(b *testing.B, h wire) []byte {
	b.Helper()
	kept, err := w.store.Get(b.Context(), handoff.ID(h.ID))
	if err != nil {
		b.Fatal(err)
	}
	code, _, err := w.handoff.Code(kept, handoff.RouteQR)
	if err != nil {
		b.Fatal(err)
	}
	framed, err := w.handoff.Framed(kept, code)
	if err != nil {
		b.Fatal(err)
	}
	r := w.browserRequest(http.MethodPost, "/c/acme/"+framed.Reveal(), acceptHTML, "navigate", "document",
		url.Values{"attempt": {rand.Text()}}.Encode(), "Content-Type: application/x-www-form-urlencoded", "Origin: "+w.public)
	return bytes.Replace(r, []byte(desktop), []byte(iPhone), 1)
}

// wantEvent reads a stream until a state that holds part.
func (k *kept) wantEvent(b *testing.B, part string) {
	b.Helper()
	for {
		line, err := k.r.ReadSlice('\n')
		if err != nil {
			b.Fatalf("no event with %s: %v", part, err)
		}
		if bytes.HasPrefix(line, []byte("data: ")) && bytes.Contains(line, []byte(part)) {
			return
		}
	}
}
