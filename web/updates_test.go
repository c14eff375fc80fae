package web_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/reqctx"
)

// updates counts the changes of handoffs that requests make. The portal's own work,
// such as telling a partner, is not counted.
type updates struct {
	handoff.Store
	count atomic.Int64
}

func (u *updates) Update(ctx context.Context, id handoff.ID, fn func(handoff.Handoff) (handoff.Handoff, error)) (handoff.Handoff, error) {
	h, err := u.Store.Update(ctx, id, fn)
	if err == nil && reqctx.ID(ctx) != "" {
		u.count.Add(1)
	}
	return h, err
}

// TestOneUpdateAStep counts what each step of a story writes: once, or, where the
// platform is asked meanwhile, once before, so that one process asks, and once after.
// Looking again writes nothing.
func TestOneUpdateAStep(t *testing.T) {
	t.Parallel()
	u := &updates{}
	w := newWorld(t, func(s *setting) {
		s.confirmation = handoff.ConfirmNever
		s.wrap = func(store handoff.Store) handoff.Store { u.Store = store; return u }
	})
	desk, phone := w.person(desktop), w.person(iPhone)
	var h wire
	var link, pickup string
	var landing, own answer
	for _, step := range []struct {
		name string
		want int64
		do   func()
	}{
		{"create", 0, func() { h = w.create() }}, // it is made, not changed
		{"display", 2, func() { desk.get(h.DisplayURL) }},
		{"display again", 0, func() { desk.get(h.DisplayURL) }},
		{"scan", 0, func() { link = w.scan(h.DisplayURL) }},
		{"landing", 1, func() { landing = phone.get(link) }}, // the hint that a phone has it open
		{"landing again", 0, func() { landing = phone.get(link) }},
		{"Continue, and the app link", 3, func() { own = phone.press(landing, "continue") }},
		{"the phone's page again", 0, func() { own = phone.get(own.url.String()) }},
		{"pickup", 1, func() {
			open := own.page(t).Find(`[data-testid="open"]`).AttrOr("href", "")
			pickup = open[strings.LastIndex(open, "/")+1:]
			verifier, _ := pkce()
			if a := w.native("/v1/pickups", map[string]string{"pickup": pickup, "verifier": verifier}); a.StatusCode != http.StatusOK {
				t.Fatalf("pickup = %d %s", a.StatusCode, a.body)
			}
		}},
		{"complete", 1, func() {
			w.call(http.MethodPost, "/v1/handoffs/"+h.ID+"/complete", map[string]any{"outcome": "completed"})
		}},
	} {
		u.count.Store(0)
		step.do()
		if got := u.count.Load(); got != step.want {
			t.Errorf("%s: %d updates, want %d", step.name, got, step.want)
		}
	}
	w.wantStatus(h.ID, "completed")
}
