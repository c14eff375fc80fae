package partner

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Directory is all partners. It is immutable, and safe for concurrent use.
type Directory struct {
	all  []Partner
	byID map[handoff.PartnerID]*Partner
	keys []owned
}

type owned struct {
	hash  handoff.Hash
	index int
}

// New returns a Directory of these partners, or every fault there is in them,
// joined. The addresses, colours and names in it are as the Parse functions of
// this package return them.
func New(partners []Partner) (*Directory, error) {
	d := &Directory{all: slices.Clone(partners), byID: make(map[handoff.PartnerID]*Partner, len(partners))}
	var faults []error
	owner := make(map[handoff.Hash]handoff.PartnerID)
	for i := range d.all {
		p := &d.all[i]
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("partner %q: "+format, append([]any{p.ID}, args...)...))
		}
		for _, err := range p.normalize() {
			fault("%w", err)
		}
		if d.byID[p.ID] != nil {
			fault("the id is taken")
		}
		d.byID[p.ID] = p
		for _, h := range p.KeyHashes {
			if other, taken := owner[h]; taken {
				fault("a key is also %s's", other)
			}
			owner[h] = p.ID
			d.keys = append(d.keys, owned{h, i})
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return d, nil
}

// ByKey returns the partner one of whose keys this is. It does the same work
// for every key, so that time tells nothing of how near one is.
func (d *Directory) ByKey(key handoff.Secret) (*Partner, bool) {
	h := HashKey(key)
	found := -1
	for _, k := range d.keys {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(h[:], k.hash[:]), k.index, found)
	}
	if found < 0 {
		return nil, false
	}
	return &d.all[found], true
}

// ByID returns the partner with this id.
func (d *Directory) ByID(id handoff.PartnerID) (*Partner, bool) {
	p, ok := d.byID[id]
	return p, ok
}

// All returns every partner, in the order of the configuration.
func (d *Directory) All() []*Partner {
	all := make([]*Partner, len(d.all))
	for i := range d.all {
		all[i] = &d.all[i]
	}
	return all
}

// NewKey returns a new API key: "hp_" and 256 random bits.
func NewKey() handoff.Secret {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return handoff.Secret("hp_" + base64.RawURLEncoding.EncodeToString(b[:]))
}

// HashKey returns what is kept of an API key: the SHA-256 of its text. A key has
// 256 random bits, so a plain hash is no easier to turn round than a slow one.
func HashKey(key handoff.Secret) handoff.Hash { return handoff.HashOf(key) }

// KeyHashText is the hash of key as the configuration spells it.
func KeyHashText(key handoff.Secret) string { return "sha256:" + HashKey(key).String() }
