package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestByName(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"text/template.(*state).evalField <ReflectMethod> -> go:string.\"x\"", "text/template.(*state).evalField"},
		{"text/template.(*state).evalFieldChain -> text/template.(*state).evalField <ReflectMethod>", ""},
		{"reflect.Value.Methods.func1 <ReflectMethod> -> gclocals·x", ""},
		{"main.main -> main.run", ""},
	} {
		if got, ok := byName(test.line); ok != (test.want != "") || ok && got != test.want {
			t.Errorf("byName(%q) = %q, %t, want %q", test.line, got, ok, test.want)
		}
	}
}

func TestImageBuild(t *testing.T) {
	c := &checker{root: filepath.Join("..", "..")}
	line, err := c.imageBuild("/tmp/elsewhere")
	if err != nil || !strings.HasPrefix(line, "CGO_ENABLED=0 go build -trimpath") || !strings.Contains(line, "-o /tmp/elsewhere ./cmd/handoff") || strings.Contains(line, "\\") {
		t.Errorf("imageBuild() = %q, %v, want the Dockerfile's command on one line", line, err)
	}
}

func TestWeigh(t *testing.T) {
	file := filepath.Join(t.TempDir(), "handoff")
	if err := os.WriteFile(file, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := weigh(file, 100); got.status != passed {
		t.Errorf("weigh(100 bytes, at most 100) = %v, want passed", got)
	}
	if got := weigh(file, 99); got.status != failed {
		t.Errorf("weigh(100 bytes, at most 99) = %v, want failed", got)
	}
}
