package main

import (
	"encoding/json"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// long reports whether what takes its time is tried too.
func long() bool { return os.Getenv("HANDOFF_LONG") != "" }

// player is an engineer at the playground: presses buttons, reads what the page
// says of it, and asks the portal's API whether it is so.
type player struct {
	*person

	w           *world
	at, display string
}

// apiHandoff is a handoff as the Partner API tells it.
type apiHandoff struct {
	Status               string
	DisplayURL           string
	Route, Confirmed     string
	CreatedAt, ExpiresAt time.Time
	Events               []struct{ Type string }
}

// playing creates a handoff with the form as it is, but for what is given, and
// opens its display as the frame would.
func (w *world) playing(t *testing.T, with url.Values) *player {
	t.Helper()
	p := &player{person: newPerson(t, "engineer"), w: w}
	_, form := p.get(w.shop + "/play")
	typed := url.Values{}
	for _, m := range regexp.MustCompile(`name="(\w+)" data-testid="\w+" value="([^"]*)"`).FindAllStringSubmatch(form, -1) {
		typed.Set(m[1], m[2])
	}
	typed.Set("scope", "mobile")
	maps.Copy(typed, with)
	p.arrive(p.post(w.shop+"/play", typed))
	return p
}

// arrive is at the playground of a handoff, whose frame is shown.
func (p *player) arrive(at, page string) {
	p.t.Helper()
	p.at, p.display = at, find(p.t, page, `<handoff-frame [^>]*src="([^"]+)"`)
	p.get(p.display)
}

// jwt is one of the platform's tokens; an identifier of ours may well begin like it.
var jwt = regexp.MustCompile(`eyJ[\w-]{6,}\.[\w-]{6,}\.`)

// press presses a button and returns what the page says that it did.
func (p *player) press(act string) string {
	p.t.Helper()
	_, page := p.post(p.at, url.Values{"act": {act}})
	if strings.Contains(page, p.w.key) || jwt.MatchString(page) {
		p.t.Errorf("after %q the page holds the partner key or a token", act)
	}
	return find(p.t, strings.ReplaceAll(page, "\n", " "), `data-testid="deed">(.*?)</article>`)
}

func (p *player) api() apiHandoff {
	p.t.Helper()
	var h apiHandoff
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.w.portal+"/v1/handoffs/"+p.at[strings.LastIndex(p.at, "/")+1:], http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.w.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil {
		p.t.Fatal(err)
	}
	return h
}

// htmlText is markup as a person reads it, near enough.
func htmlText(markup string) string {
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(markup, " "))
}

// pressed is a button with what the page must say of it, and what the portal's
// API must say then.
type pressed struct {
	act    string
	seen   []string
	status string
}

