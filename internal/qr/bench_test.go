package qr_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/qr"
)

// BenchmarkEncode makes the SVG of a link that is another one each time, for the
// versions 2 to 6 at level M: what a display costs that shows a new frame. Beside
// it, by turns, skip2/go-qrcode makes the modules and the same drawing is made of
// them; x-skip2 is how many times longer that takes.
func BenchmarkEncode(b *testing.B) {
	for version := 2; version <= 6; version++ {
		b.Run(fmt.Sprintf("version=%d", version), func(b *testing.B) {
			links := linksOf(b, version)
			var buffer []byte
			size := 0
			b.ReportAllocs()
			var theirs time.Duration
			rounds := 0
			for n := 0; b.Loop(); n++ {
				link := links[n%len(links)]
				c, err := qr.Encode(link)
				if err != nil {
					b.Fatal(err)
				}
				buffer = c.AppendSVG(buffer[:0])
				size += len(buffer)
				if n%1000 == 0 {
					b.StopTimer()
					began := time.Now()
					for _, link := range links[:20] {
						c, err := qr.Reference(link)
						if err != nil {
							b.Fatal(err)
						}
						buffer = c.AppendSVG(buffer[:0])
					}
					theirs += time.Since(began)
					rounds += 20
					b.StartTimer()
				}
			}
			ours := b.Elapsed() / time.Duration(b.N)
			theirs /= time.Duration(rounds)
			b.ReportMetric(float64(size/b.N), "svg-B")
			b.ReportMetric(float64(theirs)/float64(ours), "x-skip2")
		})
	}
}

// linksOf are links that Encode makes this version of: as long as it holds, the
// code and the frame random.
func linksOf(t testing.TB, version int) []string {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(version)))
	links := make([]string, 64)
	for i := range links {
		prefix, variable := "https://link.example.com/c/acme/", 26+1+2+1+10
		if version < 4 {
			prefix, variable = "https://h.example/", 8+24*(version-2)
		}
		if version > 4 {
			prefix = fmt.Sprintf("https://%s.example.com/c/acme/", pick(r, "abcdefgh", 13+18*(version-5)))
		}
		links[i] = prefix + pick(r, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", variable)
		if got := (encode(t, links[i]).Modules() - 17) / 4; got != version {
			t.Fatalf("Encode(%q) has version %d, want %d", links[i], got, version)
		}
	}
	return links
}
