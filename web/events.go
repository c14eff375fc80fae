package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/templates"
)

// stateJSON is what a page that is kept up to date by script needs to know; of
// the display, and, with fewer members, of a phone's page.
type stateJSON struct {
	V         int               `json:"v"`
	Seq       int               `json:"seq"`
	Status    handoff.Status    `json:"status"`
	Confirm   bool              `json:"confirm"`
	Frame     int64             `json:"frame"`
	Code      string            `json:"code,omitempty"` // names the code the frame belongs to; tells nothing of it
	ExpiresAt string            `json:"expiresAt"`
	PollAfter int               `json:"pollAfter"` // seconds
	Screen    string            `json:"screen"`
	Slots     map[string]string `json:"slots,omitempty"`
	Extend    bool              `json:"extend,omitempty"`
	End       bool              `json:"end"`
	ReturnURL string            `json:"returnUrl,omitempty"`
}

// same reports whether a page that shows s has nothing to change for o.
func (s stateJSON) same(o stateJSON) bool { return s.Seq == o.Seq && s.Screen == o.Screen }

// How often a page without a stream asks.
const (
	pollAfter     = 3
	pollAfterAway = 5
)

// displayState is the state of a display, in the language of its page.
func (d *display) displayState(c echo.Context, h handoff.Handoff) (stateJSON, error) {
	st, err := d.state(h)
	if err != nil {
		return stateJSON{}, err
	}
	frame, _ := h.Frame(d.handoffs.Now())
	j := stateJSON{
		V: 1, Seq: h.Seq, Status: h.Status, Confirm: st.Screen == templates.ScreenNumber, Frame: frame, Code: h.CodeName(),
		ExpiresAt: wireTime(h.Deadline), PollAfter: pollAfter, Screen: string(st.Screen), Slots: st.Slots(d.pageOf(c, h)),
		Extend: h.Status != handoff.StatusDelivered && h.Extensions < handoff.MaxExtensions,
		End:    h.Status.Ended(), ReturnURL: returnURL(h),
	}
	if st.Screen == templates.ScreenAway {
		j.PollAfter = pollAfterAway
	}
	return j, nil
}

// status serves GET /h/:key/status.
func (d *display) status(c echo.Context) error {
	h, err := d.handoffs.Display(c.Request().Context(), displayKey(c), d.visitor(c), d.seenFrom(c))
	if err != nil && (h.ID == "" || publicCode(handoff.CodeOf(err)) != handoff.CodePlatformUnavailable) {
		return err
	}
	// A store that takes nothing just now does not keep the state from the page.
	if err := d.handoffs.Watch(c.Request().Context(), h); err != nil && handoff.CodeOf(err) != handoff.CodeStoreUnavailable {
		return err
	}
	j, err := d.displayState(c, h)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, j)
}

// follow serves GET /h/:key/events.
func (d *display) follow(c echo.Context) error {
	key := displayKey(c)
	h, err := d.handoffs.Display(c.Request().Context(), key, d.visitor(c), d.seenFrom(c))
	if err != nil && (h.ID == "" || publicCode(handoff.CodeOf(err)) != handoff.CodePlatformUnavailable) {
		return err
	}
	f := following{
		state: func(h handoff.Handoff) (stateJSON, error) { return d.displayState(c, h) },
		frame: func(h handoff.Handoff) (int64, time.Time) {
			if h.Status.Held() && h.Status != handoff.StatusClaimed {
				return 0, time.Time{}
			}
			return h.Frame(d.handoffs.Now())
		},
		keep: func(ctx context.Context, h handoff.Handoff) (handoff.Handoff, error) {
			if h.Status == handoff.StatusCreated { // the platform was away: try again while a page waits
				return d.handoffs.Display(ctx, key, d.visitor(c), d.seenFrom(c))
			}
			return h, d.handoffs.Watch(ctx, h)
		},
	}
	return d.stream(c, d.changes, h, f)
}

