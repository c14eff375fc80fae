package web_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// status is the display's state as JSON.
type status struct {
	V, Seq, PollAfter, Frame  int
	Status, Screen, ExpiresAt string
	Confirm, End, Extend      bool
	Slots                     map[string]string
	ReturnURL                 string
}

func (s *story) status() status {
	s.t.Helper()
	a := s.desk.get(s.made.DisplayURL + "/status")
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" {
		s.t.Fatalf("status = %d %s, want 200 and JSON", a.StatusCode, a.Header.Get("Content-Type"))
	}
	var st status
	a.json(s.t, &st)
	return st
}

// TestSameScreenTwice: at every step a reload, and another tab, show the same
// screen, and change nothing.
func TestSameScreenTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin(map[string]any{"returnUrl": "http://localhost:8999/done"})
	tab := w.person(desktop)
	see := func(panel, screen string) {
		t.Helper()
		first := s.open()
		first.wantPanel(t, http.StatusOK, panel)
		seq := s.stored().Seq
		for _, a := range []answer{s.open(), tab.get(s.made.DisplayURL)} {
			a.wantPanel(t, http.StatusOK, panel)
			for _, name := range []string{"data-seq", "data-status", "data-expires"} {
				if got, want := a.page(t).Find("main").AttrOr(name, ""), first.page(t).Find("main").AttrOr(name, ""); got != want {
					t.Errorf("%s: %s = %s on a second look, want %s", panel, name, got, want)
				}
			}
		}
		st := s.status()
		if st.V != 1 || st.Screen != screen || st.Seq != seq || st.ExpiresAt == "" || st.PollAfter < 1 || st.Confirm != (screen == "number") {
			t.Errorf("status = %+v, want v 1, screen %s, seq %d", st, screen, seq)
		}
		if got := s.stored().Seq; got != seq {
			t.Errorf("%s: looking again changes seq from %d to %d", panel, seq, got)
		}
	}
	see("panel-waiting", "waiting")
	s.scan()
	see("panel-waiting", "opened")
	s.tap()
	see("panel-number", "number")
	s.enter(s.digits())
	see("panel-connected", "connected")
	s.own = s.phone.get(s.own.url.String())
	see("panel-connected", "connected")
	s.toApp()
	see("panel-delivered", "delivered")
	s.report("failed")
	see("panel-stopped", "stopped")
	s.report("started")
	see("panel-delivered", "delivered")
	s.toEnd()
	see("panel-completed", "completed")
	if st := s.status(); !st.End || !strings.Contains(st.ReturnURL, "status=completed") {
		t.Errorf("status = %+v, want the end, with where to go", st)
	}
	if got := w.calls("start", "connect"); !slices.Equal(got, []string{"start", "connect"}) {
		t.Errorf("platform calls = %v, want one start and one connect", got)
	}
}

// TestQuiet: delivered, and nothing heard for a minute.
func TestQuiet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.delivered()
	w.clock.advance(59 * time.Second)
	s.open().wantPanel(t, http.StatusOK, "panel-delivered")
	w.clock.advance(2 * time.Second)
	s.open().wantPanel(t, http.StatusOK, "panel-quiet")
	s.desk.press(s.open(), "action-release").wantPanel(t, http.StatusOK, "panel-waiting")
	s.scan()
	s.tap().wantPage(t, http.StatusOK, "ready")
}

