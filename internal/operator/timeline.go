// Package operator shows those who run the portal how handoffs fare: one of
// them as a timeline, for the person on the phone to support, and all of them as
// a funnel. Nothing it shows is a capability, a token or an address.
package operator

import (
	"fmt"
	"slices"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Timeline is one handoff as support sees it.
type Timeline struct {
	ID         handoff.ID         `json:"id"`
	SupportRef string             `json:"supportRef"`
	Partner    handoff.PartnerID  `json:"partner"`
	App        handoff.AppID      `json:"app"`
	Instance   handoff.InstanceID `json:"instanceId"`
	Reference  string             `json:"reference"`
	Status     handoff.Status     `json:"status"`
	Cause      handoff.Cause      `json:"cause"`
	CreatedAt  time.Time          `json:"createdAt"`
	ExpiresAt  time.Time          `json:"expiresAt"`
	Computer   string             `json:"computer"` // of the display, as its browser said of itself
	Phone      *Phone             `json:"phone"`    // that holds the handoff, or held it last
	Codes      []Code             `json:"codes"`
	Events     []Event            `json:"events"`
	Webhooks   Webhooks           `json:"webhooks"`
	// Advice is what to tell the person now.
	Advice string `json:"advice"`
}

// Phone is the claim in force, or the last one.
type Phone struct {
	Route     handoff.Route  `json:"route"`
	Device    string         `json:"device"` // as it said of itself
	Native    bool           `json:"native"` // the app claimed by itself, with no page of ours between
	Asked     bool           `json:"asked"`  // for the number
	Confirmed string         `json:"confirmed"`
	At        time.Time      `json:"at"`
	Opens     int            `json:"opens"` // fresh app links it was given
	Report    handoff.Report `json:"report"`
}

// Code is the code of one route, without the code.
type Code struct {
	Route     handoff.Route `json:"route"`
	MadeAt    time.Time     `json:"madeAt"`
	ExpiresAt *time.Time    `json:"expiresAt"` // null: with the handoff
	Live      bool          `json:"live"`
	Ended     string        `json:"ended"` // why, if it is not live
}

// Event is one change.
type Event struct {
	Seq   int       `json:"seq"`
	At    time.Time `json:"at"`
	Type  string    `json:"type"`
	About string    `json:"about"`
}

// Webhooks count the notices of all endpoints.
type Webhooks struct {
	Waiting   int `json:"waiting"`
	Delivered int `json:"delivered"`
	Failed    int `json:"failed"`
	Lost      int `json:"lost"`
}

// TimelineOf tells the story of h, as of now.
func TimelineOf(h handoff.Handoff, now time.Time) Timeline {
	t := Timeline{
		ID: h.ID, SupportRef: h.SupportRef, Partner: h.Partner, App: h.App, Instance: h.Instance, Reference: h.Terms.Reference,
		Status: h.Status, Cause: h.Cause, CreatedAt: h.CreatedAt.UTC(), ExpiresAt: h.Deadline.UTC(),
		Codes: make([]Code, 0, len(h.Codes)), Events: make([]Event, 0, len(h.Events)), Advice: advice(h, now),
	}
	if !h.DisplayedAt.IsZero() {
		t.Computer = device(h.Asker)
	}
	if c := h.Claim; c != nil {
		t.Phone = &Phone{
			Route: c.Route, Device: device(c.By), Native: c.App(), Asked: c.Number != nil, Confirmed: h.Confirmed,
			At: c.At.UTC(), Opens: c.Opens, Report: h.Report,
		}
	}
	for _, c := range h.Codes {
		code := Code{Route: c.Route, MadeAt: c.MadeAt.UTC(), Live: c.Live(now) && !h.Status.Ended() && !taken(h.Status), Ended: string(c.Ended)}
		if !c.ExpiresAt.IsZero() {
			code.ExpiresAt = new(c.ExpiresAt.UTC())
		}
		if !code.Live && code.Ended == "" {
			switch {
			case h.Status.Ended():
				code.Ended = string(h.Status)
			case !c.Live(now):
				code.Ended = "expired"
			default:
				code.Ended = string(handoff.ReasonUsed)
			}
		}
		t.Codes = append(t.Codes, code)
	}
	for _, e := range h.Events {
		t.Events = append(t.Events, Event{Seq: e.Seq, At: e.At.UTC(), Type: string(e.Type), About: about(e.Type)})
	}
	for _, c := range h.Outbox {
		t.Webhooks.Lost += c.Lost
		for _, s := range c.Sends {
			switch s.State {
			case handoff.SendWaiting:
				t.Webhooks.Waiting++
			case handoff.SendDelivered:
				t.Webhooks.Delivered++
			case handoff.SendFailed:
				t.Webhooks.Failed++
			}
		}
	}
	return t
}

// taken reports whether a phone has the handoff for good. Another that opens a
// code may then only ask to go on instead.
func taken(s handoff.Status) bool { return s.Held() && s != handoff.StatusClaimed }

// device is what a browser or an app said of itself, in a few words.
func device(b handoff.Browser) string {
	name := b.Name
	if b.InApp != "" {
		name = "inside " + b.InApp
	}
	if b.Via != "" {
		name += " from " + b.Via
	}
	switch {
	case name != "" && b.OS != "":
		return name + " on " + b.OS
	case name != "" || b.OS != "":
		return name + b.OS
	case b.Class != handoff.ClassUnknown:
		return string(b.Class)
	}
	return "unknown"
}

// about says what an event means. A status is an event of the same name.
func about(t handoff.EventType) string {
	switch t {
	case handoff.EventRenewed:
		return "a new code was shown"
	case handoff.EventExtended:
		return "the person asked for more time"
	case handoff.EventLinkMade:
		return "a link or a code to type was made"
	case handoff.EventLinkRevoked:
		return "a link or a code was stopped"
	case handoff.EventSent:
		return "a message with a link was sent, or could not be"
	case handoff.EventWrongNumber:
		return "a wrong number was typed on the computer"
	case handoff.EventReopened:
		return "the phone was given a fresh link into the app"
	case handoff.EventTapped:
		return "the link into the app was tapped on the phone"
	case handoff.EventUnopened:
		return "the app did not open in half a minute"
	case handoff.EventReported:
		return "the app said how it gets on"
	case handoff.EventContested:
		return "another phone asked to go on instead"
	case handoff.EventSettled:
		return "the question which phone goes on was settled"
	case handoff.EventHinted:
		return "the phone's page said where it is: inside another app, or at the store"
	}
	switch handoff.Status(t) {
	case handoff.StatusCreated:
		return "the partner asked for the handoff"
	case handoff.StatusDisplayed:
		return "the computer shows the code"
	case handoff.StatusOpened:
		return "the link is open on a phone"
	case handoff.StatusClaimed:
		return "Continue was tapped, or the app took the code"
	case handoff.StatusConfirmed:
		return "the phone was confirmed"
	case handoff.StatusConnected:
		return "the platform connected the phone"
	case handoff.StatusDelivered:
		return "the app has what it needs to go on"
	case handoff.StatusCompleted:
		return "the journey is over"
	case handoff.StatusExpired:
		return "its time ran out"
	case handoff.StatusCancelled:
		return "it was cancelled"
	case handoff.StatusRejected:
		return "somebody said that this was not them"
	case handoff.StatusReplaced:
		return "the partner began the same journey again"
	case handoff.StatusFailed:
		return "it cannot go on"
	}
	return "something changed" // recorded by a newer version of the portal
}

// quiet is how long nothing may be heard of an app before it is worth a question.
const quiet = time.Minute

// advice is what to tell the person who called.
func advice(h handoff.Handoff, now time.Time) string {
	switch h.Status {
	case handoff.StatusCreated:
		return "The page with the code was never opened, or the platform did not answer it. Ask the person to reload it."
	case handoff.StatusDisplayed:
		if h.Burnt >= handoff.MaxBurnt {
			return "The number was wrong too often. Ask the person to press “Show a new code” on the computer."
		}
		if slices.ContainsFunc(h.Events, func(e handoff.Event) bool { return e.Type == handoff.EventType(handoff.StatusClaimed) }) {
			return "A phone was here and is gone. Ask the person to scan the code on the computer again."
		}
		return "No phone has come yet. Ask the person to scan the code, or to press “Can’t scan?” for a link or ten digits."
	case handoff.StatusOpened:
		if h.Hint.InApp != "" {
			return fmt.Sprintf("The link is open inside %s. Ask the person to open it in the phone’s own browser.", h.Hint.InApp)
		}
		return "The link is open on a phone. Ask the person to press Continue there."
	case handoff.StatusClaimed:
		if h.Claim != nil && h.Claim.Number != nil {
			return "The phone shows four digits. Ask the person to type them on the computer. Never take them from somebody who has no such screen before them."
		}
		return "The phone is being connected. Ask the person to wait a moment, and then to reload its page."
	case handoff.StatusConfirmed:
		if h.Hint.Store {
			return "The phone is at the store. Ask the person to install the app, and then to go back to the phone’s page."
		}
		return "The phone is confirmed and not yet connected. Ask the person to reload its page; if that stays, the platform may be away."
	case handoff.StatusConnected:
		if h.Unopened() {
			return "The link into the app was tapped and the app has not come. Ask the person to see “Didn’t open?” on the phone, and whether the app is there and up to date."
		}
		return "The phone has a link into the app and the app has not used it. Ask the person to press “Open the app”; if nothing opens, to see “Didn’t open?” there."
	case handoff.StatusDelivered:
		switch {
		case h.Report == handoff.ReportLeft || h.Report == handoff.ReportFailed:
			return "The app was closed before the end. Ask the person to press “Try again”, and to stay in the app to its end."
		case h.Report == handoff.ReportFinished:
			return "The app says that it is finished; the platform has not said so yet. Ask the person to wait on the computer’s page."
		case now.Sub(h.Events[len(h.Events)-1].At) > quiet && h.Report == "":
			return "The app has what it needs, and said nothing since. Ask the person whether it opened; it may need updating."
		}
		return "The person is in the app."
	case handoff.StatusCompleted:
		if h.Cause == handoff.CauseOutcomeFailed {
			return "It is over, and the partner says that the check did not succeed."
		}
		return "It is over. Whether the check was passed is for the partner to say."
	case handoff.StatusExpired, handoff.StatusCancelled, handoff.StatusReplaced:
		return "This one has ended. Ask the person to start again at the partner."
	case handoff.StatusRejected:
		return "Somebody said that this was not them. If it was not the person who calls, tell the partner: somebody may have been shown another’s code."
	case handoff.StatusFailed:
		return "The platform no longer knows the journey. Ask the person to start again at the partner."
	}
	return ""
}
