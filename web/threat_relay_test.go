package web_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// framed is a code taken apart.
type framed struct {
	link, mac string
	frame     int64
	shown     time.Time // when its frame began
}

func (f framed) String() string { return f.link + "." + f.number() + "." + f.mac }

func (f framed) number() string { return strings.ToUpper(strconv.FormatInt(f.frame, 32)) }

func (s *story) frame() framed {
	s.t.Helper()
	parts := strings.Split(s.code(), ".")
	n := len(parts) - 2
	frame, err := strconv.ParseInt(parts[n], 32, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	h := s.stored()
	return framed{strings.Join(parts[:n], "."), parts[n+1], frame, h.DisplayedAt.Add(time.Duration(frame) * h.Terms.Frame)}
}

// set puts the clock to t, or as little after it as the test takes.
func (c *clock) set(t time.Time) { c.advance(t.Sub(c.now())) }

// TestThreatRelay: a code that is not of this moment, or not as we made it, gets one
// neutral answer, whatever is wrong with it.
func TestThreatRelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := func(age time.Duration) func(s *story) string {
		return func(s *story) string {
			f := s.frame()
			w.clock.set(f.shown.Add(age))
			return f.String()
		}
	}
	var first [3]string
	for _, tt := range []struct {
		what string
		code func(s *story) string
	}{
		{"31 s old", old(31 * time.Second)},
		{"an hour old", old(14 * time.Minute)},
		{"6 s ahead", func(s *story) string {
			w.clock.advance(time.Minute)
			f := s.frame()
			w.clock.set(f.shown.Add(-6 * time.Second))
			return f.String()
		}},
		{"a flipped bit in the MAC", func(s *story) string {
			const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford's: the letter stays one of ours
			code := s.code()
			last := len(code) - 1
			return code[:last] + string(alphabet[strings.IndexByte(alphabet, code[last])^1])
		}},
		{"the next frame's number", func(s *story) string { f := s.frame(); f.frame++; return f.String() }},
		{"another handoff's MAC", func(s *story) string {
			other := s.begin()
			other.open()
			f := s.frame()
			f.mac = other.frame().mac
			return f.String()
		}},
		{"no frame", func(s *story) string { return s.frame().link }},
		{"a short MAC", func(s *story) string { f := s.frame(); f.mac = f.mac[:1]; return f.String() }},
		{"a forged proof", func(s *story) string { return s.frame().link + "?o=1900000000.00000000.AAAAAAAAAAAAAAAAAAAAAA" }},
	} {
		s := w.begin()
		s.open()
		code := tt.code(s)
		_, challenge := pkce()
		answers := [3]answer{
			w.person(iPhone).get(code), w.person(iPhone).post(code, url.Values{"attempt": {newAttempt()}}),
			w.native("/v1/claims", map[string]any{
				"code": code, "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef", "deviceType": "mobile"},
			}),
		}
		answers[0].wantPage(t, http.StatusGone, "notice-old_code")
		answers[1].wantPage(t, http.StatusGone, "notice-old_code")
		if p := answers[2].wantProblem(t, http.StatusGone, handoff.CodeGone); p.Reason != "replaced" {
			t.Errorf("%s: the app is told %q, want replaced", tt.what, p.Reason)
		}
		for i, a := range answers {
			got := strings.NewReplacer(s.made.SupportRef, "REF", a.Header.Get("X-Request-ID"), "ID").Replace(string(a.body))
			if first[i] == "" {
				first[i] = got
			} else if got != first[i] {
				t.Errorf("%s: answer %d differs from that to another code:\n%s\n%s", tt.what, i, got, first[i])
			}
		}
		if h := s.stored(); h.Claims != 0 || h.Status != handoff.StatusDisplayed {
			t.Errorf("%s: the handoff is %s with %d claims, want displayed with none", tt.what, h.Status, h.Claims)
		}
		if !strings.Contains(code, "?") { // nothing was hurt: the code on the display is as good as ever
			w.person(iPhone).get(s.code()).wantPage(t, http.StatusOK, "landing")
		}
	}
	for _, age := range []time.Duration{29 * time.Second, -4 * time.Second} { // and these are good
		s := w.begin()
		s.open()
		w.clock.advance(time.Minute)
		f := s.frame()
		w.clock.set(f.shown.Add(age))
		w.person(iPhone).get(f.String()).wantPage(t, http.StatusOK, "landing")
	}
}

