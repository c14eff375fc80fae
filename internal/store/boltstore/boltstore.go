// Package boltstore keeps handoffs in one file, for a portal of one process.
//
// The file is a bbolt database: a B+ tree, changed by writing new pages and then
// one page that points to them, so a process killed at any moment leaves either
// the state before a commit or the state after it. Every acknowledged write has
// been flushed to the disk (fdatasync).
//
// A flush takes far longer than a change, so writes share it: one goroutine
// takes every write that waits, applies them in one transaction and commits it,
// while the next ones gather. It never waits for more to come.
//
// Pages of what was deleted are used again. The file does not shrink: a copy
// made by Backup and compacted with "bbolt compact" does.
package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

var _ handoff.Store = (*Store)(nil)

// format is the layout of the file. A program refuses a file of a layout it
// does not know; what is inside a record has its own version.
const format = "1"

// mappedSize is how much of the file is mapped into memory from the start, in
// bytes. It is address space, not memory. While the file is smaller, a long
// read, such as a backup, never makes a write wait.
const mappedSize = 256 << 20

// Options adjust a store. The zero value is right for serving.
type Options struct {
	// LockWait is how long Open waits for another process to let go of the
	// file, as happens when a service restarts. Zero means two seconds.
	LockWait time.Duration
}

// ErrClosed is returned by every call after Close.
var ErrClosed = errors.New("the store is closed")

// decoded is how many handoffs are kept decoded: what has ended is let go.
const decoded = 4096

// Store keeps handoffs in a file. It is safe for concurrent use.
//
// The error of a commit, such as a full disk, is returned by every write in it,
// and the store goes on: when there is room again, so are writes. Such an error
// means that the outcome is unknown rather than that nothing was saved, as with
// any disk that fails while flushing.
type Store struct {
	db      *bolt.DB
	path    string
	known   *record.Cache
	decoy   []byte
	stopped chan struct{} // closed when the committer has ended

	mu      sync.Mutex
	waiting []*write      // guarded by mu
	closed  bool          // guarded by mu
	wake    chan struct{} // holds one token while something waits; sent to and closed with mu held
}

// Open opens the file at path, and makes it, readable by its owner only, if
// there is none. It fails if another process has it open. The caller calls Close.
func Open(path string, o Options) (*Store, error) {
	if o.LockWait == 0 {
		o.LockWait = 2 * time.Second
	}
	isNew, err := whole(path)
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:         o.LockWait,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: mappedSize,
		NoStatistics:    true,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("opening the store %s: another process has it open, and only one may: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	if err := prepare(db, path, isNew); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store %s: %w", path, err), db.Close())
	}
	s := &Store{
		db:      db,
		path:    path,
		known:   record.NewCache(decoded),
		decoy:   append(record.Time(time.Time{}), record.Decoy()...),
		stopped: make(chan struct{}),
		wake:    make(chan struct{}, 1),
	}
	go s.commitAll()
	return s, nil
}

// prepare checks the layout, and makes the buckets of a new file. It writes
// nothing to one that has them: a portal must start on a full disk.
func prepare(db *bolt.DB, path string, isNew bool) error {
	var found string
	err := db.View(func(tx *bolt.Tx) error {
		if about := tx.Bucket([]byte(aboutBucket)); about != nil {
			found = string(about.Get([]byte("format")))
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case found == format:
		return nil
	case found != "":
		return fmt.Errorf("it has the layout %.20q, and this program knows only %q: a newer one wrote it", found, format)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets() {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return fmt.Errorf("making the bucket %s: %w", name, err)
			}
		}
		return tx.Bucket([]byte(aboutBucket)).Put([]byte("format"), []byte(format))
	})
	if err != nil || !isNew {
		return err
	}
	// The file's name is in its directory, which has to reach the disk too.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("flushing the directory: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("flushing the directory: %w", err)
	}
	return nil
}

// Close waits for the writes under way and those waiting, and lets go of the
// file. Later calls return ErrClosed. It may be called more than once.
func (s *Store) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.wake)
	}
	s.mu.Unlock()
	<-s.stopped
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing the store %s: %w", s.path, err)
	}
	return nil
}

// Backup writes a copy of the store, as of now, to w: a file that Open takes.
// Reads and writes go on meanwhile; space freed during it is used again only
// after it.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	return s.view(ctx, func(r reader) error {
		if _, err := r.tx.WriteTo(w); err != nil {
			return fmt.Errorf("copying the store: %w", err)
		}
		return nil
	})
}

// Get implements handoff.Store.
func (s *Store) Get(ctx context.Context, id handoff.ID) (handoff.Handoff, error) {
	var h handoff.Handoff
	err := s.view(ctx, func(r reader) error {
		value := r.records.Get([]byte(id))
		if value == nil {
			return notFound()
		}
		_, rec, err := split(value)
		if err == nil {
			h, _, err = s.known.Unmarshal(id, rec)
		}
		return err
	})
	return h, err
}

// Lookup implements handoff.Store. A key that never was costs the same two
// reads and the decoding of a record, of one that is nobody's; one that is costs no
// more.
func (s *Store) Lookup(ctx context.Context, key handoff.Key) (handoff.Handoff, error) {
	var h handoff.Handoff
	err := s.view(ctx, func(r reader) error {
		id := r.keys.Get([]byte(key))
		if id == nil {
			id = []byte("nobody")
		}
		value := r.records.Get(id)
		if value == nil {
			if _, err := decode(s.decoy); err != nil {
				return err
			}
			return notFound()
		}
		_, rec, err := split(value)
		if err != nil {
			return err
		}
		found, keys, err := s.known.Unmarshal(handoff.ID(id), rec)
		if err != nil {
			return err
		}
		if !slices.Contains(keys, key) {
			return notFound()
		}
		h = found
		return nil
	})
	return h, err
}

// view runs fn in a read transaction. What fn reads is valid only within it. Of the
// reader's buckets it has records and keys.
func (s *Store) view(ctx context.Context, fn func(r reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.View(func(tx *bolt.Tx) error { return fn(newLookup(tx)) })
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

func notFound() error { return handoff.Errorf(handoff.CodeNotFound, "no such handoff") }
