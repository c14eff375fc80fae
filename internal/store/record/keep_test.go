package record_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

// planted is the record of h as a newer program writes it that knows a field more
// of everything: its value is where it stands.
func planted(t *testing.T, h handoff.Handoff) []byte {
	t.Helper()
	b, err := record.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	var plant func(v any, path string)
	plant = func(v any, path string) {
		switch v := v.(type) {
		case map[string]any:
			for name, x := range v {
				plant(x, path+"."+name)
			}
			v["new"] = path
		case []any:
			for i, x := range v {
				plant(x, path+"["+string(rune('0'+i))+"]")
			}
		}
	}
	plant(v, "")
	if b, err = json.Marshal(v); err != nil {
		t.Fatal(err)
	}
	return append([]byte(`{"v":2,`), strings.Replace(string(b[1:]), `"v":1,`, "", 1)...)
}

// found are the planted fields, in order.
func found(t *testing.T, b []byte) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	var paths []string
	var look func(any)
	look = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, x := range v {
				if name == "new" {
					paths = append(paths, x.(string)) //nolint:forcetypeassert // planted as text
				}
				look(x)
			}
		case []any:
			for _, x := range v {
				look(x)
			}
		}
	}
	look(v)
	slices.Sort(paths)
	return paths
}

// without are the paths that are not below any of those.
func without(paths []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		return slices.ContainsFunc(gone, func(g string) bool { return p == g || strings.HasPrefix(p, g+".") || strings.HasPrefix(p, g+"[") })
	})
}

func TestRewriteKeepsWhatIsInside(t *testing.T) {
	old := planted(t, filled(t))
	all := found(t, old)
	if len(all) < 40 {
		t.Fatalf("%d fields are planted, want one in every object", len(all))
	}
	for _, tt := range []struct {
		name   string
		change func(h *handoff.Handoff)
		want   []string
	}{
		{"nothing but its count", func(h *handoff.Handoff) { h.Seq++ }, all},
		{"an event more", func(h *handoff.Handoff) {
			h.Events = append(h.Events, handoff.Event{Seq: h.Seq + 1, Type: handoff.EventRenewed})
		}, all},
		{"the oldest event dropped", func(h *handoff.Handoff) { h.Events = h.Events[1:] }, without(all, ".ev[0]")},
		{"a code dropped", func(h *handoff.Handoff) { h.Codes = h.Codes[:1] }, without(all, ".codes[1]")},
		{"a code renewed", func(h *handoff.Handoff) { h.Codes[0].Hash = handoff.HashOf("renewed") }, without(all, ".codes[0]")},
		{"the claim released", func(h *handoff.Handoff) { h.Claim = nil }, without(all, ".claim")},
		{"the rival takes over", func(h *handoff.Handoff) { h.Claim, h.Rival = h.Rival, nil }, without(all, ".claim")},
		{"who waits moves up", func(h *handoff.Handoff) { h.Rival, h.Waiting = &h.Waiting[1], h.Waiting[:1] }, without(all, ".rival")},
		{"another claims", func(h *handoff.Handoff) {
			c := *h.Claim
			c.Hash = handoff.HashOf("another")
			h.Claim = &c
		}, without(all, ".claim")},
		{"a fresh pickup", func(h *handoff.Handoff) {
			p := *h.Claim.Pickup
			p.Hash = handoff.HashOf("fresh")
			h.Claim.Pickup = &p
		}, without(all, ".claim.pick")},
		{"a token renewed", func(h *handoff.Handoff) { h.Connect.Sealed = handoff.Sealed("renewed") }, without(all, ".conn")},
		{"a step done", func(h *handoff.Handoff) { h.Work = nil }, without(all, ".work")},
		{"a message sent", func(h *handoff.Handoff) {
			h.Outbox[1].Sends[0].State = handoff.SendDelivered
			h.Outbox[1].Sending = nil
		}, without(all, ".out[1].now")},
		{"a hint taken back", func(h *handoff.Handoff) { h.Hint = handoff.Hint{} }, all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := record.Unmarshal(old)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(&h)
			b, err := record.Rewrite(old, h)
			if err != nil {
				t.Fatalf("Rewrite: %v", err)
			}
			if diff := cmp.Diff(tt.want, found(t, b)); diff != "" {
				t.Errorf("Rewrite keeps other fields (-want +got):\n%s", diff)
			}
			got, err := record.Unmarshal(b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(h, got); diff != "" {
				t.Errorf("Rewrite differs (-want +got):\n%s", diff)
			}
		})
	}
}
