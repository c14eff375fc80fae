// Package qr draws a link as a QR code (ISO/IEC 18004): its modules, an SVG, a
// PNG, and text for a terminal.
//
// Every drawing is dark on white with a quiet zone of four modules around it,
// whatever the theme of the page: light on dark, or a code without its quiet
// zone on a dark page, is what many readers give up on.
package qr

import (
	"fmt"

	qrcode "github.com/skip2/go-qrcode"
)

// Quiet is the width of the quiet zone in modules (ISO/IEC 18004 §9.1).
const Quiet = 4

// MaxContent bounds what Encode takes, in bytes. Longer codes have modules too
// small for a camera at arm's length.
const MaxContent = 600

// Code is a QR code. The zero value is an empty drawing.
type Code struct {
	side int    // modules, without the quiet zone
	dark []bool // row by row
}

// Encode returns the code of content at error correction level M: a short link
// with big modules is read more often than a dense code that corrects more. The
// same content gives the same modules.
//
// content must be ASCII: readers do not agree on what bytes beyond it mean.
//
// This is the one function that knows who makes the modules.
func Encode(content string) (Code, error) {
	if content == "" || len(content) > MaxContent {
		return Code{}, fmt.Errorf("encoding a QR code of %d bytes: 1 to %d are possible", len(content), MaxContent)
	}
	for i := range len(content) {
		if content[i] >= 0x80 {
			return Code{}, fmt.Errorf("encoding a QR code: byte %d is beyond ASCII", i)
		}
	}
	q, err := qrcode.New(content, qrcode.Medium)
	if err != nil {
		return Code{}, fmt.Errorf("encoding a QR code of %d bytes: %w", len(content), err)
	}
	q.DisableBorder = true
	rows := q.Bitmap()
	c := Code{side: len(rows), dark: make([]bool, 0, len(rows)*len(rows))}
	for _, row := range rows {
		c.dark = append(c.dark, row...)
	}
	return c, nil
}

// Modules is the number of modules on a side, without the quiet zone: 17 and
// four for each version.
func (c Code) Modules() int { return c.side }

// Size is the number of modules on a side, with the quiet zone: the side of the
// viewBox that Path is drawn in.
func (c Code) Size() int { return c.side + 2*Quiet }

// Dark reports whether the module at column x and row y is dark; outside of the
// code none is. The quiet zone is not counted.
func (c Code) Dark(x, y int) bool {
	return x >= 0 && y >= 0 && x < c.side && y < c.side && c.dark[y*c.side+x]
}
