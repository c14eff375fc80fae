package scan

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
)

// Subject is a picture of a code, and how many pixels a module of it has.
type Subject struct {
	Picture *image.Gray
	Module  float64
}

// dusk is the grey of the display's surface in dark colours, on which the card with
// the code lies there: the worst that our pages put around it.
const dusk = 26

// Lay makes a subject of a PNG of a code with its quiet zone, module pixels a module:
// on a dark page, of which a few modules are in the picture.
func Lay(drawn []byte, module int) (Subject, error) {
	code, err := png.Decode(bytes.NewReader(drawn))
	if err != nil {
		return Subject{}, fmt.Errorf("reading a drawn code: %w", err)
	}
	edge := 6 * module
	out := image.NewGray(image.Rect(0, 0, code.Bounds().Dx()+2*edge, code.Bounds().Dy()+2*edge))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.Gray{Y: dusk}), image.Point{}, draw.Src)
	draw.Draw(out, code.Bounds().Add(image.Pt(edge, edge)), code, image.Point{}, draw.Src)
	return Subject{out, float64(module)}, nil
}

// Grey is any PNG as the decoders get it.
func Grey(picture []byte) (*image.Gray, error) {
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("reading a picture of %d bytes: %w", len(picture), err)
	}
	out := image.NewGray(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
	draw.Draw(out, out.Bounds(), img, img.Bounds().Min, draw.Src)
	return out, nil
}

// Spoil makes a picture of a code worse, in one way and by some strength. The same
// picture and strength give the same result.
type Spoil struct {
	Name      string
	Strengths []float64 // rising
	Unit      string    // of the strengths
	Do        func(s Subject, strength float64) *image.Gray
}

// Spoils are the ways, each from what is hardly seen to what nobody would hold a phone
// at. Those that act on pixels see the code as a camera at arm's length does, with few
// pixels a module.
func Spoils() []Spoil {
	return []Spoil{
		{"rotation", []float64{3, 10, 20, 30, 45, 80, 180}, "degrees", func(s Subject, v float64) *image.Gray {
			return s.turned(v).Picture
		}},
		{"perspective", []float64{10, 20, 30, 40, 50, 60}, "degrees from the side", func(s Subject, v float64) *image.Gray {
			return s.aslant(v).Picture
		}},
		{"size", []float64{4, 3, 2.5, 2, 1.7, 1.4}, "pixels a module", func(s Subject, v float64) *image.Gray {
			return s.sized(v).Picture
		}},
		{"blur", []float64{0.25, 0.5, 0.75, 1, 1.25, 1.5}, "modules, one standard deviation", func(s Subject, v float64) *image.Gray {
			return s.blurred(v).Picture
		}},
		{"shake", []float64{0.5, 1, 1.5, 2, 2.5, 3}, "modules of movement", func(s Subject, v float64) *image.Gray {
			return s.shaken(v).Picture
		}},
		{"glare", []float64{2, 5, 10, 15, 20, 30}, "% of the code's area, burnt out", func(s Subject, v float64) *image.Gray {
			return s.glared(v / 100).Picture
		}},
		{"low contrast", []float64{50, 30, 20, 12, 8, 4}, "% of the contrast left", func(s Subject, v float64) *image.Gray {
			return s.each(func(_, _ int, g float64) float64 { return 127.5 + (g-127.5)*v/100 }).Picture
		}},
		{"low light", []float64{5, 10, 15, 20, 30, 40}, "grey levels of noise, at a quarter of the light and 5 pixels a module", func(s Subject, v float64) *image.Gray {
			return s.sized(5).noisy(0.25, v).Picture
		}},
		{"shadow", []float64{30, 50, 70, 80, 90, 95}, "% of the light taken from one half", func(s Subject, v float64) *image.Gray {
			return s.shaded(v / 100).Picture
		}},
		{"JPEG", []float64{50, 30, 20, 10, 5, 1}, "of 100, the quality, at 3.3 pixels a module", func(s Subject, v float64) *image.Gray {
			return s.sized(3.3).squeezed(int(v)).Picture
		}},
		{"all at once", []float64{1, 2, 3, 4, 5, 6}, "times: 5° turned, 7° from the side, blur of 0.15 modules, 4 levels of noise, at 5 pixels a module", func(s Subject, v float64) *image.Gray {
			return s.turned(5*v).aslant(7*v).blurred(0.15*v).sized(5).noisy(0.7, 4*v).squeezed(80).Picture
		}},
	}
}

// seen makes a picture of the same code, each of whose pixels is the mean of some
// places within it that came from places in the old one.
func (s Subject) seen(width, height int, module float64, from func(x, y float64) (float64, float64)) Subject {
	out := image.NewGray(image.Rect(0, 0, width, height))
	const parts = 3
	for y := range height {
		for x := range width {
			sum := 0.0
			for i := range parts * parts {
				u, v := from(float64(x)+(float64(i%parts)+0.5)/parts, float64(y)+(float64(i/parts)+0.5)/parts)
				sum += s.at(u, v)
			}
			out.Pix[y*out.Stride+x] = grey(sum / (parts * parts))
		}
	}
	return Subject{out, module}
}

