package phone_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/phone"
)

// endUserToken looks like the platform's: a JWT with a claim about a person.
const endUserToken = "eyJhbGciOiJIUzI1NiJ9." + // {"alg":"HS256"}
	"eyJzdWIiOiJKb2huIFBlcnNvbiIsImlzcyI6InNpbSIsImV4cCI6MTkwMDAwMDAwMH0." + // sub, iss, exp
	"c2lnbmF0dXJlLWNhbmFyeQ"

const connectToken = "connect-canary-0123456789abcdef"

// portal is the App API and the two calls of the platform that an app makes,
// with the rules an app can break.
type portal struct {
	*httptest.Server
	mu        sync.Mutex
	requests  []string // method and path, in order
	challenge string
	pickups   []string // verifiers of the calls to /v1/pickups
	reports   []string
	notYet    int    // token calls answered not_confirmed
	lose      int    // calls dropped after they were read
	losePath  string // only these; empty: all
	busy      int    // calls answered 503
	exchange  string
	finished  int
	number    any
}

func newPortal(t *testing.T) *portal {
	t.Helper()
	p := &portal{exchange: "portal"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/claims", p.claims)
	mux.HandleFunc("POST /v1/claims/{id}/token", p.token)
	mux.HandleFunc("POST /v1/claims/{id}/reject", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /v1/pickups", p.redeem)
	mux.HandleFunc("POST /v1/reports/{key}", p.report)
	mux.HandleFunc("POST /v2/captain/journey/device/connect", p.connect)
	mux.HandleFunc("POST /v2/captain/journey/interaction/submit", p.submit)
	mux.HandleFunc("POST /_sim/journeys/{id}", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		p.finished++
		p.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	})
	p.Server = httptest.NewServer(p.faults(mux))
	t.Cleanup(p.Close)
	return p
}

func (p *portal) faults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		p.mu.Lock()
		p.requests = append(p.requests, r.Method+" "+r.URL.Path)
		if r.URL.Path == "/v1/pickups" {
			var in map[string]string
			_ = json.Unmarshal(body, &in)
			p.pickups = append(p.pickups, in["verifier"])
		}
		lose, busy := p.lose > 0 && strings.HasPrefix(r.URL.Path, p.losePath), p.busy > 0
		if lose {
			p.lose--
		} else if busy {
			p.busy--
		}
		p.mu.Unlock()
		switch {
		case lose:
			panic(http.ErrAbortHandler)
		case busy:
			w.Header().Set("Retry-After", "3")
			problem(w, http.StatusServiceUnavailable, "platform_unavailable", "")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func problem(w http.ResponseWriter, status int, code, reason string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "code": code, "reason": reason, "instance": "req-1"})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (p *portal) claims(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Code          string
		Partner       string
		CodeChallenge string
		DeviceInfo    phone.Device
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	if len(in.CodeChallenge) != 43 || len(in.DeviceInfo.ID) < 16 || in.DeviceInfo.Type != "mobile" {
		problem(w, http.StatusBadRequest, "invalid_request", "")
		return
	}
	if in.Code != p.URL+"/c/acme/good.1.mac" && (in.Code != "1234567890" || in.Partner != "acme") {
		problem(w, http.StatusGone, "gone", "replaced")
		return
	}
	p.mu.Lock()
	p.challenge = in.CodeChallenge
	number := p.number
	p.mu.Unlock()
	answerJSON(w, http.StatusCreated, map[string]any{
		"claimId": "claim-canary", "status": "claimed", "number": number, "expiresIn": 300, "interval": 2,
		"context": map[string]any{"partner": "Acme Bank", "label": "Account opening", "browser": "Chrome", "os": "Windows", "requestedAt": at.Add(-time.Minute)},
	})
}

func (p *portal) token(w http.ResponseWriter, r *http.Request) {
	var in map[string]string
	_ = json.NewDecoder(r.Body).Decode(&in)
	sum := sha256.Sum256([]byte(in["codeVerifier"]))
	p.mu.Lock()
	defer p.mu.Unlock()
	if base64.RawURLEncoding.EncodeToString(sum[:]) != p.challenge || r.PathValue("id") != "claim-canary" {
		problem(w, http.StatusNotFound, "not_found", "")
		return
	}
	if p.notYet > 0 {
		p.notYet--
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusConflict, "not_confirmed", "")
		return
	}
	answerJSON(w, http.StatusOK, p.answer())
}

func (p *portal) answer() map[string]any {
	a := map[string]any{
		"tokenType": "end-user", "endUserToken": endUserToken, "expiresIn": 3599, "instanceId": "PiInstance0000001",
		"platformUrl": p.URL + "/v2/captain", "handoffId": "ho_x", "reportUrl": p.URL + "/v1/reports/report-canary", "returnUrl": nil,
	}
	if p.exchange == "app" {
		delete(a, "endUserToken")
		a["tokenType"], a["connectToken"], a["expiresIn"] = "connect", connectToken, 90
	}
	return a
}

func (p *portal) redeem(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, p.answer())
}

func (p *portal) report(w http.ResponseWriter, r *http.Request) {
	var in map[string]string
	_ = json.NewDecoder(r.Body).Decode(&in)
	p.mu.Lock()
	p.reports = append(p.reports, in["event"])
	p.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (p *portal) connect(w http.ResponseWriter, r *http.Request) {
	var in map[string]any
	_ = json.NewDecoder(r.Body).Decode(&in)
	if r.Header.Get("Authorization") != "Bearer "+connectToken || in["connectToken"] != connectToken {
		answerJSON(w, http.StatusUnauthorized, map[string]any{"errors": []any{}})
		return
	}
	answerJSON(w, http.StatusCreated, map[string]any{"endUserToken": endUserToken, "tokenType": "end-user", "expiresIn": "3599"})
}

func (p *portal) submit(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+endUserToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{})
}

// called counts the requests whose path ends so.
func (p *portal) called(suffix string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, r := range p.requests {
		if strings.HasSuffix(r, suffix) {
			n++
		}
	}
	return n
}

func (p *portal) reported() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.reports)
}

var at = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// waits records what an app would have slept.
type waits struct {
	mu sync.Mutex
	d  []time.Duration
}

func (w *waits) wait(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	w.d = append(w.d, d)
	w.mu.Unlock()
	return ctx.Err()
}
