// Package platformsim is a stand-in for GBG GO's device connection, with its
// real rules: both versions of the API at once, access tokens and connect
// tokens that expire, connect tokens that work once, end-user tokens that only
// it can check, and faults on demand. It is for local runs and tests, keeps
// everything in memory, and is not the platform: it verifies nobody.
//
// It speaks v1 under /captain/api, v2 under /v2/captain, and gives access
// tokens at /as/token.oauth2, at the same path under v1, and at the path of a
// Keycloak realm, whose tokens last five minutes. Any client id with the secret
// "demo" gets one. An instance id that begins with Pi and is well formed is a
// live journey; every other one is unknown. As with the platform, a path or
// method that does not exist answers 401.
//
// What its public description leaves open is decided so: a fault of kind
// malformed happens after the call had its effect; kinds status, html and
// in_band happen instead of it; delay makes the effect at once and the answer
// late. Nothing an app submits moves a journey: [Sim.SetJourney] does.
package platformsim

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Secret is the client secret that every client id has.
const Secret = "demo"

// Lifetimes unless Options says otherwise.
const (
	AccessLifetime      = time.Hour
	RealmAccessLifetime = 5 * time.Minute // at the path of the Keycloak realm
	ConnectLifetime     = 120 * time.Second
	EndUserLifetime     = time.Hour
)

// Limits on memory, for a stand-in that runs for days.
const (
	maxBody    = 64 << 10
	maxCalls   = 10_000           // the oldest are forgotten
	keepUsed   = 10 * time.Minute // how long a dead connect token is still told from one that never was
	sweepEvery = time.Minute
)

// Options vary a Sim. The zero value is the platform as described.
type Options struct {
	Now             func() time.Time // default time.Now
	AccessLifetime  time.Duration    // the constants above, and the same at every path if this one is set
	ConnectLifetime time.Duration
	EndUserLifetime time.Duration
	Log             *slog.Logger // one line for each call, without tokens; default none
}

// Sim is the stand-in: an http.Handler, safe for concurrent use.
type Sim struct {
	now      func() time.Time
	access   time.Duration
	realm    time.Duration
	connect  time.Duration
	endUser  time.Duration
	log      *slog.Logger
	routes   map[string]route
	controls map[string]http.HandlerFunc

	mu       sync.Mutex // guards what follows
	key      []byte     // of the end-user tokens
	tokens   map[string]time.Time
	connects map[string]*connectToken
	swept    time.Time
	journeys map[string]Journey
	faults   []Fault
	calls    []Call
}

// route is one call of the platform's API.
type route struct {
	call    string
	version string // v1, v2 or, for access tokens, empty
	serve   func(*request) answer
}

// request is one call under way.
type request struct {
	*http.Request
	version  string
	body     []byte
	instance string // filled in as soon as it is known, for the record of calls
	realm    bool
	fault    string // the kind of the one it meets
}

// answer is what a call comes to: a status and a JSON body.
type answer struct {
	status int
	body   any
	// retryAfter is a header, in seconds; zero for none.
	retryAfter int
}

// Call is one call the stand-in has had, without anything secret.
type Call struct {
	Call       string    `json:"call"`    // token, start, connect, state; journey, validate, task, interaction, health
	Version    string    `json:"version"` // v1 or v2; empty for token
	InstanceID string    `json:"instanceId"`
	Status     int       `json:"status"` // what the platform decided; 0 if the call was dropped before it had an effect
	At         time.Time `json:"at"`
	Fault      string    `json:"fault,omitempty"` // the kind of the fault it met
}

