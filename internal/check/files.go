package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// files lists the files of the tree whose names match pattern, as paths from
// the root with slashes, in order. What is fetched or kept by tools is not part
// of the tree.
func (c *checker) files(pattern string) ([]string, error) {
	var found []string
	err := fs.WalkDir(os.DirFS(c.root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", ".cache", "node_modules"}, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if ok, err := filepath.Match(pattern, d.Name()); !ok || err != nil {
			return err
		}
		if d.Type().IsRegular() {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for %s: %w", pattern, err)
	}
	return found, nil
}

// generatedMark is how generators sign their files (go help generate).
var generatedMark = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// generate runs go generate and compares the tree with what it was: in a fresh
// clone that is the comparison with the commit, and in a tree at work it does
// not mind what else is unfinished.
func (c *checker) generate(ctx context.Context) verdict {
	before, err := c.snapshot()
	if err != nil {
		return verdictOf(err, "")
	}
	if err := c.run(ctx, "go", "generate", "./..."); err != nil {
		return verdictOf(err, "")
	}
	after, err := c.snapshot()
	if err != nil {
		return verdictOf(err, "")
	}
	stale := changed(before, after)
	if len(stale) == 0 {
		return verdict{}
	}
	return verdict{
		status: failed,
		reason: "out of date: " + strings.Join(stale, ", "),
		remedy: "the files are generated anew now; commit them",
	}
}

// snapshot is a fingerprint of every file that a generator may write. Source
// written by hand is not: somebody may be saving it at this moment.
func (c *checker) snapshot() (map[string][sha256.Size]byte, error) {
	paths, err := c.files("*")
	if err != nil {
		return nil, err
	}
	prints := make(map[string][sha256.Size]byte, len(paths))
	for _, path := range paths {
		text, err := os.ReadFile(filepath.Join(c.root, filepath.FromSlash(path)))
		if os.IsNotExist(err) {
			continue // gone since the list was made
		}
		if err != nil {
			return nil, fmt.Errorf("reading a file before generating: %w", err)
		}
		if !writtenByHand(path, text) {
			prints[path] = sha256.Sum256(text)
		}
	}
	return prints, nil
}

// writtenByHand reports whether a file is source that no generator writes.
func writtenByHand(path string, text []byte) bool {
	switch filepath.Ext(path) {
	case ".templ":
		return true
	case ".go":
		head, _, _ := bytes.Cut(append([]byte("\n"), text...), []byte("\npackage "))
		return !generatedMark.Match(head)
	}
	return false
}

// changed lists the paths that are in one of two snapshots only, or differ.
func changed[V comparable](before, after map[string]V) []string {
	var paths []string
	for path, was := range before {
		if is, ok := after[path]; !ok || is != was {
			paths = append(paths, path)
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}
