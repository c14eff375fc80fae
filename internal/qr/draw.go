package qr

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/bits"
	"strconv"
	"strings"
)

// MaxScale is the most pixels a module can have in a PNG.
const MaxScale = 32

// Path returns the d attribute of an SVG path that draws the dark modules: the three
// finder patterns as two rings and a point each, and a line for each run of the others
// in a row, to be drawn with a stroke of width 1 and no fill. A unit is a module, and
// the quiet zone is counted in: the viewBox is "0 0 Size Size". A line takes half the
// bytes of a rectangle.
func (c Code) Path() string { return string(c.AppendPath(nil)) }

// finder is how many modules wide a finder pattern is (ISO/IEC 18004, 6.3.3).
const finder = 7

// AppendPath appends what Path returns.
func (c *Code) AppendPath(b []byte) []byte {
	p := pen{path: b}
	far := c.side - finder
	p.finder(0, 0)
	p.finder(far, 0)
	p.finder(0, far)
	for y := range c.side {
		from, to := 0, c.side // between the finder patterns
		if y < finder || y >= far {
			from = finder
		}
		if y < finder {
			to = far
		}
		if c.large == nil {
			for row, x := c.rows[y]&(1<<to-1)>>from, from; row != 0; {
				light := bits.TrailingZeros64(row)
				dark := bits.TrailingZeros64(^(row >> light))
				p.line(x+light, y, dark)
				x += light + dark
				row = row >> light >> dark
			}
			continue
		}
		for x := from; x < to; x++ {
			begin := x
			for x < to && c.dark(x, y) {
				x++
			}
			if x > begin {
				p.line(begin, y, x-begin)
			}
		}
	}
	return p.path
}

// pen draws finder patterns, and then lines from left to right and from row to row.
type pen struct {
	path []byte
	x, y int // where it is, but for the half module to a row's middle
	down bool
}

// finder draws the finder pattern whose corner is at x, y, through the middles of
// its outermost modules.
func (p *pen) finder(x, y int) {
	p.path = append(appendInt(append(p.path, 'M'), x+Quiet), ".5 "...)
	p.path = append(appendInt(p.path, y+Quiet), ".5h6v6h-6zm2 2h2v2h-2zm.5 1h1"...)
}

// line draws n modules from the one at x, y.
func (p *pen) line(x, y, n int) {
	gap := x - p.x
	switch {
	case p.down && y == p.y && gap < 10 && n < 10: // nearly always
		p.path = append(p.path, 'm', digits[gap], ' ', '0', 'h', digits[n])
	case !p.down:
		p.path = append(appendInt(append(p.path, 'M'), x+Quiet), ' ')
		p.path = append(appendInt(p.path, y+Quiet), ".5h"...)
		p.path = appendInt(p.path, n)
	default:
		p.path = append(appendInt(append(p.path, 'm'), gap), ' ')
		p.path = appendInt(append(appendInt(p.path, y-p.y), 'h'), n)
	}
	p.x, p.y, p.down = x+n, y, true
}

const digits = "0123456789"

// appendInt is strconv.AppendInt, for numbers of two digits at most.
func appendInt(b []byte, n int) []byte {
	if n < 0 {
		b = append(b, '-')
		n = -n
	}
	if n >= 100 {
		return strconv.AppendInt(b, int64(n), 10)
	}
	if n >= 10 {
		b = append(b, digits[n/10])
	}
	return append(b, digits[n%10])
}

// SVG returns the code as an SVG document: black on a white card with rounded
// corners. It has no width and height of its own; who shows it gives them, and a
// name for those who cannot see it.
func (c Code) SVG() []byte { return c.AppendSVG(nil) }

// AppendSVG appends what SVG returns.
func (c *Code) AppendSVG(b []byte) []byte {
	b = append(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="`...)
	b = append(c.AppendViewBox(b), `" shape-rendering="crispEdges"><rect width="`...)
	b = append(appendInt(b, c.Size()), `" height="`...)
	b = append(appendInt(b, c.Size()), `" rx="2" fill="#fff" shape-rendering="auto"/><path fill="none" stroke="#000" d="`...)
	return append(c.AppendPath(b), `"/></svg>`...)
}

// ViewBox is what Path is drawn in, as an SVG document has it.
func (c Code) ViewBox() string { return string(c.AppendViewBox(nil)) }

// AppendViewBox appends what ViewBox returns.
func (c *Code) AppendViewBox(b []byte) []byte {
	b = appendInt(append(b, "0 0 "...), c.Size())
	return appendInt(append(b, ' '), c.Size())
}

// WriteSVG writes what SVG returns.
func (c Code) WriteSVG(w io.Writer) error {
	_, err := w.Write(c.SVG())
	return err
}

// PNG returns the code as an image of one bit a pixel, each module scale pixels
// wide, quiet zone included. Scales below 1 count as 1, those above MaxScale as
// MaxScale.
func (c Code) PNG(scale int) ([]byte, error) {
	scale = min(max(scale, 1), MaxScale)
	side := c.Size() * scale
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range c.side {
		top := (y + Quiet) * scale
		row := img.Pix[top*img.Stride : (top+1)*img.Stride]
		for x := range c.side {
			if c.Dark(x, y) {
				for i := range scale {
					row[(x+Quiet)*scale+i] = 1
				}
			}
		}
		for i := 1; i < scale; i++ {
			copy(img.Pix[(top+i)*img.Stride:], row)
		}
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&b, img); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// halves are the characters for two modules, one above the other: upper light
// is bit 1, lower light is bit 0.
const halves = " ▄▀█"

// Text returns the code in half blocks, two rows of modules to a line. Light
// modules are drawn, dark ones left out, so it is right on a dark terminal only.
func (c Code) Text() string { return c.text("", "") }

// Terminal returns what Text does, in fixed colours, so that it is right on any
// terminal that knows 256 of them.
func (c Code) Terminal() string { return c.text("\x1b[38;5;231;48;5;16m", "\x1b[0m") }

func (c Code) text(before, after string) string {
	glyphs := []rune(halves)
	var b strings.Builder
	for y := -Quiet; y < c.side+Quiet; y += 2 {
		b.WriteString(before)
		for x := -Quiet; x < c.side+Quiet; x++ {
			glyph := 0
			if !c.Dark(x, y) {
				glyph |= 2
			}
			// A code has an odd number of rows: below the last one there is nothing.
			if y+1 < c.side+Quiet && !c.Dark(x, y+1) {
				glyph |= 1
			}
			b.WriteRune(glyphs[glyph])
		}
		b.WriteString(after + "\n")
	}
	return b.String()
}
