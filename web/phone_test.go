package web_test

import (
	"bytes"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

const (
	instagram = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 390.0.0.28.85 (iPhone17,1; iOS 18_5; en_GB; en; scale=3.00; 1206x2622; 750000000)"
	console   = "curl/8.9.1" // says nothing of what it is
)

// without drops headers that a request of a person has.
func without(r *http.Request, names ...string) *http.Request {
	for _, name := range names {
		r.Header.Del(name)
	}
	return r
}

func TestPreviewsStartNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fresh, s := w.begin(), w.begin()
	s.open()
	s.scan()
	seq := s.stored().Seq
	form := url.Values{"attempt": {newAttempt()}}
	for name, value := range map[string]string{
		"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch", "X-Purpose": "preview", "X-Moz": "prefetch",
	} {
		for _, r := range []*http.Request{
			fresh.desk.request(http.MethodGet, fresh.made.DisplayURL, nil),
			fresh.desk.request(http.MethodGet, fresh.made.DisplayURL+"/qr.svg", nil),
			s.phone.request(http.MethodGet, s.code(), nil),
			s.phone.request(http.MethodPost, s.code(), form),
			s.desk.request(http.MethodPost, s.made.DisplayURL+"/cancel", url.Values{}),
		} {
			r.Header.Set(name, value)
			a := send(t, &http.Client{CheckRedirect: stay}, r)
			a.wantPage(t, http.StatusServiceUnavailable, "problem")
			if a.Header.Get("Set-Cookie") != "" || a.Header.Get("Retry-After") == "" {
				t.Errorf("%s %s with %s: headers %v, want no cookie, and when to try again", r.Method, r.URL.Path, name, a.Header)
			}
		}
	}
	if got := w.get(fresh.made.ID).Status; got != "created" {
		t.Errorf("the display was prefetched: %s, want created", got)
	}
	if got := s.stored().Seq; got != seq {
		t.Errorf("seq = %d, want %d: nothing happens for a preview", got, seq)
	}
	if got := w.calls("start", "connect"); !slices.Equal(got, []string{"start"}) {
		t.Errorf("platform calls = %v, want the one of the display that a person opened", got)
	}
}

func TestLandingIsInert(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	before := s.stored()
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
		for _, agent := range []string{iPhone, console, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", ""} {
			p := w.person(agent)
			a := send(t, p.client, without(p.request(method, s.code(), nil), "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-Site"))
			switch {
			case method == http.MethodGet:
				a.wantPage(t, http.StatusOK, "landing")
			case method == http.MethodHead && (a.StatusCode != http.StatusOK || len(a.body) > 0):
				t.Errorf("HEAD of a code = %d with %d bytes, want 200 with none", a.StatusCode, len(a.body))
			}
		}
	}
	if after := s.stored(); after.Seq != before.Seq || after.Status != handoff.StatusDisplayed {
		t.Errorf("after programs have looked: %s, seq %d, want displayed, %d", after.Status, after.Seq, before.Seq)
	}
	s.scan()
	after := s.stored()
	if after.Status != handoff.StatusOpened || !after.Deadline.Equal(before.Deadline) || after.Claims != 0 || len(after.Codes) != len(before.Codes) {
		t.Errorf("after a person has looked: %s, deadline %s, %d claims, want opened and nothing else changed", after.Status, after.Deadline, after.Claims)
	}
	s.open().wantPanel(t, http.StatusOK, "panel-waiting")
	for range 3 {
		s.scan()
	}
	if got := s.stored().Seq; got != after.Seq {
		t.Errorf("looking again: seq %d, want %d", got, after.Seq)
	}
	if got := w.calls("start", "connect"); !slices.Equal(got, []string{"start"}) {
		t.Errorf("platform calls = %v, want the display's start alone", got)
	}
	s.tap().wantPage(t, http.StatusOK, "ready")
}

