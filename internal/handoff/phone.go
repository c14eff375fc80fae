package handoff

import (
	"context"
	"time"
)

// Landing is what a phone's landing page needs to know.
type Landing struct {
	Handoff Handoff
	Route   Route
	Opened  string // proof that a good frame was opened, for the form and the way-out link; empty where none is needed
	Mine    Secret // the claim key, if this browser holds the claim already
}

// arrived is a code that was looked up and found good.
type arrived struct {
	handoff   Handoff
	code      RouteCode
	reference Secret
	install   bool      // it went through the store
	opened    bool      // a good frame, now or within OpenedGrace
	refused   bool      // see Handoff.Refused; the error then says that it is gone
	at        time.Time // when all this was found
}

// arrive looks a code up. opened is a proof from an earlier landing, or empty.
//
// Errors: CodeNotFound for a malformed, unknown or foreign code, CodeGone for
// one that was good once, ReasonReplaced among them for a frame that is not
// fresh: a bad MAC and an old one are not told apart.
func (s *Service) arrive(ctx context.Context, partner PartnerID, code Secret, opened string) (arrived, error) {
	p, formed := parsePresented(code)
	h, hash, err := s.find(ctx, partner, p)
	if err != nil {
		return arrived{}, err
	}
	if h.Partner != partner {
		return arrived{}, Errorf(CodeNotFound, "no such code")
	}
	now := s.now()
	a := arrived{handoff: h, reference: p.reference, at: now}
	if a.code, err = h.checkCode(hash, now); err != nil {
		a.refused = formed && !p.framed && h.Refused(hash, now)
		return a, err
	}
	_, a.install = h.installs(hash)
	if a.code.Route == RouteQR && !a.install {
		a.opened = h.Terms.Frame <= 0 || s.fresh(h, p, now) || s.openedRecently(h, p.reference, opened, now)
		if !a.opened {
			return a, Gone(ReasonReplaced)
		}
	} else if p.framed || !formed {
		return a, Errorf(CodeNotFound, "no such code")
	}
	return a, nil
}

// Visitor is a phone's browser at a landing.
type Visitor struct {
	Owner   Secret // its cookie
	Browser Browser
	Network Secret // where it asks from, as Service.Display has it
	Person  bool   // the request is a person's navigation, not a fetch of some program
}

// Land returns what the landing of a code shows. It changes nothing but the hint
// that a person looks at it. The handoff comes together with the error when the
// code was good once.
func (s *Service) Land(ctx context.Context, partner PartnerID, code Secret, opened string, v Visitor) (Landing, error) {
	a, err := s.arrive(ctx, partner, code, opened)
	l := Landing{Handoff: a.handoff, Route: a.code.Route}
	if key, ok := s.claimKey(a.handoff, Tap{Visitor: v}); ok {
		l.Mine = key
		return l, nil
	}
	if err != nil {
		return l, err
	}
	if a.code.Route == RouteQR && !a.install && a.handoff.Terms.Frame > 0 {
		l.Opened = opened
		if !s.openedRecently(a.handoff, a.reference, opened, a.at) { // then it was a fresh frame
			l.Opened = s.signOpened(a.handoff, a.reference, a.at)
		}
	}
	h := a.handoff
	if h.Status.Held() && h.Status != StatusClaimed {
		return l, Errorf(CodeConflict, "another device holds this handoff")
	}
	if v.Person {
		h, err = s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) { return h.Open(v.Browser.InApp, now) })
		if err != nil && CodeOf(err) != CodeRateLimited {
			return l, err
		}
		l.Handoff = h
	}
	return l, nil
}

// Tap is a person's press of Continue on a landing.
type Tap struct {
	Partner PartnerID
	Code    Secret
	Opened  string // from Landing
	Attempt Secret // the form's random value: the same one repeats the same claim
	Visitor Visitor
	Device  DeviceInfo
	Instead bool // "Continue here instead", of a phone whose claim is confirmed
	Again   bool // said once more, of a code that was refused
	Risk    bool // a positive sign of risk that the caller knows of
	Here    bool // pressed on the display itself
}

