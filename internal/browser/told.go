package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Told is what assistive technology is told of a page, a line for each thing and
// those within it indented below:
//
//   - heading "Continue on your phone" [level=1]
//   - list:
//   - listitem: Open your phone’s camera
//   - button "Cancel"
func (p *Page) Told() string {
	p.t.Helper()
	var b strings.Builder
	tree := do(p, "reading the accessibility tree", readTree)
	tree.write(&b, tree.root, "")
	return b.String()
}

// Controls are the things of a page that take the focus, in reading order, each as
// its role and name: button "Cancel". A heading is none: only a script moves the
// focus there.
func (p *Page) Controls() []string {
	p.t.Helper()
	var list []string
	tree := do(p, "reading the accessibility tree", readTree)
	for n := range tree.all(tree.root) {
		if n != tree.root && !n.Ignored && value(n.Role) != "heading" && property(n, accessibility.PropertyNameFocusable) == "true" {
			list = append(list, label(n))
		}
	}
	return list
}

// Focused is what has the focus, as its role and name; "" if nothing has.
func (p *Page) Focused() string {
	p.t.Helper()
	return do(p, "reading what has the focus", func(ctx context.Context, t *chromedp.Target) (string, error) {
		found, err := cdp.Call(ctx, t, runtime.Evaluate, runtime.EvaluateParams{Expression: "document.activeElement === document.body ? null : document.activeElement"})
		if err != nil || found.Result.ObjectID == "" {
			return "", err
		}
		alone := false
		got, err := cdp.Call(ctx, t, accessibility.GetPartialAXTree, accessibility.GetPartialAXTreeParams{ObjectID: found.Result.ObjectID, FetchRelatives: &alone})
		if err != nil || len(got.Nodes) == 0 {
			return "", err
		}
		return label(got.Nodes[0]), nil
	})
}

// WaitTold waits until assistive technology is told of a thing of this role whose
// name or text has part in it, and returns all of that.
func (p *Page) WaitTold(role, part string) string {
	p.t.Helper()
	var text string
	p.find(role, part, func(_ context.Context, _ *chromedp.Target, tree *tree, n *accessibility.Node) error {
		text = tree.text(n)
		return nil
	})
	return text
}

// Use does what a screen reader does when its user activates something, which is
// found by role and name alone.
func (p *Page) Use(role, name string) {
	p.t.Helper()
	p.find(role, name, func(ctx context.Context, t *chromedp.Target, _ *tree, n *accessibility.Node) error {
		found, err := cdp.Call(ctx, t, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: n.BackendDOMNodeID})
		if err != nil {
			return err
		}
		gesture := true
		_, err = cdp.Call(ctx, t, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
			FunctionDeclaration: "function () { this.focus(); this.click() }", ObjectID: found.Object.ObjectID, UserGesture: &gesture,
		})
		return err
	})
}

// Tap taps something with a finger, or clicks it with the mouse, that is found by its
// role and name.
func (p *Page) Tap(role, name string) {
	p.t.Helper()
	p.find(role, name, func(ctx context.Context, t *chromedp.Target, _ *tree, n *accessibility.Node) error {
		if err := p.front(ctx, t); err != nil {
			return err
		}
		if _, err := cdp.Call(ctx, t, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: n.BackendDOMNodeID}); err != nil {
			return err
		}
		got, err := cdp.Call(ctx, t, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: n.BackendDOMNodeID})
		if err != nil {
			return err
		}
		if len(got.Quads) == 0 || len(got.Quads[0]) != 8 {
			return errNotTold // it is being laid out
		}
		q := got.Quads[0]
		x, y := (q[0]+q[4])/2, (q[1]+q[5])/2
		if p.person.mobile {
			_, err = chromedp.TapXY(x, y)(ctx, t)
		} else {
			_, err = chromedp.MouseClickXY(x, y)(ctx, t)
		}
		return err
	})
	p.spent.taps++
}

