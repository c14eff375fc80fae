//go:build !race

package web_test

// raced says that the race detector watches, which takes ten times as long.
const raced = false
