package web_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// raw makes a partner's call with a body as it is.
func (w *world) raw(method, path, body string, change ...func(*http.Request)) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.public+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.key.Reveal())
	r.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(r)
	}
	return send(w.t, &http.Client{CheckRedirect: stay}, r)
}

func TestCreateFaults(t *testing.T) {
	t.Parallel()
	const id = `"instanceId":"PiIuACmx8Q8R7qPnAkLAqBAT"`
	w := newWorld(t, func(s *setting) { s.confirmation = handoff.ConfirmLinks })
	for _, tt := range []struct{ body, pointers string }{
		{`{` + id + `,"colour":"red"}`, "/colour"},
		{`{"instanceid":"PiIuACmx8Q8R7qPnAkLAqBAT"}`, "/instanceid"},
		{`{` + id + `,"journey":{"resourceId":"x@latest","kind":"y"}}`, "/journey/kind"},
		{`{` + id + `,` + id + `}`, "/instanceId"},
		{`{` + id + `,"contact":{"phone":"+44","phone":"+49"}}`, "/contact/phone"},
		{`{"instanceId":7}`, "/instanceId"},
		{`{"instanceId":"short"}`, "/instanceId"},
		{`{"instanceId":"PiIuACmx8Q8R7qPnAk/../T"}`, "/instanceId"},
		{`{}`, ""},
		{`{"instanceId":null}`, ""},
		{`{` + id + `,"journey":{"resourceId":"x@latest"}}`, ""},
		{`{"journey":{}}`, "/journey/resourceId"},
		{`{"journey":{"resourceId":"x@latest","context":[]}}`, "/journey/context"},
		{`{` + id + `,"app":"second"}`, "/app"},
		{`{` + id + `,"scope":"mobile"}`, "/scope"},
		{`{` + id + `,"scope":["mobile","watch"]}`, "/scope/1"},
		{`{` + id + `,"parentOrigin":"http://localhost:8998"}`, "/parentOrigin"},
		{`{` + id + `,"parentOrigin":"http://localhost:8999/page"}`, "/parentOrigin"},
		{`{` + id + `,"parentOrigin":"*"}`, "/parentOrigin"},
		{`{` + id + `,"parentOrigin":"null"}`, "/parentOrigin"},
		{`{` + id + `,"returnUrl":"http://localhost:8999/other"}`, "/returnUrl"},
		{`{` + id + `,"returnUrl":"http://localhost:8998/done"}`, "/returnUrl"},
		{`{` + id + `,"returnUrl":"http://localhost:8999/done/../x"}`, "/returnUrl"},
		{`{` + id + `,"returnUrl":"http://localhost:8999@evil.example/done"}`, "/returnUrl"},
		{`{` + id + `,"returnUrl":"javascript:alert(1)"}`, "/returnUrl"},
		{`{` + id + `,"locale":"x y"}`, "/locale"},
		{`{` + id + `,"label":"` + strings.Repeat("é", 81) + `"}`, "/label"},
		{`{` + id + `,"label":"a\nb"}`, "/label"},
		{`{` + id + `,"label":"a\u0085b"}`, "/label"},
		{`{` + id + `,"reference":"a\u2028b"}`, "/reference"},
		{`{` + id + `,"app":"second","expiresIn":1}`, "/app /expiresIn"},
		{`{` + id + `,"reference":"` + strings.Repeat("x", 201) + `"}`, "/reference"},
		{`{` + id + `,"confirmation":"never"}`, "/confirmation"},
		{`{` + id + `,"confirmation":"sometimes"}`, "/confirmation"},
		{`{` + id + `,"expiresIn":59}`, "/expiresIn"},
		{`{` + id + `,"expiresIn":86401}`, "/expiresIn"},
		{`{` + id + `,"expiresIn":-1}`, "/expiresIn"},
		{`{` + id + `,"expiresIn":900.5}`, "/expiresIn"},
		{`{` + id + `,"expiresIn":"900"}`, "/expiresIn"},
		{`{` + id + `,"expiresIn":99999999999999999999}`, "/expiresIn"},
		{`{` + id + `,"contact":"+44"}`, "/contact"},
		{`{"instanceId":"x","scope":["tv"],"expiresIn":1,"locale":"?"}`, "/instanceId /scope/0 /expiresIn /locale"},
		{`[]`, ""},
		{`"x"`, ""},
		{``, ""},
		{`{` + id, ""},
		{`{` + id + `}{}`, ""},
		{"{\"label\":\"\xff\"}", "/label"},
	} {
		p := w.raw(http.MethodPost, "/v1/handoffs", tt.body).wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Pointer)
			if e.Detail == "" || strings.Contains(e.Detail, "web.") || strings.Contains(e.Detail, "Go ") {
				t.Errorf("POST %s: detail %q, want words of ours", tt.body, e.Detail)
			}
		}
		slices.Sort(got)
		want := strings.Split(tt.pointers, " ")
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("POST %s: pointers = %q, want %q", tt.body, got, want)
		}
	}
	var list struct{ Items []wire }
	w.call(http.MethodGet, "/v1/handoffs", nil).json(t, &list)
	if len(list.Items) != 0 {
		t.Errorf("faulty requests made %d handoffs, want none", len(list.Items))
	}
	for _, good := range []string{
		`{` + id + `,"expiresIn":60}`, `{` + id + `,"expiresIn":86400}`, `{` + id + `,"confirmation":"always"}`,
		`{` + id + `,"scope":["mobile","desktop","mobile"],"locale":"pt-BR","contact":{"phone":"+44 20","email":"a@b.example"}}`,
		`{` + id + `,"returnUrl":"http://localhost:8999/done?a=1&a=2","parentOrigin":"http://localhost:8999"}`,
	} {
		if a := w.raw(http.MethodPost, "/v1/handoffs", good); a.StatusCode != http.StatusCreated {
			t.Errorf("POST %s = %d %s, want 201", good, a.StatusCode, a.body)
		}
	}
}

