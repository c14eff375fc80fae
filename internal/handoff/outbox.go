package handoff

import (
	"slices"
	"time"
)

// The outbox is part of the handoff, so that a status and the word of it are
// written by one update, and a process that dies in between loses neither. What
// waits is found by DueAt, as everything else that time brings.

// next is what the channel sends next, and when; nil if nothing waits. They go in
// order: the first that waits holds up the later ones, until it has failed unblocks times.
func (c *Channel) next() (*Send, time.Time) {
	var first *Send
	for i := range c.Sends {
		s := &c.Sends[i]
		if s.State != SendWaiting {
			continue
		}
		if first == nil || s.Next.Before(first.Next) {
			first = s
		}
		if s.Attempts < unblocks {
			break
		}
	}
	if first == nil {
		return nil, time.Time{}
	}
	if first.Next.Before(c.NotBefore) {
		return first, c.NotBefore
	}
	return first, first.Next
}

// DueAt is when the channel next needs a worker; ok is false if nothing waits.
func (c *Channel) DueAt() (at time.Time, ok bool) {
	s, at := c.next()
	switch {
	case s == nil:
		return time.Time{}, false
	case c.Sending != nil && c.Sending.Until.After(c.NotBefore):
		return c.Sending.Until, true
	case c.Sending != nil:
		return c.NotBefore, true
	}
	return at, true
}

// Untold reports whether an endpoint is still to be told of something.
func (h Handoff) Untold() bool {
	for i := range h.Outbox {
		if s, _ := h.Outbox[i].next(); s != nil {
			return true
		}
	}
	return false
}

// Forgotten reports whether the record has served its time: an ended handoff,
// past its PurgeAt, of which every endpoint was told, or given up, and whose
// request does not come again; or a request of which nothing came.
func (h Handoff) Forgotten(now time.Time) bool {
	if now.Before(h.freeAt()) {
		return false
	}
	return !h.made() || h.Status.Ended() && !now.Before(h.PurgeAt()) && !h.Untold()
}

// channel returns h with a copy of its channel to an endpoint, to be written to,
// or nil.
func (h Handoff) channel(to EndpointID) (Handoff, *Channel) {
	i := slices.IndexFunc(h.Outbox, func(c Channel) bool { return c.To == to })
	if i < 0 {
		return h, nil
	}
	h.Outbox = slices.Clone(h.Outbox)
	h.Outbox[i].Sends = slices.Clone(h.Outbox[i].Sends)
	return h, &h.Outbox[i]
}

// BeginSend reserves the next attempt to an endpoint for one caller. There is
// nothing to do if none is due, or if another caller is at it.
func (h Handoff) BeginSend(to EndpointID, by Hash, now time.Time) (Handoff, error) {
	h, c := h.channel(to)
	if c == nil {
		return h, errUnchanged
	}
	due, ok := c.DueAt()
	if !ok || now.Before(due) {
		return h, errUnchanged
	}
	s, _ := c.next()
	c.Sending = &Sending{Seq: s.Seq, By: by, Until: now.Add(SendLease)}
	return h, nil
}

// message is what the reservation of by is for; ok is false if it is not in force.
func (h Handoff) message(to EndpointID, by Hash) (m Message, ok bool) {
	for i := range h.Outbox {
		c := &h.Outbox[i]
		if c.To != to || c.Sending == nil || c.Sending.By != by {
			continue
		}
		n, kept := h.Notice(c.Sending.Seq)
		s := c.send(c.Sending.Seq)
		if !kept || s == nil {
			return m, false
		}
		record, _ := h.recordOf(n)
		return Message{Notice: n, Partner: h.Partner, Handoff: h.ID, Reference: h.Terms.Reference, Record: record, To: to, Again: s.Again}, true
	}
	return m, false
}

// EndSend notes what came of the attempt that by reserved. One whose place
// another took does not count. jitter, from 0 to 1, spreads the next attempts.
func (h Handoff) EndSend(to EndpointID, by Hash, r Receipt, jitter float64, now time.Time) (Handoff, error) {
	h, c := h.channel(to)
	if c == nil || c.Sending == nil || c.Sending.By != by {
		return h, errUnchanged
	}
	s := c.send(c.Sending.Seq)
	c.Sending = nil
	if s == nil || r.Interrupted { // dropped meanwhile, or as if it had never begun
		return h, nil
	}
	s.Attempts++
	s.Last, s.Outcome = now, r.Outcome
	delays := sendDelays()
	switch {
	case r.Delivered:
		s.State, s.Again, s.Next, c.Gone = SendDelivered, false, time.Time{}, false
	case r.Gone:
		c.Gone = true
		for i := range c.Sends {
			if o := &c.Sends[i]; o.State == SendWaiting {
				o.State, o.Outcome, o.Again, o.Next = SendFailed, r.Outcome, false, time.Time{}
			}
		}
	case s.Attempts >= len(delays):
		s.State, s.Again, s.Next = SendFailed, false, time.Time{}
	default:
		delay := delays[s.Attempts]
		delay += time.Duration(jitter * sendJitter * float64(delay))
		s.Next = now.Add(max(delay, min(r.RetryAfter, maxRetryAfter)))
	}
	return h, nil
}

// PutOff lets an endpoint that has too much to do wait. It counts as no attempt.
func (h Handoff) PutOff(to EndpointID, until, now time.Time) (Handoff, error) {
	h, c := h.channel(to)
	if c == nil {
		return h, errUnchanged
	}
	if due, ok := c.DueAt(); !ok || now.Before(due) || !until.After(c.NotBefore) {
		return h, errUnchanged
	}
	c.NotBefore = until
	return h, nil
}

// SendAgain begins anew with what was sent or given up: one notice, or with seq
// zero all that are kept; to one endpoint, or with to empty to all. CodeNotFound
// if there is no such thing.
func (h Handoff) SendAgain(seq int, to EndpointID, now time.Time) (Handoff, error) {
	found := false
	for _, id := range h.endpoints() {
		if to != "" && to != id {
			continue
		}
		next, c := h.channel(id)
		h = next
		for i := range c.Sends {
			s := &c.Sends[i]
			if seq != 0 && seq != s.Seq {
				continue
			}
			*s = Send{Seq: s.Seq, Next: now, Last: s.Last, Outcome: s.Outcome, Again: true}
			found = true
			if c.Sending != nil && c.Sending.Seq == s.Seq {
				c.Sending = nil // what is on its way was not asked for: it does not count
			}
			c.Gone, c.NotBefore = false, time.Time{}
		}
	}
	if !found {
		return h, Errorf(CodeNotFound, "nothing is kept that could be sent again")
	}
	return h, nil
}

func (h Handoff) endpoints() []EndpointID {
	ids := make([]EndpointID, len(h.Outbox))
	for i, c := range h.Outbox {
		ids[i] = c.To
	}
	return ids
}

// channels are the empty channels of a new handoff.
func channels(to []EndpointID) []Channel {
	if len(to) == 0 {
		return nil
	}
	all := make([]Channel, 0, min(len(to), MaxEndpoints))
	for _, id := range to[:min(len(to), MaxEndpoints)] {
		all = append(all, Channel{To: id})
	}
	return all
}
