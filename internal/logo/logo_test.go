package logo_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/logo"
)

// in wraps the inside of an SVG.
func in(inside string) string {
	return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 10 10">` + "\n" + inside + "\n</svg>"
}

// TestHostileSVG: what could run, load, animate or multiply is refused, by name and line.
func TestHostileSVG(t *testing.T) {
	laughs := `<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>` + "\n"
	var uses, masks strings.Builder
	uses.WriteString(`<g id="u0"><rect width="1" height="1"/></g>`)
	masks.WriteString(`<mask id="m0"><rect width="1" height="1"/></mask>`)
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&uses, `<g id="u%d">%s</g>`, i, strings.Repeat(fmt.Sprintf(`<use href="#u%d"/>`, i-1), 10))
		fmt.Fprintf(&masks, `<mask id="m%d">%s</mask>`, i, strings.Repeat(fmt.Sprintf(`<rect mask="url(#m%d)"/>`, i-1), 10))
	}
	for name, test := range map[string]struct{ file, want string }{
		"script":                   {in(`<script>alert(1)</script>`), "line 2: <script> is not allowed"},
		"script by a prefix":       {`<s:svg xmlns:s="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><s:script/></s:svg>`, "line 1: <script> is not allowed"},
		"foreignObject":            {in(`<g><foreignObject><p xmlns="http://www.w3.org/1999/xhtml"/></foreignObject></g>`), "line 2: <foreignObject> is not allowed"},
		"HTML":                     {in(`<iframe xmlns="http://www.w3.org/1999/xhtml" src="https://evil.example"/>`), "line 2: <iframe> is of HTML"},
		"event handler":            {in(`<g>` + "\n" + `<rect onload="alert(1)"/></g>`), "line 3: onload of <rect> is not allowed"},
		"handler in capitals":      {in(`<rect ONCLICK="alert(1)"/>`), "line 2: ONCLICK of <rect> is not allowed"},
		"handler on the root":      {`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1" onload="alert(1)"/>`, "line 1: onload of <svg> is not allowed"},
		"picture from elsewhere":   {in(`<image href="https://evil.example/x.png"/>`), "line 2: <image> is not allowed"},
		"use from elsewhere":       {in(`<use xlink:href="https://evil.example/x.svg#a"/>`), "line 2: href of <use> leads out of the picture"},
		"use of a script address":  {in(`<use href="javascript:alert(1)"/>`), "line 2: href of <use> leads out of the picture"},
		"use of data":              {in(`<use href="data:image/svg+xml,x#a"/>`), "line 2: href of <use> leads out of the picture"},
		"link":                     {in(`<a href="#x"><rect/></a>`), "line 2: <a> is not allowed"},
		"style that loads":         {in(`<rect style="fill: url(https://evil.example/x#a)"/>`), "line 2: style of <rect> has a url() that leads out"},
		"style that loads, quoted": {in(`<rect style="fill: URL( 'https://evil.example/x' )"/>`), "line 2: style of <rect> has a url() that leads out"},
		"fill that loads":          {in(`<rect fill="url(//evil.example/x)"/>`), "line 2: fill of <rect> has a url() that leads out"},
		"style by an escape":       {in(`<rect style="fill: u\72l(https://evil.example/x)"/>`), `line 2: style of <rect> has '\\'`},
		"style by a comment":       {in(`<rect style="fill: url/**/(https://evil.example/x)"/>`), "line 2: style of <rect> has a comment"},
		"style by another name":    {in(`<rect style="mask: image-set('https://evil.example/x' 1x)"/>`), "line 2: style of <rect> has image-set()"},
		"import":                   {in(`<style>@import "https://evil.example/x.css";</style>`), "line 2: <style> has '@'"},
		"font":                     {in("<style>\n@font-face{src:url(https://evil.example/x)}</style>"), "line 2: <style> has '@'"},
		"masks by a style":         {in(`<style>.a{mask:url(#m)}</style><mask id="m"><g class="a"/></mask>`), "line 2: <style> has a url() to <mask>"},
		"animation":                {in(`<rect><animate attributeName="x" to="9" dur="1s"/></rect>`), "line 2: <animate> is not allowed"},
		"set":                      {in(`<rect><set attributeName="href" to="javascript:alert(1)"/></rect>`), "line 2: <set> is not allowed"},
		"filter":                   {in(`<filter id="f"><feImage href="https://evil.example/x"/></filter>`), "line 2: <filter> is not allowed"},
		"a file of the server":     {"<!DOCTYPE svg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n" + in(`<text>&x;</text>`), "line 1: a DOCTYPE that declares"},
		"billion laughs":           {laughs + in(`<text>&b;</text>`), "line 1: a DOCTYPE that declares"},
		"an entity of nowhere":     {in(`<text>&x;</text>`), "line 2: this is no well-formed XML: invalid character entity &x;"},
		"a billion uses":           {in(uses.String()), "line 2: <g> draws more than 10000 elements"},
		"a billion masks":          {in(masks.String()), "line 2: <mask> draws more than 10000 elements"},
		"a use of itself":          {in(`<g id="a"><use href="#a"/></g>`), "line 2: <g> refers to itself"},
		"deep":                     {in(strings.Repeat("<g>", 100) + strings.Repeat("</g>", 100)), "nested more than 40 deep"},
		"no namespace":             {`<svg viewBox="0 0 1 1"/>`, `line 1: <svg> stands where one <svg xmlns="http://www.w3.org/2000/svg"> is wanted`},
		"a second root":            {in("") + "\n<script/>", "line 4: <script> stands where one <svg"},
		"HTML behind it":           {in("") + "\nalert(1)", "there is text outside of <svg>"},
		"a page":                   {"<!doctype html><p>Acme</p>", "line 1: <p> stands where one <svg"},
		"plain text":               {"Acme Bank", "there is text outside of <svg>"},
		"not closed":               {`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><g>`, "line 1: this is no well-formed XML: unexpected EOF"},
		"another encoding":         {`<?xml version="1.0" encoding="ISO-8859-1"?>` + in(""), `this is no XML in UTF-8`},
		"UTF-16":                   {"\xff\xfe<\x00s\x00v\x00g\x00", "none of SVG, PNG and JPEG"},
		"an attribute twice":       {in(`<rect width="1" width="2"/>`), "line 2: width of <rect> is there twice"},
		"no size":                  {`<svg xmlns="http://www.w3.org/2000/svg"/>`, "line 1: <svg> needs a viewBox"},
	} {
		picture, _, err := logo.Clean([]byte(test.file))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Clean = %.200q, %v, want an error with %q", name, picture, err, test.want)
		}
	}
}

