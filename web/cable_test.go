package web_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// cable is what lies between people and the portal: every connection goes over it, and
// it can be cut.
type cable struct {
	listener net.Listener
	to       string // the portal's own address

	mu    sync.Mutex
	down  bool                      // guarded by mu
	conns map[net.Conn]*atomic.Bool // guarded by mu: both ends of every connection; true: it is mute
}

func newCable(t *testing.T) *cable {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &cable{listener: listener, conns: map[net.Conn]*atomic.Bool{}}
	t.Cleanup(func() {
		_ = listener.Close()
		l.cut()
	})
	return l
}

// serve begins to pass connections on.
func (l *cable) serve(to string) {
	l.to = to
	go func() {
		for {
			conn, err := l.listener.Accept()
			if err != nil {
				return
			}
			go l.pass(conn)
		}
	}()
}

// around is a way to the portal that is never cut.
func (l *cable) around() *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, l.to)
	}}
}

func (l *cable) pass(from net.Conn) {
	to, err := net.Dial("tcp", l.to)
	if err != nil {
		_ = from.Close()
		return
	}
	mute := new(atomic.Bool)
	if !l.keep(mute, from, to) {
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(muted{way[0], mute}, way[1])
			_ = way[0].Close()
		})
	}
	both.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, from)
	delete(l.conns, to)
}

// muted is one end of a connection, which nothing reaches any more once it is mute.
type muted struct {
	net.Conn

	mute *atomic.Bool
}

func (m muted) Write(b []byte) (int, error) {
	if m.mute.Load() {
		return len(b), nil
	}
	return m.Conn.Write(b)
}

func (l *cable) keep(mute *atomic.Bool, conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range conns {
		if l.down {
			_ = conn.Close()
		} else {
			l.conns[conn] = mute
		}
	}
	return !l.down
}

// drop ends all that goes over the cable. What comes next gets through.
func (l *cable) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		_ = conn.Close()
	}
}

// forget keeps all connections open and passes nothing on of them, as a router does
// that was started anew. What comes next gets through.
func (l *cable) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, mute := range l.conns {
		mute.Store(true)
	}
}

// cut lets nothing through, until mend.
func (l *cable) cut() {
	l.mu.Lock()
	l.down = true
	l.mu.Unlock()
	l.drop()
}

func (l *cable) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}
