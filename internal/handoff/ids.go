package handoff

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"regexp"
)

// ID names a handoff to its partner: "ho_" and 128 random bits. It is no
// capability: reading a handoff by it takes the partner's key.
type ID string

// PartnerID names a partner: 2–12 of [a-z0-9-].
type PartnerID string

// AppID names one of a partner's apps.
type AppID string

// InstanceID names a journey instance on the platform: 16–64 of [A-Za-z0-9_-].
type InstanceID string

var (
	idForm        = regexp.MustCompile(`^ho_[A-Za-z0-9_-]{22}$`)
	instanceForm  = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)
	challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	verifierForm  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
)

// ParseID returns s as an ID. Malformed input is CodeNotFound, as an unknown one is.
func ParseID(s string) (ID, error) {
	if !idForm.MatchString(s) {
		return "", Errorf(CodeNotFound, "no such handoff")
	}
	return ID(s), nil
}

// ParseInstanceID returns s as an instance id, or CodeInvalid.
func ParseInstanceID(s string) (InstanceID, error) {
	if !instanceForm.MatchString(s) {
		return "", Errorf(CodeInvalid, "an instance id is 16 to 64 of A-Z a-z 0-9 _ -")
	}
	return InstanceID(s), nil
}

// newID returns a new ID.
func newID() ID { return ID("ho_" + newCapability().Reveal()) }

// newCapability returns 128 random bits in 22 URL-safe characters.
func newCapability() Secret {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return Secret(base64.RawURLEncoding.EncodeToString(b[:]))
}

// supportAlphabet has no letter that is read as another, and none that makes words.
const supportAlphabet = "23456789BCDFGHJKMNPQRTVWXYZ"

// newSupportRef returns a reference short enough to read out on the telephone.
// It opens nothing.
func newSupportRef() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = supportAlphabet[int(b[i])%len(supportAlphabet)]
	}
	return string(b)
}

// newNumber returns four random digits.
func newNumber() string { return randomDigits(4) }

func randomDigits(n int) string {
	b := make([]byte, n)
	var r [1]byte
	for i := range b {
		for {
			_, _ = rand.Read(r[:])
			if r[0] < 250 { // 250 is a multiple of ten: no digit is likelier than another
				break
			}
		}
		b[i] = '0' + r[0]%10
	}
	return string(b)
}

// Hash is the SHA-256 of a secret: what is kept of one that need not be shown again.
type Hash [sha256.Size]byte

// HashOf returns the hash of s.
func HashOf(s Secret) Hash { return sha256.Sum256([]byte(s)) }

// Matches compares in constant time.
func (h Hash) Matches(s Secret) bool {
	other := HashOf(s)
	return subtle.ConstantTimeCompare(h[:], other[:]) == 1
}

// IsZero reports whether no secret was ever hashed.
func (h Hash) IsZero() bool { return h == Hash{} }

// String is the hash in hex. It is no secret, yet it is not for logs either.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Key finds a handoff by something other than its ID: a kind, a colon, and a
// hash in hex. It holds no secret.
type Key string

// KeyKind keeps the keys of different jobs apart.
type KeyKind string

// The kinds of key.
const (
	KeyDisplay  KeyKind = "display"
	KeyCode     KeyKind = "code"
	KeyTyped    KeyKind = "typed"
	KeyClaim    KeyKind = "claim" // a browser's claim key, or an app's claim id
	KeyPickup   KeyKind = "pickup"
	KeyReport   KeyKind = "report"
	KeySupport  KeyKind = "support"
	KeyResponse KeyKind = "response"
	KeyRequest  KeyKind = "request" // the partner's Idempotency-Key
)

// NewKey returns the key of this kind for a hash.
func NewKey(kind KeyKind, h Hash) Key { return Key(string(kind) + ":" + h.String()) }
