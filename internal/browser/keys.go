package browser

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/chromedp/chromedp"
)

// spent is what a page has cost its person.
type spent struct{ taps, keys int }

// Spent is how often this person tapped or clicked on the page, and how many keys
// they pressed: what Click, Follow, Popup, Type and Press did, and nothing else.
func (p *Page) Spent() (taps, keys int) { return p.spent.taps, p.spent.keys }

// walkLimit is more stops than any page has.
const walkLimit = 100

// TabTo presses Tab until this thing, by role and name, has the focus. Each stop on
// the way must be seen, and no page is to hold the focus.
func (p *Page) TabTo(want string) {
	p.t.Helper()
	var stops []string
	for range walkLimit {
		p.Press("\t")
		at := p.Focused()
		if at != "" {
			p.wantFocusSeen(at)
		}
		if at == want {
			return
		}
		stops = append(stops, at)
	}
	p.t.Fatalf("Tab does not lead to %s, but to %s; there is\n%s", want, strings.Join(stops, ", "), p.Told())
}

// Walk presses Tab from the beginning of the page to its end, and returns where it
// stopped. Each stop must be seen, and after the last one the focus leaves the page.
func (p *Page) Walk() []string {
	p.t.Helper()
	Eval[bool](p, `(() => {
		document.activeElement.blur();
		getSelection().removeAllRanges();
		document.body.tabIndex = -1;
		document.body.focus();
		document.body.removeAttribute("tabindex");
		return true;
	})()`)
	var stops []string
	for range walkLimit {
		p.Press("\t")
		// The first element once more, or none: the page is at its end.
		if Eval[bool](p, `document.activeElement === document.body || (window.walked ||= new Set()).has(document.activeElement) || !window.walked.add(document.activeElement)`) {
			Eval[bool](p, `delete window.walked`)
			return stops
		}
		at := p.Focused()
		p.wantFocusSeen(at)
		stops = append(stops, at)
	}
	p.t.Fatalf("Tab never leaves the page: %s", strings.Join(stops, ", "))
	return nil
}

// wantFocusSeen checks that what has the focus shows it, lies within the window and
// is not under something else (WCAG 2.2, 2.4.7 and 2.4.11).
func (p *Page) wantFocusSeen(at string) {
	p.t.Helper()
	fault := Eval[string](p, `(() => {
		const e = document.activeElement, style = getComputedStyle(e), r = e.getClientRects()[0];
		if (!r) return "has no place on the page";
		if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) return "does not show it";
		if (r.bottom > innerHeight + 1 || r.top < -1 || r.left < -1 || r.right > innerWidth + 1) return "is out of the window";
		const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
		return top && (e.contains(top) || top.contains(e)) ? "" : "is covered";
	})()`)
	if fault != "" {
		p.t.Errorf("%s: %s has the focus and %s", p.where(), at, fault)
	}
}

// pressKeys types keys, and counts them.
func (p *Page) pressKeys(what, keys string, action chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	do(p, fmt.Sprintf("%s %q", what, keys), action)
	p.spent.keys += utf8.RuneCountInString(keys)
}
