package stream_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/stream"
)

// patience is the longest a test waits for what must come: only a fault takes as long.
const patience = time.Minute

// owner counts how often it is told.
type owner struct {
	gone chan struct{} // has room for a second time, which would be wrong
}

func newOwner() owner { return owner{make(chan struct{}, 2)} }

func (o owner) Gone() { o.gone <- struct{}{} }

func (o owner) wantGone(t *testing.T) {
	t.Helper()
	select {
	case <-o.gone:
	case <-time.After(patience):
		t.Fatal("nobody was told that the other end has gone")
	}
	o.wantNotTold(t)
}

func (o owner) wantNotTold(t *testing.T) {
	t.Helper()
	if n := len(o.gone); n > 0 {
		t.Errorf("Gone() was called %d times more than it should", n)
	}
}

func newPoller(t *testing.T) *stream.Poller {
	t.Helper()
	p, err := stream.NewPoller()
	if err != nil {
		t.Fatalf("NewPoller() error = %v", err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// pair is a connection: our end, and the other's.
func pair(t *testing.T) (ours, theirs *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialled, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = accepted.(*net.TCPConn), dialled.(*net.TCPConn)
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	_ = theirs.SetDeadline(time.Now().Add(patience))
	return ours, theirs
}

// take has our end kept, as a connection of net/http's is.
func take(t *testing.T, p *stream.Poller, ours *net.TCPConn) *stream.Conn {
	t.Helper()
	c, err := p.Take(ours)
	if err != nil {
		t.Fatalf("Take() error = %v", err)
	}
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSendAndClose(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	ours, theirs := pair(t)
	c, o := take(t, p, ours), newOwner()
	c.Start(o)
	for _, part := range []string{"one ", "two ", "three"} {
		if !c.Send([]byte(part)) {
			t.Fatalf("Send(%q) = false", part)
		}
	}
	if got := c.Sent(); got != int64(len("one two three")) {
		t.Errorf("Sent() = %d", got)
	}
	// What the other end says means nothing, and makes it lose nothing either.
	if _, err := io.WriteString(theirs, strings.Repeat("x", 1000)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	c.Close()
	got, err := io.ReadAll(theirs)
	if string(got) != "one two three" || err != nil {
		t.Errorf("the other end read %q, error %v, want all of it and the end", got, err)
	}
	if c.Send([]byte("more")) {
		t.Error("Send() after Close = true")
	}
	o.wantNotTold(t)
}

// TestGone: whatever way the other end goes, at whatever time, its owner is told
// once, and nothing is left open.
func TestGone(t *testing.T) {
	ways := map[string]func(theirs *net.TCPConn){
		"closed":        func(c *net.TCPConn) { _ = c.Close() },
		"half closed":   func(c *net.TCPConn) { _ = c.CloseWrite() },
		"reset":         func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() },
		"talks, closed": func(c *net.TCPConn) { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\n\r\n"); _ = c.Close() },
		"floods":        func(c *net.TCPConn) { _, _ = io.Copy(c, bytes.NewReader(make([]byte, 64<<10))) },
	}
	for name, goes := range ways {
		t.Run(name, func(t *testing.T) {
			p := newPoller(t)
			before := descriptors(t)
			for _, early := range []bool{true, false} {
				ours, theirs := pair(t)
				c, o := take(t, p, ours), newOwner()
				if early { // before there is an owner
					goes(theirs)
				}
				c.Start(o)
				if !early {
					goes(theirs)
				}
				o.wantGone(t)
				if c.Send([]byte("x")) {
					t.Error("Send() to who has gone = true")
				}
				c.Close()
				_ = theirs.Close()
				o.wantNotTold(t)
			}
			if after := descriptors(t); after != before {
				t.Errorf("%d descriptors are open, want %d as before", after, before)
			}
		})
	}
}

// TestSlow: who does not read is dropped, and nobody waits for that.
func TestSlow(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	slowOurs, slowTheirs := pair(t)
	ours, theirs := pair(t)
	slow, quick, o := take(t, p, slowOurs), take(t, p, ours), newOwner()
	slow.Start(o)
	quick.Start(newOwner())
	read := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, theirs)
		read <- n
	}()
	event := bytes.Repeat([]byte("event"), 1000)
	sent := 0
	for slow.Send(event) {
		if !quick.Send(event[:5]) {
			t.Fatal("Send() to who reads = false")
		}
		if sent++; sent > 100_000 {
			t.Fatal("500 MB were sent to who reads nothing")
		}
	}
	if !quick.Send(event[:5]) {
		t.Error("Send() to who reads = false, after another was dropped")
	}
	quick.Close()
	if got, want := <-read, int64(5*(sent+1)); got != want {
		t.Errorf("who reads was sent %d bytes, want %d", got, want)
	}
	if n, _ := io.Copy(io.Discard, slowTheirs); n < int64(sent*len(event)) {
		t.Errorf("who was slow finds %d bytes, want the %d of whole events", n, sent*len(event))
	}
	o.wantNotTold(t)
}

// TestNotStarted: a Conn that comes to nothing leaves what it was made of alone.
func TestNotStarted(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	ours, theirs := pair(t)
	c, err := p.Take(ours)
	if err != nil {
		t.Fatal(err)
	}
	o := newOwner()
	c.Close()
	c.Start(o)
	if _, err := io.WriteString(ours, "hello"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(theirs, buf); string(buf) != "hello" {
		t.Errorf("read %q, error %v, want hello", buf, err)
	}
	o.wantNotTold(t)
}

// TestPollerClose ends what is left, and takes nothing more.
func TestPollerClose(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	ours, theirs := pair(t)
	c, o := take(t, p, ours), newOwner()
	c.Start(o)
	if err := p.Close(); err != nil {
		t.Errorf("Close() error = %v", err)
	}
	if n, err := theirs.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after Close the other end reads %d, error %v, want the end", n, err)
	}
	ours, _ = pair(t)
	if _, err := p.Take(ours); err == nil {
		t.Error("Take() after Close error = nil, want one")
	}
	o.wantNotTold(t)
}

// TestTakeOthers: what has no descriptor of its own is not taken.
func TestTakeOthers(t *testing.T) {
	t.Parallel()
	one, other := net.Pipe()
	defer one.Close()
	defer other.Close()
	if _, err := newPoller(t).Take(one); !errors.Is(err, stream.ErrNotHere) {
		t.Errorf("Take(a pipe) error = %v, want ErrNotHere", err)
	}
}

// TestAllAtOnce: everything is done to a connection at once, while descriptors are
// used again and again.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	for n := range 8 {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			for i := range 50 {
				ours, theirs := pair(t)
				c, o := take(t, p, ours), newOwner()
				var each sync.WaitGroup
				each.Go(func() { c.Start(o) })
				each.Go(func() { c.Send([]byte("hello")) })
				if i%2 == 0 {
					each.Go(c.Close)
				} else {
					each.Go(func() { _ = theirs.Close() })
				}
				each.Wait()
				c.Close()
				_ = theirs.Close()
				if n := len(o.gone); n > 1 {
					t.Errorf("Gone() was called %d times", n)
				}
			}
		})
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}