func TestDoubleTap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	s.scan()
	form := url.Values{"attempt": {newAttempt()}, "opened": {s.landing.page(t).Find(`input[name="opened"]`).AttrOr("value", "")}}
	tap := func(p *person, form url.Values) string {
		a := send(t, p.client, p.request(http.MethodPost, s.landing.url.String(), form))
		if a.StatusCode != http.StatusSeeOther {
			t.Fatalf("a tap = %d %s, want 303", a.StatusCode, a.testID(t))
		}
		return a.Header.Get("Location")
	}
	first := tap(s.phone, form)
	if again := tap(w.person(iPhone), form); again != first {
		t.Errorf("the same attempt without its cookie leads to %s, want %s", again, first)
	}
	form.Set("attempt", newAttempt())
	if again := tap(s.phone, form); again != first {
		t.Errorf("another attempt with the same cookie leads to %s, want %s", again, first)
	}
	if again := s.phone.get(s.code()); again.url.Path != first {
		t.Errorf("a scan by the phone that has it leads to %s, want %s", again.url.Path, first)
	}
	s.phone.get(w.public+first).wantPage(t, http.StatusOK, "ready")
	if got := w.calls("connect"); len(got) != 1 {
		t.Errorf("connects = %d, want one", len(got))
	}
}

func TestAnotherPhone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	s.scan()
	late := w.person(android)
	lateLanding := late.get(s.code()) // before the tap
	s.tap().wantPage(t, http.StatusOK, "ready")
	for _, a := range []answer{w.person(android).get(s.code()), late.press(lateLanding, "continue")} {
		a.wantPage(t, http.StatusConflict, "landing")
		if a.page(t).Find(`[data-testid="elsewhere"]`).Length() != 1 {
			t.Errorf("%s does not say that it is open somewhere else", a.url.Path)
		}
	}
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusOK, "ready")
	if h := w.get(s.made.ID); h.Status != "connected" || h.Device.OS != "iOS" {
		t.Errorf("handoff = %s by %+v, want connected by the first", h.Status, h.Device)
	}
	// The display alone lets the other one in.
	released := s.desk.press(s.open(), "action-release")
	released.wantPanel(t, http.StatusOK, "panel-waiting")
	old := s.landing.url.String()
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusGone, "notice-other_phone")
	s.phone.get(old).wantPage(t, http.StatusGone, "notice-old_code")
	late.get(old).wantPage(t, http.StatusGone, "notice-old_code")
	if p := s.pickUp().wantProblem(t, http.StatusGone, handoff.CodeGone); p.Reason != "released" {
		t.Errorf("the old app link: reason %q, want released", p.Reason)
	}
	first := s.phone
	s.phone = late
	s.scan().wantPage(t, http.StatusOK, "landing")
	s.tap().wantPage(t, http.StatusOK, "ready")
	s.toApp()
	s.toEnd()
	first.get(s.own.url.String()).wantPage(t, http.StatusNotFound, "notice-ended")
}

// TestWrongDevice: the scope excludes a class of device, as we see it or as the
// platform does.
func TestWrongDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	a := w.person(desktop).get(s.code())
	a.wantPage(t, http.StatusForbidden, "wrong-device")
	if a.page(t).Find("#qr path").AttrOr("d", "") == "" {
		t.Errorf("the page for a wrong device shows no code")
	}
	w.person(desktop).post(s.code(), url.Values{"attempt": {newAttempt()}}).wantPage(t, http.StatusForbidden, "wrong-device")
	s.phone = w.person(console) // of no known class: it may try, and the platform has the last word
	s.scan().wantPage(t, http.StatusOK, "landing")
	if err := w.sim.Fault(platformsim.Fault{Call: "connect", Kind: "status", Status: 403}); err != nil {
		t.Fatal(err)
	}
	s.tap().wantPage(t, http.StatusForbidden, "wrong-device")
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusForbidden, "wrong-device")
	w.wantStatus(s.made.ID, "displayed")
	s.open().wantPanel(t, http.StatusOK, "panel-waiting")
	s.phone = w.person(iPhone)
	s.scan()
	s.tap().wantPage(t, http.StatusOK, "ready")
	both := w.begin(map[string]any{"scope": []string{"desktop"}})
	both.open()
	both.scan().wantPage(t, http.StatusForbidden, "wrong-device")
	both.phone = w.person(desktop)
	both.scan().wantPage(t, http.StatusOK, "landing")
	both.tap().wantPage(t, http.StatusOK, "ready")
}

