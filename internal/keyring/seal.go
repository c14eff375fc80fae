package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// A Sealed is a version byte, the server key's id, a nonce of 12 bytes, the
// ciphertext and a tag of 16 bytes. The additional data is everything before
// the nonce, and the label.
const (
	sealVersion = 1
	headSize    = 1 + idSize
)

// errOpen is all that is said of what does not open: the key is gone, the label
// or the secret is another, or somebody changed it.
var errOpen = errors.New("what was sealed does not open under this label with any server key")

// Seal implements handoff.Vault.
func (k *Keyring) Seal(l handoff.Label, plain []byte) handoff.Sealed {
	key := k.keys[0]
	return seal(key, k.sealerOf(key, l), l, plain)
}

// Open implements handoff.Vault.
func (k *Keyring) Open(l handoff.Label, s handoff.Sealed) ([]byte, error) {
	key, ok := k.sealer(s)
	if !ok {
		return nil, errOpen
	}
	return open(k.sealerOf(key, l), l, s)
}

// SealUnder implements handoff.Vault. What is sealed under an empty secret
// never opens.
func (k *Keyring) SealUnder(secret handoff.Secret, l handoff.Label, plain []byte) handoff.Sealed {
	key := k.keys[0]
	return seal(key, newGCM(underKey(key, secret, l)), l, plain)
}

// OpenUnder implements handoff.Vault.
func (k *Keyring) OpenUnder(secret handoff.Secret, l handoff.Label, s handoff.Sealed) ([]byte, error) {
	key, ok := k.sealer(s)
	if !ok || secret == "" {
		return nil, errOpen
	}
	return open(newGCM(underKey(key, secret, l)), l, s)
}

// sealer is the server key that s names.
func (k *Keyring) sealer(s handoff.Sealed) (serverKey, bool) {
	if len(s) < headSize {
		return serverKey{}, false
	}
	for _, key := range k.keys {
		if key.head == [headSize]byte(s[:headSize]) {
			return key, true
		}
	}
	return serverKey{}, false
}

// sealerOf is what seals and opens under a server key and a label.
func (k *Keyring) sealerOf(key serverKey, l handoff.Label) cipher.AEAD {
	of := labelled{key.id, l}
	sealKey, ok := k.sealKeys.Get(of)
	if !ok {
		sealKey = derived(derive(key.seal, nil, string(appendLabel(nil, l)), keySize))
		k.sealKeys.Put(of, sealKey)
	}
	return newGCM(sealKey[:])
}

// underKey is a key that takes both: HKDF extracts with HMAC, keyed by what
// comes from the server key, over the secret.
func underKey(key serverKey, secret handoff.Secret, l handoff.Label) []byte {
	return derive([]byte(secret.Reveal()), key.under, string(appendLabel(nil, l)), keySize)
}

func seal(key serverKey, gcm cipher.AEAD, l handoff.Label, plain []byte) handoff.Sealed {
	sealed := make([]byte, headSize, headSize+len(plain)+gcm.Overhead())
	copy(sealed, key.head[:])
	return gcm.Seal(sealed, nil, plain, appendLabel(key.head[:], l)) //nolint:gosec // the nonce is made inside
}

func open(gcm cipher.AEAD, l handoff.Label, s handoff.Sealed) ([]byte, error) {
	plain, err := gcm.Open(nil, nil, s[headSize:], appendLabel(s[:headSize], l))
	if err != nil {
		return nil, errOpen
	}
	return plain, nil
}

// newGCM returns AES-256-GCM that makes a random nonce for each message and
// puts it before the ciphertext.
func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // cannot be: the key has 32 bytes
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // cannot be: AES has blocks of 16 bytes
	}
	return gcm
}

// appendLabel is a copy of b with l after it, so that no two labels look alike.
func appendLabel(b []byte, l handoff.Label) []byte {
	b = append(make([]byte, 0, len(b)+3*fieldHead+len(l.Purpose)+len(l.Partner)+len(l.Handoff)), b...)
	b = appendField(b, l.Purpose)
	b = appendField(b, string(l.Partner))
	return appendField(b, string(l.Handoff))
}

// fieldHead is the size of a field's length.
const fieldHead = 4

// appendField appends s after its length in four bytes.
func appendField(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // nothing here comes near 4 GB
	return append(b, s...)
}
