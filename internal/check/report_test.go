package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name    string
		results []result
		closing string
		prints  []string
		status  int
	}{
		{
			name: "tests count one by one, another step as one",
			results: []result{
				{step: "vet", took: time.Second},
				{step: "test", verdict: verdict{tests: &tally{passed: 41}}},
			},
			closing: "42 passed, 0 failed",
		},
		{
			name: "tests that run again are not counted twice",
			results: []result{
				{step: "test", verdict: verdict{tests: &tally{passed: 41}}},
				{step: "race", verdict: verdict{tests: &tally{passed: 30}, again: true}},
			},
			closing: "42 passed, 0 failed",
		},
		{
			name: "a failed step is a failure beside its failed tests, not on top of them",
			results: []result{
				{step: "lint", verdict: verdict{status: failed, reason: "exit status 1", remedy: "mend it"}},
				{step: "test", verdict: verdict{status: failed, tests: &tally{passed: 3, failed: 2, failures: []string{"p.TestA", "p.TestB"}}}},
			},
			closing: "3 passed, 3 failed",
			prints:  []string{"FAILED step lint: exit status 1\n    to fix it: mend it\n", "FAILED test p.TestA\n"},
			status:  1,
		},
		{
			name: "a step whose tests passed can fail all the same",
			results: []result{
				{step: "test", verdict: verdict{status: failed, reason: "no Redis", tests: &tally{passed: 3}}},
			},
			closing: "3 passed, 1 failed",
			status:  1,
		},
		{
			name: "what was skipped is neither, and is said again",
			results: []result{
				{step: "vuln", verdict: verdict{status: skipped, reason: "no network", remedy: "get one"}},
				{step: "fuzz", verdict: verdict{notes: []note{{"fuzzing FuzzX", "-long"}}, tests: &tally{passed: 1, skips: []string{"p.TestC: no browser"}}}},
			},
			closing: "1 passed, 0 failed",
			prints: []string{
				"SKIPPED step vuln: no network\n    to fix it: get one\n",
				"SKIPPED in fuzz: fuzzing FuzzX\n",
				"SKIPPED test p.TestC: no browser\n",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if got := report(&out, test.results); got != test.status {
				t.Errorf("report = %d, want %d", got, test.status)
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if got := lines[len(lines)-1]; got != test.closing {
				t.Errorf("the last line of the report is %q, want %q", got, test.closing)
			}
			for _, want := range test.prints {
				if !strings.Contains(out.String(), want) {
					t.Errorf("report printed\n%s\nwant in it: %q", out.String(), want)
				}
			}
		})
	}
}
