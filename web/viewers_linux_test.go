package web_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

// What BenchmarkIdleViewer measures. Each viewer takes a file descriptor on both
// sides, which is why the browsers' side is a process of its own.
var (
	viewers = flag.Int("viewers", 500, "streams that BenchmarkIdleViewer opens; 10000 for docs/performance.md")
	hold    = flag.Duration("hold", 0, "how long BenchmarkIdleViewer keeps them open before it measures")
)

// viewersVar tells the test binary to be the browsers, and which host to ask.
const viewersVar = "HANDOFF_TEST_VIEWERS_OF"

func TestMain(m *testing.M) {
	if host := os.Getenv(viewersVar); host != "" {
		if err := watch(context.Background(), host, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// watch opens a stream for each path that it reads, up to an empty line, and
// answers "open" when every one has had its first event. From then on it answers
// each line with the number of streams that are still open. It ends with its input.
func watch(ctx context.Context, host string, in io.Reader, out io.Writer) error {
	var open atomic.Int64
	faults := make(chan error, 1)
	var first sync.WaitGroup
	places := make(chan struct{}, connections)
	lines := bufio.NewScanner(in)
	for lines.Scan() && lines.Text() != "" {
		path := lines.Text()
		places <- struct{}{}
		first.Add(1)
		go func() {
			stream, err := follow(ctx, host, path)
			<-places
			if err != nil {
				select {
				case faults <- fmt.Errorf("following %s: %w", path, err):
				default:
				}
			}
			open.Add(1)
			first.Done()
			if err == nil {
				_, _ = io.CopyBuffer(io.Discard, struct{ io.Reader }{stream}, make([]byte, 512))
			}
			open.Add(-1)
		}()
	}
	first.Wait()
	select {
	case err := <-faults:
		return err
	default:
	}
	for answer := any("open"); ; answer = open.Load() {
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
		if !lines.Scan() {
			return lines.Err()
		}
	}
}

// follow opens a stream and reads its first event.
func follow(ctx context.Context, host, path string) (net.Conn, error) {
	host, secure := strings.CutPrefix(host, "tls:")
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	k := &kept{Conn: conn, r: bufio.NewReaderSize(conn, 2<<10)}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: text/event-stream\r\nAccept-Language: en-GB,en;q=0.9\r\n"+
		"Cache-Control: no-store\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\r\n", path, host, desktop)
	if err != nil {
		return nil, err
	}
	if _, err := k.head(http.StatusOK); err != nil {
		return nil, err
	}
	for {
		line, err := k.r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(line, []byte("data: ")) {
			return conn, nil
		}
	}
}

// BenchmarkIdleViewer measures the memory that a display takes while it is open
// and nothing happens: what the server's process has more of, as the kernel
// counts it, with -viewers displays of as many handoffs open than with none. Free
// memory is given back before both. The same is measured where net/http keeps the
// streams, without TLS and with it. Beside it stands a bare Echo handler that
// sends one event and waits. It measures once, whatever -benchtime says.
func BenchmarkIdleViewer(b *testing.B) {
	if testing.Short() {
		*viewers = min(*viewers, 100)
	}
	bare := bareEcho(b, func(e *echo.Echo) {
		e.GET("/events", func(c echo.Context) error {
			c.Response().Header().Set("Content-Type", "text/event-stream")
			if _, err := io.WriteString(c.Response(), "data: {}\n\n"); err != nil {
				return err
			}
			c.Response().Flush()
			<-c.Request().Context().Done()
			return nil
		})
	})
	plain := openViewers(b, bare, func(int) string { return "/events" })
	ours := openDisplays(b, newWorld(b, quiet(b)), "")
	byNet := openDisplays(b, newWorld(b, quiet(b), func(s *setting) { s.way = wayPlain }), "")
	secured := newWorld(b, quiet(b))
	front := httptest.NewUnstartedServer(nil)
	front.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = secured.listen // the host that it is known by
		secured.server.Handler.ServeHTTP(w, r)
	})
	front.StartTLS()
	b.Cleanup(front.Close)
	byTLS := openDisplays(b, secured, "tls:"+front.Listener.Addr().String())
	b.ReportMetric(0, "ns/op") // means nothing here
	b.ReportMetric(float64(*viewers), "viewers")
	b.ReportMetric(ours.bytes, "RSS-B/viewer")
	b.ReportMetric(ours.stack, "stack-B/viewer")
	b.ReportMetric(ours.goroutines, "goroutines/viewer")
	b.ReportMetric(plain.bytes, "echo-RSS-B/viewer")
	b.ReportMetric(plain.stack, "echo-stack-B/viewer")
	b.ReportMetric(ours.bytes/plain.bytes, "x-echo-RSS")
	b.ReportMetric(byNet.bytes, "net/http-RSS-B/viewer")
	b.ReportMetric(byTLS.bytes, "TLS-RSS-B/viewer")
	if *hold > 0 {
		b.ReportMetric(ours.cpu*100, "%-of-a-core")
	}
}

