//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// eager has the garbage of a server collected soon, so that what it holds is what
// its memory shows. The yardstick has it too.
func eager() []string { return []string{"GOGC=10"} }

// shown is how often each side is told something, with all streams open.
const shown = 10

// perDisplay is how many streams of one display are opened: a page may ask for no
// more than so much in a minute.
const perDisplay = 400

// measureViewers opens displays, each of another handoff, and looks at the
// server's memory; then as many streams of a few displays, and how long after a press
// of a button on each the last stream has the event. Beside it stand streams of net/http.
func measureViewers(ctx context.Context, b *bench) ([]row, error) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return nil, err
	}
	what := fmt.Sprintf("idle viewer, %d", b.viewers)
	if files.Cur < uint64(b.viewers+500) { //nolint:gosec // G115: not negative
		return []row{{what: what, goal: "≤ 4 KB of RSS, ≤ 1/6", absent: fmt.Sprintf("it takes %d open files (ulimit -n)", b.viewers+500)}}, nil
	}
	var ours, theirs, ratios, oursLast, theirLast, lastRatios []float64
	size := 0
	for range b.rounds {
		our, err := b.portalViewers(ctx, &size)
		if err != nil { // a limit of the portal's or the machine's: the other rows are worth having
			return []row{{what: what, goal: "≤ 4 KB of RSS, ≤ 1/6", absent: err.Error()}}, ctx.Err()
		}
		their, err := b.plainViewers(ctx, size)
		if err != nil {
			return nil, err
		}
		ours, theirs, ratios = append(ours, our.each), append(theirs, their.each), append(ratios, their.each/our.each)
		oursLast, theirLast, lastRatios = append(oursLast, our.last), append(theirLast, their.last), append(lastRatios, our.last/their.last)
	}
	return []row{
		{
			what: what, got: fmt.Sprintf("%.1f KB of RSS each, 1/%.0f %s", median(ours)/1000, median(ratios), spread(ratios, "%.0f")),
			beside: fmt.Sprintf("stream of net/http: %.1f KB", median(theirs)/1000),
			goal:   "≤ 4 KB and ≤ 1/6", met: median(ours) <= 4096 && median(ratios) >= 6,
		},
		{
			what:   fmt.Sprintf("an event of %d bytes to each of %d viewers, the last one", size, b.viewers),
			got:    fmt.Sprintf("%.2f× %s: %.0f ms", median(lastRatios), spread(lastRatios, "%.2f"), median(oursLast)*1000),
			beside: fmt.Sprintf("streams of net/http: %.0f ms", median(theirLast)*1000),
			goal:   "≤ 0.9×", met: median(lastRatios) <= 0.9,
		},
	}, nil
}

// looked is what streams of one side come to.
type looked struct {
	each float64 // bytes of memory
	last float64 // seconds until the last one is told
}

// portalViewers has the streams open at the portal. size is that of a state.
func (b *bench) portalViewers(ctx context.Context, size *int) (l looked, err error) {
	text := strings.NewReplacer("frames: 1s", "frames: 5s", "  streams: ", "  streams_per_handoff: 1000000\n  streams: ").Replace(settings)
	p, err := b.newPortalWith(ctx, "memory:", text, eager())
	if err != nil {
		return l, err
	}
	defer p.close()
	paths, err := p.displays(ctx, b.viewers)
	if err != nil {
		return l, err
	}
	ask := func(path string) []byte { return p.navigation(path+"/events", "Accept: text/event-stream") }
	nudge := &load{address: p.address, status: http.StatusOK, next: func(i int) []byte { return p.navigation(paths[i%len(paths)]) }}
	before, err := settled(ctx, p.process, nudge)
	if err != nil {
		return l, err
	}
	open := &watchers{address: p.address}
	defer open.close()
	if err := open.open(ctx, b.viewers, func(i int) []byte { return ask(paths[i]) }); err != nil {
		return l, err
	}
	after, err := settled(ctx, p.process, nudge)
	if err != nil {
		return l, err
	}
	l.each = float64(after-before) / float64(b.viewers)
	open.close()
	few := paths[:(b.viewers+perDisplay-1)/perDisplay]
	if err := open.open(ctx, b.viewers, func(i int) []byte { return ask(few[i%len(few)]) }); err != nil {
		return l, err
	}
	var renew []byte
	for _, path := range few {
		renew = append(renew, "POST "+path+"/renew HTTP/1.1\r\nHost: "+p.address+"\r\nOrigin: http://"+p.address+
			"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n\r\n"...)
	}
	l.last, err = open.last(ctx, renew, len(few))
	*size = open.size
	return l, err
}