// TestThreatRelayOfALanding: who opened a good frame has five minutes, on the
// landing's form as by its way out, and not more.
func TestThreatRelayOfALanding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		after time.Duration
		good  bool
	}{{4*time.Minute + 55*time.Second, true}, {5*time.Minute + 2*time.Second, false}} {
		form, out := w.begin(), w.begin()
		form.open()
		form.scan().wantPage(t, http.StatusOK, "landing")
		out.open()
		out.phone = w.person(instagram)
		link := out.scan().page(t).Find(`[data-testid="link"]`).AttrOr("value", "")
		w.clock.advance(tt.after)
		tapped, opened := form.tap(), w.person(iPhone).get(link)
		_, challenge := pkce()
		claimed := w.native("/v1/claims", map[string]any{"code": link, "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef"}})
		if tt.good {
			tapped.wantPage(t, http.StatusOK, "ready")
			opened.wantPage(t, http.StatusOK, "landing")
			if claimed.StatusCode != http.StatusCreated {
				t.Errorf("an app's claim by the way out after %s = %d, want 201", tt.after, claimed.StatusCode)
			}
			continue
		}
		tapped.wantPage(t, http.StatusGone, "notice-old_code")
		opened.wantPage(t, http.StatusGone, "notice-old_code")
		claimed.wantProblem(t, http.StatusGone, handoff.CodeGone)
		if n := form.stored().Claims + out.stored().Claims; n != 0 {
			t.Errorf("%d claims after %s, want none", n, tt.after)
		}
	}
}

// TestThreatRelayClocks: two processes 5 s apart lose no good scan, whichever shows
// the code, and whichever is asked.
func TestThreatRelayClocks(t *testing.T) {
	t.Parallel()
	for _, apart := range []time.Duration{5 * time.Second, -5 * time.Second} {
		shows := newWorld(t)
		asked := newWorld(t, func(s *setting) { s.beside = shows })
		asked.clock.advance(apart)
		for _, age := range []time.Duration{0, 2 * time.Second, 4900 * time.Millisecond, 24 * time.Second} {
			s := shows.begin()
			s.open()
			shows.clock.advance(time.Minute)
			asked.clock.advance(time.Minute)
			f := s.frame()
			pass := f.shown.Add(5 * time.Second).Sub(shows.clock.now()) // the next frame begins
			shows.clock.advance(pass)
			asked.clock.advance(pass)
			f = s.frame()
			shows.clock.advance(age)
			asked.clock.advance(age)
			s.phone = asked.person(iPhone)
			landing := asked.at(s.phone, s.phone.request(http.MethodGet, f.String(), nil))
			landing.wantPage(t, http.StatusOK, "landing")
			opened := landing.page(t).Find(`input[name="opened"]`).AttrOr("value", "")
			// The tap comes to the first process again: its clock may be behind the landing's.
			tap := s.phone.post(f.String(), url.Values{"attempt": {newAttempt()}, "opened": {opened}})
			tap.wantPage(t, http.StatusOK, "ready")
		}
	}
}

// at sends a request of p's to this process, whatever its address, and follows nothing.
func (w *world) at(p *person, r *http.Request) answer {
	w.t.Helper()
	r.Host = r.URL.Host
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range p.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	asked := *r.URL
	r.URL.Host = w.listen
	a := send(w.t, &http.Client{Jar: jar, CheckRedirect: stay}, r)
	p.client.Jar.SetCookies(&asked, a.Cookies())
	a.url = &asked
	return a
}
