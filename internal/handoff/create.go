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
			return Handoff{}, err
		}
	}
	now := s.now()
	key := newCapability()
	h := Handoff{
		ID: newID(), Partner: n.Partner, App: n.App, Instance: n.Instance, Terms: n.Terms,
		SupportRef: newSupportRef(), CreatedAt: now, Deadline: now.Add(n.Terms.ExpiresIn),
		DisplayHash: HashOf(key),
		Outbox:      channels(s.post.deliverer.Endpoints(n.Partner)),
	}
	h.DisplayKey = s.vault.Seal(h.label("display"), []byte(key))
	h = h.reach(StatusCreated, now)
	var err error
	for range 5 {
		err = s.store.Create(ctx, h)
		if err == nil {
			s.notifier.Changed(h)
			s.witness.Saw(h, 0)
			return s.replaceOldest(ctx, h)
		}
		if CodeOf(err) != CodeConflict {
			break
		}
		h.SupportRef = newSupportRef() // the only short one among the keys
	}
	return Handoff{}, fmt.Errorf("storing a new handoff: %w", err)
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
	if h.Partner != partner {
		return Handoff{}, Errorf(CodeNotFound, "no such handoff")
	}
	return h, nil
}

// List returns a page of a partner's handoffs, newest first.
func (s *Service) List(ctx context.Context, q Query) (Page, error) { return s.store.List(ctx, q) }

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
			return h.AddCode(s.mint(h, r, now, time.Time{}), now)
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
