package viewers

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/reqctx"
	"github.com/handoff-portal/handoff/internal/stream"
	"github.com/handoff-portal/handoff/web/site"
)

type connKey struct{}

// WithConn is the ConnContext of an http.Server by which a stream finds its connection.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// Stream tells a page of every change of h by Server-Sent Events, until an end,
// or until the page or the server goes. The state comes first, so that a change
// missed between two streams does not matter. A stream reopened after an end
// gets 204, which tells browsers not to come again.
//
// From the first state on, the stream belongs to its topic, and where its connection
// can be taken over the handler returns. While it is open, keep is called every 5 s,
// and what it returns is told; nil: there is nothing to be done for this page. An error
// is of what failed before the first byte.
func (a *Viewers) Stream(c echo.Context, h handoff.Handoff, p Page, keep func(context.Context) (handoff.Handoff, error)) error {
	began, ctx := time.Now(), c.Request().Context()
	if last, err := strconv.Atoi(c.Request().Header.Get("Last-Event-ID")); err == nil && h.Status.Ended() && last >= h.Seq {
		return c.NoContent(http.StatusNoContent)
	}
	release, ok := a.site.Streams.Open(string(h.ID), a.site.Network(c))
	if !ok {
		return NoPlace(c)
	}
	v := &viewer{page: p, keep: keep, release: release}
	v.topic = a.join(h.ID)
	taken := false
	defer func() {
		if !taken {
			v.leave()
		}
	}()
	if fresh, err := a.site.Handoffs.Refresh(ctx, h.ID); err == nil && fresh.Seq > h.Seq {
		h = fresh // it changed between the reading and the joining
	}
	first, err := v.tell(h)
	if err != nil {
		return err
	}
	w, err := Start(c)
	if err != nil {
		return err
	}
	if w.Write(first.event); w.err != nil || first.end {
		return nil
	}
	if conn := a.takeOver(c, w); conn != nil {
		taken = true
		site.MarkTaken(c)
		v.out = conn
		v.taken = &taking{conn: conn, before: c.Response().Size, began: began, route: c.Path(), request: strings.Clone(reqctx.ID(ctx)), trace: reqctx.Trace(ctx)}
		v.topic.add(ctx, v, h)
		conn.Start(v)
		return nil
	}
	events := make(queue, queueLength)
	v.out = events
	v.topic.add(ctx, v, h)
	w.copy(ctx, events)
	v.topic.remove(v)
	return nil
}

// takeOver has the connection of a stream kept, after all that was written; nil: it
// stays with net/http. That is so of HTTP/2, of TLS, whose connections have more to
// them than a file descriptor, and where the server has no WithConn.
func (a *Viewers) takeOver(c echo.Context, w *Writer) *stream.Conn {
	inner, ok := c.Request().Context().Value(connKey{}).(net.Conn)
	if !ok || a.poller == nil || c.Request().ProtoMajor != 1 {
		return nil
	}
	conn, err := a.poller.Take(inner)
	if err != nil {
		return nil
	}
	hijacked, _, err := w.rc.Hijack()
	if err != nil {
		conn.Close()
		return nil
	}
	_ = hijacked.Close() // conn is all that is left of it
	return conn
}

// queueLength is how many events a page may be behind before its stream ends.
const queueLength = 16

// queue is an outlet that its request's own goroutine empties. Both methods are
// called with the topic's mutex held.
type queue chan []byte

// Send implements outlet.
func (q queue) Send(b []byte) bool {
	select {
	case q <- b:
		return true
	default:
		close(q)
		return false
	}
}

// Close implements outlet.
func (q queue) Close() { close(q) }

// comeAgain is when a page without a stream is to ask for one; meanwhile it polls.
const comeAgain = 30 * time.Second

// NoPlace answers a stream beyond the limits: nobody reads a page here.
func NoPlace(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Retry-After", site.WholeSeconds(comeAgain))
	return c.NoContent(http.StatusServiceUnavailable)
}

// Start begins the answer of a stream.
func Start(c echo.Context) (*Writer, error) {
	rc := http.NewResponseController(c.Response())
	// The server's write timeout is for pages; a stream outlives it.
	if err := rc.SetWriteDeadline(time.Time{}); err != nil {
		return nil, err
	}
	header := c.Response().Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would keep the stream to itself
	if c.Request().ProtoMajor == 1 {
		// No chunks: the stream ends with its connection. So an event is the same
		// bytes for everybody, and net/http leaves the header out again.
		header.Set("Transfer-Encoding", "identity")
	}
	c.Response().WriteHeader(http.StatusOK)
	return &Writer{c: c, rc: rc}, nil
}

// Writer writes the events of one stream; after the first failure it does
// nothing.
type Writer struct {
	c   echo.Context
	rc  *http.ResponseController
	err error
}

// writeTime is how long a page may take to read one event.
const writeTime = 10 * time.Second

// Write sends an event, unless one before could not be.
func (w *Writer) Write(event []byte) {
	if w.err != nil {
		return
	}
	if w.err = w.rc.SetWriteDeadline(time.Now().Add(writeTime)); w.err != nil {
		return
	}
	if _, w.err = w.c.Response().Write(event); w.err != nil {
		return
	}
	w.err = w.rc.Flush()
}

// copy writes what comes until there is no more, or the page goes.
func (w *Writer) copy(ctx context.Context, events <-chan []byte) {
	for w.err == nil {
		select {
		case <-ctx.Done():
			return
		case event, more := <-events:
			if !more {
				return
			}
			w.Write(event)
		}
	}
}
