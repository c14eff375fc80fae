package limit

import "sync"

// StreamLimits bound the streams open at a time, in this process.
type StreamLimits struct {
	PerHandoff int
	PerNetwork int
	Total      int
}

// Streams counts open streams. Its methods may be called from many goroutines at
// once. It holds a row for each handoff and network with a stream, so no more of
// each than the total.
type Streams struct {
	limits StreamLimits

	mu       sync.Mutex
	handoffs map[string]int // guarded by mu, as all of these
	networks map[string]int
	total    int
}

// NewStreams returns Streams of which none is open. A limit of zero allows none.
func NewStreams(l StreamLimits) *Streams {
	return &Streams{limits: l, handoffs: make(map[string]int), networks: make(map[string]int)}
}

// Total is how many are open.
func (s *Streams) Total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// Open counts one more stream, if every limit leaves room for it. release, to be
// called at its end, may be called more than once; it is nil if ok is false.
func (s *Streams) Open(handoff, network string) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= s.limits.Total || s.handoffs[handoff] >= s.limits.PerHandoff || s.networks[network] >= s.limits.PerNetwork {
		return nil, false
	}
	s.total++
	s.handoffs[handoff]++
	s.networks[network]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.total--
		fewer(s.handoffs, handoff)
		fewer(s.networks, network)
	}), true
}

func fewer(counts map[string]int, key string) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}

// Count is the number of open streams.
func (s *Streams) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}
