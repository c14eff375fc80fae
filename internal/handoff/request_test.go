package handoff_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// order is a call that creates a handoff for an instance, or for a new journey.
func order(journey bool) handoff.NewHandoff {
	n := handoff.NewHandoff{Partner: partnerID, App: "main", Terms: terms()}
	if journey {
		n.Journey = &handoff.Journey{ResourceID: "x@latest"}
	} else {
		n.Instance = instance
	}
	return n
}

func (d *desk) once(n handoff.NewHandoff, body string) (handoff.Handoff, bool, error) {
	return d.svc.CreateOnce(d.t.Context(), n, handoff.NewRequest(n.Partner, "a", []byte(body)))
}

func (d *desk) mustOnce(n handoff.NewHandoff, body string, wantAgain bool) handoff.Handoff {
	d.t.Helper()
	h, again, err := d.once(n, body)
	if err != nil || again != wantAgain {
		d.t.Fatalf("CreateOnce(%s) = again %v, %v, want again %v", body, again, err, wantAgain)
	}
	return h
}

func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*handoff.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// The same request has the same answer for a day, whatever becomes of the handoff
// and however long the partner wants it kept.
func TestRequestAgain(t *testing.T) {
	for _, journey := range []bool{false, true} {
		at(t, func(terms *handoff.Terms) { terms.Confirmation = handoff.ConfirmNever }, func(d *desk) {
			n := order(journey)
			n.Terms.Confirmation, n.Terms.Retain = handoff.ConfirmNever, time.Hour
			made := d.mustOnce(n, "body", false)
			if made.Instance == "" || made.Status != handoff.StatusCreated {
				t.Fatalf("CreateOnce() = %s with instance %q, want it created", made.Status, made.Instance)
			}
			same := func(when string) {
				t.Helper()
				if diff := cmp.Diff(made, d.mustOnce(n, "body", true), cmp.FilterPath(func(p cmp.Path) bool {
					switch p.Last().String() { // what the answer does not show, and what a display adds
					case ".Asker", ".Begun", ".DisplayedAt", ".FrameKeyID", ".Codes", ".Connect", ".Poll", ".EndedAt", ".Former", ".Claims":
						return true
					}
					return false
				}, cmp.Ignore())); diff != "" {
					t.Errorf("%s the answer differs (-first +again):\n%s", when, diff)
				}
			}
			same("at once")
			d.id = made.ID
			d.key, _ = d.svc.DisplayKey(made)
			d.open()
			same("displayed")
			key := d.claim(anna, handoff.RouteQR)
			d.page(key, anna)
			same("connected")
			if _, err := d.svc.Cancel(t.Context(), d.stored()); err != nil {
				t.Fatal(err)
			}
			same("cancelled")
			_, _, err := d.once(n, "another body")
			wantOutcome(t, "another body", err, "idempotency_mismatch")
			_, ok, err := d.svc.Repeated(t.Context(), handoff.NewRequest("other", "a", []byte("body")))
			if ok || err != nil {
				t.Errorf("another partner's request with the same key is known: %v, %v", ok, err)
			}
			time.Sleep(handoff.RequestLife - time.Since(made.CreatedAt) - time.Second)
			if err := d.svc.Work(t.Context()); err != nil {
				t.Fatal(err)
			}
			same("after 24 hours less a second, past what it is retained for,")
			time.Sleep(time.Second)
			other := d.mustOnce(n, "another body", false)
			if other.ID == made.ID {
				t.Error("after 24 hours the key still stands for the same handoff")
			}
			if err := d.svc.Work(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := d.store.Get(t.Context(), made.ID); handoff.CodeOf(err) != handoff.CodeNotFound {
				t.Errorf("after 24 hours Get(the first) = %v, want not_found", err)
			}
		})
	}
}

// A key that is a day old is free although the worker never came by, and a handoff
// that lives on does so without it.
func TestRequestIsForgotten(t *testing.T) {
	at(t, never, func(d *desk) {
		n := order(false)
		n.Terms.ExpiresIn = 2 * handoff.RequestLife // longer than can be asked for
		made := d.mustOnce(n, "body", false)
		time.Sleep(handoff.RequestLife)
		if other := d.mustOnce(n, "body", false); other.ID == made.ID {
			t.Error("after 24 hours the key still stands for the same handoff")
		}
		h, err := d.store.Get(t.Context(), made.ID)
		if err != nil || h.Request != nil || h.Status != handoff.StatusCreated {
			t.Errorf("after 24 hours the first is %s with request %v, %v, want it created and without one", h.Status, h.Request, err)
		}
	})
}

// What becomes of the journey decides what becomes of the request: refused, it may
// be made again; lost, no journey is ever started for it any more.
func TestRequestForAJourney(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  fault
		starts int
		want   string
	}{
		"refused": {faultUnavailable, 2, "ok"},
		"lost":    {faultLost, 1, "conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, never, func(d *desk) {
				d.up.before = func(string) fault { return tt.fault }
				_, _, err := d.once(order(true), "body")
				if err == nil {
					t.Fatal("CreateOnce() with a fault = nil error, want one")
				}
				d.up.before = func(string) fault { return faultNone }
				h, again, err := d.once(order(true), "body")
				wantOutcome(t, "the same again", err, tt.want)
				if again || retryAfter(err) != 0 {
					t.Errorf("the same again = %s, again %v, retry after %s, want a first answer, or one for good", h.ID, again, retryAfter(err))
				}
				if got := d.up.count("journey"); got != tt.starts {
					t.Errorf("%d starts, want %d", got, tt.starts)
				}
				page, err := d.svc.List(t.Context(), handoff.Query{Partner: partnerID, Limit: 100})
				if want := 1 + tt.starts - 1; err != nil || len(page.Items) != want { // the desk's own is one
					t.Errorf("List() = %d handoffs, %v, want %d", len(page.Items), err, want)
				}
			})
		})
	}
}

