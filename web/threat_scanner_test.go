package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// scanner is a program that examines a link in a browser of its own: it fetches
// all there is, runs what scripts would, and presses every button.
type scanner struct {
	w       *world
	n       int
	client  *http.Client
	seen    map[string]bool // what was fetched and pressed
	visited int
}

// scanAll lets scanners examine a link, all at once.
func (w *world) scanAll(link string) {
	w.t.Helper()
	errs := make([]error, scanners)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = w.examine(i, link)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			w.t.Fatalf("a scanner: %v", err)
		}
	}
}

// examine lets one scanner examine a link: one of even number begins with the first
// button, the others with the last.
func (w *world) examine(n int, link string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	s := &scanner{w: w, n: n, client: &http.Client{Jar: jar, CheckRedirect: stay}, seen: map[string]bool{}}
	return s.run(link)
}

func (s *scanner) run(link string) error {
	for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodOptions} {
		for _, purpose := range []string{"", "Sec-Purpose", "Purpose", "X-Moz"} {
			r, err := s.request(method, link, nil)
			if err != nil {
				return err
			}
			if purpose != "" {
				r.Header.Set(purpose, "prefetch")
			}
			if _, _, err := s.send(r); err != nil {
				return err
			}
		}
	}
	return s.open(link, 0)
}

func (s *scanner) request(method, address string, form url.Values) (*http.Request, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(s.w.t.Context(), method, address, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", []string{iPhone, android, instagram, console}[s.n%4])
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "none")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	return r, nil
}

