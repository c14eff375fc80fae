package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/store/boltstore"
)

// A copy made while the portal serves holds what was there, and takes nobody's place.
func TestBackup(t *testing.T) {
	s := serveWithSim(t)
	_, page := newPerson(t, "desk").get(create(t, s.public, s.key))
	id := find(t, page, `data-id="(ho_[^"]+)"`)
	dir := t.TempDir()
	to := filepath.Join(dir, "copy.db")
	out, err := call(t, "backup", to, "--address", s.inside)
	if err != nil || !strings.Contains(out, "whole") {
		t.Fatalf("run(backup) = %q, %v", out, err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy is %v, %v, want it readable by its owner only", info, err)
	}
	copied, err := boltstore.Open(to, boltstore.Options{})
	if err != nil {
		t.Fatalf("Open(the copy) = %v", err)
	}
	defer copied.Close()
	ids, err := copied.Due(t.Context(), time.Now().AddDate(1, 0, 0), 10)
	if err != nil || len(ids) != 1 || string(ids[0]) != id {
		t.Errorf("the copy holds %v, %v, want %s", ids, err, id)
	}
	for _, args := range [][]string{
		{to, "--address", s.inside},
		{filepath.Join(dir, "none", "copy.db"), "--address", s.inside},
		{filepath.Join(dir, "other.db"), "--address", "127.0.0.1:1"},
	} {
		if _, err := call(t, append([]string{"backup"}, args...)...); exitStatus(err) != exitFaults {
			t.Errorf("run(backup %q) = %v, want exit status 1", args, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("beside the copy: %v, %v, want nothing", left, err)
	}
}
