package web

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
)

// takenKey marks a request whose connection was taken over: it is not over when its
// handler returns.
const takenKey = "taken"

type connKey struct{}

// withConn lets a stream find its connection.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// stream tells a page of every change of h by Server-Sent Events, until an end,
// or until the page or the server goes. The state comes first, so that a change
// missed between two streams does not matter. A stream reopened after an end
// gets 204, which tells browsers not to come again.
//
// From the first state on, the stream belongs to its topic, and where its connection
// can be taken over the handler returns.
func (s *site) stream(c echo.Context, h handoff.Handoff, p page, keep func(context.Context) (handoff.Handoff, error)) error {
	began, ctx := time.Now(), c.Request().Context()
	if last, err := strconv.Atoi(c.Request().Header.Get("Last-Event-ID")); err == nil && h.Status.Ended() && last >= h.Seq {
		return c.NoContent(http.StatusNoContent)
	}
	release, ok := s.streams.Open(string(h.ID), s.network(c))
	if !ok {
		return noStream(c)
	}
	v := &viewer{page: p, keep: keep, release: release}
	v.topic = s.viewers.join(h.ID)
	taken := false
	defer func() {
		if !taken {
			v.leave()
		}
	}()
	if fresh, err := s.handoffs.Refresh(ctx, h.ID); err == nil && fresh.Seq > h.Seq {
		h = fresh // it changed between the reading and the joining
	}
	first, err := v.tell(h)
	if err != nil {
		return err
	}
	w, err := startStream(c)
	if err != nil {
		return err
	}
	if w.write(first.event); w.err != nil || first.end {
		return nil
	}
	if conn := s.takeOver(c, w); conn != nil {
		taken = true
		c.Set(takenKey, true)
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
// them than a file descriptor, and where the server was not set up by NewServer.
func (s *site) takeOver(c echo.Context, w *eventWriter) *stream.Conn {
	inner, ok := c.Request().Context().Value(connKey{}).(net.Conn)
	if !ok || s.viewers.poller == nil || c.Request().ProtoMajor != 1 {
		return nil
	}
	conn, err := s.viewers.poller.Take(inner)
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

// startStream begins the answer of a stream.
func startStream(c echo.Context) (*eventWriter, error) {
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
	return &eventWriter{c: c, rc: rc}, nil
}

// eventWriter writes the events of one stream; after the first failure it does
// nothing.
type eventWriter struct {
	c   echo.Context
	rc  *http.ResponseController
	err error
}

// writeTime is how long a page may take to read one event.
const writeTime = 10 * time.Second

func (w *eventWriter) write(event []byte) {
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
func (w *eventWriter) copy(ctx context.Context, events <-chan []byte) {
	for w.err == nil {
		select {
		case <-ctx.Done():
			return
		case event, more := <-events:
			if !more {
				return
			}
			w.write(event)
		}
	}
}
