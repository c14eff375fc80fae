package handoff

import (
	"context"
	"time"
)

// The local route is for the device that shows the display, and is never asked
// for a number. So it counts as local only where that is known: the display's own
// button, pressed in this browser; the browser that first showed the display
// top level, by its cookie; or an app where the display is a phone's, in the same network as far as is known. A
// local code that turns up anywhere else is a link that was passed on, and is
// asked about as one.

// asksAs is the route by whose policy a claim with a code of route r is asked.
func (c Claim) asksAs(r Route) Route {
	if r == RouteLocal && !c.Here {
		return RouteLink
	}
	return r
}

// begun notes the browser that shows the display top level, once.
func (h Handoff) begun(owner Hash, now time.Time) (Handoff, error) {
	if err := h.live(now); err != nil {
		return h, err
	}
	if !h.Begun.IsZero() {
		return h, errUnchanged
	}
	h.Begun = owner
	return h, nil
}

// BeginHere notes the cookie of the phone's browser that shows the display top
// level. The first one counts. A store that takes nothing just now keeps nothing from
// the page: the next request for it says the same.
func (s *Service) BeginHere(ctx context.Context, h Handoff, owner Secret) error {
	if !h.Begun.IsZero() || h.Status.Ended() {
		return nil
	}
	_, err := s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) { return h.begun(HashOf(owner), now) })
	if code := CodeOf(err); code == CodeGone || code == CodeStoreUnavailable {
		return nil
	}
	return err
}

// hereForApp reports whether an app that claims may be on the display's own
// device: a phone, and not known to be in another network. Against a local link
// that is sent on to somebody elsewhere.
func (s *Service) hereForApp(h Handoff, network Secret) bool {
	return (h.Asker.Class == ClassMobile || h.Asker.Class == ClassTablet) && s.nearness(h, network) != NearOther
}

// respond gives a claim of this device its response code: the app brings it back
// to the browser that began.
func (s *Service) respond(h Handoff, c Claim) Claim {
	code := newCapability()
	c.Response, c.ResponseKey = HashOf(code), s.vault.Seal(h.label("response"), []byte(code))
	return c
}

// Returned answers an app that came back with its response code. Only the
// browser that began finishes with it, and is told its page; the journey's state
// is asked for at once. Any other browser gets CodeForbidden, and changes nothing.
func (s *Service) Returned(ctx context.Context, response, owner Secret) (Handoff, Secret, error) {
	h, err := s.lookup(ctx, KeyResponse, response)
	if err != nil {
		return h, "", err
	}
	key, ok := s.claimKey(h, Tap{Visitor: Visitor{Owner: owner}})
	if h.Claim == nil || !h.Claim.Response.Matches(response) || !h.Claim.Owner.Matches(owner) || !ok {
		return h, "", Errorf(CodeForbidden, "this is not the browser that began")
	}
	h, err = s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) {
		if h.Status.Ended() || h.Poll.Next.IsZero() {
			return h, errUnchanged
		}
		h.Poll.Next = now
		return h, nil
	})
	return h, key, err
}
