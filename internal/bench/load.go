//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// connections is how many a load keeps busy at once.
const connections = 64

// load sends requests over several connections, on each the next one as soon as
// the answer to the last has come. One thread waits for all of them, as wrk does:
// goroutines would take about as long for a request as what is measured.
type load struct {
	address string
	status  int                // that every answer must have
	next    func(i int) []byte // request i, valid until the next call

	conns []*conn
	epoll int
	sent  int
}

// conn is one connection.
type conn struct {
	fd    int
	buf   []byte // of the answer that is being read
	began time.Time
}

// answered is what a load came to.
type answered struct {
	count int
	took  time.Duration
	times []time.Duration // of each answer, sorted
}

func (a answered) perSecond() float64 { return float64(a.count) / a.took.Seconds() }

// connect opens the connections: for each run anew, since a server closes those
// that are silent. The caller calls close, whatever the error.
func (l *load) connect() error {
	tcp, err := net.ResolveTCPAddr("tcp4", l.address)
	if err != nil {
		return err
	}
	to := &unix.SockaddrInet4{Port: tcp.Port}
	copy(to.Addr[:], tcp.IP.To4())
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	for i := range connections {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		l.conns = append(l.conns, &conn{fd: fd, buf: make([]byte, 0, 32<<10)})
		err = errors.Join(
			unix.Connect(fd, to), unix.SetNonblock(fd, true), unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
			unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}),
		)
		if err != nil {
			return fmt.Errorf("connecting to %s: %w", l.address, err)
		}
	}
	return nil
}

func (l *load) close() {
	for _, c := range l.conns {
		_ = unix.Close(c.fd)
	}
	_ = unix.Close(l.epoll)
	l.conns = nil
}

// run sends requests for a time, or until n have been answered if n is not 0.
func (l *load) run(ctx context.Context, d time.Duration, n int) (answered, error) {
	var a answered
	defer l.close()
	if err := l.connect(); err != nil {
		return a, err
	}
	begin := time.Now()
	open, left := 0, n
	for _, c := range l.conns {
		if n > 0 && left == 0 {
			break
		}
		left--
		if err := l.send(c); err != nil {
			return a, err
		}
		open++
	}
	events := make([]unix.EpollEvent, connections)
	for open > 0 {
		ready, err := unix.EpollWait(l.epoll, events, 60_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return a, err
		}
		if err := ctx.Err(); err != nil {
			return a, err
		}
		if ready == 0 {
			return a, errors.New("no answer for a minute")
		}
		now := time.Now()
		for _, e := range events[:ready] {
			c := l.conns[e.Fd]
			done, err := l.read(c)
			if err != nil {
				return a, err
			}
			if !done {
				continue
			}
			a.times = append(a.times, now.Sub(c.began))
			open--
			if n > 0 && left <= 0 || n == 0 && now.Sub(begin) >= d {
				continue
			}
			left--
			if err := l.send(c); err != nil {
				return a, err
			}
			open++
		}
	}
	a.took, a.count = time.Since(begin), len(a.times)
	slices.Sort(a.times)
	return a, nil
}

func (l *load) send(c *conn) error {
	request := l.next(l.sent)
	l.sent++
	c.buf, c.began = c.buf[:0], time.Now()
	n, err := unix.Write(c.fd, request)
	if err == nil && n < len(request) {
		err = errors.New("the request does not fit")
	}
	if err != nil {
		return fmt.Errorf("sending a request: %w", err)
	}
	return nil
}

// read takes what has come, and reports whether the answer is complete.
func (l *load) read(c *conn) (done bool, err error) {
	c.buf = slices.Grow(c.buf, 16<<10)
	n, err := unix.Read(c.fd, c.buf[len(c.buf):cap(c.buf)])
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading an answer: %w", err)
	}
	if n == 0 {
		return false, errors.New("the server closed a connection")
	}
	c.buf = c.buf[:len(c.buf)+n]
	head := bytes.Index(c.buf, []byte("\r\n\r\n"))
	if head < 0 {
		return false, nil
	}
	if status, err := statusOf(c.buf); err != nil || status != l.status {
		return false, fmt.Errorf("the answer is %.400q, want status %d", c.buf, l.status)
	}
	if length, ok := header(c.buf[:head+2], "Content-Length"); ok {
		size, err := strconv.Atoi(string(length))
		return len(c.buf) == head+4+size, err
	}
	if l.status == 204 || l.status == 304 {
		return true, nil
	}
	return bytes.HasSuffix(c.buf, []byte("\r\n0\r\n\r\n")), nil // in chunks
}

// statusOf reads the status of an answer.
func statusOf(answer []byte) (int, error) {
	const at = len("HTTP/1.1 ")
	if len(answer) < at+3 {
		return 0, fmt.Errorf("%q is no answer", answer)
	}
	return strconv.Atoi(string(answer[at : at+3]))
}

// header finds a field in the head of an answer.
func header(head []byte, name string) ([]byte, bool) {
	_, rest, ok := bytes.Cut(head, []byte("\r\n"+name+": "))
	if !ok {
		return nil, false
	}
	value, _, ok := bytes.Cut(rest, []byte("\r\n"))
	return value, ok
}
