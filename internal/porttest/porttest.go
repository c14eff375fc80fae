// Package porttest finds free ports for servers that tests start, kill and start
// again in the same place.
package porttest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

// Ports are taken in turn, so that two tests of one process never get the same, and
// those of two processes seldom, and from below those that Linux gives to connections:
// one of those may have any of them while its server is being started again.
const (
	first = 16_000
	count = 16_000
)

//nolint:gochecknoglobals // the ports of a machine are one set
var turn = func() *atomic.Uint32 {
	t := new(atomic.Uint32)
	t.Store(rand.Uint32N(count)) //nolint:gosec // spreads processes, guards nothing
	return t
}()

// Address is one of 127.0.0.1 where nothing listens.
func Address(t testing.TB) string {
	t.Helper()
	for range count {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+int(turn.Add(1)%count)))
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
		if err != nil {
			continue
		}
		_ = l.Close() // nobody came
		return addr
	}
	t.Fatal("no port is free")
	return ""
}