// Claim takes the handoff for a phone's browser and returns the key of its page.
// The same attempt, or the same cookie, gets the same key again.
//
// Errors: as Land, CodeDeviceNotAllowed, and CodeConflict if another device holds it.
func (s *Service) Claim(ctx context.Context, t Tap) (Handoff, Secret, error) {
	a, err := s.arrive(ctx, t.Partner, t.Code, t.Opened)
	if err != nil {
		if key, ok := s.claimKey(a.handoff, t); ok && !a.handoff.Status.Ended() {
			return a.handoff, key, nil
		}
		if !a.refused || (!t.Again && !t.Instead) { // both were said once more
			return a.handoff, "", err
		}
	}
	return s.claim(ctx, a, t)
}

// claimKey returns the key of a claim that t's phone holds already, or asks for.
func (s *Service) claimKey(h Handoff, t Tap) (Secret, bool) {
	for _, c := range h.claims() {
		switch {
		case c.App():
		case t.Visitor.Owner != "" && c.Owner.Matches(t.Visitor.Owner):
			key, err := s.vault.OpenUnder(t.Visitor.Owner, h.label("claim key by owner"), c.ByOwner)
			return Secret(key), err == nil
		case t.Attempt != "" && c.Attempt.Matches(t.Attempt):
			key, err := s.vault.OpenUnder(t.Attempt, h.label("claim key by attempt"), c.ByAttempt)
			return Secret(key), err == nil
		}
	}
	return "", false
}

func (s *Service) claim(ctx context.Context, a arrived, t Tap) (Handoff, Secret, error) {
	h := a.handoff
	if !Allows(h.Terms.Scope, t.Visitor.Browser.Class) {
		return h, "", Errorf(CodeDeviceNotAllowed, "this step needs another class of device")
	}
	if t.Visitor.Owner == "" {
		return h, "", Errorf(CodeInvalid, "a phone's browser needs its cookie")
	}
	if len(t.Attempt) < 16 || len(t.Attempt) > 64 {
		return h, "", Errorf(CodeInvalid, "the form is not complete: open the link again")
	}
	key, report := newCapability(), newCapability()
	c := Claim{
		Hash: HashOf(key), Owner: HashOf(t.Visitor.Owner), Attempt: HashOf(t.Attempt), By: t.Visitor.Browser,
		ByOwner:   s.vault.SealUnder(t.Visitor.Owner, h.label("claim key by owner"), []byte(key)),
		ByAttempt: s.vault.SealUnder(t.Attempt, h.label("claim key by attempt"), []byte(key)),
		DeviceID:  t.Device.ID, DeviceName: t.Device.Name, DeviceType: t.Device.Type,
		Frame:  a.opened && a.code.Route == RouteQR && h.Terms.Frame > 0,
		Report: HashOf(report), ReportKey: s.vault.Seal(h.label("report"), []byte(report)),
	}
	if t.Here || (!h.Begun.IsZero() && h.Begun.Matches(t.Visitor.Owner)) {
		c.Here = a.code.Route == RouteLocal
	}
	if c.Here {
		c = s.respond(h, c)
	}
	if t.Visitor.Browser.Class != ClassDesktop {
		c = s.installing(h, c, t.Visitor.Network)
	}
	var err error
	if t.Instead {
		h, err = s.contest(ctx, h, c, a.code.Hash, t.Visitor.Network)
	} else {
		h, err = s.take(ctx, h, c, a.code.Hash, t.Visitor.Network, t.Risk)
	}
	if err != nil {
		return h, "", err
	}
	if (h.Claim != nil && h.Claim.Hash == c.Hash) || h.isRival(key) {
		return h, key, nil
	}
	if had, ok := s.claimKey(h, t); ok {
		return h, had, nil
	}
	return h, "", Errorf(CodeConflict, "another device holds this handoff")
}