// send follows redirects, and returns the page and where it was.
func (s *scanner) send(r *http.Request) (*goquery.Document, *url.URL, error) {
	for range 5 {
		res, err := s.client.Do(r)
		if err != nil {
			return nil, nil, err
		}
		page, err := goquery.NewDocumentFromReader(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return nil, nil, err
		}
		if res.StatusCode >= http.StatusInternalServerError && res.StatusCode != http.StatusServiceUnavailable {
			return nil, nil, fmt.Errorf("%s %s answers %d", r.Method, r.URL.Path, res.StatusCode)
		}
		next := res.Header.Get("Location")
		if next == "" {
			return page, r.URL, nil
		}
		to, err := r.URL.Parse(next)
		if err != nil {
			return nil, nil, err
		}
		if r, err = s.request(http.MethodGet, to.String(), nil); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("%s leads round and round", r.URL.Path)
}

// maxClicks bounds how deep a scanner goes.
const maxClicks = 5

func (s *scanner) open(address string, depth int) error {
	if s.seen[address] || depth > maxClicks || !strings.HasPrefix(address, s.w.public) && !strings.HasPrefix(address, s.w.link) {
		return nil
	}
	s.seen[address] = true
	r, err := s.request(http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	page, at, err := s.send(r)
	if err != nil {
		return err
	}
	return s.explore(page, at, depth)
}

// explore fetches every link of a page and presses all of its buttons, from the
// first to the last or the other way round.
func (s *scanner) explore(page *goquery.Document, at *url.URL, depth int) error {
	s.visited++
	var todo []func() error
	page.Find("a[href], link[href], script[src], img[src]").Each(func(_ int, e *goquery.Selection) {
		href := e.AttrOr("href", e.AttrOr("src", ""))
		if to, err := at.Parse(href); err == nil {
			todo = append(todo, func() error { return s.open(to.String(), depth+1) })
		}
	})
	if strings.HasPrefix(at.Path, "/p/") { // what its script asks for
		todo = append(todo, func() error { return s.open(at.String()+"/status", depth+1) })
	}
	page.Find("form[action]").Each(func(_ int, form *goquery.Selection) {
		to, err := at.Parse(form.AttrOr("action", ""))
		name := to.String() + " " + form.AttrOr("data-testid", "")
		if err != nil || s.seen[name] {
			return
		}
		s.seen[name] = true
		values := url.Values{}
		form.Find("input[name]").Each(func(_ int, in *goquery.Selection) { values.Set(in.AttrOr("name", ""), in.AttrOr("value", "")) })
		todo = append(todo, func() error {
			r, err := s.request(http.MethodPost, to.String(), values)
			if err != nil {
				return err
			}
			page, at, err := s.send(r)
			if err != nil || depth >= maxClicks {
				return err
			}
			return s.explore(page, at, depth+1)
		})
	})
	if s.n%2 == 1 {
		slices.Reverse(todo)
	}
	for _, do := range todo {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// TestThreatScanner: 20 scanners (five where the race detector watches) examine a link at once, before a real person's run
// over it and between all its steps. It costs that person one more tap at most.
// Each run has them before two of its steps, every step in two of the runs; with
// HANDOFF_LONG before all of them.
func TestThreatScanner(t *testing.T) {
	t.Parallel()
	steps := []string{"landing", "tap", "number", "app", "pickup", "end"}
	for i, policy := range []handoff.Confirmation{handoff.ConfirmLinks, handoff.ConfirmAuto, handoff.ConfirmAlways} {
		for j, route := range []handoff.Route{handoff.RouteLink, handoff.RoutePartner} {
			t.Run(string(policy)+" "+string(route), func(t *testing.T) {
				if policy != handoff.ConfirmLinks {
					unraced(t)
				}
				t.Parallel()
				when := func(string) bool { return true }
				if os.Getenv("HANDOFF_LONG") == "" {
					when = func(step string) bool { return slices.Index(steps, step)%3 == (i+j)%3 }
				}
				runOver(newWorld(t, asked(policy)), route, when)
			})
		}
	}
}

// runOver is the run of a real person over a link, which scanners examine before
// each step that when says so of.
func runOver(w *world, route handoff.Route, when func(step string) bool) {
	t := w.t
	s := w.begin()
	s.open()
	link := s.live(route)
	scan := func(step string) {
		if when(step) {
			w.scanAll(link)
			t.Logf("scanned before %s: %d events, %d claims", step, s.stored().Seq, s.stored().Claims)
		}
	}
	scan("landing")
	a := s.phone.get(link)
	taps := 0
	scan("tap")
	for a.testID(t) != "number" {
		if taps++; taps > 2 {
			t.Fatalf("after two taps the phone shows %q (%d), want the number", a.testID(t), a.StatusCode)
		}
		a = s.phone.press(a, "continue")
	}
	s.own = a
	number := s.digits()
	scan("number")
	s.own = s.phone.get(s.own.url.String()) // its script reloads it
	if again := s.digits(); again != number {
		t.Errorf("the phone shows %s, then %s: a number that changes while it is typed is a step more", number, again)
	}
	s.enter(number).wantPanel(t, http.StatusOK, "panel-connected")
	scan("app")
	s.own = s.phone.get(s.own.url.String())
	s.own.wantPage(t, http.StatusOK, "ready")
	scan("pickup")
	s.toApp()
	scan("end")
	if err := w.sim.SetJourney(s.made.InstanceID, finished); err != nil {
		t.Fatal(err)
	}
	s.report("finished")
	h := w.wantStatus(s.made.ID, "completed")
	if h.Confirmed == nil || *h.Confirmed != "number" || h.Device == nil || h.Device.OS != "iOS" || *h.Route != string(route) {
		t.Errorf("completed by %v on %v, by %v, want by number on the person's phone by %s", h.Confirmed, h.Device, h.Route, route)
	}
	if n := len(w.callsOf(s.made.InstanceID, "connect")); n != 1 {
		t.Errorf("connects = %d, want one", n)
	}
}

// TestScannersUnderNever: what docs/risk-assessment.md says of the policy that asks
// for no number. A scanner that presses Continue takes the handoff, and the person
// gets it back by the number; one that goes on to "This wasn't me" ends it.
func TestScannersUnderNever(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmNever))
	s := w.begin()
	s.open()
	link := s.live(handoff.RouteLink)
	program := w.person(android)
	program.press(program.get(link), "continue").wantPage(t, http.StatusOK, "ready")
	s.landing = s.phone.get(link)
	s.landing.wantPage(t, http.StatusConflict, "landing")
	s.tap()
	s.enter(s.digits()).wantPanel(t, http.StatusOK, "panel-connected")
	s.own = s.phone.get(s.own.url.String())
	s.toApp()
	s.toEnd()

	s = w.begin()
	s.open()
	if err := w.examine(0, s.live(handoff.RouteLink)); err != nil {
		t.Fatal(err)
	}
	if got := s.stored().Status; got != handoff.StatusRejected {
		t.Errorf("after Continue and \"This wasn't me\" it is %s, want rejected", got)
	}
	s.open().wantPanel(t, http.StatusOK, "panel-rejected")
}
