//go:build !linux

package stream

import "net"

// Poller keeps no connections here.
type Poller struct{}

// NewPoller returns a Poller.
func NewPoller() (*Poller, error) { return &Poller{}, nil }

// Close does nothing.
func (p *Poller) Close() error { return nil }

// Take fails with ErrNotHere.
func (p *Poller) Take(net.Conn) (*Conn, error) { return nil, ErrNotHere }

// Conn is a connection that is kept. There are none here.
type Conn struct{}

// Start does nothing, as all of these.
func (c *Conn) Start(Owner) {}

// Send reports false.
func (c *Conn) Send([]byte) bool { return false }

// Sent is 0.
func (c *Conn) Sent() int64 { return 0 }

// Close does nothing.
func (c *Conn) Close() {}
