package web_test

import (
	"net/http"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// TestManyLiveAtOnce: 40 handoffs of one journey instance are asked for at once, at
// two servers on one store. Each answer is one; three are left, and more never make it fewer.
func TestManyLiveAtOnce(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, one *world) {
		two := newWorld(t, func(s *setting) { s.beside = one })
		delivered := one.connected()
		delivered.toApp()
		requests := make([]*http.Request, 40)
		for i := range requests {
			r := one.json("/v1/handoffs", map[string]any{"instanceId": delivered.made.InstanceID})
			r.Header.Set("Authorization", "Bearer "+one.key.Reveal())
			r.Host, r.URL.Host = r.URL.Host, []string{one.listen, two.listen}[i%2]
			requests[i] = r
		}
		for i, a := range race(t, requests) {
			if a.StatusCode != http.StatusCreated {
				t.Fatalf("call %d answers %d %s, want 201", i, a.StatusCode, a.body)
			}
		}
		var list struct{ Items []wire }
		one.call(http.MethodGet, "/v1/handoffs?limit=100&instanceId="+delivered.made.InstanceID, nil).json(t, &list)
		counts := map[string]int{}
		for _, h := range list.Items {
			counts[h.Status]++
		}
		if counts["created"] != handoff.MaxLive-1 || counts["delivered"] != 1 || counts["replaced"] != len(requests)-handoff.MaxLive+1 {
			t.Errorf("after %d at once there are %v, want the delivered one and %d more", len(requests), counts, handoff.MaxLive-1)
		}
		if list.Items[0].Status != "created" {
			t.Errorf("the newest is %s, want it alive", list.Items[0].Status)
		}
	})
}
