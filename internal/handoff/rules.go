package handoff

import (
	"errors"
	"slices"
	"time"
)

// errUnchanged is what a rule returns when it has nothing to do: no failure, and
// nothing to save.
var errUnchanged = errors.New("nothing changed")

// errBusy is what Begin returns while another caller makes an upstream step.
var errBusy = Errorf(CodeConflict, "a step is being made")

// errOvertaken is what Done returns when the step no longer counts.
var errOvertaken = Errorf(CodeConflict, "the step no longer counts")

// record numbers and appends one event.
func (h Handoff) record(t EventType, now time.Time) Handoff {
	h.Seq++
	h.Events = append(slices.Clip(h.Events), Event{Seq: h.Seq, Type: t, At: now})
	return h
}

// reach moves h to a status, records it, and has the partner told.
func (h Handoff) reach(s Status, now time.Time) Handoff {
	h.Status = s
	return h.record(EventType(s), now).told(now)
}

// GoneReason is why everything that belonged to an ended handoff is gone.
func (h Handoff) GoneReason() Reason {
	switch h.Status {
	case StatusCompleted:
		return ReasonUsed
	case StatusExpired:
		return ReasonExpired
	case StatusRejected:
		return ReasonRejected
	case StatusReplaced:
		return ReasonReplaced
	case StatusCancelled, StatusFailed:
		return ReasonCancelled
	case StatusCreated, StatusDisplayed, StatusOpened, StatusClaimed, StatusConfirmed, StatusConnected, StatusDelivered:
	}
	return ""
}

// live refuses everything after an end. A handoff past its deadline has ended,
// even if the worker has not written so yet; while the last question is out,
// the deadline is the worker's own.
func (h Handoff) live(now time.Time) error {
	if h.Status.Ended() {
		return Gone(h.GoneReason())
	}
	if h.Poll.Final || !now.Before(h.Deadline) {
		return Gone(ReasonExpired)
	}
	return nil
}

// act refuses what people do after an end, and beyond MaxEvents.
func (h Handoff) act(now time.Time) error {
	if err := h.live(now); err != nil {
		return err
	}
	if len(h.Events) >= MaxEvents {
		e := Errorf(CodeRateLimited, "too much has happened to this handoff: end it and begin a new one")
		e.RetryAfter = time.Minute
		return e
	}
	return nil
}

// Display shows h for the first time: codes are the QR's and the local one's,
// connect is what device/start gave.
func (h Handoff) Display(by Browser, codes []RouteCode, connect Token, keyID string, now time.Time) (Handoff, error) {
	if err := h.live(now); err != nil {
		return h, err
	}
	if h.Status != StatusCreated {
		return h, errUnchanged
	}
	h.Asker, h.DisplayedAt, h.FrameKeyID = by, now, keyID
	h.Connect = &connect
	h = h.replaceCodes(codes)
	if h.Terms.CodeMode == CodeToken {
		// The app connects without us: only the platform can tell that it did.
		h.Poll = Poll{Every: pollWatched, Next: now.Add(pollWatched)}
	}
	return h.reach(StatusDisplayed, now), nil
}

// RenewConnect puts a fresh connect token in place of the one the QR carries.
func (h Handoff) RenewConnect(connect Token, now time.Time) (Handoff, error) {
	if err := h.live(now); err != nil {
		return h, err
	}
	h.Connect = &connect
	return h.record(EventRenewed, now), nil
}

// Open notes that a person looks at a landing. It changes no right, lifetime or count.
func (h Handoff) Open(inApp string, now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	switch {
	case h.Status == StatusDisplayed:
		h.Hint = Hint{InApp: inApp}
		return h.reach(StatusOpened, now), nil
	case h.Status == StatusOpened && h.Hint.InApp != inApp:
		h.Hint.InApp = inApp
		return h.record(EventHinted, now), nil
	}
	return h, errUnchanged
}

// AtStore notes that the phone went to the store: the claim lasts until the
// handoff's deadline, if it was confirmed.
func (h Handoff) AtStore(now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	if !h.Status.Held() || h.Hint.Store {
		return h, errUnchanged
	}
	h.Hint.Store = true
	return h.record(EventHinted, now), nil
}

// checkCode refuses a code that is not, or no longer, one of h's.
func (h Handoff) checkCode(hash Hash, now time.Time) (RouteCode, error) {
	c, ok := h.installs(hash)
	if i := slices.IndexFunc(h.Codes, func(c RouteCode) bool { return c.Hash == hash }); i >= 0 {
		c, ok = h.Codes[i], true
	}
	if !ok {
		return RouteCode{}, Errorf(CodeNotFound, "no such code")
	}
	if err := h.live(now); err != nil {
		return c, err
	}
	if c.Ended != "" {
		return c, Gone(c.Ended)
	}
	if !c.Live(now) {
		return c, Gone(ReasonExpired)
	}
	return c, nil
}

