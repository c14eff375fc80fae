package phone

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg" // photographs
	_ "image/png"  // screenshots
	"io"
	"iter"

	qr "github.com/piglig/go-qr"
)

// The largest picture that is read: a decoder allocates by what a header says.
const maxPixels = 64 << 20

// errNoCode is told when no attempt finds a code.
var errNoCode = errors.New("there is no readable QR code in this picture")

// ReadPicture returns the text of the QR code in a PNG or JPEG. It tries what a
// person would: nearer, farther, turned, and against a light or dark ground. A
// code is good for half a minute, so what it is given is a screenshot, seldom a
// photograph: one at an angle is not read.
func ReadPicture(r io.ReadSeeker) (string, error) {
	head, _, err := image.DecodeConfig(r)
	if errors.Is(err, image.ErrFormat) {
		return "", errors.New("this is no picture in PNG or JPEG; a display's code as PNG is at …/qr.png")
	}
	if err != nil {
		return "", fmt.Errorf("reading the picture: %w", err)
	}
	if head.Width*head.Height > maxPixels {
		return "", fmt.Errorf("the picture has %d by %d pixels: more than this reads", head.Width, head.Height)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("reading the picture again: %w", err)
	}
	src, _, err := image.Decode(r)
	if err != nil {
		return "", fmt.Errorf("decoding the picture: %w", err)
	}
	gray := flatten(src)
	for view := range views(gray) {
		if text, ok := readView(view); ok {
			return text, nil
		}
	}
	return "", errNoCode
}

// flatten lays a picture on white, as a transparent screenshot is meant, with a
// margin: codes cropped without their quiet zone are common.
func flatten(src image.Image) *image.Gray {
	b := src.Bounds()
	margin := max(b.Dx(), b.Dy())/10 + 4
	dst := image.NewGray(image.Rect(0, 0, b.Dx()+2*margin, b.Dy()+2*margin))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(dst, image.Rect(margin, margin, margin+b.Dx(), margin+b.Dy()), src, b.Min, draw.Over)
	return dst
}

// views yields the picture in the sizes and turns worth trying, likeliest first.
func views(g *image.Gray) iter.Seq[*image.Gray] {
	return func(yield func(*image.Gray) bool) {
		w := g.Bounds().Dx()
		for _, width := range []int{min(w, 1000), min(w, 2000), w, 400, 700, 2 * w, 3 * w} {
			if width <= 3000 || width == w {
				if !yield(resize(g, width)) {
					return
				}
			}
		}
		for range 3 { // turned codes are found as they are, but not every one
			if g = turn(g); !yield(g) {
				return
			}
		}
	}
}

func readView(g *image.Gray) (string, bool) {
	for _, view := range []*image.Gray{g, invert(g)} {
		if text, err := qr.Decode(view); err == nil {
			return text, true
		}
	}
	return "", false
}

// invert makes a light code on a dark ground a dark one on a light ground.
func invert(g *image.Gray) *image.Gray {
	out := image.NewGray(g.Bounds())
	for i, v := range g.Pix {
		out.Pix[i] = 255 - v
	}
	return out
}

// resize scales g to a width, averaging when it shrinks so that modules keep
// their weight.
func resize(g *image.Gray, width int) *image.Gray {
	from := g.Bounds()
	if from.Dx() == width {
		return g
	}
	height := max(1, from.Dy()*width/from.Dx())
	out := image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		y0, y1 := span(y, height, from.Dy())
		for x := range width {
			x0, x1 := span(x, width, from.Dx())
			sum := 0
			for yy := y0; yy < y1; yy++ {
				for xx := x0; xx < x1; xx++ {
					sum += int(g.Pix[yy*g.Stride+xx])
				}
			}
			out.Pix[y*out.Stride+x] = byte(sum / ((y1 - y0) * (x1 - x0))) //nolint:gosec // an average of bytes is one
		}
	}
	return out
}

// span is the stretch of source pixels, at least one, under target pixel i.
func span(i, target, source int) (from, to int) {
	from = i * source / target
	return from, max(from+1, (i+1)*source/target)
}

// turn rotates g by a quarter.
func turn(g *image.Gray) *image.Gray {
	b := g.Bounds()
	out := image.NewGray(image.Rect(0, 0, b.Dy(), b.Dx()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			out.Pix[x*out.Stride+(b.Dy()-1-y)] = g.Pix[y*g.Stride+x]
		}
	}
	return out
}
