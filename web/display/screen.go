package display

import (
	"slices"
	"time"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/templates"
	"github.com/handoff-portal/handoff/web/site"
)

// quietAfter is how long a delivered handoff may be without a word from the app
// before the display says what to try.
const quietAfter = 60 * time.Second

// screenOf is what the display shows of h.
func screenOf(h handoff.Handoff, now time.Time) templates.Screen {
	if h.Rival != nil {
		return templates.ScreenNumber
	}
	switch h.Status {
	case handoff.StatusCreated:
		return templates.ScreenAway
	case handoff.StatusDisplayed, handoff.StatusOpened:
		switch {
		case h.Burnt >= handoff.MaxBurnt:
			return templates.ScreenTooMany
		case h.Status == handoff.StatusOpened && h.Hint.InApp != "":
			return templates.ScreenInApp
		case h.Status == handoff.StatusOpened:
			return templates.ScreenOpened
		}
		return templates.ScreenWaiting
	case handoff.StatusClaimed:
		if h.Claim.Number != nil {
			return templates.ScreenNumber
		}
		return templates.ScreenConnected
	case handoff.StatusConfirmed, handoff.StatusConnected:
		switch {
		case h.Hint.Store:
			return templates.ScreenStore
		case h.Unheard(now):
			return templates.ScreenUnopened
		}
		return templates.ScreenConnected
	case handoff.StatusDelivered:
		switch {
		case h.Report == handoff.ReportLeft || h.Report == handoff.ReportFailed:
			return templates.ScreenStopped
		case h.Report == "" && now.Sub(lastEvent(h, handoff.EventType(handoff.StatusDelivered))) >= quietAfter:
			return templates.ScreenQuiet
		}
		return templates.ScreenDelivered
	case handoff.StatusCompleted:
		return templates.ScreenCompleted
	case handoff.StatusExpired:
		return templates.ScreenExpired
	case handoff.StatusCancelled:
		if wasDelivered(h) {
			return templates.ScreenCancelledLate
		}
		return templates.ScreenCancelled
	case handoff.StatusRejected:
		if wasDelivered(h) {
			return templates.ScreenRejectedLate
		}
		return templates.ScreenRejected
	case handoff.StatusReplaced:
		return templates.ScreenReplaced
	case handoff.StatusFailed:
	}
	return templates.ScreenFailed
}

func lastEvent(h handoff.Handoff, t handoff.EventType) time.Time {
	for _, e := range slices.Backward(h.Events) {
		if e.Type == t {
			return e.At
		}
	}
	return time.Time{}
}

func wasDelivered(h handoff.Handoff) bool {
	return !lastEvent(h, handoff.EventType(handoff.StatusDelivered)).IsZero()
}

// state is what changes on the display while it is open.
func (d *Handler) state(h handoff.Handoff) (templates.State, error) {
	now := d.Handoffs.Now()
	st := templates.State{Screen: screenOf(h, now), InApp: h.Hint.InApp}
	c := h.Claim
	if h.Rival != nil {
		c = h.Rival // it asks to go on instead: the number is its own
	}
	if c != nil {
		st.Device = site.Device(c.By)
		st.Ago = now.Sub(c.At)
		st.WrongTries, st.TriesLeft = c.Tries, handoff.MaxTries-c.Tries
		if h.Hint.Store {
			st.Store = applink.Store(c.By)
		}
	}
	if h.Status == handoff.StatusExpired {
		st.Lasted = h.EndedAt.Sub(h.CreatedAt).Round(time.Minute)
	}
	if h.Status.Ended() {
		return st, nil
	}
	if h.CodeOn(handoff.RouteTyped, now) != nil {
		code, _, err := d.Handoffs.Code(h, handoff.RouteTyped)
		if err != nil {
			return st, err
		}
		st.TypedCode = code.Reveal()
	}
	if rc := h.CodeOn(handoff.RouteLink, now); rc != nil {
		link, err := d.codeLink(h, handoff.RouteLink)
		if err != nil {
			return st, err
		}
		st.Link = &templates.Link{URL: link, SentAt: now.Sub(rc.MadeAt)}
	}
	var err error
	if st.SMS, err = d.sent(h, handoff.RouteSMS, now); err != nil {
		return st, err
	}
	if st.Email, err = d.sent(h, handoff.RouteEmail, now); err != nil {
		return st, err
	}
	deep, err := d.deepLink(h)
	st.DeepLink = deep
	return st, err
}
