package handoff

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Recipient is whom a message goes to. Its Address is kept nowhere, unless the
// partner named it; then it is sealed, and gone at the end.
type Recipient struct {
	Route   Route // RouteSMS or RouteEmail
	Address Secret
	Area    string // of a number its country, of an address its host: what limits count by
	Masked  string // ••42: enough for the person to know it by
}

// Letter is what a message says.
type Letter struct {
	Short string // all of it, as a text message
	// The rest is an e-mail's.
	Lang, Dir, Partner, Subject, Intro, Link, Open, Note string
}

// DispatchState is how far a message is.
type DispatchState string

// The states of a message. One that says "sending" for longer than DispatchLimit
// is unsure: whoever sent it died, or waits for an answer that does not come.
const (
	DispatchSending   DispatchState = "sending"
	DispatchQueued    DispatchState = "queued" // the provider took it, and will say more
	DispatchSent      DispatchState = "sent"   // it is on its way, and maybe no more is known
	DispatchDelivered DispatchState = "delivered"
	DispatchFailed    DispatchState = "failed"
	DispatchUnsure    DispatchState = "unsure"
)

// DispatchLimit is how long sending takes at most.
const DispatchLimit = 20 * time.Second

// ErrUnsure is what the error of a sender is, by errors.Is, when the message may
// have been sent all the same.
var ErrUnsure = errors.New("it may have been sent")

// Dispatch is the message that a code went out with.
type Dispatch struct {
	To    Sealed // Recipient.Masked
	At    time.Time
	State DispatchState

	Ticket string    // what its provider knows it by; empty: there is nothing to ask
	Asked  int       // times the provider was asked
	Next   time.Time // when it is asked again; zero: no more
}

// StateAt is the state at a time.
func (d Dispatch) StateAt(now time.Time) DispatchState {
	if d.State == DispatchSending && now.Sub(d.At) >= DispatchLimit {
		return DispatchUnsure
	}
	return d.State
}

// MaskedOf returns whom the message of c went to, as the display names it.
func (s *Service) MaskedOf(h Handoff, c *RouteCode) (string, error) {
	if c.Sent == nil {
		return "", nil
	}
	b, err := s.vault.Open(h.label("sent"), c.Sent.To)
	return string(b), err
}

// sealContact seals what a partner said of how to reach the person.
func (s *Service) sealContact(h Handoff, to []Recipient) Sealed {
	if len(to) == 0 {
		return nil
	}
	all := make(map[Route][3]string, len(to)) // a Secret would be redacted in JSON
	for _, r := range to {
		all[r.Route] = [3]string{r.Address.Reveal(), r.Area, r.Masked}
	}
	b, err := json.Marshal(all)
	if err != nil {
		return nil // cannot happen: texts by text
	}
	return s.vault.Seal(h.label("contact"), b)
}

// RecipientKey names a recipient to who counts, and to nobody else: it takes the
// server key to compute.
func (s *Service) RecipientKey(to Recipient) string {
	return s.vault.Blind(Label{Purpose: "recipient"}, to.Address)[0].String()
}

// Contact returns whom the partner named for a route, if anybody.
func (s *Service) Contact(h Handoff, r Route) (Recipient, bool, error) {
	if len(h.Contact) == 0 {
		return Recipient{}, false, nil
	}
	b, err := s.vault.Open(h.label("contact"), h.Contact)
	if err != nil {
		return Recipient{}, false, err
	}
	var all map[Route][3]string
	if err := json.Unmarshal(b, &all); err != nil {
		return Recipient{}, false, Errorf(CodeInternal, "a contact that cannot be read")
	}
	c, ok := all[r]
	return Recipient{Route: r, Address: Secret(c[0]), Area: c[1], Masked: c[2]}, ok, nil
}

// AtDisplay returns the handoff of a display key, for a page that is to act on it.
func (s *Service) AtDisplay(ctx context.Context, key Secret) (Handoff, error) {
	return s.lookup(ctx, KeyDisplay, key)
}

// SendLink makes a code for a message, in place of the route's former one, sends
// it by send, and keeps what came of it. send returns what the provider knows the
// message by, if it can be asked about it later. The message is noted before it is sent
// and never sent again by itself: of one who dies in between, the display says
// that the message may not have been sent. A person who leaves meanwhile does not
// end it.
func (s *Service) SendLink(ctx context.Context, h Handoff, to Recipient, send func(ctx context.Context, code Secret) (ticket string, err error)) (Handoff, error) {
	if !h.HasRoute(to.Route) {
		return h, Errorf(CodeForbidden, "the route %s is not open here", to.Route)
	}
	if h.Terms.CodeMode == CodeToken {
		return h, Errorf(CodeConflict, "the app's codes are raw connect tokens: there are no links")
	}
	var made RouteCode
	h, err := s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) {
		made = s.mint(h, to.Route, now)
		made.Sent = &Dispatch{To: s.vault.Seal(h.label("sent"), []byte(to.Masked)), At: now, State: DispatchSending}
		return h.AddCode(made, now)
	})
	if err != nil {
		return h, err
	}
	code, err := s.vault.Open(h.label("code"), made.Sealed)
	if err != nil {
		return h, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), DispatchLimit)
	defer cancel()
	ticket, sent := send(ctx, Secret(code))
	state := DispatchSent
	switch {
	case sent == nil && ticket != "":
		state = DispatchQueued
	case errors.Is(sent, ErrUnsure):
		state = DispatchUnsure
	case sent != nil:
		state = DispatchFailed
	}
	return s.update(context.WithoutCancel(ctx), h.ID, func(h Handoff, now time.Time) (Handoff, error) {
		return h.withDispatch(made.Hash, func(d *Dispatch) { d.dispatched(state, ticket, now) }, now)
	})
}

// withDispatch changes what is known of a message, if its code is still the route's.
// What people see of it is an event.
func (h Handoff) withDispatch(code Hash, change func(*Dispatch), now time.Time) (Handoff, error) {
	for i, c := range h.Codes {
		if c.Hash != code || c.Sent == nil || c.Ended != "" || h.Status.Ended() {
			continue
		}
		sent := *c.Sent
		change(&sent)
		seen := sent.State != c.Sent.State
		c.Sent = &sent
		h.Codes = append([]RouteCode{}, h.Codes...)
		h.Codes[i] = c
		if seen {
			return h.record(EventSent, now), nil
		}
		return h, nil
	}
	return h, errUnchanged
}
