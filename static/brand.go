package static

// BrandCSS returns a stylesheet that sets a partner's colour ("#0b5fff") for light
// and dark, with text on it in whichever of black and white reads better.
func BrandCSS(color, colorDark string) ([]byte, error) { return nil, nil }
