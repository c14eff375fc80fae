package main

import (
	"bufio"
	"context"
	"encoding/json"
	"html"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/handoff-portal/handoff/internal/phone"
)

// iPhone is what Safari on one says of itself.
const iPhone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"

// world is a demonstration that runs, and what it printed.
type world struct {
	t                      *testing.T
	shop, portal, app, key string
	display, link          string // of the ready-made handoff
	stop                   func() error
}

// Ports are taken in turn, so that two tests at once never try the same, and from
// below those that a system gives away (RFC 6335 §6, and lower still where Linux or
// a sandbox is set to more): a connection of somebody else's may have any of them.
const (
	firstPort = 10_000
	portSlots = 1_500
)

var portSlot = func() *atomic.Uint32 {
	turn := new(atomic.Uint32)
	turn.Store(rand.Uint32N(portSlots)) // processes seldom begin at the same
	return turn
}()

// fourPorts finds four free ports in a row.
func fourPorts(t *testing.T) int {
	t.Helper()
	for range portSlots {
		first, free := firstPort+4*int(portSlot.Add(1)%portSlots), true
		for i := 0; i < 4 && free; i++ {
			ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(first+i))
			if free = err == nil; free {
				ln.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatal("no four free ports in a row")
	return 0
}

func startDemo(t *testing.T) *world {
	t.Helper()
	lines, stop := start(t, "demo", "--port", strconv.Itoa(fourPorts(t)))
	w := &world{t: t, stop: stop}
	w.shop = address(t, lines, "Begin here")
	w.portal = address(t, lines, "The portal")
	w.app = address(t, lines, "The app")
	for lines.Scan() {
		if _, key, ok := strings.Cut(lines.Text(), "Partner key"); ok {
			w.key = strings.TrimSpace(key)
			break
		}
	}
	w.display = address(t, lines, "Its display:")
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "handoff phone '"); ok {
			w.link, _, _ = strings.Cut(rest, "'")
			break
		}
	}
	go func() {
		for lines.Scan() {
		}
	}()
	return w
}

// person is a browser with cookies that sends its forms as a browser does.
type person struct {
	t     *testing.T
	http  *http.Client
	agent string
}

func newPerson(t *testing.T, agent string) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t, &http.Client{Jar: jar}, agent}
}

func (p *person) do(method, address string, form url.Values) (at, page string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("User-Agent", p.agent)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := p.http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s %s = %s: %s", method, resp.Request.URL.Path, resp.Status, body)
	}
	return resp.Request.URL.String(), string(body)
}

func (p *person) get(address string) (at, page string) { return p.do(http.MethodGet, address, nil) }
func (p *person) post(address string, form url.Values) (at, page string) {
	return p.do(http.MethodPost, address, form)
}

// find returns the first group of pattern in page, as a browser reads it.
func find(t *testing.T, page, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no %s in the page:\n%s", pattern, page)
	}
	return html.UnescapeString(m[1])
}

// follow opens the display's stream and returns a function that waits for a
// status.
func follow(t *testing.T, display string) (await func(status string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, display+"/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func(status string) {
		t.Helper()
		for lines.Scan() {
			var state struct{ Status string }
			text, ok := strings.CutPrefix(lines.Text(), "data: ")
			if ok && json.Unmarshal([]byte(text), &state) == nil && state.Status == status {
				return
			}
		}
		t.Fatalf("the display's stream ended before %q: %v", status, lines.Err())
	}
}

// The terminal's phone takes the ready-made handoff's link, the number is typed
// on the display, and the journey ends.
func TestDemoPhoneInTerminal(t *testing.T) {
	w := startDemo(t)
	await := follow(t, w.display)
	lines, stop := start(t, "phone", w.link, "--yes", "--finish")
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if _, number, ok := strings.Cut(lines.Text(), "on the computer: "); ok {
			newPerson(t, "desk").post(w.display+"/confirm", url.Values{"number": {number}})
		}
	}
	if err := stop(); err != nil {
		t.Fatalf("run(phone) = %v after\n%s", err, strings.Join(said, "\n"))
	}
	await("completed")
	if all := strings.Join(said, "\n"); !strings.Contains(all, "Reported: finished.") || !strings.Contains(all, "Got: end-user token, ") {
		t.Errorf("run(phone) printed\n%s\nwant the token's length and the reports", all)
	}
	if err := w.stop(); err != nil {
		t.Errorf("run(demo) after its context ended = %v, want nil", err)
	}
}