// TestCodesThatEnded: each has a page that says what to do.
func TestCodesThatEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		name string
		end  func(s *story)
		page string
	}{
		{"expired", func(s *story) { w.clock.advance(16 * time.Minute); w.wantStatus(s.made.ID, "expired") }, "notice-ended"},
		{"cancelled", func(s *story) { s.desk.press(s.open(), "action-cancel") }, "notice-ended"},
		{"cancelled by the partner", func(s *story) { w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/cancel", nil) }, "notice-ended"},
		{"rejected at the display", func(s *story) { s.desk.post(s.made.DisplayURL+"/reject", nil) }, "notice-stopped"},
		{"replaced", func(s *story) {
			for range handoff.MaxLive {
				w.create(map[string]any{"instanceId": s.made.InstanceID})
			}
		}, "notice-ended"},
		{"renewed", func(s *story) { s.desk.post(s.made.DisplayURL+"/renew", nil) }, "notice-old_code"},
		{"of an old frame", func(*story) { w.clock.advance(31 * time.Second) }, "notice-old_code"},
	} {
		s := w.begin()
		s.open()
		code := s.code()
		tt.end(s)
		w.person(iPhone).get(code).wantPage(t, http.StatusGone, tt.page)
		w.person(iPhone).post(code, url.Values{"attempt": {newAttempt()}}).wantPage(t, http.StatusGone, tt.page)
		_, challenge := pkce()
		a := w.native("/v1/claims", map[string]any{
			"code": code, "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef01"},
		})
		if p := a.wantProblem(t, http.StatusGone, handoff.CodeGone); p.Reason == "" {
			t.Errorf("%s: the app is told no reason: %s", tt.name, a.body)
		}
		if strings.HasPrefix(tt.name, "r") || strings.HasPrefix(tt.name, "c") {
			continue
		}
		if n := s.stored().Claims; n != 0 {
			t.Errorf("%s: %d claims, want none", tt.name, n)
		}
	}
}

// TestBadFrames: another's MAC, a flipped bit, a frame from the future and an old
// one are all the same page.
func TestBadFrames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, other := w.begin(), w.begin()
	s.open()
	other.open()
	good := s.code()
	reference, frame, _ := cutFrame(t, good)
	_, _, otherMAC := cutFrame(t, other.code())
	w.clock.advance(10 * time.Minute)
	ahead := s.code()
	w.clock.advance(-10 * time.Minute)
	flipped := []byte(good)
	flipped[len(flipped)-1] ^= 1
	var pages [][]byte
	for _, code := range []string{ahead, string(flipped), reference + "." + frame + "." + otherMAC, reference} {
		p := w.person(iPhone)
		a := p.get(code)
		a.wantPage(t, http.StatusGone, "notice-old_code")
		pages = append(pages, a.body)
		p.post(code, url.Values{"attempt": {newAttempt()}}).wantPage(t, http.StatusGone, "notice-old_code")
	}
	for _, page := range pages[1:] {
		if !bytes.Equal(page, pages[0]) {
			t.Errorf("two bad frames get different pages:\n%s\n%s", pages[0], page)
		}
	}
	w.person(iPhone).get(good).wantPage(t, http.StatusOK, "landing")
	w.wantStatus(s.made.ID, "opened")
}

// cutFrame takes a framed link apart.
func cutFrame(t *testing.T, code string) (reference, frame, mac string) {
	t.Helper()
	reference, rest, ok := strings.Cut(strings.TrimPrefix(code, "http://"), "/c/")
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 {
		t.Fatalf("code = %s, want one with a frame", code)
	}
	return "http://" + reference + "/c/" + parts[0], parts[1], parts[2]
}

