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
	"github.com/handoff-portal/handoff/internal/i18n"
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

// How often a page without a stream asks.
const (
	pollAfter     = 3
	pollAfterAway = 5
)

// displayState is the state of a display in a language, that of its page.
func (s *site) displayState(lang i18n.Lang, h handoff.Handoff) (stateJSON, error) {
	st, err := s.state(h)
	if err != nil {
		return stateJSON{}, err
	}
	frame, _ := h.Frame(s.handoffs.Now())
	j := stateJSON{
		V: 1, Seq: h.Seq, Status: h.Status, Confirm: st.Screen == templates.ScreenNumber, Frame: frame, Code: h.CodeName(),
		ExpiresAt: wireTime(h.Deadline), PollAfter: pollAfter, Screen: string(st.Screen), Slots: st.Slots(s.pageIn(lang, h)),
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
	j, err := d.displayState(d.language(c, h.Terms.Locale), h)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, j)
}

// follow serves GET /h/:key/events.
func (d *display) follow(c echo.Context) error {
	key, by, from := displayKey(c), d.visitor(c), d.seenFrom(c)
	h, err := d.handoffs.Display(c.Request().Context(), key, by, from)
	if err != nil && (h.ID == "" || publicCode(handoff.CodeOf(err)) != handoff.CodePlatformUnavailable) {
		return err
	}
	var keep func(context.Context) (handoff.Handoff, error)
	if h.Status == handoff.StatusCreated { // the platform was away: try again while a page waits
		keep = func(ctx context.Context) (handoff.Handoff, error) { return d.handoffs.Display(ctx, key, by, from) }
	}
	return d.stream(c, h, displayPage{d.site, d.language(c, h.Terms.Locale)}, keep)
}

// displayPage is a display, as a stream keeps it up to date.
type displayPage struct {
	site *site
	lang i18n.Lang
}

func (p displayPage) state(h handoff.Handoff) (stateJSON, error) {
	return p.site.displayState(p.lang, h)
}

func (p displayPage) screen(h handoff.Handoff, now time.Time) string { return string(screenOf(h, now)) }

func (displayPage) turns() bool { return true }

// The events of a stream. Whoever holds one holds the same bytes as others do.

func stateEvent(s stateJSON) ([]byte, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(body)+48)
	b = strconv.AppendInt(append(b, "id: "...), int64(s.Seq), 10)
	b = append(append(b, "\nevent: state\ndata: "...), body...)
	return append(b, "\n\n"...), nil
}

func frameEvent(code string, n int64) []byte {
	return fmt.Appendf(nil, "event: frame\ndata: {\"code\":%q,\"frame\":%d}\n\n", code, n)
}

func stillHere() []byte { return []byte("data\n\n") }

func byeEvent() []byte { return []byte("event: bye\ndata: {}\n\n") }
