//go:build !linux

// Command bench needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: it puts processes on cores of their own, which is written for Linux only; run it there")
	os.Exit(1)
}