// TestFraming: one origin may, others may not, and no display sets a cookie.
func TestFraming(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const parent = "http://localhost:8999"
	alone, embedded := w.begin(), w.begin(map[string]any{"parentOrigin": parent})
	frame := func(s *story) answer {
		r := s.desk.request(http.MethodGet, s.made.DisplayURL, nil)
		r.Header.Set("Sec-Fetch-Dest", "iframe")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		return send(t, s.desk.client, r)
	}
	frame(alone).wantPage(t, http.StatusForbidden, "problem")
	page := frame(embedded)
	page.wantPanel(t, http.StatusOK, "panel-waiting")
	if got := page.page(t).Find("main").AttrOr("data-parent-origin", ""); got != parent {
		t.Errorf("the framed page speaks to %q, want %q", got, parent)
	}
	for _, a := range []answer{page, embedded.open()} {
		if got := directive(a, "frame-ancestors"); got != parent {
			t.Errorf("frame-ancestors = %q, want %s alone", got, parent)
		}
		if got, ok := a.Header["X-Frame-Options"]; ok {
			t.Errorf("X-Frame-Options = %q, want none", got)
		}
		if got := a.Header.Get("Cross-Origin-Resource-Policy"); got != "cross-origin" {
			t.Errorf("Cross-Origin-Resource-Policy = %q, want cross-origin: the parent may require it", got)
		}
	}
	if got := embedded.open().page(t).Find("main").AttrOr("data-parent-origin", ""); got != "" {
		t.Errorf("the page at top level speaks to %q, want nobody", got)
	}
	if a := alone.open(); directive(a, "frame-ancestors") != "'none'" || a.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("without a parent: %v, want not framed", a.Header)
	}
	for _, s := range []*story{alone, embedded} {
		for _, path := range []string{"", "/status", "/qr.svg", "/qr.png", "/unknown"} {
			if a := s.desk.get(s.made.DisplayURL + path); a.Header.Get("Set-Cookie") != "" {
				t.Errorf("GET display%s sets a cookie", path)
			}
		}
	}
	// Forms of a framed page are sent from its own origin, and set none either.
	for _, action := range []string{"send", "revoke", "renew", "extend", "cancel"} {
		r := embedded.desk.request(http.MethodPost, embedded.made.DisplayURL+"/"+action, url.Values{"route": {"link"}})
		r.Header.Set("Sec-Fetch-Dest", "empty")
		if a := send(t, embedded.desk.client, r); a.StatusCode != http.StatusSeeOther || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("POST %s in a frame = %d, cookie %q, want 303 and none", action, a.StatusCode, a.Header.Get("Set-Cookie"))
		}
	}
	// An unknown display is not framed by anybody.
	r := alone.desk.request(http.MethodGet, w.public+"/h/AAAAAAAAAAAAAAAAAAAAAA", nil)
	r.Header.Set("Sec-Fetch-Dest", "iframe")
	if a := send(t, alone.desk.client, r); directive(a, "frame-ancestors") != "'none'" || a.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("an unknown display: %v, want not framed", a.Header)
	}
}

// directive is one of a page's Content-Security-Policy.
func directive(a answer, name string) string {
	for d := range strings.SplitSeq(a.Header.Get("Content-Security-Policy"), ";") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(d), name+" "); ok {
			return value
		}
	}
	return ""
}

// TestForms: every button answers 303 to the page, early, in time and too late.
func TestForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, ended := w.begin(), w.begin()
	s.open()
	ended.open()
	ended.desk.press(ended.open(), "action-cancel").wantPanel(t, http.StatusOK, "panel-cancelled")
	for _, on := range []*story{s, ended, w.delivered()} {
		path := strings.TrimPrefix(on.made.DisplayURL, w.public)
		for _, action := range []string{"confirm", "release", "renew", "extend", "send", "revoke", "no-phone", "cancel", "reject"} {
			r := on.desk.request(http.MethodPost, on.made.DisplayURL+"/"+action, url.Values{"route": {"link"}, "number": {"1234"}})
			a := send(t, on.desk.client, r)
			if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != path {
				t.Errorf("%s at %s = %d to %q, want 303 to %s", action, on.made.Status, a.StatusCode, a.Header.Get("Location"), path)
			}
		}
	}
	other := w.begin()
	other.open()
	other.desk.post(other.made.DisplayURL+"/send", url.Values{"route": {"pigeon"}}).wantPage(t, http.StatusBadRequest, "problem")
	other.desk.post(other.made.DisplayURL+"/send", url.Values{"route": {"sms"}}).wantPage(t, http.StatusForbidden, "problem")
	other.desk.post(other.made.DisplayURL+"/send", url.Values{"route": {"link"}, "more": {strings.Repeat("x", 20<<10)}}).
		wantPage(t, http.StatusRequestEntityTooLarge, "problem")
	other.desk.post(w.public+"/h/AAAAAAAAAAAAAAAAAAAAAA/cancel", nil).wantPage(t, http.StatusNotFound, "problem")
	w.wantStatus(other.made.ID, "displayed")
}

// TestLinkAtTheDisplay: made, shown with when, and stopped.
func TestLinkAtTheDisplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	s.open()
	first := s.copied()
	a := s.open()
	if got := a.forms(t); !slices.Contains(got, "action-revoke-link") {
		t.Errorf("the display with a link offers %v, want to stop it", got)
	}
	second := s.desk.post(s.made.DisplayURL+"/send", url.Values{"route": {"link"}}).page(t).Find(`[data-testid="link"]`).AttrOr("value", "")
	if second == first || second == "" {
		t.Fatalf("a second link = %q, want another than the first", second)
	}
	w.person(iPhone).get(first).wantPage(t, http.StatusGone, "notice-old_code")
	w.person(iPhone).get(second).wantPage(t, http.StatusOK, "landing")
	s.desk.press(s.open(), "action-revoke-link").wantPanel(t, http.StatusOK, "panel-waiting")
	w.person(iPhone).get(second).wantPage(t, http.StatusGone, "notice-ended")
	if got := s.open().page(t).Find(`[data-testid="link"]`).AttrOr("value", ""); got != "" {
		t.Errorf("the display still shows %q", got)
	}
	s.scan().wantPage(t, http.StatusOK, "landing")
	s.tap().wantPage(t, http.StatusOK, "ready")
}

