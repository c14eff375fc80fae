package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// reader walks the file's syntax tree and collects faults. It never stops at one.
type reader struct {
	file     string
	dir      string
	getenv   func(string) string
	anchors  map[string]ast.Node
	faults   Faults
	warnings Faults
	lines    map[string]int // where each setting that was read stands
}

// value is one value of the file, or the lack of one.
type value struct {
	r    *reader
	node ast.Node // anchors and aliases resolved; nil: there is none
	path string
	line int // of the value as written; of what should hold it, if there is none
	col  int

	required bool // an empty text is no way to leave it out
}

// section is a mapping whose keys are all known.
type section struct {
	value
	entries map[string]value
}

func (v value) there() bool { return v.node != nil }

func (v value) fault(remedy, format string, args ...any) {
	v.r.faults = append(v.r.faults, v.describe(remedy, format, args...))
}

func (v value) warn(remedy, format string, args ...any) {
	v.r.warnings = append(v.r.warnings, v.describe(remedy, format, args...))
}

func (v value) describe(remedy, format string, args ...any) Fault {
	return Fault{v.r.file, v.line, v.col, v.path, fmt.Sprintf(format, args...), remedy}
}

// root parses the text. After a fault of syntax there is nothing to read.
func (r *reader) root(text []byte) value {
	v := value{r: r, line: 1, col: 1}
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		message := "this is no YAML"
		// The message names tokens, not what stands around them; the error's own
		// text would quote lines of the file.
		if syntax, ok := errors.AsType[*yaml.SyntaxError](err); ok {
			message = syntax.GetMessage()
			if t := syntax.GetToken(); t != nil && t.Position != nil {
				v.line, v.col = t.Position.Line, t.Position.Column
			}
		}
		remedy := "mend the YAML; nothing after this place was read"
		if strings.HasPrefix(message, "mapping value is not allowed") {
			remedy = "put a text with a colon in it into quotes, as in store: \"memory:\"; nothing after this place was read"
		}
		v.fault(remedy, "%s", message)
		return v
	}
	r.anchors = make(map[string]ast.Node)
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(r, doc.Body)
		}
	}
	if len(file.Docs) > 1 && file.Docs[1].Body != nil {
		v.fault("remove the --- between them", "there are %d documents in the file", len(file.Docs))
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		v.fault("begin with public_url", "the file is empty")
		return v
	}
	return v.at(file.Docs[0].Body, "")
}

// Visit collects anchors for ast.Walk.
func (r *reader) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok {
		r.anchors[a.Name.GetToken().Value] = a.Value
	}
	return r
}

// at is the value of a node below v.
func (v value) at(n ast.Node, path string) value {
	out := value{r: v.r, path: path, line: v.line, col: v.col}
	t := n.GetToken()
	if pairs, ok := pairsOf(n); ok && len(pairs) > 0 && t != nil && t.Type == token.MappingValueType {
		t = pairs[0].Key.GetToken() // not the colon after it
	}
	if t != nil && t.Position != nil {
		out.line, out.col = t.Position.Line, t.Position.Column
	}
	for range 10 { // an alias of an alias of an alias
		switch t := n.(type) {
		case *ast.AnchorNode:
			n = t.Value
		case *ast.TagNode:
			n = t.Value
		case *ast.AliasNode:
			name := t.Value.GetToken().Value
			target, ok := v.r.anchors[name]
			if !ok {
				out.fault("define &"+name+" or write the value out", "there is no anchor %q", name)
				return out
			}
			n = target
		case *ast.NullNode:
			return out
		default:
			out.node = n
			return out
		}
	}
	out.fault("write the value out", "the alias leads back to itself")
	return out
}

// section reads v as a mapping. Every key must be one of keys, and stand there
// once. A missing mapping is an empty one.
func (v value) section(keys ...string) section {
	s := section{value: v, entries: make(map[string]value)}
	if v.there() {
		v.collect(s.entries, keys, 0)
	}
	return s
}

// mapping reads v as a mapping of any keys, in order.
func (v value) mapping() (keys []string, entries map[string]value) {
	entries = make(map[string]value)
	if v.there() {
		keys = v.collect(entries, nil, 0)
	}
	return keys, entries
}

