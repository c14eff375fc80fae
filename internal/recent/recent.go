// Package recent remembers what was asked for lately, in bounded memory.
package recent

import "sync"

// Map is a map of what was put in or asked for lately: at least the last Size keys,
// and at most twice as many. It is safe for concurrent use.
type Map[K comparable, V any] struct {
	size int

	mu     sync.RWMutex
	latest map[K]V // guarded by mu
	older  map[K]V // guarded by mu; replaced by latest when that is full
}

// New returns an empty map.
func New[K comparable, V any](size int) *Map[K, V] {
	return &Map[K, V]{size: size, latest: make(map[K]V)}
}

// Get returns the value of a key, if it is remembered.
func (m *Map[K, V]) Get(key K) (V, bool) {
	m.mu.RLock()
	v, ok := m.latest[key]
	rest := len(m.older)
	m.mu.RUnlock()
	if ok || rest == 0 {
		return v, ok
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok = m.older[key]; ok {
		m.put(key, v)
	}
	return v, ok
}

// Put remembers the value of a key.
func (m *Map[K, V]) Put(key K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(key, v)
}

// Forget remembers a key no longer.
func (m *Map[K, V]) Forget(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.latest, key)
	delete(m.older, key)
}

// put is Put. m.mu is held.
func (m *Map[K, V]) put(key K, v V) {
	if _, there := m.latest[key]; !there && len(m.latest) >= m.size {
		m.latest, m.older = make(map[K]V), m.latest
	}
	m.latest[key] = v
}
