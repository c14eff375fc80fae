package limit

import (
	"sync"
	"time"
)

// rate counts against a Rate by the generic cell rate algorithm (ITU-T I.371):
// for each key, the time at which all it has had would have been due at an even
// pace. That is one number, and exact.
type rate struct {
	rate Rate
	step time.Duration // between two at an even pace
	per  time.Duration

	mu  sync.Mutex
	due table[time.Duration] // guarded by mu
}

func newRate(r Rate, size int) *rate {
	return &rate{rate: r, step: r.Step(), per: r.Per, due: newTable[time.Duration](size)}
}

// take counts one for key, if it is within the rate; full is the time until all of the
// rate is there again.
func (r *rate) take(key string, now time.Duration) (ok bool, retryAfter, full time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	due := r.due.at(key, func(due time.Duration) int64 { return int64(due - now) })
	from := max(*due, now)
	if over := from + r.step - now - r.per; over > 0 {
		return false, over, from - now
	}
	*due = from + r.step
	return true, 0, *due - now
}