func (v value) collect(into map[string]value, known []string, depth int) (order []string) {
	pairs, ok := pairsOf(v.node)
	if !ok {
		v.fault("write key: value pairs", "a mapping is needed here")
		return nil
	}
	var merged []ast.Node
	seen := make(map[string]bool)
	for _, pair := range pairs {
		if pair.Key.IsMergeKey() {
			merged = append(merged, pair.Value)
			continue
		}
		key := pair.Key.GetToken().Value
		at := value{r: v.r, path: v.path, line: pair.Key.GetToken().Position.Line, col: pair.Key.GetToken().Position.Column}
		switch {
		case seen[key]:
			at.fault("keep one of them", "%q is there twice", key)
			continue
		case known != nil && !slices.Contains(known, key):
			at.fault("known here: "+strings.Join(known, ", "), "%.40q is not a setting", key)
			continue
		}
		seen[key] = true
		order = append(order, key)
		path := key
		if v.path != "" {
			path = v.path + "." + key
		}
		into[key] = at.at(pair.Value, path)
		v.r.lines[path] = at.line
	}
	if len(merged) > 0 && depth >= 4 {
		v.fault("write the values out", "merges are nested too deeply")
		return order
	}
	// "<<" gives what is not written out (YAML merge key).
	for _, n := range merged {
		base := v.at(n, v.path)
		if !base.there() {
			continue
		}
		inherited := make(map[string]value)
		for _, key := range base.collect(inherited, known, depth+1) {
			if _, own := into[key]; !own {
				into[key] = inherited[key]
				order = append(order, key)
			}
		}
	}
	return order
}

func pairsOf(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch t := n.(type) {
	case *ast.MappingNode:
		return t.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{t}, true
	}
	return nil, false
}

// rejoin undoes a fault of the YAML library (seen in v1.19.2): in a list within
// a flow mapping, as in {secrets: [env:NAME]}, it takes a plain text with a colon
// for a mapping. YAML asks for a space after the colon of one (YAML 1.2.2,
// §7.3.3), so a pair written without is a text.
func rejoin(n ast.Node) ast.Node {
	pairs, ok := pairsOf(n)
	if !ok || len(pairs) != 1 || pairs[0].Start == nil || pairs[0].Value == nil {
		return n
	}
	key, colon, rest := pairs[0].Key.GetToken(), pairs[0].Start, pairs[0].Value.GetToken()
	if key.Type != token.StringType || rest.Type == token.MappingStartType || rest.Type == token.SequenceStartType ||
		colon.Position.Offset != key.Position.Offset+len(key.Value) || rest.Position.Offset != colon.Position.Offset+1 {
		return n
	}
	whole := *key
	whole.Value = key.Value + ":" + rest.Value
	return ast.String(&whole)
}

// get is the value of a key of the section.
func (s section) get(key string) value {
	if v, ok := s.entries[key]; ok {
		return v
	}
	path := key
	if s.path != "" {
		path = s.path + "." + key
	}
	return value{r: s.r, path: path, line: s.line, col: s.col}
}

// need is get for what must be there.
func (s section) need(key, remedy string) value {
	v := s.get(key)
	v.required = true
	if !v.there() && len(v.r.faultsAt(v.path)) == 0 {
		v.fault(remedy, "this is missing")
	}
	return v
}

func (r *reader) faultsAt(path string) Faults {
	var out Faults
	for _, f := range r.faults {
		if f.Path == path {
			out = append(out, f)
		}
	}
	return out
}

// list reads v as a sequence; a missing one is empty.
func (v value) list() []value {
	if !v.there() {
		return nil
	}
	seq, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.fault("write it as [a, b], or as lines with a dash", "a list is needed here")
		return nil
	}
	out := make([]value, 0, len(seq.Values))
	for i, n := range seq.Values {
		item := v.at(rejoin(n), fmt.Sprintf("%s[%d]", v.path, i))
		if !item.there() {
			item.fault("remove it, or fill it in", "an item of the list is empty")
			continue
		}
		item.required = true
		v.r.lines[item.path] = item.line
		out = append(out, item)
	}
	return out
}
