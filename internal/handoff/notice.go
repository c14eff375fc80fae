package handoff

import (
	"context"
	"slices"
	"strconv"
	"time"
)

// EndpointID names one of a partner's webhook endpoints by its address: stable,
// short enough to type, and no secret.
type EndpointID string

// EndpointFor returns the id of the endpoint at this address.
func EndpointFor(address string) EndpointID {
	return EndpointID("we_" + HashOf(Secret(address)).String()[:16])
}

// Notice is a status that a handoff reached, as things were then. It holds no
// capability, no token and no address.
type Notice struct {
	Seq       int // of the event
	Status    Status
	At        time.Time
	Route     Route  // of the claim, and with it the device; empty: nobody had claimed
	Class     Class  // of the device
	OS        string // of the device
	Confirmed string // "number", "scan" or empty
	Cause     Cause
	// Of the claim too, for the record.
	ClaimedAt time.Time
	Near      Nearness
}

// Message is a notice on its way to one endpoint. Every attempt to send it is
// the same message.
type Message struct {
	Notice

	Partner   PartnerID
	Handoff   ID
	Reference string
	Record    Record // zero: nobody had claimed yet
	To        EndpointID
	// Again is set for one that an operator sends again: it goes out even if the
	// endpoint has said that it is gone.
	Again bool
}

// MessageID is the id by which a receiver knows a message that comes twice. The
// same notice has the same id at every endpoint.
func (m Message) MessageID() string {
	return "msg_" + string(m.Handoff)[len("ho_"):] + "_" + strconv.Itoa(m.Seq)
}

// Deliverer sends messages to partners' endpoints. It is safe for concurrent use.
type Deliverer interface {
	// Endpoints are the ones that are told of a partner's new handoffs, at most
	// MaxEndpoints.
	Endpoints(partner PartnerID) []EndpointID
	// Deliver makes one attempt, in less than SendLease, and says what came of it.
	// It ends early, with Interrupted, when ctx does.
	Deliver(ctx context.Context, m Message) Receipt
}

// Receipt is what came of one attempt.
type Receipt struct {
	Outcome     string        // short and for people, such as "status 503"; never an address
	Delivered   bool          // the receiver has it
	Gone        bool          // the receiver wants nothing any more (status 410)
	Interrupted bool          // we broke it off: it does not count as an attempt
	RetryAfter  time.Duration // what the receiver asked for; zero: nothing
}

// SendState is how far a notice is on its way to one endpoint.
type SendState string

// The states.
const (
	SendWaiting   SendState = "" // to be sent, or sent again
	SendDelivered SendState = "delivered"
	SendFailed    SendState = "failed" // given up
)

// Send is a notice on its way to one endpoint.
type Send struct {
	Seq      int // of the notice
	State    SendState
	Attempts int
	Next     time.Time // when to try, while it waits
	Last     time.Time // of the last attempt; zero: none yet
	Outcome  string    // of the last attempt
	Again    bool      // an operator asked for it
}

// Channel is what goes from one handoff to one endpoint, oldest first.
type Channel struct {
	To    EndpointID
	Sends []Send
	// Gone is set once the endpoint has answered 410: nothing more is sent, unless
	// an operator says so.
	Gone bool
	// Lost is how many notices were dropped unsent, because MaxNotices waited.
	Lost int
	// Sending is the attempt that one process is making, if any.
	Sending *Sending
	// NotBefore puts off everything here, while the endpoint has too much to do.
	NotBefore time.Time
}

// Sending is an attempt that one process is making. Nobody else sends to the
// same endpoint for this handoff before Until; if that passes, the process died.
type Sending struct {
	Seq   int
	By    Hash
	Until time.Time
}

// Limits of what a handoff tells its partner.
const (
	// SendLease bounds one attempt, and is how long a dead process holds up a channel.
	SendLease = 30 * time.Second
	// MaxEndpoints is how many endpoints one partner can have.
	MaxEndpoints = 8
	// MaxNotices is how many notices a handoff keeps. Beyond it the oldest settled
	// one goes; if none is, the oldest of all, which its channels count as lost.
	MaxNotices = 100
	// unblocks is how often one notice fails before later ones overtake it.
	unblocks = 3
	// sendJitter is the most that is added to a delay, as a share of it.
	sendJitter = 0.1
)

// sendDelays are the times before each attempt, counted from the one before: eleven
// attempts, in a little more than three days. It is the schedule of Standard Webhooks
// 1.0.0 with one more after half a minute: a receiver that was restarted is told
// while the person is still there, who would have gone within five.
func sendDelays() []time.Duration {
	return []time.Duration{
		0, 5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// maxRetryAfter is the longest wait that a receiver can ask for.
const maxRetryAfter = 24 * time.Hour

// told adds a notice of the status just reached to every channel.
func (h Handoff) told(now time.Time) Handoff {
	if len(h.Outbox) == 0 {
		return h
	}
	n := h.noticed(now)
	h.Notices = append(slices.Clip(h.Notices), n)
	h.Outbox = slices.Clone(h.Outbox)
	for i := range h.Outbox {
		c := &h.Outbox[i]
		s := Send{Seq: n.Seq, Next: now}
		if c.Gone {
			s = Send{Seq: n.Seq, State: SendFailed, Outcome: "not sent: the endpoint is gone"}
		}
		c.Sends = append(slices.Clip(c.Sends), s)
	}
	for len(h.Notices) > MaxNotices {
		h = h.dropNotice()
	}
	return h
}

// noticed is h as it is, for its partner.
func (h Handoff) noticed(now time.Time) Notice {
	n := Notice{Seq: h.Seq, Status: h.Status, At: now, Confirmed: h.Confirmed, Cause: h.Cause}
	if c := h.Claim; c != nil {
		n.Route, n.Class, n.OS, n.ClaimedAt, n.Near = c.Route, c.By.Class, c.By.OS, c.At, c.Near
	}
	return n
}

// dropNotice forgets the oldest notice that is settled everywhere, or the oldest.
func (h Handoff) dropNotice() Handoff {
	i := slices.IndexFunc(h.Notices, func(n Notice) bool {
		return !slices.ContainsFunc(h.Outbox, func(c Channel) bool { s := c.send(n.Seq); return s != nil && s.State == SendWaiting })
	})
	i = max(i, 0)
	seq := h.Notices[i].Seq
	h.Notices = slices.Delete(slices.Clone(h.Notices), i, i+1)
	for i := range h.Outbox { // a clone of told's
		c := &h.Outbox[i]
		if s := c.send(seq); s != nil && s.State == SendWaiting {
			c.Lost++
		}
		c.Sends = slices.DeleteFunc(slices.Clone(c.Sends), func(s Send) bool { return s.Seq == seq })
	}
	return h
}

// Notice returns the notice of an event, if it is still kept.
func (h Handoff) Notice(seq int) (Notice, bool) {
	i := slices.IndexFunc(h.Notices, func(n Notice) bool { return n.Seq == seq })
	if i < 0 {
		return Notice{}, false
	}
	return h.Notices[i], true
}

// send finds the send of a notice, or nil.
func (c *Channel) send(seq int) *Send {
	i := slices.IndexFunc(c.Sends, func(s Send) bool { return s.Seq == seq })
	if i < 0 {
		return nil
	}
	return &c.Sends[i]
}
