package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

// Used is how much of the file has ever been used, in bytes.
func (s *Store) Used() int64 {
	var n int64
	_ = s.db.View(func(tx *bolt.Tx) error {
		n = tx.Size()
		return nil
	})
	return n
}

// Check looks for damage to the tree, and for an index that says other than the
// records. A closed store is not checked.
func (s *Store) Check() error {
	err := s.view(context.Background(), func(r reader) error {
		var faults []error
		for err := range r.tx.Check() {
			faults = append(faults, err)
		}
		want := map[string]int{}
		expect := func(bucket string, key []byte) { want[bucket+"\x00"+string(key)]++ }
		err := r.records.ForEach(func(id, value []byte) error {
			due, rec, err := split(value)
			if err != nil {
				return err
			}
			h, err := record.Unmarshal(rec)
			if err != nil {
				return err
			}
			if string(h.ID) != string(id) || !bytes.Equal(due, record.Time(h.DueAt())) {
				faults = append(faults, fmt.Errorf("record %s says %s, due %s", id, h.ID, h.DueAt()))
			}
			for _, k := range h.Keys() {
				expect(keyBucket, []byte(k))
				if owner := r.keys.Get([]byte(k)); !bytes.Equal(owner, id) {
					faults = append(faults, fmt.Errorf("a key of %s leads to %q", id, owner))
				}
			}
			expect(dueBucket, dueKey(due, handoff.ID(id)))
			partner, instance := places(h)
			expect(partnerBucket, partner)
			expect(instanceBucket, instance)
			return nil
		})
		if err != nil {
			return err
		}
		for _, name := range []string{keyBucket, dueBucket, partnerBucket, instanceBucket} {
			if err := r.tx.Bucket([]byte(name)).ForEach(func(k, _ []byte) error {
				want[name+"\x00"+string(k)]--
				return nil
			}); err != nil {
				return err
			}
		}
		for entry, n := range want {
			if n != 0 {
				faults = append(faults, fmt.Errorf("entry %q is there %+d times too few", entry, n))
			}
		}
		return errors.Join(faults...)
	})
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// Commits counts the transactions ever committed to the file.
func (s *Store) Commits() int {
	n := 0
	_ = s.db.View(func(tx *bolt.Tx) error {
		n = tx.ID()
		return nil
	})
	return n
}

// SetFormat makes the file one of another layout.
func (s *Store) SetFormat(f string) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(aboutBucket)).Put([]byte("format"), []byte(f))
	})
}
