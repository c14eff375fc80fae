package handoff

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// NewHandoff is what a partner asks for, checked and with its defaults filled in.
type NewHandoff struct {
	Partner  PartnerID
	App      AppID
	Instance InstanceID // or
	Journey  *Journey   // started first
	Terms    Terms
	Contact  []Recipient // how the person can be reached, one a route
}

// Create begins a handoff, starting its journey first if asked to. A fourth live
// one for an instance replaces the oldest that is not delivered.
func (s *Service) Create(ctx context.Context, n NewHandoff) (Handoff, error) {
	if n.Journey != nil {
		p, err := s.platforms.Platform(n.Partner)
		if err != nil {
			return Handoff{}, err
		}
		if n.Instance, err = p.StartJourney(ctx, *n.Journey); err != nil {
			return Handoff{}, journeyFailed(err)
		}
	}
	return s.keep(ctx, s.draft(n).created(s.now()))
}

// journeyFailed is what the partner is told of a journey that did not start.
func journeyFailed(err error) error {
	if CodeOf(err) != CodeJourneyLost {
		return err
	}
	return &Error{
		Code: CodePlatformUnavailable, Detail: "the verification service's answer was lost: a journey may have begun",
		RetryAfter: 5 * time.Second, Err: err,
	}
}

// draft is a handoff that has yet to begin.
func (s *Service) draft(n NewHandoff) Handoff {
	key := newCapability()
	h := Handoff{
		ID: newID(), Partner: n.Partner, App: n.App, Instance: n.Instance, Terms: n.Terms,
		SupportRef: newSupportRef(), CreatedAt: s.now(),
		DisplayHash: HashOf(key),
		Outbox:      channels(s.post.deliverer.Endpoints(n.Partner)),
	}
	h.DisplayKey = s.vault.Seal(h.label("display"), []byte(key))
	h.Contact = s.sealContact(h, n.Contact)
	return h
}

// created is h at its beginning.
func (h Handoff) created(now time.Time) Handoff {
	h.Deadline = h.CreatedAt.Add(h.Terms.ExpiresIn)
	return h.reach(StatusCreated, now)
}

// keep saves a handoff that has begun, and makes room for it.
func (s *Service) keep(ctx context.Context, h Handoff) (Handoff, error) {
	h, others, err := s.save(ctx, h)
	if err != nil {
		return Handoff{}, err
	}
	s.notifier.Changed(h)
	s.witness.Saw(h, 0)
	if !others {
		return h, nil
	}
	return s.replaceOldest(ctx, h)
}

// save puts a new handoff into the store, and tells whether its instance may have
// others. CodeConflict if its request is there.
func (s *Service) save(ctx context.Context, h Handoff) (_ Handoff, others bool, err error) {
	for range 5 {
		if others, err = s.store.Create(ctx, h); CodeOf(err) != CodeConflict {
			break
		}
		if h.Request != nil {
			if _, found := s.store.Lookup(ctx, NewKey(KeyRequest, h.Request.Key)); found == nil {
				break
			}
		}
		h.SupportRef = newSupportRef() // the only short one among the keys
	}
	if err != nil {
		return h, false, fmt.Errorf("storing a new handoff: %w", err)
	}
	return h, others, nil
}

// replaceOldest ends the oldest of an instance's live handoffs that are too many
// now that made is stored, and returns made as it is then. It comes after storing,
// and all agree on the order: so of many that are made at once, the last to look
// sees every other, and MaxLive are left. Delivered ones and the newest stay.
func (s *Service) replaceOldest(ctx context.Context, made Handoff) (Handoff, error) {
	var live []Handoff
	for q := (Query{Partner: made.Partner, Instance: made.Instance, Limit: 100}); ; {
		page, err := s.store.List(ctx, q)
		if err != nil {
			return made, err
		}
		for _, h := range page.Items {
			if !h.Status.Ended() {
				live = append(live, h)
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	slices.SortFunc(live, func(a, b Handoff) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	excess := len(live) - MaxLive
	for i := 0; excess > 0 && i < len(live)-1; i++ {
		if live[i].Status == StatusDelivered {
			continue
		}
		old, err := s.update(ctx, live[i].ID, func(h Handoff, now time.Time) (Handoff, error) {
			if h.Status == StatusDelivered || h.Status.Ended() {
				return h, errUnchanged
			}
			return h.End(StatusReplaced, "", now)
		})
		if err != nil && CodeOf(err) != CodeNotFound {
			return made, err
		}
		if old.ID == made.ID {
			made = old
		}
		excess--
	}
	return made, nil
}

// Partners returns a partner's own handoff; another's is CodeNotFound.
func (s *Service) Partners(ctx context.Context, partner PartnerID, id ID) (Handoff, error) {
	h, err := s.store.Get(ctx, id)
	if err != nil {
		return Handoff{}, err
	}
	if h.Partner != partner || !h.made() {
		return Handoff{}, Errorf(CodeNotFound, "no such handoff")
	}
	return h, nil
}

// List returns a page of a partner's handoffs, newest first.
func (s *Service) List(ctx context.Context, q Query) (Page, error) {
	page, err := s.store.List(ctx, q)
	page.Items = slices.DeleteFunc(page.Items, func(h Handoff) bool { return !h.made() })
	return page, err
}

// Cancel ends a handoff for the partner. CodeConflict after an end.
func (s *Service) Cancel(ctx context.Context, h Handoff) (Handoff, error) {
	return s.end(ctx, h.ID, StatusCancelled, "")
}

// Complete ends a handoff because the partner says that the journey is over,
// well or not: the outcome is for the record. CodeConflict after an end.
func (s *Service) Complete(ctx context.Context, h Handoff, well bool) (Handoff, error) {
	cause := CauseOutcomeFailed
	if well {
		cause = ""
	}
	return s.end(ctx, h.ID, StatusCompleted, cause)
}

func (s *Service) end(ctx context.Context, id ID, status Status, cause Cause) (Handoff, error) {
	return s.update(ctx, id, func(h Handoff, now time.Time) (Handoff, error) {
		return h.End(status, cause, now)
	})
}

// AddLink makes a code for a route that a message or a person carries, in place
// of the one it had.
func (s *Service) AddLink(ctx context.Context, h Handoff, r Route) (Handoff, Secret, error) {
	if !h.HasRoute(r) {
		return h, "", Errorf(CodeForbidden, "the route %s is not open here", r)
	}
	if h.Terms.CodeMode == CodeToken {
		return h, "", Errorf(CodeConflict, "the app's codes are raw connect tokens: there are no links")
	}
	var err error
	for range 5 { // typed codes are short enough to meet another handoff's
		h, err = s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) {
			if r == RouteTyped {
				return h.AddCode(s.mintTyped(h, now), now)
			}
			return h.AddCode(s.mint(h, r, now), now)
		})
		if r != RouteTyped || CodeOf(err) != CodeConflict {
			break
		}
	}
	if err != nil {
		return h, "", err
	}
	code, _, err := s.Code(h, r)
	return h, code, err
}
