package keyring

import (
	"crypto/ed25519"
	"encoding/base64"
)

// PublicKey verifies what SignJWS makes.
type PublicKey struct {
	ID  string // of the server key that it is derived from
	Key ed25519.PublicKey
}

// SignJWS returns payload as a compact JWS (RFC 7515), signed by EdDSA with Ed25519
// (RFC 8037) under the newest server key. typ says what it is, so that it is taken
// for nothing else; it must need no escaping in JSON. The same payload gives the
// same JWS.
func (k *Keyring) SignJWS(typ string, payload []byte) string {
	key := k.keys[0]
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString([]byte(`{"alg":"EdDSA","kid":"`+key.id+`","typ":"`+typ+`"}`)) + "." + b64.EncodeToString(payload)
	return input + "." + b64.EncodeToString(ed25519.Sign(key.attest, []byte(input)))
}

// PublicKeys are those of every server key, newest first.
func (k *Keyring) PublicKeys() []PublicKey {
	keys := make([]PublicKey, len(k.keys))
	for i, key := range k.keys {
		public, _ := key.attest.Public().(ed25519.PublicKey)
		keys[i] = PublicKey{ID: key.id, Key: public}
	}
	return keys
}
