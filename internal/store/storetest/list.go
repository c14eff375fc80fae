package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

func listOrder(t *testing.T, s handoff.Store) {
	wantList(t, s, handoff.Query{Partner: "acme", Limit: 10})
	for _, n := range []int{3, 1, 4, 2} {
		mustCreate(t, s, Handoff(n))
	}
	// Partners whose names and instances run into one another.
	for n, partner := range map[int]handoff.PartnerID{10: "acm", 11: "acmee", 12: "ac"} {
		h := Handoff(n)
		h.Partner = partner
		mustCreate(t, s, h)
	}
	wantList(t, s, handoff.Query{Partner: "acme", Limit: 10}, Handoff(4).ID, Handoff(3).ID, Handoff(2).ID, Handoff(1).ID)
	wantList(t, s, handoff.Query{Partner: "acm", Limit: 10}, Handoff(10).ID)
	wantList(t, s, handoff.Query{Partner: "a", Limit: 10})
	wantList(t, s, handoff.Query{Partner: "acm", Instance: Handoff(4).Instance, Limit: 10})
}

func listPages(t *testing.T, s handoff.Store) {
	// Three made at each instant, which only the order of their ids tells apart.
	const count = 21
	for n := range count {
		h := Handoff(n)
		h.CreatedAt = Handoff(n / 3).CreatedAt
		h.Instance = "instance-of-them-all"
		mustCreate(t, s, h)
	}
	want := all(t, s, handoff.Query{Partner: "acme", Limit: 100})
	if got := len(slices.Compact(slices.Sorted(slices.Values(want)))); got != count {
		t.Fatalf("List = %d different handoffs, want %d", got, count)
	}
	for limit := 1; limit <= count+1; limit++ {
		wantList(t, s, handoff.Query{Partner: "acme", Limit: limit}, want...)
		wantList(t, s, handoff.Query{Partner: "acme", Instance: "instance-of-them-all", Limit: limit}, want...)
	}
	for _, limit := range []int{count, 7} {
		q := handoff.Query{Partner: "acme", Limit: limit}
		for range count/limit - 1 {
			page, err := s.List(t.Context(), q)
			if err != nil {
				t.Fatalf("List(%+v): %v", q, err)
			}
			if q.Cursor = page.Next; page.Next == "" {
				t.Fatalf("List(%+v).Next is empty before the last page", q)
			}
		}
		page, err := s.List(t.Context(), q)
		if err != nil || len(page.Items) != limit || page.Next != "" {
			t.Errorf("List of the last, full page = %d items, next %q, %v, want %d and no next", len(page.Items), page.Next, err, limit)
		}
	}
}

func listWhileChanging(t *testing.T, s handoff.Store) {
	for n := 10; n < 20; n++ {
		mustCreate(t, s, Handoff(n))
	}
	q := handoff.Query{Partner: "acme", Limit: 3}
	first, err := s.List(t.Context(), q)
	if err != nil {
		t.Fatalf("List(%+v): %v", q, err)
	}
	// Between two pages: newer ones, an older one, an update, and the end of the
	// very one the cursor stands on.
	mustCreate(t, s, Handoff(30))
	mustCreate(t, s, Handoff(31))
	mustCreate(t, s, Handoff(1))
	mustUpdate(t, s, Handoff(15).ID, claimed)
	if err := s.Delete(t.Context(), first.Items[2].ID); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	q.Cursor = first.Next
	var want []handoff.ID
	for _, n := range []int{16, 15, 14, 13, 12, 11, 10, 1} {
		want = append(want, Handoff(n).ID)
	}
	wantList(t, s, q, want...)
}

func listFilters(t *testing.T, s handoff.Store) {
	const count = 24
	var made []handoff.Handoff
	for n := range count {
		h := Handoff(n)
		h.Instance = handoff.InstanceID(fmt.Sprintf("instance%08d", n%2))
		h.Status = []handoff.Status{handoff.StatusCreated, handoff.StatusDisplayed, handoff.StatusExpired}[n%3]
		h.Terms.Reference = fmt.Sprintf("order %d", n%4)
		mustCreate(t, s, h)
		made = append(made, h)
	}
	slices.Reverse(made)
	for _, instance := range []handoff.InstanceID{"", "instance00000001", "instance00000009", "instance0000000"} {
		for _, status := range []handoff.Status{"", handoff.StatusExpired, handoff.StatusClaimed} {
			for _, reference := range []string{"", "order 1", "order"} {
				for _, limit := range []int{1, 2, 5, 100} {
					q := handoff.Query{Partner: "acme", Instance: instance, Status: status, Reference: reference, Limit: limit}
					var want []handoff.ID
					for _, h := range made {
						if q.Matches(h) {
							want = append(want, h.ID)
						}
					}
					wantList(t, s, q, want...)
				}
			}
		}
	}
}

