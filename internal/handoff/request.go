package handoff

import (
	"context"
	"time"
)

// Request is a partner's call that makes a handoff, by which the same call is
// known when it comes again. It is part of the handoff's record, found by one more
// key: there is nothing beside it that could be lost, or left over.
type Request struct {
	Key  Hash // of the partner and its Idempotency-Key
	Body Hash
}

// NewRequest returns the request with this Idempotency-Key and body.
func NewRequest(partner PartnerID, key string, body []byte) Request {
	return Request{Key: HashOf(Secret(string(partner) + " " + key)), Body: HashOf(Secret(body))} // no partner has a space in its id
}

// made reports whether h has begun. One that has not is a request whose journey is
// being started, or was when its process died: nobody is shown it.
func (h Handoff) made() bool { return h.Seq > 0 }

// freeAt is when h's request is forgotten and its key may be used anew; zero if it
// has none.
func (h Handoff) freeAt() time.Time {
	if h.Request == nil {
		return time.Time{}
	}
	return h.CreatedAt.Add(RequestLife)
}

// asMade is h as it was when it began: what the call that made it was answered.
func (h Handoff) asMade() Handoff {
	h.Status, h.Cause, h.Seq, h.Events = StatusCreated, "", 1, h.Events[:1]
	h.Deadline = h.CreatedAt.Add(h.Terms.ExpiresIn)
	h.Claim, h.Confirmed = nil, ""
	return h
}

// How often CreateOnce looks at a key that another took a moment ago, and between: its
// record may come a moment later, where keys and records are written one by one.
const (
	requestLooks = 7
	requestPause = 5 * time.Millisecond // twice as long each time, 0.16 s in all
)

// requestRetry is what a caller is told to wait for the same call in flight.
const requestRetry = 2 * time.Second

// errInFlight is for a call whose twin has not been answered yet.
func errInFlight() error {
	e := Errorf(CodeConflict, "the same call is being answered: call again for its answer")
	e.RetryAfter = requestRetry
	return e
}

// errNotAgain is for a call whose twin asked for a journey, and nobody knows
// whether one began.
func errNotAgain() error {
	return Errorf(CodeConflict, "the journey that this call asks for may have begun, and the answer was lost: no other is started for this key")
}

// errSealed is for a call whose answer was sealed under a server key that is gone.
func errSealed() error {
	return Errorf(CodeConflict, "this call made a handoff whose address cannot be read any more: take another Idempotency-Key for a new one")
}

// Repeated returns what the same request made within RequestLife, as it was then;
// ok is false if it made nothing. Errors: CodeIdempotencyMismatch for another body,
// CodeConflict while the other is in flight (with RetryAfter), or if it never came
// to its end, or its server key is gone (without).
func (s *Service) Repeated(ctx context.Context, r Request) (h Handoff, ok bool, err error) {
	h, err = s.store.Lookup(ctx, NewKey(KeyRequest, r.Key))
	if CodeOf(err) == CodeNotFound {
		return Handoff{}, false, nil
	}
	if err != nil {
		return Handoff{}, false, err
	}
	now := s.now()
	switch {
	case h.Request == nil || h.Request.Key != r.Key:
		return Handoff{}, false, nil
	case !now.Before(h.freeAt()): // the worker has yet to come by
		return Handoff{}, false, s.tick(ctx, h.ID)
	case h.Request.Body != r.Body:
		return Handoff{}, false, Errorf(CodeIdempotencyMismatch, "this Idempotency-Key came with another body before")
	case h.made():
		if _, err := s.DisplayKey(h); err != nil {
			s.log.WarnContext(ctx, "request_not_repeated", "handoff", h.ID, "error", err)
			return Handoff{}, false, errSealed()
		}
		return h.asMade(), true, nil
	case h.Work != nil && now.Before(h.Work.Until):
		return Handoff{}, false, errInFlight()
	}
	return Handoff{}, false, errNotAgain()
}

// CreateOnce is Create for a request that may come again, to any process and at
// the same time: one makes the handoff, the others get it as Repeated returns it,
// with again set.
//
// A journey is started only once the request is in the store. If the platform
// refuses it, the request is forgotten, and may be made again. If it is not known
// whether the journey began, because the answer or this process was lost, nothing
// is ever started for the request any more.
func (s *Service) CreateOnce(ctx context.Context, n NewHandoff, r Request) (h Handoff, again bool, err error) {
	for look := range requestLooks { // a key may become free, or its record come, between two looks at it
		if look > 1 {
			select {
			case <-ctx.Done():
				return Handoff{}, false, ctx.Err()
			case <-time.After(requestPause << (look - 2)):
			}
		}
		h = s.draft(n)
		h.Request = &r
		if n.Journey == nil {
			h, err = s.keep(ctx, h.created(s.now()))
		} else {
			h, err = s.startOnce(ctx, h, *n.Journey)
		}
		if CodeOf(err) != CodeConflict {
			return h, false, err
		}
		if h, again, err = s.Repeated(ctx, r); err != nil || again {
			return h, again, err
		}
	}
	return Handoff{}, false, errInFlight() // its key is taken, and its record is not there yet
}

// startOnce keeps h's request, starts the journey, and begins h. A caller that
// goes away does not stop it.
func (s *Service) startOnce(ctx context.Context, h Handoff, j Journey) (Handoff, error) {
	p, err := s.platforms.Platform(h.Partner)
	if err != nil {
		return Handoff{}, err
	}
	mine := HashOf(newCapability())
	h.Work = &Work{By: mine, Until: h.CreatedAt.Add(WorkLease)}
	h.Deadline = h.freeAt()
	if h, _, err = s.save(ctx, h); err != nil {
		return Handoff{}, err
	}
	ctx = context.WithoutCancel(ctx)
	calls, cancel := context.WithTimeout(ctx, WorkLease-5*time.Second)
	defer cancel()
	instance, lost := p.StartJourney(calls, j)
	if lost != nil && CodeOf(lost) != CodeJourneyLost {
		if err := s.store.Delete(ctx, h.ID); err != nil { // the key stays taken, which starts nothing
			s.log.ErrorContext(ctx, "request_not_forgotten", "handoff", h.ID, "error", err)
		}
		return Handoff{}, lost
	}
	h, err = s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) {
		h, err := h.Done(mine)
		if err != nil || lost != nil {
			return h, err
		}
		h.Instance = instance
		return h.created(now), nil
	})
	if lost != nil {
		return Handoff{}, journeyFailed(lost)
	}
	return h, err
}
