package qr_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/handoff-portal/handoff/internal/qr"
)

// link is what a QR of ours holds: a host in lower case, a code of Crockford's
// base 32, a frame.
const link = "https://link.example.com/c/acme/0123456789ABCDEFGHJKMNPQRS.1A.0123456789"

func encode(t testing.TB, content string) qr.Code {
	t.Helper()
	c, err := qr.Encode(content)
	if err != nil {
		t.Fatalf("Encode(%q) = %v", content, err)
	}
	return c
}

// contents are links as they occur, and what else an encoder may stumble over.
func contents() []string {
	r := rand.New(rand.NewPCG(1, 2))
	const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	const urlSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	pick := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	out := []string{
		link, "1", "A", "a", "0123456789", "HELLO WORLD $%*+-./:", "https://go.example.com/h/x?y=1&z=%20",
		strings.Repeat("x", qr.MaxContent), strings.Repeat("7", qr.MaxContent), strings.Repeat("A1", qr.MaxContent/2),
	}
	for i := range 24 {
		switch i % 3 {
		case 0:
			out = append(out, fmt.Sprintf("https://link.example.com/c/acme/%s.%s.%s", pick(crockford, 26), pick(crockford, 1+r.IntN(4)), pick(crockford, 10)))
		case 1:
			out = append(out, fmt.Sprintf("http://127.0.0.1:8080/c/%s/%s", pick("abcdefghij-", 2+r.IntN(11)), pick(crockford, 26)))
		case 2: // a connect token, as with code: token
			out = append(out, pick(urlSafe, 8+r.IntN(120)))
		}
	}
	return out
}

func TestEncodeRefuses(t *testing.T) {
	for _, content := range []string{"", "grüße", strings.Repeat("x", qr.MaxContent+1)} {
		if _, err := qr.Encode(content); err == nil {
			t.Errorf("Encode(%.20q) of %d bytes succeeded, want an error", content, len(content))
		}
	}
}

// TestModules fixes the modules of one link, so that another encoder, or another
// version of this one, shows in review.
func TestModules(t *testing.T) {
	c := encode(t, link)
	var got strings.Builder
	for y := range c.Modules() {
		for x := range c.Modules() {
			if c.Dark(x, y) {
				got.WriteByte('#')
			} else {
				got.WriteByte('.')
			}
		}
		got.WriteByte('\n')
	}
	golden(t, "link.txt", []byte(got.String()))
	golden(t, "link.svg", c.SVG())
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; if that is meant, run the test with UPDATE_GOLDEN=1\ngot\n%s", name, got)
	}
}

func TestDeterministic(t *testing.T) {
	for _, content := range contents() {
		if a, b := encode(t, content), encode(t, content); !bytes.Equal(a.SVG(), b.SVG()) {
			t.Errorf("Encode(%q) gives two different codes", content)
		}
	}
}

// TestReadBack has gozxing, a decoder of another lineage than the encoder, read
// every drawing.
func TestReadBack(t *testing.T) {
	for _, content := range contents() {
		c := encode(t, content)
		drawings := map[string]image.Image{"path": rasterize(t, c, 2), "terminal": fromText(t, c, 2)}
		for _, scale := range []int{1, 3} {
			b, err := c.PNG(scale)
			if err != nil {
				t.Fatalf("PNG(%d) of %q: %v", scale, content, err)
			}
			drawings[fmt.Sprintf("png at %d", scale)], err = png.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatalf("PNG(%d) of %q is no PNG: %v", scale, content, err)
			}
		}
		for name, img := range drawings {
			if got := read(t, img); got != content {
				t.Errorf("the %s of %q reads %q", name, content, got)
			}
		}
	}
}

func read(t *testing.T, img image.Image) string { return decode(t, img).GetText() }

func decode(t *testing.T, img image.Image) *gozxing.Result {
	t.Helper()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	hints := make(map[gozxing.DecodeHintType]any)
	hints[gozxing.DecodeHintType_PURE_BARCODE] = true // the image is the code and nothing else
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, hints)
	if err != nil {
		t.Fatalf("gozxing reads nothing: %v", err)
	}
	return result
}

var pathForm = regexp.MustCompile(`^([Mmhvz])(?:(-?[\d.]+)(?: (-?[\d.]+))?)?`)