// The process dies while it starts the journey: nobody knows whether one began, so
// no other is started. While it may be alive, a caller is told to come again.
func TestRequestOfADeadProcess(t *testing.T) {
	at(t, never, func(d *desk) {
		starts := 0
		d.dieIn("journey", func() { starts++; _, _, _ = d.once(order(true), "body") })
		_, _, err := d.once(order(true), "body")
		wantOutcome(t, "at once after the death", err, "conflict")
		if retryAfter(err) <= 0 {
			t.Error("at once after the death nobody is told when to call again")
		}
		_, _, err = d.once(order(true), "another body")
		wantOutcome(t, "another body at once after the death", err, "idempotency_mismatch")
		time.Sleep(handoff.WorkLease)
		for range 3 {
			_, _, err = d.once(order(true), "body")
			wantOutcome(t, "a lease after the death", err, "conflict")
			if retryAfter(err) != 0 {
				t.Errorf("a lease after the death callers are told to call again in %s, for nothing", retryAfter(err))
			}
			if err := d.svc.Work(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		if got := d.up.count("journey"); got != 0 {
			t.Errorf("%d starts after the death, want none", got)
		}
		page, err := d.svc.List(t.Context(), handoff.Query{Partner: partnerID, Limit: 100})
		if err != nil || len(page.Items) != 1 { // the desk's own
			t.Errorf("List() = %d handoffs, %v, want none of a request that made nothing", len(page.Items), err)
		}
		time.Sleep(handoff.RequestLife)
		if err := d.svc.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.mustOnce(order(true), "body", false)
	})
}

// A caller that goes away does not stop what was begun for it.
func TestRequestOfAnAbsentCaller(t *testing.T) {
	at(t, never, func(d *desk) {
		ctx, cancel := context.WithCancel(d.t.Context())
		d.up.before = func(string) fault { cancel(); return faultNone }
		r := handoff.NewRequest(partnerID, "a", []byte("body"))
		made, _, err := d.svc.CreateOnce(ctx, order(true), r)
		if err != nil {
			t.Fatalf("CreateOnce() of a caller that goes away = %v, want it made", err)
		}
		if h := d.mustOnce(order(true), "body", true); h.ID != made.ID {
			t.Errorf("the same again = %s, want %s", h.ID, made.ID)
		}
	})
}

// 100 calls at once with one key, through two processes: one handoff, one journey,
// and no other handoff replaced on the way.
func TestHundredRequestsAtOnce(t *testing.T) {
	onStores(t, func(t *testing.T, p *processes) {
		for _, journey := range []bool{false, true} {
			for range handoff.MaxLive {
				p.create(t)
			}
			key := map[bool]string{false: "a", true: "b"}[journey]
			var mu sync.Mutex
			made := map[handoff.ID]int{} // guarded by mu
			got := p.atOnce(100, func(_ int, svc *handoff.Service) error {
				h, again, err := svc.CreateOnce(t.Context(), order(journey), handoff.NewRequest(partnerID, key, []byte("body")))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					made[h.ID]++
				} else if retryAfter(err) <= 0 {
					t.Errorf("%v says nothing of when to call again", err)
				}
				if err == nil && !again {
					made["first"]++
				}
				return err
			})
			if len(made) != 2 || made["first"] != 1 || got["ok"]+got["conflict"] != 100 || (!journey && got["ok"] != 100) {
				t.Errorf("journey %v: made %v by %v, want one handoff", journey, made, got)
			}
			again, ok, err := p.svcs[0].Repeated(t.Context(), handoff.NewRequest(partnerID, key, []byte("body")))
			if err != nil || !ok || made[again.ID] == 0 {
				t.Errorf("journey %v: afterwards %s, %v, %v, want the handoff", journey, again.ID, ok, err)
			}
			replaced, err := p.svcs[0].List(t.Context(), handoff.Query{Partner: partnerID, Status: handoff.StatusReplaced, Limit: 100})
			if want := map[bool]int{false: 1, true: 4}[journey]; err != nil || len(replaced.Items) != want {
				t.Errorf("journey %v: %d replaced, %v, want %d", journey, len(replaced.Items), err, want)
			}
		}
		if n := p.calls("journey"); n != 1 {
			t.Errorf("%d journeys were started, want one", n)
		}
	})
}
