package record

import (
	"bytes"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/recent"
)

// Cache remembers what records decode to. It is asked with the record that was read
// just now, and answers from memory only if that is the very one, byte for byte, that
// it decoded before: so what it says is never older than what was read, whoever
// changed it. It is safe for concurrent use.
type Cache struct {
	known *recent.Map[handoff.ID, known]
}

// known is a record and what it decodes to.
type known struct {
	record  []byte
	handoff handoff.Handoff
	keys    []handoff.Key
}

// NewCache returns an empty cache of size decoded handoffs at least, and twice as many
// at most: some 10 KB each.
func NewCache(size int) *Cache { return &Cache{recent.New[handoff.ID, known](size)} }

// Unmarshal is Unmarshal of the record of a handoff, with its keys. What it returns is
// shared with all who ask: nobody writes to it.
func (c *Cache) Unmarshal(id handoff.ID, b []byte) (handoff.Handoff, []handoff.Key, error) {
	if k, ok := c.known.Get(id); ok && bytes.Equal(k.record, b) {
		return k.handoff, k.keys, nil
	}
	h, err := Unmarshal(b)
	if err != nil {
		return handoff.Handoff{}, nil, err
	}
	keys := h.Keys()
	c.keep(b, h, keys)
	return h, keys, nil
}

// Remember keeps what was made into a record just now, for whoever reads that.
func (c *Cache) Remember(b []byte, h handoff.Handoff) {
	c.keep(b, Canonical(h), h.Keys())
}

// keep remembers what is still on its way, and lets go of what has ended, here or in
// another process: it is seldom read, and there are days of it.
func (c *Cache) keep(b []byte, h handoff.Handoff, keys []handoff.Key) {
	if h.Status.Ended() {
		c.known.Forget(h.ID)
		return
	}
	c.known.Put(h.ID, known{record: bytes.Clone(b), handoff: h, keys: keys})
}

// Canonical returns h as it would be read after it was stored, and what it refers to
// in memory that h has no part in, but for what is sealed.
func Canonical(h handoff.Handoff) handoff.Handoff { return stored(h).handoff() }
