package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// with is the same world in a subtest of its own.
func (w *world) with(t testing.TB) *world {
	own := *w
	own.t = t
	return &own
}

// spy stands before the platform and notes what goes through: every token given,
// so that a test can look for them where they must not be, every connect token
// spent, and the request ids.
type spy struct {
	mu       sync.Mutex
	tokens   []string          // guarded by mu, as all of these
	kinds    map[string]string // by token: the name it was given by
	connects []string
	ids      []string
	client   handoff.Secret // taken for the stand-in's own secret
}

// secret makes s the one that the platform wants of the portal.
func (s *spy) secret(client handoff.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = client
}

// lets makes a request for an access token one that the stand-in takes.
func (s *spy) lets(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == "" || !strings.HasSuffix(r.URL.Path, "/token.oauth2") || r.ParseForm() != nil || r.PostForm.Get("client_secret") != s.client.Reveal() {
		return
	}
	r.PostForm.Set("client_secret", platformsim.Secret)
	r.Form.Set("client_secret", platformsim.Secret)
	r.Body = io.NopCloser(strings.NewReader(r.PostForm.Encode()))
}

var givenToken = regexp.MustCompile(`"(access_token|connectToken|endUserToken|resumeCredential)":"([^"]{8,})`)

func (s *spy) over(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.lets(r)
		if strings.HasSuffix(r.URL.Path, "/device/connect") {
			s.mu.Lock()
			s.connects = append(s.connects, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			s.mu.Unlock()
		}
		next.ServeHTTP(&spied{ResponseWriter: w, spy: s}, r)
	})
}

// spied is one answer of the platform.
type spied struct {
	http.ResponseWriter
	spy *spy
}

func (w *spied) Write(b []byte) (int, error) {
	w.spy.mu.Lock()
	w.spy.ids = append(w.spy.ids, w.Header().Get("X-Request-ID"))
	for _, m := range givenToken.FindAllSubmatch(b, -1) {
		if w.spy.kinds == nil {
			w.spy.kinds = map[string]string{}
		}
		w.spy.tokens = append(w.spy.tokens, string(m[2]))
		w.spy.kinds[string(m[2])] = string(m[1])
	}
	w.spy.mu.Unlock()
	return w.ResponseWriter.Write(b)
}

// wantNoTokens looks for every token the platform ever gave.
func (w *world) wantNoTokens(where, text string) {
	w.t.Helper()
	w.spy.mu.Lock()
	defer w.spy.mu.Unlock()
	for _, token := range slices.Concat(w.spy.tokens, w.spy.connects) {
		if strings.Contains(text, token) {
			w.t.Errorf("%s holds a token: %s", where, text)
			return
		}
	}
}

// wantConnectsOnce checks that no connect token was ever sent twice.
func (w *world) wantConnectsOnce() {
	w.t.Helper()
	w.spy.mu.Lock()
	defer w.spy.mu.Unlock()
	sent := slices.Sorted(slices.Values(w.spy.connects))
	if n := len(slices.Compact(sent)); n != len(w.spy.connects) {
		w.t.Errorf("%d connects with %d tokens, want a token each", len(w.spy.connects), n)
	}
}

// line is one line of the log.
type line map[string]any

func (l line) str(key string) string {
	s, _ := l[key].(string)
	return s
}

// since are the lines after the first n bytes of the log.
func (l *logs) since(t testing.TB, n int) []line {
	t.Helper()
	var lines []line
	for text := range strings.Lines(l.String()[n:]) {
		var one line
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			t.Fatalf("log line %s: %v", text, err)
		}
		lines = append(lines, one)
	}
	return lines
}

