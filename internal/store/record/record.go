// Package record is the stored form of a handoff: what the stores write, kept
// apart from the domain type so that either can change without the other.
//
// A record is compact JSON that begins with its version. Times are UTC at full
// nanosecond precision; what is zero or empty is left out, so an empty slice
// comes back as nil.
//
// Programs of two versions may share a store. One that adds a field raises
// Version: an older program then decodes what it knows, and Rewrite lets it
// save the record without dropping the rest, wherever it is: what is inside a claim
// or a code stays with that claim or code, and goes with it.
package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Version is the version of the records written by this program.
const Version = 1

// Marshal returns the stored form of h. It fails on a time that JSON cannot
// hold, which is one after the year 9999.
func Marshal(h handoff.Handoff) ([]byte, error) {
	b, err := json.Marshal(stored(h))
	if err != nil {
		return nil, fmt.Errorf("encoding handoff %s: %w", h.ID, err)
	}
	return b, nil
}

// Unmarshal undoes Marshal. What it returns shares no memory with b. A field it
// does not know is passed over; a record without a version is refused.
func Unmarshal(b []byte) (handoff.Handoff, error) {
	var r handoffRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return handoff.Handoff{}, fmt.Errorf("decoding a record: %w", err)
	}
	if r.V < 1 {
		return handoff.Handoff{}, errors.New("decoding a record: it has no version")
	}
	return r.handoff(), nil
}

// Rewrite returns the stored form of h, to take the place of old. If a newer
// program wrote old, its version and the fields that this program does not know are
// kept.
func Rewrite(old []byte, h handoff.Handoff) ([]byte, error) {
	b, err := Marshal(h)
	if err != nil || bytes.HasPrefix(old, prefix()) {
		return b, err
	}
	var head struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(old, &head); err != nil {
		return nil, fmt.Errorf("decoding the version of handoff %s: %w", h.ID, err)
	}
	if head.V <= Version {
		return b, nil
	}
	kept, err := keep(old, b)
	if err != nil {
		return nil, fmt.Errorf("keeping what a newer program wrote of handoff %s: %w", h.ID, err)
	}
	return fmt.Appendf(nil, `{"v":%d,%s`, head.V, kept[1:]), nil
}

// prefix is how a record of this version begins. The comma keeps version 1 apart
// from version 10.
func prefix() []byte { return fmt.Appendf(nil, `{"v":%d,`, Version) }

// Decoy returns the record of a handoff of ordinary size that is nobody's. A
// store decodes it where there is no record, so that a key that never was takes
// as long to refuse as one that is.
func Decoy() []byte {
	sealed := make(handoff.Sealed, 100)
	hash := handoff.HashOf("decoy")
	then := time.Unix(1, 1)
	events := []handoff.Event{
		{Seq: 1, Type: "created", At: then},
		{Seq: 2, Type: "displayed", At: then},
		{Seq: 3, Type: "opened", At: then},
		{Seq: 4, Type: "claimed", At: then},
	}
	h := handoff.Handoff{
		ID: "ho_0000000000000000000000", Partner: "decoy", App: "main", Instance: "0000000000000000",
		Status: handoff.StatusClaimed, Seq: 4, Events: events, CreatedAt: then, Deadline: then,
		DisplayHash: hash, DisplayKey: sealed,
		Codes: []handoff.RouteCode{
			{Route: handoff.RouteQR, Hash: hash, Sealed: sealed, MadeAt: then},
			{Route: handoff.RouteLink, Hash: hash, Sealed: sealed, MadeAt: then},
			{Route: handoff.RouteLocal, Hash: hash, Sealed: sealed, MadeAt: then},
		},
		Claim:   &handoff.Claim{Hash: hash, Owner: hash, Attempt: hash, ByOwner: sealed, ByAttempt: sealed, Number: sealed, ReportKey: sealed},
		Connect: &handoff.Token{Sealed: sealed, MadeAt: then, ExpiresAt: then},
	}
	b, _ := Marshal(h) // fails only on a time far in the future
	return b
}
