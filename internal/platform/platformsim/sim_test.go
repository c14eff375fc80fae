package platformsim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

const instance = "PiIuACmx8Q8R7qPnAkLAqBAT"

// bases are the two versions of the API.
var bases = map[string]string{"v1": "/captain/api", "v2": "/v2/captain"}

// rig is a stand-in behind a real connection, with a clock of its own.
type rig struct {
	*platformsim.Sim
	t   *testing.T
	url string

	mu  sync.Mutex
	now time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	r.Sim = platformsim.New(platformsim.Options{Now: r.clock})
	srv := httptest.NewServer(r.Sim)
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// got is what came back.
type got struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (r *rig) call(method, path, bearer, body string) got {
	r.t.Helper()
	g, err := r.try(method, path, bearer, body)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return g
}

func (r *rig) try(method, path, bearer, body string) (got, error) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		return got{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.Contains(path, "token") {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return got{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return got{}, err
	}
	g := got{status: res.StatusCode, header: res.Header, text: string(text)}
	_ = json.Unmarshal(text, &g.body) // html and malformed answers have none
	return g, nil
}

func (g got) str(key string) string {
	s, _ := g.body[key].(string)
	return s
}

const goodForm = "grant_type=client_credentials&scope=gbg.token&client_id=any&client_secret=demo"

func (r *rig) access() string {
	r.t.Helper()
	g := r.call("POST", "/as/token.oauth2", "", goodForm)
	if g.status != http.StatusOK {
		r.t.Fatalf("token status = %d, want 200: %s", g.status, g.text)
	}
	return g.str("access_token")
}

func (r *rig) start(version, access, body string) got {
	r.t.Helper()
	return r.call("POST", bases[version]+"/journey/device/start", access, body)
}

func (r *rig) connectToken(version, scope string) string {
	r.t.Helper()
	g := r.start(version, r.access(), `{"instanceId":"`+instance+`","scope":[`+scope+`]}`)
	token := g.str("connectToken")
	if token == "" {
		r.t.Fatalf("start(%s) = %d %s, want a connect token", version, g.status, g.text)
	}
	return token
}

func (r *rig) connect(version, token, deviceType string) got {
	r.t.Helper()
	return r.call("POST", bases[version]+"/journey/device/connect", token,
		`{"connectToken":"`+token+`","deviceInfo":{"deviceId":"0123456789abcdef","deviceType":"`+deviceType+`"}}`)
}

func TestDeviceConnection(t *testing.T) {
	for _, tt := range []struct {
		version              string
		made, used           int
		startLife, connected any
	}{
		{"v1", 200, 400, "120", nil},
		{"v2", 201, 401, 120.0, instance},
	} {
		t.Run(tt.version, func(t *testing.T) {
			r := newRig(t)
			g := r.start(tt.version, r.access(), `{"instanceId":"`+instance+`","scope":["mobile"]}`)
			if g.status != tt.made || g.body["expiresIn"] != tt.startLife || g.str("tokenType") != "connect" || len(g.str("connectToken")) != 32 {
				t.Errorf("start = %d %s, want %d, expiresIn %#v and a token of 32", g.status, g.text, tt.made, tt.startLife)
			}
			if g.header.Get("X-Request-Id") == "" {
				t.Error("start has no X-Request-ID")
			}
			token := g.str("connectToken")
			if c := r.connect(tt.version, token, "desktop"); c.status != http.StatusForbidden {
				t.Errorf("connect as desktop = %d, want 403", c.status)
			}
			c := r.connect(tt.version, token, "mobile")
			if c.status != tt.made || c.body["instanceId"] != tt.connected || c.str("tokenType") != "end-user" || c.body["expiresIn"] != 3600.0 {
				t.Errorf("connect = %d %s, want %d and instanceId %v", c.status, c.text, tt.made, tt.connected)
			}
			if jwt := c.str("endUserToken"); strings.Count(jwt, ".") != 2 || len(jwt) > 1024 {
				t.Errorf("end-user token %q is no JWT of at most 1024", jwt)
			}
			if again := r.connect(tt.version, token, "mobile"); again.status != tt.used {
				t.Errorf("second connect = %d, want %d", again.status, tt.used)
			}
			late := r.connectToken(tt.version, `"any"`)
			r.advance(120 * time.Second)
			if c := r.connect(tt.version, late, "mobile"); c.status != http.StatusUnauthorized {
				t.Errorf("connect after 120 s = %d, want 401", c.status)
			}
			last := r.Calls()[len(r.Calls())-1]
			if last.Call != "connect" || last.InstanceID != instance || last.Version != tt.version || last.Status != 401 || !last.At.Equal(r.clock()) {
				t.Errorf("last call = %+v, want connect of %s, 401", last, instance)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	r := newRig(t)
	access := r.access()
	token := r.connectToken("v2", `"mobile"`)
	other := r.connectToken("v2", `"mobile"`)
	const good = `{"instanceId":"` + instance + `","scope":["mobile"]}`
	for _, tt := range []struct {
		name, method, path, bearer, body string
		want                             int
	}{
		{"wrong path", "POST", "/v2/captain/journey/device/begin", access, good, 401},
		{"wrong method", "GET", "/v2/captain/journey/device/start", access, "", 401},
		{"no base", "POST", "/journey/device/start", access, good, 401},
		{"no access token", "POST", "/v2/captain/journey/device/start", "", good, 401},
		{"connect token as access token", "POST", "/v2/captain/journey/device/start", token, good, 401},
		{"scope is a string", "POST", "/v2/captain/journey/device/start", access, `{"instanceId":"` + instance + `","scope":"mobile"}`, 400},
		{"scope is unknown", "POST", "/captain/api/journey/device/start", access, `{"instanceId":"` + instance + `","scope":["tablet"]}`, 400},
		{"scope is missing", "POST", "/captain/api/journey/device/start", access, `{"instanceId":"` + instance + `"}`, 400},
		{"instance is short", "POST", "/v2/captain/journey/device/start", access, `{"instanceId":"Pi","scope":["mobile"]}`, 400},
		{"instance is unknown", "POST", "/v2/captain/journey/device/start", access, `{"instanceId":"XxIuACmx8Q8R7qPnAkLAqBAT","scope":["mobile"]}`, 404},
		{"header and body differ", "POST", "/v2/captain/journey/device/connect", token, `{"connectToken":"` + other + `","deviceInfo":{"deviceId":"0123456789abcdef"}}`, 401},
		{"no bearer", "POST", "/v2/captain/journey/device/connect", "", `{"connectToken":"` + token + `","deviceInfo":{"deviceId":"0123456789abcdef"}}`, 401},
		{"device id is short", "POST", "/v2/captain/journey/device/connect", token, `{"connectToken":"` + token + `","deviceInfo":{"deviceId":"0123"}}`, 400},
		{"state needs an access token", "POST", "/captain/api/journey/state/fetch", token, `{"instanceId":"` + instance + `"}`, 401},
		{"v2 start without delivery", "POST", "/v2/captain/journey/start", access, `{"resourceId":"abc@latest"}`, 400},
		{"v1 start without delivery", "POST", "/captain/api/journey/start", access, `{"resourceId":"abc@latest"}`, 200},
		{"v2 start", "POST", "/v2/captain/journey/start", access, `{"resourceId":"abc@latest","context":{"config":{"delivery":"api"}}}`, 201},
		{"health", "GET", "/v2/captain/journey/health", "", "", 200},
		{"token: wrong secret", "POST", "/as/token.oauth2", "", "grant_type=client_credentials&scope=gbg.token&client_id=any&client_secret=x", 401},
		{"token: no scope", "POST", "/as/token.oauth2", "", "grant_type=client_credentials&client_id=any&client_secret=demo", 400},
		{"token: password grant", "POST", "/captain/api/as/token.oauth2", "", "grant_type=password&client_id=any&client_secret=demo&username=u&password=p", 200},
		{"token: password grant without one", "POST", "/captain/api/as/token.oauth2", "", "grant_type=password&client_id=any&client_secret=demo&username=u", 400},
		{"token: another grant", "POST", "/as/token.oauth2", "", "grant_type=refresh_token&client_id=any&client_secret=demo", 400},
	} {
		g := r.call(tt.method, tt.path, tt.bearer, tt.body)
		if g.status != tt.want {
			t.Errorf("%s: status = %d, want %d: %s", tt.name, g.status, tt.want, g.text)
		}
		if g.status >= 400 && !strings.Contains(tt.path, "token") {
			shape := "errors"
			if strings.HasPrefix(tt.path, bases["v1"]) {
				shape = "message"
			}
			if g.body[shape] == nil {
				t.Errorf("%s: body = %s, want one with %q", tt.name, g.text, shape)
			}
		}
	}
	if c := r.connect("v2", token, "mobile"); c.status != http.StatusCreated {
		t.Errorf("connect after refusals = %d, want 201: a refusal spends nothing", c.status)
	}
}

func TestAccessTokensExpire(t *testing.T) {
	for path, life := range map[string]time.Duration{
		"/as/token.oauth2": time.Hour, "/auth/realms/go/protocol/openid-connect/token": 5 * time.Minute,
	} {
		r := newRig(t)
		g := r.call("POST", path, "", goodForm)
		if got, want := g.body["expires_in"], life.Seconds(); got != want {
			t.Errorf("POST %s expires_in = %v, want %v", path, got, want)
		}
		const body = `{"instanceId":"` + instance + `","scope":["mobile"]}`
		r.advance(life - time.Second)
		if g := r.start("v2", g.str("access_token"), body); g.status != http.StatusCreated {
			t.Errorf("%s: start a second before the end = %d, want 201", path, g.status)
		}
		r.advance(time.Second)
		if g := r.start("v2", g.str("access_token"), body); g.status != http.StatusUnauthorized {
			t.Errorf("%s: start at the end = %d, want 401", path, g.status)
		}
	}
}

func TestEndUserToken(t *testing.T) {
	r := newRig(t)
	access := r.access()
	token := r.connect("v2", r.connectToken("v2", `"mobile"`), "mobile").str("endUserToken")
	forged := token[:len(token)-4] + "AAAA"
	mine, foreign := `{"instanceId":"`+instance+`"}`, `{"instanceId":"PiZZZZZZZZZZZZZZZZZZZZZZ"}`
	for _, path := range []string{"/captain/api/journey/task/update", "/v2/captain/journey/interaction/fetch", "/v2/captain/journey/interaction/submit"} {
		for _, tt := range []struct {
			name, bearer, body string
			want               int
		}{
			{"its own journey", token, mine, 200},
			{"another journey", token, foreign, 403},
			{"an access token", access, mine, 401},
			{"a forged token", forged, mine, 401},
			{"half a token", token[:20], mine, 401},
			{"no token", "", mine, 401},
		} {
			if g := r.call("POST", path, tt.bearer, tt.body); g.status != tt.want {
				t.Errorf("%s with %s: status = %d, want %d", path, tt.name, g.status, tt.want)
			}
		}
	}
	if g := r.call("POST", "/v2/captain/journey/device/validate", token, ""); g.status != 200 || g.body["valid"] != true || g.str("instanceId") != instance {
		t.Errorf("validate = %d %s, want valid for %s", g.status, g.text, instance)
	}
	if g := r.call("POST", "/v2/captain/journey/state/fetch", token, mine); g.status != 401 {
		t.Errorf("state with an end-user token = %d, want 401", g.status)
	}
	r.advance(time.Hour)
	if g := r.call("POST", "/captain/api/journey/task/update", token, mine); g.status != 401 {
		t.Errorf("task/update with an expired token = %d, want 401", g.status)
	}
}

func TestStates(t *testing.T) {
	r := newRig(t)
	access := r.access()
	for _, tt := range []struct {
		set                  string
		v1, v2status, result string
	}{
		{``, "InProgress", "InProgress", "pending"},
		{`{"status":"Paused"}`, "Paused", "InProgress", "pending"},
		{`{"status":"InProgress","resultStatus":"complete"}`, "InProgress", "InProgress", "complete"},
		{`{"status":"Completed"}`, "Completed", "Completed", "complete"},
		{`{"status":"Failed"}`, "Failed", "Error", "error"},
		{`{"status":"Error","resultStatus":"timeout"}`, "Failed", "Error", "timeout"},
		{`{"resultStatus":"complete"}`, "InProgress", "InProgress", "complete"},
	} {
		if tt.set != "" {
			if g := r.call("POST", "/_sim/journeys/"+instance, "", tt.set); g.status != http.StatusNoContent {
				t.Errorf("POST /_sim/journeys %s = %d, want 204: %s", tt.set, g.status, g.text)
			}
		}
		g1 := r.call("POST", "/captain/api/journey/state/fetch", access, `{"instanceId":"`+instance+`"}`)
		g2 := r.call("POST", "/v2/captain/journey/state/fetch?view=slim", access, `{"instanceId":"`+instance+`"}`)
		result, _ := g2.body["result"].(map[string]any)
		if g1.str("status") != tt.v1 || g2.str("status") != tt.v2status || result["status"] != tt.result {
			t.Errorf("after %q: v1 %q, v2 %q, result %v; want %q, %q, %q", tt.set, g1.str("status"), g2.str("status"), result["status"], tt.v1, tt.v2status, tt.result)
		}
		if strings.Contains(g2.text, "personal") || !strings.Contains(g1.text, "personal") {
			t.Errorf("personal data: slim %s, full %s; want it only in the full view", g2.text, g1.text)
		}
	}
}

func TestReset(t *testing.T) {
	r := newRig(t)
	access, token := r.access(), r.connectToken("v2", `"mobile"`)
	if err := r.Fault(platformsim.Fault{Call: "start", Kind: "status", Status: 503, Count: 9}); err != nil {
		t.Fatal(err)
	}
	if g := r.call("DELETE", "/_sim", "", ""); g.status != http.StatusNoContent {
		t.Errorf("DELETE /_sim = %d, want 204", g.status)
	}
	if got := r.Calls(); len(got) != 0 {
		t.Errorf("Calls() after DELETE = %v, want none", got)
	}
	if g := r.start("v2", access, `{"instanceId":"`+instance+`","scope":["any"]}`); g.status != 401 {
		t.Errorf("start with an access token of before = %d, want 401", g.status)
	}
	if g := r.connect("v2", token, ""); g.status != 401 {
		t.Errorf("connect with a token of before = %d, want 401", g.status)
	}
	if g := r.start("v2", r.access(), `{"instanceId":"`+instance+`","scope":["any"]}`); g.status != 201 {
		t.Errorf("start after DELETE = %d, want 201: the fault is forgotten", g.status)
	}
}

func TestWelcome(t *testing.T) {
	g := newRig(t).call("GET", "/", "", "")
	if g.status != 200 || !strings.Contains(g.text, "stand-in") || !strings.Contains(g.header.Get("Server"), "stand-in") {
		t.Errorf("GET / = %d %q, Server %q; want it to say that it is a stand-in", g.status, g.text, g.header.Get("Server"))
	}
}