// wantLogged waits for a line after the first n bytes of the log.
func (w *world) wantLogged(n int, msg string, has map[string]string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for {
		w.logs.mu.Lock()
		if w.logs.more == nil {
			w.logs.more = make(chan struct{})
		}
		more := w.logs.more
		w.logs.mu.Unlock()
		for _, l := range w.logs.since(w.t, n) {
			fits := l.str("msg") == msg
			for key, want := range has {
				fits = fits && l.str(key) == want
			}
			if fits {
				return
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			w.t.Fatalf("the log has no line %q with %v:\n%s", msg, has, w.logs.String()[n:])
		}
	}
}

// callsOf are the platform calls made for one journey, of these kinds, in order.
func (w *world) callsOf(instance string, kinds ...string) []string {
	var made []string
	for _, c := range w.sim.Calls() {
		if c.InstanceID == instance && slices.Contains(kinds, c.Call) {
			made = append(made, c.Call)
		}
	}
	return made
}

// panel is the visible screen of a display.
func (a answer) panel(t testing.TB) string {
	t.Helper()
	shown := a.page(t).Find("section[data-screen]:not([hidden])")
	if shown.Length() != 1 {
		t.Errorf("%s shows %d screens, want one", a.url.Path, shown.Length())
	}
	return shown.AttrOr("data-testid", "")
}

// link is the href of the link with this data-testid, or empty.
func (a answer) link(t testing.TB, testID string) string {
	t.Helper()
	return a.page(t).Find(`a[data-testid="`+testID+`"]`).AttrOr("href", "")
}

// wantPage checks the status and the main part of a page.
func (a answer) wantPage(t testing.TB, status int, testID string) {
	t.Helper()
	if got := a.testID(t); a.StatusCode != status || got != testID {
		t.Fatalf("%s answers %d with %q, want %d with %q", a.url.Path, a.StatusCode, got, status, testID)
	}
}

// wantPanel checks the status and the screen of a display.
func (a answer) wantPanel(t testing.TB, status int, panel string) {
	t.Helper()
	a.wantPage(t, status, "display")
	if got := a.panel(t); got != panel {
		t.Fatalf("%s shows %q, want %q", a.url.Path, got, panel)
	}
}

// wantProblem checks a failure of the API.
func (a answer) wantProblem(t testing.TB, status int, code handoff.Code) problem {
	t.Helper()
	var p problem
	if got := a.Header.Get("Content-Type"); a.StatusCode != status || got != "application/problem+json" {
		t.Fatalf("%s %s answers %d %s %s, want %d and a problem", a.Request.Method, a.url.Path, a.StatusCode, got, a.body, status)
	}
	a.json(t, &p)
	if p.Code != string(code) || p.Status != status || p.Instance == "" || p.Instance != a.Header.Get("X-Request-ID") ||
		!strings.HasSuffix(p.Type, "/docs/errors/"+p.Code) || p.Title == "" {
		t.Fatalf("%s %s answers %+v, want code %s, status %d and the request id %s", a.Request.Method, a.url.Path, p, code, status, a.Header.Get("X-Request-ID"))
	}
	if code == handoff.CodeInvalid && (len(p.Errors) == 0 || p.Errors[0].Detail == "") {
		t.Fatalf("%s %s answers %+v, want errors that say what and where", a.Request.Method, a.url.Path, p)
	}
	return p
}

// story is one handoff and the people on its way: each step goes as far as the
// page that follows, and checks nothing.
type story struct {
	*world
	made    wire
	desk    *person
	phone   *person
	landing answer
	own     answer // the phone's own page
	token   token
}

// begin makes a handoff; nobody has opened its display yet.
func (w *world) begin(more ...map[string]any) *story {
	w.t.Helper()
	return &story{world: w, made: w.create(more...), desk: w.person(desktop), phone: w.person(iPhone)}
}

// open opens the display.
func (s *story) open() answer {
	s.t.Helper()
	return s.desk.get(s.made.DisplayURL)
}

// code is the link that the display's QR holds now, without its picture.
func (s *story) code() string {
	s.t.Helper()
	h := s.stored()
	code, ok, err := s.handoff.Code(h, handoff.RouteQR)
	if err != nil || !ok {
		s.t.Fatalf("there is no code to scan: %v, in %s", err, h.Status)
	}
	framed, err := s.handoff.Framed(h, code)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.link + "/c/acme/" + framed.Reveal()
}

func (s *story) stored() handoff.Handoff {
	s.t.Helper()
	h, err := s.store.Get(s.t.Context(), handoff.ID(s.made.ID))
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// scan opens the landing on the phone.
func (s *story) scan() answer {
	s.t.Helper()
	s.landing = s.phone.get(s.code())
	return s.landing
}

// tap presses Continue on the phone.
func (s *story) tap() answer {
	s.t.Helper()
	s.own = s.phone.press(s.landing, "continue")
	return s.own
}

// pickup is what the phone's app link carries.
func (s *story) pickup() string {
	s.t.Helper()
	open := s.own.link(s.t, "open")
	if open == "" {
		s.t.Fatalf("%s has no app link: %s", s.own.url.Path, s.own.testID(s.t))
	}
	u, err := url.Parse(open)
	if err != nil {
		s.t.Fatal(err)
	}
	return u.Path[strings.LastIndex(u.Path, "/")+1:]
}

// pickUp is what the app does with its link.
func (s *story) pickUp() answer {
	s.t.Helper()
	verifier, _ := pkce()
	a := s.native("/v1/pickups", map[string]string{"pickup": s.pickup(), "verifier": verifier})
	if a.StatusCode == http.StatusOK {
		a.json(s.t, &s.token)
	}
	return a
}

// report is what the app says of itself.
func (s *story) report(event string) {
	s.t.Helper()
	path, ok := strings.CutPrefix(s.token.ReportURL, s.link)
	if !ok {
		s.t.Fatalf("reportUrl = %q, want one below %s", s.token.ReportURL, s.link)
	}
	if a := s.native(path, map[string]string{"event": event}); a.StatusCode != http.StatusNoContent {
		s.t.Fatalf("report %s = %d %s, want 204", event, a.StatusCode, a.body)
	}
}

// connected goes all the way to the phone's page with the app link.
func (w *world) connected(more ...map[string]any) *story {
	w.t.Helper()
	s := w.begin(more...)
	s.open().wantPanel(w.t, http.StatusOK, "panel-waiting")
	s.scan().wantPage(w.t, http.StatusOK, "landing")
	s.tap().wantPage(w.t, http.StatusOK, "ready")
	return s
}

// delivered goes on until the app has its token.
func (w *world) delivered(more ...map[string]any) *story {
	w.t.Helper()
	s := w.connected(more...)
	s.toApp()
	return s
}

// toApp gives the app its token.
func (s *story) toApp() {
	s.t.Helper()
	if a := s.pickUp(); a.StatusCode != http.StatusOK || s.token.EndUserToken == "" {
		s.t.Fatalf("pickup = %d %s, want a token", a.StatusCode, a.body)
	}
}

// toEnd lets the app finish its journey.
func (s *story) toEnd() {
	s.t.Helper()
	if err := s.sim.SetJourney(s.made.InstanceID, finished); err != nil {
		s.t.Fatal(err)
	}
	s.report("finished")
	s.wantStatus(s.made.ID, "completed")
	s.open().wantPanel(s.t, http.StatusOK, "panel-completed")
}
