package main

import "testing"

func TestTimeWasUp(t *testing.T) {
	const elapsed = "fuzz: elapsed: 4s, execs: 33038 (0/sec), new interesting: 20 (total: 72)\n"
	for _, test := range []struct {
		name string
		said string
		want bool
	}{
		{"the end of the time", elapsed + "--- FAIL: FuzzX (4.03s)\n    context deadline exceeded\nFAIL\nexit status 1\n", true},
		{"a find", elapsed + "--- FAIL: FuzzX (0.03s)\n    --- FAIL: FuzzX (0.00s)\n        x_test.go:3: F = 1\n    \n    Failing input written to testdata/fuzz/FuzzX/1\nFAIL\n", false},
		{"a find that speaks of a deadline", "--- FAIL: FuzzX (0.03s)\n    --- FAIL: FuzzX (0.00s)\n        x_test.go:3: context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzX/1\nFAIL\n", false},
		{"a seed that fails", "--- FAIL: FuzzX (0.03s)\n    x_test.go:3: context deadline exceeded\nFAIL\n", false},
		{"a worker that died", "--- FAIL: FuzzX (0.03s)\n    fuzzing process hung or terminated unexpectedly: exit status 2\nFAIL\n", false},
		{"a package that does not compile", "# p\np/a.go:1: no\nFAIL\tp [build failed]\nFAIL\n", false},
	} {
		if got := timeWasUp([]byte(test.said)); got != test.want {
			t.Errorf("%s: timeWasUp(%q) = %t, want %t", test.name, test.said, got, test.want)
		}
	}
}
