package stream

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Poller keeps connections.
type Poller struct {
	events *os.File // an epoll instance, itself watched by Go's own
	done   chan struct{}

	mu     sync.Mutex
	conns  []*Conn // guarded by mu; by file descriptor
	closed bool    // guarded by mu
}

// NewPoller returns a Poller. Close ends its goroutine.
func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making an epoll instance: %w", err)
	}
	// An epoll instance can be waited for like a connection, so that waiting takes
	// no thread. NewFile has it watched only if it does not block.
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(fmt.Errorf("setting an epoll instance up: %w", err), unix.Close(fd))
	}
	p := &Poller{events: os.NewFile(uintptr(fd), "epoll"), done: make(chan struct{})}
	raw, err := p.events.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("setting an epoll instance up: %w", err), p.events.Close())
	}
	go func() {
		defer close(p.done)
		p.run(raw)
	}()
	return p, nil
}

// run tells the owners of connections whose other end has gone, until Close.
func (p *Poller) run(raw syscall.RawConn) {
	events := make([]unix.EpollEvent, 128)
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			var err error
			n, err = unix.EpollWait(int(fd), events, 0)
			return err == nil && n > 0
		})
		if err != nil {
			return // closed
		}
		for _, e := range events[:n] {
			p.mu.Lock()
			c := p.conns[e.Fd] // not necessarily the one that the event was of
			p.mu.Unlock()
			if c != nil {
				c.look()
			}
		}
	}
}

// Close ends every connection that is left and the goroutine.
func (p *Poller) Close() error {
	p.mu.Lock()
	p.closed = true
	left := slices.Clone(p.conns)
	p.mu.Unlock()
	for _, c := range left {
		if c != nil {
			c.Close()
		}
	}
	err := p.events.Close()
	<-p.done
	return err
}

// Take returns a Conn of what stands behind c, which stays as it is: the Conn is of
// use once Start was called, and c is to be closed before that.
func (p *Poller) Take(c net.Conn) (*Conn, error) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, ErrNotHere
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var dupErr error
	if err := raw.Control(func(of uintptr) { fd, dupErr = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, os.NewSyscallError("fcntl", dupErr)
	}
	conn := &Conn{poller: p, fd: fd}
	if err := p.add(conn, fd); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return conn, nil
}

func (p *Poller) add(c *Conn, fd int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	if missing := fd + 1 - len(p.conns); missing > 0 {
		p.conns = append(p.conns, make([]*Conn, missing)...)
	}
	p.conns[fd] = c
	return p.control(unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd)}) //nolint:gosec // the kernel's own numbers are ints of C
}

func (p *Poller) control(op, fd int, e *unix.EpollEvent) error {
	raw, err := p.events.SyscallConn()
	if err != nil {
		return err
	}
	var ctlErr error
	if err := raw.Control(func(epoll uintptr) { ctlErr = unix.EpollCtl(int(epoll), op, fd, e) }); err != nil {
		return err
	}
	return os.NewSyscallError("epoll_ctl", ctlErr)
}

// remove takes the connection with this file descriptor out, before it is closed
// and the number given to another. The kernel forgets what nobody has open any
// more; a connection that was not started has another descriptor, which stays.
func (p *Poller) remove(fd int, started bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[fd] = nil
	if !started {
		_ = p.control(unix.EPOLL_CTL_DEL, fd, nil)
	}
}

// Conn is a connection that is kept.
type Conn struct {
	poller *Poller

	mu    sync.Mutex
	fd    int   // guarded by mu, as all of these; -1: closed
	owner Owner // nil before Start
	sent  int64
	read  int
}

// Start has owner told if the other end goes; it may be told before Start returns.
func (c *Conn) Start(owner Owner) {
	c.mu.Lock()
	c.owner = owner
	c.mu.Unlock()
	c.look() // what the kernel told before there was an owner
}

// Send writes all of b, or ends the connection: the other end has gone, or has not
// read for long. It never waits.
func (c *Conn) Send(b []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return false
	}
	n, err := again(func() (int, error) { return unix.Write(c.fd, b) })
	c.sent += int64(max(n, 0))
	if err != nil || n < len(b) {
		c.end()
		return false
	}
	return true
}

// Sent is how many bytes were sent.
func (c *Conn) Sent() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent
}

// Close ends the connection, after all that was sent. It may be called more than once.
func (c *Conn) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd >= 0 {
		c.discard() // what lies unread would make the kernel throw away what was sent
		c.end()
	}
}

// look finds out whether the other end has gone.
func (c *Conn) look() {
	c.mu.Lock()
	owner := c.owner
	if c.fd < 0 || owner == nil || !c.discard() {
		c.mu.Unlock()
		return
	}
	c.end()
	c.mu.Unlock()
	owner.Gone()
}

// discard reads what the other end sent, which means nothing to anybody, and
// reports whether it has gone, or sends too much to be borne. mu is held.
func (c *Conn) discard() (gone bool) {
	var buf [512]byte
	for c.read <= readLimit {
		n, err := again(func() (int, error) { return unix.Read(c.fd, buf[:]) })
		if errors.Is(err, unix.EAGAIN) {
			return false
		}
		if err != nil || n == 0 {
			return true
		}
		c.read += n
	}
	return true
}

// end closes the connection; mu is held.
func (c *Conn) end() {
	fd := c.fd
	c.fd = -1
	c.poller.remove(fd, c.owner != nil)
	_ = unix.Close(fd) // it is gone in any case
}

// again makes a system call until no signal interrupts it.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