// following is what a stream tells, and what it does for its handoff meanwhile.
type following struct {
	state func(handoff.Handoff) (stateJSON, error)
	frame func(handoff.Handoff) (int64, time.Time) // nil: the stream has no frames
	keep  func(context.Context, handoff.Handoff) (handoff.Handoff, error)
}

const (
	heartbeatEvery = 15 * time.Second
	keepEvery      = 5 * time.Second
)

// stream tells a page of every change of h by Server-Sent Events, until an end,
// or until the page or the server goes. The state comes first, so that a change
// missed between two streams does not matter. A stream reopened after an end
// gets 204, which tells browsers not to come again.
func (s *site) stream(c echo.Context, changes Follower, h handoff.Handoff, f following) error {
	ctx := c.Request().Context()
	if last, err := strconv.Atoi(c.Request().Header.Get("Last-Event-ID")); err == nil && h.Status.Ended() && last >= h.Seq {
		return c.NoContent(http.StatusNoContent)
	}
	release, ok := s.streams.Open(string(h.ID), s.network(c))
	if !ok {
		return noStream(c)
	}
	defer release()
	updates, stop := changes.Subscribe(h.ID)
	defer stop()
	if fresh, err := s.handoffs.Refresh(ctx, h.ID); err == nil && fresh.Seq > h.Seq {
		h = fresh // it changed between the reading and the subscription
	}
	now, err := f.state(h)
	if err != nil {
		return err
	}
	w, err := startStream(c)
	if err != nil {
		return err
	}
	w.state(now)
	heartbeat, keep := time.NewTicker(heartbeatEvery), time.NewTicker(keepEvery)
	defer heartbeat.Stop()
	defer keep.Stop()
	frame := time.NewTimer(time.Hour)
	defer frame.Stop()
	for w.err == nil && !now.End {
		s.nextFrame(frame, h, f)
		select {
		case <-ctx.Done():
			return nil
		case <-heartbeat.C:
			w.comment()
			continue
		case <-frame.C:
			n, _ := f.frame(h)
			w.frame(h.CodeName(), n)
			continue
		case <-keep.C:
			// What did not work is tried again with the next tick; the page knows
			// its state.
			if kept, err := f.keep(ctx, h); err == nil {
				h = kept
			}
		case changed, ok := <-updates:
			if !ok {
				w.bye()
				return nil
			}
			if changed.Seq >= h.Seq {
				h = changed
			}
		}
		next, err := f.state(h)
		if err != nil {
			s.log.ErrorContext(ctx, "stream_failed", "route", c.Path(), "error", err)
			return nil // the page comes again
		}
		if !next.same(now) {
			w.state(next)
			now = next
		}
	}
	return nil
}

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
	c.Response().WriteHeader(http.StatusOK)
	return &eventWriter{c: c, rc: rc}, nil
}

// nextFrame sets the timer to when the code changes next.
func (s *site) nextFrame(t *time.Timer, h handoff.Handoff, f following) {
	wait := time.Hour
	if f.frame != nil && !h.Status.Ended() {
		if _, next := f.frame(h); !next.IsZero() {
			wait = max(next.Sub(s.handoffs.Now()), 10*time.Millisecond)
		}
	}
	t.Reset(wait)
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

func (w *eventWriter) write(format string, args ...any) {
	if w.err != nil {
		return
	}
	if w.err = w.rc.SetWriteDeadline(time.Now().Add(writeTime)); w.err != nil {
		return
	}
	if _, w.err = fmt.Fprintf(w.c.Response(), format, args...); w.err != nil {
		return
	}
	w.err = w.rc.Flush()
}

func (w *eventWriter) state(s stateJSON) {
	body, err := json.Marshal(s)
	if err != nil {
		w.err = err
		return
	}
	w.write("id: %d\nevent: state\ndata: %s\n\n", s.Seq, body)
}

func (w *eventWriter) frame(code string, n int64) {
	w.write("event: frame\ndata: {\"code\":%q,\"frame\":%d}\n\n", code, n)
}

func (w *eventWriter) comment() { w.write(": still here\n\n") }

func (w *eventWriter) bye() { w.write("event: bye\ndata: {}\n\n") }
