package keyring_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// TestSignJWSKnownAnswers: records are kept for years, so none of these may change.
// The key was computed by another implementation from the description: Ed25519 of
// the seed HKDF-SHA256(server key, no salt, "handoff/v1 attest ed25519").
func TestSignJWSKnownAnswers(t *testing.T) {
	public := ring(t, keyA, keyB).PublicKeys()
	if len(public) != 2 || public[0].ID != "266e4cec" || public[1].ID != "078e2b98" {
		t.Fatalf("PublicKeys() = %v, want those of 266e4cec and 078e2b98", public)
	}
	if got, want := hex.EncodeToString(public[0].Key), "e0fead69ac215739982dd190fc9c2fbcca28be9ae53a7681389ed44ee9eee2cd"; got != want {
		t.Errorf("public key = %s, want %s", got, want)
	}
	if bytes.Equal(public[0].Key, public[1].Key) {
		t.Error("two server keys have one public key")
	}
}

func TestSignJWS(t *testing.T) {
	k := ring(t, keyA, keyB)
	payload := []byte(`{"a":"é <&>"}`)
	jws := k.SignJWS("test+jwt", payload)
	if again := k.SignJWS("test+jwt", payload); again != jws {
		t.Errorf("SignJWS() twice = %s and %s", jws, again)
	}
	signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	if h := signed.Signatures[0].Protected; h.KeyID != k.NewestKey() || h.ExtraHeaders[jose.HeaderType] != "test+jwt" {
		t.Errorf("header = %+v, want the newest key's id and the type", h)
	}
	for i, key := range k.PublicKeys() {
		got, err := signed.Verify(key.Key)
		if (err == nil) != (i == 0) || (i == 0 && !bytes.Equal(got, payload)) {
			t.Errorf("Verify() with key %d = %q, %v, want the payload with the newest alone", i, got, err)
		}
	}
	if _, err := base64.RawURLEncoding.DecodeString(jws[len(jws)-86:]); err != nil {
		t.Errorf("the signature of %s: %v", jws, err)
	}
}
