package handoff

import (
	"context"
	"time"
)

// A provider that takes a message has not delivered it yet: a number may be wrong,
// a phone off. So it is asked what became of the message, soon at first and a few
// times only. Which process asks does not matter: when is in the record.

// Receipts tells what became of a message that a provider took.
type Receipts interface {
	// Receipt's error quotes no address. The state is one of queued, sent, delivered
	// and failed.
	Receipt(ctx context.Context, r Route, ticket string) (DispatchState, error)
}

const (
	maxReceipts  = 8               // times a provider is asked about one message
	receiptFirst = 2 * time.Second // after it was taken; then twice as long each time
	receiptTakes = 5 * time.Second // how long an answer may take
)

// dispatched is what came of handing the message over.
func (d *Dispatch) dispatched(state DispatchState, ticket string, now time.Time) {
	d.State, d.Ticket = state, ticket
	if state == DispatchQueued {
		d.Next = now.Add(receiptFirst)
	}
}

// ask reserves a question for one caller.
func (d *Dispatch) ask(now time.Time) {
	d.Asked++
	d.Next = now.Add(receiptFirst << d.Asked)
	if d.Asked >= maxReceipts {
		d.Next = time.Time{}
	}
}

// heard is what the provider says; nothing, if it did not answer.
func (d *Dispatch) heard(state DispatchState) {
	switch state {
	case DispatchDelivered, DispatchFailed:
		d.State, d.Next = state, time.Time{}
	case DispatchQueued, DispatchSent:
		d.State = state
	case DispatchSending, DispatchUnsure:
	}
	if d.State == DispatchQueued && d.Next.IsZero() {
		d.State = DispatchUnsure
	}
}

// receiptDue is when to ask about the message of c; zero: not at all.
func (c RouteCode) receiptDue() time.Time {
	if c.Ended != "" || c.Sent == nil {
		return time.Time{}
	}
	return c.Sent.Next
}

// receipts asks about the messages of h that are due.
func (s *Service) receipts(ctx context.Context, h Handoff) error {
	for _, c := range h.Codes {
		if at := c.receiptDue(); at.IsZero() || s.now().Before(at) {
			continue
		}
		if err := s.receipt(ctx, h.ID, c.Hash); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) receipt(ctx context.Context, id ID, code Hash) error {
	var about Dispatch
	var route Route
	_, err := s.update(ctx, id, func(h Handoff, now time.Time) (Handoff, error) {
		about = Dispatch{}
		for _, c := range h.Codes {
			if at := c.receiptDue(); c.Hash == code && !at.IsZero() && !now.Before(at) {
				about, route = *c.Sent, c.Route
			}
		}
		if about.Ticket == "" {
			return h, errUnchanged
		}
		return h.withDispatch(code, func(d *Dispatch) { d.ask(now) }, now)
	})
	if err != nil || about.Ticket == "" {
		return err
	}
	short, cancel := context.WithTimeout(ctx, receiptTakes)
	defer cancel()
	state, err := s.asked.Receipt(short, route, about.Ticket)
	if err != nil {
		s.log.WarnContext(ctx, "receipt_unknown", "handoff", id, "to", route, "error", err)
		state = ""
	}
	_, err = s.update(context.WithoutCancel(ctx), id, func(h Handoff, now time.Time) (Handoff, error) {
		return h.withDispatch(code, func(d *Dispatch) { d.heard(state) }, now)
	})
	return err
}

// noReceipts knows of no message.
type noReceipts struct{}

func (noReceipts) Receipt(context.Context, Route, string) (DispatchState, error) {
	return "", Errorf(CodeNotFound, "nobody tells of messages")
}
