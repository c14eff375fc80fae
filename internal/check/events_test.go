package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTallyRead(t *testing.T) {
	tests := []struct {
		name      string
		events    string
		want      tally
		prints    []string
		keepsBack []string
	}{
		{
			name: "a passing package shows its closing line only",
			events: `{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"-test.shuffle 17\n"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`,
			want:      tally{passed: 1},
			prints:    []string{"ok  \tp\t0.1s\n"},
			keepsBack: []string{"chatter", "shuffle"},
		},
		{
			name: "a failing test is named, and shows what it said and the seed",
			events: `{"Action":"output","Package":"p","Output":"-test.shuffle 17\n"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/sub"}
{"Action":"output","Package":"p","Test":"TestA/sub","Output":"    a_test.go:3: F(1) = 2, want 3\n"}
{"Action":"fail","Package":"p","Test":"TestA/sub"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`,
			want:   tally{failed: 2, failures: []string{"p.TestA/sub", "p.TestA"}, tops: []top{{"p", "TestA"}}},
			prints: []string{"F(1) = 2, want 3", "-test.shuffle 17", "FAIL\tp\t0.1s"},
		},
		{
			name: "a skipped test gives its reason",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: there is no browser\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}
`,
			want: tally{skips: []string{"p.TestA: a_test.go:3: there is no browser"}},
		},
		{
			name: "a package that does not compile is one failure",
			events: `{"ImportPath":"p","Action":"build-output","Output":"p/a.go:3:1: undefined: x\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`,
			want:   tally{failed: 1, failures: []string{"p"}},
			prints: []string{"undefined: x", "[build failed]"},
		},
		{
			name: "a test that a time limit cut short still shows what it said",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t9.0s\n"}
{"Action":"fail","Package":"p"}
`,
			want:   tally{failed: 1, failures: []string{"p"}},
			prints: []string{"panic: test timed out"},
		},
		{
			name: "a test that runs when the events end is named",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"waiting\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
`,
			want:   tally{passed: 1, failed: 1, failures: []string{"p.TestB (did not end)"}},
			prints: []string{"waiting\n--- FAIL: p.TestB did not end"},
		},
		{
			name: "a race in a test that skips is a failure",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"WARNING: DATA RACE\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: not today\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
`,
			want:   tally{failed: 1, failures: []string{"p.TestA"}, tops: []top{{"p", "TestA"}}},
			prints: []string{"DATA RACE"},
		},
		{
			name:   "what is no event is passed on",
			events: "go: downloading example.com/m v1.0.0\n",
			prints: []string{"go: downloading example.com/m v1.0.0\n"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got tally
			var out bytes.Buffer
			got.read(strings.NewReader(test.events), &out)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(tally{}, top{})); diff != "" {
				t.Errorf("read counted otherwise (-want +got):\n%s", diff)
			}
			for _, want := range test.prints {
				if !strings.Contains(out.String(), want) {
					t.Errorf("read printed %q, want %q in it", out.String(), want)
				}
			}
			for _, unwanted := range test.keepsBack {
				if strings.Contains(out.String(), unwanted) {
					t.Errorf("read printed %q, want no %q in it", out.String(), unwanted)
				}
			}
		})
	}
}
