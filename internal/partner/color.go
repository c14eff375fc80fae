package partner

import (
	"math"
	"strconv"
)

// LeastContrast is the contrast that text needs (WCAG 2.2, 1.4.3).
const LeastContrast = 4.5

// Contrast returns the contrast ratio of two colours in the form of ParseColor,
// 1 to 21 (WCAG 2.2, "contrast ratio"). A colour of another form counts as black.
func Contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance is WCAG's "relative luminance".
func luminance(c string) float64 {
	if !colorForm.MatchString(c) {
		return 0
	}
	part := func(i int) float64 {
		n, _ := strconv.ParseUint(c[i:i+2], 16, 8) // the form was checked
		v := float64(n) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*part(1) + 0.7152*part(3) + 0.0722*part(5)
}
