package boltstore_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

// TestTornCommit cuts the power in the middle of a commit: of the pages that it
// writes any may be on the disk and any not, the last one half, and the file may
// not have grown yet. What was acknowledged before is there, and the file is sound.
func TestTornCommit(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	create(t, s, 50)
	page := os.Getpagesize()
	for cut := range 24 {
		before := contents(t, path)
		id := storetest.Handoff(cut % 50).ID
		acknowledged, err := s.Update(t.Context(), id, add)
		if err != nil {
			t.Fatal(err)
		}
		after := contents(t, path)

		torn := bytes.Clone(before)
		if len(after) > len(before) && cut%2 == 0 {
			torn = append(torn, make([]byte, len(after)-len(before))...)
		}
		for at := 2 * page; at+page <= len(torn); at += page { // the first two say which pages count
			if !bytes.Equal(torn[at:at+page], after[at:at+page]) && rand.IntN(2) == 0 {
				copy(torn[at:at+page], after[at:at+page])
			}
		}
		want := acknowledged.Seq - 1 // nobody was told of the update
		switch cut % 3 {
		case 1: // half of the page that would have made it count
			for at := 0; at < 2*page; at += page {
				if !bytes.Equal(before[at:at+page], after[at:at+page]) {
					copy(torn[at:at+60], after[at:at+60])
				}
			}
		case 2: // all of it
			torn, want = after, acknowledged.Seq
		}
		check(t, torn, id, want)
	}
}

// check opens a file with these contents.
func check(t *testing.T, b []byte, id handoff.ID, seq int) {
	t.Helper()
	path := newPath(t)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatalf("Open after a torn commit: %v", err)
	}
	defer s.Close()
	if err := s.Check(); err != nil {
		t.Errorf("the file after a torn commit: %v", err)
	}
	if h, err := s.Get(t.Context(), id); err != nil || h.Seq != seq {
		t.Errorf("Get after a torn commit = seq %d, %v, want seq %d", h.Seq, err, seq)
	}
	if _, err := s.Update(t.Context(), id, add); err != nil {
		t.Errorf("Update after a torn commit: %v", err)
	}
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTruncated: a file that lost its end, which no commit leaves behind, is refused
// by name, and not taken for an empty one.
func TestTruncated(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	create(t, s, 50)
	b := contents(t, path)
	for _, left := range []int{1, 100, os.Getpagesize(), 2*os.Getpagesize() - 1, 3 * os.Getpagesize()} {
		short := filepath.Join(t.TempDir(), "short.db")
		if err := os.WriteFile(short, b[:left], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := boltstore.Open(short, boltstore.Options{LockWait: time.Second})
		if err == nil {
			s.Close()
			t.Errorf("Open of the first %d bytes of a file = nil error, want one", left)
		} else if !strings.Contains(err.Error(), short) {
			t.Errorf("Open of the first %d bytes of a file = %v, want an error that names it", left, err)
		}
	}
}