func (s *Service) take(ctx context.Context, h Handoff, c Claim, code Hash, network Secret, risk bool) (Handoff, error) {
	return s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) {
		number, err := s.newNumberFor(h)
		if err != nil {
			return h, err
		}
		c.Near = s.nearness(h, network)
		return h.Take(c, code, number, risk, now)
	})
}

// ContinueHere takes the handoff for the browser that shows the display.
func (s *Service) ContinueHere(ctx context.Context, key Secret, v Visitor, d DeviceInfo) (Handoff, Secret, error) {
	h, err := s.lookup(ctx, KeyDisplay, key)
	if err != nil {
		return h, "", err
	}
	if err := h.live(s.now()); err != nil {
		return h, "", err
	}
	code := h.CodeOn(RouteLocal, s.now())
	if code == nil {
		return h, "", Errorf(CodeConflict, "this device cannot go on by itself")
	}
	return s.claim(ctx, arrived{handoff: h, code: *code}, Tap{
		Partner: h.Partner, Attempt: newCapability(), Visitor: v, Device: d, Here: true,
	})
}

// Refuse is "This wasn't me" on a landing.
func (s *Service) Refuse(ctx context.Context, t Tap) (Handoff, error) {
	a, err := s.arrive(ctx, t.Partner, t.Code, t.Opened)
	if err != nil {
		return a.handoff, err
	}
	if key, ok := s.claimKey(a.handoff, t); ok {
		return s.RefuseClaim(ctx, key, t.Visitor.Owner)
	}
	scan := a.code.Route == RouteQR && a.opened && a.handoff.Terms.Frame > 0
	return s.update(ctx, a.handoff.ID, func(h Handoff, now time.Time) (Handoff, error) {
		return h.Refuse(a.code.Hash, scan, now)
	})
}

// Phone is what a phone's own page shows.
type Phone struct {
	Handoff Handoff
	Number  string // to be typed on the display; empty: none
	Pickup  Secret // for the app link; empty: none to show
}

// own finds the claim a phone's page belongs to. The page is bound to the cookie:
// another browser with its address gets CodeNotFound. CodeGone after a release,
// CodeDeviceNotAllowed if the platform refused the device.
func (s *Service) own(ctx context.Context, key, owner Secret) (Handoff, error) {
	h, err := s.lookup(ctx, KeyClaim, key)
	if err != nil {
		return h, err
	}
	hash := HashOf(key)
	if c := h.Claim; c != nil && c.Hash == hash {
		if c.App() || !c.Owner.Matches(owner) {
			return Handoff{}, Errorf(CodeNotFound, "no such page")
		}
		return h, nil
	}
	if c := h.beside(hash); c != nil && !c.App() && c.Owner.Matches(owner) {
		return h, nil
	}
	for _, f := range h.Former {
		if f.Hash == hash && f.Owner.Matches(owner) {
			return h, f.gone(h)
		}
	}
	return Handoff{}, Errorf(CodeNotFound, "no such page")
}

// gone is what the holder of a former claim is told.
func (f Former) gone(h Handoff) error {
	switch {
	case f.Cause == CauseWrongDevice:
		return Errorf(CodeDeviceNotAllowed, "this step needs another class of device")
	case h.Status.Ended():
		return Gone(h.GoneReason())
	}
	return Gone(f.Reason)
}

// PhonePage returns what the phone's own page shows, renewing the claim's lease
// and, once the claim is confirmed, making the exchange. After an end the handoff
// comes together with CodeGone. If the platform does not answer it comes with
// CodePlatformUnavailable, and the next request tries again.
func (s *Service) PhonePage(ctx context.Context, key, owner Secret) (Phone, error) {
	h, err := s.own(ctx, key, owner)
	if err != nil {
		return Phone{Handoff: h}, err
	}
	if h, err = s.renewLease(ctx, h, HashOf(key)); err != nil {
		return Phone{Handoff: h}, err
	}
	if c := h.beside(HashOf(key)); c != nil {
		return s.besidePage(h, *c)
	}
	if h.needsPickup(s.now()) {
		if h, err = s.exchange(ctx, h, key, Handoff.needsPickup); err != nil {
			return Phone{Handoff: h}, err
		}
	}
	return s.phone(h, key)
}

