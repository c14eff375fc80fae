package metrics_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// names lists what looks like a metric's name in a file.
func names(t *testing.T, form string, path ...string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(form).FindAllStringSubmatch(string(text), -1) {
		name := m[1]
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			name = strings.TrimSuffix(name, suffix)
		}
		found[name] = true
	}
	return found
}

// An alert on a metric that does not exist never fires, and nobody notices.
func TestDocumentsNameMetrics(t *testing.T) {
	t.Parallel()
	const ours = `"(handoff_[a-z_]+)"`
	made := names(t, ours, "internal", "metrics", "metrics.go")
	for name := range names(t, ours, "cmd", "handoff", "portal.go") {
		made[name] = true
	}
	if len(made) < 10 {
		t.Fatalf("only %v: the names are not where they were", made)
	}
	explained := names(t, "`(handoff_[a-z_]+)`", "docs", "operate.md")
	for name := range made {
		if !explained[name] {
			t.Errorf("docs/operate.md does not explain %s", name)
		}
	}
	for name := range explained {
		if !made[name] {
			t.Errorf("docs/operate.md explains %s, which does not exist", name)
		}
	}
	alerts := names(t, `\b(handoff_[a-z_]+)`, "docs", "alerts.yaml")
	for name := range alerts {
		if !made[name] {
			t.Errorf("docs/alerts.yaml looks at %s, which does not exist", name)
		}
	}
}
