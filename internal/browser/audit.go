package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Auditor holds the scripts of two checkers of accessibility that were written
// independently of each other: axe-core, and HTML_CodeSniffer. Each misses what the
// other finds.
type Auditor struct{ axe, sniffer string }

// NewAuditor reads the checkers from npm's packages.
func NewAuditor(t Reporter) *Auditor {
	t.Helper()
	dir := Modules(t, "npm")
	read := func(name string) string {
		t.Helper()
		script, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // as the lock file names it
		if err != nil {
			t.Fatalf("reading a checker: %v", err)
		}
		return string(script)
	}
	return &Auditor{axe: read("axe-core/axe.min.js"), sniffer: read("html_codesniffer/build/HTMLCS.js")}
}

// Violations is what both checkers find in the page as it stands, at WCAG 2.2 AA and
// by axe's best practices too: a line each.
func (a *Auditor) Violations(p *Page) []string {
	p.t.Helper()
	return append(a.axeViolations(p, `{type:"tag",values:["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]}`), a.sniffed(p)...)
}

// Contrast is what axe finds of colours that are too close to each other.
func (a *Auditor) Contrast(p *Page) []string {
	p.t.Helper()
	return a.axeViolations(p, `{type:"rule",values:["color-contrast","link-in-text-block"]}`)
}

// load makes a checker be there. A page that was only changed since has it still.
func (a *Auditor) load(p *Page, name, script string) {
	p.t.Helper()
	if Eval[bool](p, fmt.Sprintf("typeof window.%s === 'undefined'", name)) {
		Eval[bool](p, "(() => {"+script+"\n})(), true")
	}
}

func (a *Auditor) axeViolations(p *Page, only string) []string {
	p.t.Helper()
	a.load(p, "axe", a.axe)
	var found []struct {
		ID    string `json:"id"`
		Help  string `json:"help"`
		Nodes []struct {
			HTML   string `json:"html"`
			Failed string `json:"failureSummary"`
		} `json:"nodes"`
	}
	answer := Eval[string](p, `axe.run(document, {runOnly: `+only+`, resultTypes: ["violations"], iframes: false}).then((r) => JSON.stringify(r.violations))`)
	if err := json.Unmarshal([]byte(answer), &found); err != nil {
		p.t.Fatalf("reading axe's findings: %v", err)
	}
	var list []string
	for _, v := range found {
		for _, n := range v.Nodes {
			list = append(list, fmt.Sprintf("axe %s: %s: %s: %s", v.ID, v.Help, short(n.HTML), strings.Join(strings.Fields(n.Failed), " ")))
		}
	}
	return list
}

func (a *Auditor) sniffed(p *Page) []string {
	p.t.Helper()
	a.load(p, "HTMLCS", "var exports, module, define;"+a.sniffer)
	return Eval[[]string](p, `new Promise((done) => HTMLCS.process("WCAG2AA", document, () => done(HTMLCS.getMessages()
		.filter((m) => m.type === HTMLCS.ERROR)
		.map((m) => "HTML_CodeSniffer " + m.code + ": " + m.msg + ": " + (m.element.outerHTML || "").slice(0, 200)))))`)
}

// short is the beginning of a piece of markup.
func short(markup string) string {
	const enough = 200
	if len(markup) > enough {
		return markup[:enough] + "…"
	}
	return markup
}
