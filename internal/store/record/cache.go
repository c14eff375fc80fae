package record

import (
	"bytes"
	"sync"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// cacheSize is how many decoded handoffs a Cache keeps at least, and half of how
// many at most: some 10 KB each.
const cacheSize = 4096

// Cache remembers what records decode to. It is asked with the record that was read
// just now, and answers from memory only if that is the very one, byte for byte, that
// it decoded before: so what it says is never older than what was read, whoever
// changed it. Its zero value is empty. It is safe for concurrent use.
type Cache struct {
	mu            sync.Mutex
	recent, older map[handoff.ID]known // guarded by mu
}

// known is a record and what it decodes to.
type known struct {
	record  []byte
	handoff handoff.Handoff
	keys    []handoff.Key
}

// Unmarshal is Unmarshal of the record of a handoff, with its keys. What it returns is
// shared with all who ask: nobody writes to it.
func (c *Cache) Unmarshal(id handoff.ID, b []byte) (handoff.Handoff, []handoff.Key, error) {
	c.mu.Lock()
	k, ok := c.recent[id]
	if !ok {
		if k, ok = c.older[id]; ok {
			c.keep(id, k)
		}
	}
	c.mu.Unlock()
	if ok && bytes.Equal(k.record, b) {
		return k.handoff, k.keys, nil
	}
	h, err := Unmarshal(b)
	if err != nil {
		return handoff.Handoff{}, nil, err
	}
	k = known{record: bytes.Clone(b), handoff: h, keys: h.Keys()}
	c.mu.Lock()
	c.keep(id, k)
	c.mu.Unlock()
	return k.handoff, k.keys, nil
}

// Remember keeps what was made into a record just now, for whoever reads that.
func (c *Cache) Remember(b []byte, h handoff.Handoff) {
	k := known{record: bytes.Clone(b), handoff: Canonical(h), keys: h.Keys()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(h.ID, k)
}

// keep remembers k. What was not asked for while cacheSize others were is forgotten.
// c.mu is held.
func (c *Cache) keep(id handoff.ID, k known) {
	if c.recent == nil || len(c.recent) >= cacheSize {
		c.recent, c.older = make(map[handoff.ID]known), c.recent
	}
	c.recent[id] = k
}

// Canonical returns h as it would be read after it was stored, and what it refers to
// in memory that h has no part in, but for what is sealed.
func Canonical(h handoff.Handoff) handoff.Handoff { return stored(h).handoff() }
