package demo

import "sync"

// bell tells everybody who waits that something happened, not what: they look
// for themselves.
type bell struct {
	mu   sync.Mutex
	rung chan struct{} // guarded by mu: closed by the next ring
}

func newBell() *bell { return &bell{rung: make(chan struct{})} }

// next is closed when the bell rings.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.rung)
	b.rung = make(chan struct{})
}
