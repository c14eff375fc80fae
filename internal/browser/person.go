package browser

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// What each kind of browser calls itself. Safari sends no client hints.
const (
	chromeVersion = "140"
	windowsAgent  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/" + chromeVersion + ".0.0.0 Safari/537.36"
	androidAgent  = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/" + chromeVersion + ".0.0.0 Mobile Safari/537.36"
	iPhoneAgent   = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
)

// Trait changes what a person uses or prefers.
type Trait func(*person)

// person is how a page's browser looks to a server and to CSS.
type person struct {
	width, height int64 // CSS pixels
	scale         float64
	mobile        bool // touch, and a viewport that follows the page's meta tag
	agent         string
	hints         *emulation.UserAgentMetadata
	languages     string
	features      map[string]string // CSS media features
	noScript      bool
}

// Size sets the window in CSS pixels, and how many device pixels each has:
// 640, 400, 2 is a 1280-pixel window at 200 % zoom.
func Size(width, height int64, scale float64) Trait {
	return func(p *person) { p.width, p.height, p.scale = width, height, scale }
}

// Agent sets the User-Agent, without client hints, as those of in-app browsers.
func Agent(agent string) Trait {
	return func(p *person) { p.agent, p.hints = agent, nil }
}

// Languages sets Accept-Language, such as "fr-CH,fr,en".
func Languages(accept string) Trait {
	return func(p *person) { p.languages = accept }
}

// Android makes a phone Chrome on Android instead of Safari on an iPhone.
func Android(p *person) { p.agent, p.hints = androidAgent, chromeHints("Android", true) }

// Dark prefers dark colours.
func Dark(p *person) { p.features["prefers-color-scheme"] = "dark" }

// ForcedColors replaces the page's colours by the system's, as a high contrast
// theme does.
func ForcedColors(p *person) { p.features["forced-colors"] = "active" }

// ReducedMotion prefers no animation.
func ReducedMotion(p *person) { p.features["prefers-reduced-motion"] = "reduce" }

// NoScript turns the page's JavaScript off. Eval and the methods that name
// elements still work: they are the test's own.
func NoScript(p *person) { p.noScript = true }

// Desktop is a new person with Chrome on Windows in a window of 1280 by 800.
func (b *Browser) Desktop(t Reporter, traits ...Trait) *Page {
	t.Helper()
	return b.person(t, &person{
		width: 1280, height: 800, scale: 1,
		agent:     windowsAgent,
		hints:     chromeHints("Windows", false),
		languages: "en",
		features:  map[string]string{},
	}, traits)
}

// Phone is a new person with Safari on an iPhone, 390 by 844: as far as a
// server and CSS can tell, for the engine is Chromium's.
func (b *Browser) Phone(t Reporter, traits ...Trait) *Page {
	t.Helper()
	return b.person(t, &person{
		width: 390, height: 844, scale: 3,
		mobile:    true,
		agent:     iPhoneAgent,
		languages: "en",
		features:  map[string]string{},
	}, traits)
}

// person opens an empty page of a person who is not in any other.
func (b *Browser) person(t Reporter, p *person, traits []Trait) *Page {
	t.Helper()
	for _, trait := range traits {
		trait(p)
	}
	if b.launch.kept { // a context of one's own is never written down
		page := open(t, b.ctx, p)
		page.browser = b
		return page
	}
	return open(t, b.ctx, p, chromedp.WithNewBrowserContext())
}

// open makes a page in the browser of parent and closes it with the test.
func open(t Reporter, parent context.Context, p *person, options ...chromedp.ContextOption) *Page { //nolint:revive // as everywhere here, the test comes first
	t.Helper()
	seen := &problems{}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(seen.take))...)
	page := &Page{t: t, ctx: ctx, person: p, problems: seen}
	t.Cleanup(func() {
		if t.Failed() {
			page.describe()
		}
		cancel()
	})
	// The first use of ctx binds the page's life to it: no time limit here.
	if err := chromedp.Do(ctx, chromedp.Func(p.emulate)); err != nil {
		t.Fatalf("opening a page: %v", err)
	}
	return page
}

// emulate makes a new page the person's.
func (p *person) emulate(ctx context.Context, t *chromedp.Target) error {
	agent := emulation.SetUserAgentOverrideParams{
		UserAgent: p.agent, AcceptLanguage: p.languages, UserAgentMetadata: p.hints,
	}
	if _, err := cdp.Call(ctx, t, emulation.SetUserAgentOverride, agent); err != nil {
		return fmt.Errorf("setting the user agent: %w", err)
	}
	if err := p.settle(ctx, t); err != nil {
		return err
	}
	if err := p.prefer(ctx, t); err != nil {
		return err
	}
	script := emulation.SetScriptExecutionDisabledParams{Value: p.noScript}
	if _, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, script); err != nil {
		return fmt.Errorf("turning scripts off: %w", err)
	}
	return watch(ctx, t)
}

// settle gives a page the person's window.
func (p *person) settle(ctx context.Context, t *chromedp.Target) error {
	view := []chromedp.EmulateViewportOption{chromedp.EmulateScale(p.scale)}
	if p.mobile {
		view = append(view, chromedp.EmulatePortrait, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	if _, err := chromedp.EmulateViewport(p.width, p.height, view...)(ctx, t); err != nil {
		return fmt.Errorf("setting the window: %w", err)
	}
	return nil
}

// prefer tells a page what the person prefers.
func (p *person) prefer(ctx context.Context, t *chromedp.Target) error {
	var media emulation.SetEmulatedMediaParams
	for name, value := range p.features {
		media.Features = append(media.Features, &emulation.MediaFeature{Name: name, Value: value})
	}
	if _, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, media); err != nil {
		return fmt.Errorf("setting media features: %w", err)
	}
	return nil
}

// touch lets fingers into a frame: it has no window of its own to emulate.
func (p *person) touch(ctx context.Context, t *chromedp.Target) error {
	if _, err := cdp.Call(ctx, t, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: p.mobile}); err != nil {
		return fmt.Errorf("letting fingers in: %w", err)
	}
	return nil
}

// watch turns on the reports that problems collects beyond the console's.
func watch(ctx context.Context, t *chromedp.Target) error {
	if _, err := cdp.Call(ctx, t, audits.Enable, cdp.Empty{}); err != nil {
		return fmt.Errorf("asking for reports: %w", err)
	}
	return nil
}

// chromeHints are the client hints of Chrome.
func chromeHints(platform string, mobile bool) *emulation.UserAgentMetadata {
	brands := []*emulation.UserAgentBrandVersion{
		{Brand: "Chromium", Version: chromeVersion},
		{Brand: "Google Chrome", Version: chromeVersion},
	}
	return &emulation.UserAgentMetadata{Brands: brands, FullVersionList: brands, Platform: platform, Mobile: mobile}
}
