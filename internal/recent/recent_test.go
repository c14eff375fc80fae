package recent_test

import (
	"sync"
	"testing"

	"github.com/handoff-portal/handoff/internal/recent"
)

func TestMap(t *testing.T) {
	const size = 10
	m := recent.New[int, string](size)
	if got, ok := m.Get(1); ok {
		t.Errorf("Get(1) of an empty map = %q, want nothing", got)
	}
	m.Put(1, "one")
	m.Put(1, "uno")
	for i := 100; i < 100+size-1; i++ {
		m.Put(i, "")
	}
	if got, ok := m.Get(1); got != "uno" || !ok {
		t.Errorf("Get(1) after %d others = %q, %t, want uno", size-1, got, ok)
	}
	for round := range 5 { // asked for in time, it stays
		for i := range size - 1 {
			m.Put(1000+round*size+i, "")
		}
		if got, ok := m.Get(1); got != "uno" || !ok {
			t.Fatalf("Get(1) in round %d = %q, %t, want uno", round, got, ok)
		}
	}
	for i := range 2 * size {
		m.Put(i+10_000, "")
	}
	if got, ok := m.Get(1); ok {
		t.Errorf("Get(1) after %d others = %q, want nothing", 2*size, got)
	}
	kept := 0
	for i := range 100_000 {
		if _, ok := m.Get(i); ok {
			kept++
		}
	}
	if kept > 2*size || kept < size {
		t.Errorf("%d keys are remembered, want %d to %d", kept, size, 2*size)
	}
	m.Put(2, "two")
	for i := range size {
		m.Put(i+20_000, "")
	}
	m.Forget(2) // by now among the older
	m.Forget(20_000 + size - 1)
	for _, key := range []int{2, 20_000 + size - 1} {
		if got, ok := m.Get(key); ok {
			t.Errorf("Get(%d) after Forget = %q, want nothing", key, got)
		}
	}
}

func TestMapAtOnce(t *testing.T) {
	m := recent.New[int, int](8)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 1000 {
				key := (i*7 + g) % 40
				if got, ok := m.Get(key); ok && got != -key {
					t.Errorf("Get(%d) = %d, want %d", key, got, -key)
				}
				m.Put(key, -key)
			}
		})
	}
	all.Wait()
}
