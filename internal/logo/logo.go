// Package logo reads the picture a partner gave as its logo and writes it anew, so
// that nothing of the file but the picture itself reaches anybody's page: no script,
// no address, no metadata, no second file behind the first.
//
// A PNG and a JPEG are decoded, after a look at their size, made no larger than
// a page shows them, and encoded as PNG. An SVG is parsed strictly and written out from
// lists of what may be in one; what could run, load or multiply is a fault that names
// its line.
package logo

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // a decoder that image.Decode knows
	"image/png"
	"net/http"
)

// MaxFile bounds the file, and what is made of it, in bytes: it is on every page.
const MaxFile = 100 * 1024

// maxPixels bounds a picture before it is decoded: a small file can hold a picture
// that no memory does.
const maxPixels = 4 << 20

// A logo is shown 32 CSS pixels high and 160 wide at most; screens have up to four
// pixels to each.
const (
	maxWidth  = 640
	maxHeight = 128
)

// The media types of what Clean returns.
const (
	TypeSVG = "image/svg+xml"
	TypePNG = "image/png"
)

// Clean returns the picture in a file, written anew, and its media type. What kind of
// picture it is, the file's own first bytes say.
func Clean(file []byte) (picture []byte, mediaType string, err error) {
	if len(file) == 0 || len(file) > MaxFile {
		return nil, "", fmt.Errorf("the picture has %d bytes, and may have 1 to %d", len(file), MaxFile)
	}
	switch kind := http.DetectContentType(file); kind {
	case "image/png", "image/jpeg":
		picture, err = redraw(file)
		return picture, TypePNG, err
	case "text/xml; charset=utf-8", "text/plain; charset=utf-8", TypeSVG, "text/html; charset=utf-8":
		picture, err = rewrite(file)
		return picture, TypeSVG, err
	default:
		return nil, "", fmt.Errorf("the file is %s, and none of SVG, PNG and JPEG", kind)
	}
}

// redraw decodes a picture of pixels, and encodes what is seen of it.
func redraw(file []byte) ([]byte, error) {
	size, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("the picture cannot be decoded: %w", err)
	}
	if size.Width <= 0 || size.Height <= 0 || size.Width > maxPixels || size.Height > maxPixels || size.Width*size.Height > maxPixels {
		return nil, fmt.Errorf("the picture is %d by %d pixels, and may have %d in all", size.Width, size.Height, maxPixels)
	}
	img, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("the picture cannot be decoded: %w", err)
	}
	var buf bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&buf, reduced(img)); err != nil {
		return nil, fmt.Errorf("encoding the picture: %w", err)
	}
	if buf.Len() > MaxFile {
		return nil, errors.New("the picture is larger than 100 KB once it is encoded anew")
	}
	return buf.Bytes(), nil
}

// reduced is a picture no larger than a page shows it, each of whose pixels is the mean
// of those it stands for.
func reduced(img image.Image) *image.NRGBA {
	b := img.Bounds()
	by := max(1, float64(b.Dx())/maxWidth, float64(b.Dy())/maxHeight)
	out := image.NewNRGBA(image.Rect(0, 0, max(1, int(float64(b.Dx())/by)), max(1, int(float64(b.Dy())/by))))
	for y := range out.Rect.Max.Y {
		for x := range out.Rect.Max.X {
			part := image.Rect(int(float64(x)*by), int(float64(y)*by), int(float64(x+1)*by), int(float64(y+1)*by))
			out.Set(x, y, mean(img, part.Add(b.Min).Intersect(b)))
		}
	}
	return out
}

// mean counts a colour as much as it covers.
func mean(img image.Image, part image.Rectangle) color.Color {
	if part.Dx() == 1 && part.Dy() == 1 {
		return img.At(part.Min.X, part.Min.Y)
	}
	var sum [4]uint64
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			r, g, b, a := img.At(x, y).RGBA()
			for i, v := range []uint32{r, g, b, a} {
				sum[i] += uint64(v)
			}
		}
	}
	n := uint64(max(1, part.Dx()*part.Dy()))
	return color.RGBA64{R: uint16(sum[0] / n), G: uint16(sum[1] / n), B: uint16(sum[2] / n), A: uint16(sum[3] / n)} //nolint:gosec // G115: means of 16 bits each
}
