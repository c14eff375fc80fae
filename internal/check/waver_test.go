package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMayWaver(t *testing.T) {
	browser := top{"example.com/web", "TestPage"}
	for name, test := range map[string]struct {
		tally tally
		want  bool
	}{
		"a test with its part":           {tally{failures: []string{"example.com/web.TestPage/sub", "example.com/web.TestPage"}, tops: []top{browser}}, true},
		"one that did not end beside it": {tally{failures: []string{"example.com/web.TestPage", "example.com/web.TestPages (did not end)"}, tops: []top{browser}}, false},
		"a package that does not build":  {tally{failures: []string{"example.com/web"}}, false},
		"too many":                       {tally{tops: []top{browser, browser, browser, browser}}, false},
		"one that counts what is lost":   {tally{failures: []string{"x/internal/reliability.TestKill"}, tops: []top{{"x/internal/reliability", "TestKill"}}}, false},
	} {
		if got := test.tally.mayWaver(); got != test.want {
			t.Errorf("%s: mayWaver() = %t, want %t", name, got, test.want)
		}
	}
}

// TestLookAgain has a module with a test that fails the first time, and one that
// always does.
func TestLookAgain(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.26\n",
		"a_test.go": `package m

import (
	"os"
	"testing"
)

func TestOnce(t *testing.T) {
	if _, err := os.Stat("been"); err != nil {
		_ = os.WriteFile("been", nil, 0o600)
		t.Error("the first time")
	}
}

func TestNever(t *testing.T) { t.Run("part", func(t *testing.T) { t.Error("every time") }) }

func TestFine(*testing.T) {}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := &checker{root: dir, out: io.Discard, getenv: os.Getenv, extra: map[string]string{}}
	v := c.goTest(t.Context(), []string{"./..."}, "")
	if v.status != failed || v.tests.passed != 2 || v.tests.failed != 2 || len(v.tests.wavered) != 1 || v.tests.wavered[0] != "example.com/m.TestOnce" {
		t.Errorf("goTest = %v with %+v, want TestNever to fail, with its part, and TestOnce to have wavered", v.status, v.tests)
	}
	var out bytes.Buffer
	report(&out, []result{{step: "test", verdict: v}})
	for _, want := range []string{"FLAKY test example.com/m.TestOnce:", "FAILED test example.com/m.TestNever/part", "2 passed, 2 failed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}