// New returns a stand-in that has seen nothing yet.
func New(o Options) *Sim {
	s := &Sim{
		now: o.Now, access: o.AccessLifetime, realm: o.AccessLifetime,
		connect: o.ConnectLifetime, endUser: o.EndUserLifetime, log: o.Log,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.access == 0 {
		s.access, s.realm = AccessLifetime, RealmAccessLifetime
	}
	if s.connect == 0 {
		s.connect = ConnectLifetime
	}
	if s.endUser == 0 {
		s.endUser = EndUserLifetime
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.Reset()
	s.addRoutes()
	return s
}

// addRoutes is every path there is, but for the two that take an argument.
func (s *Sim) addRoutes() {
	s.routes = map[string]route{
		"POST /as/token.oauth2":                              {"token", "", s.token},
		"POST /captain/api/as/token.oauth2":                  {"token", "", s.token},
		"POST /auth/realms/go/protocol/openid-connect/token": {"token", "", s.realmToken},
		"POST /captain/api/journey/task/update":              {"task", "v1", s.forEndUser},
		"POST /v2/captain/journey/interaction/fetch":         {"interaction", "v2", s.forEndUser},
		"POST /v2/captain/journey/interaction/submit":        {"interaction", "v2", s.forEndUser},
		"POST /v2/captain/journey/device/validate":           {"validate", "v2", s.validate},
	}
	for version, base := range map[string]string{"v1": "/captain/api", "v2": "/v2/captain"} {
		s.routes["POST "+base+"/journey/start"] = route{"journey", version, s.startJourney}
		s.routes["POST "+base+"/journey/device/start"] = route{"start", version, s.startDevice}
		s.routes["POST "+base+"/journey/device/connect"] = route{"connect", version, s.connectDevice}
		s.routes["POST "+base+"/journey/state/fetch"] = route{"state", version, s.state}
		s.routes["GET "+base+"/journey/health"] = route{"health", version, s.health}
	}
	s.controls = map[string]http.HandlerFunc{
		"POST /_sim/faults": s.postFault,
		"GET /_sim/calls":   s.getCalls,
		"DELETE /_sim":      s.deleteAll,
		"GET /":             s.welcome,
		"HEAD /":            s.welcome,
	}
}

// ServeHTTP answers as the platform would.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "stand-in for GBG GO; not the platform")
	w.Header().Set("X-Request-ID", newRequestID())
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat)) // its own clock, which a test may set wrong
	w.Header().Set("Cache-Control", "no-store")
	at := r.Method + " " + r.URL.Path
	if serve, ok := s.controls[at]; ok {
		serve(w, r)
		return
	}
	if id, ok := strings.CutPrefix(at, "POST /_sim/journeys/"); ok {
		s.postJourney(w, r, id)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/_sim") {
		explain(w, http.StatusNotFound, "no such call of the stand-in: POST /_sim/faults, POST /_sim/journeys/{instanceId}, GET /_sim/calls, DELETE /_sim")
		return
	}
	rt, ok := s.routes[at]
	if !ok {
		write(w, refuse(versionOf(r.URL.Path), http.StatusUnauthorized, "UNAUTHORIZED", "Header", "no such path, or no credential for it"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		write(w, refuse(rt.version, http.StatusRequestEntityTooLarge, "TOO_LARGE", "Body", "the body is too large"))
		return
	}
	s.faulty(w, &request{Request: r, version: rt.version, body: body}, rt)
}

// record keeps one call, and says so in the log.
func (s *Sim) record(req *request, call string, status int) {
	s.mu.Lock()
	if len(s.calls) >= maxCalls {
		s.calls = append(s.calls[:0], s.calls[maxCalls/10:]...)
	}
	s.calls = append(s.calls, Call{Call: call, Version: req.version, InstanceID: req.instance, Status: status, At: s.now().UTC(), Fault: req.fault})
	s.mu.Unlock()
	s.log.InfoContext(req.Context(), "platform call", "call", call, "version", req.version, "instance", req.instance, "status", status)
}

// Calls returns what has been called so far, oldest first: at most the last 10,000.
func (s *Sim) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call{}, s.calls...)
}

// Reset forgets everything: tokens of every kind, journeys, faults and calls.
func (s *Sim) Reset() {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = key
	s.tokens = map[string]time.Time{}
	s.connects = map[string]*connectToken{}
	s.swept = s.now()
	s.journeys = map[string]Journey{}
	s.faults, s.calls = nil, nil
}

func (s *Sim) welcome(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>A stand-in for GBG GO</title>
<h1>This is a stand-in for GBG GO</h1>
<p>It is not the platform and verifies nobody. It exists so that a handoff can be tried without an account.</p>
<ul><li>v1: <code>/captain/api</code></li><li>v2: <code>/v2/captain</code></li>
<li>access tokens: <code>/as/token.oauth2</code>, any client id, secret <code>demo</code></li>
<li>what has been called: <a href="/_sim/calls"><code>/_sim/calls</code></a></li></ul></html>
`)
}

// write sends an answer as JSON.
func write(w http.ResponseWriter, a answer) {
	if a.retryAfter > 0 {
		w.Header().Set("Retry-After", itoa(a.retryAfter))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(encode(a.body))
}

func encode(body any) []byte {
	b, err := json.Marshal(body)
	if err != nil {
		return []byte("{}") // our own types: cannot happen
	}
	return b
}
