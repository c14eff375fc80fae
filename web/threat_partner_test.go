package web_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// trespass is what another partner tries at a route with what belongs to the first,
// or why there is nothing to try.
type trespass struct {
	try   func(v *victim) []answer // each has to be a 404
	other string
}

// victim is a partner's handoff on its way, with all that another partner could
// have come to know of it.
type victim struct {
	*story
	code, typed, local string // of the one that waits
	held               *story // of the one that a phone holds
	pickup             string
}

func (v *victim) asOther(method, path string, body any) answer {
	return v.callAs(v.other, method, path, body)
}

// trespasses has a row for every route.
func trespasses() map[string]trespass {
	capability := trespass{other: "what it takes is a capability of its own, which names no partner"}
	file := trespass{other: "the same for everybody"}
	nothing := trespass{other: "no such path"}
	codes := func(method, suffix string) trespass {
		return trespass{try: func(v *victim) (all []answer) {
			for _, code := range []string{v.code, v.typed, v.local} {
				if method == http.MethodHead && code == v.typed {
					continue // five guesses are all a network has
				}
				for _, partner := range []string{"other", "nobody"} {
					address := v.public + "/c/" + partner + "/" + code + suffix
					var form url.Values
					if method == http.MethodPost {
						form = url.Values{"attempt": {newAttempt()}, "sure": {"1"}, "again": {"1"}, "instead": {"1"}}
					}
					p := v.person(iPhone)
					all = append(all, p.follow(p.request(method, address, form)))
				}
			}
			return all
		}}
	}
	byID := func(method, suffix string, body any) trespass {
		return trespass{try: func(v *victim) []answer {
			return []answer{
				v.asOther(method, "/v1/handoffs/"+v.made.ID+suffix, body), v.asOther(method, "/v1/handoffs/"+v.held.made.ID+suffix, body),
			}
		}}
	}
	return map[string]trespass{
		"/ route_not_found": nothing, "/* route_not_found": nothing, "/h/:key route_not_found": nothing, "/h/:key/* route_not_found": nothing,
		"/v1 route_not_found": nothing, "/v1/* route_not_found": nothing,
		"/.well-known/apple-app-site-association GET": file, "/.well-known/apple-app-site-association HEAD": file,
		"/.well-known/assetlinks.json GET": file, "/.well-known/assetlinks.json HEAD": file, "/brand/* GET": file, "/static/* GET": file, "/embed/* GET": file, "/embed/* HEAD": file,
		"/a/:partner/:pickup GET": {other: "a help page that looks nothing up"}, "/a/:partner/:pickup HEAD": {other: "the same"},

		"/c/:partner/:code GET":         codes(http.MethodGet, ""),
		"/c/:partner/:code HEAD":        codes(http.MethodHead, ""),
		"/c/:partner/:code POST":        codes(http.MethodPost, ""),
		"/c/:partner/:code/reject POST": codes(http.MethodPost, "/reject"),

		"/h/:key GET": capability, "/h/:key/cancel POST": capability, "/h/:key/confirm POST": capability, "/h/:key/continue POST": capability,
		"/h/:key/events GET": capability, "/h/:key/extend POST": capability, "/h/:key/no-phone POST": capability, "/h/:key/qr.png GET": capability,
		"/h/:key/qr.svg GET": capability, "/h/:key/reject POST": capability, "/h/:key/release POST": capability, "/h/:key/renew POST": capability,
		"/h/:key/revoke POST": capability, "/h/:key/send POST": capability, "/h/:key/status GET": capability,
		"/p/:claim GET": capability, "/p/:claim/events GET": capability, "/p/:claim/open POST": capability, "/p/:claim/reject POST": capability,
		"/p/:claim/status GET": capability, "/p/:claim/store POST": capability, "/p/:claim/tapped POST": capability, "/r/:response GET": capability,
		"/v1/claims/:claim/reject POST": capability, "/v1/claims/:claim/token POST": capability, "/v1/pickups POST": capability,
		"/v1/reports/:report POST": capability,
		"/reports/csp POST":        {other: "browsers' reports, of nobody's"},

		"/t/:partner GET": {try: func(v *victim) []answer { return []answer{v.world.person(iPhone).get(v.public + "/t/nobody")} }},
		"/t/:partner POST": {try: func(v *victim) []answer {
			return []answer{
				v.world.person(iPhone).post(v.public+"/t/other", url.Values{"code": {v.typed}}),
				v.world.person(iPhone).post(v.public+"/t/nobody", url.Values{"code": {v.typed}}),
			}
		}},
		"/v1/claims POST": {try: func(v *victim) (all []answer) {
			for _, claim := range []map[string]any{
				{"partner": "other", "code": v.code},
				{"partner": "other", "code": v.typed},
				{"code": v.link + "/c/other/" + v.code},
				{"partner": "other", "code": v.link + "/c/acme/" + v.code},
				{"partner": "nobody", "code": v.local},
			} {
				_, claim["codeChallenge"] = pkce()
				claim["deviceInfo"] = map[string]string{"deviceId": "0123456789abcdef", "deviceType": "mobile"}
				all = append(all, v.native("/v1/claims", claim))
			}
			return all
		}},
		"/v1/handoffs/:id GET":           byID(http.MethodGet, "", nil),
		"/v1/handoffs/:id/cancel POST":   byID(http.MethodPost, "/cancel", nil),
		"/v1/handoffs/:id/complete POST": byID(http.MethodPost, "/complete", map[string]string{"outcome": "completed"}),
		"/v1/handoffs/:id/links POST":    byID(http.MethodPost, "/links", nil),
		"/v1/handoffs GET":               {other: "see below: another's are in no list"},
		"/v1/handoffs POST":              {other: "see below: another's journey instance replaces nothing"},
	}
}

