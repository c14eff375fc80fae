package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/handoff-portal/handoff/web/openapi"
)

// examiner holds what goes over the wire against the API's own description: every
// request that send makes under /v1, and its answer. Bodies and headers are judged
// by JSON Schema 2020-12, the dialect of OpenAPI 3.1.
type examiner struct {
	document map[string]any
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	schemas  map[string]*jsonschema.Schema // guarded by mu; by JSON pointer
	granted  map[string]bool               // guarded by mu; the operations that were
}

const documentURL = "https://go.example.com/v1/openapi.json"

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

// theExaminer is one for all tests.
var theExaminer = sync.OnceValues(func() (*examiner, error) {
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi.Document()))
	if err != nil {
		return nil, err
	}
	document, ok := raw.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the description is a %T", raw)
	}
	strict(document)
	e := &examiner{document: document, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}, granted: map[string]bool{}}
	e.compiler.DefaultDraft(jsonschema.Draft2020)
	e.compiler.AssertFormat()
	return e, e.compiler.AddResource(documentURL, document)
})

// strict lets no object have a property that is not described: the answers of
// today's portal have none.
func strict(node any) {
	switch v := node.(type) {
	case []any:
		for _, n := range v {
			strict(n)
		}
	case map[string]any:
		if _, open := v["additionalProperties"]; v["properties"] != nil && v["type"] != nil && !open {
			v["unevaluatedProperties"] = false
		}
		for _, n := range v {
			strict(n)
		}
	}
}

// at follows a JSON pointer, references included, and returns where it ended.
func (e *examiner) at(pointer string) (node any, end string) {
	node = e.document
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		m, ok := node.(map[string]any)
		if !ok {
			return nil, ""
		}
		node = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
		end += "/" + part
		if m, ok := node.(map[string]any); ok {
			if ref, ok := m["$ref"].(string); ok {
				node, end = e.at(strings.TrimPrefix(ref, "#"))
			}
		}
	}
	return node, end
}

func (e *examiner) object(pointer string) map[string]any {
	node, _ := e.at(pointer)
	m, _ := node.(map[string]any)
	return m
}

// judge holds a value against the schema at a pointer.
func (e *examiner) judge(pointer string, value any) error {
	_, end := e.at(pointer)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.schemas[end] == nil {
		s, err := e.compiler.Compile(documentURL + "#" + (&url.URL{Path: end}).EscapedPath())
		if err != nil {
			return err
		}
		e.schemas[end] = s
	}
	return e.schemas[end].Validate(value)
}

