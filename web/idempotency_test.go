package web_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

func keyed(key string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Idempotency-Key", key) }
}

// TestIdempotencyKey: the same call is answered in the same bytes, whatever became
// of the handoff, by every process, and nothing else is.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := newWorld(t, func(s *setting) { s.beside = w })
	body := `{"instanceId":"` + newInstance() + `","reference":"order 7"}`
	post := func(w *world, body, key string) answer {
		return w.raw(http.MethodPost, "/v1/handoffs", body, keyed(key))
	}
	first := post(w, body, "order 7")
	if first.StatusCode != http.StatusCreated || first.Header.Get("Idempotent-Replayed") != "" {
		t.Fatalf("the first call = %d %s, replayed %q, want 201", first.StatusCode, first.body, first.Header.Get("Idempotent-Replayed"))
	}
	same := func(when string) {
		t.Helper()
		for _, process := range []*world{w, second} {
			a := post(process, body, "order 7")
			if a.StatusCode != http.StatusCreated || !bytes.Equal(a.body, first.body) || a.Header.Get("Location") != first.Header.Get("Location") ||
				a.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%s: %d %s %v\nwant 201 %s", when, a.StatusCode, a.body, a.Header, first.body)
			}
		}
	}
	same("at once")
	s := &story{world: w, desk: w.person(desktop), phone: w.person(iPhone)}
	first.json(t, &s.made)
	s.open()
	s.scan()
	s.tap()
	same("when a phone holds it")
	w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/cancel", nil)
	same("after its end")

	post(w, body+" ", "order 7").wantProblem(t, http.StatusUnprocessableEntity, handoff.CodeIdempotencyMismatch)
	post(w, "{", "order 7").wantProblem(t, http.StatusUnprocessableEntity, handoff.CodeIdempotencyMismatch)
	var other wire
	post(w, body, "order 8").json(t, &other)
	theirs := w.raw(http.MethodPost, "/v1/handoffs", body, keyed("order 7"), func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+w.other.Reveal()) })
	if other.ID == s.made.ID || theirs.StatusCode == http.StatusCreated && strings.Contains(string(theirs.body), s.made.ID) {
		t.Errorf("another key made %s, another partner's call is answered %s, want neither to know %s", other.ID, theirs.body, s.made.ID)
	}

	// What was refused made nothing.
	post(w, `{"instanceId":"short"}`, "order 9").wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
	if a := post(w, body, "order 9"); a.StatusCode != http.StatusCreated || a.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("after a refusal: %d %s, want 201 for the first time", a.StatusCode, a.body)
	}
	for _, bad := range []string{"", strings.Repeat("x", 256), "é", "a\tb"} {
		p := post(w, body, bad).wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/Idempotency-Key" {
			t.Errorf("key %q: errors = %+v, want one at /Idempotency-Key", bad, p.Errors)
		}
	}
	twice := func(r *http.Request) { r.Header.Add("Idempotency-Key", "order 7") }
	w.raw(http.MethodPost, "/v1/handoffs", body, keyed("order 7"), twice).wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
	if a := post(w, body, strings.Repeat("~", 255)); a.StatusCode != http.StatusCreated {
		t.Errorf("a key of 255 characters: %d %s, want 201", a.StatusCode, a.body)
	}

	w.clock.advance(24 * time.Hour)
	var next wire
	post(w, body, "order 7").json(t, &next)
	if next.ID == "" || next.ID == s.made.ID {
		t.Errorf("24 hours later the key is answered with %q, want another handoff than %s", next.ID, s.made.ID)
	}
}

// TestIdempotencyKeyAtOnce: 100 connections, two processes, one file.
func TestIdempotencyKeyAtOnce(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, w *world) {
		second := newWorld(t, func(s *setting) { s.beside = w })
		body := `{"journey":{"resourceId":"x@latest"}}`
		var requests []*http.Request
		for i := range 100 {
			process := []*world{w, second}[i%2]
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+process.listen+"/v1/handoffs", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = strings.TrimPrefix(w.public, "http://")
			r.Header.Set("Authorization", "Bearer "+w.key.Reveal())
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", "the one")
			requests = append(requests, r)
		}
		firsts, ids := 0, map[string]int{}
		for _, a := range race(t, requests) {
			switch a.StatusCode {
			case http.StatusCreated:
				var h wire
				a.json(t, &h)
				ids[h.ID]++
				if a.Header.Get("Idempotent-Replayed") == "" {
					firsts++
				}
			default:
				a.wantProblem(t, http.StatusConflict, handoff.CodeConflict)
				if a.Header.Get("Retry-After") != "2" {
					t.Errorf("in flight: Retry-After = %q, want 2", a.Header.Get("Retry-After"))
				}
			}
		}
		if len(ids) != 1 || firsts != 1 || len(w.calls("journey")) != 1 {
			t.Errorf("made %v, %d of them new, by %d journeys, want one of each", ids, firsts, len(w.calls("journey")))
		}
	})
}

// TestIdempotencyKeyOfALostJourney: what the platform refused may be tried again;
// of what it may have begun, nothing is begun again.
func TestIdempotencyKeyOfALostJourney(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brief)
	body, _ := json.Marshal(map[string]any{"journey": map[string]any{"resourceId": "x@latest"}})
	post := func(key string) answer { return w.raw(http.MethodPost, "/v1/handoffs", string(body), keyed(key)) }
	fault := func(kind string, status int) {
		if err := w.sim.Fault(platformsim.Fault{Call: "journey", Kind: kind, Status: status}); err != nil {
			t.Fatal(err)
		}
	}
	fault("status", 404)
	post("refused").wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
	if a := post("refused"); a.StatusCode != http.StatusCreated {
		t.Errorf("after a refusal: %d %s, want 201", a.StatusCode, a.body)
	}
	before := len(w.calls("journey"))
	fault("drop_after", 0)
	post("lost").wantProblem(t, http.StatusServiceUnavailable, handoff.CodePlatformUnavailable)
	for range 3 {
		a := post("lost")
		a.wantProblem(t, http.StatusConflict, handoff.CodeConflict)
		if retry := a.Header.Get("Retry-After"); retry != "" {
			t.Errorf("Retry-After = %q, want none: there is nothing to wait for", retry)
		}
	}
	if n := len(w.calls("journey")) - before; n != 1 {
		t.Errorf("%d journeys were asked for with one key, want one", n)
	}
	var list struct{ Items []wire }
	w.call(http.MethodGet, "/v1/handoffs", nil).json(t, &list)
	if len(list.Items) != 1 {
		t.Errorf("the list has %d handoffs, want the one that was made", len(list.Items))
	}
}
