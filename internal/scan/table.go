package scan

import (
	"fmt"
	"image"
	"image/draw"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/browser"
)

// Cut is the part of a picture within r.
func Cut(picture *image.Gray, r image.Rectangle) *image.Gray {
	r = r.Intersect(picture.Bounds())
	out := image.NewGray(image.Rect(0, 0, r.Dx(), r.Dy()))
	draw.Draw(out, out.Bounds(), picture, r.Min, draw.Src)
	return out
}

// Table counts what was read, row by row.
type Table struct {
	first   string // the heading of the first column
	readers *Readers
	order   []string
	rows    map[string]*row
}

type row struct {
	pictures, left int
	three          int // by three or more
	by             map[string]int
}

// NewTable is an empty table.
func NewTable(first string, readers *Readers) *Table {
	return &Table{first: first, readers: readers, rows: make(map[string]*row)}
}

func (t *Table) row(name string) *row {
	if t.rows[name] == nil {
		t.rows[name] = &row{by: make(map[string]int)}
		t.order = append(t.order, name)
	}
	return t.rows[name]
}

// Add counts a picture, and who read it.
func (t *Table) Add(name string, read map[string]string) {
	r := t.row(name)
	r.pictures++
	for decoder := range read {
		r.by[decoder]++
	}
	if len(read) >= 3 {
		r.three++
	}
}

// Left counts a picture that was not tried, as its code is not all in view.
func (t *Table) Left(name string) { t.row(name).left++ }

// String is the table in Markdown, with the versions of the decoders.
func (t *Table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | pictures | by three or more | %s |\n|---|---%s|\n", t.first, strings.Join(t.readers.Names(), " | "), strings.Repeat("|---", 1+len(t.readers.Names())))
	for _, name := range t.order {
		r := t.rows[name]
		pictures := strconv.Itoa(r.pictures)
		if r.left > 0 {
			pictures += fmt.Sprintf(", and %d told of", r.left)
		}
		fmt.Fprintf(&b, "| %s | %s | %d |", name, pictures, r.three)
		for _, decoder := range t.readers.Names() {
			fmt.Fprintf(&b, " %d |", r.by[decoder])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Record writes what the long form of a test found into a document, in place of what
// the last one found: the lines between two comments that name it.
func Record(t browser.Reporter, path, name, found string) {
	t.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // a document of the repository
	if err != nil {
		t.Fatalf("scan: reading a document: %v", err)
	}
	place := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n).*?(<!-- end -->)`)
	if !place.Match(text) {
		t.Fatalf("scan: %s has no place for %s", path, name)
	}
	found = time.Now().UTC().Format(time.DateOnly) + ".\n\n" + found + "\n"
	out := place.ReplaceAllString(string(text), "${1}"+strings.ReplaceAll(found, "$", "$$")+"${2}")
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil { //nolint:gosec // the same document
		t.Fatalf("scan: writing a document: %v", err)
	}
}
