package boltstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

// everything reads all handoffs of the fixtures' partner.
func everything(t *testing.T, s handoff.Store) []handoff.Handoff {
	t.Helper()
	page, err := s.List(t.Context(), handoff.Query{Partner: "acme", Limit: 100})
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	return page.Items
}

func TestReopenKeepsEverything(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	create(t, s, 20)
	if _, err := s.Update(t.Context(), storetest.Handoff(3).ID, add); err != nil {
		t.Fatalf("Update: %v", err)
	}
	if err := s.Delete(t.Context(), storetest.Handoff(4).ID); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	want := everything(t, s)
	due, err := s.Due(t.Context(), time.Now().AddDate(10, 0, 0), 100)
	if err != nil || len(due) != 19 {
		t.Fatalf("Due = %d ids, %v, want 19", len(due), err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}

	s = open(t, path)
	if diff := cmp.Diff(want, everything(t, s)); diff != "" {
		t.Errorf("List after reopening differs (-want +got):\n%s", diff)
	}
	again, err := s.Due(t.Context(), time.Now().AddDate(10, 0, 0), 100)
	if diff := cmp.Diff(due, again); err != nil || diff != "" {
		t.Errorf("Due after reopening differs (-want +got), %v:\n%s", err, diff)
	}
	for _, h := range want {
		for _, key := range h.Keys() {
			if got, err := s.Lookup(t.Context(), key); err != nil || got.ID != h.ID {
				t.Errorf("Lookup(%.12s… of %s) after reopening = %s, %v", key, h.ID, got.ID, err)
			}
		}
	}
}

func TestOnlyOneMayHaveItOpen(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	_, err := boltstore.Open(path, boltstore.Options{LockWait: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("Open of an open store = %v, want an error that names %s and another process", err, path)
	}
	create(t, s, 1)
}

func TestFileMode(t *testing.T) {
	path := newPath(t)
	open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode of a new file = %o, want 600", got)
	}
}

func TestOpenFaults(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	s := open(t, newer)
	if err := s.SetFormat("2"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                             "is a directory",
		filepath.Join(dir, "no", "way"): "no such file or directory",
		garbage:                         "invalid database",
		newer:                           "newer",
	} {
		_, err := boltstore.Open(path, boltstore.Options{})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%s) = %v, want an error that names it and says %q", path, err, want)
		}
		// A refused file is let go of.
		if err != nil && path == newer {
			if _, err := boltstore.Open(path, boltstore.Options{LockWait: time.Millisecond}); strings.Contains(err.Error(), "another process") {
				t.Errorf("Open(%s) again = %v, want the same as before", path, err)
			}
		}
	}
}

func TestBackup(t *testing.T) {
	s := open(t, newPath(t))
	create(t, s, 20)
	path := newPath(t)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), f); err != nil {
		t.Errorf("Backup: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(everything(t, s), everything(t, open(t, path))); diff != "" {
		t.Errorf("List of a backup differs (-want +got):\n%s", diff)
	}
}

// TestSpaceIsUsedAgain: what the worker sweeps makes room for what comes.
func TestSpaceIsUsedAgain(t *testing.T) {
	s := open(t, newPath(t))
	const kept, rounds = 40, 20
	var halfway int64
	for n := range rounds * kept {
		if _, err := s.Create(t.Context(), storetest.Handoff(n)); err != nil {
			t.Fatalf("Create(%d): %v", n, err)
		}
		if n >= kept {
			if err := s.Delete(t.Context(), storetest.Handoff(n-kept).ID); err != nil {
				t.Fatalf("Delete(%d): %v", n-kept, err)
			}
		}
		if n == rounds/2*kept {
			halfway = s.Used()
		}
	}
	if got := s.Used(); got > halfway*5/4 {
		t.Errorf("the file used %d bytes after all its handoffs were replaced %d times, and %d halfway; want about as many", got, rounds, halfway)
	}
}