// TestPlaygroundButtons presses each button of the fake phone's.
func TestPlaygroundButtons(t *testing.T) {
	w := startDemo(t)
	for _, tt := range []struct {
		name  string
		steps []pressed
	}{
		{"the good path by the browser", []pressed{
			{"scan", []string{"→ 200 “Continue with Acme Bank?”", "POST /c/acme/… → 303", "→ 200 “You’re connected”"}, "connected"},
			{"open", []string{"POST /v1/pickups → 200", "end-user token of ", "report started → 204"}, "delivered"},
		}},
		{"the good path by the app", []pressed{
			{"app", []string{"POST /v1/claims → 201 confirmed", "Acme Bank asks you to carry on here", "report started → 204"}, "delivered"},
			{"leave", []string{"report left → 204"}, "delivered"},
		}},
		{"chat preview", []pressed{{"preview", []string{"HEAD /c/acme/… → 200", "GET /c/acme/… → 200 “Continue with Acme Bank?”", "as a prefetch → 503"}, "displayed"}}},
		{"in-app browser", []pressed{{"inapp", []string{"→ 200 “Open this in your browser”"}, "opened"}}},
		{"mail scanner, then a person", []pressed{
			{"scanner", []string{"POST /c/acme/… → 303", "→ 200 “Type this on your computer”", "→ 200 “Stop this?”", "→ 200 “Stopped”"}, "displayed"},
			{"scan", []string{"The phone shows "}, "claimed"},
		}},
		{"second phone", []pressed{
			{"scan", nil, "connected"},
			{"second", []string{"→ 409 “Already open somewhere else”", "The phone shows "}, "connected"},
		}},
		{"not me after a scan", []pressed{{"scan", nil, "connected"}, {"notme", []string{"→ 200 “Stop this?”", "→ 200 “Stopped”"}, "rejected"}}},
		{"not me after a link", []pressed{{"link", nil, "claimed"}, {"notme", []string{"→ 200 “Stopped”"}, "displayed"}}},
		{"forged code", []pressed{{"forged", []string{"→ 410 “Look at your computer”"}, "displayed"}}},
		{"photographed code", []pressed{
			{"stale", []string{"Press again in 31 seconds"}, "displayed"},
			{"stale", []string{"The photograph is too new to be old"}, "displayed"},
		}},
		{"wrong numbers", []pressed{
			{"wrong", []string{"no phone shows a number now"}, "displayed"},
			{"link", []string{"The phone shows "}, "claimed"},
			{"wrong", []string{"POST /h/…/confirm → 303"}, "claimed"},
			{"wrong", []string{"POST /h/…/confirm → 303"}, "displayed"},
			{"wrong", []string{"no phone shows a number now"}, "displayed"},
		}},
		{"app not installed", []pressed{{"scan", nil, "connected"}, {"store", []string{"POST /p/…/store → 204", "→ 200 “Installed?”"}, "connected"}}},
		{"lost answers", []pressed{
			{"lost", []string{"POST /c/acme/…: the network is gone", "POST /c/acme/… → 303", "→ 200 “You’re connected”"}, "connected"},
			{"lostpickup", []string{"the network is gone", "with the same verifier → 200", "with another verifier → 410 used"}, "delivered"},
		}},
		{"the shop cancels", []pressed{{"cancel", []string{"/cancel → 200"}, "cancelled"}, {"scan", []string{"there is no code on the screen now"}, "cancelled"}}},
		{"forged webhook", []pressed{{"badhook", []string{"POST /hooks → 401"}, "displayed"}}},
		{"too early", []pressed{{"open", []string{"let it scan first"}, "displayed"}, {"finish", []string{"the app is not open yet"}, "displayed"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := w.playing(t, nil)
			for _, s := range tt.steps {
				seen := p.press(s.act)
				for _, want := range s.seen {
					if !strings.Contains(htmlText(seen), want) {
						t.Errorf("after %q the page says %q, want %q in it", s.act, htmlText(seen), want)
					}
				}
				h := p.api()
				if h.Status != s.status {
					t.Errorf("after %q the handoff is %s, want %s", s.act, h.Status, s.status)
				}
				if n := slices.IndexFunc(h.Events, func(e struct{ Type string }) bool { return e.Type == "completed" }); n >= 0 {
					t.Errorf("after %q the handoff was completed, which nobody did", s.act)
				}
			}
		})
	}
}

// The journey's end, by either button: the display is told by itself.
func TestPlaygroundEnds(t *testing.T) {
	w := startDemo(t)
	for _, act := range []string{"finish", "fail"} {
		p := w.playing(t, nil)
		await := follow(t, p.display)
		p.press("app")
		if seen := p.press(act); !strings.Contains(seen, "the journey is settled") {
			t.Errorf("after %q the page says %q, want that the journey is settled", act, seen)
		}
		await("completed")
		if h := p.api(); h.Status != "completed" || h.Route != "qr" {
			t.Errorf("after %q the handoff is %+v, want it completed, by its QR code", act, h)
		}
		for page := ""; !strings.Contains(page, "handoff.completed</strong> signature valid"); {
			if _, page = p.get(p.at + "/seen"); t.Context().Err() != nil {
				t.Fatalf("after %q no webhook says completed: %s", act, page)
			}
		}
	}
}

// The platform's bad days are the stand-in's, for whoever calls next: each has a
// demonstration of its own. None is the end of a handoff.
func TestPlaygroundPlatformFaults(t *testing.T) {
	for _, tt := range []struct{ act, seen, status string }{
		{"slow", "→ 200 “You’re connected”", "connected"},
		{"gone", "→ 200 “You’re connected”", "connected"},
		{"down", "→ 503 “Just a moment”", "confirmed"},
		{"busy", "→ 503 “Just a moment”", "confirmed"},
	} {
		t.Run(tt.act, func(t *testing.T) {
			t.Parallel()
			p := startDemo(t).playing(t, nil)
			if seen := p.press(tt.act); !strings.Contains(seen, "POST /_sim/faults") || !strings.Contains(seen, "→ 204") {
				t.Errorf("after %q the page says %q, want the stand-in's answer", tt.act, seen)
			}
			if seen := htmlText(p.press("scan")); !strings.Contains(seen, tt.seen) {
				t.Errorf("with the platform %s, scanning says %q, want %q in it", tt.act, seen, tt.seen)
			}
			if got := p.api().Status; got != tt.status {
				t.Errorf("with the platform %s, the handoff is %s, want %s", tt.act, got, tt.status)
			}
			if seen := htmlText(p.press("open")); p.api().Status != "delivered" {
				t.Errorf("with the platform %s, the handoff is %s in the end, want delivered: %s", tt.act, p.api().Status, seen)
			}
		})
	}
}

// What takes its time: a minute that passes, and a photograph that grows old.
func TestPlaygroundWaits(t *testing.T) {
	w := startDemo(t)
	p := w.playing(t, nil)
	p.arrive(p.post(p.at, url.Values{"act": {"minute"}}))
	if h := p.api(); h.ExpiresAt.Sub(h.CreatedAt) != time.Minute {
		t.Errorf("the one that expires has %s, want a minute", h.ExpiresAt.Sub(h.CreatedAt))
	}
	if !long() {
		t.Log("not waited for without HANDOFF_LONG: the minute's end, and the photograph's")
		return
	}
	await := follow(t, p.display)
	p.press("stale")
	for seen := ""; !strings.Contains(seen, "→ 410 “Look at your computer”"); {
		time.Sleep(time.Second)
		if seen = htmlText(p.press("stale")); t.Context().Err() != nil {
			t.Fatalf("a photographed code says %q, and never that it is old", seen)
		}
	}
	await("expired")
	if got := p.api().Status; got != "expired" {
		t.Errorf("after its minute the handoff is %s, want expired", got)
	}
}

// The portal's refusals are shown beside the fields they are about, and so is the
// request; the key is not.
func TestPlaygroundShowsRefusals(t *testing.T) {
	w := startDemo(t)
	send := func(typed url.Values) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.shop+"/play", strings.NewReader(typed.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(page)
	}
	status, page := send(url.Values{
		"instanceId": {"x"}, "scope": {"fridge"}, "expiresIn": {"59"}, "confirmation": {"never"}, "locale": {"!"},
		"parentOrigin": {"https://elsewhere.example"}, "returnUrl": {"https://elsewhere.example/"}, "label": {"<b>bold</b>"},
	})
	if status != http.StatusBadRequest || strings.Contains(page, w.key) || strings.Contains(page, "<b>") {
		t.Errorf("POST /play of nonsense = %d, want 400 without the key, and escaped: %s", status, page)
	}
	for _, pointer := range []string{"/instanceId", "/scope/0", "/expiresIn", "/confirmation", "/locale", "/parentOrigin", "/returnUrl"} {
		if !strings.Contains(page, `data-testid="wrong">`+pointer+": ") {
			t.Errorf("the page does not say at its field what is wrong with %s", pointer)
		}
	}
	for _, typed := range []url.Values{
		{"instanceId": {"PiAPlay01234567890"}, "resourceId": {"both@latest"}},
		{"instanceId": {"PiAPlay01234567890"}, "expiresIn": {"soon"}},
		{"resourceId": {"one@latest"}, "context": {"no object"}},
		{"instanceId": {"PiAPlay01234567890"}, "app": {"other"}},
	} {
		if status, page := send(typed); status != http.StatusBadRequest || !strings.Contains(page, "invalid_request") {
			t.Errorf("POST /play of %v = %d, want the portal's 400", typed, status)
		}
	}
	// And what it does not refuse, with a journey that the portal starts.
	p := w.playing(t, url.Values{"instanceId": {""}, "resourceId": {"check@latest"}, "context": {`{"config":{"delivery":"api"}}`}, "confirmation": {"always"}, "locale": {"ar"}})
	if seen := p.press("scan"); !strings.Contains(seen, "The phone shows ") || p.api().Status != "claimed" {
		t.Errorf("with confirmation always, scanning says %q, want a number", seen)
	}
}

// One browser's plays are nobody else's, and only buttons that are there are pressed.
func TestPlaygroundIsOnesOwn(t *testing.T) {
	w := startDemo(t)
	p := w.playing(t, nil)
	for _, tt := range []struct {
		client     *http.Client
		method, at string
		want       int
	}{
		{http.DefaultClient, http.MethodGet, p.at, http.StatusNotFound},
		{http.DefaultClient, http.MethodGet, p.at + "/seen", http.StatusNotFound},
		{http.DefaultClient, http.MethodGet, p.at + "/stream", http.StatusNotFound},
		{http.DefaultClient, http.MethodPost, p.at + "?act=cancel", http.StatusNotFound},
		{p.http, http.MethodPost, p.at + "?act=nonsense", http.StatusBadRequest},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, tt.at, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tt.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s %s = %d, want %d", tt.method, tt.at, resp.StatusCode, tt.want)
		}
	}
	if got := p.api().Status; got != "displayed" {
		t.Errorf("the handoff is %s, want nothing to have happened", got)
	}
}
