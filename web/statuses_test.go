package web_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// unprovoked is why no client brings this status of the operation about, or empty:
// such a status is described for the portal's bad days.
func unprovoked(op, status string) string {
	switch {
	case status == "500":
		return "a fault of the portal's own"
	case status == "503" && !slices.Contains([]string{"/paths/~1v1~1handoffs/post", "/paths/~1v1~1claims~1{claimId}~1token/post"}, op):
		return "the platform is not asked, so the store would have to be away"
	}
	return ""
}

// TestEveryStatus has every operation answer with every status that is described
// for it; what the answers hold is examined as ever.
func TestEveryStatus(t *testing.T) {
	unraced(t)
	t.Parallel()
	e, err := theExaminer()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	note := func(a answer) answer {
		seen[e.operation(a.Request.Method, a.Request.URL.Path)+" "+strconv.Itoa(a.StatusCode)] = true
		return a
	}
	refuseAll(newWorld(t, func(s *setting) { s.twoHosts = true }), e, note)
	limitAll(newWorld(t, func(s *setting) {
		s.rates.CreatesPerPartner, s.rates.ClaimsPerNetwork, s.rates.UnknownPerNetwork = few(1), few(1), few(1)
	}), note)
	walkAll(newWorld(t), note)
	scanned := newWorld(t, func(s *setting) { s.codeMode = handoff.CodeToken }) // its codes are no links
	note(scanned.call(http.MethodPost, "/v1/handoffs/"+scanned.create().ID+"/links", nil))

	for _, op := range e.operations() {
		for status := range e.object(op + "/responses") {
			why, came := unprovoked(op, status), seen[op+" "+status]
			if came && why != "" {
				t.Errorf("%s answered %s, which is said not to come: %s", op, status, why)
			}
			if !came && why == "" {
				t.Errorf("%s never answered %s, which is described", op, status)
			}
		}
	}
}

// refuseAll makes of every operation the calls that are refused for their form.
func refuseAll(w *world, e *examiner, note func(answer) answer) {
	w.t.Helper()
	fill := strings.NewReplacer("{id}", "ho_"+strings.Repeat("A", 22), "{claimId}", strings.Repeat("A", 22), "{reportKey}", strings.Repeat("A", 22))
	verifier, challenge := pkce()
	device := `"deviceInfo":{"deviceId":"0123456789abcdef01"}`
	unknown := map[string]string{
		"/v1/claims":                 `{"code":"` + strings.Repeat("A", 22) + `","partner":"acme","codeChallenge":"` + challenge + `",` + device + `}`,
		"/v1/pickups":                `{"pickup":"` + strings.Repeat("A", 22) + `","verifier":"` + verifier + `"}`,
		"/v1/reports/{reportKey}":    `{"event":"started"}`,
		"/v1/handoffs/{id}/complete": `{"outcome":"completed"}`,
	}
	for _, op := range e.operations() {
		at := strings.LastIndexByte(op, '/')
		form := strings.ReplaceAll(strings.TrimPrefix(op[:at], "/paths/"), "~1", "/")
		method, path := strings.ToUpper(op[at+1:]), fill.Replace(form)
		body, described := unknown[form]
		if !described {
			body = `{"codeVerifier":"` + verifier + `"}`
		}
		if e.object(op+"/requestBody") == nil {
			body = ""
		}
		note(w.raw(method, path, body, func(r *http.Request) { r.Host = "elsewhere.example" }))
		note(w.raw(method, path, body, func(r *http.Request) { r.Header.Del("Authorization") }))
		note(w.raw(method, path, body, func(r *http.Request) { r.Header.Set("Cookie", "a=b") }))
		note(w.raw(method, path, body))
		onLink := func(r *http.Request) { r.Host = strings.TrimPrefix(w.link, "http://") }
		note(w.raw(method, path, body, onLink))
		if body != "" {
			note(w.raw(method, path, "{"))
			note(w.raw(method, path, body, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }))
			note(w.raw(method, path, `"`+strings.Repeat("x", 70<<10)+`"`))
		}
	}
	if a := w.raw(http.MethodGet, "/v1/handoffs?limit=0", ""); a.StatusCode != http.StatusBadRequest {
		w.t.Errorf("limit=0 = %d, want 400", a.StatusCode)
	}
}

// limitAll goes beyond the limits of a world that allows one of each.
func limitAll(w *world, note func(answer) answer) {
	w.t.Helper()
	s := w.begin()
	note(w.call(http.MethodPost, "/v1/handoffs", map[string]string{"instanceId": newInstance()}))
	for range handoff.MaxEvents + 1 {
		if note(w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/links", nil)).StatusCode == http.StatusTooManyRequests {
			break
		}
	}
	verifier, challenge := pkce()
	for range 2 {
		note(claimBy(w, strings.Repeat("A", 22), "0123456789abcdef01", challenge))
		for _, end := range []string{"/token", "/reject"} {
			note(w.native("/v1/claims/"+strings.Repeat("A", 22)+end, map[string]string{"codeVerifier": verifier}))
		}
		note(w.native("/v1/pickups", map[string]string{"pickup": strings.Repeat("A", 22), "verifier": verifier}))
		note(w.native("/v1/reports/"+strings.Repeat("A", 22), map[string]string{"event": "started"}))
	}
}

