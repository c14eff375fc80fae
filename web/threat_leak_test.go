package web_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/attest"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/webhook"
)

// taped is one answer of the portal, whole.
type taped struct {
	method, path string
	status       int
	header       http.Header
	body         []byte
}

func (x taped) String() string { return fmt.Sprintf("%s %s (%d)", x.method, x.path, x.status) }

// tape records every answer of a server.
type tape struct {
	mu      sync.Mutex
	answers []*taped // guarded by mu, and so is what they hold
}

func (t *tape) over(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &taped{method: r.Method, path: r.URL.Path}
		t.mu.Lock()
		t.answers = append(t.answers, x)
		t.mu.Unlock()
		next.ServeHTTP(&tapedWriter{ResponseWriter: w, tape: t, x: x}, r)
	})
}

// all are the answers so far.
func (t *tape) all() []taped {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []taped
	for _, x := range t.answers {
		c := *x
		c.body = bytes.Clone(x.body)
		all = append(all, c)
	}
	return all
}

type tapedWriter struct {
	http.ResponseWriter
	tape *tape
	x    *taped
}

func (w *tapedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *tapedWriter) WriteHeader(status int) {
	w.tape.mu.Lock()
	w.x.status, w.x.header = status, w.Header().Clone()
	w.tape.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

func (w *tapedWriter) Write(b []byte) (int, error) {
	w.tape.mu.Lock()
	if w.x.header == nil {
		w.x.status, w.x.header = http.StatusOK, w.Header().Clone()
	}
	w.x.body = append(w.x.body, b...)
	w.tape.mu.Unlock()
	return w.ResponseWriter.Write(b)
}

// forms are the ways a secret may be written: as it is, in hex, for a URL, and in
// base64 however it stands among other bytes.
func forms(secret string) []string {
	b := []byte(secret)
	all := []string{secret, hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), url.QueryEscape(secret), url.PathEscape(secret)}
	if len(b) >= 8 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for shift := range 3 {
				text := enc.EncodeToString(append(make([]byte, shift), b...))
				all = append(all, text[(shift*8+5)/6:len(text)-1]) // without what its neighbours change
			}
		}
	}
	quoted, _ := json.Marshal(secret)
	all = append(all, strings.Trim(string(quoted), `"`))
	slices.Sort(all)
	return slices.Compact(all)
}

// canary is a secret, and the places it may be in.
type canary struct {
	kind, value string
	// header and body report whether an answer's may hold it; nil: none may.
	header, body func(taped) bool
}

// canaries are what was planted, and what was seen on the way.
type canaries struct {
	t    *testing.T
	all  []canary
	seen map[string]bool
}

func (c *canaries) add(one canary) {
	c.t.Helper()
	if one.value == "" {
		c.t.Fatalf("there is no %s to look for", one.kind)
	}
	if !c.seen[one.kind+one.value] {
		c.seen[one.kind+one.value] = true
		c.all = append(c.all, one)
	}
}

func below(prefixes ...string) func(taped) bool {
	return func(x taped) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return x.path == p || strings.HasPrefix(x.path, strings.TrimSuffix(p, "/")+"/") })
	}
}

func posted(prefix, suffix string) func(taped) bool {
	return func(x taped) bool {
		return x.method == http.MethodPost && strings.HasPrefix(x.path, prefix) && strings.HasSuffix(x.path, suffix)
	}
}

func either(some ...func(taped) bool) func(taped) bool {
	return func(x taped) bool { return slices.ContainsFunc(some, func(f func(taped) bool) bool { return f(x) }) }
}

// givesTokens are the two answers that hold a token, never to be stored.
func givesTokens(x taped) bool {
	return either(posted("/v1/pickups", ""), posted("/v1/claims/", "/token"))(x) && x.status == http.StatusOK && x.header.Get("Cache-Control") == "no-store"
}

// needle is one form of a secret.
type needle struct {
	canary
	form string
}

// finder finds needles by their first eight bytes.
type finder map[[8]byte][]needle

