package browser

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
)

// Modules is the node_modules folder of a set of npm's packages, where
// go run ./internal/check -only tools puts them. Without them the test is skipped and
// says so, or, where CI is set, fails.
func Modules(t Reporter, set string) string {
	t.Helper()
	path, err := modules(set)
	switch {
	case err == nil:
		return path
	case inCI():
		t.Fatalf("npm's packages for tests: %v; %s", err, remedy)
	default:
		t.Skipf("SKIPPED what needs npm's packages: %v; %s", err, remedy)
	}
	return ""
}

func modules(set string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	lock, err := os.ReadFile(filepath.Join(root, "internal", "check", set, "package-lock.json")) //nolint:gosec // a file of the repository
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	path := filepath.Join(cache, "handoff", set+"-"+hex.EncodeToString(sum[:6]), "node_modules")
	_, err = os.Stat(path) //nolint:gosec // the name is a hash of a file of ours
	return path, err
}

// moduleRoot is the folder with go.mod, at or above the one that tests run in.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("there is no go.mod above the tests")
		}
		dir = up
	}
}
