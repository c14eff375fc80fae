package record_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

func TestTimeSorts(t *testing.T) {
	times := []time.Time{
		{},
		time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Unix(0, 0),
		time.Unix(0, 1),
		time.Unix(1, 0),
		time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("east", 3600)),
		time.Date(2026, 1, 2, 2, 4, 5, 7, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	}
	for i, a := range times {
		if got := len(record.Time(a)); got != record.TimeSize {
			t.Errorf("Time(%s) has %d bytes, want %d", a, got, record.TimeSize)
		}
		for _, b := range times[i+1:] {
			if bytes.Compare(record.Time(a), record.Time(b)) >= 0 {
				t.Errorf("Time(%s) does not sort before Time(%s)", a, b)
			}
			newer := record.Place(handoff.Handoff{CreatedAt: b, ID: "z"})
			if bytes.Compare(newer, record.Place(handoff.Handoff{CreatedAt: a, ID: "a"})) >= 0 {
				t.Errorf("Place(made %s) does not sort before Place(made %s)", b, a)
			}
		}
	}
}

func made(n int) handoff.Handoff {
	return handoff.Handoff{ID: handoff.ID(fmt.Sprintf("ho_%022d", n)), Partner: "acme", CreatedAt: time.Unix(1_000_000-int64(n), 0)}
}

// entries yields the places and records of handoffs 0 to n-1, after the place start.
func entries(t *testing.T, n int, start []byte) iter.Seq2[[]byte, []byte] {
	t.Helper()
	return func(yield func(place, rec []byte) bool) {
		for i := range n {
			h := made(i)
			rec, err := record.Marshal(h)
			if err != nil {
				t.Fatal(err)
			}
			switch i {
			case 1:
				rec = nil // an entry whose record is not there
			case 2:
				rec = bytes.Replace(rec, []byte("acme"), []byte("acne"), 1) // an index that is wrong
			}
			place := record.Place(h)
			if i == 3 {
				place[0]++ // an entry that was left over
			}
			if bytes.Compare(place, start) > 0 && !yield(place, rec) {
				return
			}
		}
	}
}

func TestCollectChecksEntries(t *testing.T) {
	page, err := record.NewCache(8).Collect(handoff.Query{Partner: "acme", Limit: 10}, entries(t, 6, nil))
	if err != nil {
		t.Fatalf("Collect: %v", err)
	}
	var got []handoff.ID
	for _, h := range page.Items {
		got = append(got, h.ID)
	}
	if want := []handoff.ID{made(0).ID, made(4).ID, made(5).ID}; fmt.Sprint(got) != fmt.Sprint(want) || page.Next != "" {
		t.Errorf("Collect of six entries, three of them wrong = %v, next %q, want %v and no next", got, page.Next, want)
	}
}

func TestCollectIsBounded(t *testing.T) {
	q := handoff.Query{Partner: "nobody", Limit: 10}
	const count = 2*record.MaxExamined + 1
	for pages := 1; ; pages++ {
		start, err := record.Start(q)
		if err != nil {
			t.Fatalf("Start(%q): %v", q.Cursor, err)
		}
		examined := 0
		page, err := record.NewCache(8).Collect(q, func(yield func(place, rec []byte) bool) {
			for place, rec := range entries(t, count, start) {
				examined++
				if !yield(place, rec) {
					return
				}
			}
		})
		if err != nil || examined > record.MaxExamined+1 {
			t.Errorf("Collect looked at %d entries, %v, want %d and one more at most", examined, err, record.MaxExamined)
		}
		if page.Next == "" {
			if pages != 3 {
				t.Errorf("%d entries that do not match made %d pages, want 3", count, pages)
			}
			return
		}
		q.Cursor = page.Next
	}
}

func TestCollectFault(t *testing.T) {
	_, err := record.NewCache(8).Collect(handoff.Query{Partner: "acme", Limit: 10}, func(yield func(place, rec []byte) bool) {
		yield(record.Place(made(0)), []byte("torn"))
	})
	if err == nil {
		t.Error("Collect(record that is none) = nil error, want one")
	}
}

func TestStart(t *testing.T) {
	place := record.Place(made(1))
	good := handoff.Query{Limit: 1, Cursor: record.Cursor(place)}
	if got, err := record.Start(good); err != nil || !bytes.Equal(got, place) {
		t.Errorf("Start(%q) = %x, %v, want %x", good.Cursor, got, err, place)
	}
	if got, err := record.Start(handoff.Query{Limit: 100}); err != nil || got != nil {
		t.Errorf("Start(no cursor) = %x, %v, want nil", got, err)
	}
	for _, cursor := range []string{
		good.Cursor + "\n", base64.StdEncoding.EncodeToString([]byte("????????????????")), record.Cursor(place[:record.TimeSize]),
		record.Cursor(place[:len(place)-1]), record.Cursor(append(place, 'x')), record.Cursor([]byte("short")),
	} {
		if _, err := record.Start(handoff.Query{Limit: 1, Cursor: cursor}); handoff.CodeOf(err) != handoff.CodeInvalid || err == nil {
			t.Errorf("Start(%q) = %v, want code %s", cursor, err, handoff.CodeInvalid)
		}
	}
}

func FuzzStart(f *testing.F) {
	f.Add(record.Cursor(record.Place(made(1))))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		place, err := record.Start(handoff.Query{Limit: 1, Cursor: cursor})
		if err == nil && record.Cursor(place) != cursor && cursor != "" {
			t.Errorf("Start(%q) = %x, which is the cursor %q", cursor, place, record.Cursor(place))
		}
	})
}
