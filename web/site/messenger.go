package site

import (
	"context"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Messenger sends a link to a person.
type Messenger interface {
	// Sends reports whether there is somebody to send by a route.
	Sends(r handoff.Route) bool
	// Recipient reads an address as a person writes it, a number in the form of
	// region if that is one. What is none is CodeInvalid.
	Recipient(r handoff.Route, text, region string) (handoff.Recipient, error)
	// Send's error quotes neither address nor link. It is handoff.ErrUnsure, by
	// errors.Is, if the message may have been sent all the same. What it returns is
	// for handoff.Receipts, if there is more to be known later.
	Send(ctx context.Context, to handoff.Recipient, l handoff.Letter) (ticket string, err error)
}