// TestDesktopClosed: nobody looks at the display any more; the phone finishes.
func TestDesktopClosed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		s := w.delivered(map[string]any{"returnUrl": "http://localhost:8999/done"})
		if err := w.sim.SetJourney(s.made.InstanceID, finished); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(61 * time.Second)
		w.wantStatus(s.made.ID, "completed")
		a := s.phone.get(s.own.url.String())
		a.wantPage(t, http.StatusOK, "finished")
		if got := a.link(t, "return"); !strings.HasPrefix(got, "http://localhost:8999/done?") {
			t.Errorf("the phone's way back = %q, want the return URL", got)
		}
	})
}

// TestFourth: a fourth live handoff of one journey takes the oldest one's place,
// unless an app has it.
func TestFourth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.delivered()
	same := map[string]any{"instanceId": first.made.InstanceID}
	second := w.begin(same)
	second.open()
	third := w.begin(same)
	fourth := w.begin(same)
	w.wantStatus(first.made.ID, "delivered")
	w.wantStatus(second.made.ID, "replaced")
	second.open().wantPanel(t, http.StatusOK, "panel-replaced")
	w.wantStatus(third.made.ID, "created")
	fourth.open().wantPanel(t, http.StatusOK, "panel-waiting")
}

// TestExpiry: at the deadline the platform is asked once more.
func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brief)
	running, done, waiting := w.delivered(), w.delivered(), w.begin(map[string]any{"returnUrl": "http://localhost:8999/done?order=7"})
	waiting.open()
	for _, s := range []*story{running, done} {
		s.report("started")
	}
	// The last question before the deadline gets no answer: only the final one can tell.
	logged := len(w.logs.String())
	if err := w.sim.Fault(platformsim.Fault{Call: "state", Kind: "status", Status: 404, Count: 2}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Hour - time.Second)
	w.wantStatus(waiting.made.ID, "expired")
	for _, s := range []*story{running, done} {
		w.wantLogged(logged, "journey_state_unknown", map[string]string{"handoff": s.made.ID})
	}
	if err := w.sim.SetJourney(done.made.InstanceID, finished); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(2 * time.Second)
	w.wantStatus(done.made.ID, "completed")
	w.wantStatus(running.made.ID, "expired")
	running.open().wantPanel(t, http.StatusOK, "panel-expired")
	a := waiting.open()
	a.wantPanel(t, http.StatusOK, "panel-expired")
	if got := a.page(t).Find("section:not([hidden]) a[data-return]").AttrOr("href", ""); !strings.Contains(got, "order=7") || !strings.Contains(got, "status=expired") {
		t.Errorf("the way back = %q, want order=7 and status=expired", got)
	}
	if p := waiting.native("/v1/claims", map[string]any{
		"code": w.link + "/c/acme/x", "codeChallenge": strings.Repeat("a", 43), "deviceInfo": map[string]string{"deviceId": "0123456789abcdef01"},
	}); p.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown code = %d, want 404", p.StatusCode)
	}
}

// watched is a store that tells of what is forgotten.
type watched struct {
	handoff.Store
	deleted chan handoff.ID
}

// TestRetain: an ended handoff can be read for as long as its partner wants, and
// is then as if it had never been.
func TestRetain(t *testing.T) {
	t.Parallel()
	deleted := make(chan handoff.ID, 1)
	w := newWorld(t, func(s *setting) {
		s.wrap = func(store handoff.Store) handoff.Store { return watched{store, deleted} }
	})
	s := w.begin()
	s.open()
	code := s.code()
	s.desk.press(s.open(), "action-cancel")
	w.clock.advance(59 * time.Minute)
	w.wantStatus(s.made.ID, "cancelled")
	w.person(iPhone).get(code).wantPage(t, http.StatusGone, "notice-ended")
	w.clock.advance(2 * time.Minute)
	select {
	case id := <-deleted:
		if string(id) != s.made.ID {
			t.Fatalf("forgotten: %s, want %s", id, s.made.ID)
		}
	case <-time.After(patience):
		t.Fatal("nothing was forgotten")
	}
	w.raw(http.MethodGet, "/v1/handoffs/"+s.made.ID, "").wantProblem(t, http.StatusNotFound, handoff.CodeNotFound)
	s.open().wantPage(t, http.StatusNotFound, "problem")
	w.person(iPhone).get(code).wantPage(t, http.StatusNotFound, "notice-ended")
}