func (c *canaries) finder() finder {
	f := finder{}
	for _, one := range c.all {
		for _, form := range forms(one.value) {
			head := [8]byte([]byte(form)) // none is shorter
			f[head] = append(f[head], needle{one, form})
		}
	}
	return f
}

// in calls found with each needle in text, once.
func (f finder) in(text []byte, found func(n needle, at int)) {
	seen := map[string]bool{}
	for i := range len(text) - 7 {
		for _, n := range f[[8]byte(text[i:i+8])] {
			if !seen[n.kind+n.form] && bytes.HasPrefix(text[i:], []byte(n.form)) {
				seen[n.kind+n.form] = true
				found(n, i)
			}
		}
	}
}

// leaked tells where a secret is that it may not be.
func (c *canaries) leaked(answers []taped, elsewhere map[string][]byte) {
	c.t.Helper()
	f := c.finder()
	for _, x := range answers {
		for name, values := range x.header {
			f.in([]byte(strings.Join(values, "\n")), func(n needle, _ int) {
				if n.header == nil || !n.header(x) {
					c.t.Errorf("%s is in the header %s of %s, as %s", n.kind, name, x, n.form)
				}
			})
		}
		f.in(x.body, func(n needle, at int) {
			if n.body == nil || !n.body(x) {
				c.t.Errorf("%s is in the body of %s, as %s: %s", n.kind, x, n.form, around(x.body, at))
			}
		})
	}
	for where, text := range elsewhere {
		f.in(text, func(n needle, at int) { c.t.Errorf("%s is in %s, as %s: %q", n.kind, where, n.form, around(text, at)) })
	}
}

func around(text []byte, at int) []byte { return text[max(0, at-150):min(len(text), at+150)] }

