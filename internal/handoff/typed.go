package handoff

import (
	"context"
	"time"
)

// A typed code is ten digits: short enough for a person, so it is kept as a MAC
// that only a server key can compute, lives TypedLife, and whoever looks one up
// on behalf of the outside spends a guessing budget for each miss.

// typedDigits is how many digits a typed code has.
const typedDigits = 10

// IsTyped reports whether code has the form of a typed one.
func IsTyped(code Secret) bool {
	if len(code) != typedDigits {
		return false
	}
	for _, r := range code {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// typedLabel blinds the typed codes of one partner: the same digits may be a
// code of another.
func typedLabel(p PartnerID) Label { return Label{Purpose: "typed", Partner: p} }

// find looks a presented code up, and returns what its RouteCode keeps of it.
func (s *Service) find(ctx context.Context, partner PartnerID, p presented) (Handoff, Hash, error) {
	if !IsTyped(p.reference) || p.framed {
		hash := HashOf(p.reference)
		h, err := s.store.Lookup(ctx, NewKey(KeyCode, hash))
		return h, hash, err
	}
	var h Handoff
	var hash Hash
	err := error(Errorf(CodeNotFound, "no such code"))
	for _, blind := range s.vault.Blind(typedLabel(partner), p.reference) { // every key is tried, so that a miss takes as long as a hit
		got, miss := s.store.Lookup(ctx, NewKey(KeyTyped, blind))
		switch {
		case miss == nil:
			h, hash, err = got, blind, nil
		case CodeOf(miss) != CodeNotFound:
			return Handoff{}, Hash{}, miss
		}
	}
	return h, hash, err
}

// mintTyped makes a typed code for h.
func (s *Service) mintTyped(h Handoff, now time.Time) RouteCode {
	digits := Secret(randomDigits(typedDigits))
	return RouteCode{
		Route: RouteTyped, Hash: s.vault.Blind(typedLabel(h.Partner), digits)[0], MadeAt: now, ExpiresAt: now.Add(TypedLife),
		Sealed: s.vault.Seal(h.label("code"), []byte(digits)),
	}
}
