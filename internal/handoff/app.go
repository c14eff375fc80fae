package handoff

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"
	"unicode/utf8"
)

// appInterval is how long an app waits between two questions for its token.
const appInterval = 2 * time.Second

// AppTap is an app's claim.
type AppTap struct {
	Partner   PartnerID
	Code      Secret
	Opened    string // from a landing's way-out link, or empty
	Challenge string // PKCE S256 (RFC 7636 section 4.2)
	Device    DeviceInfo
	Browser   Browser // what the app's device is, as far as it says
	Network   Secret  // where it asks from, as Service.Display has it
	Risk      bool    // a positive sign of risk that the caller knows of
}

// AppClaim is the answer to an app's claim.
type AppClaim struct {
	Handoff  Handoff
	ClaimID  Secret
	Number   string // to be shown and typed on the display; empty: none
	Expires  time.Duration
	Interval time.Duration
}

// ClaimForApp takes the handoff for an app. The same challenge from the same
// device gets the same claim again. Errors as Claim.
func (s *Service) ClaimForApp(ctx context.Context, t AppTap) (AppClaim, error) {
	if !challengeForm.MatchString(t.Challenge) {
		return AppClaim{}, fault("/codeChallenge", "a PKCE S256 challenge is 43 characters of base64url")
	}
	if n := utf8.RuneCountInString(t.Device.ID); n < 16 || n > 64 {
		return AppClaim{}, fault("/deviceInfo/deviceId", "16 to 64 characters, stable for one device")
	}
	a, err := s.arrive(ctx, t.Partner, t.Code, t.Opened)
	if err != nil {
		if c := a.handoff.heldBy(t); c != nil && a.handoff.Status.Held() {
			return s.appClaim(a.handoff, *c)
		}
		if !a.refused { // an app shows what it is about, and asks, before it goes on
			return AppClaim{}, err
		}
	}
	h := a.handoff
	if !Allows(h.Terms.Scope, Class(t.Device.Type)) {
		return AppClaim{}, Errorf(CodeDeviceNotAllowed, "this step needs another class of device")
	}
	claimID, report := newCapability(), newCapability()
	claims := func(c Claim) (Handoff, error) { return s.take(ctx, h, c, a.code.Hash, t.Network, t.Risk) }
	if a.install {
		claims = func(c Claim) (Handoff, error) { return s.install(ctx, h, c, a.code.Hash, t.Network) }
	}
	h, err = claims(Claim{
		Hash: HashOf(claimID), Owner: HashOf(Secret(t.Device.ID)), By: t.Browser, Challenge: t.Challenge,
		ByOwner:  s.vault.Seal(h.label("claim id"), []byte(claimID)),
		DeviceID: t.Device.ID, DeviceName: t.Device.Name, DeviceType: t.Device.Type,
		Here:   a.code.Route == RouteLocal && s.hereForApp(h, t.Network),
		Frame:  a.opened && a.code.Route == RouteQR && h.Terms.Frame > 0,
		Report: HashOf(report), ReportKey: s.vault.Seal(h.label("report"), []byte(report)),
	})
	if err != nil {
		return AppClaim{}, err
	}
	c := h.heldBy(t)
	if c == nil {
		return AppClaim{}, Errorf(CodeConflict, "another device holds this handoff")
	}
	return s.appClaim(h, *c)
}

// heldBy is the claim that the app of t has, or nil.
func (h Handoff) heldBy(t AppTap) *Claim {
	for _, c := range h.claims() {
		if c.Challenge == t.Challenge && c.Owner.Matches(Secret(t.Device.ID)) {
			return c
		}
	}
	return nil
}

// PartnerOf returns whose handoff a bare code belongs to.
func (s *Service) PartnerOf(ctx context.Context, code Secret) (PartnerID, error) {
	p, _ := parsePresented(code)
	h, err := s.lookup(ctx, KeyCode, p.reference)
	return h.Partner, err
}

func fault(pointer, detail string) *Error {
	e := Errorf(CodeInvalid, "the request has a fault")
	e.Fields = []FieldFault{{Pointer: pointer, Detail: detail}}
	return e
}

func (s *Service) appClaim(h Handoff, c Claim) (AppClaim, error) {
	id, err := s.vault.Open(h.label("claim id"), c.ByOwner)
	if err != nil {
		return AppClaim{}, err
	}
	a := AppClaim{Handoff: h, ClaimID: Secret(id), Interval: appInterval, Expires: h.Deadline.Sub(s.now())}
	if !c.Until.IsZero() {
		a.Expires = c.Until.Sub(s.now())
	}
	if (h.Status == StatusClaimed || h.isRival(a.ClaimID)) && c.Number != nil {
		a.Handoff.Status = StatusClaimed // of this claim, whatever the one it asks to take the place of is
		number, err := s.vault.Open(h.label("number"), c.Number)
		if err != nil {
			return AppClaim{}, err
		}
		a.Number = string(number)
	}
	return a, nil
}

// verified reports whether verifier is the one of challenge.
func verified(challenge string, verifier Secret) bool {
	if !verifierForm.MatchString(verifier.Reveal()) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	got := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(got), []byte(challenge)) == 1
}

// ownApp finds the claim of an app by its id and verifier. A wrong verifier is
// CodeNotFound, as an unknown claim is, and burns nothing.
func (s *Service) ownApp(ctx context.Context, claimID, verifier Secret) (Handoff, error) {
	h, err := s.lookup(ctx, KeyClaim, claimID)
	if err != nil {
		return h, err
	}
	hash := HashOf(claimID)
	if c := h.Claim; c != nil && c.Hash == hash {
		if !c.App() || !verified(c.Challenge, verifier) {
			return Handoff{}, Errorf(CodeNotFound, "no such claim")
		}
		return h, nil
	}
	if c := h.beside(hash); c != nil && c.App() && verified(c.Challenge, verifier) {
		return h, nil
	}
	for _, f := range h.Former {
		if f.Hash == hash && f.Challenge != "" && verified(f.Challenge, verifier) {
			return h, f.gone(h)
		}
	}
	return Handoff{}, Errorf(CodeNotFound, "no such claim")
}

