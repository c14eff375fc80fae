package handoff

import (
	"strings"
	"testing"
)

// What parsePresented takes apart is a code of one spelling: put together again
// it is what came in.
func FuzzParsePresented(f *testing.F) {
	for _, s := range []string{
		"", ".", "..", "...", "ABCDEFGHJKMNPQRSTVWXYZ0123", "ABC.0.0000000000", "ABC.A.X", "ABC.a.X", "ABC.0A.X", "ABC.+A.X", "ABC.-A.X", "ABC.1_0.X",
		"ABC.7VVVVVVVVVVVV.X", "ABC.8000000000000.X", "ABC. 1.X", "ABC.1", "\x00.1.\xff", "ABC.0.0.0", strings.Repeat("A", 65),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, code string) {
		p, ok := parsePresented(Secret(code))
		again := p.reference.Reveal()
		if p.framed {
			again += "." + formatFrame(p.frame) + "." + p.mac
		}
		switch {
		case len(code) > maxCode && (ok || p.reference != ""):
			t.Errorf("parsePresented(%d characters) = %q, %t, want nothing: it is too long", len(code), p.reference.Reveal(), ok)
		case ok && again != code:
			t.Errorf("parsePresented(%q) is put together again as %q", code, again)
		case !ok && p.framed:
			t.Errorf("parsePresented(%q) = framed, and not ok", code)
		case strings.Contains(p.reference.Reveal(), ".") || strings.Contains(p.mac, "."):
			t.Errorf("parsePresented(%q) = reference %q, MAC %q, with a dot in one of them", code, p.reference.Reveal(), p.mac)
		case p.frame < 0:
			t.Errorf("parsePresented(%q) = frame %d", code, p.frame)
		}
	})
}