// needsPickup reports whether the phone's page has no app link to show, and there
// may be one.
func (h Handoff) needsPickup(now time.Time) bool {
	if h.Claim == nil || (h.Status != StatusConfirmed && h.Status != StatusConnected) {
		return false
	}
	return h.Claim.Pickup == nil || h.pickupFaded(now)
}

// pickupFaded reports whether the app link leads nowhere any more, though nobody
// used it, and there may be a fresh one.
func (h Handoff) pickupFaded(now time.Time) bool {
	p := h.Claim.Pickup
	return p != nil && p.UsedAt.IsZero() && (p.Answer == nil || !now.Before(p.WipeAt)) && h.Claim.Opens < MaxOpens
}

func (s *Service) phone(h Handoff, key Secret) (Phone, error) {
	p := Phone{Handoff: h}
	c := h.Claim
	if c == nil || c.Hash != HashOf(key) {
		return p, Gone(ReasonReleased)
	}
	if h.Status == StatusClaimed && c.Number != nil {
		number, err := s.vault.Open(h.label("number"), c.Number)
		if err != nil {
			return p, err
		}
		p.Number = string(number)
	}
	if c.Pickup != nil && c.Pickup.UsedAt.IsZero() && s.now().Before(c.Pickup.WipeAt) {
		pickup, err := s.vault.OpenUnder(key, h.label("pickup"), c.Pickup.Sealed)
		if err != nil {
			return p, err
		}
		p.Pickup = Secret(pickup)
	}
	return p, nil
}

// PhoneStatus renews the lease of a page that is open and returns its handoff,
// without making the exchange. It goes on where the app took the page's place.
func (s *Service) PhoneStatus(ctx context.Context, key, owner Secret) (Handoff, error) {
	h, err := s.own(ctx, key, owner)
	if CodeOf(err) == CodeGone && h.WentOn(key) && !h.Status.Ended() {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	return s.renewLease(ctx, h, HashOf(key))
}

// Reopen makes a fresh app link for the phone's page: a new start, connect and
// pickup; the one before dies.
func (s *Service) Reopen(ctx context.Context, key, owner Secret) (Handoff, error) {
	h, err := s.own(ctx, key, owner)
	if err != nil {
		return h, err
	}
	if h.Waits(key) {
		return h, notConfirmed()
	}
	more := func(h Handoff, _ time.Time) bool { return h.Claim.Opens < MaxOpens }
	if !more(h, s.now()) {
		e := Errorf(CodeRateLimited, "this link was opened too often: choose \"Use another phone\" on the computer")
		e.RetryAfter = time.Minute
		return h, e
	}
	return s.exchange(ctx, h, key, more)
}

// RefuseClaim is "This wasn't me" on the phone's own page.
func (s *Service) RefuseClaim(ctx context.Context, key, owner Secret) (Handoff, error) {
	h, err := s.own(ctx, key, owner)
	if err != nil {
		return h, err
	}
	return s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) { return h.refuse(HashOf(key), now) })
}

// AtStore notes that the phone went to the store.
func (s *Service) AtStore(ctx context.Context, key, owner Secret) (Handoff, error) {
	return s.atPhone(ctx, key, owner, Handoff.AtStore)
}

// atPhone does what the phone that holds the handoff asks for; one that was released
// meanwhile is told so.
func (s *Service) atPhone(ctx context.Context, key, owner Secret, do func(Handoff, time.Time) (Handoff, error)) (Handoff, error) {
	h, err := s.own(ctx, key, owner)
	if err != nil {
		return h, err
	}
	return s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) {
		if h.Claim == nil || !h.Claim.Hash.Matches(key) {
			return h, Gone(ReasonReleased)
		}
		return do(h, now)
	})
}
