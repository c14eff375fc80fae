package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

// The buckets. What the indices hold is in their keys; their values are empty.
const (
	aboutBucket    = "about"    // "format" → layout of the file
	recordBucket   = "records"  // id → time it is due, as in the due index, and record
	keyBucket      = "keys"     // key → id
	dueBucket      = "due"      // time, id
	partnerBucket  = "partner"  // partner, place
	instanceBucket = "instance" // partner, instance, place
)

func buckets() []string {
	return []string{aboutBucket, recordBucket, keyBucket, dueBucket, partnerBucket, instanceBucket}
}

// reader is the buckets in a transaction.
type reader struct {
	tx                                      *bolt.Tx
	records, keys, due, partners, instances *bolt.Bucket
}

// newLookup opens what finds a single handoff: to open a bucket costs as much as to
// read from it.
func newLookup(tx *bolt.Tx) reader {
	return reader{tx: tx, records: tx.Bucket([]byte(recordBucket)), keys: tx.Bucket([]byte(keyBucket))}
}

func newReader(tx *bolt.Tx) reader {
	return reader{
		tx:        tx,
		records:   tx.Bucket([]byte(recordBucket)),
		keys:      tx.Bucket([]byte(keyBucket)),
		due:       tx.Bucket([]byte(dueBucket)),
		partners:  tx.Bucket([]byte(partnerBucket)),
		instances: tx.Bucket([]byte(instanceBucket)),
	}
}

// errTorn says that the file holds something that nobody wrote.
var errTorn = errors.New("a stored value is too short")

// split parts a value of the record bucket. The time is kept beside the record,
// so that a program with another rule for it finds the entry this one made.
func split(value []byte) (due, rec []byte, err error) {
	if len(value) < record.TimeSize {
		return nil, nil, errTorn
	}
	return value[:record.TimeSize], value[record.TimeSize:], nil
}

func decode(value []byte) (handoff.Handoff, error) {
	_, rec, err := split(value)
	if err != nil {
		return handoff.Handoff{}, err
	}
	return record.Unmarshal(rec)
}

func dueKey(due []byte, id handoff.ID) []byte { return append(slices.Clip(due), id...) }

func partnerPrefix(p handoff.PartnerID) []byte { return appendField(nil, string(p)) }

func instancePrefix(p handoff.PartnerID, i handoff.InstanceID) []byte {
	return appendField(appendField(nil, string(p)), string(i))
}

// appendField appends s after its length, so that no field runs into the next.
func appendField(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// writer changes the buckets, and counts how often.
type writer struct {
	reader
	changes int
}

func (w *writer) put(b *bolt.Bucket, key, value []byte) error {
	w.changes++
	return b.Put(key, value)
}

func (w *writer) delete(b *bolt.Bucket, key []byte) error {
	w.changes++
	return b.Delete(key)
}

// move takes away the index entry was and makes the entry is. Either may be nil.
func (w *writer) move(b *bolt.Bucket, was, is []byte) error {
	if bytes.Equal(was, is) {
		return nil
	}
	if was != nil {
		if err := w.delete(b, was); err != nil {
			return err
		}
	}
	if is == nil {
		return nil
	}
	return w.put(b, is, nil)
}

// stored is a handoff as it is in the file.
type stored struct {
	handoff handoff.Handoff
	due     []byte
}

// replace changes everything that the file holds of one handoff. A nil was
// makes it, a nil is forgets it, and rec is the record of is. It reads before it
// writes, so that a conflict leaves no trace in the transaction.
func (w *writer) replace(id handoff.ID, was, is *stored, rec []byte) error {
	var old, wanted []handoff.Key
	var from, to stored // their zero values stand for nothing
	var fromDue, fromPartner, fromInstance, toDue, toPartner, toInstance []byte
	if was != nil {
		from = *was
		old = from.handoff.Keys()
		fromDue = dueKey(from.due, id)
		fromPartner, fromInstance = places(from.handoff)
	}
	if is != nil {
		to = *is
		wanted = to.handoff.Keys()
		toDue = dueKey(to.due, id)
		toPartner, toInstance = places(to.handoff)
	}

	var added []handoff.Key
	for _, k := range wanted {
		owner := handoff.ID(w.keys.Get([]byte(k)))
		if owner == id {
			continue
		}
		if owner != "" {
			taken, err := w.holds(owner, k)
			if err != nil {
				return err
			}
			if taken {
				return handoff.Errorf(handoff.CodeConflict, "a key belongs to another handoff")
			}
		}
		added = append(added, k)
	}

	for _, k := range added {
		if err := w.put(w.keys, []byte(k), []byte(id)); err != nil {
			return fmt.Errorf("saving a key: %w", err)
		}
	}
	for _, k := range old {
		if slices.Contains(wanted, k) || handoff.ID(w.keys.Get([]byte(k))) != id {
			continue
		}
		if err := w.delete(w.keys, []byte(k)); err != nil {
			return fmt.Errorf("forgetting a key: %w", err)
		}
	}
	if err := errors.Join(
		w.move(w.due, fromDue, toDue),
		w.move(w.partners, fromPartner, toPartner),
		w.move(w.instances, fromInstance, toInstance),
	); err != nil {
		return fmt.Errorf("saving the index: %w", err)
	}
	if is == nil {
		return w.delete(w.records, []byte(id))
	}
	return w.put(w.records, []byte(id), slices.Concat(to.due, rec))
}

// holds reports whether there is a handoff with this ID and this key.
func (w *writer) holds(id handoff.ID, k handoff.Key) (bool, error) {
	value := w.records.Get([]byte(id))
	if value == nil {
		return false, nil
	}
	h, err := decode(value)
	if err != nil {
		return false, err
	}
	return slices.Contains(h.Keys(), k), nil
}

// places are the entries of h in the two list indices.
func places(h handoff.Handoff) (partner, instance []byte) {
	place := record.Place(h)
	return append(partnerPrefix(h.Partner), place...), append(instancePrefix(h.Partner, h.Instance), place...)
}
