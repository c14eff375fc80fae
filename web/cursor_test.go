package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// TestPagesHoldStill: whoever pages while handoffs are made sees every older one,
// once, and none of the new ones; a cursor shows a partner its own alone.
func TestPagesHoldStill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.bolt = true })
	type list struct {
		Items []wire
		Next  *string
	}
	get := func(key handoff.Secret, query string) (l list) {
		t.Helper()
		a := w.callAs(key, http.MethodGet, "/v1/handoffs"+query, nil)
		if a.StatusCode != http.StatusOK {
			t.Fatalf("GET /v1/handoffs%s = %d %s, want 200", query, a.StatusCode, a.body)
		}
		a.json(t, &l)
		return l
	}
	var old, theirs []string
	for range 7 {
		old = append(old, w.create().ID)
		var h wire
		w.callAs(w.other, http.MethodPost, "/v1/handoffs", map[string]string{"instanceId": newInstance()}).json(t, &h)
		theirs = append(theirs, h.ID)
	}
	slices.Reverse(old) // newest first

	var seen, cursors []string
	for query := "?limit=2"; ; {
		l := get(w.key, query)
		for _, h := range l.Items {
			seen = append(seen, h.ID)
		}
		w.create()
		w.call(http.MethodPost, "/v1/handoffs/"+seen[len(seen)-1]+"/cancel", nil) // the very one that the next page follows
		if l.Next == nil {
			break
		}
		cursors = append(cursors, *l.Next)
		query = "?limit=2&cursor=" + *l.Next
	}
	if !slices.Equal(seen, old) || len(cursors) != 3 {
		t.Errorf("in pages of two, %d times on: %v\nwant %v", len(cursors), seen, old)
	}
	if l := get(w.key, "?limit=2&cursor="+cursors[0]); len(l.Items) != 2 || l.Items[0].ID != old[2] || l.Items[1].ID != old[3] {
		t.Errorf("the second page once more = %+v, want %v", l.Items, old[2:4])
	}

	for _, cursor := range cursors {
		l := get(w.other, "?cursor="+cursor)
		if len(l.Items) == 0 { // each stands between handoffs of both
			t.Errorf("the other partner sees nothing of its own at the cursor %s", cursor)
		}
		for _, h := range l.Items {
			if !slices.Contains(theirs, h.ID) {
				t.Errorf("at the cursor %s the other partner sees %s, which is not its own", cursor, h.ID)
			}
		}
	}
	good := cursors[0]
	for _, cursor := range []string{"x", good[1:], good + "A", good[:len(good)-1] + "%00", old[0], strings.Repeat("A", 5000)} {
		w.raw(http.MethodGet, "/v1/handoffs?cursor="+cursor, "").wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
	}
}
