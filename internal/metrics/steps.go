package metrics

import (
	"slices"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

var _ handoff.Witness = (*Metrics)(nil)

// Saw implements handoff.Witness: it counts the events after since.
func (m *Metrics) Saw(h handoff.Handoff, since int) {
	for i, e := range h.Events {
		if e.Seq > since {
			m.event(h, h.Events[:i], e)
		}
	}
}

// event counts one event, which came after those before.
func (m *Metrics) event(h handoff.Handoff, before []handoff.Event, e handoff.Event) {
	partner := string(h.Partner)
	switch e.Type {
	case handoff.EventWrongNumber:
		m.numbers.WithLabelValues(partner, "wrong").Inc()
		return
	case handoff.EventReopened:
		m.appLink(h, "shown")
		return
	case handoff.EventTapped, handoff.EventUnopened:
		m.appLink(h, string(e.Type))
		return
	case handoff.EventRenewed, handoff.EventExtended, handoff.EventLinkMade, handoff.EventLinkRevoked, handoff.EventSent, handoff.EventReported,
		handoff.EventContested, handoff.EventSettled, handoff.EventHinted:
		return
	}
	status, route, cause := handoff.Status(e.Type), "", ""
	if h.Claim != nil {
		route = string(h.Claim.Route)
	}
	if status.Ended() {
		cause = string(h.Cause)
	}
	m.steps.WithLabelValues(partner, string(status), route, cause).Inc()
	switch status {
	case handoff.StatusOpened:
		m.since(h, "scan", before, e.At, handoff.StatusDisplayed)
	case handoff.StatusClaimed:
		if !reached(before, handoff.StatusOpened) { // by the app itself, with no landing between
			m.since(h, "scan", before, e.At, handoff.StatusDisplayed)
		}
		if h.Claim != nil && h.Claim.Number != nil {
			m.numbers.WithLabelValues(partner, "asked").Inc()
		}
	case handoff.StatusConfirmed:
		if h.Confirmed == "number" {
			m.numbers.WithLabelValues(partner, "typed").Inc()
			m.since(h, "number", before, e.At, handoff.StatusClaimed)
		}
	case handoff.StatusConnected:
		if h.Claim != nil && !h.Claim.App() { // an app has no link to be shown
			m.appLink(h, "shown")
		}
	case handoff.StatusDelivered:
		if h.Claim != nil && !h.Claim.App() {
			m.appLink(h, "picked_up")
			m.since(h, "app", before, e.At, handoff.StatusConnected)
		}
	case handoff.StatusCompleted:
		m.since(h, "journey", before, e.At, handoff.StatusDelivered)
	case handoff.StatusCreated, handoff.StatusDisplayed, handoff.StatusExpired, handoff.StatusCancelled, handoff.StatusRejected,
		handoff.StatusReplaced, handoff.StatusFailed:
	}
	// A claim stays unconfirmed only while the number is waited for.
	if status.Ended() && latest(before) == handoff.StatusClaimed {
		m.numbers.WithLabelValues(partner, "lost").Inc()
	}
}

func (m *Metrics) appLink(h handoff.Handoff, outcome string) {
	if h.Claim != nil {
		m.appLinks.WithLabelValues(m.rule(h.Claim.By), outcome).Inc()
	}
}

// since observes the time from the latest event of a status until at.
func (m *Metrics) since(h handoff.Handoff, step string, before []handoff.Event, at time.Time, from handoff.Status) {
	for _, e := range slices.Backward(before) {
		if e.Type == handoff.EventType(from) {
			m.stepTimes.WithLabelValues(string(h.Partner), step).Observe(max(0, at.Sub(e.At).Seconds()))
			return
		}
	}
}

// latest is the last status among events.
func latest(events []handoff.Event) handoff.Status {
	for _, e := range slices.Backward(events) {
		if s, err := handoff.ParseStatus(string(e.Type)); err == nil {
			return s
		}
	}
	return ""
}

func reached(events []handoff.Event, s handoff.Status) bool {
	for _, e := range events {
		if e.Type == handoff.EventType(s) {
			return true
		}
	}
	return false
}
