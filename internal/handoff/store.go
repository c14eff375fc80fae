package handoff

import (
	"context"
	"time"
)

// Store keeps handoffs. Implementations are safe for concurrent use, and lose
// nothing they have acknowledged. What a handoff that they hand out refers to may be
// shared with everybody who asks: nobody writes to it, nor to what a store was given.
//
// The contract is one that a single compare-and-set on one record can keep:
// the entries behind Lookup, List and Due may be written before the record they
// point to, so they are checked against it, and one without a record reads as
// CodeNotFound.
type Store interface {
	// Create saves a new handoff. It returns CodeConflict, and saves nothing,
	// if the ID or one of h.Keys() is taken. others is false only if a look in the
	// moment of saving, or after it, found no other handoff of the same instance,
	// not even an ended one: so of several that are made at once, the last is told
	// of others.
	Create(ctx context.Context, h Handoff) (others bool, err error)

	// Get returns the handoff with this ID, or CodeNotFound.
	Get(ctx context.Context, id ID) (Handoff, error)

	// Lookup returns the handoff that has this key among its Keys, or
	// CodeNotFound. The same work is done for a key that never was as for one
	// that is.
	Lookup(ctx context.Context, key Key) (Handoff, error)

	// Update applies fn to the stored handoff and saves the result, atomically
	// with respect to other Updates of the same ID. fn may run more than once
	// and must not have side effects. If fn returns an error, nothing is saved
	// and Update returns that error with the handoff as fn saw it. CodeNotFound
	// if there is no such handoff, CodeConflict if a new key belongs to another.
	// A key that is no longer among h.Keys() finds nothing any more.
	Update(ctx context.Context, id ID, fn func(Handoff) (Handoff, error)) (Handoff, error)

	// List returns a page of handoffs, newest first.
	List(ctx context.Context, q Query) (Page, error)

	// Due returns up to limit handoffs whose DueAt is not after t, earliest first.
	Due(ctx context.Context, t time.Time, limit int) ([]ID, error)

	// Delete forgets a handoff and all its keys. Deleting what is not there is
	// no error.
	Delete(ctx context.Context, id ID) error
}

// Query selects a partner's handoffs.
type Query struct {
	Partner   PartnerID
	Instance  InstanceID // zero: any; a store answers this one from an index
	Status    Status     // zero: any
	Reference string     // zero: any
	Limit     int        // 1–100
	Cursor    string     // Page.Next of the page before, or empty; one that is malformed is CodeInvalid
}

// Page is one page of a list.
type Page struct {
	Items []Handoff
	Next  string // empty after the last page
}

// Matches reports whether h is among what q selects.
func (q Query) Matches(h Handoff) bool {
	return h.Partner == q.Partner &&
		(q.Instance == "" || h.Instance == q.Instance) &&
		(q.Status == "" || h.Status == q.Status) &&
		(q.Reference == "" || h.Terms.Reference == q.Reference)
}

// Witness is told of every change once, by the process that stored it: it counts.
// Saw must not block; the events of h after since are new.
type Witness interface {
	Saw(h Handoff, since int)
}

// nobodyLooks is the witness where none is needed.
type nobodyLooks struct{}

func (nobodyLooks) Saw(Handoff, int) {}

// Notifier tells those who follow a handoff that it changed. Changed must not
// block; h is as it was stored.
type Notifier interface {
	Changed(h Handoff)
}

// Follower is told of one handoff's changes. Two may be told at once, by
// different goroutines, and an older one last: who follows passes over a change
// whose Seq is lower than what it has.
type Follower interface {
	Notifier
	// Closed says that there will be no more, since the process is about to go. It
	// may take as long as saying goodbye does.
	Closed()
}
