package browser

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Page is one tab of one person. Its methods end the test when they cannot do
// what they say within a minute. It is for one goroutine.
type Page struct {
	t        Reporter
	ctx      context.Context // of chromedp: it is the page's handle
	person   *person
	problems *problems
	frame    bool     // not a tab, but a frame in one
	browser  *Browser // if it was started with Kept
	spent    spent
}

// do runs an action within our patience, and ends the test if it fails.
func do[T any](p *Page, what string, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	for movedOn(err) && ctx.Err() == nil {
		_ = chromedp.Do(ctx, chromedp.Sleep(pollEvery)) // what ends it ends the loop
		result, err = chromedp.Run(ctx, action)
	}
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("nothing after %s", patience)
		}
		p.t.Fatalf("%s: %v", what, err)
	}
	return result
}

// movedOn reports whether nothing was done because the page gave way to its next
// one just then.
func movedOn(err error) bool {
	var refused *cdproto.Error
	return errors.As(err, &refused) && slices.ContainsFunc(
		[]string{"Cannot find context", "Inspected target navigated", "Not attached to an active page"},
		func(gone string) bool { return strings.HasPrefix(refused.Message, gone) })
}

// testID selects an element by its data-testid. The name may have any
// characters: it is quoted for CSS.
func testID(name string) chromedp.CSS {
	return chromedp.CSS(fmt.Sprintf("[data-testid=%q]", name))
}

// Navigate opens an address and returns the status of the answer, after
// redirects, once the page has loaded.
func (p *Page) Navigate(address string) int {
	p.t.Helper()
	return int(do(p, "opening a page", still(chromedp.NavigateResponse(address))).Status)
}

// Reload loads the page again.
func (p *Page) Reload() {
	p.t.Helper()
	do(p, "reloading", still(chromedp.Reload()))
}

// still does a load once more where it gave way to one of the page's own, which began
// at that moment.
func still[T any](load chromedp.Action[T]) chromedp.Action[T] {
	return func(ctx context.Context, t *chromedp.Target) (T, error) {
		result, err := load(ctx, t)
		for gaveWay(err) && ctx.Err() == nil {
			result, err = load(ctx, t)
		}
		return result, err
	}
}

// gaveWay reports whether a load was stopped by the next one.
func gaveWay(err error) bool {
	var stopped *chromedp.LoadError
	return errors.As(err, &stopped) && stopped.ErrorText == "net::ERR_ABORTED"
}

// Follow clicks an element that leads to another page, a link or the button of
// a form, and returns the status of that page once it has loaded.
func (p *Page) Follow(id string) int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, p.press(id))
	if err != nil {
		p.t.Fatalf("following %q: %v", id, err)
	}
	p.spent.taps++
	return int(response.Status)
}

// Click presses an element, with a finger on a phone and the mouse on a
// desktop, as soon as it is visible.
func (p *Page) Click(id string) {
	p.t.Helper()
	do(p, fmt.Sprintf("clicking %q", id), p.press(id))
	p.spent.taps++
}

// press brings the page to the front first: one behind a tab that it opened
// takes no touches.
func (p *Page) press(id string) chromedp.Action[chromedp.Void] {
	front := chromedp.Func(p.front)
	if p.person.mobile {
		return chromedp.Steps(front, chromedp.Tap(testID(id)))
	}
	return chromedp.Steps(front, chromedp.Click(testID(id)))
}

func (p *Page) front(ctx context.Context, t *chromedp.Target) error {
	if p.frame {
		return nil
	}
	_, err := cdp.Call(ctx, t, page.BringToFront, cdp.Empty{})
	return err
}

// Type types text into an element, after what it holds.
func (p *Page) Type(id, text string) {
	p.t.Helper()
	p.pressKeys(fmt.Sprintf("typing into %q", id), text, chromedp.SendKeys(testID(id), text))
}

// Press types keys where the focus is: "\t" walks on, "\r" presses.
func (p *Page) Press(keys string) {
	p.t.Helper()
	p.pressKeys("pressing", keys, chromedp.KeyEvent(keys))
}

// WaitVisible waits until an element is there and visible.
func (p *Page) WaitVisible(id string) {
	p.t.Helper()
	do(p, fmt.Sprintf("waiting to see %q", id), chromedp.WaitVisible(testID(id)))
}

// WaitGone waits until no such element is visible. It need not have been.
func (p *Page) WaitGone(id string) {
	p.t.Helper()
	do(p, fmt.Sprintf("waiting for %q to go", id), chromedp.PollFunction[bool](
		`(sel) => ![...document.querySelectorAll(sel)].some((e) => e.checkVisibility())`,
		chromedp.WithPollingArgs(string(testID(id))), chromedp.WithPollingTimeout(patience)))
}

// WaitText waits until the visible text of an element contains part.
func (p *Page) WaitText(id, part string) {
	p.t.Helper()
	do(p, fmt.Sprintf("waiting for %q in %q", part, id), chromedp.PollFunction[bool](
		`(sel, part) => [...document.querySelectorAll(sel)].some((e) => e.innerText.includes(part))`,
		chromedp.WithPollingArgs(string(testID(id)), part), chromedp.WithPollingTimeout(patience)))
}