// plainViewers has the streams open at a server of net/http's, which sends events
// of the same size.
func (b *bench) plainViewers(ctx context.Context, size int) (l looked, err error) {
	p, address, err := b.startRoleWith(ctx, b.cores.server, eager(), "streams", strconv.Itoa(size))
	if err != nil {
		return l, err
	}
	defer p.stop()
	request := func(line string) []byte { return []byte(line + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n") }
	nudge := &load{address: address, status: http.StatusNoContent, next: func(int) []byte { return request("GET /") }}
	before, err := settled(ctx, p, nudge)
	if err != nil {
		return l, err
	}
	open := &watchers{address: address}
	defer open.close()
	if err := open.open(ctx, b.viewers, func(int) []byte { return request("GET /events") }); err != nil {
		return l, err
	}
	after, err := settled(ctx, p, nudge)
	if err != nil {
		return l, err
	}
	l.each = float64(after-before) / float64(b.viewers)
	l.last, err = open.last(ctx, request("POST /tell"), 1)
	return l, err
}

// settled is the memory of a process once it has collected its garbage: requests
// make it collect, and what it gives back it gives back in its own time.
func settled(ctx context.Context, p *process, nudge *load) (int, error) {
	if _, err := nudge.run(ctx, 0, 2000); err != nil {
		return 0, err
	}
	least := 0
	for i := range 10 {
		time.Sleep(500 * time.Millisecond)
		size, _, err := p.resident()
		if err != nil {
			return 0, err
		}
		if i == 0 || size < least {
			least = size
		}
	}
	return least, nil
}

// watchers are open streams, that one thread reads.
type watchers struct {
	address string
	epoll   int
	fds     []int
	size    int // of the last event
}

// atOnce is how many streams are opened at a time.
const atOnce = 64

// open opens n streams and waits for the first event of each.
func (w *watchers) open(ctx context.Context, n int, request func(i int) []byte) error {
	tcp, err := net.ResolveTCPAddr("tcp4", w.address)
	if err != nil {
		return err
	}
	to := &unix.SockaddrInet4{Port: tcp.Port}
	copy(to.Addr[:], tcp.IP.To4())
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	for begun := 0; begun < n; {
		some := min(atOnce, n-begun)
		for range some {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			w.fds = append(w.fds, fd)
			_, sent := 0, unix.Connect(fd, to)
			if sent == nil {
				_, sent = unix.Write(fd, request(begun))
			}
			err = errors.Join(sent, unix.SetNonblock(fd, true), unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})) //nolint:gosec // G115: a descriptor
			if err != nil {
				return fmt.Errorf("opening stream %d: %w", begun, err)
			}
			begun++
		}
		if err := w.await(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (w *watchers) close() {
	for _, fd := range w.fds {
		_ = unix.Close(fd)
	}
	if w.fds != nil {
		_ = unix.Close(w.epoll)
	}
	w.fds = nil
}

// await reads until so many states have come.
func (w *watchers) await(ctx context.Context, states int) error {
	buf := make([]byte, 64<<10)
	events := make([]unix.EpollEvent, 1024)
	for states > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		ready, err := unix.EpollWait(w.epoll, events, 60_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && ready == 0 {
			err = fmt.Errorf("%d states are missing for a minute", states)
		}
		if err != nil {
			return err
		}
		for _, e := range events[:ready] {
			n, err := unix.Read(int(e.Fd), buf)
			if errors.Is(err, unix.EAGAIN) {
				continue
			}
			if err != nil || n == 0 {
				return fmt.Errorf("a stream has ended: %w", err)
			}
			if at := bytes.Index(buf[:n], []byte("id: ")); at >= 0 && bytes.Contains(buf[at:n], []byte("\n\n")) {
				states--
				w.size = n - at
			}
		}
	}
	return nil
}

// last has some requests tell all streams something, several times, and returns how
// long it took until the last one had it: the median, in seconds.
func (w *watchers) last(ctx context.Context, requests []byte, n int) (float64, error) {
	tell, err := new(net.Dialer).DialContext(ctx, "tcp", w.address)
	if err != nil {
		return 0, err
	}
	defer tell.Close()
	answers := bufio.NewReader(tell)
	var took []float64
	for range shown {
		begin := time.Now()
		if _, err := tell.Write(requests); err != nil {
			return 0, err
		}
		if err := w.await(ctx, len(w.fds)); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begin).Seconds())
		for range n {
			answer, err := http.ReadResponse(answers, nil)
			if err != nil {
				return 0, err
			}
			_ = answer.Body.Close() // it has none
			if answer.StatusCode >= http.StatusBadRequest {
				return 0, fmt.Errorf("what tells the streams is answered with %s", answer.Status)
			}
		}
	}
	return median(took), nil
}

// serveStreams is what net/http makes of streams: a goroutine for each, which waits
// for what it is told and writes it. Its argument is the size of an event.
func serveStreams(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("the role streams takes a size")
	}
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	const head, tail = "id: 7\nevent: state\ndata: ", "\n\n"
	event := []byte(head + strings.Repeat("x", max(0, size-len(head)-len(tail))) + tail)
	var mu sync.Mutex
	told := map[chan []byte]bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /tell", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		for c := range told {
			select {
			case c <- event:
			default: // it has not read the one before
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.SetWriteDeadline(time.Time{}) // it is there in net/http
		w.Header().Set("Content-Type", "text/event-stream")
		c := make(chan []byte, 1)
		c <- event
		mu.Lock()
		told[c] = true
		mu.Unlock()
		defer func() { mu.Lock(); delete(told, c); mu.Unlock() }()
		for {
			select {
			case <-r.Context().Done():
				return
			case event := <-c:
				if _, err := w.Write(event); err != nil || rc.Flush() != nil {
					return
				}
			}
		}
	})
	return serveHandler(ctx, mux)
}
