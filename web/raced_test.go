//go:build race

package web_test

import "testing"

// raced says that the race detector watches, which takes ten times as long.
const raced = true

// unraced skips a test that asks nothing of two goroutines at once which a cheaper
// one does not: the step before has run it.
func unraced(t *testing.T) {
	t.Helper()
	t.Skip("not with the race detector: it takes long, and others do the same at once")
}

// rivals is how many ask for the same thing at the same time.
const rivals = 60

// scanners is how many examine a link at once.
const scanners = 5