// Has reports whether an element is there now, visible or not.
func (p *Page) Has(id string) bool {
	p.t.Helper()
	return do(p, fmt.Sprintf("looking for %q", id), chromedp.Evaluate[bool](
		fmt.Sprintf("document.querySelector(%q) !== null", string(testID(id)))))
}

// Text is the visible text of an element, waited for until it is visible.
func (p *Page) Text(id string) string {
	p.t.Helper()
	return strings.TrimSpace(do(p, fmt.Sprintf("reading %q", id), chromedp.Text(testID(id), chromedp.NodeVisible)))
}

// Attribute is the value of an element's attribute, "" if it has none.
func (p *Page) Attribute(id, name string) string {
	p.t.Helper()
	return do(p, fmt.Sprintf("reading %s of %q", name, id), chromedp.AttributeValue(testID(id), name, chromedp.NodeReady)).Value
}

// URL is the address of the page.
func (p *Page) URL() string {
	p.t.Helper()
	return do(p, "reading the address", chromedp.Location())
}

// Title is the title of the page.
func (p *Page) Title() string {
	p.t.Helper()
	return do(p, "reading the title", chromedp.Title())
}

// Eval returns the value of a JavaScript expression in the page, a promise's
// once it is kept.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return do(p, "evaluating "+expression, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Cookies lists the names of all cookies this person holds, for every site.
func (p *Page) Cookies() []string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	id := chromedp.FromContext(p.ctx).BrowserContextID
	got, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: id})
	if err != nil {
		p.t.Fatalf("reading cookies: %v", err)
	}
	names := make([]string, 0, len(got.Cookies))
	for _, c := range got.Cookies {
		names = append(names, c.Name)
	}
	return names
}

// Tab opens another tab of the same person, with the same cookies.
func (p *Page) Tab() *Page {
	p.t.Helper()
	return open(p.t, p.ctx, p.person)
}

// Popup presses an element that opens a tab of its own, and returns that tab.
// The tab's first request may be sent before it is made the person's: it can
// have the engine's own User-Agent.
func (p *Page) Popup(id string) *Page {
	p.t.Helper()
	return p.Opened(func() { p.Click(id) })
}

// Opened is the tab that do opens, such as by pressing something in a frame of
// this page.
func (p *Page) Opened(do func()) *Page {
	p.t.Helper()
	before := map[target.ID]bool{}
	for _, info := range p.targets() {
		before[info.TargetID] = true
	}
	do()
	found := p.await("a new tab", func(info *target.Info) bool {
		return info.Type == "page" && !before[info.TargetID]
	})
	return open(p.t, p.ctx, p.person, chromedp.WithTargetID(found))
}

// Frame is the frame, from another site than the page around it, whose address
// begins with prefix, waited for until it is there. A frame from the same site
// has no page of its own here: use Eval.
func (p *Page) Frame(prefix string) *Page {
	p.t.Helper()
	return p.inside(p.await("a frame of "+prefix, func(info *target.Info) bool {
		return info.Type == "iframe" && strings.HasPrefix(info.URL, prefix)
	}))
}

// Frames are the frames that are there now, from other sites than the page around
// them. One that the browser blocks is among them: it shows the browser's own page.
func (p *Page) Frames() []*Page {
	p.t.Helper()
	var list []*Page
	for _, info := range p.targets() {
		if info.Type == "iframe" {
			list = append(list, p.inside(info.TargetID))
		}
	}
	return list
}

// inside attaches to a frame.
func (p *Page) inside(found target.ID) *Page {
	p.t.Helper()
	seen := &problems{}
	ctx, cancel := chromedp.NewContext(p.ctx, chromedp.WithTargetID(found), chromedp.WithDetachOnCancel(), chromedp.WithListener(seen.take))
	p.t.Cleanup(cancel)
	within := person{mobile: p.person.mobile, features: maps.Clone(p.person.features)}
	delete(within.features, "prefers-color-scheme") // a frame's is that of the page around it
	if err := chromedp.Do(ctx, chromedp.Func(within.touch), chromedp.Func(within.prefer), chromedp.Func(watch)); err != nil {
		p.t.Fatalf("attaching to a frame: %v", err)
	}
	return &Page{t: p.t, ctx: ctx, person: p.person, problems: seen, frame: true}
}

// await waits for a target of this person that fits.
func (p *Page) await(what string, fits func(*target.Info) bool) target.ID {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		for _, info := range p.targets() {
			if fits(info) {
				return info.TargetID
			}
		}
		if err := chromedp.Do(ctx, chromedp.Sleep(pollEvery)); err != nil {
			p.t.Fatalf("waiting for %s: nothing after %s", what, patience)
		}
	}
}

// targets lists what this person has open.
func (p *Page) targets() []*target.Info {
	p.t.Helper()
	all, err := chromedp.Targets(p.ctx)
	if err != nil {
		p.t.Fatalf("listing pages: %v", err)
	}
	mine := chromedp.FromContext(p.ctx).BrowserContextID
	var list []*target.Info
	for _, info := range all {
		if info.BrowserContextID == mine {
			list = append(list, info)
		}
	}
	return list
}

// WaitPainted waits until the page has drawn something of its content.
func (p *Page) WaitPainted() {
	p.t.Helper()
	do(p, "waiting for the first paint", chromedp.PollFunction[bool](
		`() => performance.getEntriesByName("first-contentful-paint").length > 0`, chromedp.WithPollingTimeout(patience)))
}
