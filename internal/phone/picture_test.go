package phone_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	qrcode "github.com/skip2/go-qrcode"

	"github.com/handoff-portal/handoff/internal/phone"
)

const inPicture = "https://go.example/c/acme/Zm9vYmFyYmF6cXV4MTIzNA.a1b2.c3d4e5f6g7"

func code(t *testing.T, size int) image.Image {
	t.Helper()
	q, err := qrcode.New(inPicture, qrcode.Medium)
	if err != nil {
		t.Fatal(err)
	}
	return q.Image(size)
}

// canvas puts pictures on a ground of one colour.
func canvas(w, h int, ground color.Color, src image.Image, x, y int) *image.RGBA {
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	b := src.Bounds()
	draw.Draw(dst, image.Rect(x, y, x+b.Dx(), y+b.Dy()), src, b.Min, draw.Over)
	return dst
}

func rotate(src image.Image, degrees float64) image.Image {
	b := src.Bounds()
	dst := image.NewRGBA(b)
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	cx, cy := float64(b.Dx())/2, float64(b.Dy())/2
	for y := range b.Dy() {
		for x := range b.Dx() {
			dx, dy := float64(x)-cx, float64(y)-cy
			sx, sy := int(cos*dx+sin*dy+cx), int(-sin*dx+cos*dy+cy)
			dst.Set(x, y, color.White)
			if image.Pt(sx, sy).In(b) {
				dst.Set(x, y, src.At(sx, sy))
			}
		}
	}
	return dst
}

func invert(src image.Image) image.Image {
	b := src.Bounds()
	dst := image.NewGray(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			g, _ := color.GrayModel.Convert(src.At(x, y)).(color.Gray)
			dst.Set(x, y, color.Gray{255 - g.Y})
		}
	}
	return dst
}

func crop(src image.Image, margin int) image.Image {
	b := src.Bounds().Inset(margin)
	dst := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(dst, dst.Bounds(), src, b.Min, draw.Src)
	return dst
}

func TestReadPicture(t *testing.T) {
	page := color.RGBA{40, 44, 52, 255}
	tests := []struct {
		name string
		img  image.Image
	}{
		{"plain", code(t, 300)},
		{"two pixels a module", code(t, -2)},
		{"without its quiet zone", crop(code(t, -6), 24)},
		{"small on a wide dark page", canvas(1600, 900, page, code(t, 200), 1200, 350)},
		{"a large screenshot", canvas(3000, 2000, color.White, code(t, 360), 300, 900)},
		{"tilted by 20 degrees", rotate(canvas(700, 700, color.White, code(t, 360), 170, 170), 20)},
		{"turned by 90 degrees", rotate(canvas(700, 700, color.White, code(t, 360), 170, 170), 90)},
		{"upside down", rotate(canvas(700, 700, color.White, code(t, 360), 170, 170), 180)},
		{"light on dark", invert(canvas(600, 600, color.White, code(t, 360), 120, 120))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := png.Encode(&b, tt.img); err != nil {
				t.Fatal(err)
			}
			got, err := phone.ReadPicture(bytes.NewReader(b.Bytes()))
			if err != nil || got != inPicture {
				t.Errorf("ReadPicture(PNG) = %q, %v, want %q", got, err, inPicture)
			}
		})
	}
}

func TestReadPictureJPEG(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, code(t, 400), &jpeg.Options{Quality: 40}); err != nil {
		t.Fatal(err)
	}
	if got, err := phone.ReadPicture(bytes.NewReader(b.Bytes())); err != nil || got != inPicture {
		t.Errorf("ReadPicture(JPEG) = %q, %v, want %q", got, err, inPicture)
	}
}

func TestReadPictureRefuses(t *testing.T) {
	blank := canvas(200, 200, color.White, image.NewGray(image.Rect(0, 0, 1, 1)), 0, 0)
	var b bytes.Buffer
	if err := png.Encode(&b, blank); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string][]byte{"blank": b.Bytes(), "text": []byte("hello"), "huge": hugePNG(t)} {
		got, err := phone.ReadPicture(bytes.NewReader(in))
		if err == nil {
			t.Errorf("ReadPicture(%s) = %q, want an error", name, got)
		}
		if name == "text" && !strings.Contains(err.Error(), "PNG or JPEG") {
			t.Errorf("ReadPicture(%s) error = %v, want one that says what is read", name, err)
		}
		if name == "huge" && !strings.Contains(err.Error(), "60000 by 60000") {
			t.Errorf("ReadPicture(%s) error = %v, want one about its size", name, err)
		}
	}
}

// hugePNG is a header that promises 60,000 by 60,000 pixels.
func hugePNG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	head := []byte("IHDR\x00\x00\xea\x60\x00\x00\xea\x60\x08\x00\x00\x00\x00")
	file := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\r"), head...)
	file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(head))
	return append(file, b.Bytes()[33:]...)
}

func TestRunReadsPicture(t *testing.T) {
	p := newPortal(t)
	name := filepath.Join(t.TempDir(), "code.png")
	if err := qrcode.WriteFile(p.URL+"/c/acme/good.1.mac", qrcode.Medium, 300, name); err != nil {
		t.Fatal(err)
	}
	r, _, _, err := play(t, phone.Options{Input: name})
	if err != nil || r.Outcome != phone.OutcomeDelivered {
		t.Errorf("Run(picture) = %q, %v, want %q", r.Outcome, err, phone.OutcomeDelivered)
	}
	if _, _, _, err := play(t, phone.Options{Input: filepath.Join(t.TempDir(), "none.png")}); err == nil || os.IsNotExist(err) {
		t.Errorf("Run(missing picture) error = %v, want a sentence", err)
	}
}
