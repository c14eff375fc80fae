package web_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/redistest"
)

// race sends all requests at once, each over a connection of its own as other
// people's would be, and returns the answers.
func race(t *testing.T, requests []*http.Request) []answer {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: stay}
	answers, errs := make([]answer, len(requests)), make([]error, len(requests))
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() {
			<-begin
			res, err := client.Do(r)
			if err != nil {
				errs[i] = err
				return
			}
			defer func() { _ = res.Body.Close() }()
			body, err := io.ReadAll(res.Body)
			answers[i], errs[i] = answer{Response: res, body: body, url: r.URL}, err
		})
	}
	close(begin)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("one of %d requests: %v", len(requests), err)
		}
	}
	return answers
}

// onStores runs a test on every store. Processes beside the first share it, and over
// Redis have a connection of their own.
func onStores(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for name, change := range map[string]func(*testing.T, *setting){
		"memstore":   func(*testing.T, *setting) {},
		"boltstore":  func(_ *testing.T, s *setting) { s.bolt = true },
		"redisstore": func(t *testing.T, s *setting) { s.redis = redistest.Address(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, func(s *setting) { change(t, s) }))
		})
	}
}

func TestOneOfManyPhonesWins(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, w *world) {
		s := w.begin()
		s.open()
		code := s.code()
		phones, requests := make([]*person, rivals), make([]*http.Request, rivals)
		for i := range rivals {
			phones[i] = w.person(iPhone)
			requests[i] = phones[i].request(http.MethodPost, code, url.Values{"attempt": {newAttempt()}})
		}
		var won []int
		for i, a := range race(t, requests) {
			switch a.StatusCode {
			case http.StatusSeeOther:
				won = append(won, i)
				u, err := a.url.Parse(a.Header.Get("Location"))
				if err != nil {
					t.Fatal(err)
				}
				phones[i].client.Jar.SetCookies(u, a.Cookies())
				s.phone, s.own = phones[i], answer{url: u}
			case http.StatusConflict, http.StatusGone:
				if got := a.testID(t); got != "landing" && got != "notice-ended" {
					t.Errorf("one who came too late sees %q", got)
				}
			default:
				t.Errorf("a claim answers %d, want 303, 409 or 410", a.StatusCode)
			}
		}
		if len(won) != 1 {
			t.Fatalf("%d of %d phones won, want one", len(won), rivals)
		}
		s.own = s.phone.get(s.own.url.String())
		s.own.wantPage(t, http.StatusOK, "ready")
		s.toApp()
		s.toEnd()
		if n := len(w.callsOf(s.made.InstanceID, "connect")); n != 1 {
			t.Errorf("connects = %d, want one", n)
		}
		claims := 0
		for _, e := range w.get(s.made.ID).Events {
			if e.Type == string(handoff.StatusClaimed) {
				claims++
			}
		}
		if claims != 1 {
			t.Errorf("the handoff was claimed %d times, want once", claims)
		}
	})
}

func TestOneOfManyVerifiersWins(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, w *world) {
		s := w.connected()
		var won []string
		verifiers := make([]string, rivals)
		for i := range verifiers {
			verifiers[i], _ = pkce()
		}
		for i, a := range race(t, w.pickups(s.pickup(), verifiers...)) {
			switch a.StatusCode {
			case http.StatusOK:
				won = append(won, verifiers[i])
				a.json(t, &s.token)
			case http.StatusGone:
				if p := a.wantProblem(t, http.StatusGone, handoff.CodeGone); p.Reason != string(handoff.ReasonUsed) {
					t.Errorf("reason = %q, want used", p.Reason)
				}
			default:
				t.Errorf("a pickup answers %d %s, want 200 or 410", a.StatusCode, a.body)
			}
		}
		if len(won) != 1 {
			t.Fatalf("%d of %d verifiers won, want one", len(won), rivals)
		}
		// The winner's own repetitions, as many and as close, all get the same.
		same := make([]string, rivals)
		for i := range same {
			same[i] = won[0]
		}
		for _, a := range race(t, w.pickups(s.pickup(), same...)) {
			var again token
			a.json(t, &again)
			if a.StatusCode != http.StatusOK || again.EndUserToken != s.token.EndUserToken {
				t.Fatalf("the winner again: %d, want 200 with the same token", a.StatusCode)
			}
		}
		s.toEnd()
		if n := len(w.callsOf(s.made.InstanceID, "connect")); n != 1 {
			t.Errorf("connects = %d, want one", n)
		}
	})
}

// TestOneExchangeForManyReloads: a page that is asked for many times at once makes
// one connect.
func TestOneExchangeForManyReloads(t *testing.T) {
	t.Parallel()
	onStores(t, func(t *testing.T, w *world) {
		s := w.begin()
		s.open()
		s.scan()
		tap := s.phone.request(http.MethodPost, s.landing.url.String(), url.Values{
			"attempt": {newAttempt()}, "opened": {s.landing.page(t).Find(`input[name="opened"]`).AttrOr("value", "")},
		})
		first := send(t, s.phone.client, tap)
		if first.StatusCode != http.StatusSeeOther {
			t.Fatalf("the claim answers %d, want 303", first.StatusCode)
		}
		own, err := first.url.Parse(first.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		requests := make([]*http.Request, rivals/4)
		for i := range requests {
			requests[i] = s.phone.request(http.MethodGet, own.String(), nil)
			for _, c := range s.phone.client.Jar.Cookies(own) {
				requests[i].AddCookie(c)
			}
		}
		links := map[string]bool{}
		for _, a := range race(t, requests) {
			a.wantPage(t, http.StatusOK, "ready")
			links[a.link(t, "open")] = true
		}
		if len(links) != 1 {
			t.Errorf("%d app links, want one", len(links))
		}
		if n := len(w.callsOf(s.made.InstanceID, "connect")); n != 1 {
			t.Errorf("connects = %d, want one", n)
		}
	})
}

// pickups are calls for one pickup, one for each verifier.
func (w *world) pickups(pickup string, verifiers ...string) []*http.Request {
	w.t.Helper()
	requests := make([]*http.Request, len(verifiers))
	for i, verifier := range verifiers {
		body, err := json.Marshal(map[string]string{"pickup": pickup, "verifier": verifier})
		if err != nil {
			w.t.Fatal(err)
		}
		if requests[i], err = http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.link+"/v1/pickups", bytes.NewReader(body)); err != nil {
			w.t.Fatal(err)
		}
		requests[i].Header.Set("Content-Type", "application/json")
	}
	return requests
}

// newAttempt is the random value of one landing's form.
func newAttempt() string { return strings.ToLower(newInstance()) }
