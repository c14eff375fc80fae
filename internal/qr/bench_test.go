package qr_test

import (
	"fmt"
	"testing"

	"github.com/handoff-portal/handoff/internal/qr"
)

// BenchmarkChangingLink makes an SVG of a link that is another one each time: what
// a display costs that shows a new frame. The other benchmarks tell its two halves
// apart: Encode finds the modules, SVG draws them.
func BenchmarkChangingLink(b *testing.B) {
	links := make([]string, 64) // as one display shows them one after the other
	for i := range links {
		links[i] = fmt.Sprintf("https://link.example.com/c/acme/0123456789ABCDEFGHJKMNPQRS.%X.%010d", 0x40+i, 7919*i)
	}
	b.ReportAllocs()
	size := 0
	for n := 0; b.Loop(); n++ {
		c, err := qr.Encode(links[n%len(links)])
		if err != nil {
			b.Fatal(err)
		}
		size = len(c.SVG())
	}
	b.ReportMetric(float64(size), "svg-B")
}