// at is the grey at a place; beyond the picture it is that of its edge.
func (s Subject) at(x, y float64) float64 {
	p, b := s.Picture, s.Picture.Bounds()
	x, y = x-0.5, y-0.5
	left, top := math.Floor(x), math.Floor(y)
	px := func(dx, dy int) float64 {
		cx := min(max(int(left)+dx, 0), b.Max.X-1)
		cy := min(max(int(top)+dy, 0), b.Max.Y-1)
		return float64(p.Pix[cy*p.Stride+cx])
	}
	fx, fy := x-left, y-top
	return (px(0, 0)*(1-fx)+px(1, 0)*fx)*(1-fy) + (px(0, 1)*(1-fx)+px(1, 1)*fx)*fy
}

func grey(v float64) uint8 { return uint8(math.Round(min(max(v, 0), 255))) }

// each makes a picture of what f says of each pixel.
func (s Subject) each(f func(x, y int, g float64) float64) Subject {
	out := image.NewGray(s.Picture.Bounds())
	for y := range out.Rect.Max.Y {
		for x := range out.Rect.Max.X {
			out.Pix[y*out.Stride+x] = grey(f(x, y, float64(s.Picture.Pix[y*s.Picture.Stride+x])))
		}
	}
	return Subject{out, s.Module}
}

func (s Subject) size() (width, height float64) {
	b := s.Picture.Bounds()
	return float64(b.Dx()), float64(b.Dy())
}

// turned keeps the corners in the picture.
func (s Subject) turned(degrees float64) Subject {
	w, h := s.size()
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	width, height := math.Ceil(math.Abs(w*cos)+math.Abs(h*sin)), math.Ceil(math.Abs(w*sin)+math.Abs(h*cos))
	return s.seen(int(width), int(height), s.Module, func(x, y float64) (float64, float64) {
		x, y = x-width/2, y-height/2
		return x*cos + y*sin + w/2, -x*sin + y*cos + h/2
	})
}

// aslant looks at the code from the side, from two and a half times its width away.
func (s Subject) aslant(degrees float64) Subject {
	w, h := s.size()
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	away := 2.5 * w
	return s.seen(int(w), int(h), s.Module, func(x, y float64) (float64, float64) {
		x, y = x-w/2, y-h/2
		across := x * away / (away*cos - x*sin)
		return across + w/2, y*(away+across*sin)/away + h/2
	})
}

// sized has other pixels a module, which do not fall in with it.
func (s Subject) sized(module float64) Subject {
	w, h := s.size()
	by := s.Module / module
	return s.seen(int(w/by), int(h/by), module, func(x, y float64) (float64, float64) { return (x + 0.37) * by, (y + 0.19) * by })
}

func (s Subject) blurred(modules float64) Subject {
	sigma := modules * s.Module
	reach := int(math.Ceil(3 * sigma))
	weights, sum := make([]float64, 2*reach+1), 0.0
	for i := range weights {
		d := float64(i - reach)
		weights[i] = math.Exp(-d * d / (2 * sigma * sigma))
		sum += weights[i]
	}
	along := func(s Subject, dx, dy int) Subject {
		return s.each(func(x, y int, _ float64) float64 {
			v := 0.0
			for i, weight := range weights {
				v += weight * s.at(float64(x+dx*(i-reach))+0.5, float64(y+dy*(i-reach))+0.5)
			}
			return v / sum
		})
	}
	return along(along(s, 1, 0), 0, 1)
}

// shaken moves while it is being taken, more sideways than down.
func (s Subject) shaken(modules float64) Subject {
	const moments = 24
	return s.each(func(x, y int, _ float64) float64 {
		v := 0.0
		for i := range moments {
			by := (float64(i)/(moments-1) - 0.5) * modules * s.Module
			v += s.at(float64(x)+0.5+by, float64(y)+0.5+by*0.4)
		}
		return v / moments
	})
}

// glared has a round reflection, right of the middle and below, with a soft edge.
func (s Subject) glared(share float64) Subject {
	w, _ := s.size()
	code := w - 20*s.Module // without what lies around it
	radius := code * math.Sqrt(share/math.Pi)
	return s.each(func(x, y int, g float64) float64 {
		from := math.Hypot(float64(x)-w/2-code/12, float64(y)-w/2-code/12)
		covered := min(max((radius-from)/(2*s.Module)+0.5, 0), 1)
		return g + (255-g)*covered
	})
}

// noisy has little light, and what a camera makes of that.
func (s Subject) noisy(light, noise float64) Subject {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	return s.each(func(_, _ int, g float64) float64 { return 20 + g*light + r.NormFloat64()*noise })
}

// shaded has the shadow of an edge across it.
func (s Subject) shaded(share float64) Subject {
	w, _ := s.size()
	return s.each(func(x, y int, g float64) float64 {
		in := min(max((w-float64(x)-float64(y)*0.6-w*0.2)/(4*s.Module)+0.5, 0), 1)
		return g * (1 - share*in)
	})
}

func (s Subject) squeezed(quality int) Subject {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, s.Picture, &jpeg.Options{Quality: quality}); err != nil {
		return s // writing to memory fails for no picture of ours
	}
	img, err := jpeg.Decode(&b)
	if err != nil {
		return s
	}
	out := image.NewGray(s.Picture.Bounds())
	draw.Draw(out, out.Bounds(), img, image.Point{}, draw.Src)
	return Subject{out, s.Module}
}
