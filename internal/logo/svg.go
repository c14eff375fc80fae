package logo

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	svgSpace   = "http://www.w3.org/2000/svg"
	xlinkSpace = "http://www.w3.org/1999/xlink"
)

// Bounds on an SVG: of elements within each other, and of elements drawn, however
// often a reference draws them again.
const (
	maxDepth = 40
	maxDrawn = 10_000
)

// elements are what a logo may draw with.
const elements = " svg g defs symbol use title desc path rect circle ellipse line polyline polygon text tspan" +
	" linearGradient radialGradient stop clipPath mask style "

// attributes are what these may have; others say nothing of the picture and are left out.
const attributes = " id class style d x y x1 y1 x2 y2 cx cy r rx ry fx fy fr dx dy rotate width height viewBox preserveAspectRatio points transform pathLength" +
	" fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin stroke-miterlimit stroke-dasharray stroke-dashoffset" +
	" opacity color display visibility clip-path clip-rule clipPathUnits mask maskUnits maskContentUnits mask-type paint-order vector-effect shape-rendering" +
	" offset stop-color stop-opacity gradientUnits gradientTransform spreadMethod href" +
	" font-family font-size font-weight font-style letter-spacing word-spacing text-anchor dominant-baseline textLength lengthAdjust "

// functions are those of CSS that load nothing.
const functions = " rgb rgba hsl hsla translate translatex translatey scale scalex scaley rotate skewx skewy matrix url "

func among(list, name string) bool { return name != "" && strings.Contains(list, " "+name+" ") }

// node is one element that is kept.
type node struct {
	name     string
	attrs    []xml.Attr
	text     string // of title, text and style
	children []*node
	refs     []string // ids that it draws with
	line     int
}

// scanner reads one SVG.
type scanner struct {
	d  *xml.Decoder
	id map[string]*node
	// sheets are the <style> elements: what they refer to, anything may be drawn with.
	sheets []*node
	line   int // on which the last token began
}

func (s *scanner) token() (xml.Token, error) {
	s.line, _ = s.d.InputPos()
	return s.d.Token()
}

func (s *scanner) fault(format string, args ...any) error { return faultAt(s.line, format, args...) }

func faultAt(line int, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...))
}

// rewrite parses an SVG and writes what is kept of it.
func rewrite(file []byte) ([]byte, error) {
	s := &scanner{d: xml.NewDecoder(bytes.NewReader(file)), id: make(map[string]*node)}
	root, err := s.document()
	if err != nil {
		return nil, err
	}
	if err := sized(root); err != nil {
		return nil, err
	}
	for _, sheet := range s.sheets {
		for _, id := range sheet.refs {
			if to := s.id[id]; to != nil && to.name != "linearGradient" && to.name != "radialGradient" {
				return nil, faultAt(sheet.line, "<style> has a url() to <%s>: only gradients are allowed", to.name)
			}
		}
	}
	if _, err := s.drawn(root, make(map[*node]int)); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	root.write(&b, true)
	if b.Len() > MaxFile {
		return nil, errors.New("the picture is larger than 100 KB once it is written anew")
	}
	return b.Bytes(), nil
}

// document reads the one element of a document and what stands around it.
func (s *scanner) document() (root *node, err error) {
	for {
		token, err := s.token()
		switch {
		case errors.Is(err, io.EOF) && root != nil:
			return root, nil
		case errors.Is(err, io.EOF):
			return nil, errors.New("the file is no SVG: there is no <svg> in it")
		case err != nil:
			return nil, s.broken(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if root != nil || t.Name.Local != "svg" || t.Name.Space != svgSpace {
				return nil, s.fault("<%.40s> stands where one <svg xmlns=%q> is wanted", t.Name.Local, svgSpace)
			}
			if root, err = s.element(t, 1); err != nil {
				return nil, err
			}
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, s.fault("there is text outside of <svg>")
			}
		case xml.Directive:
			if bytes.ContainsAny(t, "[") {
				return nil, s.fault("a DOCTYPE that declares something of its own, such as an entity, is refused")
			}
		}
	}
}

// broken is a fault of the XML itself; an entity that XML does not have is one.
func (s *scanner) broken(err error) error {
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return faultAt(syntax.Line, "this is no well-formed XML: %s", syntax.Msg)
	}
	return s.fault("this is no XML in UTF-8: %v", err)
}

