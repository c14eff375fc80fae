package guide

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// call is an operation, or a webhook, as the reference shows it.
type call struct {
	id          string // to link to
	method      string
	path        string // of a webhook: empty
	summary     string
	description string
	keyed       bool // takes a partner key
	onLink      bool // is on the link host too
	parameters  []field
	takes       *shape
	answers     []shape // good ones
	refusals    []shape
}

// shape is a body and what goes with it.
type shape struct {
	status   string
	about    string
	headers  []field
	schema   []piece // what it is, in words and links
	fields   []field // of a schema that has no name
	examples []shown
}

// shown is an example.
type shown struct{ title, code string }

// field is a line of a table.
type field struct {
	name     string
	where    string // path, query or header
	kind     []piece
	required bool
	about    string
	limits   string
}

// piece is a text, which may be a link or code.
type piece struct {
	text string
	url  templ.SafeURL
	code bool
}

// group is the calls of one audience.
type group struct {
	name, about string
	calls       []call
}

// groups are all operations and webhooks, by their tag.
func (d *document) groups() []group {
	var all []group
	for _, tag := range d.Tags {
		g := group{name: tag.Name, about: tag.Description}
		for _, p := range d.Paths {
			for _, o := range p.value.operations() {
				if slices.Contains(o.value.Tags, tag.Name) {
					g.calls = append(g.calls, d.call(o.name, p.name, p.value, o.value))
				}
			}
		}
		for _, p := range d.Webhooks {
			for _, o := range p.value.operations() {
				if slices.Contains(o.value.Tags, tag.Name) {
					g.calls = append(g.calls, d.call(o.name, "", p.value, o.value))
				}
			}
		}
		all = append(all, g)
	}
	return all
}

func (d *document) call(method, route string, p pathItem, o *operation) call {
	c := call{
		id: o.OperationID, method: method, path: route, summary: o.Summary, description: o.Description,
		keyed: len(d.Security) > 0 && o.Security == nil, onLink: len(p.Servers) > 1,
	}
	for _, raw := range slices.Concat(p.Parameters, o.Parameters) {
		param := d.parameter(raw)
		f := d.field(param.Name, param.Schema, param.Required)
		f.where = param.In
		if param.Description != "" {
			f.about = param.Description
		}
		c.parameters = append(c.parameters, f)
	}
	if o.RequestBody != nil {
		s := d.shape("", d.request(*o.RequestBody))
		c.takes = &s
	}
	for _, r := range o.Responses {
		s := d.shape(r.name, d.answer(r.value))
		if strings.HasPrefix(r.name, "2") {
			c.answers = append(c.answers, s)
		} else {
			c.refusals = append(c.refusals, s)
		}
	}
	return c
}

func (d *document) shape(status string, b body) shape {
	s := shape{status: status, about: b.Description}
	for _, h := range b.Headers {
		if h.name == "X-Request-ID" || h.name == "Cache-Control" {
			continue // every answer has them
		}
		header := d.parameter(h.value)
		f := d.field(h.name, header.Schema, header.Required)
		f.about = header.Description
		s.headers = append(s.headers, f)
	}
	for _, c := range b.Content {
		s.schema = d.kind(c.value.Schema)
		if c.value.Schema.Ref == "" {
			s.fields = d.fields("", c.value.Schema)
		}
		if len(c.value.Example) > 0 {
			s.examples = append(s.examples, shown{"Example", indented(c.value.Example)})
		}
		for _, e := range c.value.Examples {
			full := d.example(e.value)
			s.examples = append(s.examples, shown{full.Summary, indented(full.Value)})
		}
	}
	return s
}

func indented(b json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") != nil {
		return string(b)
	}
	return out.String()
}

// field is a line about one value.
func (d *document) field(name string, s schema, required bool) field {
	return field{name: name, kind: d.kind(s), required: required, about: s.Description, limits: limits(s)}
}

// fields are the lines of an object, those of objects within it after it.
func (d *document) fields(prefix string, s schema) []field {
	var all []field
	for _, p := range s.Properties {
		name := prefix + p.name
		all = append(all, d.field(name, p.value, slices.Contains(s.Required, p.name)))
		switch {
		case len(p.value.Properties) > 0:
			all = append(all, d.fields(name+".", p.value)...)
		case p.value.Items != nil && len(p.value.Items.Properties) > 0:
			all = append(all, d.fields(name+"[].", *p.value.Items)...)
		}
	}
	return all
}

// kind says what a value is.
func (d *document) kind(s schema) []piece {
	switch {
	case s.Ref != "":
		name := path.Base(s.Ref)
		return []piece{{text: name, url: templ.SafeURL("#schema-" + name)}}
	case len(s.AllOf) == 1:
		return d.kind(s.AllOf[0])
	case len(s.OneOf) > 0 && len(s.Properties) == 0:
		var all []piece
		for i, one := range s.OneOf {
			if i > 0 {
				all = append(all, piece{text: " or "})
			}
			all = append(all, d.kind(one)...)
		}
		return all
	case len(s.Enum) > 0:
		return values(s.Enum)
	case len(s.Const) > 0:
		return values([]json.RawMessage{s.Const})
	case s.Items != nil:
		return append([]piece{{text: "list of "}}, d.kind(*s.Items)...)
	case len(s.Type) == 0:
		return []piece{{text: "anything"}}
	}
	text := strings.Join(s.Type, " or ")
	if s.Format != "" {
		text += ", " + s.Format
	}
	return []piece{{text: text}}
}

func values(list []json.RawMessage) []piece {
	var all []piece
	for i, raw := range list {
		if i > 0 {
			all = append(all, piece{text: ", "})
		}
		text := string(raw)
		var plain string
		if json.Unmarshal(raw, &plain) == nil && plain != "" && text != "null" {
			text = plain
		}
		all = append(all, piece{text: text, code: true})
	}
	return all
}

// limits says what a value has to keep to.
func limits(s schema) string {
	var all []string
	between := func(least, most any, unit string, has, hasMost bool) {
		switch {
		case has && hasMost:
			all = append(all, fmt.Sprintf("%v to %v%s", least, most, unit))
		case has:
			all = append(all, fmt.Sprintf("at least %v%s", least, unit))
		case hasMost:
			all = append(all, fmt.Sprintf("at most %v%s", most, unit))
		}
	}
	between(value(s.Minimum), value(s.Maximum), "", s.Minimum != nil, s.Maximum != nil)
	between(value(s.MinLength), value(s.MaxLength), " characters", s.MinLength != nil, s.MaxLength != nil)
	between(nil, value(s.MaxItems), " entries", false, s.MaxItems != nil)
	if s.Pattern != "" && s.MaxLength == nil {
		all = append(all, "matches `"+s.Pattern+"`")
	}
	if len(s.Default) > 0 {
		all = append(all, "default `"+string(s.Default)+"`")
	}
	return strings.Join(all, "; ")
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// paragraphs cuts a description at its empty lines.
func paragraphs(text string) []string { return strings.Split(text, "\n\n") }

// marked cuts a text at its backquotes: what is between two is code.
func marked(text string) []piece {
	var all []piece
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			all = append(all, piece{text: part, code: i%2 == 1})
		}
	}
	return all
}

// linked makes links of the problem codes among pieces.
func linked(all []piece) []piece {
	for i, p := range all {
		if code := handoff.Code(p.text); p.code && slices.Contains(handoff.PublicCodes(), code) {
			all[i].url = errorURL(code)
		}
	}
	return all
}
