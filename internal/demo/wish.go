package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// field is one option of POST /v1/handoffs in the form.
type field struct {
	Name    string // in the form, and in the body but for those with a Pointer of another kind
	Label   string
	Hint    string
	Pointer string // where problems say it is; empty: a header
	Kind    string // text, area, select or checks
	Choices []string
	Values  []string
	Faults  []string
}

// Value is the first value.
func (f field) Value() string {
	if len(f.Values) == 0 {
		return ""
	}
	return f.Values[0]
}

// Has reports whether v is chosen.
func (f field) Has(v string) bool { return slices.Contains(f.Values, v) }

func (f field) hintID() string { return f.Name + "-hint" }

// fields are all options, those that matter first.
func fields() (main, more []field) {
	main = []field{
		{Name: "instanceId", Label: "instanceId", Pointer: "/instanceId", Kind: "text", Hint: "The journey that your server began. To the stand-in, Pi and 14 or more letters and digits are one."},
		{Name: "scope", Label: "scope", Pointer: "/scope", Kind: "checks", Choices: []string{"mobile", "desktop", "any"}, Hint: "Which devices may finish it. Choose any to play the phone in a tab of this browser."},
		{Name: "label", Label: "label", Pointer: "/label", Kind: "text", Hint: "What it is for. People see it."},
		{Name: "confirmation", Label: "confirmation", Pointer: "/confirmation", Kind: "select", Choices: []string{"", "never", "links", "auto", "always"}, Hint: "When a number has to be typed. This partner's setting is auto: less is refused."},
		{Name: "expiresIn", Label: "expiresIn", Pointer: "/expiresIn", Kind: "text", Hint: "Seconds until it must be delivered, 60 to 86400."},
		{Name: "locale", Label: "locale", Pointer: "/locale", Kind: "text", Hint: "Such as fr or ar. Empty: the reader's."},
	}
	more = []field{
		{Name: "resourceId", Label: "journey.resourceId", Pointer: "/journey/resourceId", Kind: "text", Hint: "Instead of instanceId: the portal starts the journey. Empty instanceId then; any text will do."},
		{Name: "context", Label: "journey.context", Pointer: "/journey/context", Kind: "area", Hint: `A JSON object. This platform wants {"config":{"delivery":"api"}} in it.`},
		{Name: "app", Label: "app", Pointer: "/app", Kind: "text", Hint: "Which of the partner's apps. There is one, main."},
		{Name: "parentOrigin", Label: "parentOrigin", Pointer: "/parentOrigin", Kind: "text", Hint: "Who may frame the display. Empty: nobody."},
		{Name: "returnUrl", Label: "returnUrl", Pointer: "/returnUrl", Kind: "text", Hint: "Where it leads at the end. Registered ones only; the query is free."},
		{Name: "reference", Label: "reference", Pointer: "/reference", Kind: "text", Hint: "Yours. It comes back in answers and webhooks."},
		{Name: "phone", Label: "contact.phone", Pointer: "/contact/phone", Kind: "text", Hint: "Offered for a text message, where one can be sent."},
		{Name: "email", Label: "contact.email", Pointer: "/contact/email", Kind: "text", Hint: "Offered for a message, where one can be sent."},
		{Name: "idempotencyKey", Label: "Idempotency-Key", Kind: "text", Hint: "The header. The same key and body again: the same handoff."},
	}
	return main, more
}

// fill gives the fields what was typed, and what the portal found wrong with it.
// It returns the faults that are of none of them.
func fill(groups [][]field, typed url.Values, faults []fieldFault) []fieldFault {
	var rest []fieldFault
	for _, f := range faults {
		found := false
		for _, fields := range groups {
			for i := range fields {
				at := fields[i].Pointer
				if at != "" && (f.Pointer == at || strings.HasPrefix(f.Pointer, at+"/")) {
					fields[i].Faults, found = append(fields[i].Faults, f.Pointer+": "+f.Detail), true
				}
			}
		}
		if !found {
			rest = append(rest, f)
		}
	}
	for _, fields := range groups {
		for i := range fields {
			fields[i].Values = typed[fields[i].Name]
		}
	}
	return rest
}

// fieldFault is one of the errors of a problem.
type fieldFault struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// defaults are what the form begins with.
func (s *Shop) defaults(r *http.Request) url.Values {
	origin, back := s.here(r)
	return url.Values{
		"instanceId": {"Pi" + randomText()}, "scope": {"mobile"}, "label": {"Account opening"}, "expiresIn": {"900"},
		"parentOrigin": {origin}, "returnUrl": {back}, "reference": {"play " + s.now().UTC().Format("150405")},
	}
}

