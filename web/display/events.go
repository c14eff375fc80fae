package display

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/i18n"
	"github.com/handoff-portal/handoff/templates"
	"github.com/handoff-portal/handoff/web/site"
	"github.com/handoff-portal/handoff/web/viewers"
)

// pollAfterAway is how often it asks while the platform is away, in seconds.
const pollAfterAway = 5

// displayState is the state of a display in a language, that of its page.
func (d *Handler) displayState(lang i18n.Lang, h handoff.Handoff) (viewers.State, error) {
	st, err := d.state(h)
	if err != nil {
		return viewers.State{}, err
	}
	frame, _ := h.Frame(d.Handoffs.Now())
	j := viewers.State{
		V: 1, Seq: h.Seq, Status: h.Status, Confirm: st.Screen == templates.ScreenNumber, Frame: frame, Code: h.CodeName(),
		ExpiresAt: site.WireTime(h.Deadline), PollAfter: viewers.PollAfter, Screen: string(st.Screen), Slots: st.Slots(d.PageIn(lang, h)),
		Extend: h.Status != handoff.StatusDelivered && h.Extensions < handoff.MaxExtensions,
		End:    h.Status.Ended(), ReturnURL: h.ReturnURL(),
	}
	if st.Screen == templates.ScreenAway {
		j.PollAfter = pollAfterAway
	}
	return j, nil
}

// status serves GET /h/:key/status.
func (d *Handler) status(c echo.Context) error {
	h, err := d.Handoffs.Display(c.Request().Context(), displayKey(c), d.Visitor(c), d.SeenFrom(c))
	if err != nil && (h.ID == "" || !site.Away(err)) {
		return err
	}
	if err := d.Handoffs.Watch(c.Request().Context(), h); err != nil {
		return err
	}
	j, err := d.displayState(d.Language(c, h.Terms.Locale), h)
	if err != nil {
		return err
	}
	return site.WriteJSON(c, http.StatusOK, j)
}

// follow serves GET /h/:key/events.
func (d *Handler) follow(c echo.Context) error {
	key, by, from := displayKey(c), d.Visitor(c), d.SeenFrom(c)
	h, err := d.Handoffs.Display(c.Request().Context(), key, by, from)
	if err != nil && (h.ID == "" || !site.Away(err)) {
		return err
	}
	var keep func(context.Context) (handoff.Handoff, error)
	if h.Status == handoff.StatusCreated { // the platform was away: try again while a page waits
		keep = func(ctx context.Context) (handoff.Handoff, error) { return d.Handoffs.Display(ctx, key, by, from) }
	}
	return d.viewers.Stream(c, h, displayPage{d, d.Language(c, h.Terms.Locale)}, keep)
}

// displayPage is a display, as a stream keeps it up to date.
type displayPage struct {
	display *Handler
	lang    i18n.Lang
}

func (p displayPage) State(h handoff.Handoff) (viewers.State, error) {
	return p.display.displayState(p.lang, h)
}

func (p displayPage) Screen(h handoff.Handoff, now time.Time) string { return string(screenOf(h, now)) }

func (displayPage) Turns() bool { return true }
