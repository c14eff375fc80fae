//go:build !race

package browser

// raced says whether the race detector watches.
const raced = false
