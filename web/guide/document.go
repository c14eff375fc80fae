package guide

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
)

// document is the part of an OpenAPI 3.1 document that the reference shows.
type document struct {
	Info struct {
		Description string
	}
	Tags       []struct{ Name, Description string }
	Paths      ordered[pathItem]
	Webhooks   ordered[pathItem]
	Security   []map[string][]string
	Components struct {
		Schemas       ordered[schema]
		Parameters    map[string]parameter
		Headers       map[string]parameter
		RequestBodies map[string]body
		Responses     map[string]body
		Examples      map[string]example
	}
}

// ordered is an object whose members stay in their order.
type ordered[T any] []member[T]

type member[T any] struct {
	name  string
	value T
}

// UnmarshalJSON reads an object member by member.
func (o *ordered[T]) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		m := member[T]{name: fmt.Sprint(t)}
		if err := d.Decode(&m.value); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		*o = append(*o, m)
	}
	return nil
}

type pathItem struct {
	Parameters []parameter
	Servers    []struct{ URL string }
	Get        *operation
	Post       *operation
	Put        *operation
	Patch      *operation
	Delete     *operation
}

type operation struct {
	OperationID string
	Tags        []string
	Summary     string
	Description string
	Security    *[]map[string][]string
	Parameters  []parameter
	RequestBody *body
	Responses   ordered[body]
}

// parameter is a parameter or a header.
type parameter struct {
	Ref         string `json:"$ref"`
	Name        string
	In          string
	Description string
	Required    bool
	Schema      schema
	Example     json.RawMessage
}

// body is what a request or an answer carries.
type body struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     ordered[parameter]
	Content     ordered[content]
}

type content struct {
	Schema   schema
	Example  json.RawMessage
	Examples ordered[example]
}

type example struct {
	Ref     string `json:"$ref"`
	Summary string
	Value   json.RawMessage
}

type schema struct {
	Ref         string `json:"$ref"`
	Type        types
	Format      string
	Description string
	Enum        []json.RawMessage
	Const       json.RawMessage
	Default     json.RawMessage
	Properties  ordered[schema]
	Required    []string
	Items       *schema
	OneOf       []schema
	AllOf       []schema
	Minimum     *json.Number
	Maximum     *json.Number
	MinLength   *int
	MaxLength   *int
	MaxItems    *int
	Pattern     string
}

// types is one type, or several.
type types []string

// UnmarshalJSON accepts a text and a list of them.
func (t *types) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, (*[]string)(t))
	}
	var one string
	err := json.Unmarshal(b, &one)
	*t = types{one}
	return err
}

func parseDocument(b []byte) (*document, error) {
	d := &document{}
	if err := json.Unmarshal(b, d); err != nil {
		return nil, fmt.Errorf("reading the API's description: %w", err)
	}
	return d, nil
}

// operations are those of one path, by method.
func (p pathItem) operations() []member[*operation] {
	all := []member[*operation]{{"GET", p.Get}, {"POST", p.Post}, {"PUT", p.Put}, {"PATCH", p.Patch}, {"DELETE", p.Delete}}
	return slices.DeleteFunc(all, func(m member[*operation]) bool { return m.value == nil })
}

func (d *document) parameter(p parameter) parameter {
	if p.Ref == "" {
		return p
	}
	if h, ok := d.Components.Headers[path.Base(p.Ref)]; ok {
		return h
	}
	return d.Components.Parameters[path.Base(p.Ref)]
}

func (d *document) request(b body) body {
	if b.Ref == "" {
		return b
	}
	return d.Components.RequestBodies[path.Base(b.Ref)]
}

func (d *document) answer(b body) body {
	if b.Ref == "" {
		return b
	}
	return d.Components.Responses[path.Base(b.Ref)]
}

func (d *document) example(e example) example {
	if e.Ref == "" {
		return e
	}
	return d.Components.Examples[path.Base(e.Ref)]
}
