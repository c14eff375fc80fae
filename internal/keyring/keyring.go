// Package keyring seals, signs and blinds with the server keys.
//
// No server key is used directly: HKDF-SHA256 (RFC 5869) derives a key for each
// job from it, so none serves two algorithms, and for sealing one more for each
// label, which keeps the random nonces of AES-256-GCM far from their limit of
// 2³² messages a key. Everything made names the server key behind it by a short
// id, itself derived: the first key seals, all of them open.
package keyring

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/recent"
)

var _ handoff.Vault = (*Keyring)(nil)

// keySize is the length of a server key, and of every key derived from one.
const keySize = 32

// idSize is the length of a server key's id in bytes; in text it is hex.
const idSize = 4

// Keyring holds the server keys. It is safe for concurrent use.
type Keyring struct {
	keys []serverKey // newest first, never empty

	// What was derived lately. A page that is shown again and again opens the same
	// codes and signs the same handoff's frames. The keys are kept and not the ciphers
	// made of them, each of which is 1.3 KB.
	sealKeys  *recent.Map[labelled, derived]
	frameKeys *recent.Map[framing, derived]
}

// derived is a key that serves one job.
type derived [keySize]byte

// labelled is what the key of a seal is derived from, besides the server key with
// this id; framing is that of a handoff's frames.
type (
	labelled struct {
		key   string
		label handoff.Label
	}
	framing struct {
		key string
		id  handoff.ID
	}
)

// derivedSize is how many derived keys are kept at least, of each kind.
const derivedSize = 4096

// serverKey is what is derived from one server key for each job.
type serverKey struct {
	id     string
	head   [headSize]byte     // of what it seals: the version and the id
	seal   []byte             // AES-256-GCM, by label
	under  []byte             // the same, together with another secret
	sign   []byte             // HMAC-SHA256 of what comes back
	blind  []byte             // HMAC-SHA256 of short secrets
	attest ed25519.PrivateKey // signs what others verify
	frame  []byte             // the server key itself: the salt is the handoff's id
}

// New returns a keyring of server keys, newest first, each 32 bytes in standard
// base64 as Generate makes them. It names every fault it finds, by position.
func New(keys []handoff.Secret) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("no server key is given: at least one is needed")
	}
	k := &Keyring{sealKeys: recent.New[labelled, derived](derivedSize), frameKeys: recent.New[framing, derived](derivedSize)}
	var faults []error
	seen := make(map[string]int)
	for i, text := range keys {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text.Reveal()))
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("server key %d is not standard base64", i+1))
			continue
		case len(b) != keySize:
			faults = append(faults, fmt.Errorf("server key %d has %d bytes: it must have %d", i+1, len(b), keySize))
			continue
		}
		id := derive(b, nil, "handoff/v1 id", idSize)
		key := serverKey{
			id:     hex.EncodeToString(id),
			head:   [headSize]byte(append([]byte{sealVersion}, id...)),
			seal:   derive(b, nil, "handoff/v1 seal", keySize),
			under:  derive(b, nil, "handoff/v1 seal under", keySize),
			sign:   derive(b, nil, "handoff/v1 sign", keySize),
			blind:  derive(b, nil, "handoff/v1 blind", keySize),
			attest: ed25519.NewKeyFromSeed(derive(b, nil, "handoff/v1 attest ed25519", ed25519.SeedSize)),
			frame:  b,
		}
		if first := seen[key.id]; first > 0 {
			faults = append(faults, fmt.Errorf("server key %d is the same as server key %d", i+1, first))
			continue
		}
		seen[key.id] = i + 1
		k.keys = append(k.keys, key)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return k, nil
}

// Generate returns a new server key in the form New takes. It is a secret, in
// plain text for the command that prints it.
func Generate() string {
	b := make([]byte, keySize)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

// NewestKey implements handoff.Vault. The id is 8 hex digits and tells nothing
// of the key.
func (k *Keyring) NewestKey() string { return k.keys[0].id }

// key returns the server key with this id.
func (k *Keyring) key(id string) (serverKey, bool) {
	for _, key := range k.keys {
		if key.id == id {
			return key, true
		}
	}
	return serverKey{}, false
}

// String keeps the keys out of anything that prints a Keyring.
func (*Keyring) String() string { return "[redacted]" }

// GoString keeps the keys out of anything that prints a Keyring.
func (*Keyring) GoString() string { return "[redacted]" }

// LogValue keeps the keys out of logs.
func (*Keyring) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// derive is HKDF-SHA256. It cannot fail at the lengths used here.
func derive(secret, salt []byte, use string, size int) []byte {
	b, err := hkdf.Key(sha256.New, secret, salt, use, size)
	if err != nil {
		panic(err)
	}
	return b
}