// TestThreatCrossPartner: at every route, what belongs to one partner is worth
// nothing with another's key, app, link prefix or journey instance: 404 and no
// effect. A route without a row is a failure.
func TestThreatCrossPartner(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/routes.txt")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, asked(handoff.ConfirmLinks))
	v := &victim{story: w.begin(map[string]any{"reference": "theirs"}), held: w.connected()}
	v.open()
	last := func(s string) string { return s[strings.LastIndex(s, "/")+1:] }
	v.code, v.typed = last(v.live(handoff.RoutePartner)), last(v.live(handoff.RouteTyped))
	v.local, v.pickup = last(v.live(handoff.RouteLocal)), v.held.pickup()
	waiting, held := v.stored(), v.held.stored()
	routes := trespasses()
	for route := range strings.Lines(string(b)) {
		route = strings.TrimSpace(route)
		if strings.HasPrefix(route, "/docs") || route == "/v1/openapi.json GET" || route == "/v1/jwks.json GET" {
			continue // documents, the same for everybody
		}
		row, ok := routes[route]
		if !ok {
			t.Errorf("%s has no row: what could another partner try there?", route)
			continue
		}
		if row.try == nil {
			continue
		}
		first := ""
		for i, a := range row.try(v) {
			body := strings.ReplaceAll(string(a.body), a.Header.Get("X-Request-ID"), "ID")
			if first == "" {
				first = body
			}
			if a.StatusCode != http.StatusNotFound || body != first && !strings.HasPrefix(route, "/t/") { // a form comes again with its digits
				t.Errorf("%s, trespass %d = %d %s, want 404 as any other", route, i, a.StatusCode, a.body)
			}
		}
		for _, x := range []struct{ was, is handoff.Handoff }{{waiting, v.stored()}, {held, v.held.stored()}} {
			if diff := cmp.Diff(x.was, x.is); diff != "" {
				t.Fatalf("%s changes another partner's handoff (-was +is):\n%s", route, diff)
			}
		}
	}

	var list struct{ Items []wire }
	for _, query := range []string{"", "?reference=theirs", "?instanceId=" + v.made.InstanceID, "?status=displayed", "?limit=100"} {
		v.asOther(http.MethodGet, "/v1/handoffs"+query, nil).json(t, &list)
		if len(list.Items) != 0 {
			t.Errorf("the other partner's list%s has %d handoffs, want none", query, len(list.Items))
		}
	}
	for range handoff.MaxLive + 1 { // on a platform of one credential, which both are of here
		if a := v.asOther(http.MethodPost, "/v1/handoffs", map[string]any{"instanceId": v.made.InstanceID}); a.StatusCode != http.StatusCreated {
			t.Fatalf("POST /v1/handoffs = %d %s", a.StatusCode, a.body)
		}
	}
	if got := v.stored().Status; got != waiting.Status {
		t.Errorf("handoffs of another partner for the same instance make it %s, want %s", got, waiting.Status)
	}
	var mine struct{ Next string }
	v.call(http.MethodGet, "/v1/handoffs?limit=1", nil).json(t, &mine)
	v.asOther(http.MethodGet, "/v1/handoffs?cursor="+mine.Next, nil).json(t, &list)
	for _, h := range list.Items {
		if mine.Next == "" || h.ID == v.made.ID || h.ID == v.held.made.ID {
			t.Errorf("another partner's cursor %q leads to %s", mine.Next, h.ID)
		}
	}
	// Another app.
	_, challenge := pkce()
	a := v.native("/v1/claims", map[string]any{
		"partner": "acme", "code": v.code, "codeChallenge": challenge, "deviceInfo": map[string]string{"deviceId": "0123456789abcdef", "deviceType": "mobile"},
	})
	var claim struct{ ClaimID string }
	a.json(t, &claim)
	stranger, _ := pkce()
	for _, path := range []string{"/token", "/reject"} {
		v.native("/v1/claims/"+claim.ClaimID+path, map[string]string{"codeVerifier": stranger}).wantProblem(t, http.StatusNotFound, handoff.CodeNotFound)
	}
	if got := v.stored().Status; got != handoff.StatusClaimed {
		t.Errorf("another app's calls make it %s, want claimed", got)
	}
}