// TestMoreTime: extended in time, not after delivery.
func TestMoreTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin(map[string]any{"expiresIn": 120})
	a := s.open()
	if n := a.page(t).Find(`section#more:not([hidden])`).Length(); n != 1 {
		t.Errorf("two minutes before the end the display does not ask whether more time is needed")
	}
	w.clock.advance(100 * time.Second)
	before := w.get(s.made.ID).ExpiresAt
	s.desk.press(s.open(), "action-extend").wantPanel(t, http.StatusOK, "panel-waiting")
	if after := w.get(s.made.ID).ExpiresAt; after.Sub(before) < 99*time.Second {
		t.Errorf("extended from %s to %s, want 100 s more", before, after)
	}
	w.clock.advance(100 * time.Second)
	s.scan().wantPage(t, http.StatusOK, "landing")
	s.tap()
	s.toApp()
	end := w.get(s.made.ID).ExpiresAt
	s.desk.post(s.made.DisplayURL+"/extend", nil).wantPanel(t, http.StatusOK, "panel-delivered")
	if after := w.get(s.made.ID).ExpiresAt; !after.Equal(end) {
		t.Errorf("after delivery extended from %s to %s, want it as the token's life bounds it", end, after)
	}
}

// TestNoPhone: back to the partner, who is told why.
func TestNoPhone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin(map[string]any{"returnUrl": "http://localhost:8999/done?order=7"})
	a := s.desk.press(s.open(), "action-no-phone")
	a.wantPanel(t, http.StatusOK, "panel-cancelled")
	back, err := url.Parse(a.page(t).Find("section:not([hidden]) a[data-return]").AttrOr("href", ""))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"order": {"7"}, "handoff": {s.made.ID}, "status": {"cancelled"}, "reason": {"no_phone"}}
	if got := back.Query().Encode(); got != want.Encode() {
		t.Errorf("the way back has %s, want %s", got, want.Encode())
	}
	// The query is the partner's, also where it is no list of pairs; a name that is ours is there once.
	odd := w.begin(map[string]any{"returnUrl": "http://localhost:8999/done?b;c&a=%zz&handoff=mine&%73tatus=x&flag&x=1+2%20"})
	odd.desk.press(odd.open(), "action-cancel").wantPanel(t, http.StatusOK, "panel-cancelled")
	if got, want := odd.status().ReturnURL, "http://localhost:8999/done?b;c&a=%zz&flag&x=1+2%20&handoff="+odd.made.ID+"&status=cancelled"; got != want {
		t.Errorf("the way back is %s, want %s", got, want)
	}
	if h := w.get(s.made.ID); h.Reason == nil || *h.Reason != "no_phone" {
		t.Errorf("reason = %v, want no_phone", h.Reason)
	}
}

// TestLanguages: the partner's wish, else the reader's.
func TestLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct{ locale, accept, lang, dir string }{
		{"de", "en", "de", "ltr"},
		{"ar", "en", "ar", "rtl"},
		{"de-AT", "en", "de", "ltr"},
		{"", "de;q=0.9, en;q=0.8", "de", "ltr"},
		{"", "ar", "ar", "rtl"},
		{"", "tlh", "en", "ltr"},
	} {
		more := map[string]any{}
		if tt.locale != "" {
			more["locale"] = tt.locale
		}
		s := w.begin(more)
		s.desk.accept, s.phone.accept = tt.accept, tt.accept
		for _, a := range []answer{s.open(), s.scan(), s.tap()} {
			html := a.page(t).Find("html")
			if lang, dir := html.AttrOr("lang", ""), html.AttrOr("dir", ""); lang != tt.lang || dir != tt.dir {
				t.Errorf("locale %q, accept %q: %s is %s %s, want %s %s", tt.locale, tt.accept, a.testID(t), lang, dir, tt.lang, tt.dir)
			}
		}
	}
}

// TestReloadsWithoutScript: a display without script reloads itself while there is
// something to wait for, and not while something is typed.
func TestReloadsWithoutScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin()
	reloads := func(a answer, want bool) {
		t.Helper()
		if got := bytes.Contains(a.body, []byte(`<noscript><meta http-equiv="refresh"`)); got != want {
			t.Errorf("%s reloads itself: %t, want %t", a.panel(t), got, want)
		}
	}
	reloads(s.open(), true)
	s.scan()
	s.tap()
	reloads(s.open(), false)
	s.enter(s.digits())
	reloads(s.open(), true)
	reloads(s.desk.press(s.open(), "action-cancel"), false)
}

func (s watched) Delete(ctx context.Context, id handoff.ID) error {
	err := s.Store.Delete(ctx, id)
	s.deleted <- id
	return err
}
