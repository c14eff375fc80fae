// Package qr draws a link as a QR code (ISO/IEC 18004): its modules, an SVG, a
// PNG, and text for a terminal.
//
// Encode is an encoder of our own for codes that change every few seconds on many
// screens: it works on whole rows of modules as machine words, and allocates
// nothing. Reference has skip2/go-qrcode make the modules: it draws what is made
// once, and is what the tests measure Encode by.
//
// Every drawing is dark on white with a quiet zone of four modules around it,
// whatever the theme of the page: light on dark, or a code without its quiet
// zone on a dark page, is what many readers give up on.
package qr

import (
	"fmt"
	"slices"

	qrcode "github.com/skip2/go-qrcode"
)

// Quiet is the width of the quiet zone in modules (ISO/IEC 18004 §9.1).
const Quiet = 4

// MaxContent bounds what Encode takes, in bytes. Longer codes have modules too
// small for a camera at arm's length.
const MaxContent = 600

// Code is a QR code. The zero value is an empty drawing.
type Code struct {
	side  int    // modules, without the quiet zone
	rows  grid   // up to maxVersion
	large []bool // above it, row by row
}

func checked(content string) error {
	if content == "" || len(content) > MaxContent {
		return fmt.Errorf("encoding a QR code of %d bytes: 1 to %d are possible", len(content), MaxContent)
	}
	for i := range len(content) {
		if content[i] >= 0x80 {
			return fmt.Errorf("encoding a QR code: byte %d is beyond ASCII", i)
		}
	}
	return nil
}

// Encode returns the code of content at error correction level M: a short link
// with big modules is read more often than a dense code that corrects more. The
// same content gives the same modules.
//
// content must be ASCII: readers do not agree on what bytes beyond it mean.
func Encode(content string) (Code, error) {
	if err := checked(content); err != nil {
		return Code{}, err
	}
	if version, s, ok := smallest(content, levelM); ok {
		var c Code
		c.encode(content, &s, version, levelM)
		return c, nil
	}
	return Reference(content)
}

// Reference is Encode by skip2/go-qrcode. It reads the same and looks different:
// that library divides a content into segments by other rules, and so may need a
// larger version.
func Reference(content string) (Code, error) {
	if err := checked(content); err != nil {
		return Code{}, err
	}
	q, err := qrcode.New(content, qrcode.Medium)
	if err != nil {
		return Code{}, fmt.Errorf("encoding a QR code of %d bytes: %w", len(content), err)
	}
	q.DisableBorder = true
	rows := q.Bitmap()
	c := Code{side: len(rows)}
	if c.side > maxSide {
		c.large = slices.Concat(rows...)
		return c, nil
	}
	for y, row := range rows {
		for x, dark := range row {
			if dark {
				c.rows[y] |= 1 << x
			}
		}
	}
	return c, nil
}

// smallest returns the smallest version that holds content at a level, and the
// segments for it.
func smallest(content string, at level) (version int, s segmentation, ok bool) {
	if len(content) > longest {
		return 0, s, false
	}
	bits := 0
	for version = 1; version <= maxVersion; version++ {
		if version == 1 || version == 10 { // where counts become wider
			s, bits = shortest(content, version)
		}
		if bits <= 8*standard.layouts[version].capacity(at) {
			return version, s, true
		}
	}
	return 0, s, false
}

// encode makes the code of content with the mask that the standard prefers.
func (c *Code) encode(content string, s *segmentation, version int, at level) {
	l := &standard.layouts[version]
	var bare, best framed
	bare.place(l, content, s, version, at)
	least := 0
	for mask := range 8 {
		masked := bare
		masked.mask(l, at, mask)
		if p := penalty(&masked, l.side); mask == 0 || p < least {
			least, best = p, masked
		}
	}
	c.side = l.side
	copy(c.rows[:l.side], best[margin:])
}

// place puts the patterns and the data of content into an empty grid.
func (g *framed) place(l *layout, content string, s *segmentation, version int, at level) {
	var room, all [maxBytes]byte
	data := room[:l.capacity(at)]
	writeData(data, content, s, version)
	interleave(all[:], data, l.blocks[at])
	copy(g[margin:], l.fixed[:l.side])
	rows := (*grid)(g[margin:])
	for i, value := range all[:l.total] {
		p := (*[8]uint16)(l.places[8*i:])
		for bit, place := range p {
			rows[place>>6&63] |= uint64(value>>(7-bit)&1) << (place & 63)
		}
	}
}

// interleave divides data into blocks and writes their bytes by turns, and then
// the check bytes of each.
func interleave(to, data []byte, b blocks) {
	generator := standard.generators[b.check]
	short := len(data) / b.count
	longer := len(data) % b.count // so many blocks at the end hold one more
	from := 0
	for block := range b.count {
		size := short
		if block >= b.count-longer {
			size++
		}
		var r remainder
		for i, value := range data[from : from+size] {
			r.add(value, generator)
			if i < short {
				to[i*b.count+block] = value
			} else {
				to[short*b.count+block-(b.count-longer)] = value
			}
		}
		from += size
		check := r.bytes()
		for i, value := range check[:b.check] {
			to[len(data)+i*b.count+block] = value
		}
	}
}

// mask turns over what a mask does, and writes which one it is.
func (g *framed) mask(l *layout, at level, mask int) {
	rows := g[margin : margin+l.side]
	for y, turned := range l.masks[mask][:l.side] {
		rows[y] ^= turned
	}
	format := uint64(standard.formats[at][mask])
	last := l.side - 1
	// Twice: around the first finder, and divided between the two others.
	for i := range 15 {
		bit := format >> i & 1
		switch {
		case i < 6:
			rows[i] |= bit << 8
		case i < 8:
			rows[i+1] |= bit << 8
		case i == 8:
			rows[8] |= bit << 7
		default:
			rows[8] |= bit << (14 - i)
		}
		if i < 8 {
			rows[8] |= bit << (last - i)
		} else {
			rows[last-14+i] |= bit << 8
		}
	}
}

// Modules is the number of modules on a side, without the quiet zone: 17 and
// four for each version.
func (c Code) Modules() int { return c.side }

// Size is the number of modules on a side, with the quiet zone: the side of the
// viewBox that Path is drawn in.
func (c Code) Size() int { return c.side + 2*Quiet }

// Dark reports whether the module at column x and row y is dark; outside of the
// code none is. The quiet zone is not counted.
func (c Code) Dark(x, y int) bool { return c.dark(x, y) }

func (c *Code) dark(x, y int) bool {
	if x < 0 || y < 0 || x >= c.side || y >= c.side {
		return false
	}
	if c.large != nil {
		return c.large[y*c.side+x]
	}
	return c.rows[y]>>x&1 == 1
}
