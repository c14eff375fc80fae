package limit_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/handoff-portal/handoff/internal/limit"
)

func TestStreams(t *testing.T) {
	for name, c := range map[string]struct {
		limits limit.StreamLimits
		handle func(i int) (handoff, network string)
		want   int
	}{
		"per handoff": {limit.StreamLimits{PerHandoff: 5, PerNetwork: 99, Total: 99}, func(i int) (string, string) { return "ho", strconv.Itoa(i) }, 5},
		"per network": {limit.StreamLimits{PerHandoff: 99, PerNetwork: 7, Total: 99}, func(i int) (string, string) { return strconv.Itoa(i), "net" }, 7},
		"total":       {limit.StreamLimits{PerHandoff: 99, PerNetwork: 99, Total: 9}, func(i int) (string, string) { return strconv.Itoa(i), strconv.Itoa(i) }, 9},
		"none":        {limit.StreamLimits{}, func(i int) (string, string) { return strconv.Itoa(i), strconv.Itoa(i) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := limit.NewStreams(c.limits)
			for round := range 3 { // what is released is there again, all of it
				var open []func()
				for i := range 20 {
					release, ok := s.Open(c.handle(i))
					if ok != (release != nil) {
						t.Fatalf("Open() = %v with a release that is nil: %v", ok, release == nil)
					}
					if ok {
						open = append(open, release)
					}
				}
				if len(open) != c.want || s.Count() != c.want {
					t.Fatalf("round %d: %d of 20 are open, counted %d, want %d", round, len(open), s.Count(), c.want)
				}
				for _, release := range open {
					release()
					release() // once more changes nothing
				}
				if s.Count() != 0 {
					t.Fatalf("round %d: %d are open after all were released", round, s.Count())
				}
			}
		})
	}
}

// TestStreamsAtOnce: however many come and go at once, the limit holds.
func TestStreamsAtOnce(t *testing.T) {
	s := limit.NewStreams(limit.StreamLimits{PerHandoff: 5, PerNetwork: 20, Total: 20})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			for range 100 {
				release, ok := s.Open(strconv.Itoa(i%10), "net")
				if !ok {
					continue
				}
				if n := s.Count(); n > 20 {
					t.Errorf("%d are open, want at most 20", n)
				}
				release()
			}
		})
	}
	wg.Wait()
	if s.Count() != 0 {
		t.Errorf("%d are open at the end, want 0", s.Count())
	}
}

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7":               "192.0.2.7/32",
		"::ffff:192.0.2.7":        "192.0.2.7/32", // a dual-stack listener's spelling
		"2001:db8:1:2:3:4:5:6":    "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1":    "2001:db8:1:2::/64",
		"2001:db8:1:3::1":         "2001:db8:1:3::/64",
		"fe80::1%eth0":            "fe80::/64",
		"::1":                     "::/64",
		"":                        "",
		"@":                       "",
		"unknown":                 "",
		"192.0.2.7:1234":          "",
		"192.0.2.007":             "",
		"2001:db8:1:2:3:4:5:6:70": "",
	} {
		if got := limit.Network(in); got != want {
			t.Errorf("Network(%q) = %q, want %q", in, got, want)
		}
	}
}
