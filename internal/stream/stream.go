// Package stream keeps open connections that something is written to now and
// then, and that nobody reads: with neither a goroutine nor a buffer for each.
//
// A connection is taken over from net/http by its file descriptor. One goroutine
// is told by the kernel of those whose other end has gone. Writing never waits: what
// the kernel's buffer does not take, because the other end has not read for long,
// ends the connection.
//
// That is done on Linux. Elsewhere Take always fails, and a stream is served the
// way net/http has it.
package stream

import "errors"

// ErrNotHere says that a connection cannot be taken over: it is not of a kind that
// has a file descriptor of its own, or this system is not one where that is done.
var ErrNotHere = errors.New("the connection cannot be taken over")

// Owner is who a connection is kept for.
type Owner interface {
	// Gone is called once if the other end goes, when the connection is closed
	// already. It is not called for what Send or Close ended.
	Gone()
}

// readLimit bounds what another end may send on a connection that nobody reads.
const readLimit = 16 << 10
