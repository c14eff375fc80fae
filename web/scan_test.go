package web_test

import (
	"fmt"
	"image"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/scan"
)

// Where the display stands in a scanned picture.
const (
	ownWindow = 0 // top level, by itself
	// fewest is how many of the decoders have to read a code that is all in view: which
	// of them reads which picture is a matter of a pixel here and there.
	fewest = 3
)

// theme is how a display looks.
type theme struct {
	name   string
	dress  bool // in its partner's colours
	traits []browser.Trait
}

// themes are all the looks there are.
func themes() []theme {
	return []theme{
		{"light", false, nil},
		{"dark", false, []browser.Trait{browser.Dark}},
		{"forced colours", false, []browser.Trait{browser.ForcedColors}},
		{"a partner's dark pair", true, []browser.Trait{browser.Dark}},
	}
}

// shot is one look at the code.
type shot struct {
	theme   theme
	frame   int64 // its width in CSS pixels at 100 %, or ownWindow
	zoom    int64 // in per cent
	density float64
}

func (s shot) String() string {
	where := "in its own window"
	if s.frame != ownWindow {
		where = fmt.Sprintf("in a frame of %d", s.frame)
	}
	return fmt.Sprintf("%s, %s, %d %%, density %g", s.theme.name, where, s.zoom, s.density)
}

// shots are the looks of the long test: every theme, zoom, density and width; or of the
// short one, some that were hard once.
func shots(long bool) []shot {
	all := themes()
	if !long {
		return []shot{
			{all[1], ownWindow, 50, 1},
			{all[0], ownWindow, 100, 1},
			{all[2], ownWindow, 100, 1.5},
			{all[1], ownWindow, 250, 1},
			{all[0], 320, 100, 1},
			{all[3], 320, 50, 1},
			{all[0], ownWindow, 25, 1},
		}
	}
	var list []shot
	for _, look := range all {
		for _, density := range []float64{1, 1.5, 2, 3} {
			for _, zoom := range []int64{50, 67, 75, 80, 90, 100, 110, 125, 150, 175, 200, 250, 300, 400} {
				list = append(list, shot{look, ownWindow, zoom, density})
			}
			list = append(list, shot{look, ownWindow, 25, density})
			for _, width := range []int64{320, 360, 420, 480, 600, 720, 768, 900, 1024, 1200} {
				for _, zoom := range []int64{50, 100, 200} {
					if zoom != 100 && density != 1 && density != 2 {
						continue // as fine as another
					}
					list = append(list, shot{look, width, zoom, density})
				}
			}
		}
	}
	return list
}

// TestScannable takes pictures of displays as they stand on people's screens, and has
// decoders read them that are not ours: at least three of them read every code that is
// all in view, and of one that is not, or is too small, the page says so. With
// HANDOFF_LONG it takes them all, and writes what was read into docs/scannability.md.
//
// HANDOFF_SCREENSHOTS names a folder for the pictures.
func TestScannable(t *testing.T) {
	t.Parallel()
	browser.Unwatched(t)
	readers := scan.Open(t)
	p := newPhotographer(t)
	long := os.Getenv("HANDOFF_LONG") != ""
	table := scan.NewTable("theme and place", readers)
	for _, s := range shots(long) {
		seen := p.take(s)
		row := s.theme.name + ", own window"
		if s.frame != ownWindow {
			row = s.theme.name + ", in a frame"
		}
		if seen.whole && seen.width < leastCode && (s.frame == ownWindow || s.frame >= leastCode+80) {
			t.Errorf("%s: the code is %.0f CSS pixels wide, want %d", s, seen.width, leastCode)
		}
		small := seen.module < leastModule
		if want := !seen.whole || small; seen.told != want {
			t.Errorf("%s: the page says that the code is cut off or small: %t, want %t (all in view: %t, %.2f pixels a module)", s, seen.told, want, seen.whole, seen.module)
		}
		if !seen.whole || small {
			table.Left(row)
			continue
		}
		if seen.quiet < 250 || seen.finder > 5 {
			t.Errorf("%s: the quiet zone has grey %d and the code %d, want black on white: decoders of pictures read what cameras do not", s, seen.quiet, seen.finder)
		}
		read := readers.Read(seen.picture)
		for _, text := range read {
			if !strings.HasPrefix(text, p.of(s).link+"/c/acme/") {
				t.Errorf("%s: %q is read, which is no code of ours", s, text)
			}
		}
		if len(read) < fewest {
			t.Errorf("%s: only %v read the code, of %v (%.2f pixels a module)", s, slices.Sorted(maps.Keys(read)), readers.Names(), seen.module)
		}
		table.Add(row, read)
		t.Logf("%s: %.0f wide, %.2f pixels a module, read by %v", s, seen.width, seen.module, slices.Sorted(maps.Keys(read)))
	}
	if long && !t.Failed() {
		scan.Record(t, filepath.Join("..", "docs", "scannability.md"), "pages", table.String())
	}
}

// What screens.md asks of a code.
const (
	leastCode   = 240 // CSS pixels
	leastModule = 3   // device pixels

	// enough of the code with its quiet zone is in view for the page: the share that it
	// does not speak of lacks a pixel or two of the zone.
	enough = 0.98
)

// photographer has every display that is taken, open.
type photographer struct {
	t     *testing.T
	shop  *embedder
	plain *standing
	brand *standing
	dir   string // of pictures; empty: none are kept
}

// standing is one partner's display, in a window and in a frame.
type standing struct {
	*world

	window, page, frame *browser.Page
}

