package webhook

import (
	"encoding/json"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// body is what a receiver reads. It is the same at every attempt.
type body struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"` // of the event, not of the attempt
	Data      any    `json:"data"`      // an event; in a test, which is about nothing, an empty object
}

// timeForm is RFC 3339, as the API writes times.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

// event is the handoff as it was then. It names nothing that opens anything.
type event struct {
	ID        handoff.ID     `json:"id"`
	Status    handoff.Status `json:"status"`
	Route     *handoff.Route `json:"route"`
	Device    *device        `json:"device"`
	Confirmed *string        `json:"confirmed"`
	Reason    *handoff.Cause `json:"reason"`
	Reference string         `json:"reference"`
	Seq       int            `json:"seq"`
	Record    *string        `json:"record"`
}

type device struct {
	Class handoff.Class `json:"class"`
	OS    string        `json:"os"`
}

// encode returns the body of a message.
func (s *Sender) encode(m handoff.Message) ([]byte, error) {
	e := event{ID: m.Handoff, Status: m.Status, Reference: m.Reference, Seq: m.Seq}
	if m.Route != "" {
		e.Route, e.Device = &m.Route, &device{m.Class, m.OS}
	}
	if m.Confirmed != "" {
		e.Confirmed = &m.Confirmed
	}
	if m.Cause != "" {
		e.Reason = &m.Cause
	}
	if m.Record != (handoff.Record{}) && s.sign != nil {
		record, err := s.sign(m.Record)
		if err != nil {
			return nil, err
		}
		e.Record = &record
	}
	return json.Marshal(body{Type: "handoff." + string(m.Status), Timestamp: m.At.UTC().Format(timeForm), Data: e})
}
