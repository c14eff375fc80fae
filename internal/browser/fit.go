package browser

import (
	"fmt"

	"github.com/chromedp/chromedp"
)

// Wear adds a style of the test's own to the page, in place of the one before: as
// people do who need other spacing. None takes it away.
func (p *Page) Wear(style string) {
	p.t.Helper()
	Eval[bool](p, fmt.Sprintf(`(() => {
		const sheet = new CSSStyleSheet();
		sheet.replaceSync(%q);
		document.adoptedStyleSheets = [sheet];
		return true;
	})()`, style))
}

// WaitWidth waits until the window of a page, or of a frame, has this width.
func (p *Page) WaitWidth(width int) {
	p.t.Helper()
	do(p, fmt.Sprintf("waiting for a window of %d", width), chromedp.PollFunction[bool](
		`(width) => innerWidth === width`, chromedp.WithPollingArgs(width), chromedp.WithPollingTimeout(patience)))
}

// Unfit is what of the page does not fit its window: text or controls that reach
// beyond its edges, where they are not in something that scrolls by itself, and text
// that is cut off. Overflow is a part of it.
func (p *Page) Unfit() []string {
	p.t.Helper()
	return Eval[[]string](p, unfit)
}

// unfit leaves out what only screen readers are told, drawings, and fields, which
// scroll their own text.
const unfit = `(() => {
	const wide = document.documentElement.clientWidth, list = [];
	const by = document.documentElement.scrollWidth - wide;
	if (by > 0) list.push("the page is " + by + " pixels wider than its window");
	const seen = visualViewport;
	if (seen.pageLeft || seen.scale !== 1) list.push("the window shows the page from " + seen.pageLeft + " on, at " + seen.scale);
	const name = (e) => e.outerHTML.slice(0, 120).replace(/\s+/g, " ");
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility({visibilityProperty: true, opacityProperty: true}) || e.closest("svg, input, textarea, script, noscript")) continue;
		let scrolls = false, told = false;
		for (let up = e; up && up !== document.body; up = up.parentElement) {
			const style = getComputedStyle(up);
			told ||= style.clipPath === "inset(50%)";
			scrolls ||= up !== e && /auto|scroll/.test(style.overflowX);
		}
		if (told || scrolls) continue;
		const box = e.getBoundingClientRect();
		if (box.width && (box.left < -1 || box.right > wide + 1)) list.push("from " + Math.round(box.left) + " to " + Math.round(box.right) + " of " + wide + ": " + name(e));
		const style = getComputedStyle(e);
		if (/hidden|clip/.test(style.overflowX) && e.scrollWidth > e.clientWidth + 1 && e.textContent.trim()) list.push("cut off: " + name(e));
	}
	return list;
})()`
