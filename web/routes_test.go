package web_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs; if that is meant, run the test with -update (-want +got):\n%s", path, diff)
	}
}

// TestRoutesGolden shows every new path in review.
func TestRoutesGolden(t *testing.T) {
	t.Parallel()
	e, ok := newWorld(t).server.Handler.(*echo.Echo)
	if !ok {
		t.Fatal("the handler is not Echo's")
	}
	var lines []string
	for _, r := range e.Routes() {
		lines = append(lines, r.Path+" "+strings.TrimPrefix(r.Method, "echo_"))
	}
	slices.Sort(lines)
	golden(t, "routes.txt", strings.Join(slices.Compact(lines), "\n")+"\n")
}
