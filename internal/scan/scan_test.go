package scan_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/qr"
	"github.com/handoff-portal/handoff/internal/scan"
)

// moduleSize is how many pixels a module has before it is spoilt.
const moduleSize = 8

// links are as long as ours, with random codes: the same each time.
func links(n int) []string {
	const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	r := rand.New(rand.NewPCG(9, 10))
	var list []string
	for range n {
		code := make([]byte, 41)
		for i := range code {
			code[i] = crockford[r.IntN(len(crockford))]
		}
		code[26], code[30] = '.', '.'
		list = append(list, "https://link.example.com/c/acme/"+string(code))
	}
	return list
}

// TestSpoiltCodes spoils drawings of our codes and has the decoders read them: three
// of them and more read each that is spoilt by little. With HANDOFF_LONG it spoils ten
// codes by every strength, and the same links drawn from skip2/go-qrcode's modules, of
// which no more is read than of ours; docs/scannability.md has the table.
func TestSpoiltCodes(t *testing.T) {
	t.Parallel()
	browser.Unwatched(t)
	readers := scan.Open(t)
	long := os.Getenv("HANDOFF_LONG") != ""
	if !long {
		for _, spoil := range scan.Spoils() {
			s := lay(t, qr.Encode, links(1)[0])
			if read := readers.Read(spoil.Do(s, spoil.Strengths[0])); len(read) < 3 {
				t.Errorf("%s of %g %s: only %v read the code", spoil.Name, spoil.Strengths[0], spoil.Unit, read)
			}
		}
		t.Log("one code, spoilt by little: HANDOFF_LONG=1 spoils ten, ever more")
		return
	}
	ours, theirs := compare(t, readers)
	scan.Record(t, filepath.Join("..", "..", "docs", "scannability.md"), "strengths", ours.strengths(readers, theirs))
	scan.Record(t, filepath.Join("..", "..", "docs", "scannability.md"), "decoders", ours.decoders(readers, theirs))
	if ours.all < theirs.all {
		t.Errorf("of our codes %d were read, of skip2's %d: want no fewer", ours.all, theirs.all)
	}
}

func lay(t *testing.T, encode func(string) (qr.Code, error), link string) scan.Subject {
	t.Helper()
	c, err := encode(link)
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := c.PNG(moduleSize)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scan.Lay(drawn, moduleSize)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// found is how many codes were read, of one kind.
type found struct {
	codes int
	all   int            // by all decoders, in all ways
	by    map[string]int // by way and decoder; by way and strength
}

func compare(t *testing.T, readers *scan.Readers) (ours, theirs found) {
	t.Helper()
	for _, kind := range []struct {
		encode func(string) (qr.Code, error)
		found  *found
	}{{qr.Encode, &ours}, {qr.Reference, &theirs}} {
		kind.found.by = make(map[string]int)
		for _, link := range links(10) {
			kind.found.codes++
			s := lay(t, kind.encode, link)
			for _, spoil := range scan.Spoils() {
				for _, strength := range spoil.Strengths {
					for decoder, text := range readers.Read(spoil.Do(s, strength)) {
						if text != link {
							t.Errorf("%s reads %q in the code of %q, %s %g", decoder, text, link, spoil.Name, strength)
							continue
						}
						kind.found.all++
						kind.found.by[spoil.Name+decoder]++
						kind.found.by[fmt.Sprint(spoil.Name, strength)]++
					}
				}
			}
		}
	}
	return ours, theirs
}

// strengths is a table of what is read by how much a code was spoilt.
func (f found) strengths(readers *scan.Readers, other found) string {
	var b strings.Builder
	full := f.codes * len(readers.Names())
	fmt.Fprintf(&b, "Of %d readings (%d codes, %d decoders) of ours, and of skip2's after the slash.\n\n| way | ever more: strength → read |\n|---|---|\n", full, f.codes, len(readers.Names()))
	for _, spoil := range scan.Spoils() {
		fmt.Fprintf(&b, "| %s (%s) |", spoil.Name, spoil.Unit)
		for i, strength := range spoil.Strengths {
			if i > 0 {
				b.WriteString(";")
			}
			key := fmt.Sprint(spoil.Name, strength)
			fmt.Fprintf(&b, " %g → %d/%d", strength, f.by[key], other.by[key])
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// decoders is a table of what each decoder reads.
func (f found) decoders(readers *scan.Readers, other found) string {
	var b strings.Builder
	b.WriteString("| way | pictures |")
	for _, name := range readers.Names() {
		fmt.Fprintf(&b, " %s |", name)
	}
	b.WriteString("\n|---|---" + strings.Repeat("|---", len(readers.Names())) + "|\n")
	for _, spoil := range scan.Spoils() {
		fmt.Fprintf(&b, "| %s | %d |", spoil.Name, f.codes*len(spoil.Strengths))
		for _, name := range readers.Names() {
			fmt.Fprintf(&b, " %d/%d |", f.by[spoil.Name+name], other.by[spoil.Name+name])
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\n%d readings of ours in all, %d of skip2's.", f.all, other.all)
	for _, name := range readers.Names() {
		fmt.Fprintf(&b, " %s: %s.", name, readers.Version(name))
	}
	b.WriteString("\n")
	return b.String()
}
