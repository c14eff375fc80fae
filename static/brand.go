package static

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// The surfaces of css/app.css that a partner's colour is read on.
const (
	surfaceLight = "#ffffff"
	surfaceDark  = "#161b22"
)

// MinContrast is what text needs against what is behind it (WCAG 2.2, 1.4.3).
const MinContrast = 4.5

// BrandCSS returns a stylesheet, to stand after css/app.css, that sets a partner's
// colour as "#rrggbb", for light and for dark. Text on it is black or white,
// whichever reads better. Without a dark colour the light one is lightened until it
// reads on a dark surface. A colour that fails MinContrast against its surface is
// an error. No colour at all: no stylesheet.
func BrandCSS(color, colorDark string) ([]byte, error) {
	if color == "" && colorDark == "" {
		return nil, nil
	}
	light, err := brandColor(color, surfaceLight)
	if err != nil {
		return nil, err
	}
	if colorDark == "" {
		colorDark = lightened(light).String()
	}
	dark, err := brandColor(colorDark, surfaceDark)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, ":root{--accent:%s;--on-accent:%s}\n@media (prefers-color-scheme:dark){:root{--accent:%s;--on-accent:%s}}\n",
		light, light.ink(), dark, dark.ink()), nil
}

// brandColor parses a colour and checks it against its surface.
func brandColor(color, surface string) (rgb, error) {
	c, err := parseRGB(color)
	if err != nil {
		return rgb{}, err
	}
	s, err := parseRGB(surface)
	if err != nil {
		return rgb{}, err
	}
	if got := contrast(c, s); got < MinContrast {
		return rgb{}, fmt.Errorf("colour %s has contrast %.2f on %s, needs %.1f", color, got, surface, MinContrast)
	}
	return c, nil
}

// lightened mixes white into c until it reads on the dark surface.
func lightened(c rgb) rgb {
	surface, err := parseRGB(surfaceDark)
	if err != nil {
		return c
	}
	for share := 0.0; share <= 1; share += 0.05 {
		if m := c.mix(share); contrast(m, surface) >= MinContrast+1 {
			return m
		}
	}
	return rgb{255, 255, 255}
}

// rgb is a colour in sRGB.
type rgb [3]uint8

var rgbForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func parseRGB(s string) (rgb, error) {
	if !rgbForm.MatchString(s) {
		return rgb{}, fmt.Errorf("colour %.20q: want #rrggbb", s)
	}
	var c rgb
	for i := range c {
		v, err := strconv.ParseUint(s[1+2*i:3+2*i], 16, 8)
		if err != nil {
			return rgb{}, fmt.Errorf("colour %s: %w", s, err)
		}
		c[i] = uint8(v)
	}
	return c, nil
}

// String is the colour as #rrggbb.
func (c rgb) String() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

// mix adds a share of white.
func (c rgb) mix(white float64) rgb {
	for i, v := range c {
		c[i] = uint8(math.Round(float64(v) + (255-float64(v))*white))
	}
	return c
}

// ink is black or white, whichever reads better on c: one of the two always has 4.5.
func (c rgb) ink() rgb {
	black, white := rgb{}, rgb{255, 255, 255}
	if contrast(c, white) >= contrast(c, black) {
		return white
	}
	return black
}

// contrast is the contrast ratio of two colours (WCAG 2.2, "contrast ratio").
func contrast(a, b rgb) float64 {
	la, lb := a.luminance(), b.luminance()
	return (math.Max(la, lb) + 0.05) / (math.Min(la, lb) + 0.05)
}

// luminance is the relative luminance (WCAG 2.2, "relative luminance").
func (c rgb) luminance() float64 {
	channel := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(c[0]) + 0.7152*channel(c[1]) + 0.0722*channel(c[2])
}