var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*`)

// aToken is the first JWT in text that is not the record of a handoff, which opens
// nothing; what it says is looked through like everything else, in base64. records
// counts those passed over.
func aToken(text []byte) (found []byte, records int) {
	for _, one := range jwt.FindAll(text, -1) {
		header, _, _ := bytes.Cut(one, []byte("."))
		if plain, err := base64.RawURLEncoding.DecodeString(string(header)); err != nil || !bytes.Contains(plain, []byte(`"typ":"handoff-record+jwt"`)) {
			return one, records
		}
		records++
	}
	return nil, records
}

// planted is a portal whose own secrets are known, and whose every answer, log
// line, message and file is looked at in the end.
type planted struct {
	*world
	t       *testing.T
	tape    *tape
	known   *canaries
	hooks   *hooks
	panics  *panics
	numbers []string

	collector *collector
}

// hooks is a partner's endpoint.
type hooks struct {
	mu   sync.Mutex
	got  []byte // guarded by mu
	once sync.Once
	came chan struct{} // closed with the first
}

func (h *hooks) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var all bytes.Buffer
	_ = r.Write(&all)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, all.Bytes()...)
	h.once.Do(func() { close(h.came) })
}

// wait waits for the first message.
func (h *hooks) wait(t *testing.T) {
	t.Helper()
	select {
	case <-h.came:
	case <-time.After(patience):
		t.Fatal("no message came")
	}
}

// panics is a store that panics when it is told to.
type panics struct {
	handoff.Store
	mu   sync.Mutex
	next any // guarded by mu
}

const (
	clientCanary  = handoff.Secret("canary-client-secret-8Tz5q")
	webhookCanary = "canary-webhook-secret-0123456789abcdef"
)

func plant(t *testing.T, text bool, change ...func(*setting)) *planted {
	t.Helper()
	p := &planted{t: t, tape: &tape{}, hooks: &hooks{came: make(chan struct{})}, known: &canaries{t: t, seen: map[string]bool{}}, panics: &panics{}}
	receiver := httptest.NewServer(p.hooks)
	t.Cleanup(receiver.Close)
	p.collector = newCollector(t)
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(webhookCanary))
	p.world = newWorld(t, append(change, brief, func(s *setting) {
		s.bolt, s.textLog, s.clientSecret, s.webURL = true, text, clientCanary, "https://app.acme.example/handoff"
		s.collector = p.collector.url
		s.tune = func(server *http.Server) { server.Handler = p.tape.over(server.Handler) }
		s.wrap = func(inner handoff.Store) handoff.Store {
			p.panics.Store = inner
			return p.panics
		}
		s.deliverer = func(log *slog.Logger, records *attest.Attestor) handoff.Deliverer {
			sender, err := webhook.New(webhook.Config{
				Endpoints: map[handoff.PartnerID][]webhook.Endpoint{"acme": {{URL: receiver.URL, Secrets: []handoff.Secret{handoff.Secret(secret)}}}},
				Client:    receiver.Client(), Sign: records.Sign, Log: log,
			})
			if err != nil {
				t.Fatal(err)
			}
			return sender
		}
	})...)
	raw, err := base64.StdEncoding.DecodeString(p.keys[0].Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for kind, value := range map[string]string{
		"the server key": p.keys[0].Reveal(), "the server key's bytes": string(raw), "the partner's key": p.key.Reveal(),
		"another partner's key": p.other.Reveal(), "the client secret": clientCanary.Reveal(),
		"the webhook's secret": secret, "the webhook secret's bytes": webhookCanary,
	} {
		p.known.add(canary{kind: kind, value: value})
	}
	return p
}

// look notes the secrets that a story has come to have by now.
func (p *planted) look(s *story) {
	p.t.Helper()
	h := s.stored()
	display := s.made.DisplayURL[strings.LastIndex(s.made.DisplayURL, "/")+1:]
	own := func(path string) func(taped) bool { return below(path) }
	p.known.add(canary{
		kind: "a display key", value: display, header: own("/h/" + display),
		body: either(own("/h/"+display), below("/v1/handoffs")),
	})
	for _, c := range h.Codes {
		code, ok, err := s.handoff.Code(h, c.Route)
		if err != nil || !ok {
			continue
		}
		value := code.Reveal()
		page := func(x taped) bool { return strings.HasPrefix(x.path, "/c/") && strings.Contains(x.path, value) }
		body := page
		switch c.Route {
		case handoff.RouteLink, handoff.RouteTyped, handoff.RouteLocal:
			body = either(page, own("/h/"+display))
		case handoff.RoutePartner:
			body = either(page, posted("/v1/handoffs/", "/links"))
		case handoff.RouteQR, handoff.RouteSMS, handoff.RouteEmail: // in a picture, or in a message
		}
		p.known.add(canary{kind: "the code of " + string(c.Route), value: value, header: either(page, posted("/t/", "")), body: body})
	}
	for _, browser := range []*person{s.phone, s.desk} {
		at, err := url.Parse(s.public)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, cookie := range browser.client.Jar.Cookies(at) {
			p.known.add(canary{kind: "a cookie", value: cookie.Value, header: func(x taped) bool {
				return strings.Contains(x.header.Get("Set-Cookie"), cookie.Value) && !strings.Contains(x.header.Get("Location"), cookie.Value)
			}})
		}
	}
	if s.own.url == nil || !strings.HasPrefix(s.own.url.Path, "/p/") {
		return
	}
	key := strings.Split(s.own.url.Path, "/")[2]
	p.known.add(canary{kind: "a claim key", value: key, body: own("/p/" + key), header: either(own("/p/"+key), func(x taped) bool {
		return strings.HasPrefix(x.path, "/c/") || strings.HasPrefix(x.path, "/r/") || strings.HasSuffix(x.path, "/continue")
	})})
	if link := s.own.link(p.t, "open"); link != "" {
		p.known.add(canary{kind: "a pickup", value: s.pickup(), body: either(own("/p/"+key), below("/a/acme"))})
	}
	if n := s.own.page(p.t).Find(`[data-testid="digits"] span[aria-hidden]`).Text(); n != "" {
		p.numbers = append(p.numbers, n)
	}
	p.lookAt(s.token)
}

// lookAt notes the secrets of a token answer.
func (p *planted) lookAt(t token) {
	if t.ReportURL == "" {
		return
	}
	p.known.add(canary{kind: "a report key", value: t.ReportURL[strings.LastIndex(t.ReportURL, "/")+1:], body: givesTokens})
	if t.ReturnURL != nil {
		p.known.add(canary{kind: "a response code", value: (*t.ReturnURL)[strings.LastIndex(*t.ReturnURL, "/")+1:], body: givesTokens})
	}
}

// search looks for everything everywhere. connect reports which answers may hold
// a connect token.
func (p *planted) search(connect func(taped) bool) {
	t := p.t
	t.Helper()
	p.hooks.wait(t)
	p.stop()
	p.spy.mu.Lock()
	for token, kind := range p.spy.kinds {
		body := givesTokens
		switch kind {
		case "connectToken":
			body = connect
		case "access_token":
			body = nil
		}
		p.known.add(canary{kind: kind, value: token, body: body})
	}
	p.spy.mu.Unlock()
	file, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	file = regexp.MustCompile(`\x00{32,}`).ReplaceAll(file, []byte{0}) // what was never written to
	p.hooks.mu.Lock()
	hooks := bytes.Clone(p.hooks.got)
	p.hooks.mu.Unlock()
	log := p.logs.String()
	traced, spans := p.collector.got()
	if len(hooks) == 0 || len(log) == 0 || len(file) == 0 || len(spans) == 0 {
		t.Fatalf("%d bytes of messages, %d of the log, %d of the store, %d spans: nothing to search", len(hooks), len(log), len(file), len(spans))
	}
	answers, counted := p.tape.all(), p.scrape()
	p.known.leaked(answers, map[string][]byte{"the log": []byte(log), "the store": file, "a message": hooks, "a metric": []byte(counted), "a trace": traced})
	// Without their own marks, signatures and ids a number of four digits is found everywhere.
	for _, n := range p.numbers {
		word := regexp.MustCompile(`(^|[^0-9A-Za-z.:+/=_-])` + n + `($|[^0-9A-Za-z.:+/=_-])`)
		for _, x := range answers {
			if strings.HasPrefix(x.path, "/h/") && word.Match(x.body) {
				t.Errorf("the number %s is in the body of %s", n, x)
			}
		}
		if regexp.MustCompile(`(number|digits|typed)["=: ]+` + n).MatchString(log) {
			t.Errorf("the number %s is in the log", n)
		}
	}
	for _, x := range answers {
		found, records := aToken(x.body)
		if found != nil && !givesTokens(x) && !connect(x) {
			t.Errorf("a token is in the body of %s: %s", x, found)
		}
		if records > 0 && !below("/v1/handoffs")(x) {
			t.Errorf("a record is in the body of %s: %s", x, x.body)
		}
		for name, values := range x.header {
			if jwt.MatchString(strings.Join(values, " ")) {
				t.Errorf("a token is in the header %s of %s", name, x)
			}
		}
	}
	for where, text := range map[string]string{"the log": log, "a message": string(hooks), "the store": string(file), "a metric": counted, "a trace": string(traced)} {
		found, records := aToken([]byte(text))
		if found != nil {
			t.Errorf("a token is in %s: %s", where, found)
		}
		if records > 0 && where != "a message" {
			t.Errorf("%d records are in %s", records, where)
		}
	}
	kinds := map[string]int{}
	for _, c := range p.known.all {
		kinds[c.kind]++
	}
	t.Logf("%d answers, %d bytes of the log, %d of messages, %d of the store, %d spans; looked for %v and %d numbers", len(answers), len(log), len(hooks), len(file), len(spans), kinds, len(p.numbers))
}

