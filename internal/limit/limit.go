// Package limit counts what is done by whom, against the limits of the
// configuration: rates, failures within a time, and streams that are open.
//
// Everything here is counted in memory, for one process; redislimit counts for
// several. What is kept is bounded: see Limiter.
package limit

import (
	"context"
	"fmt"
	"time"
)

// Kind names what is counted against a rate. Kinds do not share their counts.
type Kind string

// What is counted, and by what key.
const (
	CreatesPerPartner Kind = "creates_per_partner" // calls of POST /v1/handoffs, by the partner's id
	ClaimsPerNetwork  Kind = "claims_per_network"  // attempts to claim, by Network
	PagesPerNetwork   Kind = "pages_per_network"   // pages and forms, by Network
	UnknownPerNetwork Kind = "unknown_per_network" // capabilities that never were, by Network
	UpkeepPerPage     Kind = "upkeep_per_page"     // what an open page asks by itself, by the hash of its key

	// Messages sent to people: they cost money, and a number that earns by them
	// wants many.
	MessagesPerHandoff   Kind = "messages_per_handoff"   // by the handoff's id
	MessagesPerRecipient Kind = "messages_per_recipient" // by a keyed hash of the number or address
	MessagesPerNetwork   Kind = "messages_per_network"   // by Network
	MessagesPerArea      Kind = "messages_per_area"      // by the number's country, or the address's host
)

// Failure names what may go wrong only so often. They do not share their counts
// either.
type Failure string

// What goes wrong, and by what key it is counted.
const (
	TypedPerNetwork Failure = "typed_per_network" // typed codes that are none, by Network
	TypedPerPartner Failure = "typed_per_partner" // the same, by the partner's id
)

// Rate allows Count at once, and as many again spread evenly over each Per.
type Rate struct {
	Count int // above zero
	Per   time.Duration
}

// Quota is how much of a rate a key has left.
type Quota struct {
	Rate Rate
	Left int           // how many would be allowed at once, now
	Full time.Duration // until Left is Rate.Count again, if nothing more is counted
}

// Quota is what is left of r where it takes so long until all of it is there again.
func (r Rate) Quota(full time.Duration) Quota {
	return Quota{Rate: r, Left: int((r.Per - full) / r.Step()), Full: full}
}

// Rates are the limits of Take.
type Rates struct {
	CreatesPerPartner Rate
	ClaimsPerNetwork  Rate
	PagesPerNetwork   Rate
	UnknownPerNetwork Rate
	// UpkeepPerPage is not of the configuration; zero means 600 a minute: five
	// viewers of one display, who poll every 3 s and fetch a picture every second,
	// ask 400 times.
	UpkeepPerPage Rate
	// Those of messages; zero means 5, 5, 30 and 600 an hour.
	MessagesPerHandoff, MessagesPerRecipient, MessagesPerNetwork, MessagesPerArea Rate
}

const defaultUpkeep = 600 // a minute

// ByKind returns the rate of each kind. One that is not above zero is an error.
func (r Rates) ByKind() (map[Kind]Rate, error) {
	all := make(map[Kind]Rate)
	for _, k := range []struct {
		kind        Kind
		rate, usual Rate
	}{
		{kind: CreatesPerPartner, rate: r.CreatesPerPartner},
		{kind: ClaimsPerNetwork, rate: r.ClaimsPerNetwork},
		{kind: PagesPerNetwork, rate: r.PagesPerNetwork},
		{kind: UnknownPerNetwork, rate: r.UnknownPerNetwork},
		{UpkeepPerPage, r.UpkeepPerPage, Rate{defaultUpkeep, time.Minute}},
		{MessagesPerHandoff, r.MessagesPerHandoff, Rate{5, time.Hour}},
		{MessagesPerRecipient, r.MessagesPerRecipient, Rate{5, time.Hour}},
		{MessagesPerNetwork, r.MessagesPerNetwork, Rate{30, time.Hour}},
		{MessagesPerArea, r.MessagesPerArea, Rate{600, time.Hour}},
	} {
		if k.rate == (Rate{}) {
			k.rate = k.usual
		}
		if k.rate.Count <= 0 || k.rate.Per <= 0 {
			return nil, fmt.Errorf("%s: %d in %s is no rate", k.kind, k.rate.Count, k.rate.Per)
		}
		all[k.kind] = k.rate
	}
	return all, nil
}