// TestUnknownCodes: malformed, unknown and foreign ones get one body.
func TestUnknownCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	reference, _, _ := cutFrame(t, s.code())
	foreign := strings.Replace(s.code(), "/acme/", "/other/", 1)
	var first []byte
	for _, code := range []string{
		"/c/acme/0123456789ABCDEFGHJKMNPQRS", foreign[len(w.link):], "/c/nobody/" + reference[strings.LastIndex(reference, "/")+1:],
		"/c/acme/x", "/c/acme/%00%ff", "/c/acme/a.b.c.d", "/c/acme/" + strings.Repeat("A", 5000), "/c/acme/..%2f..%2fetc", "/c/ACME!/1",
	} {
		a := w.person(iPhone).get(w.public + code)
		a.wantPage(t, http.StatusNotFound, "notice-ended")
		if first == nil {
			first = a.body
		} else if !bytes.Equal(a.body, first) {
			t.Errorf("GET %.60s: another body than for an unknown code:\n%s\n%s", code, a.body, first)
		}
		if len(code) < 100 {
			w.person(iPhone).post(w.public+code, url.Values{"attempt": {newAttempt()}}).wantPage(t, http.StatusNotFound, "notice-ended")
		}
	}
	w.wantStatus(s.made.ID, "displayed")
}

// TestThisWasNotMe: asked once more; a fresh scan ends the handoff, a link only
// itself.
func TestThisWasNotMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.confirmation = handoff.ConfirmLinks })
	s := w.begin()
	s.open()
	s.scan()
	ask := s.phone.press(s.landing, "reject")
	ask.wantPage(t, http.StatusOK, "reject-ask")
	w.wantStatus(s.made.ID, "opened") // asked, and not done
	back, err := ask.url.Parse(ask.link(t, "back"))
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(40 * time.Second) // the frame is old by now; its opening is not
	s.phone.get(back.String()).wantPage(t, http.StatusOK, "landing")
	s.phone.press(ask, "reject-sure").wantPage(t, http.StatusOK, "notice-stopped")
	w.wantStatus(s.made.ID, "rejected")
	s.open().wantPanel(t, http.StatusOK, "panel-rejected")
	s.phone.get(s.landing.url.String()).wantPage(t, http.StatusGone, "notice-stopped")

	s = w.begin()
	s.open()
	link := s.copied()
	s.landing = s.phone.get(link)
	s.phone.press(s.phone.press(s.landing, "reject"), "reject-sure").wantPage(t, http.StatusOK, "notice-stopped")
	s.phone.get(link).wantPage(t, http.StatusGone, "notice-stopped")
	s.open().wantPanel(t, http.StatusOK, "panel-waiting")
	s.scan().wantPage(t, http.StatusOK, "landing")
	s.tap().wantPage(t, http.StatusOK, "ready")

	// Before it is confirmed, the page with the number ends its own claim alone.
	s = w.begin()
	s.open()
	link = s.copied()
	s.landing = s.phone.get(link)
	s.tap().wantPage(t, http.StatusOK, "number")
	s.phone.press(s.phone.press(s.own, "reject"), "reject-sure").wantPage(t, http.StatusOK, "notice-stopped")
	w.wantStatus(s.made.ID, "displayed")
	s.phone.get(link).wantPage(t, http.StatusGone, "notice-stopped")
	s.phone.get(s.own.url.String()).wantPage(t, http.StatusGone, "notice-stopped")
	s.scan()
	s.tap().wantPage(t, http.StatusOK, "ready")
	// After it, the handoff.
	s.phone.press(s.phone.post(s.own.url.String()+"/reject", nil), "reject-sure").wantPage(t, http.StatusOK, "notice-stopped")
	w.wantStatus(s.made.ID, "rejected")
}