func noAnswer(taped) bool { return false }

func (p *panics) Lookup(ctx context.Context, key handoff.Key) (handoff.Handoff, error) {
	p.mu.Lock()
	next := p.next
	p.next = nil
	p.mu.Unlock()
	if next != nil {
		panic(next)
	}
	return p.Store.Lookup(ctx, key)
}

// TestThreatLeak: a canary in every secret, whole stories, and then a search of
// all that came out: each is where it is allowed, and nowhere else.
func TestThreatLeak(t *testing.T) {
	t.Parallel()
	for _, text := range []bool{false, true} {
		name := map[bool]string{false: "JSON", true: "text"}[text]
		t.Run("portal "+name, func(t *testing.T) {
			if text {
				unraced(t)
			}
			t.Parallel()
			p := plant(t, text, asked(handoff.ConfirmAuto))
			p.byPhone()
			p.byTyping()
			p.onThisDevice()
			p.byApp()
			p.inTrouble()
			p.search(noAnswer)
		})
		t.Run("app "+name, func(t *testing.T) {
			unraced(t)
			t.Parallel()
			p := plant(t, text, func(s *setting) {
				s.exchange, s.journeyURL = handoff.ExchangeApp, "com.acme.app://go/{instanceId}?t={connectToken}"
			})
			p.byApp()
			p.byPhone()
			p.search(givesTokens)
		})
		t.Run("token "+name, func(t *testing.T) {
			unraced(t)
			t.Parallel()
			p := plant(t, text, tokenMode)
			s := p.begin()
			s.open()
			s.stored()
			s.status()
			p.scan(s.made.DisplayURL)
			events := s.desk.stream(s.made.DisplayURL, "")
			events.next()
			p.look(s)
			p.clock.advance(100 * time.Second)
			s.open()
			s.phone.get(s.link + "/a/acme/connect")
			p.search(below("/h")) // the code on the display, and the link beside it, are the token
		})
	}
}

