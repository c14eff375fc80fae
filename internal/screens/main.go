// Command screens takes pictures of every page in every state, to be looked at:
//
//	go run ./internal/screens            into screenshots/, which is never kept
//	go run ./internal/screens -to DIR
//
// It runs the test that brings every state about and checks it (TestEveryState in
// package web), so that there is one list of them: in light, dark and forced colours,
// in Arabic, 320 pixels wide, and at 400 %. screenshots/index.html shows them all.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "screens:", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// run is the program without the process.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("screens", flag.ContinueOnError)
	to := flags.String("to", "screenshots", "the `folder` for the pictures")
	only := flags.String("run", "", "some states only: a `pattern` as go test -run takes it, such as phones/landing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := filepath.Abs(*to)
	if err != nil {
		return fmt.Errorf("finding the folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	pattern := "^TestEveryState$"
	if *only != "" {
		pattern += "/" + *only
	}
	cmd := exec.CommandContext(ctx, "go", "test", "./web", "-count=1", "-timeout=0", "-run", pattern)
	cmd.Env = append(os.Environ(), "HANDOFF_SCREENSHOTS="+dir)
	cmd.Stdout, cmd.Stderr = out, out
	failed := cmd.Run() // what went well is shown all the same
	n, err := index(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d pictures: %s\n", n, filepath.Join(dir, "index.html"))
	if failed != nil {
		return fmt.Errorf("taking pictures: %w", failed)
	}
	return nil
}

// row is one state, in its pictures.
type row struct {
	Name  string
	Shots []string // file names
}

// index writes a page with all pictures in dir, and counts them.
func index(dir string) (int, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.png"))
	if err != nil {
		return 0, fmt.Errorf("listing the pictures: %w", err)
	}
	slices.Sort(files)
	var rows []row
	for _, f := range files {
		file := filepath.Base(f)
		name, _, _ := strings.Cut(file, ".")
		if len(rows) == 0 || rows[len(rows)-1].Name != name {
			rows = append(rows, row{Name: name})
		}
		last := &rows[len(rows)-1]
		last.Shots = append(last.Shots, file)
	}
	all, err := template.New("index").Parse(sheet)
	if err != nil {
		return 0, fmt.Errorf("reading the index's template: %w", err)
	}
	page, err := os.Create(filepath.Join(dir, "index.html")) //nolint:gosec // in the folder the caller named
	if err != nil {
		return 0, fmt.Errorf("writing the index: %w", err)
	}
	if err := all.Execute(page, rows); err != nil {
		return 0, errors.Join(fmt.Errorf("writing the index: %w", err), page.Close())
	}
	return len(files), page.Close()
}

const sheet = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Every page in every state</title>
<style>
body { font-family: system-ui, sans-serif; margin: 16px; background: #888 }
div { display: flex; gap: 12px; overflow-x: auto; align-items: start }
figure { margin: 0 }
img { height: 420px; border: 1px solid #000 }
</style>
<h1>Every page in every state</h1>
{{range .}}<section><h2 id="{{.Name}}">{{.Name}}</h2><div>
{{range .Shots}}<figure><a href="{{.}}"><img loading="lazy" src="{{.}}" alt=""></a><figcaption>{{.}}</figcaption></figure>
{{end}}</div></section>
{{end}}</html>
`
