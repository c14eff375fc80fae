package browser

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// pollEvery is the pause between two looks at what a browser has open.
const pollEvery = 20 * time.Millisecond

// Screenshot is the whole page as a PNG, as far down as it goes.
func (p *Page) Screenshot() []byte {
	p.t.Helper()
	return do(p, "taking a screenshot", chromedp.FullScreenshot(100)) // 100 means PNG
}

// Window is what the window shows, as a PNG. Unlike Screenshot it leaves the page's
// layout alone, which a page that watches what is in view would notice.
func (p *Page) Window() []byte {
	p.t.Helper()
	return do(p, "taking a picture of the window", chromedp.CaptureScreenshot())
}

// Picture is one element as a PNG, with the device's pixels.
func (p *Page) Picture(id string) []byte {
	p.t.Helper()
	return do(p, fmt.Sprintf("taking a picture of %q", id), chromedp.Screenshot(testID(id)))
}

// Overflow is by how many CSS pixels the page is wider than its window: 0 on a
// page that nobody has to scroll sideways.
func (p *Page) Overflow() int {
	p.t.Helper()
	return Eval[int](p, "document.documentElement.scrollWidth - document.documentElement.clientWidth")
}

// As shows the page, as it stands, in another window or to other preferences: Size,
// Dark, ForcedColors, ReducedMotion. Of a frame only preferences change: its window
// is a part of the page around it. back undoes it.
func (p *Page) As(traits ...Trait) (back func()) {
	p.t.Helper()
	was, now := p.person, *p.person
	now.features = maps.Clone(was.features)
	for _, trait := range traits {
		trait(&now)
	}
	p.wear(&now)
	return func() {
		p.t.Helper()
		p.wear(was)
	}
}

func (p *Page) wear(as *person) {
	p.t.Helper()
	was := p.person
	p.person = as
	if !p.frame && (was.width != as.width || was.height != as.height || was.scale != as.scale) {
		do(p, "changing the window", chromedp.Func(as.settle))
	}
	if !maps.Equal(was.features, as.features) {
		do(p, "changing preferences", chromedp.Func(as.prefer))
	}
}

// where is the page's address without what follows the path, which may hold a
// secret.
func (p *Page) where() string {
	ctx, cancel := context.WithTimeout(p.ctx, time.Second)
	defer cancel()
	address, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return "a page"
	}
	address, _, _ = strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "?")
	return address
}

// describe logs what a person sees, for whoever reads about a failed test.
func (p *Page) describe() {
	ctx, cancel := context.WithTimeout(p.ctx, time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	if err != nil {
		return
	}
	const enough = 1000
	if len(text) > enough {
		text = text[:enough] + "…"
	}
	p.t.Logf("the page %s read:\n%s", p.where(), text)
	p.problems.mu.Lock()
	defer p.problems.mu.Unlock()
	for _, problem := range p.problems.list {
		p.t.Logf("and complained: %s", problem)
	}
}
