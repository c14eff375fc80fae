package templates_test

import (
	"strings"
	"testing"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"github.com/handoff-portal/handoff/templates"
)

// parsed renders a page and reads it as a browser without script would.
func parsed(t *testing.T, page templ.Component) (doc *html.Node, source string) {
	t.Helper()
	var b strings.Builder
	if err := page.Render(t.Context(), &b); err != nil {
		t.Fatalf("rendering: %v", err)
	}
	doc, err := html.ParseWithOptions(strings.NewReader(b.String()), html.ParseOptionEnableScripting(false))
	if err != nil {
		t.Fatalf("parsing: %v", err)
	}
	return doc, b.String()
}

// attr returns an attribute, and whether there is one.
func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// with lists the elements below n with this attribute; an empty value is any.
func with(n *html.Node, name, value string) []*html.Node {
	var found []*html.Node
	for e := range n.Descendants() {
		if v, ok := attr(e, name); e.Type == html.ElementNode && ok && (value == "" || v == value) {
			found = append(found, e)
		}
	}
	return found
}

// elements lists the elements below n with this tag.
func elements(n *html.Node, tag string) []*html.Node {
	var found []*html.Node
	for e := range n.Descendants() {
		if e.Type == html.ElementNode && e.Data == tag {
			found = append(found, e)
		}
	}
	return found
}

// only returns the one element with this data-testid.
func only(t *testing.T, n *html.Node, testid string) *html.Node {
	t.Helper()
	found := with(n, "data-testid", testid)
	if len(found) != 1 {
		t.Fatalf("%d elements with data-testid %s, want 1", len(found), testid)
	}
	return found[0]
}

