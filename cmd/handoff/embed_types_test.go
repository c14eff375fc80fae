package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The types beside the embedding script, as the TypeScript compiler reads them:
// testdata/embed.ts uses all of them, and names what must not compile.
func TestEmbedTypes(t *testing.T) {
	needProgram(t, "node")
	tsc := filepath.Join(npmModules(t, "npm"), "typescript", "bin", "tsc")
	out, err := exec.CommandContext(t.Context(), "node", tsc, "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom",
		"../../static/embed/v1.d.ts", "testdata/embed.ts").CombinedOutput()
	if err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
}
