package record

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// object is a JSON object whose values are not read yet.
type object map[string]json.RawMessage

// keep returns is, the record as this program writes it, with the fields of was
// that it does not know, and without the version.
func keep(was, is []byte) ([]byte, error) {
	k := keeper{claims: make(map[string]json.RawMessage)}
	var top object
	if err := json.Unmarshal(was, &top); err != nil {
		return nil, err
	}
	t := reflect.TypeFor[handoffRecord]()
	top = k.known(t, top)
	var waiting []json.RawMessage
	if raw, ok := top["wait"]; ok {
		if err := json.Unmarshal(raw, &waiting); err != nil {
			return nil, err
		}
	}
	for _, raw := range append(waiting, top["claim"], top["rival"]) {
		if raw != nil {
			k.claims[k.identity(reflect.TypeFor[claim](), raw)] = raw
		}
	}
	b, err := k.value(t, was, is)
	if err != nil {
		return nil, err
	}
	var merged object
	if err := json.Unmarshal(b, &merged); err != nil {
		return nil, err
	}
	maps.DeleteFunc(merged, func(name string, _ json.RawMessage) bool { return strings.EqualFold(name, "v") })
	return json.Marshal(merged)
}

// keeper finds what of an old record belongs to what of a new one.
type keeper struct {
	claims map[string]json.RawMessage // by identity: a claim moves, from waiting to rival to claim
}

// identities are the fields by which a thing that has a place among others, or can
// be replaced by another, is known again.
func identities(t reflect.Type) []string {
	switch t {
	case reflect.TypeFor[claim](), reflect.TypeFor[code](), reflect.TypeFor[former](), reflect.TypeFor[pickup]():
		return []string{"h"}
	case reflect.TypeFor[event](), reflect.TypeFor[notice](), reflect.TypeFor[send]():
		return []string{"n"}
	case reflect.TypeFor[channel]():
		return []string{"to"}
	case reflect.TypeFor[work](), reflect.TypeFor[sending]():
		return []string{"by"}
	case reflect.TypeFor[token]():
		return []string{"s"}
	}
	return nil
}

// identity is what raw, of type t, is known by; empty for what is known by its
// place alone.
func (k keeper) identity(t reflect.Type, raw json.RawMessage) string {
	var o object
	if json.Unmarshal(raw, &o) != nil {
		return ""
	}
	o = k.known(t, o)
	var id []string
	for _, name := range identities(t) {
		id = append(id, string(o[name]))
	}
	return strings.Join(id, " ")
}

// known is o with the names of t's fields spelt as there: the decoder takes them in
// any case.
func (keeper) known(t reflect.Type, o object) object {
	out := make(object, len(o))
	names := fields(t)
	for name, raw := range o {
		if _, ours := names[strings.ToLower(name)]; ours {
			name = strings.ToLower(name)
		}
		out[name] = raw
	}
	return out
}

// fields are the types of t's fields by their names, all of which are lower case.
func fields(t reflect.Type) map[string]reflect.Type {
	types := make(map[string]reflect.Type)
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		types[name] = f.Type
	}
	return types
}

// composite reports whether t is a struct of ours, whose fields may be unknown.
func composite(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]()
}

// value merges one value of type t; was is nil if there was none.
func (k keeper) value(t reflect.Type, was, is json.RawMessage) (json.RawMessage, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case composite(t):
		return k.object(t, was, is)
	case t.Kind() == reflect.Slice && composite(t.Elem()):
		return k.list(t.Elem(), was, is)
	}
	return is, nil
}

// list merges a list whose elements have an identity.
func (k keeper) list(t reflect.Type, was, is json.RawMessage) (json.RawMessage, error) {
	var old, current []json.RawMessage
	if err := json.Unmarshal(is, &current); err != nil {
		return nil, err
	}
	if was != nil {
		if err := json.Unmarshal(was, &old); err != nil {
			return nil, err
		}
	}
	for i, raw := range current {
		var before json.RawMessage
		id := k.identity(t, raw)
		if at := slices.IndexFunc(old, func(o json.RawMessage) bool { return k.identity(t, o) == id }); at >= 0 {
			before = old[at]
		}
		merged, err := k.object(t, before, raw)
		if err != nil {
			return nil, err
		}
		current[i] = merged
	}
	return json.Marshal(current)
}

// object merges a struct. What was there before counts only if it is the same thing.
func (k keeper) object(t reflect.Type, was, is json.RawMessage) (json.RawMessage, error) {
	if t == reflect.TypeFor[claim]() {
		was = k.claims[k.identity(t, is)]
	}
	if was != nil && k.identity(t, was) != k.identity(t, is) {
		was = nil
	}
	var old, current object
	if err := json.Unmarshal(is, &current); err != nil {
		return nil, err
	}
	if was != nil {
		if err := json.Unmarshal(was, &old); err != nil {
			return nil, err
		}
	}
	old = k.known(t, old)
	types := fields(t)
	for name, of := range types {
		raw, there := current[name]
		// A struct that says nothing we know is left out, and may hold what we do not.
		if before := old[name]; !there && composite(of) && before != nil {
			raw, there = json.RawMessage("{}"), true
		}
		if !there {
			continue
		}
		merged, err := k.value(of, old[name], raw)
		if err != nil {
			return nil, err
		}
		if _, had := current[name]; had || string(merged) != "{}" {
			current[name] = merged
		}
	}
	for name, raw := range old {
		if _, ours := types[name]; !ours {
			current[name] = raw
		}
	}
	return json.Marshal(current)
}