func TestCreated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.call(http.MethodPost, "/v1/handoffs", map[string]any{"instanceId": newInstance(), "reference": "order 1234", "scope": []string{"mobile", "desktop"}})
	var h map[string]any
	a.json(t, &h)
	id, _ := h["id"].(string)
	if got, want := a.Header.Get("Location"), w.public+"/v1/handoffs/"+id; a.StatusCode != http.StatusCreated || got != want {
		t.Fatalf("POST /v1/handoffs = %d, Location %q, want 201 and %q", a.StatusCode, got, want)
	}
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q, want no-store", got)
	}
	for _, member := range []string{"id", "status", "displayUrl", "instanceId", "app", "scope", "route", "device", "confirmed", "reason", "reference", "supportRef", "createdAt", "expiresAt", "events"} {
		if _, ok := h[member]; !ok {
			t.Errorf("a new handoff has no %s: %s", member, a.body)
		}
	}
	for _, member := range []string{"route", "device", "confirmed", "reason"} {
		if h[member] != nil {
			t.Errorf("%s = %v, want null", member, h[member])
		}
	}
	if h["reference"] != "order 1234" || h["app"] != "main" || h["status"] != "created" {
		t.Errorf("a new handoff = %s, want reference order 1234, app main, status created", a.body)
	}
	display, _ := h["displayUrl"].(string)
	if again := w.raw(http.MethodGet, "/v1/handoffs/"+id, ""); !bytes.Equal(again.body, a.body) || strings.Contains(string(a.body), "Pi") && strings.Contains(display, id) {
		t.Errorf("read again: %s, want %s", again.body, a.body)
	}
}

func TestBodiesAndKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"instanceId":"` + newInstance() + `"}`
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	huge := `{"instanceId":"` + newInstance() + `","label":"` + strings.Repeat("x", 65<<10) + `"}`
	w.raw(http.MethodPost, "/v1/handoffs", huge).wantProblem(t, http.StatusRequestEntityTooLarge, handoff.CodePayloadTooLarge)
	w.raw(http.MethodPost, "/v1/handoffs", "", func(r *http.Request) { // of a length nobody tells
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(huge)), -1
	}).wantProblem(t, http.StatusRequestEntityTooLarge, handoff.CodePayloadTooLarge)
	exact := body[:len(body)-1] + strings.Repeat(" ", 64<<10-len(body)) + "}"
	if a := w.raw(http.MethodPost, "/v1/handoffs", exact); a.StatusCode != http.StatusCreated {
		t.Errorf("with 64 KB to the byte: %d, want 201", a.StatusCode)
	}
	w.raw(http.MethodPost, "/v1/handoffs", exact+" ").wantProblem(t, http.StatusRequestEntityTooLarge, handoff.CodePayloadTooLarge)
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""} {
		w.raw(http.MethodPost, "/v1/handoffs", body, set("Content-Type", kind)).wantProblem(t, http.StatusUnsupportedMediaType, handoff.CodeUnsupportedMedia)
	}
	if a := w.raw(http.MethodPost, "/v1/handoffs", body, set("Content-Type", "application/json; charset=utf-8")); a.StatusCode != http.StatusCreated {
		t.Errorf("with a charset: %d, want 201", a.StatusCode)
	}
	for _, key := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Basic " + w.key.Reveal(), w.key.Reveal(), "Bearer " + w.key.Reveal() + "x"} {
		for _, call := range [][2]string{{"POST", "/v1/handoffs"}, {"GET", "/v1/handoffs"}, {"GET", "/v1/handoffs/ho_x"}, {"POST", "/v1/handoffs/ho_x/cancel"}} {
			a := w.raw(call[0], call[1], body, set("Authorization", key))
			a.wantProblem(t, http.StatusUnauthorized, handoff.CodeUnauthorized)
			if got := a.Header.Get("WWW-Authenticate"); got != "Bearer" {
				t.Errorf("WWW-Authenticate = %q, want Bearer", got)
			}
		}
	}
	for _, path := range []string{"/v1/handoffs", "/v1/claims", "/v1/pickups"} {
		w.raw(http.MethodPost, path, body, set("Cookie", "a=b")).wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
	}
	if strings.Contains(w.logs.String(), w.key.Reveal()) {
		t.Errorf("the partner's key is in the log")
	}
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.twoHosts = true })
	for _, call := range [][2]string{
		{"GET", "/v1/nothing"},
		{"POST", "/v1/nothing"},
		{"GET", "/v1"},
		{"GET", "/v1/"},
		{"GET", "/v1/claims"},
		{"PUT", "/v1/handoffs"},
		{"DELETE", "/v1/handoffs/ho_AAAAAAAAAAAAAAAAAAAAAA"},
		{"GET", "/v1/handoffs/ho_AAAAAAAAAAAAAAAAAAAAAA"},
		{"GET", "/v1/handoffs/malformed"},
		{"POST", "/v1/handoffs/malformed/cancel"},
	} {
		w.raw(call[0], call[1], "").wantProblem(t, http.StatusNotFound, handoff.CodeNotFound)
	}
	a := w.person(desktop).get(w.public + "/nothing")
	a.wantPage(t, http.StatusNotFound, "problem")
	// What is the public host's alone is not on the link host, nor the reverse.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.link+"/v1/handoffs", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.key.Reveal())
	send(t, &http.Client{}, r).wantProblem(t, http.StatusNotFound, handoff.CodeNotFound)
	w.person(desktop).get(w.link+"/h/x").wantPage(t, http.StatusNotFound, "problem")
	w.person(desktop).get(w.public+"/.well-known/assetlinks.json").wantPage(t, http.StatusNotFound, "problem")
}

func TestForeignHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	foreign := func(r *http.Request) { r.Host = "evil.example" }
	w.raw(http.MethodGet, "/v1/handoffs", "", foreign).wantProblem(t, http.StatusMisdirectedRequest, handoff.CodeMisdirected)
	w.raw(http.MethodPost, "/v1/pickups", "{}", foreign).wantProblem(t, http.StatusMisdirectedRequest, handoff.CodeMisdirected)
	r := s.desk.request(http.MethodGet, s.made.DisplayURL, nil)
	foreign(r)
	a := send(t, s.desk.client, r)
	a.wantPage(t, http.StatusMisdirectedRequest, "problem")
	if strings.Contains(string(a.body), "evil.example") || a.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("the page says %s with %v, want no word of the host, and not framed", a.body, a.Header)
	}
	if n := len(w.calls("start")); n != 0 {
		t.Errorf("a foreign host started %d times, want never", n)
	}
}

// TestAnotherPartner tries every route with another partner's key.
func TestAnotherPartner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	before := w.raw(http.MethodGet, "/v1/handoffs/"+s.made.ID, "")
	for _, call := range []struct {
		method, path string
		body         any
	}{
		{"GET", "", nil},
		{"POST", "/cancel", nil},
		{"POST", "/complete", map[string]string{"outcome": "completed"}},
		{"POST", "/links", nil},
	} {
		a := w.callAs(w.other, call.method, "/v1/handoffs/"+s.made.ID+call.path, call.body)
		theirs := a.wantProblem(t, http.StatusNotFound, handoff.CodeNotFound)
		unknown := w.callAs(w.other, call.method, "/v1/handoffs/ho_AAAAAAAAAAAAAAAAAAAAAA"+call.path, call.body).
			wantProblem(t, http.StatusNotFound, handoff.CodeNotFound)
		theirs.Instance, unknown.Instance = "", ""
		if theirs.Detail != unknown.Detail || theirs.Title != unknown.Title {
			t.Errorf("%s %s: %+v for another partner's, %+v for none, want the same", call.method, call.path, theirs, unknown)
		}
	}
	if after := w.raw(http.MethodGet, "/v1/handoffs/"+s.made.ID, ""); !bytes.Equal(after.body, before.body) {
		t.Errorf("afterwards %s, want it unchanged: %s", after.body, before.body)
	}
	var list struct{ Items []wire }
	w.callAs(w.other, http.MethodGet, "/v1/handoffs?instanceId="+s.made.InstanceID, nil).json(t, &list)
	if len(list.Items) != 0 {
		t.Errorf("another partner's list has %d handoffs, want none", len(list.Items))
	}
	// The link with another partner's prefix is nobody's.
	stranger := strings.Replace(s.code(), "/c/acme/", "/c/other/", 1)
	w.person(iPhone).get(stranger).wantPage(t, http.StatusNotFound, "notice-ended")
	_, challenge := pkce()
	w.native("/v1/claims", map[string]any{
		"code": stranger, "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef01"},
	}).wantProblem(t, http.StatusNotFound, handoff.CodeNotFound)
	w.wantStatus(s.made.ID, "displayed")
}

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var made []string
	for i := range 7 {
		made = append(made, w.create(map[string]any{"reference": "order " + strconv.Itoa(i%2)}).ID)
	}
	slices.Reverse(made) // newest first
	type list struct {
		Items []wire
		Next  *string
	}
	get := func(query string) list {
		a := w.raw(http.MethodGet, "/v1/handoffs"+query, "")
		var l list
		if a.StatusCode != http.StatusOK {
			t.Fatalf("GET /v1/handoffs%s = %d %s, want 200", query, a.StatusCode, a.body)
		}
		a.json(t, &l)
		return l
	}
	ids := func(l list) (ids []string) {
		for _, h := range l.Items {
			ids = append(ids, h.ID)
		}
		return ids
	}
	if all := get(""); !slices.Equal(ids(all), made) || all.Next != nil {
		t.Errorf("list = %v next %v, want %v and no next", ids(all), all.Next, made)
	}
	var paged []string
	pages := 0
	for query := "?limit=3"; ; pages++ {
		l := get(query)
		paged = append(paged, ids(l)...)
		if l.Next == nil {
			break
		}
		query = "?limit=3&cursor=" + *l.Next
	}
	if !slices.Equal(paged, made) || pages > 3 {
		t.Errorf("by threes = %v, want %v", paged, made)
	}
	if l := get("?reference=order%201"); len(l.Items) != 3 {
		t.Errorf("of order 1: %v, want 3", ids(l))
	}
	w.call(http.MethodPost, "/v1/handoffs/"+made[2]+"/cancel", nil)
	if l := get("?status=cancelled"); !slices.Equal(ids(l), made[2:3]) {
		t.Errorf("cancelled = %v, want %v", ids(l), made[2:3])
	}
	if l := get("?instanceId=" + w.get(made[1]).InstanceID); !slices.Equal(ids(l), made[1:2]) {
		t.Errorf("of the instance = %v, want %v", ids(l), made[1:2])
	}
	if a := w.raw(http.MethodGet, "/v1/handoffs?reference=none", ""); string(a.body) != `{"items":[],"next":null}`+"\n" {
		t.Errorf("an empty list = %s, want items [] and next null", a.body)
	}
	for query, pointer := range map[string]string{
		"?status=lost": "/status", "?limit=0": "/limit", "?limit=101": "/limit", "?limit=x": "/limit", "?instanceId=x": "/instanceId",
		"?colour=red": "/colour", "?limit=1&limit=2": "/limit",
	} {
		p := w.raw(http.MethodGet, "/v1/handoffs"+query, "").wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != pointer {
			t.Errorf("GET %s: errors = %+v, want one at %s", query, p.Errors, pointer)
		}
	}
	for _, query := range []string{"cursor=%22%00", "status=created&%zz", "status=created;limit=1"} {
		w.raw(http.MethodGet, "/v1/handoffs?"+query, "").wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
	}
}

func TestEndsHappenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	complete := map[string]string{"outcome": "completed"}
	for _, tt := range []struct {
		first, status string
		body          any
		reason        string
	}{
		{"/cancel", "cancelled", nil, ""},
		{"/complete", "completed", complete, ""},
		{"/complete", "completed", map[string]string{"outcome": "failed"}, "failed"},
	} {
		s := w.delivered()
		a := w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+tt.first, tt.body)
		var h wire
		a.json(t, &h)
		if a.StatusCode != http.StatusOK || h.Status != tt.status || (h.Reason == nil) != (tt.reason == "") || h.Reason != nil && *h.Reason != tt.reason {
			t.Errorf("%s %v = %d %s, want 200 %s", tt.first, tt.body, a.StatusCode, a.body, tt.status)
		}
		w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/cancel", nil).wantProblem(t, http.StatusConflict, handoff.CodeConflict)
		w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/complete", complete).wantProblem(t, http.StatusConflict, handoff.CodeConflict)
		w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/links", nil).wantProblem(t, http.StatusGone, handoff.CodeGone)
		if got := w.get(s.made.ID).Status; got != tt.status {
			t.Errorf("after all that: %s, want %s", got, tt.status)
		}
	}
	h := w.create()
	for body, pointer := range map[string]string{`{}`: "/outcome", `{"outcome":"well"}`: "/outcome", `{"outcome":true}`: "/outcome", `{"result":"x"}`: "/result"} {
		p := w.raw(http.MethodPost, "/v1/handoffs/"+h.ID+"/complete", body).wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != pointer {
			t.Errorf("complete %s: errors = %+v, want one at %s", body, p.Errors, pointer)
		}
	}
	if got := w.get(h.ID).Status; got != "created" {
		t.Errorf("after faulty outcomes: %s, want created", got)
	}
}

func TestPartnersLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	link := func() string {
		a := w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/links", nil)
		var l struct{ URL, ExpiresAt string }
		a.json(t, &l)
		if a.StatusCode != http.StatusCreated || !strings.HasPrefix(l.URL, w.link+"/c/acme/") || l.ExpiresAt == "" {
			t.Fatalf("links = %d %s, want 201 with a link and its end", a.StatusCode, a.body)
		}
		return l.URL
	}
	first, second := link(), link()
	w.person(iPhone).get(first).wantPage(t, http.StatusGone, "notice-old_code")
	s.landing = s.phone.get(second)
	s.tap().wantPage(t, http.StatusOK, "ready")
	if h := w.get(s.made.ID); h.Route == nil || *h.Route != "partner" || h.Confirmed != nil {
		t.Errorf("route = %v, confirmed %v, want partner, and nothing confirmed", h.Route, h.Confirmed)
	}
	w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/links", nil).wantProblem(t, http.StatusConflict, handoff.CodeConflict)
}

// TestJourneyStart: the portal starts the journey, by the rules of each version.
func TestJourneyStart(t *testing.T) {
	t.Parallel()
	for _, version := range []platform.Version{platform.V1, platform.V2} {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, brief, func(s *setting) { s.version = version })
			journey := map[string]any{"journey": map[string]any{
				"resourceId": rand.Text() + "@latest", "context": map[string]any{"subject": map[string]any{"identity": map[string]any{"firstName": "Jo"}}},
			}}
			post := func() answer { return w.call(http.MethodPost, "/v1/handoffs", journey) }
			a := post()
			var h wire
			a.json(t, &h)
			if a.StatusCode != http.StatusCreated || !strings.HasPrefix(h.InstanceID, "Pi") {
				t.Fatalf("with a journey: %d %s, want 201 with its instance", a.StatusCode, a.body)
			}
			s := &story{world: w, made: h, desk: w.person(desktop), phone: w.person(iPhone)}
			s.open()
			s.scan()
			s.tap().wantPage(t, http.StatusOK, "ready")
			s.toApp()
			if s.token.InstanceID != h.InstanceID {
				t.Errorf("the token is of %s, want %s", s.token.InstanceID, h.InstanceID)
			}
			for _, tt := range []struct {
				fault  platformsim.Fault
				status int
				code   handoff.Code
			}{
				{platformsim.Fault{Kind: "status", Status: 400}, http.StatusBadRequest, handoff.CodeInvalid},
				{platformsim.Fault{Kind: "status", Status: 404}, http.StatusBadRequest, handoff.CodeInvalid},
				{platformsim.Fault{Kind: "status", Status: 503}, http.StatusServiceUnavailable, handoff.CodePlatformUnavailable},
				{platformsim.Fault{Kind: "drop_after"}, http.StatusServiceUnavailable, handoff.CodePlatformUnavailable},
			} {
				tt.fault.Call = "journey"
				if err := w.sim.Fault(tt.fault); err != nil {
					t.Fatal(err)
				}
				a := post()
				a.wantProblem(t, tt.status, tt.code)
				if retry := a.Header.Get("Retry-After"); (retry != "") != (tt.status == http.StatusServiceUnavailable) {
					t.Errorf("%+v: Retry-After = %q, want one with 503", tt.fault, retry)
				}
				w.wantNoTokens("the problem", string(a.body))
			}
			if a := post(); a.StatusCode != http.StatusCreated {
				t.Errorf("afterwards: %d, want 201", a.StatusCode)
			}
		})
	}
}
