package qr_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	qrcode "github.com/skip2/go-qrcode"

	"github.com/handoff-portal/handoff/internal/qr"
)

const dense = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

func pick(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// theirs divides content as skip2/go-qrcode does: runs of one mode are joined from
// the left while that is shorter, and all of it is one segment where that is no
// longer. ok is false where it takes a segment of digits, which we have not.
func theirs(content string, version int) (segments []qr.Segment, ok bool) {
	const number, text, bytes = 0, 1, 2
	kind := func(c byte) int {
		switch {
		case c >= '0' && c <= '9':
			return number
		case strings.IndexByte(dense, c) >= 0:
			return text
		}
		return bytes
	}
	width := func(kind, n int) int {
		counts := [3]int{10, 9, 8}
		if version >= 10 {
			counts = [3]int{12, 11, 16}
		}
		return 4 + counts[kind] + [3]int{n/3*10 + []int{0, 4, 7}[n%3], n/2*11 + n%2*6, 8 * n}[kind]
	}
	type run struct {
		kind, from, to int
	}
	var runs, joined []run
	highest := 0
	for i := range content {
		k := kind(content[i])
		highest = max(highest, k)
		if len(runs) == 0 || runs[len(runs)-1].kind != k {
			runs = append(runs, run{k, i, i})
		}
		runs[len(runs)-1].to++
	}
	total := 0
	for i := 0; i < len(runs); {
		r := runs[i]
		i++
		for i < len(runs) && runs[i].kind <= r.kind {
			n, more := r.to-r.from, runs[i].to-runs[i].from
			if width(r.kind, n+more) >= width(r.kind, n)+width(runs[i].kind, more) {
				break
			}
			r.to = runs[i].to
			i++
		}
		joined = append(joined, r)
		total += width(r.kind, r.to-r.from)
	}
	if width(highest, len(content)) <= total {
		joined = []run{{highest, 0, len(content)}}
	}
	for _, r := range joined {
		if r.kind == number {
			return nil, false
		}
		segments = append(segments, qr.Segment{Text: content[r.from:r.to], Octets: r.kind == bytes})
	}
	return segments, true
}

// bitmap has skip2/go-qrcode make the modules.
func bitmap(t testing.TB, content string, version, level int) [][]bool {
	t.Helper()
	q, err := qrcode.NewWithForcedVersion(content, version, [4]qrcode.RecoveryLevel{qrcode.Low, qrcode.Medium, qrcode.High, qrcode.Highest}[level])
	if err != nil {
		t.Fatalf("skip2 of %q in version %d: %v", content, version, err)
	}
	q.DisableBorder = true
	return q.Bitmap()
}

// maskOf reads a code's mask from its format (ISO/IEC 18004 §7.9.1).
func maskOf(dark func(x, y int) bool) int {
	mask := 0
	for _, x := range []int{2, 3, 4} { // bits 12 to 10
		mask <<= 1
		if dark(x, 8) {
			mask |= 1
		}
	}
	return mask ^ 0b101
}

func sameModules(t *testing.T, what string, c qr.Code, want [][]bool) {
	t.Helper()
	if c.Modules() != len(want) {
		t.Fatalf("%s: %d modules on a side, want %d", what, c.Modules(), len(want))
	}
	for y, row := range want {
		for x, dark := range row {
			if c.Dark(x, y) != dark {
				t.Fatalf("%s: the module at %d, %d is not skip2's", what, x, y)
			}
		}
	}
}

// TestYardstickForEveryMask compares a code of each version, level and mask, full
// or not, with that of skip2/go-qrcode. Which mask that library takes is not ours
// to say, so it is given contents until it has taken each.
func TestYardstickForEveryMask(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for version := 1; version <= qr.MaxVersion; version++ {
		for level := range 4 {
			var seen [8]bool
			for tries, left := 0, 8; left > 0; tries++ {
				if tries == 2000 {
					t.Fatalf("version %d, level %d: skip2 took only the masks %v in %d tries", version, level, seen, tries)
				}
				room := qr.Capacity(version, level)
				content := pick(r, "abcdefghijklmnopqrstuvwxyz", 1+r.IntN((room-20)/8))
				if tries%2 == 1 {
					content = pick(r, dense[10:], 1+r.IntN((room-15)*2/11))
				}
				segments, ok := theirs(content, version)
				if !ok {
					t.Fatalf("skip2 finds digits in %q", content)
				}
				want := bitmap(t, content, version, level)
				mask := maskOf(func(x, y int) bool { return want[y][x] })
				if !seen[mask] {
					seen[mask], left = true, left-1
				}
				sameModules(t, fmt.Sprintf("%q, version %d, level %d, mask %d", content, version, level, mask), qr.Masked(segments, version, level, mask), want)
			}
		}
	}
}

// randomLink is a link of ours with a random host, partner and code.
func randomLink(r *rand.Rand) string {
	const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	link := "https://" + pick(r, "abcdefghijklmnopqrstuvwxyz0123456789-", 3+r.IntN(14)) + ".example.com/c/" + pick(r, "abcdefghijklmnopqrstuvwxyz0123456789-", 2+r.IntN(11)) + "/" + pick(r, crockford, 26)
	if r.IntN(4) > 0 {
		link += fmt.Sprintf(".%s.%s", pick(r, crockford, 1+r.IntN(4)), pick(r, crockford, 10))
	}
	return link
}

// TestYardstickOnLinks compares random links with skip2/go-qrcode's codes of the
// same segments, version and mask, and what Encode makes of each with the standard's
// own formula: 2,000 links, or 100,000 with HANDOFF_LONG.
func TestYardstickOnLinks(t *testing.T) {
	links := 2000
	if os.Getenv("HANDOFF_LONG") != "" {
		links = 100_000
	} else {
		t.Logf("%d links; HANDOFF_LONG=1 compares 100,000", links)
	}
	r := rand.New(rand.NewPCG(5, 6))
	mixed, masks, shorter := 0, [8]int{}, 0
	for compared := 0; compared < links; {
		link := randomLink(r)
		segments, ok := theirs(link, 1)
		if !ok {
			continue // it has digits for a segment of their own
		}
		compared++
		if len(segments) > 1 {
			mixed++
		}
		level := r.IntN(4)
		version := 1
		for qr.Capacity(version, level) < qr.Length(segments, version) {
			version++
		}
		want := bitmap(t, link, version, level)
		mask := maskOf(func(x, y int) bool { return want[y][x] })
		masks[mask]++
		sameModules(t, fmt.Sprintf("%q, version %d, level %d, mask %d", link, version, level, mask), qr.Masked(segments, version, level, mask), want)
		if c := encode(t, link); 4*version+17 > c.Modules() && level == 1 {
			shorter++
		} else if level == 1 && 4*version+17 < c.Modules() {
			t.Fatalf("Encode(%q) has %d modules on a side, skip2 version %d", link, c.Modules(), version)
		}
		if compared%10 == 0 {
			checkMask(t, segments, version, level)
		}
	}
	t.Logf("%d of %d links in more than one segment, masks %v; of those at level M, %d were a version smaller", mixed, links, masks, shorter)
	if mixed < links/10 || shorter == 0 {
		t.Errorf("too little was compared: %d links in more than one segment, %d of a smaller version", mixed, shorter)
	}
}

// checkMask has the standard's formula judge all masks of a code.
func checkMask(t *testing.T, segments []qr.Segment, version, level int) {
	t.Helper()
	best, least := 0, 0
	for mask := range 8 {
		c := qr.Masked(segments, version, level, mask)
		if p := plainPenalty(&c); mask == 0 || p < least {
			best, least = mask, p
		}
	}
	c := qr.EncodeAs(segments, version, level)
	if got := maskOf(c.Dark); got != best {
		chosen := qr.Masked(segments, version, level, got)
		t.Fatalf("%v in version %d at level %d has mask %d of penalty %d, want %d of %d", segments, version, level, got, plainPenalty(&chosen), best, least)
	}
}

// TestMask checks the choice for every version and level.
func TestMask(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for version := 1; version <= qr.MaxVersion; version++ {
		for level := range 4 {
			for range 5 {
				text := pick(r, "abcdefghijklmnopqrstuvwxyz", 1+r.IntN((qr.Capacity(version, level)-20)/8))
				checkMask(t, []qr.Segment{{Text: text, Octets: true}}, version, level)
			}
		}
	}
}

// plainPenalty is the sum of the four rules of ISO/IEC 18004 §7.8.3.1 (table 11)
// module by module, with the light quiet zone around the code.
func plainPenalty(c *qr.Code) (sum int) {
	n := c.Modules()
	dark := 0
	for _, at := range []func(along, across int) bool{
		func(along, across int) bool { return c.Dark(along, across) },
		func(along, across int) bool { return c.Dark(across, along) },
	} {
		for across := range n {
			// Adjacent modules in one row or column of the same colour: 3 + i for 5 + i of them.
			for along := 0; along < n; {
				run := 1
				for along+run < n && at(along+run, across) == at(along, across) {
					run++
				}
				if run >= 5 {
					sum += 3 + run - 5
				}
				along += run
			}
			// 1:1:3:1:1, dark first, with a light area of four modules before or after.
			for along := range n {
				found := true
				for i, want := range []bool{true, false, true, true, true, false, true} {
					found = found && at(along+i, across) == want
				}
				before, after := true, true
				for i := 1; i <= 4; i++ {
					before = before && !at(along-i, across)
					after = after && !at(along+6+i, across)
				}
				if found && (before || after) {
					sum += 40
				}
			}
		}
	}
	for y := range n {
		for x := range n {
			if c.Dark(x, y) {
				dark++
			}
			// Blocks of one colour, of m by k modules: 3 (m-1) (k-1), which is 3 for each square of four.
			if x+1 < n && y+1 < n && c.Dark(x, y) == c.Dark(x+1, y) && c.Dark(x, y) == c.Dark(x, y+1) && c.Dark(x, y) == c.Dark(x+1, y+1) {
				sum += 3
			}
		}
	}
	// Each step of five per cent, from a half, that the share of dark modules is past.
	for k := 1; 100*dark <= (50-5*k)*n*n || 100*dark >= (50+5*k)*n*n; k++ {
		sum += 10
	}
	return sum
}
