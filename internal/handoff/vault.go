package handoff

// Vault seals what must be shown again, and proves what must come back
// unchanged. Everything it makes names the server key it was made with: the
// newest seals, all open, so that adding a key loses nothing.
//
// A label binds a purpose, a partner and a record: what was made under one label
// opens under no other.
type Vault interface {
	// Seal encrypts under the newest server key.
	Seal(l Label, plain []byte) Sealed
	// Open undoes Seal.
	Open(l Label, s Sealed) ([]byte, error)
	// SealUnder encrypts under a key derived from the newest server key and
	// secret together: neither opens it without the other.
	SealUnder(secret Secret, l Label, plain []byte) Sealed
	// OpenUnder undoes SealUnder.
	OpenUnder(secret Secret, l Label, s Sealed) ([]byte, error)

	// NewestKey is the id of the server key that seals.
	NewestKey() string
	// FrameMAC returns the MAC of a QR frame, under a key derived from the
	// server key with this id and the handoff: ten characters, 50 bits. ok is
	// false if there is no such server key any more.
	FrameMAC(keyID string, id ID, reference Secret, frame int64) (mac string, ok bool)
	// Sign returns value with a proof that we made it: "value.keyid.mac", of URL-safe characters and dots.
	Sign(l Label, value string) string
	// Verify returns the value of what Sign made, or false.
	Verify(l Label, signed string) (value string, ok bool)
	// Blind returns a short secret (typed digits) as hashes that only a server
	// key can compute, newest key first.
	Blind(l Label, short Secret) []Hash
}

// Label says what something is sealed or signed for.
type Label struct {
	Purpose string
	Partner PartnerID
	Handoff ID // empty where there is none yet
}