func (h Handoff) hasCode(hash Hash) bool {
	return slices.ContainsFunc(h.Codes, func(c RouteCode) bool { return c.Hash == hash })
}

// RenewCode shows new codes in place of the QR's and the local one, and forgives
// the claims burnt by wrong numbers. What is open on a phone is no more.
func (h Handoff) RenewCode(codes []RouteCode, now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	if h.Status != StatusDisplayed && h.Status != StatusOpened {
		return h, Errorf(CodeConflict, "a %s handoff shows no code", h.Status)
	}
	h.Burnt = 0
	h = h.replaceCodes(codes).record(EventRenewed, now)
	if h.Status == StatusOpened {
		h.Hint = Hint{}
		h = h.reach(StatusDisplayed, now)
	}
	return h, nil
}

// AddCode gives h a code for one more route, in place of one it had there.
func (h Handoff) AddCode(c RouteCode, now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	if h.Status.Held() {
		return h, Errorf(CodeConflict, "a phone holds this handoff")
	}
	return h.replaceCodes([]RouteCode{c}).record(EventLinkMade, now), nil
}

// RevokeCode ends a route's code. What was claimed with it stays claimed.
func (h Handoff) RevokeCode(r Route, now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	if h.CodeOn(r, now) == nil {
		return h, errUnchanged
	}
	return h.endCode(r, ReasonCancelled).record(EventLinkRevoked, now), nil
}

// Extend puts the deadline off by what was first given, MaxExtensions times at
// most. Once delivered, the end-user token's life is the bound and nothing moves it.
func (h Handoff) Extend(now time.Time) (Handoff, error) {
	if err := h.act(now); err != nil {
		return h, err
	}
	if h.Status == StatusDelivered || h.Extensions >= MaxExtensions {
		return h, Errorf(CodeConflict, "this can be kept open no longer")
	}
	later := now.Add(h.Terms.ExpiresIn)
	if last := h.CreatedAt.Add(MaxExpiresIn); later.After(last) {
		later = last
	}
	if !later.After(h.Deadline) {
		return h, errUnchanged
	}
	h.Deadline = later
	h.Extensions++
	return h.record(EventExtended, now), nil
}

// End ends h. No token outlives it. An end after an end is CodeConflict.
func (h Handoff) End(s Status, cause Cause, now time.Time) (Handoff, error) {
	if h.Status.Ended() {
		return h, Errorf(CodeConflict, "the handoff is %s already", h.Status)
	}
	h = h.dropRival(ReasonReleased, "").dropWaiting(ReasonReleased, "", everyClaim)
	h.Cause, h.EndedAt = cause, now
	h.Connect, h.Work, h.Poll, h.Contact = nil, nil, Poll{}, nil
	if h.Claim != nil {
		c := *h.Claim
		c.Number = nil
		c = c.wiped(func(time.Time) bool { return true })
		h.Claim = &c
	}
	return h.reach(s, now), nil
}

// withCodes adds codes, and forgets the oldest ended ones beyond MaxCodes.
func (h Handoff) withCodes(codes []RouteCode) Handoff {
	h.Codes = append(slices.Clip(h.Codes), codes...)
	excess := len(h.Codes) - MaxCodes
	h.Codes = slices.DeleteFunc(h.Codes, func(c RouteCode) bool {
		if excess <= 0 || c.Ended == "" {
			return false
		}
		excess--
		return true
	})
	return h
}

// replaceCodes puts codes in place of what their routes had.
func (h Handoff) replaceCodes(codes []RouteCode) Handoff {
	for _, c := range codes {
		h = h.endCode(c.Route, ReasonReplaced)
	}
	return h.withCodes(codes)
}

func (h Handoff) endCode(r Route, why Reason) Handoff {
	return h.endCodesWhere(why, func(c RouteCode) bool { return c.Route == r })
}

func (h Handoff) endCodes(why Reason) Handoff {
	return h.endCodesWhere(why, func(RouteCode) bool { return true })
}

func (h Handoff) endCodesWhere(why Reason, which func(RouteCode) bool) Handoff {
	h.Codes = slices.Clone(h.Codes)
	for i := range h.Codes {
		ended := h.Codes[i].Ended
		if (ended == "" || ended == ReasonRejected) && which(h.Codes[i]) { // a refused one is not ended for good
			h.Codes[i].Ended = why
			h.Codes[i].Sealed = nil
		}
	}
	return h
}
