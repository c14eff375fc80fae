package reliability_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// loses sends requests on, and loses the answers of the first few to one path.
type loses struct {
	http.RoundTripper
	path string
	left atomic.Int64
}

func (l *loses) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil && r.URL.Path == l.path && l.left.Add(-1) >= 0 {
		resp.Body.Close()
		return nil, errors.New("the answer was lost")
	}
	return resp, err
}

// TestClaimAnswerLost loses the answers to an app's claim, once, and for longer than
// the app tries by itself, so that its person begins again. The first is one claim. The
// second are two, of which the later is in force; each ends in one exchange. The short
// form loses one answer.
func TestClaimAnswerLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "file:"+filepath.Join(t.TempDir(), "handoff.db"))
	p := w.process()
	w.at(p.listen)
	p.start()
	p.ready()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tests := []struct {
		lost, tries, claimed int
	}{{1, 1, 1}, {6, 2, 2}}
	if !long() {
		tests = tests[:1]
	}
	for _, tt := range tests {
		client := patientClient()
		lossy := &loses{RoundTripper: client.Transport, path: "/v1/claims"}
		lossy.left.Store(int64(tt.lost))
		client.Transport = lossy
		s := w.story(client, 1) // by an app
		if err := s.play(ctx); err != nil {
			t.Fatalf("with %d answers lost: %v", tt.lost, err)
		}
		for _, f := range s.examine(ctx) {
			t.Errorf("with %d answers lost: %s", tt.lost, f)
		}
		var end made
		if _, _, err := s.partner.call(ctx, http.MethodGet, "/v1/handoffs/"+s.made.ID, nil, &end); err != nil {
			t.Fatal(err)
		}
		claimed := 0
		for _, e := range end.Events {
			if e.Type == "claimed" {
				claimed++
			}
		}
		if s.claims != tt.tries || claimed != tt.claimed || w.connects(s.instance) != 1 {
			t.Errorf("with %d answers lost the app claimed %d times, it was claimed %d times and exchanged %d times, want %d, %d and 1", tt.lost, s.claims, claimed, w.connects(s.instance), tt.tries, tt.claimed)
		}
	}
}