// copied is the link the display gives for copying.
func (s *story) copied() string {
	s.t.Helper()
	a := s.desk.press(s.open(), "action-send-link")
	link := a.page(s.t).Find(`[data-testid="link"]`).AttrOr("value", "")
	if a.StatusCode != http.StatusOK || !strings.HasPrefix(link, s.link+"/c/acme/") {
		s.t.Fatalf("the display gives %q (%d), want a link", link, a.StatusCode)
	}
	return link
}

// TestInAppBrowser: the way out leads to another browser, where the frame is old.
func TestInAppBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	s.phone = w.person(instagram)
	a := s.scan()
	a.wantPage(t, http.StatusOK, "inapp")
	s.open().wantPanel(t, http.StatusOK, "panel-inapp")
	if !strings.Contains(string(a.body), "Instagram") || a.page(t).Find("form").Length() != 0 {
		t.Errorf("the page does not name Instagram, or has a form: %s", a.body)
	}
	out := a.page(t).Find(`[data-testid="link"]`).AttrOr("value", "")
	stay, err := a.url.Parse(a.link(t, "stay"))
	if err != nil {
		t.Fatal(err)
	}
	s.phone.get(stay.String()).wantPage(t, http.StatusOK, "landing")
	w.clock.advance(4*time.Minute + 30*time.Second)
	s.phone = w.person(iPhone)
	s.phone.get(a.url.String()).wantPage(t, http.StatusGone, "notice-old_code")
	s.landing = s.phone.get(out)
	s.landing.wantPage(t, http.StatusOK, "landing")
	s.tap().wantPage(t, http.StatusOK, "ready")
	if h := w.get(s.made.ID); h.Confirmed == nil || *h.Confirmed != "scan" || *h.Route != "qr" {
		t.Errorf("confirmed %v by %v, want by scan of the qr", h.Confirmed, h.Route)
	}
	// Neither forged, nor for another's code, nor too late.
	s = w.begin()
	s.open()
	s.phone = w.person(instagram)
	out = s.scan().page(t).Find(`[data-testid="link"]`).AttrOr("value", "")
	proof := out[strings.Index(out, "?"):]
	reference, _, _ := cutFrame(t, s.code())
	other := w.begin()
	other.open()
	otherReference, _, _ := cutFrame(t, other.code())
	for _, link := range []string{reference, reference + "?o=", reference + "?o=1900000000.k.x", otherReference + proof, out + "x"} {
		w.person(iPhone).get(link).wantPage(t, http.StatusGone, "notice-old_code")
	}
	w.clock.advance(5*time.Minute + 2*time.Second)
	w.person(iPhone).get(out).wantPage(t, http.StatusGone, "notice-old_code")
}

// TestCrossSite: a form another site sends, or one that does not say where it came
// from, does nothing.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	waiting := w.begin()
	waiting.open()
	seq := s.stored().Seq
	form := func() url.Values {
		return url.Values{"attempt": {newAttempt()}, "sure": {"1"}, "number": {"0000"}, "route": {"link"}}
	}
	var paths []string
	for _, action := range []string{"confirm", "release", "reject", "cancel", "renew", "extend", "send", "revoke", "no-phone", "continue"} {
		paths = append(paths, s.made.DisplayURL+"/"+action)
	}
	for _, action := range []string{"/open", "/store", "/reject"} {
		paths = append(paths, s.own.url.String()+action)
	}
	paths = append(paths, waiting.code(), waiting.code()+"/reject")
	for _, path := range paths {
		cross := s.phone.request(http.MethodPost, path, form())
		cross.Header.Set("Sec-Fetch-Site", "cross-site")
		cross.Header.Set("Origin", "https://evil.example")
		old := without(s.phone.request(http.MethodPost, path, form()), "Sec-Fetch-Site")
		old.Header.Set("Origin", "https://evil.example") // a browser without fetch metadata
		null := without(s.phone.request(http.MethodPost, path, form()), "Sec-Fetch-Site")
		null.Header.Set("Origin", "null")
		sibling := s.phone.request(http.MethodPost, path, form())
		sibling.Header.Set("Sec-Fetch-Site", "same-site")
		silent := without(s.phone.request(http.MethodPost, path, form()), "Sec-Fetch-Site", "Origin")
		for _, r := range []*http.Request{cross, old, null, sibling, silent} {
			send(t, s.phone.client, r).wantPage(t, http.StatusForbidden, "problem")
		}
	}
	if got := s.stored().Seq; got != seq {
		t.Errorf("seq = %d, want %d: nothing happened", got, seq)
	}
	if got := w.get(waiting.made.ID).Status; got != "displayed" {
		t.Errorf("the other handoff is %s, want displayed", got)
	}
	// A browser without fetch metadata, of the same origin, is as good as any.
	r := without(s.desk.request(http.MethodPost, s.made.DisplayURL+"/cancel", url.Values{}), "Sec-Fetch-Site")
	if a := send(t, s.desk.client, r); a.StatusCode != http.StatusSeeOther {
		t.Errorf("a form of ours from an older browser = %d, want 303", a.StatusCode)
	}
}

