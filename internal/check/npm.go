package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// npmSets are the folders beside this file that say what tests need of npm.
func (c *checker) npmSets() []string {
	if c.long {
		return []string{"npm", "npm-long"}
	}
	return []string{"npm"}
}

// npmPackages makes the packages that tests need of npm be there: those of folder,
// at the versions of its lock file, in the user's cache. The folder's name there
// has the lock file's hash in it, by which tests that run without this program find
// them too (cmd/handoff). npmPackages returns its path.
func (c *checker) npmPackages(ctx context.Context, folder string) (string, error) {
	from := filepath.Join(c.root, "internal", "check", folder)
	lock, err := os.ReadFile(filepath.Join(from, "package-lock.json")) //nolint:gosec // a file of the repository
	if err != nil {
		return "", fmt.Errorf("reading what npm is to install: %w", err)
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a cache folder for npm's packages: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(user, "handoff"), 0o750); err != nil {
		return "", fmt.Errorf("making a cache folder for npm's packages: %w", err)
	}
	cache, err := os.OpenRoot(filepath.Join(user, "handoff"))
	if err != nil {
		return "", fmt.Errorf("opening the cache folder for npm's packages: %w", err)
	}
	defer cache.Close()
	sum := sha256.Sum256(lock)
	name := folder + "-" + hex.EncodeToString(sum[:6])
	path := filepath.Join(cache.Name(), name)
	if _, err := cache.Stat(name); err == nil {
		return path, nil
	}
	if !c.install {
		return "", fmt.Errorf("npm's packages for tests are not installed: %s", name)
	}
	half := name + ".new" // one that was stopped half-way must not count
	if err := cache.RemoveAll(half); err != nil {
		return "", fmt.Errorf("making room for npm's packages: %w", err)
	}
	if err := os.CopyFS(filepath.Join(cache.Name(), half), os.DirFS(from)); err != nil {
		return "", fmt.Errorf("writing what npm is to install: %w", err)
	}
	if err := c.run(ctx, "npm", "ci", "--prefix", filepath.Join(cache.Name(), half), "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
		return "", fmt.Errorf("installing npm's packages: %w", err)
	}
	return path, cache.Rename(half, name)
}
