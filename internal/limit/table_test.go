package limit

import (
	"fmt"
	"strconv"
	"testing"
)

// holds is a table's row in these tests: what it weighs.
func holds(v int64) int64 { return v }

func (t *table[V]) check(tb testing.TB) {
	tb.Helper()
	if len(t.index) != len(t.rows) || len(t.rows) > t.size {
		tb.Fatalf("%d keys, %d rows, at most %d wanted of each", len(t.index), len(t.rows), t.size)
	}
	for i, r := range t.rows {
		if t.index[r.key] != i {
			tb.Fatalf("row %d is of %q, which the index has at %d", i, r.key, t.index[r.key])
		}
	}
}

func TestTableStaysBounded(t *testing.T) {
	tab := newTable[int64](100)
	for i := range 10_000 {
		*tab.at(strconv.Itoa(i), holds) = int64(1 + i%7)
		tab.check(t)
	}
	if len(tab.rows) != 100 {
		t.Errorf("the full table has %d rows, want 100", len(tab.rows))
	}
}

// TestTableForgetsIdle: what holds nothing any more makes room as others come.
func TestTableForgetsIdle(t *testing.T) {
	tab := newTable[int64](1000)
	for i := range 1000 {
		*tab.at(fmt.Sprint("old ", i), holds) = 1
	}
	for i := range tab.rows {
		tab.rows[i].count = 0
	}
	for i := range 200 {
		*tab.at(fmt.Sprint("new ", i), holds) = 1
		tab.check(t)
	}
	if got := len(tab.rows); got > 300 {
		t.Errorf("after 200 new keys there are %d rows of 1200, want those of the idle ones gone", got)
	}
	for i := range 200 {
		if tab.find(fmt.Sprint("new ", i)) == nil {
			t.Fatalf("new %d is gone, though there was room", i)
		}
	}
}

// TestTableKeepsTheHeaviest: what holds most is not what makes room.
func TestTableKeepsTheHeaviest(t *testing.T) {
	tab := newTable[int64](64)
	*tab.at("heavy", holds) = 1000
	for i := range 10_000 {
		*tab.at(strconv.Itoa(i), holds) = 1
	}
	if v := tab.find("heavy"); v == nil || *v != 1000 {
		t.Error("the heaviest row made room for light ones")
	}
}

// TestTinyTable: a table smaller than what a new key looks at still works.
func TestTinyTable(t *testing.T) {
	for size := 1; size < 2*looks; size++ {
		tab := newTable[int64](size)
		for i := range 100 {
			*tab.at(strconv.Itoa(i), holds) = int64(i % 3) // a third of them idle at once
			tab.check(t)
		}
	}
}