// TestSVG: what editors write is kept as far as it draws, and cleaning it again
// changes nothing.
func TestSVG(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"of an editor": {
			`<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!-- Generator: a drawing program, /home/jane/acme.svg -->
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg:svg xmlns:svg="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:ed="http://editor.example" version="1.1" ed:version="3" viewBox="0 0 10 10" data-name="Layer 1">
<ed:view zoom="2"><ed:guide/></ed:view><svg:metadata>Jane</svg:metadata>
<svg:defs><svg:linearGradient id="a"><svg:stop offset="0" stop-color="#fff"/></svg:linearGradient></svg:defs>
<svg:g ed:label="Layer"><svg:path id="p" d="M0 0h9" fill="url(#a)"/><svg:use xlink:href="#p" transform="translate(1 1)"/></svg:g></svg:svg>`,
			`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><defs><linearGradient id="a"><stop offset="0" stop-color="#fff"/></linearGradient></defs>` +
				`<g><path id="p" d="M0 0h9" fill="url(#a)"/><use href="#p" transform="translate(1 1)"/></g></svg>`,
		},
		"text and style": {
			`<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><style>.a > b{fill:url(#g);color:rgb(1,2,3)}</style><linearGradient id="g"/><text class="a">A &amp; <tspan>B</tspan> &lt;C></text></svg>`,
			`<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><style>.a &gt; b{fill:url(#g);color:rgb(1,2,3)}</style><linearGradient id="g"/><text class="a">A &amp; <tspan>B</tspan> &lt;C&gt;</text></svg>`,
		},
	} {
		got, kind, err := logo.Clean([]byte(test.file))
		if err != nil || kind != logo.TypeSVG || string(got) != test.want {
			t.Errorf("%s: Clean = %s, %s, %v, want %s", name, got, kind, err, test.want)
		}
		again, _, err := logo.Clean(got)
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s: cleaned again it is %s, %v, want the same", name, again, err)
		}
	}
}

func drawing(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	img.SetNRGBA(width/2, height/2, color.NRGBA{R: 200, A: 128})
	return img
}

func encoded(t *testing.T, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// chunk is one part of a PNG.
func chunk(name, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(b, name+body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(name+body)))
}