// byPhone goes by a link and a QR, with other phones that ask, wrong numbers and a
// fresh link, to the end.
func (p *planted) byPhone() {
	s := p.begin(map[string]any{"returnUrl": "http://localhost:8999/done", "reference": "order 1234"})
	s.open()
	events := s.desk.stream(s.made.DisplayURL, "")
	events.next()
	p.look(s)
	link := s.live(handoff.RouteLink)
	s.live(handoff.RoutePartner)
	var l struct{ URL string }
	p.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/links", nil).json(p.t, &l)
	s.status()
	p.look(s)
	old := s.code()
	first := &story{world: s.world, made: s.made, desk: s.desk, phone: p.person(android)}
	first.landing = first.phone.get(link)
	first.tap()
	p.look(first)
	s.phone.get(old[:len(old)-1]) // a bad frame
	s.phone.get(l.URL)
	s.scan()
	s.tap()
	p.look(s)
	if n := s.own.page(p.t).Find(`[data-testid="digits"] span[aria-hidden]`).Text(); n != "" {
		s.desk.post(s.made.DisplayURL+"/confirm", url.Values{"number": {not(n)}})
		s.status()
		s.desk.post(s.made.DisplayURL+"/confirm", url.Values{"number": {n}})
		s.own = s.phone.get(s.own.url.String())
	}
	p.look(s)
	own := s.phone.stream(s.own.url.String(), "")
	own.next()
	s.phone.get(s.own.url.String() + "/status")
	s.phone.get(s.own.link(p.t, "open"))
	s.own = s.phone.post(s.own.url.String()+"/open", nil)
	p.look(s)
	rival := p.person(android)
	rival.press(rival.get(link), "continue")
	s.pickUp()
	p.look(s)
	s.report("started")
	s.report("left")
	p.call(http.MethodGet, "/v1/handoffs/"+s.made.ID, nil)
	p.call(http.MethodGet, "/v1/handoffs?reference=order+1234", nil)
	s.toEnd()
	s.phone.get(s.own.url.String())
	p.look(s)
}

// byTyping goes by ten digits.
func (p *planted) byTyping() {
	s := p.begin()
	s.open()
	code := s.live(handoff.RouteTyped)
	digits := code[strings.LastIndex(code, "/")+1:]
	s.open()
	s.status()
	p.look(s)
	s.phone.post(p.public+"/t/acme", url.Values{"code": {"1234"}})
	s.landing = s.phone.post(p.public+"/t/acme", url.Values{"code": {digits}})
	s.tap()
	p.look(s)
	s.toApp()
	p.look(s)
}

// onThisDevice goes on where the display is, and returns.
func (p *planted) onThisDevice() {
	s := p.begin()
	s.desk = p.person(iPhone)
	s.phone = s.desk
	display := s.open()
	p.look(s)
	s.own = s.desk.press(display, "action-continue")
	p.look(s)
	s.toApp()
	p.look(s)
	p.person(android).get(*s.token.ReturnURL)
	s.phone.get(*s.token.ReturnURL)
}

