package limit

import (
	"slices"
	"sync"
	"time"
)

// budget allows count failures of a key in any stretch of time as long as
// window: it keeps the time of each.
type budget struct {
	count  int
	window time.Duration

	mu    sync.Mutex
	times table[[]time.Duration] // guarded by mu; oldest first, at most count of them
}

func newBudget(count int, window time.Duration, size int) *budget {
	return &budget{count: count, window: window, times: newTable[[]time.Duration](size)}
}

// within returns those of times that are not forgotten yet.
func (b *budget) within(times []time.Duration, now time.Duration) []time.Duration {
	for i, t := range times {
		if t+b.window > now {
			return times[i:]
		}
	}
	return nil
}

func (b *budget) spend(key string, now time.Duration) (ok bool, retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	times := b.times.at(key, func(times []time.Duration) int64 { return int64(len(b.within(times, now))) })
	kept := b.within(*times, now)
	if len(kept) >= b.count {
		return false, kept[0] + b.window - now
	}
	*times = append(slices.Clone(kept), now)
	return true, 0
}

func (b *budget) restore(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if times := b.times.find(key); times != nil && len(*times) > 0 {
		*times = (*times)[:len(*times)-1]
	}
}

func (b *budget) left(key string, now time.Duration) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	times := b.times.find(key)
	if times == nil {
		return b.count
	}
	return b.count - len(b.within(*times, now))
}