// after puts something behind the header of a PNG.
func after(picture []byte, more []byte) []byte {
	const header = 8 + 25
	return append(append(bytes.Clone(picture[:header]), more...), picture[header:]...)
}

// TestPictures: of a picture of pixels the pixels are left, no more than a page shows.
func TestPictures(t *testing.T) {
	small := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, drawing(80, 40)) })
	secret := "Jane Doe, 52.5200 13.4050 <script>alert(1)</script>"
	animated := after(small, chunk("acTL", "\x00\x00\x00\x02\x00\x00\x00\x00"))
	photo := encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, drawing(80, 40), nil) })
	exif := append(append([]byte{0xff, 0xd8, 0xff, 0xe1, 0, byte(2 + len(secret))}, secret...), photo[2:]...)
	for name, test := range map[string]struct {
		file          []byte
		width, height int
	}{
		"PNG":                   {small, 80, 40},
		"PNG with a text":       {after(small, chunk("tEXt", "Comment\x00"+secret)), 80, 40},
		"PNG with a ZIP behind": {append(bytes.Clone(small), "PK\x03\x04"+secret...), 80, 40},
		"PNG that moves":        {animated, 80, 40},
		"JPEG with EXIF":        {exif, 80, 40},
		"large PNG":             {encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, drawing(1200, 600)) }), 256, 128},
	} {
		got, kind, err := logo.Clean(test.file)
		if err != nil || kind != logo.TypePNG {
			t.Errorf("%s: Clean = %s, %v", name, kind, err)
			continue
		}
		img, err := png.Decode(bytes.NewReader(got))
		if err != nil || img.Bounds().Dx() != test.width || img.Bounds().Dy() != test.height {
			t.Errorf("%s: %v, %v, want %d by %d", name, img.Bounds(), err, test.width, test.height)
		}
		for _, bad := range []string{"Jane", "script", "PK\x03\x04", "acTL"} {
			if bytes.Contains(got, []byte(bad)) {
				t.Errorf("%s: %q is still in it", name, bad)
			}
		}
	}
	got, _, err := logo.Clean(small)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(got))
	if err != nil || img.At(40, 20) != (color.NRGBA{R: 200, A: 128}) {
		t.Errorf("the pixel in the middle is %v, %v, want what it was", img.At(40, 20), err)
	}
}

// TestBadPictures are refused before they cost anything.
func TestBadPictures(t *testing.T) {
	bomb := func(width, height uint32) []byte {
		size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
		return append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", string(size)+"\x08\x06\x00\x00\x00")...)
	}
	whole := encoded(t, func(b *bytes.Buffer) error {
		return png.Encode(b, image.NewPaletted(image.Rect(0, 0, 6000, 6000), color.Palette{color.Black}))
	})
	small := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, drawing(80, 40)) })
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":                {nil, "has 0 bytes"},
		"huge":                   {make([]byte, logo.MaxFile+1), "has 102401 bytes, and may have 1 to 102400"},
		"a bomb's header":        {bomb(65_500, 65_500), "is 65500 by 65500 pixels"},
		"the largest there is":   {bomb(1<<31-1, 1<<31-1), "dimension overflow"},
		"a bomb that goes off":   {whole, "is 6000 by 6000 pixels"},
		"cut off":                {small[:len(small)-20], "cannot be decoded"},
		"a header alone":         {bomb(10, 10), "cannot be decoded"},
		"GIF":                    {encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, drawing(8, 8), nil) }), "the file is image/gif"},
		"WebP":                   {[]byte("RIFF\x1a\x00\x00\x00WEBPVP8L"), "the file is image/webp"},
		"PDF":                    {[]byte("%PDF-1.4"), "the file is application/pdf"},
		"ZIP":                    {[]byte("PK\x03\x04 and more"), "the file is application/zip"},
		"a program":              {[]byte("\x7fELF\x02\x01\x01\x00\x00"), "none of SVG, PNG and JPEG"},
		"SVG, compressed":        {[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), "the file is application/x-gzip"},
		"a GIF that is a script": {[]byte("GIF89a/*<svg onload=alert(1)>*/=1;"), "the file is image/gif"},
	} {
		if got, kind, err := logo.Clean(test.file); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Clean = %d bytes of %s, %v, want an error with %q", name, len(got), kind, err, test.want)
		}
	}
	if len(whole) > logo.MaxFile {
		t.Errorf("the bomb has %d bytes: it is refused for its size, not for its pixels", len(whole))
	}
}