// element reads an element that has begun, to its end.
func (s *scanner) element(start xml.StartElement, depth int) (*node, error) {
	n := &node{name: start.Name.Local, line: s.line}
	if !among(elements, n.name) {
		return nil, s.fault("<%.40s> is not allowed: a logo draws, and does not run, load, animate or contain anything", n.name)
	}
	if depth > maxDepth {
		return nil, s.fault("elements are nested more than %d deep", maxDepth)
	}
	for _, a := range start.Attr {
		if err := s.attribute(n, a); err != nil {
			return nil, err
		}
	}
	for {
		token, err := s.token()
		if err != nil {
			return nil, s.broken(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Space != svgSpace || t.Name.Local == "metadata" {
				// What an editor keeps for itself. A browser would run an element of HTML.
				if t.Name.Space == "http://www.w3.org/1999/xhtml" {
					return nil, s.fault("<%.40s> is of HTML, and not allowed", t.Name.Local)
				}
				if err := s.d.Skip(); err != nil {
					return nil, s.broken(err)
				}
				continue
			}
			child, err := s.element(t, depth+1)
			if err != nil {
				return nil, err
			}
			n.children = append(n.children, child)
		case xml.CharData:
			if among(" title desc text tspan style ", n.name) {
				// Text between children keeps its place as a nameless node.
				n.children = append(n.children, &node{text: string(t)})
				n.text += string(t)
			}
		case xml.EndElement:
			if n.name == "style" {
				s.sheets = append(s.sheets, n)
				return n, n.css("<style>", n.text)
			}
			return n, nil
		}
	}
}

func (s *scanner) attribute(n *node, a xml.Attr) error {
	name := a.Name.Local
	has := func(b xml.Attr) bool { return b.Name.Local == name }
	switch {
	case a.Name.Space == "" && strings.HasPrefix(strings.ToLower(name), "on"):
		return s.fault("%.40s of <%s> is not allowed: it runs a script", name, n.name)
	case name == "href" && (a.Name.Space == "" || a.Name.Space == xlinkSpace):
		id, own := strings.CutPrefix(strings.TrimSpace(a.Value), "#")
		if !own || id == "" {
			return s.fault("href of <%s> leads out of the picture: only #names within it are allowed", n.name)
		}
		n.refs = append(n.refs, id)
		if slices.ContainsFunc(n.attrs, has) {
			return nil // xlink:href beside href, for old readers
		}
		a.Value = "#" + id
	case a.Name.Space != "" || !among(attributes, name):
		return nil
	case slices.ContainsFunc(n.attrs, has):
		return s.fault("%s of <%s> is there twice", name, n.name)
	case name == "id":
		if s.id[a.Value] != nil {
			return s.fault("the id %.40q is there twice", a.Value)
		}
		s.id[a.Value] = n
	default:
		if err := n.css(name+" of <"+n.name+">", a.Value); err != nil {
			return err
		}
	}
	n.attrs = append(n.attrs, xml.Attr{Name: xml.Name{Local: name}, Value: a.Value})
	return nil
}

// css refuses styles, and values that are read as such, that could load something.
func (n *node) css(where, text string) error {
	// An escape could spell any of the words that are looked for, and a comment divide it.
	if i := strings.IndexAny(text, `\@<`); i >= 0 {
		return faultAt(n.line, "%s has %q, which is not allowed there", where, text[i])
	}
	if strings.Contains(text, "/*") {
		return faultAt(n.line, "%s has a comment, which is not allowed there", where)
	}
	rest := strings.ToLower(text)
	whole := text
	for {
		i := strings.IndexByte(rest, '(')
		if i < 0 {
			return nil
		}
		before := rest[:i]
		name := before[strings.LastIndexFunc(before, func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' })+1:]
		rest, whole = rest[i+1:], whole[i+1:]
		if !among(functions, name) {
			return faultAt(n.line, "%s has %.40s(), which is not allowed there", where, name)
		}
		if name != "url" {
			continue
		}
		end := strings.IndexByte(whole, ')')
		if end < 0 {
			return faultAt(n.line, "%s has a url() without an end", where)
		}
		id, own := strings.CutPrefix(strings.Trim(whole[:end], " \t\r\n'\""), "#")
		if !own || id == "" {
			return faultAt(n.line, "%s has a url() that leads out of the picture: only #names within it are allowed", where)
		}
		n.refs = append(n.refs, id)
	}
}

// drawn counts what is drawn for a node: what it refers to is drawn again, which by a
// few lines that refer to each other comes to more than any browser can do.
func (s *scanner) drawn(n *node, known map[*node]int) (int, error) {
	const underWay = -1
	switch count, ok := known[n]; {
	case ok && count == underWay:
		return 0, faultAt(n.line, "<%s> refers to itself", n.name)
	case ok:
		return count, nil
	}
	known[n] = underWay
	next := slices.Clone(n.children)
	for _, id := range n.refs {
		if to := s.id[id]; to != nil {
			next = append(next, to)
		}
	}
	count := 1
	for _, to := range next {
		more, err := s.drawn(to, known)
		if err != nil {
			return 0, err
		}
		if count += more; count > maxDrawn {
			return 0, faultAt(n.line, "<%s> draws more than %d elements, with those it refers to", n.name, maxDrawn)
		}
	}
	known[n] = count
	return count, nil
}

// sized: without a size of its own a picture is shown at whatever size.
func sized(root *node) error {
	has := func(name string) bool {
		return slices.ContainsFunc(root.attrs, func(a xml.Attr) bool { return a.Name.Local == name && strings.TrimSpace(a.Value) != "" })
	}
	if !has("viewBox") && (!has("width") || !has("height")) {
		return faultAt(root.line, "<svg> needs a viewBox, or a width and a height")
	}
	return nil
}

func (n *node) write(b *bytes.Buffer, root bool) {
	if n.name == "" {
		escape(b, n.text)
		return
	}
	b.WriteString("<" + n.name)
	if root {
		b.WriteString(` xmlns="` + svgSpace + `"`)
	}
	for _, a := range n.attrs {
		b.WriteString(" " + a.Name.Local + `="`)
		escape(b, a.Value)
		b.WriteString(`"`)
	}
	if len(n.children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteString(">")
	for _, c := range n.children {
		c.write(b, false)
	}
	b.WriteString("</" + n.name + ">")
}

func escape(b *bytes.Buffer, text string) {
	_ = xml.EscapeText(b, []byte(text)) // a buffer takes everything
}
