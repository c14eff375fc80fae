package web_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/redistest"
)

// TestClockSkew: the processes of one portal have clocks that are up to five
// seconds apart, and every request comes to another one. The code on the screen
// opens, the number is typed, and the token is picked up, whoever is ahead.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	for _, ahead := range []string{"the first", "the second"} {
		t.Run(ahead, func(t *testing.T) {
			t.Parallel()
			one := newWorld(t, asked("always"), func(s *setting) { s.redis = redistest.Address(t) })
			two := newWorld(t, asked("always"), func(s *setting) { s.beside = one })
			map[string]*world{"the first": one, "the second": two}[ahead].clock.advance(5 * time.Second)
			for turn := range 4 { // each step is made by each of them
				s := one.begin()
				n := turn
				next := func(_ context.Context, network, _ string) (net.Conn, error) {
					n++
					return net.Dial(network, []string{one.listen, two.listen}[n/(1+turn/2)%2])
				}
				for _, p := range []*person{s.desk, s.phone} {
					p.client.Transport = &http.Transport{DialContext: next, DisableKeepAlives: true}
				}
				app := &http.Client{Transport: s.phone.client.Transport}
				s.open().wantPanel(t, http.StatusOK, "panel-waiting")
				shower := []*world{one, two}[turn%2]
				h := s.stored()
				code, ok, err := shower.handoff.Code(h, "qr")
				if err != nil || !ok {
					t.Fatalf("there is no code: %v", err)
				}
				framed, err := shower.handoff.Framed(h, code)
				if err != nil {
					t.Fatal(err)
				}
				s.landing = s.phone.get(one.link + "/c/acme/" + framed.Reveal())
				s.landing.wantPage(t, http.StatusOK, "landing")
				s.tap()
				number := s.digits()
				s.desk.post(s.made.DisplayURL+"/confirm", url.Values{"number": {number}}).wantPanel(t, http.StatusOK, "panel-connected")
				s.own = s.phone.get(s.own.url.String())
				s.own.wantPage(t, http.StatusOK, "ready")
				verifier, _ := pkce()
				body := fmt.Sprintf(`{"pickup":%q,"verifier":%q}`, s.pickup(), verifier)
				for range 2 { // the same pair again, at another process
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, one.link+"/v1/pickups", strings.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Content-Type", "application/json")
					var got token
					a := send(t, app, r)
					if a.json(t, &got); a.StatusCode != http.StatusOK || (s.token.EndUserToken != "" && got.EndUserToken != s.token.EndUserToken) {
						t.Fatalf("the pickup = %d %s, want 200 with one token", a.StatusCode, a.body)
					}
					s.token = got
				}
				one.wantStatus(s.made.ID, "delivered")
			}
			one.wantConnectsOnce()
		})
	}
}