// A person opens an account at the shop, and the terminal's phone reads the code
// off a picture of the display.
func TestDemoShopAndPicture(t *testing.T) {
	w := startDemo(t)
	desk := newPerson(t, "desk")
	at, page := desk.post(w.shop+"/open", url.Values{"where": {"frame"}})
	display := find(t, page, `<handoff-frame [^>]*src="([^"]+)"`)
	desk.get(display)
	await := follow(t, display)
	_, picture := desk.get(display + "/qr.png")
	name := filepath.Join(t.TempDir(), "screen.png")
	if err := os.WriteFile(name, []byte(picture), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := call(t, "phone", name, "--yes", "--finish", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var r phone.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Outcome != phone.OutcomeFinished || r.NumberAsked {
		t.Errorf("run(phone --json) = %s (%v), want a finished journey, with no number for a fresh scan", out, err)
	}
	await("completed")
	id := find(t, at, `/check/(ho_.*)`)
	if _, page := desk.get(w.shop + "/done?handoff=" + id + "&status=expired"); !strings.Contains(page, "Welcome to Acme Bank") {
		t.Errorf("the shop's return page says %q, want what the API says", page)
	}
	// The page tells what webhooks told the shop, the last of them a moment later.
	for !strings.Contains(page, "handoff.completed") {
		if _, page = desk.get(w.shop + "/done?handoff=" + id); t.Context().Err() != nil {
			t.Fatalf("the shop was never told that it is completed: %q", page)
		}
	}
	for _, want := range []string{"handoff.created", "handoff.displayed", "handoff.claimed", "handoff.confirmed", "handoff.delivered", "handoff.completed"} {
		if n := strings.Count(page, want); n != 1 {
			t.Errorf("the shop was told %s %d times, want once", want, n)
		}
	}
}

// A phone's browser opens the link, and the app's page is opened from there with
// a pickup.
func TestDemoPhoneBrowserAndAppPage(t *testing.T) {
	w := startDemo(t)
	await := follow(t, w.display)
	hand := newPerson(t, iPhone)
	at, page := hand.get(w.link)
	if !strings.HasPrefix(at, w.portal) {
		t.Errorf("the link led to %s, want a page of %s", at, w.portal)
	}
	attempt := find(t, page, `name="attempt" value="([^"]+)"`)
	own, page := hand.post(at, url.Values{"attempt": {attempt}})
	number := find(t, page, `>([0-9]{4})<`)
	newPerson(t, "desk").post(w.display+"/confirm", url.Values{"number": {number}})
	_, page = hand.get(own)
	open := find(t, page, `"(`+regexp.QuoteMeta(w.app)+`/handoff\?pickup=[^"]+)"`)
	hand.get(open)
	at, page = hand.get(w.app + "/")
	if at != w.app+"/" || !strings.Contains(page, "You are in the Acme app") {
		t.Fatalf("the pickup led to %s %q, want the app's screen", at, page)
	}
	await("delivered")
	if _, page = hand.post(w.app+"/finish", nil); !strings.Contains(page, "The check is finished") {
		t.Errorf("Finish the check led to %q, want the end", page)
	}
	await("completed")
}

// The app's page scans the code that the display shows.
func TestDemoAppPageScans(t *testing.T) {
	w := startDemo(t)
	await := follow(t, w.display)
	hand := newPerson(t, iPhone)
	if _, page := hand.post(w.app+"/scan", url.Values{"code": {w.link}}); !strings.Contains(page, "Acme Bank asks you to carry on here") {
		t.Fatalf("scanning led to %q, want who asks", page)
	}
	_, page := hand.post(w.app+"/agree", nil)
	number := find(t, page, `data-testid="number">([0-9]{4})<`)
	newPerson(t, "desk").post(w.display+"/confirm", url.Values{"number": {number}})
	if _, page = hand.get(w.app + "/"); !strings.Contains(page, "You are in the Acme app") {
		t.Fatalf("after the number the app shows %q, want its screen", page)
	}
	hand.post(w.app+"/leave", nil)
	await("delivered")
}

// The number that a stranger's phone shows is never typed, so it gets nothing.
func TestDemoPhoneSaysNo(t *testing.T) {
	w := startDemo(t)
	out, err := call(t, "phone", w.link, "--no")
	if err != nil || !strings.Contains(out, "Acme Bank is told") {
		t.Errorf("run(phone --no) = %v, %q, want it to say that the partner is told", err, out)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.link, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Body.Close()
	if a.StatusCode != http.StatusGone {
		t.Errorf("a refused link answers %d, want 410", a.StatusCode)
	}
}

func TestDemoPortTaken(t *testing.T) {
	port := fourPorts(t)
	ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+2))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = call(t, "demo", "--port", strconv.Itoa(port))
	if exitStatus(err) != exitFaults || !strings.Contains(err.Error(), "--port") {
		t.Errorf("run(demo) with a taken port = %v, want exit status 1 and a word on --port", err)
	}
	if _, err = call(t, "demo", "--port", "65535"); exitStatus(err) != exitUsage {
		t.Errorf("run(demo --port 65535) = %v, want exit status 2", err)
	}
}
