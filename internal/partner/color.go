package partner

import (
	"fmt"
	"math"
	"strconv"
)

// LeastContrast is the contrast that text needs (WCAG 2.2, 1.4.3).
const LeastContrast = 4.5

// Ground is what a partner's colour is read on: the page, its cards, and the tint,
// a share of the colour itself laid over a card, behind numbers and marks.
type Ground struct {
	Page, Card string
	Tint       float64
}

// Light and Dark are the grounds of static's css/app.css.
func Light() Ground { return Ground{"#f4f6f9", "#ffffff", 0.09} }

// Dark is the ground in dark colours.
func Dark() Ground { return Ground{"#0d1116", "#161b22", 0.09} }

// Contrast returns the contrast ratio of two colours in the form of ParseColor,
// 1 to 21 (WCAG 2.2, "contrast ratio"). A colour of another form counts as black.
func Contrast(a, b string) float64 { return parse(a).contrast(parse(b)) }

// Worst is the least contrast that a colour has anywhere on g.
func (g Ground) Worst(color string) float64 { return g.worst(parse(color)) }

func (g Ground) worst(c rgb) float64 {
	card := parse(g.Card)
	var tint rgb
	for i := range tint {
		tint[i] = uint8(math.Round(float64(c[i])*g.Tint + float64(card[i])*(1-g.Tint)))
	}
	return min(c.contrast(parse(g.Page)), c.contrast(card), c.contrast(tint))
}

// Nearest is the colour that reads everywhere on g and differs least from this one:
// in nothing but its lightness, as people see it (OKLCH), and in its chroma where a
// screen has none such. A colour that reads is its own nearest.
func (g Ground) Nearest(color string) string {
	c := parse(color)
	away := -0.001 // from a light card to darker colours
	if parse(g.Card).luminance() < 0.5 {
		away = 0.001
	}
	l, chroma, hue := c.oklch()
	for ; g.worst(c) < LeastContrast && l >= 0 && l <= 1; l += away {
		c = within(l, chroma, hue)
	}
	return c.String()
}

// Ink is white or black, for text on a colour: white where it reads, as the lighter
// or darker shade of a pressed button takes least from it then.
func Ink(color string) string {
	if Contrast(color, "#ffffff") >= LeastContrast {
		return "#ffffff"
	}
	return "#000000"
}

// rgb is a colour in sRGB.
type rgb [3]uint8

func parse(s string) (c rgb) {
	if !colorForm.MatchString(s) {
		return c
	}
	for i := range c {
		v, _ := strconv.ParseUint(s[1+2*i:3+2*i], 16, 8) // the form was checked
		c[i] = uint8(v)
	}
	return c
}

// String is the colour as #rrggbb.
func (c rgb) String() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

func (c rgb) contrast(other rgb) float64 {
	x, y := c.luminance(), other.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance is WCAG's "relative luminance".
func (c rgb) luminance() float64 {
	r, g, b := c.linear()
	return 0.2126*r + 0.7152*g + 0.0722*b
}

// linear is the light of each part, from 0 to 1.
func (c rgb) linear() (r, g, b float64) {
	part := func(n uint8) float64 {
		v := float64(n) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return part(c[0]), part(c[1]), part(c[2])
}

// oklch is the colour in OKLCH (CSS Color 4, §9.3): lightness, chroma and hue.
func (c rgb) oklch() (l, chroma, hue float64) {
	r, g, b := c.linear()
	long := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	medium := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	short := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	l = 0.2104542553*long + 0.7936177850*medium - 0.0040720468*short
	x := 1.9779984951*long - 2.4285922050*medium + 0.4505937099*short
	y := 0.0259040371*long + 0.7827717662*medium - 0.8086757660*short
	return l, math.Hypot(x, y), math.Atan2(y, x)
}

// within is the colour of this lightness and hue with as much of the chroma as sRGB
// has.
func within(l, chroma, hue float64) rgb {
	for ; chroma > 0; chroma -= 0.002 {
		if c, ok := fromOKLCH(l, chroma, hue); ok {
			return c
		}
	}
	c, _ := fromOKLCH(l, 0, 0)
	return c
}

// fromOKLCH is not ok for a colour that sRGB does not have, beyond rounding.
func fromOKLCH(l, chroma, hue float64) (c rgb, ok bool) {
	y, x := math.Sincos(hue)
	x, y = x*chroma, y*chroma
	cube := func(v float64) float64 { return v * v * v }
	long := cube(l + 0.3963377774*x + 0.2158037573*y)
	medium := cube(l - 0.1055613458*x - 0.0638541728*y)
	short := cube(l - 0.0894841775*x - 1.2914855480*y)
	ok = true
	for i, v := range []float64{
		4.0767416621*long - 3.3077115913*medium + 0.2309699292*short,
		-1.2684380046*long + 2.6097574011*medium - 0.3413193965*short,
		-0.0041960863*long - 0.7034186147*medium + 1.7076147010*short,
	} {
		const rounding = 1e-3
		ok = ok && v >= -rounding && v <= 1+rounding
		v = min(max(v, 0), 1)
		if v <= 0.0031308 {
			v *= 12.92
		} else {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		}
		c[i] = uint8(math.Round(v * 255))
	}
	return c, ok
}