// TestPhoneIsNotFramed: none of its pages, whoever asks.
func TestPhoneIsNotFramed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	waiting := w.begin(map[string]any{"parentOrigin": "http://localhost:8999", "scope": []string{"any"}})
	waiting.open()
	seq := waiting.stored().Seq
	for _, address := range []string{waiting.code(), s.own.url.String(), s.own.link(t, "open"), w.public + "/c/acme/unknown"} {
		for _, dest := range []string{"iframe", "frame", "embed", "object", "fencedframe"} {
			r := s.phone.request(http.MethodGet, address, nil)
			r.Header.Set("Sec-Fetch-Dest", dest)
			a := send(t, s.phone.client, r)
			a.wantPage(t, http.StatusForbidden, "problem")
			if got := a.Header.Get("Set-Cookie"); got != "" {
				t.Errorf("%s as %s sets %s, want no cookie", r.URL.Path, dest, got)
			}
		}
		a := s.phone.get(address)
		if !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || a.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %v, want frame-ancestors 'none' and X-Frame-Options DENY", address, a.Header)
		}
	}
	// Going on on this device leaves the frame: in one, it takes nothing.
	r := waiting.desk.request(http.MethodPost, waiting.made.DisplayURL+"/continue", url.Values{})
	r.Header.Set("Sec-Fetch-Dest", "iframe")
	a := send(t, waiting.desk.client, r)
	a.wantPage(t, http.StatusForbidden, "problem")
	if got := a.Header.Get("Set-Cookie"); got != "" {
		t.Errorf("continue in a frame sets %s, want no cookie", got)
	}
	if got := waiting.stored(); got.Claim != nil || got.Seq != seq+1 { // the one landing that was seen
		t.Errorf("after frames: seq %d, claim %v, want %d and none", got.Seq, got.Claim, seq+1)
	}
}

// TestSlowPerson: the connect token is over before the tap; nobody notices.
func TestSlowPerson(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		s := w.begin()
		s.open()
		s.scan()
		w.clock.advance(130 * time.Second)
		s.tap().wantPage(t, http.StatusOK, "ready")
		if got, want := w.calls("start", "connect"), []string{"start", "start", "connect"}; !slices.Equal(got, want) {
			t.Errorf("calls = %v, want %v", got, want)
		}
		s.toApp()
		s.toEnd()
	})
}

// lost is the same browser after it has lost its cookies.
func (p *person) lost() *person {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	own := *p
	own.client = &http.Client{Jar: jar, CheckRedirect: stay}
	return &own
}

// forms are the actions a page offers.
func (a answer) forms(t testing.TB) []string {
	t.Helper()
	var names []string
	a.page(t).Find("form[data-testid]").Each(func(_ int, f *goquery.Selection) { names = append(names, f.AttrOr("data-testid", "")) })
	return names
}