// ordered is the body that a form asks for. What is no number or no JSON is sent as
// the text it is, so that the portal can say so.
func ordered(v url.Values) order {
	o := order{
		InstanceID: v.Get("instanceId"), Scope: v["scope"], App: v.Get("app"), ParentOrigin: v.Get("parentOrigin"), ReturnURL: v.Get("returnUrl"),
		Locale: v.Get("locale"), Label: v.Get("label"), Reference: v.Get("reference"), Confirmation: v.Get("confirmation"),
	}
	if text := v.Get("expiresIn"); text != "" {
		o.ExpiresIn = text
		if n, err := strconv.Atoi(text); err == nil {
			o.ExpiresIn = n
		}
	}
	if v.Get("resourceId") != "" || v.Get("context") != "" {
		o.Journey = &journeyOrder{ResourceID: v.Get("resourceId")}
		if text := v.Get("context"); text != "" {
			o.Journey.Context = text
			if json.Valid([]byte(text)) {
				o.Journey.Context = json.RawMessage(text)
			}
		}
	}
	if v.Get("phone") != "" || v.Get("email") != "" {
		o.Contact = &contactOrder{Phone: v.Get("phone"), Email: v.Get("email")}
	}
	return o
}

// exchange is a request and its answer, as a person reads them. The key is in
// neither.
type exchange struct {
	Request string
	Answer  string
	OK      bool
}

// place sends an order, and returns the exchange and what came of it.
func (s *Shop) place(r *http.Request, o order, idempotency string) (exchange, record, []fieldFault, int, error) {
	body, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return exchange{}, record{}, nil, 0, fmt.Errorf("encoding an order: %w", err)
	}
	a, err := s.api.send(r.Context(), http.MethodPost, "/v1/handoffs", body, idempotency)
	if err != nil {
		return exchange{}, record{}, nil, 0, err
	}
	var e exchange
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s/v1/handoffs\nAuthorization: Bearer (the partner key)\nContent-Type: application/json\n", s.portal)
	if idempotency != "" {
		fmt.Fprintf(&b, "Idempotency-Key: %s\n", idempotency)
	}
	e.Request = b.String() + "\n" + string(body)
	b.Reset()
	fmt.Fprintf(&b, "%d %s\n", a.Status, http.StatusText(a.Status))
	for _, name := range []string{"Content-Type", "Location", "Retry-After", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy"} {
		if value := a.Header.Get(name); value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	e.Answer = b.String() + "\n" + indented(a.Body)
	var problem struct {
		Errors []fieldFault `json:"errors"`
	}
	if a.Status != http.StatusCreated {
		_ = json.Unmarshal(a.Body, &problem) // what is not JSON has no pointers
		return e, record{}, problem.Errors, a.Status, nil
	}
	var h record
	if err := json.Unmarshal(a.Body, &h); err != nil {
		return e, record{}, nil, 0, fmt.Errorf("decoding the portal's answer: %w", err)
	}
	e.OK = true
	return e, h, nil, a.Status, nil
}

func indented(body []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		return string(body)
	}
	return b.String()
}

// wishBody is what the form is drawn from.
type wishBody struct {
	Main, More []field
	Open       bool // what is folded up at first
	Faults     []fieldFault
	Exchange   *exchange
}

// wish serves GET /play: the form with all options.
func (s *Shop) wish(w http.ResponseWriter, r *http.Request) {
	var b wishBody
	b.Main, b.More = fields()
	fill([][]field{b.Main, b.More}, s.defaults(r), nil)
	s.show(w, r, http.StatusOK, view{Title: "Playground"}, wishForm(b))
}

// order serves POST /play. What the portal refuses comes back with the form.
func (s *Shop) order(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fault(w, r, http.StatusBadRequest, err)
		return
	}
	o := ordered(r.PostForm)
	e, h, faults, status, err := s.place(r, o, r.PostForm.Get("idempotencyKey"))
	if err != nil {
		s.fault(w, r, http.StatusBadGateway, err)
		return
	}
	if e.OK {
		s.begin(w, r, h, o, e)
		return
	}
	b := wishBody{Open: true, Exchange: &e}
	b.Main, b.More = fields()
	b.Faults = fill([][]field{b.Main, b.More}, r.PostForm, faults)
	s.show(w, r, status, view{Title: "The portal refused it"}, wishForm(b))
}

// begin remembers a play and leads to it.
func (s *Shop) begin(w http.ResponseWriter, r *http.Request, h record, o order, e exchange) {
	if s.playOf(r, h.ID) == nil { // else the same once more, by its idempotency key
		s.remember(w, r, h.ID, &play{id: h.ID, display: h.DisplayURL, order: o, exchange: e})
	}
	http.Redirect(w, r, "/play/"+string(h.ID), http.StatusSeeOther)
}