// text is what n says, spaces collapsed.
func text(n *html.Node) string {
	var b strings.Builder
	for e := range n.Descendants() {
		if e.Type == html.TextNode {
			b.WriteString(e.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// shown reports whether neither n nor anything around it is hidden. The body of a
// framed display is, until the stylesheet shows it.
func shown(n *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if _, ok := attr(n, "hidden"); ok && n.Data != "body" {
			return false
		}
	}
	return true
}

// TestEveryPage holds every page in every state and language to what all share.
func TestEveryPage(t *testing.T) {
	for _, lang := range []string{"en", "ar"} {
		w := newWorld(t, "en")
		if lang == "ar" {
			w = newWorld(t, "ar")
		}
		for name, page := range w.pages() {
			doc, _ := parsed(t, page)
			root := elements(doc, "html")[0]
			if got, _ := attr(root, "lang"); got != lang {
				t.Errorf("%s: lang %q, want %q", name, got, lang)
			}
			headings := 0
			for _, h := range elements(doc, "h1") {
				if shown(h) && text(h) != "" {
					headings++
				}
			}
			if headings != 1 {
				t.Errorf("%s: %d headings shown, want 1", name, headings)
			}
			if len(elements(doc, "main")) != 1 || text(elements(doc, "title")[0]) == "" {
				t.Errorf("%s: wants one main and a title", name)
			}
			checkAttributes(t, name, doc)
		}
	}
}

// checkAttributes refuses what the Content-Security-Policy would, ids used twice,
// references to none, and forms that are no plain POST.
func checkAttributes(t *testing.T, name string, doc *html.Node) {
	t.Helper()
	ids := map[string]bool{}
	for _, e := range with(doc, "id", "") {
		id, _ := attr(e, "id")
		if ids[id] {
			t.Errorf("%s: id %s twice", name, id)
		}
		ids[id] = true
	}
	for e := range doc.Descendants() {
		if e.Type != html.ElementNode {
			continue
		}
		for _, a := range e.Attr {
			switch {
			case a.Key == "style", strings.HasPrefix(a.Key, "on"):
				t.Errorf("%s: inline %s on %s", name, a.Key, e.Data)
			case a.Key == "for", a.Key == "aria-describedby", a.Key == "data-copy":
				for id := range strings.FieldsSeq(a.Val) {
					if !ids[id] {
						t.Errorf("%s: %s names %s, which is not there", name, a.Key, id)
					}
				}
			case a.Key == "target" && a.Val == "_blank":
				if rel, _ := attr(e, "rel"); rel != "noopener" {
					t.Errorf("%s: target=_blank with rel %q", name, rel)
				}
			}
		}
		switch e.Data {
		case "style":
			t.Errorf("%s: inline style", name)
		case "script":
			if src, _ := attr(e, "src"); src == "" || e.FirstChild != nil {
				t.Errorf("%s: inline script", name)
			}
			if integrity, _ := attr(e, "integrity"); !strings.HasPrefix(integrity, "sha384-") {
				t.Errorf("%s: script without integrity", name)
			}
		case "form":
			method, _ := attr(e, "method")
			if action, _ := attr(e, "action"); method != "post" || !strings.HasPrefix(action, "/") {
				t.Errorf("%s: form %s %s, want a post to a path", name, method, action)
			}
			if n := len(elements(e, "button")); n != 1 {
				t.Errorf("%s: form with %d buttons, want 1", name, n)
			}
		}
	}
}

// TestDisplayScreens shows, for each screen, its own panel and the texts of the
// state JSON, and nothing that belongs to another.
func TestDisplayScreens(t *testing.T) {
	w := newWorld(t, "en")
	for _, s := range templates.Screens() {
		d := w.display(s)
		doc, source := parsed(t, templates.DisplayPage(d))
		if n := strings.Count(source, "data-deep-link"); n != 1 {
			t.Errorf("%s: data-deep-link %d times, want once", s, n)
		}
		want := "panel-" + string(s)
		switch s { //nolint:exhaustive // the others have panels of their own
		case templates.ScreenOpened:
			want = "panel-waiting"
		case templates.ScreenUnopened:
			want = "panel-connected"
		}
		for _, panel := range with(doc, "data-screen", "") {
			if id, _ := attr(panel, "data-testid"); shown(panel) != (id == want) {
				t.Errorf("%s: %s shown = %t", s, id, shown(panel))
			}
		}
		slots := d.Slots(d.Page)
		for _, e := range with(doc, "data-slot", "") {
			name, _ := attr(e, "data-slot")
			got := text(e)
			if e.Data == "input" {
				got, _ = attr(e, "value")
			}
			if got != slots[name] {
				t.Errorf("%s: slot %s = %q, want %q", s, name, got, slots[name])
			}
		}
		for _, e := range with(doc, "data-when", "") {
			name, _ := attr(e, "data-when")
			if _, hidden := attr(e, "hidden"); hidden != (slots[name] == "") {
				t.Errorf("%s: what waits for slot %s is hidden = %t", s, name, hidden)
			}
		}
		if slots["say"] == "" {
			t.Errorf("%s: says nothing to a screen reader", s)
		}
		refreshes := len(with(doc, "http-equiv", "refresh")) > 0
		waits := !s.Ended() && s != templates.ScreenNumber && s != templates.ScreenTooMany
		if refreshes != waits {
			t.Errorf("%s: reloads without script = %t, want %t", s, refreshes, waits)
		}
		if got := shown(only(t, doc, "action-cancel")); got == s.Ended() {
			t.Errorf("%s: Cancel shown = %t", s, got)
		}
		returns := 0
		for _, a := range with(doc, "data-testid", "return") {
			if shown(a) {
				returns++
			}
		}
		if (returns == 1) != s.Ended() {
			t.Errorf("%s: %d ways back to the partner shown", s, returns)
		}
	}
}

func TestDisplayLinks(t *testing.T) {
	w := newWorld(t, "en")
	d := w.display(templates.ScreenWaiting)
	d.Link = &templates.Link{URL: "https://link.example.com/c/acme/x"}
	d.TypedCode = "4829130571"
	doc, _ := parsed(t, templates.DisplayPage(d))
	if got, _ := attr(only(t, doc, "link"), "value"); got != d.Link.URL {
		t.Errorf("link = %q, want %q", got, d.Link.URL)
	}
	if got, want := text(only(t, doc, "typed-code")), "482 913 0571"; got != want {
		t.Errorf("typed code = %q, want %q", got, want)
	}
	for testid, want := range map[string]bool{
		"action-send-link": false, "action-revoke-link": true, "action-send-typed": false, "action-revoke-typed": true,
	} {
		if got := shown(only(t, doc, testid)); got != want {
			t.Errorf("%s shown = %t, want %t", testid, got, want)
		}
	}
	if _, open := attr(only(t, doc, "others"), "open"); !open {
		t.Error("Can't scan? is closed though there is a link in it")
	}
}

func TestDisplayInAFramePage(t *testing.T) {
	w := newWorld(t, "en")
	for _, phone := range []bool{false, true} {
		for _, framed := range []bool{false, true} {
			d := w.display(templates.ScreenCompleted)
			d.OnPhone, d.Framed, d.ParentOrigin, d.CanLocal = phone, framed, "https://shop.example", true
			doc, _ := parsed(t, templates.DisplayPage(d))
			top, blank := "", ""
			if framed {
				top, blank = "_top", "_blank"
			}
			for _, a := range with(doc, "data-testid", "return") {
				if got, _ := attr(a, "target"); got != top {
					t.Errorf("framed %t: way back has target %q, want %q", framed, got, top)
				}
			}
			if got, _ := attr(with(doc, "data-deep-link", "")[0], "target"); got != blank {
				t.Errorf("framed %t, phone %t: deep link has target %q, want %q", framed, phone, got, blank)
			}
			if got, _ := attr(only(t, doc, "action-continue"), "target"); got != blank {
				t.Errorf("framed %t: continue has target %q, want %q", framed, got, blank)
			}
			got, _ := attr(only(t, doc, "display"), "data-parent-origin")
			if (got != "") != framed {
				t.Errorf("framed %t: parent origin %q", framed, got)
			}
		}
	}
}

func TestLanding(t *testing.T) {
	w := newWorld(t, "en")
	doc, _ := parsed(t, templates.LandingPage(templates.Landing{
		Page: w.page, Asked: templates.Asked{By: templates.Device{Class: "desktop", OS: "Windows", Browser: "Chrome"}},
		Action: "/c/acme/code", RejectAction: "/c/acme/code/reject", Attempt: "a1", Opened: "o1",
	}))
	forms := elements(doc, "form")
	if len(forms) != 2 {
		t.Fatalf("%d forms, want 2", len(forms))
	}
	for i, want := range []string{"/c/acme/code", "/c/acme/code/reject"} {
		if got, _ := attr(forms[i], "action"); got != want {
			t.Errorf("form %d posts to %s, want %s", i, got, want)
		}
		for name, value := range map[string]string{"attempt": "a1", "opened": "o1"} {
			fields := with(forms[i], "name", name)
			if len(fields) != 1 {
				t.Fatalf("form %d has %d fields %s, want 1", i, len(fields), name)
			}
			if got, _ := attr(fields[0], "value"); got != value {
				t.Errorf("form %d: %s = %q, want %q", i, name, got, value)
			}
		}
	}
	if got, want := text(only(t, doc, "asked")), "on a Windows computer, in Chrome"; !strings.Contains(got, want) {
		t.Errorf("asked = %q, want %q in it", got, want)
	}
}

// TestHostileText passes what partners and browsers may say through every page as text.
func TestHostileText(t *testing.T) {
	const hostile = `"><script>alert(1)</script>`
	w := newWorld(t, "en")
	w.page.Brand = templates.Brand{Name: hostile, App: hostile}
	w.page.SupportRef = hostile
	pages := w.pages()
	d := w.display(templates.ScreenInApp)
	d.InApp, d.TypedCode, d.Link = hostile, hostile, &templates.Link{URL: hostile}
	pages["hostile display"] = templates.DisplayPage(d)
	pages["hostile landing"] = templates.LandingPage(templates.Landing{
		Page: w.page, Asked: templates.Asked{Label: hostile, By: templates.Device{Browser: hostile}}, Attempt: hostile,
	})
	pages["hostile link"] = templates.ReadyPage(templates.Ready{Page: w.page, OpenURL: hostile})
	for name, page := range pages {
		_, source := parsed(t, page)
		if strings.Contains(source, "<script>") {
			t.Errorf("%s: hostile text became markup", name)
		}
	}
}

func TestProblems(t *testing.T) {
	w := newWorld(t, "en")
	for status, want := range map[int]string{
		400: "This page isn’t here", 403: "Open this page by itself", 404: "This page isn’t here", 410: "This has ended",
		421: "This address isn’t ours", 429: "A short wait", 500: "Something went wrong here", 502: "Something went wrong here", 503: "Just a moment",
	} {
		doc, _ := parsed(t, templates.ProblemPage(templates.ErrorPage{Page: w.page, Status: status}))
		if got := text(elements(doc, "h1")[0]); got != want {
			t.Errorf("problem %d: heading %q, want %q", status, got, want)
		}
		if got, ref := text(only(t, doc, "support-ref")), "7K3QXF"; !strings.Contains(got, ref) {
			t.Errorf("problem %d: reference %q, want %s in it", status, got, ref)
		}
	}
}
