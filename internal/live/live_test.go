package live_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/live"
)

func at(seq int) handoff.Handoff { return handoff.Handoff{ID: "ho_a", Seq: seq} }

// waiting returns the seq of the update that waits to be read, or -1.
func waiting(t *testing.T, updates <-chan handoff.Handoff) int {
	t.Helper()
	select {
	case h, ok := <-updates:
		if !ok {
			t.Fatal("updates is closed, want it open")
		}
		return h.Seq
	default:
		return -1
	}
}

func closed(updates <-chan handoff.Handoff) bool {
	select {
	case _, ok := <-updates:
		return !ok
	default:
		return false
	}
}

func TestSlowFollowerGetsTheLast(t *testing.T) {
	b := live.New()
	updates, stop := b.Subscribe("ho_a")
	defer stop()
	if got := waiting(t, updates); got != -1 {
		t.Errorf("update before any change = seq %d, want none", got)
	}
	for seq := 1; seq <= 5; seq++ {
		b.Changed(at(seq))
	}
	b.Changed(handoff.Handoff{ID: "ho_b", Seq: 9})
	if got := waiting(t, updates); got != 5 {
		t.Errorf("update after five changes = seq %d, want 5", got)
	}
	if got := waiting(t, updates); got != -1 {
		t.Errorf("update after the last was read = seq %d, want none", got)
	}
}

func TestNeverGoesBack(t *testing.T) {
	b := live.New()
	updates, stop := b.Subscribe("ho_a")
	defer stop()
	b.Changed(at(5))
	b.Changed(at(4))
	if got := waiting(t, updates); got != 5 {
		t.Errorf("update after seq 5 and 4 = seq %d, want 5", got)
	}
	b.Changed(at(4))
	if got := waiting(t, updates); got != -1 {
		t.Errorf("update of seq 4 after 5 was read = seq %d, want none", got)
	}
	b.Changed(handoff.Handoff{ID: "ho_a", Seq: 5, Burnt: 1}) // a change that is no event
	if got := waiting(t, updates); got != 5 {
		t.Errorf("update of the same seq = seq %d, want 5", got)
	}
}

func TestViewersAndStop(t *testing.T) {
	b := live.New()
	first, stopFirst := b.Subscribe("ho_a")
	second, stopSecond := b.Subscribe("ho_a")
	if got := b.Viewers("ho_a"); got != 2 {
		t.Errorf("Viewers() of two = %d, want 2", got)
	}
	stopFirst()
	stopFirst()
	if got := b.Viewers("ho_a"); got != 1 {
		t.Errorf("Viewers() after one stopped, twice = %d, want 1", got)
	}
	if !closed(first) {
		t.Error("updates after stop is open, want it closed")
	}
	b.Changed(at(1))
	if got := waiting(t, second); got != 1 {
		t.Errorf("update of the one who stayed = seq %d, want 1", got)
	}
	stopSecond()
	b.Changed(at(2))
	if got := b.Viewers("ho_a"); got != 0 {
		t.Errorf("Viewers() after both stopped = %d, want 0", got)
	}

	// A handoff that nobody follows is forgotten, its seq too.
	updates, stop := b.Subscribe("ho_a")
	defer stop()
	b.Changed(at(1))
	if got := waiting(t, updates); got != 1 {
		t.Errorf("update of a later follower = seq %d, want 1", got)
	}
}

func TestClose(t *testing.T) {
	b := live.New()
	read, stop := b.Subscribe("ho_a")
	unread, _ := b.Subscribe("ho_b")
	b.Changed(handoff.Handoff{ID: "ho_b", Seq: 3})
	b.Close()
	b.Close()
	if !closed(read) {
		t.Error("updates after Close is open, want it closed")
	}
	if h := <-unread; h.Seq != 3 {
		t.Errorf("unread update after Close = seq %d, want 3", h.Seq)
	}
	if !closed(unread) {
		t.Error("updates after Close and the last update is open, want it closed")
	}
	stop()
	b.Changed(at(9))
	late, stopLate := b.Subscribe("ho_a")
	if !closed(late) {
		t.Error("Subscribe after Close gave an open channel, want a closed one")
	}
	stopLate()
	if got := b.Viewers("ho_a"); got != 0 {
		t.Errorf("Viewers() after Close = %d, want 0", got)
	}
}

// TestEverybodyGetsTheLast: changes come from many goroutines in any order, and
// followers come and go; each who stays sees the seq rise, up to the last.
func TestEverybodyGetsTheLast(t *testing.T) {
	const followers, writers, last = 50, 4, 400
	b := live.New()
	var reading, writing sync.WaitGroup
	for range followers {
		updates, stop := b.Subscribe("ho_a")
		reading.Go(func() {
			defer stop()
			seen := 0
			for h := range updates {
				if h.Seq < seen {
					t.Errorf("update went back from seq %d to %d", seen, h.Seq)
				}
				if seen = h.Seq; seen == last {
					return
				}
			}
			t.Errorf("updates ended at seq %d, want %d", seen, last)
		})
	}
	for w := range writers {
		writing.Go(func() {
			for seq := w + 1; seq <= last; seq += writers {
				b.Changed(at(seq))
				_, stop := b.Subscribe("ho_a")
				b.Viewers("ho_a")
				stop()
			}
		})
	}
	writing.Wait()
	reading.Wait()
	if got := b.Viewers("ho_a"); got != 0 {
		t.Errorf("Viewers() at the end = %d, want 0", got)
	}
}

// TestCloseRacesWithEverything fails by a panic, such as a send on a closed channel.
func TestCloseRacesWithEverything(t *testing.T) {
	for range 100 {
		b := live.New()
		var wg sync.WaitGroup
		for seq := range 8 {
			wg.Go(func() { b.Changed(at(seq)) })
			wg.Go(func() {
				_, stop := b.Subscribe("ho_a")
				stop()
			})
			wg.Go(b.Close)
		}
		wg.Wait()
	}
}

func BenchmarkChanged(b *testing.B) {
	for _, handoffs := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("handoffs=%d", handoffs), func(b *testing.B) {
			hub := live.New()
			defer hub.Close()
			ids := make([]handoff.ID, handoffs)
			for i := range ids {
				ids[i] = handoff.ID(fmt.Sprintf("ho_%d", i))
				for range 10_000 / handoffs {
					_, stop := hub.Subscribe(ids[i])
					defer stop()
				}
			}
			seq := 0
			for b.Loop() {
				seq++
				hub.Changed(handoff.Handoff{ID: ids[seq%handoffs], Seq: seq})
			}
		})
	}
}