// byApp goes by an app's own claim.
func (p *planted) byApp() {
	s := p.begin()
	s.open()
	p.look(s)
	verifier, challenge := pkce()
	var claim struct{ ClaimID, Number string }
	claims := map[string]any{"code": s.live(handoff.RoutePartner), "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef", "deviceType": "mobile"}}
	p.look(s)
	p.native("/v1/claims", claims).json(p.t, &claim)
	p.known.add(canary{kind: "a claim's id", value: claim.ClaimID, body: posted("/v1/claims", "")})
	p.known.add(canary{kind: "an app's verifier", value: verifier})
	token := map[string]string{"codeVerifier": verifier}
	p.native("/v1/claims/"+claim.ClaimID+"/token", map[string]string{"codeVerifier": "x"})
	if claim.Number != "" {
		p.numbers = append(p.numbers, claim.Number)
		p.native("/v1/claims/"+claim.ClaimID+"/token", token)
		s.enter(claim.Number)
	}
	p.native("/v1/claims/"+claim.ClaimID+"/token", token).json(p.t, &s.token)
	p.native("/v1/claims/"+claim.ClaimID+"/token", token)
	p.look(s)
	p.lookAt(s.token)
	s.report("finished")
	p.native("/v1/claims/"+claim.ClaimID+"/reject", token)
	p.native("/v1/claims/"+claim.ClaimID+"/token", token)
}

// inTrouble meets every fault of the platform at every call, panics, and bad input
// of every kind.
func (p *planted) inTrouble() {
	for _, tr := range troubles() {
		if tr.fault.Kind == "delay" {
			continue
		}
		for _, call := range []string{"token", "start", "connect", "state"} {
			s := p.begin()
			if call == "token" {
				p.clock.advance(2 * time.Hour)
				s = p.begin()
			}
			tr.fault.Call, tr.fault.Count = call, 2
			if call == "connect" {
				s.open()
			}
			if err := p.sim.Fault(tr.fault); err != nil {
				p.t.Fatal(err)
			}
			a := s.open()
			p.look(s)
			if s.stored().Status != handoff.StatusDisplayed {
				p.sim.Reset()
				s.desk.get(a.url.String())
				continue
			}
			s.scan()
			s.tap()
			p.look(s)
			if s.own.link(p.t, "open") != "" {
				s.pickUp()
				p.clock.advance(61 * time.Second)
			}
			p.sim.Reset()
		}
	}
	p.clock.advance(time.Minute) // the client waits after a fault
	s := p.connected()
	p.look(s)
	for _, value := range []any{http.ErrNotSupported, "a panic", fmt.Errorf("of %v", handoff.Secret(s.made.DisplayURL))} {
		for _, ask := range []func(){
			func() { s.open() }, func() { s.phone.get(s.own.url.String()) }, func() { s.pickUp() }, func() { s.phone.get(s.link + "/c/acme/0123456789ABCDEFGHJKMNPQRS") },
		} {
			p.panics.mu.Lock()
			p.panics.next = value
			p.panics.mu.Unlock()
			ask()
		}
	}
	key := s.made.DisplayURL[strings.LastIndex(s.made.DisplayURL, "/")+1:]
	for _, body := range []string{"{", `{"instanceId":"` + key + `?"}`, `{"pickup":"` + s.pickup() + `"}`, `{"returnUrl":"` + p.key.Reveal() + `"}`} {
		p.raw(http.MethodPost, "/v1/handoffs", body)
		p.raw(http.MethodPost, "/v1/pickups", body)
		p.raw(http.MethodPost, "/v1/claims", body)
	}
	s.phone.get(p.public + "/" + key)
	s.desk.get(p.public + "/h/" + key + "/nothing")
	p.raw(http.MethodDelete, "/v1/handoffs/"+s.made.ID, "")
	p.callAs("wrong-partner-key", http.MethodGet, "/v1/handoffs", nil)
	p.callAs(p.other, http.MethodGet, "/v1/handoffs/"+s.made.ID, nil)
}
