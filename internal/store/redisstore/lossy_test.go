package redisstore_test

import (
	"bytes"
	"context"
	"net"
	"sync"
)

// lossyDialer makes connections that can lose the answer to a change: Redis gets
// the script and makes the change, and the connection breaks before anybody hears.
type lossyDialer struct {
	mu   sync.Mutex
	next bool // guarded by mu: lose the answer to the next script that changes a record
	lost int  // guarded by mu
}

func (d *lossyDialer) lose(yes bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = yes
}

func (d *lossyDialer) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost
}

// take reports whether this is the answer to lose.
func (d *lossyDialer) take(sent []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.next || !bytes.Contains(sent, []byte(":h:ho_")) || !bytes.Contains(bytes.ToLower(sent), []byte("eval")) {
		return false
	}
	d.next = false
	d.lost++
	return true
}

func (d *lossyDialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &lossyConn{Conn: c, dialer: d}, nil
}

type lossyConn struct {
	net.Conn

	dialer *lossyDialer
	doomed bool // the next answer does not arrive
}

func (c *lossyConn) Write(b []byte) (int, error) {
	if c.dialer.take(b) {
		c.doomed = true
	}
	return c.Conn.Write(b)
}

func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.doomed && n > 0 {
		c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}