// Enter puts text into a field that is found by its name alone, after what it holds.
func (p *Page) Enter(name, text string) {
	p.t.Helper()
	p.find("textbox", name, func(ctx context.Context, t *chromedp.Target, _ *tree, n *accessibility.Node) error {
		if _, err := cdp.Call(ctx, t, dom.Focus, dom.FocusParams{BackendNodeID: n.BackendDOMNodeID}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// errNotTold is that there is no such thing yet.
var errNotTold = errors.New("assistive technology is not told of it")

// find waits for the one thing of a role whose name or text has part in it, and
// does something with it.
func (p *Page) find(role, part string, then func(context.Context, *chromedp.Target, *tree, *accessibility.Node) error) {
	p.t.Helper()
	look := chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		tree, err := readTree(ctx, t)
		if err != nil {
			return err
		}
		var fit []*accessibility.Node
		for n := range tree.all(tree.root) {
			if !n.Ignored && value(n.Role) == role && strings.Contains(tree.text(n), part) {
				fit = append(fit, n)
			}
		}
		if exact := slices.DeleteFunc(slices.Clone(fit), func(n *accessibility.Node) bool { return tree.text(n) != part }); len(exact) > 0 {
			fit = exact
		}
		if len(fit) == 0 {
			return errNotTold
		}
		if len(fit) > 1 {
			return fmt.Errorf("there are %d of them", len(fit))
		}
		return then(ctx, t, tree, fit[0])
	})
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	err := chromedp.Do(ctx, look)
	for (errors.Is(err, errNotTold) || movedOn(err)) && ctx.Err() == nil {
		_ = chromedp.Do(ctx, chromedp.Sleep(pollEvery)) // what ends it ends the loop
		err = chromedp.Do(ctx, look)
	}
	if err != nil {
		p.t.Fatalf("the %s %q: %v; there is\n%s", role, part, err, p.Told())
	}
}

// tree is what assistive technology is told of a document.
type tree struct {
	root  *accessibility.Node
	nodes map[accessibility.NodeID]*accessibility.Node
}

func readTree(ctx context.Context, t *chromedp.Target) (*tree, error) {
	got, err := cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		return nil, err
	}
	if len(got.Nodes) == 0 {
		return nil, errNotTold
	}
	tree := &tree{root: got.Nodes[0], nodes: map[accessibility.NodeID]*accessibility.Node{}}
	for _, n := range got.Nodes {
		tree.nodes[n.NodeID] = n
	}
	return tree, nil
}

// all are n and all within it, in reading order.
func (t *tree) all(n *accessibility.Node) func(yield func(*accessibility.Node) bool) {
	return func(yield func(*accessibility.Node) bool) { t.visit(n, yield) }
}

func (t *tree) visit(n *accessibility.Node, yield func(*accessibility.Node) bool) bool {
	if !yield(n) {
		return false
	}
	for _, id := range n.ChildIDs {
		if child, ok := t.nodes[id]; ok && !t.visit(child, yield) {
			return false
		}
	}
	return true
}

// shown are the things within n that are told of: what only groups others for the
// eye is left out, and what is in it is not.
func (t *tree) shown(n *accessibility.Node) []*accessibility.Node {
	var list []*accessibility.Node
	for _, id := range n.ChildIDs {
		child, ok := t.nodes[id]
		switch {
		case !ok || value(child.Role) == "InlineTextBox":
		case child.Ignored || value(child.Role) == "generic" || value(child.Role) == "none":
			list = append(list, t.shown(child)...)
		default:
			list = append(list, child)
		}
	}
	return list
}

func isText(n *accessibility.Node) bool {
	return slices.Contains([]string{"StaticText", "ListMarker", "LineBreak"}, value(n.Role))
}

// text is a thing's name, or the text in it.
func (t *tree) text(n *accessibility.Node) string {
	if name := value(n.Name); name != "" || isText(n) {
		return name
	}
	var parts []string
	for _, child := range t.shown(n) {
		parts = append(parts, t.text(child))
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// write adds what is told of n: its own line, and those within it.
func (t *tree) write(b *strings.Builder, n *accessibility.Node, indent string) {
	b.WriteString(indent + "- " + label(n))
	for _, p := range []accessibility.PropertyName{
		accessibility.PropertyNameLevel, accessibility.PropertyNameExpanded, accessibility.PropertyNameInvalid,
		accessibility.PropertyNameRequired, accessibility.PropertyNameReadonly, accessibility.PropertyNameDisabled, accessibility.PropertyNameLive,
	} {
		if v := property(n, p); v != "" && (v != "false" || p == accessibility.PropertyNameExpanded) {
			b.WriteString(" [" + string(p) + "=" + v + "]")
		}
	}
	if v := value(n.Value); v != "" {
		b.WriteString(" value " + v)
	}
	if d := value(n.Description); d != "" {
		b.WriteString(" described " + d)
	}
	within := t.shown(n)
	if !slices.ContainsFunc(within, func(c *accessibility.Node) bool { return !isText(c) }) {
		if text := t.text(n); text != "" && value(n.Name) == "" {
			b.WriteString(": " + text)
		}
		b.WriteString("\n")
		return
	}
	b.WriteString(":\n")
	for _, child := range within {
		if !isText(child) {
			t.write(b, child, indent+"  ")
		} else if text := strings.TrimSpace(value(child.Name)); text != "" && !strings.Contains(value(n.Name), text) {
			b.WriteString(indent + "  - text: " + text + "\n")
		}
	}
}

// label is a thing's role and name.
func label(n *accessibility.Node) string {
	if name := value(n.Name); name != "" {
		return fmt.Sprintf("%s \"%s\"", value(n.Role), strings.Join(strings.Fields(name), " "))
	}
	return value(n.Role)
}

func property(n *accessibility.Node, name accessibility.PropertyName) string {
	for _, p := range n.Properties {
		if p.Name == name {
			return value(p.Value)
		}
	}
	return ""
}

// value is a text, a number or a truth as text.
func value(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var got any
	if err := json.Unmarshal(v.Value, &got); err != nil || got == nil {
		return ""
	}
	return fmt.Sprint(got)
}
