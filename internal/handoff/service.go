package handoff

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"log/slog"
	"slices"
	"time"
)

// Service drives handoffs by the rules: it is what the outside talks to. It is
// safe for concurrent use, and any number of processes may run one on one store.
type Service struct {
	store     Store
	vault     Vault
	platforms Platforms
	notifier  Notifier
	witness   Witness
	asked     Receipts
	post      *post
	now       func() time.Time
	log       *slog.Logger
}

// Config is what a Service needs; every field is required but Deliverer,
// Witness, Receipts and Now.
type Config struct {
	Store     Store
	Vault     Vault
	Platforms Platforms
	Notifier  Notifier
	Deliverer Deliverer // default: one that no partner has endpoints at
	Witness   Witness   // default: nobody looks
	Receipts  Receipts  // default: nobody tells of messages
	Log       *slog.Logger
	Now       func() time.Time // default: time.Now
}

// NewService returns a Service. Its worker runs in Run.
func NewService(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Deliverer == nil {
		c.Deliverer = nobody{}
	}
	if c.Witness == nil {
		c.Witness = nobodyLooks{}
	}
	if c.Receipts == nil {
		c.Receipts = noReceipts{}
	}
	return &Service{
		store: c.Store, vault: c.Vault, platforms: c.Platforms, notifier: c.Notifier, witness: c.Witness, asked: c.Receipts, post: newPost(c.Deliverer), now: c.Now, log: c.Log,
	}
}

// update applies a rule and tells the followers if people can see a difference.
// A rule that had nothing to do is a success.
func (s *Service) update(ctx context.Context, id ID, rule func(Handoff, time.Time) (Handoff, error)) (Handoff, error) {
	seq := 0
	h, err := s.store.Update(ctx, id, func(h Handoff) (Handoff, error) {
		seq = h.Seq
		return rule(h, s.now())
	})
	if errors.Is(err, errUnchanged) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	if h.Seq != seq {
		s.notifier.Changed(h)
		s.witness.Saw(h, seq)
	}
	return h, nil
}

// lookup finds a handoff by a capability. One that is not of a capability's form
// takes the same steps as one that is unknown.
func (s *Service) lookup(ctx context.Context, kind KeyKind, capability Secret) (Handoff, error) {
	return s.store.Lookup(ctx, NewKey(kind, HashOf(capability)))
}

// codeAlphabet is Crockford's base32: what QR's alphanumeric mode packs into
// 5.5 bits a character, without letters that are read as others.
const codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newCode returns 130 random bits in 26 characters of codeAlphabet.
func newCode() Secret {
	var b [17]byte
	_, _ = rand.Read(b[:]) // never fails
	return Secret(base32.NewEncoding(codeAlphabet).WithPadding(base32.NoPadding).EncodeToString(b[:])[:26])
}

// mint makes a code for a route of h.
func (s *Service) mint(h Handoff, r Route, now time.Time) RouteCode {
	code := newCode()
	return RouteCode{
		Route: r, Hash: HashOf(code), MadeAt: now,
		Sealed: s.vault.Seal(h.label("code"), []byte(code)),
	}
}

// shown are the codes of a display: the QR's and this device's.
func (s *Service) shown(h Handoff, now time.Time) []RouteCode {
	if h.Terms.CodeMode == CodeToken {
		return nil // the connect token is the code
	}
	codes := []RouteCode{s.mint(h, RouteQR, now)}
	if h.HasRoute(RouteLocal) {
		codes = append(codes, s.mint(h, RouteLocal, now))
	}
	return codes
}

// label names what is sealed for h.
func (h Handoff) label(purpose string) Label {
	return Label{Purpose: purpose, Partner: h.Partner, Handoff: h.ID}
}

// HasRoute reports whether people may use this route.
func (h Handoff) HasRoute(r Route) bool {
	if r == RouteQR || r == RoutePartner {
		return true
	}
	return slices.Contains(h.Terms.Routes, r)
}

// Code returns the live code of a route; ok is false if there is none.
func (s *Service) Code(h Handoff, r Route) (code Secret, ok bool, err error) {
	c := h.CodeOn(r, s.now())
	if c == nil || c.Sealed == nil {
		return "", false, nil
	}
	plain, err := s.vault.Open(h.label("code"), c.Sealed)
	if err != nil {
		return "", false, err
	}
	return Secret(plain), true, nil
}

// DisplayKey returns the key in the display's URL.
func (s *Service) DisplayKey(h Handoff) (Secret, error) {
	plain, err := s.vault.Open(h.label("display"), h.DisplayKey)
	return Secret(plain), err
}

// Refresh reads a handoff anew.
func (s *Service) Refresh(ctx context.Context, id ID) (Handoff, error) { return s.store.Get(ctx, id) }

// Now is the service's clock.
func (s *Service) Now() time.Time { return s.now() }
