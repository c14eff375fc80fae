package redistest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// Mode is what a Proxy does to connections.
type Mode int

// The modes.
const (
	Pass   Mode = iota
	Refuse      // connections are reset as soon as they are made, and those there are cut
	Stall       // nothing comes back
	Slow        // every answer takes half a second longer
	Reset       // one answer in three is cut off: what was asked for has been done
)

// Proxy stands between a client and a server, and breaks what goes between them.
type Proxy struct {
	Addr string

	to string

	mu      sync.Mutex
	mode    Mode                  // guarded by mu
	changed chan struct{}         // guarded by mu; closed when mode changes
	open    map[net.Conn]struct{} // guarded by mu
}

// StartProxy starts a proxy in front of the server at an address.
func StartProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), to: to, changed: make(chan struct{}), open: make(map[net.Conn]struct{})}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // it only ends the loop
		p.Set(Refuse)
		serving.Wait()
	})
	return p
}

// Set changes what happens to connections from now on.
func (p *Proxy) Set(m Mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
	if m == Refuse {
		for c := range p.open {
			cut(c)
		}
	}
}

func (p *Proxy) now() (Mode, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.changed
}

// cut ends a connection by a reset.
func cut(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it is going anyway
	}
	_ = c.Close()
}

func (p *Proxy) hold(c net.Conn) (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = struct{}{}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, c)
		_ = c.Close()
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer p.hold(client)()
	if m, _ := p.now(); m == Refuse {
		cut(client)
		return
	}
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.to)
	if err != nil {
		cut(client)
		return
	}
	defer p.hold(server)()
	go func() {
		_, _ = io.Copy(server, client) // ends with either
		_ = server.Close()
	}()
	_ = p.answer(client, server)
}

var errCut = errors.New("cut")

// answer passes on what the server says, or not.
func (p *Proxy) answer(client, server net.Conn) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return err
		}
		mode, changed := p.now()
		switch mode {
		case Pass:
		case Stall:
			<-changed
		case Slow:
			time.Sleep(500 * time.Millisecond)
		case Reset:
			if rand.IntN(3) == 0 { //nolint:gosec // breaks things for tests
				cut(client)
				return errCut
			}
		case Refuse:
			cut(client)
			return errCut
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return err
		}
	}
}
