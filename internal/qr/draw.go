package qr

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"strconv"
	"strings"
)

// MaxScale is the most pixels a module can have in a PNG.
const MaxScale = 32

// Path returns the d attribute of an SVG path that draws the dark modules, one
// rectangle for each run of them in a row. A unit is a module, and the quiet
// zone is counted in: the viewBox is "0 0 Size Size".
func (c Code) Path() string { return string(c.appendPath(make([]byte, 0, 16*c.side*c.side/4))) }

func (c Code) appendPath(b []byte) []byte {
	for y := range c.side {
		for x := 0; x < c.side; x++ {
			if !c.Dark(x, y) {
				continue
			}
			from := x
			for c.Dark(x, y) {
				x++
			}
			b = append(b, 'M')
			b = strconv.AppendInt(b, int64(from+Quiet), 10)
			b = append(b, ' ')
			b = strconv.AppendInt(b, int64(y+Quiet), 10)
			b = append(b, 'h')
			b = strconv.AppendInt(b, int64(x-from), 10)
			b = append(b, "v1h-"...)
			b = strconv.AppendInt(b, int64(x-from), 10)
			b = append(b, 'z')
		}
	}
	return b
}

// SVG returns the code as an SVG document: black on a white card with rounded
// corners. It has no width and height of its own; who shows it gives them, and a
// name for those who cannot see it.
func (c Code) SVG() []byte {
	size := strconv.Itoa(c.Size())
	b := make([]byte, 0, 256+4*c.side*c.side)
	b = append(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `+size+` `+size+`" shape-rendering="crispEdges">`...)
	b = append(b, `<rect width="`+size+`" height="`+size+`" rx="2" fill="#fff" shape-rendering="auto"/><path fill="#000" d="`...)
	b = c.appendPath(b)
	return append(b, `"/></svg>`...)
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