// body holds a body against what is described at a pointer.
func (e *examiner) body(pointer, contentType string, body []byte) error {
	content := e.object(pointer + "/content")
	if content == nil {
		if len(body) > 0 {
			return fmt.Errorf("there is a body, and none is described: %s", body)
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || content[kind] == nil {
		return fmt.Errorf("the content type %q is not described", contentType)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return e.judge(pointer+"/content/"+escaped(kind)+"/schema", value)
}

func escaped(s string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(s) }

// typed is the text of a header or parameter as its schema takes it.
func (e *examiner) typed(pointer, text string) any {
	if kind := e.object(pointer)["type"]; kind == "integer" {
		return json.Number(text)
	}
	return text
}

// operation is where the document describes what r asks for, or empty.
func (e *examiner) operation(method, path string) string {
	for form := range e.object("/paths") {
		if regexp.MustCompile("^" + placeholder.ReplaceAllString(form, "[^/]+") + "$").MatchString(path) {
			if at := "/paths/" + escaped(form) + "/" + strings.ToLower(method); e.object(at) != nil {
				return at
			}
		}
	}
	return ""
}

// answered returns what about an answer is not as described.
func (e *examiner) answered(op string, a answer) (faults []string) {
	at := op + "/responses/" + strconv.Itoa(a.StatusCode)
	if e.object(at) == nil {
		return []string{"the status is not described"}
	}
	if err := e.body(at, a.Header.Get("Content-Type"), a.body); err != nil {
		faults = append(faults, err.Error())
	}
	for name := range e.object(at + "/headers") {
		where, text := at+"/headers/"+escaped(name), a.Header.Get(name)
		if text == "" {
			if e.object(where)["required"] == true {
				faults = append(faults, "the header "+name+" is missing")
			}
			continue
		}
		if err := e.judge(where+"/schema", e.typed(where+"/schema", text)); err != nil {
			faults = append(faults, "the header "+name+": "+err.Error())
		}
	}
	return faults
}

// asked returns what about a request is not as described.
func (e *examiner) asked(op string, r *http.Request, body []byte) (faults []string) {
	if e.object(op+"/requestBody") != nil {
		if err := e.body(op+"/requestBody", r.Header.Get("Content-Type"), body); err != nil {
			faults = append(faults, err.Error())
		}
	}
	query := r.URL.Query()
	list, _ := e.object(op)["parameters"].([]any)
	for i := range list {
		at := op + "/parameters/" + strconv.Itoa(i)
		p, ok := list[i].(map[string]any)
		if !ok {
			continue
		}
		name, _ := p["name"].(string)
		values := query[name]
		if p["in"] == "header" {
			values = r.Header.Values(name)
		}
		delete(query, name)
		for _, v := range values {
			// the pointer goes through an array, which only the compiler follows
			if err := e.judgeAt(at+"/schema", p["schema"], v); err != nil {
				faults = append(faults, name+": "+err.Error())
			}
		}
	}
	for name := range query {
		faults = append(faults, "the parameter "+name+" is not described")
	}
	if e.object(op)["security"] == nil && r.Header.Get("Authorization") == "" {
		faults = append(faults, "there is no key")
	}
	return faults
}

func (e *examiner) judgeAt(pointer string, schema any, text string) error {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		return e.judge(strings.TrimPrefix(ref, "#"), text)
	}
	var value any = text
	if s["type"] == "integer" {
		value = json.Number(text)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	compiled, err := e.compiler.Compile(documentURL + "#" + (&url.URL{Path: pointer}).EscapedPath())
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

// examine fails the test if an answer is not as described, or if a request that
// is not as described was granted.
func examine(t testing.TB, r *http.Request, a answer) {
	t.Helper()
	if _, bench := t.(*testing.B); bench || !strings.HasPrefix(r.URL.Path, "/v1/") {
		return
	}
	e, err := theExaminer()
	if err != nil {
		t.Fatalf("reading the API's description: %v", err)
	}
	op := e.operation(r.Method, r.URL.Path)
	if op == "" { // a path or a method that there is not
		return
	}
	for _, f := range e.answered(op, a) {
		t.Errorf("%s %s: the answer %d %s is not as described: %s", r.Method, r.URL.Path, a.StatusCode, a.body, f)
	}
	if a.StatusCode >= http.StatusBadRequest {
		return
	}
	e.mu.Lock()
	e.granted[op] = true
	e.mu.Unlock()
	var body []byte
	if r.GetBody != nil {
		if again, err := r.GetBody(); err == nil {
			body, _ = io.ReadAll(again)
		}
	}
	for _, f := range e.asked(op, r, body) {
		t.Errorf("%s %s is granted, and is not as described: %s", r.Method, r.URL.Path, f)
	}
}

// TestEveryOperation has every operation of the description granted.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.raw(http.MethodGet, "/v1/openapi.json", "")
	w.raw(http.MethodGet, "/v1/jwks.json", "")
	w.raw(http.MethodGet, "/v1/handoffs?status=created&limit=2", "")
	s := w.begin()
	s.open()
	path := "/v1/handoffs/" + s.made.ID
	w.call(http.MethodGet, path, nil)
	w.call(http.MethodPost, path+"/links", nil)
	claim := func() (claimID, verifier string) {
		verifier, challenge := pkce()
		var c struct{ ClaimID string }
		w.native("/v1/claims", map[string]any{
			"code": s.code(), "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef01", "deviceType": "mobile"},
		}).json(t, &c)
		return c.ClaimID, verifier
	}
	id, verifier := claim()
	var got token
	w.native("/v1/claims/"+id+"/token", map[string]string{"codeVerifier": verifier}).json(t, &got)
	w.native(strings.TrimPrefix(got.ReportURL, w.link), map[string]string{"event": "started"})
	w.call(http.MethodPost, path+"/complete", map[string]string{"outcome": "completed"})
	s = w.begin()
	s.open()
	id, verifier = claim()
	w.native("/v1/claims/"+id+"/reject", map[string]string{"codeVerifier": verifier})
	s = w.delivered()
	w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/cancel", nil)

	e, err := theExaminer()
	if err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, op := range e.operations() {
		if !e.granted[op] {
			t.Errorf("%s was never granted", op)
		}
	}
}

// operations are where all of the document's are described.
func (e *examiner) operations() []string {
	var all []string
	for path, item := range e.object("/paths") {
		methods, _ := item.(map[string]any)
		for method := range methods {
			if e.object("/paths/"+escaped(path)+"/"+method+"/responses") != nil {
				all = append(all, "/paths/"+escaped(path)+"/"+method)
			}
		}
	}
	slices.Sort(all)
	return all
}
