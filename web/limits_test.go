package web_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/limit"
)

// limiter counts against the rates of s, which are generous where a test sets none.
func limiter(t testing.TB, s setting, now func() time.Time) *limit.Limiter {
	t.Helper()
	plenty := limit.Rate{Count: 1_000_000, Per: time.Second}
	for _, r := range []*limit.Rate{
		&s.rates.CreatesPerPartner, &s.rates.ClaimsPerNetwork, &s.rates.PagesPerNetwork, &s.rates.UnknownPerNetwork, &s.rates.UpkeepPerPage,
	} {
		if *r == (limit.Rate{}) {
			*r = plenty
		}
	}
	l, err := limit.New(s.rates, now)
	if err != nil {
		t.Fatalf("limit.New(%+v) error = %v", s.rates, err)
	}
	return l
}

func streams(s setting) *limit.Streams {
	for _, n := range []*int{&s.streams.PerHandoff, &s.streams.PerNetwork, &s.streams.Total} {
		if *n == 0 {
			*n = 1_000_000
		}
	}
	return limit.NewStreams(s.streams)
}

// few is a limit that a test reaches, and that lets the next through a minute later.
func few(n int) limit.Rate { return limit.Rate{Count: n, Per: time.Duration(n) * time.Minute} }

// wantLimited checks an answer beyond a limit.
func wantLimited(t *testing.T, what string, a answer) {
	t.Helper()
	after, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if a.StatusCode != http.StatusTooManyRequests || err != nil || after < 1 || after > 60 {
		t.Errorf("%s = %d with Retry-After %q, want 429 with at most a minute: %s", what, a.StatusCode, a.Header.Get("Retry-After"), a.body)
	}
	if strings.HasPrefix(a.url.Path, "/v1/") {
		var p problem
		a.json(t, &p)
		if p.Code != "rate_limited" || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s = %+v of type %s, want the problem rate_limited", what, p, a.Header.Get("Content-Type"))
		}
		return
	}
	if got := a.page(t).Find("h1").First().Text(); got != "A short wait" {
		t.Errorf("%s has the heading %q, want one for people", what, got)
	}
}

func TestCreatesPerPartner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.rates.CreatesPerPartner = few(3) })
	body := func() map[string]any { return map[string]any{"instanceId": newInstance()} }
	for range 3 {
		w.create()
	}
	wantLimited(t, "the fourth handoff", w.call(http.MethodPost, "/v1/handoffs", body()))
	if a := w.callAs(w.other, http.MethodPost, "/v1/handoffs", body()); a.StatusCode != http.StatusCreated {
		t.Errorf("another partner's first handoff = %d, want 201", a.StatusCode)
	}
	if a := w.call(http.MethodGet, "/v1/handoffs", nil); a.StatusCode != http.StatusOK {
		t.Errorf("listing beyond the limit = %d, want 200: only creating is limited", a.StatusCode)
	}
	w.clock.advance(time.Minute)
	w.create()
	wantLimited(t, "the fifth", w.call(http.MethodPost, "/v1/handoffs", body()))
}

// TestRateLimitHeaders reads what every answer to a creation says of the quota, by
// the structured fields that it is written in.
func TestRateLimitHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.rates.CreatesPerPartner = few(3) })
	item := func(a answer, name string) (string, map[string]int64) {
		t.Helper()
		list, err := httpsfv.UnmarshalList(a.Header.Values(name))
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %q is no list of one: %v", name, a.Header.Values(name), err)
		}
		it, ok := list[0].(httpsfv.Item)
		if !ok {
			t.Fatalf("%s: %q is no item", name, a.Header.Values(name))
		}
		values := map[string]int64{}
		for _, key := range it.Params.Names() {
			v, _ := it.Params.Get(key)
			values[key], _ = v.(int64)
		}
		text, _ := it.Value.(string)
		return text, values
	}
	for i, tt := range []struct {
		body        map[string]any
		status      int
		left, after int64
	}{
		{map[string]any{"instanceId": newInstance()}, http.StatusCreated, 2, 60},
		{map[string]any{"instanceId": "short"}, http.StatusBadRequest, 1, 120}, // what is refused counts too
		{map[string]any{"instanceId": newInstance()}, http.StatusCreated, 0, 180},
		{map[string]any{"instanceId": newInstance()}, http.StatusTooManyRequests, 0, 180},
	} {
		a := w.call(http.MethodPost, "/v1/handoffs", tt.body)
		if a.StatusCode != tt.status {
			t.Fatalf("call %d = %d, want %d", i+1, a.StatusCode, tt.status)
		}
		name, policy := item(a, "RateLimit-Policy")
		if name != "creates_per_partner" || policy["q"] != 3 || policy["w"] != 180 {
			t.Errorf("call %d: RateLimit-Policy is %s %v, want 3 in 180 s", i+1, name, policy)
		}
		name, state := item(a, "RateLimit")
		if name != "creates_per_partner" || state["r"] != tt.left || state["t"] < 1 || state["t"] > tt.after {
			t.Errorf("call %d: RateLimit is %s %v, want %d left, and all of them in %d s at most", i+1, name, state, tt.left, tt.after)
		}
	}
	if a := w.call(http.MethodGet, "/v1/handoffs", nil); a.Header.Get("RateLimit") != "" {
		t.Errorf("a list has RateLimit %q, want none: nothing counts it", a.Header.Get("RateLimit"))
	}
}