// held is what open streams take.
type held struct {
	bytes      float64 // resident, for each
	stack      float64 // of these, goroutines' stacks
	goroutines float64 // for each
	cpu        float64 // of one core, for all together, while they are held
}

// openDisplays opens a display of each of many handoffs; host is where, if not at
// the world's own address.
func openDisplays(b *testing.B, w *world, host string) held {
	b.Helper()
	paths := make([]string, *viewers)
	desk := w.person(desktop)
	for i := range paths {
		display := w.create().DisplayURL
		if a := desk.get(display + "/status"); a.StatusCode != http.StatusOK { // makes the first start, and draws nothing
			b.Fatalf("GET %s = %d, want 200", a.url.Path, a.StatusCode)
		}
		paths[i] = strings.TrimPrefix(display, w.public) + "/events"
	}
	http.DefaultClient.CloseIdleConnections()
	if host == "" {
		host = w.listen
	}
	return openViewers(b, host, func(i int) string { return paths[i] })
}

// openViewers has another process open the streams, and closes them again.
func openViewers(b *testing.B, host string, path func(i int) string) held {
	b.Helper()
	v := startViewers(b, host)
	paths := make([]string, *viewers)
	for i := range paths {
		paths[i] = path(i)
	}
	before, stacks, routines := resident(b), stackMemory(), runtime.NumGoroutine()
	v.open(paths)
	spent, begin := processorTime(b), time.Now()
	time.Sleep(*hold)
	h := held{cpu: (processorTime(b) - spent).Seconds() / time.Since(begin).Seconds()}
	h.bytes = (resident(b) - before) / float64(*viewers)
	h.stack = (stackMemory() - stacks) / float64(*viewers)
	h.goroutines = float64(runtime.NumGoroutine()-routines) / float64(*viewers)
	v.wantOpen(*viewers)
	v.close()
	return h
}

// otherProcess is the process that has the streams open.
type otherProcess struct {
	t       testing.TB
	child   *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Scanner
}

func startViewers(t testing.TB, host string) *otherProcess {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	v := &otherProcess{t: t, child: exec.CommandContext(t.Context(), self)}
	v.child.Env = append(os.Environ(), viewersVar+"="+host)
	v.child.Stderr = os.Stderr
	if v.in, err = v.child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := v.child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.child.Start(); err != nil {
		t.Fatal(err)
	}
	v.answers = bufio.NewScanner(out)
	return v
}

func (v *otherProcess) says(question, want string) {
	v.t.Helper()
	if _, err := io.WriteString(v.in, question+"\n"); err != nil {
		v.t.Fatalf("asking the viewers: %v", err)
	}
	if v.answers.Scan(); v.answers.Text() != want {
		v.t.Fatalf("the viewers answer %q, want %q", v.answers.Text(), want)
	}
}

func (v *otherProcess) open(paths []string) {
	v.t.Helper()
	v.says(strings.Join(paths, "\n")+"\n", "open")
}

func (v *otherProcess) wantOpen(n int) {
	v.t.Helper()
	v.says("how many?", strconv.Itoa(n))
}

func (v *otherProcess) close() {
	v.t.Helper()
	_ = v.in.Close()
	if err := v.child.Wait(); err != nil {
		v.t.Fatalf("the viewers: %v", err)
	}
}

// resident is this process's resident set in bytes, after a collection.
func resident(b *testing.B) float64 {
	b.Helper()
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(statm), &size, &pages); err != nil {
		b.Fatalf("reading %q: %v", statm, err)
	}
	return float64(pages * os.Getpagesize())
}

// stackMemory is what the stacks of all goroutines take, in bytes.
func stackMemory() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.StackInuse)
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