// sight is what was seen.
type sight struct {
	picture *image.Gray
	width   float64 // of the code with its quiet zone, in CSS pixels
	module  float64 // device pixels a module
	whole   bool    // all of it is in the window
	told    bool    // the page says that it is not, or is too small
	quiet   uint8   // the darkest grey in the middle of the quiet zone
	finder  uint8   // the grey of a finder's middle
}

func newPhotographer(t *testing.T) *photographer {
	t.Helper()
	b := browser.New(t)
	p := &photographer{t: t, shop: newEmbedder(t), dir: os.Getenv("HANDOFF_SCREENSHOTS")}
	open := func(change ...func(*setting)) *standing {
		s := &standing{world: newWorld(t, append(change, func(s *setting) { s.shop = p.shop.origin })...)}
		alone, framed := s.create(), s.framed(p.shop)
		s.window = b.Desktop(t)
		s.window.Navigate(alone.DisplayURL)
		s.window.WaitVisible("panel-waiting")
		s.page = b.Desktop(t)
		s.page.Navigate(p.shop.host(hosted{body: s.script() + `<style>:root { color-scheme: light dark } #box { margin: 40px auto }</style>
			<div id="box"><handoff-frame id="f" src="` + framed.made.DisplayURL + `"></handoff-frame></div>`}))
		waitFor(s.page, heardOf(framed, "ready", "displayed", "f"))
		s.frame = s.page.Frame(framed.made.DisplayURL)
		s.frame.WaitVisible("panel-waiting")
		return s
	}
	p.plain, p.brand = open(), open(func(s *setting) { s.dress = dressed })
	return p
}

func (p *photographer) of(s shot) *standing {
	if s.theme.dress {
		return p.brand
	}
	return p.plain
}

// codeInView scrolls until all of the code is in view: a page that is still being laid
// out moves it away again.
const codeInView = `new Promise((yes) => {
	const code = document.getElementById("qr");
	const again = setInterval(() => code.scrollIntoView({block: "center", inline: "center", behavior: "instant"}), 200);
	new IntersectionObserver(([e], o) => { if (e.intersectionRatio >= 0.98) { clearInterval(again); o.disconnect(); yes(true) } },
		{threshold: [0, 0.25, 0.5, 0.75, 0.9, 0.98, 1]}).observe(code) })`

// take takes a picture of the code and what is around it, as a window of 1280 by 700
// device-independent pixels shows it once somebody has scrolled there.
func (p *photographer) take(s shot) sight {
	p.t.Helper()
	at := p.of(s)
	factor := float64(s.zoom) / 100
	tall, wide := int64(700/factor), int64(1280/factor)
	traits := append(slices.Clone(s.theme.traits), browser.Size(wide, tall, factor*s.density))
	within, page := at.window, at.window
	x, y := 0.0, 0.0
	if s.frame != ownWindow {
		within, page = at.frame, at.page
		defer within.As(s.theme.traits...)()
	}
	defer page.As(traits...)()
	page.WaitWidth(int(wide))
	if s.frame != ownWindow {
		browser.Eval[bool](page, fmt.Sprintf(`(document.getElementById("box").style.inlineSize = "%dpx", true)`, s.frame))
		within.WaitWidth(int(s.frame))
		waitFor(within, fits)
	}
	box := func() []float64 {
		return browser.Eval[[]float64](within, `(() => { const q = document.getElementById("qr"), b = q.getBoundingClientRect();
			return [b.x, b.y, b.width, b.height, Number(q.getAttribute("viewBox").split(" ")[2])] })()`)
	}
	browser.Eval[bool](within, `(document.getElementById("qr").scrollIntoView({block: "center", inline: "center", behavior: "instant"}), true)`)
	b := box()
	v := sight{width: b[2], module: b[2] * factor * s.density / b[4], whole: b[3]*enough <= float64(tall) && b[2]*enough <= float64(wide)}
	if v.whole {
		browser.Eval[bool](within, codeInView)
	}
	const note = `document.querySelector("[data-testid=partly] span").checkVisibility()`
	if v.whole && v.module >= leastModule {
		waitFor(within, "!"+note)
	} else {
		waitFor(within, note)
	}
	v.told = browser.Eval[bool](within, note)
	waitFor(within, still)
	if s.frame != ownWindow {
		frame := browser.Eval[[]float64](page, `(() => { const b = inside(document.getElementById("f")).getBoundingClientRect(); return [b.x, b.y] })()`)
		x, y = frame[0], frame[1]
	}
	b = box()
	shown := page.Window()
	all, err := scan.Grey(shown)
	if err != nil {
		p.t.Fatal(err)
	}
	scale := factor * s.density
	around := image.Rect(int((x+b[0]-40)*scale), int((y+b[1]-40)*scale), int((x+b[0]+b[2]+40)*scale), int((y+b[1]+b[3]+40)*scale))
	v.picture = scan.Cut(all, around)
	side := b[4]
	grey := func(across, down float64) uint8 { // at a place in modules
		return all.GrayAt(int((x+b[0])*scale+across*v.module), int((y+b[1])*scale+down*v.module)).Y
	}
	v.quiet, v.finder = 255, grey(7.5, 7.5)
	for at := 2.0; v.whole && at <= side-2; at++ {
		v.quiet = min(v.quiet, grey(at, 2), grey(at, side-2), grey(2, at), grey(side-2, at))
	}
	if p.dir != "" {
		name := strings.NewReplacer(" ", "-", ",", "", "%", "", "'", "").Replace(s.String()) + ".png"
		if err := os.WriteFile(filepath.Join(p.dir, name), shown, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	return v
}