// TestClaimsPerNetwork: all three ways of claiming count together, and who is
// beyond the limit has claimed nothing.
func TestClaimsPerNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.rates.ClaimsPerNetwork = few(3) })
	_, challenge := pkce()
	claims := map[string]func(h wire) answer{
		"POST /c": func(h wire) answer {
			phone := w.person(iPhone)
			return phone.press(phone.get(w.scan(h.DisplayURL)), "continue")
		},
		"POST /v1/claims": func(h wire) answer {
			return w.native("/v1/claims", map[string]any{
				"code": w.scan(h.DisplayURL), "codeChallenge": challenge,
				"deviceInfo": map[string]any{"deviceId": "0123456789abcdef", "deviceName": "Phone", "deviceType": "mobile"},
			})
		},
		"POST /h/continue": func(h wire) answer {
			w.person(iPhone).get(h.DisplayURL)
			return w.person(iPhone).post(h.DisplayURL+"/continue", nil)
		},
	}
	for name, claim := range claims {
		h := w.create()
		w.person(desktop).get(h.DisplayURL)
		if a := claim(h); a.StatusCode != http.StatusOK && a.StatusCode != http.StatusCreated {
			t.Fatalf("%s = %d %s, want the claim", name, a.StatusCode, a.body)
		}
	}
	for name, claim := range claims {
		h := w.create()
		w.person(desktop).get(h.DisplayURL)
		wantLimited(t, name, claim(h))
		if got := w.get(h.ID); got.Route != nil {
			t.Errorf("%s beyond the limit claimed by route %s", name, *got.Route)
		}
		w.clock.advance(time.Minute)
		if a := claim(h); a.StatusCode != http.StatusOK && a.StatusCode != http.StatusCreated {
			t.Errorf("%s a minute later = %d, want the claim", name, a.StatusCode)
		}
	}
}

// TestPagesPerNetwork: pages and forms count; what an open page asks to stay up to
// date does not, so that an office of open displays locks nobody out.
func TestPagesPerNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) {
		s.rates.PagesPerNetwork = few(4)
		s.rates.UpkeepPerPage = few(6)
	})
	h, other := w.create(), w.create()
	desk := w.person(desktop)
	desk.get(h.DisplayURL)
	desk.get(other.DisplayURL)
	for i := range 6 {
		path := []string{"/status", "/qr.svg", "/qr.png"}[i%3]
		if a := desk.get(h.DisplayURL + path); a.StatusCode != http.StatusOK {
			t.Fatalf("GET %s number %d = %d, want 200", path, i+1, a.StatusCode)
		}
	}
	for _, path := range []string{"/status", "/qr.svg", "/qr.png", "/events"} {
		wantLimited(t, "one page's "+path, desk.get(h.DisplayURL+path))
	}
	if a := desk.get(other.DisplayURL + "/status"); a.StatusCode != http.StatusOK {
		t.Errorf("another page's status = %d, want 200", a.StatusCode)
	}
	desk.get(h.DisplayURL)
	desk.post(h.DisplayURL+"/extend", nil) // the form; the page it leads to is the fifth
	for _, address := range []string{h.DisplayURL, w.public + "/c/acme/whatever", w.public + "/p/whatever", w.public + "/a/acme/whatever", w.public + "/nowhere"} {
		wantLimited(t, "GET "+address, desk.get(address))
	}
	wantLimited(t, "a form", desk.post(h.DisplayURL+"/cancel", nil))
	if got := w.get(h.ID); got.Status != "displayed" {
		t.Errorf("a form beyond the limit made the handoff %s", got.Status)
	}
	if a := desk.get(w.public + "/.well-known/assetlinks.json"); a.StatusCode != http.StatusOK {
		t.Errorf("the association file beyond the limit = %d, want 200", a.StatusCode)
	}
	w.create() // and the API has limits of its own
	w.clock.advance(time.Minute)
	if a := desk.get(h.DisplayURL); a.StatusCode != http.StatusOK {
		t.Errorf("the display a minute later = %d, want 200", a.StatusCode)
	}
}

func TestStreamLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits  limit.StreamLimits
		another bool // does another handoff from the same network get one?
	}{
		"streams_per_handoff": {limit.StreamLimits{PerHandoff: 3}, true},
		"streams_per_network": {limit.StreamLimits{PerNetwork: 3}, false},
		"streams":             {limit.StreamLimits{Total: 3}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setting) { s.streams = c.limits })
			h, other := w.create(), w.create()
			desk := w.person(desktop)
			var open []*stream
			for range 3 {
				s := desk.stream(h.DisplayURL, "")
				s.until("waiting")
				open = append(open, s)
			}
			s := desk.stream(h.DisplayURL, "")
			if after, err := strconv.Atoi(s.Header.Get("Retry-After")); s.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1 {
				t.Errorf("the fourth stream = %d with Retry-After %q, want 503 with one", s.StatusCode, s.Header.Get("Retry-After"))
			}
			if body, err := io.ReadAll(s.Body); err != nil || len(body) != 0 {
				t.Errorf("the fourth stream's body = %q, %v, want none", body, err)
			}
			if a := desk.get(h.DisplayURL + "/status"); a.StatusCode != http.StatusOK {
				t.Errorf("status beyond the limit = %d, want 200: the page polls", a.StatusCode)
			}
			if got := desk.stream(other.DisplayURL, "").StatusCode == http.StatusOK; got != c.another {
				t.Errorf("another handoff gets a stream: %v, want %v", got, c.another)
			}
			for _, s := range open {
				_ = s.Body.Close()
			}
			w.untilStream(h.DisplayURL)
		})
	}
}

// untilStream waits for a stream to be had: the server sees connections go in its
// own time.
func (w *world) untilStream(displayURL string) {
	w.t.Helper()
	desk := w.person(desktop)
	for begin := time.Now(); desk.stream(displayURL, "").StatusCode != http.StatusOK; {
		if time.Since(begin) > patience {
			w.t.Fatal("no stream is to be had after the others are closed")
		}
	}
}

// TestPollsInChromium: a display without a stream is kept up to date all the same.
func TestPollsInChromium(t *testing.T) {
	t.Parallel()
	b := browser.New(t)
	w := newWorld(t, func(s *setting) {
		s.confirmation = handoff.ConfirmAlways
		s.streams = limit.StreamLimits{Total: 1}
	})
	taken := w.create()
	w.person(desktop).stream(taken.DisplayURL, "").until("waiting")
	h := w.create()
	desk, phone := b.Desktop(t), b.Phone(t)
	desk.Navigate(h.DisplayURL)
	desk.WaitVisible("panel-waiting")
	phone.Navigate(browser.DecodeQR(t, desk.Screenshot()))
	desk.WaitVisible("slot-opened")
	phone.Follow("continue")
	phone.WaitVisible("digits")
	desk.WaitVisible("panel-number")
	number := browser.Eval[string](phone, `document.querySelector('[data-testid="digits"] [aria-hidden]').textContent`)
	typeNumber(desk, strings.TrimSpace(number))
	desk.WaitVisible("panel-connected")
	phone.WaitVisible("open")
	// What the browser says of a stream that it did not get is all there is.
	desk.WantNoProblems("503")
	phone.WantNoProblems("503")
	if browser.Eval[bool](desk, `!document.getElementById("offline").hidden`) {
		t.Error("the display says that it is offline")
	}
}
