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

func (r *rate) allow(key string, now time.Duration) (ok bool, retryAfter time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	due := r.due.at(key, func(due time.Duration) int64 { return int64(due - now) })
	next := max(*due, now) + r.step
	if over := next - now - r.per; over > 0 {
		return false, over
	}
	*due = next
	return true, 0
}

func (r *rate) quota(key string, now time.Duration) Quota {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := Quota{Rate: r.rate}
	if due := r.due.find(key); due != nil {
		q.Full = max(*due-now, 0)
	}
	q.Left = int((r.per - q.Full) / r.step)
	return q
}
