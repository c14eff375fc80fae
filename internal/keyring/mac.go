package keyring

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/handoff-portal/handoff/internal/handoff"
)

const (
	frameUse     = "handoff-qr/v1"
	frameVersion = 1
	frameSize    = 10 // characters of 5 bits
	signSize     = 16 // bytes
)

// crockford is the alphabet of Crockford's base 32, upper case, which a QR code
// holds in its denser alphanumeric mode.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// FrameMAC implements handoff.Vault. The key is HKDF-SHA256 of the server key,
// salted with the handoff's id, for "handoff-qr/v1". The MAC is the first 50
// bits of HMAC-SHA256 over a version byte, the reference and the frame number
// (eight bytes, big-endian), each of these two after its length in four bytes.
func (k *Keyring) FrameMAC(keyID string, id handoff.ID, reference handoff.Secret, frame int64) (mac string, ok bool) {
	key, ok := k.key(keyID)
	if !ok {
		return "", false
	}
	m := appendField(append(make([]byte, 0, 1+2*fieldHead+len(reference)+8), frameVersion), reference.Reveal())
	m = binary.BigEndian.AppendUint32(m, 8)
	m = binary.BigEndian.AppendUint64(m, uint64(frame)) //nolint:gosec // negative ones wrap round, and stay distinct
	of := framing{keyID, id}
	frameKey, ok := k.frameKeys.Get(of)
	if !ok {
		frameKey = derived(derive(key.frame, []byte(id), frameUse, keySize))
		k.frameKeys.Put(of, frameKey)
	}
	return encodeFrame(sum(frameKey[:], m)), true
}

// encodeFrame is the first 50 bits of a MAC in Crockford's base 32.
func encodeFrame(sum []byte) string {
	bits := binary.BigEndian.Uint64(sum)
	var text [frameSize]byte
	for i := range text {
		text[i] = crockford[bits>>(64-5*(i+1))&31]
	}
	return string(text[:])
}

// Sign implements handoff.Vault. The MAC is HMAC-SHA256 over label and value,
// cut to 128 bits. value is passed through as it is: it is for the caller to
// choose one that is safe in a URL.
func (k *Keyring) Sign(l handoff.Label, value string) string {
	key := k.keys[0]
	return value + "." + key.id + "." + signature(key, l, value)
}

// Verify implements handoff.Vault. It compares in constant time.
func (k *Keyring) Verify(l handoff.Label, signed string) (value string, ok bool) {
	rest, mac, ok := cutLast(signed)
	if !ok {
		return "", false
	}
	value, id, ok := cutLast(rest)
	if !ok {
		return "", false
	}
	key, ok := k.key(id)
	if !ok || subtle.ConstantTimeCompare([]byte(mac), []byte(signature(key, l, value))) != 1 {
		return "", false
	}
	return value, true
}

func signature(key serverKey, l handoff.Label, value string) string {
	return base64.RawURLEncoding.EncodeToString(sum(key.sign, appendField(appendLabel(nil, l), value))[:signSize])
}

// cutLast cuts s at its last dot.
func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// Blind implements handoff.Vault.
func (k *Keyring) Blind(l handoff.Label, short handoff.Secret) []handoff.Hash {
	hashes := make([]handoff.Hash, 0, len(k.keys))
	for _, key := range k.keys {
		hashes = append(hashes, handoff.Hash(sum(key.blind, appendField(appendLabel(nil, l), short.Reveal()))))
	}
	return hashes
}

func sum(key, message []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(message)
	return m.Sum(nil)
}
