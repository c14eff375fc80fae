package reliability_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// record writes what the long form of a test found into docs/reliability.md, in
// place of what the last one found: the lines between two comments that name it.
func record(t *testing.T, name, found string) {
	t.Helper()
	if !long() {
		return
	}
	path := filepath.Join("..", "..", "docs", "reliability.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	place := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n).*?(<!-- end -->)`)
	if !place.Match(b) {
		t.Fatalf("%s has no place for %s", path, name)
	}
	line := fmt.Sprintf("%s, %d cores, %s: %s.\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), found)
	text := place.ReplaceAllString(string(b), "${1}"+strings.ReplaceAll(line, "$", "$$")+"${2}")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
