// Package attest writes the signed record of how a handoff happened, and the keys
// that verify it, as a partner reads them.
package attest

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
)

// Type is the typ of a record's header (RFC 8725 §3.11).
const Type = "handoff-record+jwt"

// Attestor signs records. It is safe for concurrent use.
type Attestor struct {
	issuer string
	keys   *keyring.Keyring
}

// New returns an Attestor for the portal at issuer, its public_url.
func New(issuer string, keys *keyring.Keyring) *Attestor {
	return &Attestor{issuer: issuer, keys: keys}
}

// payload is what a record says. Members may be added; none changes its meaning.
type payload struct {
	Issuer    string             `json:"iss"`
	IssuedAt  int64              `json:"iat"`
	Handoff   handoff.ID         `json:"handoff"`
	Partner   handoff.PartnerID  `json:"partner"`
	Instance  handoff.InstanceID `json:"instanceId"`
	Reference string             `json:"reference"`
	Status    handoff.Status     `json:"status"`
	Seq       int                `json:"seq"`
	Observed  observed           `json:"observed"`
	Stated    stated             `json:"stated"`
}

// observed is what the portal saw itself.
type observed struct {
	Route       *handoff.Route `json:"route"`
	CreatedAt   *string        `json:"createdAt"`
	DisplayedAt *string        `json:"displayedAt"`
	ClaimedAt   *string        `json:"claimedAt"`
	ConfirmedAt *string        `json:"confirmedAt"`
	DeliveredAt *string        `json:"deliveredAt"`
	EndedAt     *string        `json:"endedAt"`
	Confirmed   *string        `json:"confirmed"`
	SameNetwork *bool          `json:"sameNetwork"`
}

// stated is what the phone said of itself.
type stated struct {
	Class handoff.Class `json:"deviceClass"`
	OS    string        `json:"os"`
}

// Sign returns r as a compact JWS. It is the same for the same record, as long as
// the newest server key is.
func (a *Attestor) Sign(r handoff.Record) (string, error) {
	p := payload{
		Issuer: a.issuer, IssuedAt: r.At.Unix(), Handoff: r.Handoff, Partner: r.Partner, Instance: r.Instance,
		Reference: r.Reference, Status: r.Status, Seq: r.Seq,
		Observed: observed{
			Route: known(r.Route), CreatedAt: at(r.CreatedAt), DisplayedAt: at(r.DisplayedAt), ClaimedAt: at(r.ClaimedAt),
			ConfirmedAt: at(r.ConfirmedAt), DeliveredAt: at(r.DeliveredAt), EndedAt: at(r.EndedAt),
			Confirmed: known(r.Confirmed), SameNetwork: same(r.Near),
		},
		Stated: stated{Class: r.Class, OS: r.OS},
	}
	b, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return a.keys.SignJWS(Type, b), nil
}

// known is nil for what is empty.
func known[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

// same is whether both networks are one; nil: not known.
func same(n handoff.Nearness) *bool {
	if n == handoff.NearUnknown {
		return nil
	}
	return new(n == handoff.NearSame)
}

// at is a time as the API shows it: RFC 3339, UTC, to the millisecond; nil for none.
func at(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
}

// jwk is a public key (RFC 8037 §2).
type jwk struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	ID        string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
}

// Keys returns the JSON Web Key Set that verifies records (RFC 7517): a key for
// each server key, newest first.
func (a *Attestor) Keys() ([]byte, error) {
	public := a.keys.PublicKeys()
	set := struct {
		Keys []jwk `json:"keys"`
	}{make([]jwk, len(public))}
	for i, k := range public {
		set.Keys[i] = jwk{
			Type: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(k.Key), ID: k.ID, Use: "sig", Algorithm: "EdDSA",
		}
	}
	return json.Marshal(set)
}
