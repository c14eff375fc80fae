package boltstore_test

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

// aloneVar marks the process of a test that has one of its own.
const aloneVar = "HANDOFF_TEST_ALONE"

// alone reports whether this is the test's own process, and else runs the test in
// one. A limit holds for all files of a process, and among those of go test is the
// log that its cache is made of.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(aloneVar) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), aloneVar+"=1")
	said, err := cmd.CombinedOutput()
	switch {
	case err != nil || !bytes.Contains(said, []byte("=== RUN")):
		t.Errorf("in a process of its own: %v\n%s", err, said)
	case bytes.Contains(said, []byte("--- SKIP")):
		t.Skipf("in a process of its own: %s", said)
	}
	return false
}

// limitFiles makes the kernel refuse to write beyond n bytes of any file, as it
// does when a disk is full.
func limitFiles(t *testing.T, n uint64) (lift func()) {
	t.Helper()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Skipf("limiting the size of files: %v", err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: was.Max}); err != nil {
		t.Skipf("limiting the size of files: %v", err)
	}
	lifted := false
	lift = func() {
		if lifted {
			return
		}
		lifted = true
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Fatalf("lifting the limit of the size of files: %v", err)
		}
		signal.Reset(syscall.SIGXFSZ)
	}
	t.Cleanup(lift)
	return lift
}

// TestFullDisk: at the first limit bbolt fails to write a page, at the second to
// make the file longer.
func TestFullDisk(t *testing.T) {
	if !alone(t) {
		return
	}
	for _, limit := range []uint64{1 << 20, 17 << 20} {
		s := open(t, newPath(t))
		create(t, s, 1)
		lift := limitFiles(t, limit)
		saved := fill(t, s)
		if saved < 2 {
			t.Errorf("%d creates went well before the file reached %d bytes, want some", saved, limit)
		}
		full := sized(saved+1, int(limit)) // no pages that are free can hold it, however they lie
		if _, err := s.Create(t.Context(), full); handoff.CodeOf(err) != handoff.CodeStoreUnavailable {
			t.Errorf("Create on a full disk = %v, want code %s", err, handoff.CodeStoreUnavailable)
		}
		if _, err := s.Get(t.Context(), full.ID); handoff.CodeOf(err) != handoff.CodeNotFound {
			t.Errorf("Get(handoff whose Create failed) = %v, want code %s", err, handoff.CodeNotFound)
		}
		for _, n := range []int{0, saved / 2, saved} {
			wantSeq(t, s, n, storetest.Handoff(n).Seq)
		}
		if err := s.Check(); err != nil {
			t.Errorf("the file on a full disk: %v", err)
		}

		lift()
		for _, n := range []int{0, saved / 2, saved} {
			if _, err := s.Update(t.Context(), storetest.Handoff(n).ID, add); err != nil {
				t.Errorf("Update(%d) when there is room again: %v", n, err)
			}
			wantSeq(t, s, n, storetest.Handoff(n).Seq+1)
		}
		if _, err := s.Create(t.Context(), big(saved+1)); err != nil {
			t.Errorf("Create when there is room again: %v", err)
		}
	}
}

// TestOpenOnAFullDisk: a portal that restarts on a full disk can still be read.
func TestOpenOnAFullDisk(t *testing.T) {
	if !alone(t) {
		return
	}
	path := newPath(t)
	s := open(t, path)
	create(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	defer limitFiles(t, 1)()
	s, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatalf("Open on a full disk: %v", err)
	}
	wantSeq(t, s, 0, storetest.Handoff(0).Seq)
	if _, err := s.Update(t.Context(), storetest.Handoff(0).ID, add); err == nil {
		t.Error("Update on a full disk = nil, want an error")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close on a full disk: %v", err)
	}
}

// big is a handoff of about 150 KB in the file.
func big(n int) handoff.Handoff { return sized(n, 110_000) }

// sized is a handoff of more than this size in bytes.
func sized(n, size int) handoff.Handoff {
	h := storetest.Handoff(n)
	h.DisplayKey = make(handoff.Sealed, size)
	return h
}

// fill creates big handoffs from number 1 on until one fails twice, and returns
// how many were saved. One more may still fit: bbolt takes free pages by chance.
func fill(t *testing.T, s *boltstore.Store) int {
	t.Helper()
	for n := range 1000 {
		if _, err := s.Create(t.Context(), big(n+1)); err == nil {
			continue
		}
		// What an earlier commit freed may come in pieces that suit the next try.
		if _, err := s.Create(t.Context(), big(n+1)); err != nil {
			return n
		}
	}
	t.Fatal("1000 big handoffs fit below the limit")
	return 0
}
