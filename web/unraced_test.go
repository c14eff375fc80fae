//go:build !race

package web_test

import "testing"

// raced says that the race detector watches, which takes ten times as long.
const raced = false

// unraced skips nothing here.
func unraced(*testing.T) {}

// rivals is how many ask for the same thing at the same time.
const rivals = 200

// scanners is how many examine a link at once.
const scanners = 20