// TokenForApp gives an app the token for its claim: CodeNotConfirmed until the
// number is typed. Each call renews the claim. The same call again within
// RepeatWindow gets the same answer.
func (s *Service) TokenForApp(ctx context.Context, claimID, verifier Secret) (TokenAnswer, error) {
	h, err := s.ownApp(ctx, claimID, verifier)
	if err != nil {
		return TokenAnswer{}, err
	}
	if h, err = s.renewLease(ctx, h, HashOf(claimID)); err != nil {
		return TokenAnswer{}, err
	}
	if h.Waits(claimID) {
		return TokenAnswer{}, notConfirmed()
	}
	switch h.Status {
	case StatusClaimed:
		return TokenAnswer{}, notConfirmed()
	case StatusConfirmed:
		if h, err = s.give(ctx, h, verifier); err != nil {
			return TokenAnswer{}, err
		}
	case StatusCreated, StatusDisplayed, StatusOpened, StatusConnected, StatusDelivered,
		StatusCompleted, StatusExpired, StatusCancelled, StatusRejected, StatusReplaced, StatusFailed:
	}
	if h.Claim == nil || !h.Claim.Hash.Matches(claimID) {
		return TokenAnswer{}, Gone(ReasonReleased)
	}
	g := h.Claim.Given
	if g == nil {
		e := Errorf(CodePlatformUnavailable, "the verification service is not answering")
		e.RetryAfter = appInterval
		return TokenAnswer{}, e
	}
	if g.Answer == nil || !s.now().Before(g.WipeAt) {
		return TokenAnswer{}, Gone(ReasonUsed)
	}
	return s.openAnswer(h, verifier, g.Answer)
}

// give makes the token answer for a confirmed app claim.
func (s *Service) give(ctx context.Context, h Handoff, verifier Secret) (Handoff, error) {
	p, err := s.platforms.Platform(h.Partner)
	if err != nil {
		return h, err
	}
	claim := h.Claim.Hash
	var token Secret
	var ends time.Time
	stillMine := func(h Handoff, now time.Time) (Handoff, error) {
		if h.Claim == nil || h.Claim.Hash != claim {
			return h, Gone(ReasonReleased)
		}
		if h.Status != StatusConfirmed {
			h.Work = nil
			return h, errUnchanged
		}
		h, usable := h.SpendConnect(now)
		token = ""
		if usable != nil {
			plain, err := s.vault.Open(h.label("connect"), usable.Sealed)
			if err != nil {
				return h, err
			}
			token, ends = Secret(plain), usable.ExpiresAt
		}
		return h, nil
	}
	return s.step(ctx, h, stillMine, func(ctx context.Context, h Handoff) (rule, error) {
		a, err := s.tokenAnswer(ctx, p, h, token, ends)
		if err != nil {
			return failedExchange(err), shown(err)
		}
		sealed, err := s.sealAnswer(h, verifier, a)
		if err != nil {
			return nil, err
		}
		return func(h Handoff, now time.Time) (Handoff, error) {
			return h.Give(Given{Answer: sealed, WipeAt: now.Add(RepeatWindow)}, a.ends(h, now), now)
		}, nil
	})
}

// RefuseForApp is "This wasn't me" in an app.
func (s *Service) RefuseForApp(ctx context.Context, claimID, verifier Secret) error {
	h, err := s.ownApp(ctx, claimID, verifier)
	if err != nil {
		return err
	}
	_, err = s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) { return h.refuse(HashOf(claimID), now) })
	return err
}

// PickUp exchanges a pickup for the end-user token, once. The same verifier gets
// the same answer for RepeatWindow; another one gets CodeGone.
func (s *Service) PickUp(ctx context.Context, pickup, verifier Secret) (TokenAnswer, error) {
	if !verifierForm.MatchString(verifier.Reveal()) {
		return TokenAnswer{}, fault("/verifier", "43 to 128 random characters of A-Z a-z 0-9 - . _ ~")
	}
	h, err := s.lookup(ctx, KeyPickup, pickup)
	if err != nil {
		return TokenAnswer{}, err
	}
	if h.Status.Ended() {
		return TokenAnswer{}, Gone(h.GoneReason())
	}
	h, err = s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) {
		return h.PickUp(HashOf(pickup), HashOf(verifier), now)
	})
	if err != nil {
		return TokenAnswer{}, err
	}
	return s.openAnswer(h, pickup, h.Claim.Pickup.Answer)
}

// Report notes what an app says of itself. After an end it says nothing new.
func (s *Service) Report(ctx context.Context, key Secret, r Report) error {
	switch r {
	case ReportStarted, ReportLeft, ReportFailed, ReportFinished:
	default:
		return fault("/event", "started, left, failed or finished")
	}
	h, err := s.lookup(ctx, KeyReport, key)
	if err != nil {
		return err
	}
	_, err = s.update(ctx, h.ID, func(h Handoff, now time.Time) (Handoff, error) {
		if h.live(now) != nil { // after an end an app says nothing new
			return h, errUnchanged
		}
		if h.Claim == nil || !h.Claim.Report.Matches(key) {
			return h, Gone(ReasonReleased)
		}
		return h.Reported(r, now)
	})
	return err
}
