package redisstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/redistest"
	"github.com/handoff-portal/handoff/internal/store/redisstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

// A key that leads to a handoff without a record finds nothing. It stays taken as
// long as a process may be about to write that record, and is free again once that
// process must have died.
func TestKeyWithoutARecord(t *testing.T) {
	client, prefix := connect(t, redistest.Address(t)), redistest.Prefix()
	s := redisstore.New(client, redisstore.Options{Prefix: prefix})
	h := storetest.Handoff(1)
	key := h.Keys()[0]
	now, err := client.Time(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	pointer := func(age time.Duration) {
		t.Helper()
		value := fmt.Sprintf("%s@%d", storetest.Handoff(2).ID, now.Add(-age).UnixMilli())
		if err := client.Set(t.Context(), prefix+":k:"+string(key), value, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
	}
	pointer(0)
	if _, err := s.Lookup(t.Context(), key); handoff.CodeOf(err) != handoff.CodeNotFound {
		t.Errorf("Lookup(key without a record) = %v, want code %s", err, handoff.CodeNotFound)
	}
	if _, err := s.Create(t.Context(), h); handoff.CodeOf(err) != handoff.CodeConflict {
		t.Errorf("Create(key that another just reserved) = %v, want code %s", err, handoff.CodeConflict)
	}
	if _, err := s.Get(t.Context(), h.ID); handoff.CodeOf(err) != handoff.CodeNotFound {
		t.Errorf("Get(handoff whose Create was refused) = %v, want code %s", err, handoff.CodeNotFound)
	}
	pointer(time.Hour)
	if _, err := s.Create(t.Context(), h); err != nil {
		t.Errorf("Create(key that another reserved an hour ago and never used) = %v", err)
	}
	if got, err := s.Lookup(t.Context(), key); err != nil || got.ID != h.ID {
		t.Errorf("Lookup after that = %s, %v, want %s", got.ID, err, h.ID)
	}
}

// Everything in Redis expires by itself, long after it was of use: nobody has to
// clean up behind a portal that was given up.
func TestEverythingExpires(t *testing.T) {
	client, prefix := connect(t, redistest.Start(t).Addr), redistest.Prefix()
	s := redisstore.New(client, redisstore.Options{Prefix: prefix})
	h := storetest.Handoff(1)
	if _, err := s.Create(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(t.Context(), h.ID, add); err != nil {
		t.Fatal(err)
	}
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) < 5 {
		t.Fatalf("KEYS = %v, %v", keys, err)
	}
	for _, k := range keys {
		left, err := client.TTL(t.Context(), k).Result()
		if err != nil {
			t.Fatal(err)
		}
		// The index of what is due outlives its entries, which go with their handoffs.
		if !strings.HasSuffix(k, ":due") && (left < 30*24*time.Hour || left > 60*24*time.Hour) {
			t.Errorf("%s expires in %s, want a month after its use", k, left)
		}
	}
	if err := s.Delete(t.Context(), h.ID); err != nil {
		t.Fatal(err)
	}
	if n, err := client.DBSize(t.Context()).Result(); n != 0 || err != nil {
		t.Errorf("%d keys are left, %v, of a handoff that was forgotten", n, err)
	}
}