// Step is the time between two at an even pace.
func (r Rate) Step() time.Duration { return max(r.Per/time.Duration(r.Count), 1) }

// Budget allows Count failures in any stretch of time as long as Window.
type Budget struct {
	Count  int
	Window time.Duration
}

// Budgets returns the budget of each failure.
func Budgets() map[Failure]Budget {
	return map[Failure]Budget{
		TypedPerNetwork: {failuresPerNetwork, failureWindow},
		TypedPerPartner: {FailuresPerPartner, failureWindow},
	}
}

// A typed code has ten digits. With 5 failures in 10 minutes it takes one network
// 26 years to have an even chance of hitting one of 1,000 live codes.
const (
	failuresPerNetwork = 5
	// FailuresPerPartner is how many a partner's people have together.
	FailuresPerPartner = 100
	failureWindow      = 10 * time.Minute
)

// maxKeys is how many keys of one kind are counted at a time: some 10 MB of them.
const maxKeys = 1 << 16

// Limiter counts in memory. Every method may be called from many goroutines at
// once, and costs a lock and a look-up.
//
// A key whose count has run off is forgotten, a few of them with each new key.
// There are at most 65,536 keys of a kind. Beyond that, a new key takes the place
// of the one with the least counted among the next eight: whoever comes from very
// many networks at once is counted less strictly, but does not rid a busy one of
// its count, and nobody is refused because of others.
type Limiter struct {
	now      func() time.Time
	start    time.Time
	rates    map[Kind]*rate      // never written to after New
	failures map[Failure]*budget // never written to after New
}

// New returns a Limiter that has counted nothing. now is time.Now, or a test's.
// A rate that is not above zero is an error.
func New(r Rates, now func() time.Time) (*Limiter, error) {
	rates, err := r.ByKind()
	if err != nil {
		return nil, err
	}
	l := &Limiter{now: now, start: now(), rates: make(map[Kind]*rate), failures: make(map[Failure]*budget)}
	for k, v := range rates {
		l.rates[k] = newRate(v, maxKeys)
	}
	for f, b := range Budgets() {
		l.failures[f] = newBudget(b.Count, b.Window, maxKeys)
	}
	return l, nil
}

// elapsed is the time now, as what has passed since New: monotonic.
func (l *Limiter) elapsed() time.Duration { return l.now().Sub(l.start) }

// Take counts one of kind for key and reports whether it is within the limit.
// One that is not costs nothing more; retryAfter is when the next one would be.
// left is what key has after it. The error is of a kind that has no rate.
func (l *Limiter) Take(_ context.Context, kind Kind, key string) (ok bool, retryAfter time.Duration, left Quota, err error) {
	r := l.rates[kind]
	if r == nil {
		return false, 0, Quota{}, fmt.Errorf("%s has no rate", kind)
	}
	ok, retryAfter, full := r.take(key, l.elapsed())
	return ok, retryAfter, r.rate.Quota(full), nil
}

// Spend takes one of the failures that key is allowed within 10 minutes, and
// reports whether there was one left; if not, retryAfter is when the oldest is
// forgotten. Spend before trying and Restore what was no failure: otherwise those
// who try at once all find one left. The error is of a failure that has no budget.
func (l *Limiter) Spend(_ context.Context, what Failure, key string) (ok bool, retryAfter time.Duration, err error) {
	b := l.failures[what]
	if b == nil {
		return false, 0, fmt.Errorf("%s has no budget", what)
	}
	ok, retryAfter = b.spend(key, l.elapsed())
	return ok, retryAfter, nil
}

// Restore gives back the latest that was spent: what was tried was no failure.
func (l *Limiter) Restore(_ context.Context, what Failure, key string) error {
	b := l.failures[what]
	if b == nil {
		return fmt.Errorf("%s has no budget", what)
	}
	b.restore(key)
	return nil
}

// Left returns how many failures are left, without spending one.
func (l *Limiter) Left(_ context.Context, what Failure, key string) (int, error) {
	b := l.failures[what]
	if b == nil {
		return 0, fmt.Errorf("%s has no budget", what)
	}
	return b.left(key, l.elapsed()), nil
}