// claimBy claims as an app of this device.
func claimBy(w *world, code, device, challenge string) answer {
	w.t.Helper()
	return w.native("/v1/claims", map[string]any{
		"code": code, "partner": "acme", "codeChallenge": challenge,
		"deviceInfo": map[string]string{"deviceId": device, "deviceType": "mobile"},
	})
}

// walkAll takes handoffs along every way, to their ends and beyond.
func walkAll(w *world, note func(answer) answer) {
	w.t.Helper()
	fault := func(f platformsim.Fault) {
		w.t.Helper()
		if err := w.sim.Fault(f); err != nil {
			w.t.Fatal(err)
		}
	}
	verifier, challenge := pkce()
	proof := map[string]string{"codeVerifier": verifier}
	begin := func(more ...map[string]any) (s *story, path string) {
		w.t.Helper()
		s = w.begin(more...)
		s.open()
		return s, "/v1/handoffs/" + s.made.ID
	}
	claim := func(s *story) string {
		w.t.Helper()
		var c struct{ ClaimID string }
		note(claimBy(w, s.code(), "0123456789abcdef01", challenge)).json(w.t, &c)
		return "/v1/claims/" + c.ClaimID
	}

	// Reading, and the calls that are known by their key.
	note(w.raw(http.MethodGet, "/v1/openapi.json", ""))
	note(w.raw(http.MethodGet, "/v1/handoffs", ""))
	body := `{"journey":{"resourceId":"x@latest","context":{"config":{"delivery":"api"}}}}`
	note(w.raw(http.MethodPost, "/v1/handoffs", `{"instanceId":"`+newInstance()+`"}`, keyed("one")))
	note(w.raw(http.MethodPost, "/v1/handoffs", body, keyed("one")))
	fault(platformsim.Fault{Call: "journey", Kind: "drop_after"})
	for range 2 { // the answer is lost, and so the same call starts no other journey
		note(w.raw(http.MethodPost, "/v1/handoffs", body, keyed("two")))
	}
	fault(platformsim.Fault{Call: "journey", Kind: "status", Status: 503, Count: 10})
	note(w.raw(http.MethodPost, "/v1/handoffs", body, keyed("three")))

	// The partner's steps, and the same after an end.
	s, path := begin()
	code := s.code()
	for range 2 {
		note(w.call(http.MethodGet, path, nil))
		note(w.call(http.MethodPost, path+"/links", nil))
		note(w.call(http.MethodPost, path+"/cancel", nil))
		note(w.call(http.MethodPost, path+"/complete", map[string]string{"outcome": "completed"}))
	}
	note(claimBy(w, code, "0123456789abcdef01", challenge))
	_, path = begin()
	note(w.call(http.MethodPost, path+"/complete", map[string]string{"outcome": "failed"}))

	// An app on its way to the token, with another in its way.
	s, path = begin()
	code = s.code()
	at := claim(s)
	note(claimBy(w, code, "fedcba9876543210fe", challenge))
	var got token
	note(w.native(at+"/token", proof)).json(w.t, &got)
	report := strings.TrimPrefix(got.ReportURL, w.link)
	note(w.native(report, map[string]string{"event": "started"}))
	note(w.call(http.MethodPost, path+"/cancel", nil))
	note(w.native(report, map[string]string{"event": "started"}))
	s, _ = begin(map[string]any{"confirmation": "always"})
	at = claim(s)
	note(w.native(at+"/token", proof))
	for range 2 {
		note(w.native(at+"/reject", proof))
	}
	note(w.native(at+"/token", proof))
	s, _ = begin(map[string]any{"scope": []string{"desktop"}})
	note(claimBy(w, s.code(), "0123456789abcdef01", challenge))
	for _, status := range []int{http.StatusForbidden, http.StatusServiceUnavailable} {
		s, _ = begin()
		at = claim(s)
		fault(platformsim.Fault{Call: "connect", Kind: "status", Status: status, Count: 10})
		note(w.native(at+"/token", proof))
		w.sim.Reset()
	}

	// A pickup.
	s = w.connected()
	pickup := s.pickup()
	for range 2 {
		other, _ := pkce()
		note(w.native("/v1/pickups", map[string]string{"pickup": pickup, "verifier": other}))
	}

	// An app that the desktop sent away.
	s = w.delivered()
	s.desk.post(s.made.DisplayURL+"/release", nil)
	note(w.native(strings.TrimPrefix(s.token.ReportURL, w.link), map[string]string{"event": "started"}))
}
