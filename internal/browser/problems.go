package browser

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// problems collects what a page complained about.
type problems struct {
	mu   sync.Mutex
	list []string // guarded by mu
}

// take looks at one event of the page. It runs between the browser's messages,
// and so only notes.
func (p *problems) take(event any) {
	var text string
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError && e.Type != runtime.ConsoleAPICalledTypeAssert {
			return
		}
		text = "console: " + joinArguments(e.Args)
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			text += " " + thrown.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError && e.Entry.Source != log.EntrySourceSecurity {
			return
		}
		text = fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	case *audits.EventIssueAdded:
		text = describeIssue(e.Issue)
	}
	if text == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, text)
}

// describeIssue puts what DevTools lists under "Issues" into words. Only what
// breaks a page or weakens it is a problem: the rest is advice.
func describeIssue(issue *audits.InspectorIssue) string {
	switch {
	case issue.Details == nil:
		return ""
	case issue.Details.ContentSecurityPolicyIssueDetails != nil:
		d := issue.Details.ContentSecurityPolicyIssueDetails
		return fmt.Sprintf("content security policy: %s violated (%s) by %q",
			d.ViolatedDirective, d.ContentSecurityPolicyViolationType, d.BlockedURL)
	case issue.Details.MixedContentIssueDetails != nil:
		return "mixed content: " + issue.Details.MixedContentIssueDetails.InsecureURL
	case issue.Details.QuirksModeIssueDetails != nil:
		return "quirks mode: " + issue.Details.QuirksModeIssueDetails.URL
	}
	return ""
}

func joinArguments(args []*runtime.RemoteObject) string {
	var parts []string
	for _, a := range args {
		switch {
		case a.Description != "":
			parts = append(parts, a.Description)
		default:
			parts = append(parts, strings.Trim(string(a.Value), `"`))
		}
	}
	return strings.Join(parts, " ")
}

// Problems lists the page's errors on the console, exceptions, failed loads and
// violations of its content security policy, since it was opened. Those that
// contain one of expected are left out: a page that is meant to answer 410 makes
// the browser report a failed load. A frame from another site is a page of its
// own, from Frame, and has its own problems.
func (p *Page) Problems(expected ...string) []string {
	p.t.Helper()
	// Reports come in order with answers, so that after an answer all reports
	// on what happened before it are here.
	do(p, "asking for problems", chromedp.Evaluate[int]("0"))
	p.problems.mu.Lock()
	defer p.problems.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.problems.list), func(text string) bool {
		return slices.ContainsFunc(expected, func(e string) bool { return strings.Contains(text, e) })
	})
}

// WantNoProblems fails the test if the page has Problems beyond the expected.
func (p *Page) WantNoProblems(expected ...string) {
	p.t.Helper()
	for _, problem := range p.Problems(expected...) {
		p.t.Errorf("%s: %s", p.where(), problem)
	}
}