// rasterize draws Path by its own reading of it: strokes of width 1 that end where
// they end, and meet in full corners (SVG 2, 9.3 and 13.5).
func rasterize(t *testing.T, c qr.Code, scale int) image.Image {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, c.Size()*scale, c.Size()*scale))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	fill := func(x0, y0, x1, y1 float64) {
		s := float64(scale)
		for x := int(min(x0, x1) * s); x < int(max(x0, x1)*s); x++ {
			for y := int(min(y0, y1) * s); y < int(max(y0, y1)*s); y++ {
				img.SetGray(x, y, color.Gray{})
			}
		}
	}
	var x, y, startX, startY float64
	var before string
	line := func(command string, toX, toY float64) {
		if before == "h" || before == "v" {
			fill(x-.5, y-.5, x+.5, y+.5)
		}
		if command == "h" {
			fill(x, y-.5, toX, y+.5)
		} else {
			fill(x-.5, y, x+.5, toY)
		}
		x, y, before = toX, toY, command
	}
	for path := c.Path(); path != ""; {
		m := pathForm.FindStringSubmatch(path)
		if m == nil {
			t.Fatalf("Path has something else in it: %.20q", path)
		}
		a, _ := strconv.ParseFloat(m[2], 64)
		b, _ := strconv.ParseFloat(m[3], 64)
		switch m[1] {
		case "M":
			x, y = a, b
		case "m":
			x, y = x+a, y+b
		case "h":
			line("h", x+a, y)
		case "v":
			line("v", x, y+a)
		case "z":
			line("v", startX, startY)
			fill(x-.5, y-.5, x+.5, y+.5)
		}
		if m[1] == "M" || m[1] == "m" {
			startX, startY, before = x, y, ""
		}
		path = path[len(m[0]):]
	}
	return img
}

// fromText is the image a dark terminal shows.
func fromText(t *testing.T, c qr.Code, scale int) image.Image {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, c.Size()*scale, (c.Size()+1)*scale))
	lines := strings.Split(strings.TrimSuffix(c.Text(), "\n"), "\n")
	for row, line := range lines {
		for column, r := range []rune(line) {
			for half, light := range []bool{strings.ContainsRune("▀█", r), strings.ContainsRune("▄█", r)} {
				for i := range scale * scale {
					if light {
						img.SetGray(column*scale+i%scale, (2*row+half)*scale+i/scale, color.Gray{0xff})
					}
				}
			}
		}
	}
	return img.SubImage(image.Rect(0, 0, c.Size()*scale, c.Size()*scale))
}

// TestZbar has zbarimg read a PNG of every content: the decoder of many Linux
// cameras, and stricter than gozxing about the quiet zone.
func TestZbar(t *testing.T) {
	zbarimg, err := exec.LookPath("zbarimg")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("zbarimg is missing: install zbar-tools")
		}
		t.Skip("SKIPPED: zbarimg is missing; install zbar-tools to have it read the codes")
	}
	dir := t.TempDir()
	args := []string{"--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"}
	all := contents()
	for i, content := range all {
		b, err := encode(t, content).PNG(4)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, fmt.Sprintf("%03d.png", i))
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	out, err := exec.CommandContext(t.Context(), zbarimg, args...).Output()
	if err != nil {
		t.Fatalf("zbarimg: %v", err)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	for i, want := range all {
		if i >= len(got) || got[i] != want {
			t.Fatalf("zbarimg reads image %d of %d as %q, want %q", i, len(all), append(got, make([]string, len(all))...)[i], want)
		}
	}
}

