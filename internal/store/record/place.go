package record

import (
	"encoding/base64"
	"encoding/binary"
	"iter"
	"slices"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// TimeSize is the length of an encoded time in bytes.
const TimeSize = 12

// MaxExamined is how many records one page of a list looks at. A filter that
// matches few of a partner's handoffs then costs several short pages, some of
// them perhaps empty, instead of one long read.
const MaxExamined = 1000

// maxLimit is the longest page of a list.
const maxLimit = 100

// Time encodes t so that earlier times sort first as bytes. It keeps full precision.
func Time(t time.Time) []byte {
	b := make([]byte, 0, TimeSize)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix())^(1<<63))  //nolint:gosec // order-preserving: the sign bit is flipped
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond())) //nolint:gosec // below 1e9
}

// Place is where h stands in a list: newest first as bytes, and by ID among
// those made at the same instant.
func Place(h handoff.Handoff) []byte {
	b := Time(h.CreatedAt)
	for i := range b {
		b[i] = ^b[i]
	}
	return append(b, h.ID...)
}

// Cursor is the public form of a place: opaque to whoever gets it, though
// nothing in it is secret.
func Cursor(place []byte) string { return base64.RawURLEncoding.EncodeToString(place) }

// Start checks a query and returns the place after which its page begins, nil
// for the first. A limit out of range or a malformed cursor is CodeInvalid.
func Start(q handoff.Query) ([]byte, error) {
	if q.Limit < 1 || q.Limit > maxLimit {
		return nil, handoff.Errorf(handoff.CodeInvalid, "limit must be 1 to %d", maxLimit)
	}
	if q.Cursor == "" {
		return nil, nil
	}
	place, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil && len(place) > TimeSize && Cursor(place) == q.Cursor { // the decoder passes over line ends
		if _, err = handoff.ParseID(string(place[TimeSize:])); err == nil {
			return place, nil
		}
	}
	return nil, handoff.Errorf(handoff.CodeInvalid, "the cursor is malformed")
}

// Collect fills a page from the records that entries yields, each with its
// place, in order, beginning after Start's. It stops when it has seen one match
// more than fits, which tells whether there is a next page, or MaxExamined
// records. An entry without a record has nil in its place.
func (c *Cache) Collect(q handoff.Query, entries iter.Seq2[[]byte, []byte]) (handoff.Page, error) {
	return Collect(q, entries, func(place, raw []byte) (handoff.Handoff, bool, error) {
		if raw == nil || len(place) < TimeSize {
			return handoff.Handoff{}, false, nil
		}
		h, _, err := c.Unmarshal(handoff.ID(place[TimeSize:]), raw)
		return h, true, err
	})
}

// Collect is Cache.Collect of what else can be read as handoffs. read may say that
// there is none.
func Collect[E any](q handoff.Query, entries iter.Seq2[[]byte, E], read func(place []byte, e E) (handoff.Handoff, bool, error)) (handoff.Page, error) {
	var page handoff.Page
	var last []byte
	examined := 0
	for place, e := range entries {
		if examined == MaxExamined {
			page.Next = Cursor(last)
			break
		}
		examined++
		h, ok, err := read(place, e)
		if err != nil {
			return handoff.Page{}, err
		}
		if ok && q.Matches(h) && slices.Equal(Place(h), place) {
			if len(page.Items) == q.Limit {
				page.Next = Cursor(Place(page.Items[q.Limit-1]))
				break
			}
			page.Items = append(page.Items, h)
		}
		last = append(last[:0], place...)
	}
	return page, nil
}