func listFollowsUpdates(t *testing.T, s handoff.Store) {
	h := Handoff(1)
	mustCreate(t, s, h)
	mustCreate(t, s, Handoff(2))
	mustUpdate(t, s, h.ID, claimed)
	wantList(t, s, handoff.Query{Partner: "acme", Status: handoff.StatusDisplayed, Limit: 10}, Handoff(2).ID)
	wantList(t, s, handoff.Query{Partner: "acme", Status: handoff.StatusClaimed, Limit: 10}, h.ID)

	// A handoff whose journey is still to be started gets its instance later. When
	// it was made never changes; a store that is told otherwise must still have one
	// entry for it.
	mustUpdate(t, s, h.ID, func(h handoff.Handoff) handoff.Handoff {
		h.CreatedAt = h.CreatedAt.Add(time.Hour)
		h.Instance = "another-instance"
		return h
	})
	wantList(t, s, handoff.Query{Partner: "acme", Limit: 10}, h.ID, Handoff(2).ID)
	wantList(t, s, handoff.Query{Partner: "acme", Instance: "another-instance", Limit: 10}, h.ID)
	wantList(t, s, handoff.Query{Partner: "acme", Instance: h.Instance, Limit: 10})
}

func listFaults(t *testing.T, s handoff.Store) {
	mustCreate(t, s, Handoff(1))
	mustCreate(t, s, Handoff(2))
	q := handoff.Query{Partner: "acme", Limit: 1}
	page, err := s.List(t.Context(), q)
	if err != nil {
		t.Fatalf("List(%+v): %v", q, err)
	}
	good := page.Next
	for _, cursor := range []string{"!", "x", "AAAA", good[1:], good[:len(good)-1], good + "A", good + "AAAA", good + "=", good + "\n", string(Handoff(1).ID)} {
		q.Cursor = cursor
		_, err := s.List(t.Context(), q)
		wantCode(t, fmt.Sprintf("List(cursor %q)", cursor), err, handoff.CodeInvalid)
	}
	for _, limit := range []int{-1, 0, 101} {
		_, err := s.List(t.Context(), handoff.Query{Partner: "acme", Limit: limit})
		wantCode(t, fmt.Sprintf("List(limit %d)", limit), err, handoff.CodeInvalid)
	}
}

// listNeedleInHaystack: among far more handoffs than a store looks at for one
// page, the few that match are all found, and a list without any ends.
func listNeedleInHaystack(t *testing.T, s handoff.Store) {
	if testing.Short() {
		t.Skip("makes 1,300 handoffs")
	}
	const count, makers = 1300, 50
	var want []handoff.ID
	var wg sync.WaitGroup
	for n := count - 1; n >= 0; n-- {
		if n%599 == 0 {
			want = append(want, Handoff(n).ID)
		}
	}
	for m := range makers {
		wg.Go(func() {
			for n := m; n < count; n += makers {
				h := Handoff(n)
				if n%599 == 0 {
					h.Terms.Reference = "needle"
				}
				if _, err := s.Create(t.Context(), h); err != nil {
					t.Errorf("Create(%s): %v", h.ID, err)
				}
			}
		})
	}
	wg.Wait()
	for _, limit := range []int{1, 100} {
		wantList(t, s, handoff.Query{Partner: "acme", Reference: "needle", Limit: limit}, want...)
		wantList(t, s, handoff.Query{Partner: "acme", Reference: "pin", Limit: limit})
	}
	wantList(t, s, handoff.Query{Partner: "acme", Instance: Handoff(7).Instance, Limit: 1}, Handoff(7).ID)
}

func dueOrder(t *testing.T, s handoff.Store) {
	wantDue(t, s, farFuture(), 10)
	for _, n := range []int{3, 1, 4, 2} {
		mustCreate(t, s, Handoff(n))
	}
	at := Handoff(2).DueAt()
	wantDue(t, s, at, 10, Handoff(1).ID, Handoff(2).ID)
	wantDue(t, s, at.Add(-time.Nanosecond), 10, Handoff(1).ID)
	wantDue(t, s, at.Add(time.Nanosecond).In(time.FixedZone("east", 3600)), 10, Handoff(1).ID, Handoff(2).ID)
	wantDue(t, s, farFuture(), 3, Handoff(1).ID, Handoff(2).ID, Handoff(3).ID)
	wantDue(t, s, farFuture(), 0)
	wantDue(t, s, time.Time{}, 10)
}

func dueFollowsUpdates(t *testing.T, s handoff.Store) {
	for n := range 3 {
		mustCreate(t, s, Handoff(n))
	}
	mustUpdate(t, s, Handoff(0).ID, func(h handoff.Handoff) handoff.Handoff {
		h.Deadline = h.Deadline.Add(time.Hour)
		return h
	})
	wantDue(t, s, farFuture(), 10, Handoff(1).ID, Handoff(2).ID, Handoff(0).ID)
	mustUpdate(t, s, Handoff(2).ID, func(h handoff.Handoff) handoff.Handoff {
		h.Deadline = h.Deadline.Add(-time.Hour)
		return h
	})
	wantDue(t, s, farFuture(), 10, Handoff(2).ID, Handoff(1).ID, Handoff(0).ID)
	ended := mustUpdate(t, s, Handoff(1).ID, func(h handoff.Handoff) handoff.Handoff {
		h.Status, h.EndedAt = handoff.StatusExpired, h.Deadline
		return h
	})
	wantDue(t, s, farFuture(), 10, Handoff(2).ID, Handoff(0).ID, Handoff(1).ID)
	wantDue(t, s, ended.PurgeAt().Add(-1), 10, Handoff(2).ID, Handoff(0).ID)
	if err := s.Delete(t.Context(), Handoff(2).ID); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	wantDue(t, s, farFuture(), 10, Handoff(0).ID, Handoff(1).ID)
}