// TestSVG checks what the theme of a page must not change.
func TestSVG(t *testing.T) {
	c := encode(t, link)
	var doc struct {
		ViewBox string `xml:"viewBox,attr"`
		Width   string `xml:"width,attr"`
		Crisp   string `xml:"shape-rendering,attr"`
		Rect    struct {
			Width string `xml:"width,attr"`
			Fill  string `xml:"fill,attr"`
		} `xml:"rect"`
		Path struct {
			Fill   string `xml:"fill,attr"`
			Stroke string `xml:"stroke,attr"`
			D      string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(c.SVG(), &doc); err != nil {
		t.Fatal(err)
	}
	size := strconv.Itoa(c.Size())
	if doc.ViewBox != "0 0 "+size+" "+size || doc.Width != "" || doc.Crisp != "crispEdges" {
		t.Errorf("SVG has viewBox %q, width %q, shape-rendering %q", doc.ViewBox, doc.Width, doc.Crisp)
	}
	if doc.Rect.Fill != "#fff" || doc.Rect.Width != size || doc.Path.Stroke != "#000" || doc.Path.Fill != "none" || doc.Path.D != c.Path() {
		t.Errorf("SVG draws %q on %q of width %q, want black on white of width %s", doc.Path.Stroke, doc.Rect.Fill, doc.Rect.Width, size)
	}
	var b bytes.Buffer
	if err := c.WriteSVG(&b); err != nil || !bytes.Equal(b.Bytes(), c.SVG()) {
		t.Errorf("WriteSVG = %v, and not what SVG returns", err)
	}
}

func TestPNG(t *testing.T) {
	c := encode(t, link)
	for _, test := range []struct{ scale, want int }{{-1, 1}, {0, 1}, {1, 1}, {8, 8}, {1000, qr.MaxScale}} {
		b, err := c.PNG(test.scale)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := img.Bounds().Dx(), c.Size()*test.want; got != want || img.Bounds().Dy() != want {
			t.Errorf("PNG(%d) is %d pixels wide, want %d", test.scale, got, want)
		}
		// Bit depth and colour type of the header (PNG §11.2.2).
		if depth, kind := b[24], b[25]; depth != 1 || kind != 3 {
			t.Errorf("PNG(%d) has bit depth %d and colour type %d, want 1 and 3", test.scale, depth, kind)
		}
		for i := range qr.Quiet * test.want {
			if r, _, _, _ := img.At(i, img.Bounds().Dy()/2).RGBA(); r != 0xffff {
				t.Fatalf("PNG(%d) is not white in its quiet zone, at %d", test.scale, i)
			}
		}
	}
}

func TestTerminal(t *testing.T) {
	c := encode(t, link)
	plain := strings.NewReplacer("\x1b[38;5;231;48;5;16m", "", "\x1b[0m", "").Replace(c.Terminal())
	if plain != c.Text() {
		t.Error("Terminal is not Text in colours")
	}
	if got, want := strings.Count(c.Text(), "\n"), (c.Size()+1)/2; got != want {
		t.Errorf("Text has %d lines, want %d", got, want)
	}
}

// TestVersion fixes how dense our codes are: a version more is four modules on a
// side, and smaller ones. A host of 17 characters is the longest for version 4, with
// a partner of four and the frames of half an hour; one of 25 has version 5.
func TestVersion(t *testing.T) {
	const code = "/3J98T56AWQ7KXV0EZR2MYB4CHD.1A.7QK2M9XW4T"
	tests := []struct {
		content string
		version int
	}{
		{"https://link.example.com/c/acme" + code, 4},
		{"https://link7.example.com/c/acme" + code, 4},
		{"https://link77.example.com/c/acme" + code, 5},
		{"https://handoff.acme-bank.example/c/acme" + code, 5},           // a host of 25
		{"https://handoff.acme-bank.example/c/acme-bank-uk" + code, 5},   // and the longest partner
		{"https://handoff-1.acme-bank.example/c/acme-bank-uk" + code, 5}, // and two more
		{"https://link.example.com/c/acme/0123456789ABCDEFGHJKMNPQRS", 4},
		{"http://127.0.0.1:8080/c/acme" + code, 4},
		{strings.Repeat("x", 213), 10},
		{strings.Repeat("x", 214), 11}, // skip2's
	}
	for _, test := range tests {
		c := encode(t, test.content)
		if got := (c.Modules() - 17) / 4; got != test.version {
			t.Errorf("Encode(%q) has version %d, want %d", test.content, got, test.version)
		}
		n := len(c.SVG())
		if limit := map[int]int{4: 1920, 5: 2400}[test.version]; limit > 0 && n > limit {
			t.Errorf("the SVG of %q has %d bytes, want at most %d", test.content, n, limit)
		}
		t.Logf("%q: version %d, an SVG of %d bytes", test.content, test.version, n)
	}
}

// TestSegments reads the modes from the code's own bits: the code and the frame of a
// link are in the mode that packs them.
func TestSegments(t *testing.T) {
	tests := []struct{ content, want string }{
		{link, "byte 31, alphanumeric 41"},
		{"https://link.example.com/c/acme/3J98T56AWQ7KXV0EZR2MYB4CHD.1A.7QK2M9XW4T", "byte 31, alphanumeric 41"},
		{"https://link.example.com/c/acme/3J98T56AWQ7KXV0EZR2MYB4CHD", "byte 31, alphanumeric 27"},
		{"HTTPS", "alphanumeric 5"},
		{"HTTPs", "byte 5"},
		{"ABCDEFGHIJKLMNOPa", "alphanumeric 16, byte 1"},
		{"aABCDEFb", "byte 8"},
	}
	for _, test := range tests {
		got, _ := segments(t, test.content)
		if got != test.want {
			t.Errorf("the segments of %q are %s, want %s", test.content, got, test.want)
		}
	}
}

// TestShortest compares the choice of segments with every other one.
func TestShortest(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 300 {
		// Runs of either kind, so that there is something to choose.
		content := pick(r, "ab", r.IntN(4)) + pick(r, "AB", r.IntN(9)) + pick(r, "ab", r.IntN(3)) + pick(r, "AB", r.IntN(15))
		if content == "" || len(content) > 16 {
			continue
		}
		for _, version := range []int{1, 10} {
			least := 1 << 30
			for modes := range 1 << len(content) {
				if n, ok := lengthOf(content, modes, version); ok {
					least = min(least, n)
				}
			}
			segments, bits := qr.Shortest(content, version)
			if bits != least || qr.Length(segments, version) != least {
				t.Fatalf("%q in version %d takes %d bits as %v (%d by its own count), want %d", content, version, qr.Length(segments, version), segments, bits, least)
			}
		}
	}
}

// lengthOf counts the bits of content, character i in bytes where bit i of modes is set.
func lengthOf(content string, modes, version int) (bits int, ok bool) {
	before := -1
	chars := 0
	for i := range content {
		m := modes >> i & 1
		if m == 0 && !strings.Contains(dense, content[i:i+1]) {
			return 0, false
		}
		if m != before {
			chars = 0
			bits += 4 + [2][2]int{{9, 8}, {11, 16}}[version/10][m]
		}
		before = m
		chars++
		switch {
		case m == 1:
			bits += 8
		case chars%2 == 1:
			bits += 6
		default:
			bits += 5 // 11 for the two
		}
	}
	return bits, true
}

// segments reads the segments of a code of version 1 to 9 (ISO/IEC 18004, tables
// 2 and 3), and how many bits they take.
func segments(t *testing.T, content string) (list string, bits int) {
	t.Helper()
	raw, at := decode(t, rasterize(t, encode(t, content), 4)).GetRawBytes(), 0
	next := func(bits int) (n int) {
		for range bits {
			n = n<<1 | int(raw[at/8]>>(7-at%8)&1)
			at++
		}
		return n
	}
	var found []string
	for mode := next(4); mode != 0; mode = next(4) {
		var n int
		switch mode {
		case 1:
			n = next(10)
			at += n/3*10 + []int{0, 4, 7}[n%3]
			found = append(found, fmt.Sprintf("numeric %d", n))
		case 2:
			n = next(9)
			at += n/2*11 + n%2*6
			found = append(found, fmt.Sprintf("alphanumeric %d", n))
		case 4:
			n = next(8)
			at += n * 8
			found = append(found, fmt.Sprintf("byte %d", n))
		default:
			t.Fatalf("mode %d after %v", mode, found)
		}
		if at+4 > 8*len(raw) {
			return strings.Join(found, ", "), at // full: no room for the end mark
		}
	}
	return strings.Join(found, ", "), at - 4
}

// FuzzEncode has gozxing read what Encode and Reference make of anything.
func FuzzEncode(f *testing.F) {
	f.Add(link)
	f.Add("0")
	f.Add("A/b.C")
	f.Add(strings.Repeat("x", 213))
	f.Fuzz(func(t *testing.T, content string) {
		c, err := qr.Encode(content)
		good := content != "" && len(content) <= qr.MaxContent && strings.IndexFunc(content, func(r rune) bool { return r >= 0x80 }) < 0
		if (err == nil) != good {
			t.Fatalf("Encode(%q) = %v", content, err)
		}
		if err != nil {
			return
		}
		other, err := qr.Reference(content)
		if err != nil {
			t.Fatalf("Reference(%q) = %v", content, err)
		}
		for name, c := range map[string]qr.Code{"Encode": c, "Reference": other} {
			if n := c.Modules(); n < 21 || n > 177 || (n-17)%4 != 0 {
				t.Fatalf("%s(%q) has %d modules on a side", name, content, n)
			}
			if got := read(t, rasterize(t, c, 2)); got != content {
				t.Fatalf("%s(%q) reads %q", name, content, got)
			}
		}
	})
}

func BenchmarkPNG(b *testing.B) {
	c := encode(b, link)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.PNG(8); err != nil {
			b.Fatal(err)
		}
	}
}
