package demo_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/handoff-portal/handoff/internal/demo"
	"github.com/handoff-portal/handoff/internal/partner"
)

const token = "end-user-canary-0123456789"

// portal answers as little of the public contract as the shop and the app need.
type portal struct {
	*httptest.Server
	mu      sync.Mutex
	orders  []map[string]any
	status  string
	pickups []string // verifiers
	reports []string
	waiting int // token calls answered not_confirmed
	fail    int // pickups answered 500
}

func newPortal(t *testing.T) *portal {
	t.Helper()
	p := &portal{status: "displayed"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/handoffs", func(w http.ResponseWriter, r *http.Request) {
		var o map[string]any
		_ = json.NewDecoder(r.Body).Decode(&o)
		if r.Header.Get("Authorization") != "Bearer shop-key" || r.Header.Get("Idempotency-Key") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		p.mu.Lock()
		p.orders = append(p.orders, o)
		p.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
		p.handoff(w)
	})
	mux.HandleFunc("GET /v1/handoffs/ho_one", func(w http.ResponseWriter, _ *http.Request) { p.handoff(w) })
	mux.HandleFunc("GET /v1/handoffs", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"items":[],"next":null}`)
	})
	mux.HandleFunc("POST /v1/claims", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"claimId":"claim-canary","status":"claimed","number":"4831","expiresIn":300,"interval":2,"context":{"partner":"Acme Bank","browser":"Chrome","os":"Windows"}}`)
	})
	mux.HandleFunc("POST /v1/claims/claim-canary/token", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.waiting > 0 {
			p.waiting--
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"code":"not_confirmed"}`)
			return
		}
		p.answer(w)
	})
	mux.HandleFunc("POST /v1/claims/claim-canary/reject", func(w http.ResponseWriter, _ *http.Request) {
		p.said("rejected")
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /v1/pickups", func(w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		_ = json.NewDecoder(r.Body).Decode(&in)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pickups = append(p.pickups, in["verifier"])
		if p.fail > 0 {
			p.fail--
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		p.answer(w)
	})
	mux.HandleFunc("POST /v1/reports/report-canary", func(w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		_ = json.NewDecoder(r.Body).Decode(&in)
		p.said(in["event"])
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /v2/captain/journey/interaction/submit", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "{}")
	})
	mux.HandleFunc("POST /_sim/journeys/PiOne", func(_ http.ResponseWriter, r *http.Request) {
		var in map[string]string
		_ = json.NewDecoder(r.Body).Decode(&in)
		p.said(map[string]string{"Completed": "completed", "Failed": "failed journey"}[in["status"]])
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *portal) said(what string) {
	p.mu.Lock()
	p.reports = append(p.reports, what)
	p.mu.Unlock()
}

func (p *portal) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.reports)
}

func (p *portal) handoff(w http.ResponseWriter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": "ho_one", "status": p.status, "displayUrl": p.URL + "/h/display", "reference": "order <1>", "supportRef": "7K3QXF",
		"events": []map[string]any{{"type": "created", "at": "2026-08-01T12:00:00Z"}},
	})
}

func (p *portal) answer(w http.ResponseWriter) {
	_ = json.NewEncoder(w).Encode(map[string]any{
		"tokenType": "end-user", "endUserToken": token, "expiresIn": 3599, "instanceId": "PiOne", "handoffId": "ho_one",
		"platformUrl": p.URL + "/v2/captain", "reportUrl": p.URL + "/v1/reports/report-canary",
	})
}

// browser is a client with cookies that looks at pages of one site.
type browser struct {
	t    *testing.T
	http *http.Client
	base string
}

func browse(t *testing.T, h http.Handler) *browser {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar}, srv.URL}
}

// get returns the status and text of a page, and checks what every page keeps to.
func (b *browser) get(path string) (int, string) {
	b.t.Helper()
	resp, err := b.http.Get(b.base + path)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.page(resp, path)
}

func (b *browser) post(path string, form url.Values) (int, string) {
	b.t.Helper()
	resp, err := b.http.PostForm(b.base+path, form)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.page(resp, path)
}

func (b *browser) page(resp *http.Response, path string) (int, string) {
	b.t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	text := string(body)
	for _, secret := range []string{token, "claim-canary", "report-canary", "shop-key"} {
		if strings.Contains(text, secret) {
			b.t.Errorf("page %s holds %q", path, secret)
		}
	}
	if strings.HasPrefix(resp.Request.URL.String(), b.base) {
		if !strings.Contains(text, "This is a demonstration") {
			b.t.Errorf("page %s does not say that it is a demonstration: %q", path, text)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			b.t.Errorf("page %s has the policy %q, want a strict one", path, csp)
		}
	}
	return resp.StatusCode, text
}

func newShop(t *testing.T, p *portal) http.Handler {
	t.Helper()
	h, err := demo.NewShop(demo.ShopConfig{
		PortalURL: p.URL, Origins: []string{"http://localhost:8081", "http://192.168.1.7:8081"}, Key: "shop-key",
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestShopFrames(t *testing.T) {
	p := newPortal(t)
	b := browse(t, newShop(t, p))
	b.get("/")
	status, page := b.post("/open", url.Values{"where": {"frame"}})
	if status != http.StatusOK || !strings.Contains(page, `<handoff-frame data-testid="frame" src="`+p.URL+`/h/display"`) || !strings.Contains(page, `<script src="`+p.URL+`/embed/v1.js"`) {
		t.Errorf("POST /open led to %d %q, want the display in a frame and the portal's script", status, page)
	}
	o := p.orders[0]
	if o["parentOrigin"] != "http://localhost:8081" || o["returnUrl"] != "http://localhost:8081/done" {
		t.Errorf("the order was %v, want the shop's origin and return URL", o)
	}
	if id, _ := o["instanceId"].(string); !strings.HasPrefix(id, "Pi") || len(id) < 16 {
		t.Errorf("the order's instance id is %q, want one of the stand-in's", id)
	}
}

func TestShopTellsTheTruth(t *testing.T) {
	p := newPortal(t)
	b := browse(t, newShop(t, p))
	b.post("/open", url.Values{"where": {"frame"}})
	p.status = "rejected"
	status, page := b.get("/done?handoff=ho_one&status=completed")
	if status != http.StatusOK || !strings.Contains(page, `>Your account is not open yet</h1>`) || !strings.Contains(page, "order &lt;1&gt;") {
		t.Errorf("GET /done with a forged status = %d %q, want what the API says, escaped", status, page)
	}
	p.status = "completed"
	if _, page := b.get("/done?handoff=ho_one&status=rejected"); !strings.Contains(page, `>Welcome to Acme Bank</h1>`) {
		t.Errorf("GET /done = %q, want what the API says", page)
	}
}

func TestShopHidesOthersChecks(t *testing.T) {
	p := newPortal(t)
	h := newShop(t, p)
	browse(t, h).post("/open", nil)
	other := browse(t, h)
	for _, path := range []string{"/done?handoff=ho_one", "/check/ho_one"} {
		if status, page := other.get(path); status != http.StatusNotFound || strings.Contains(page, "7K3QXF") {
			t.Errorf("GET %s in another browser = %d, want 404", path, status)
		}
	}
}

func TestSitesRefuseForeignForms(t *testing.T) {
	p := newPortal(t)
	for name, h := range map[string]http.Handler{"shop": newShop(t, p), "app": newApp(t, p)} {
		for _, path := range []string{"/open", "/play", "/play/ho_one", "/fail", "/scan", "/agree", "/finish", "/leave"} {
			req := httptest.NewRequest(http.MethodPost, path, http.NoBody)
			req.Header.Set("Sec-Fetch-Site", "cross-site")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code != http.StatusForbidden {
				t.Errorf("POST %s of the %s from another site = %d, want 403", path, name, w.Code)
			}
		}
	}
}

func newApp(t *testing.T, p *portal) http.Handler {
	t.Helper()
	h, err := demo.NewApp(demo.AppConfig{PortalURL: p.URL, Partner: "acme", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAppPicksUp(t *testing.T) {
	p := newPortal(t)
	b := browse(t, newApp(t, p))
	if _, page := b.get("/handoff?pickup=first"); !strings.Contains(page, `content="0; url=/"`) || len(p.pickups) != 0 {
		t.Errorf("GET /handoff = %q after %d pickups, want a way on and nothing redeemed yet", page, len(p.pickups))
	}
	p.fail = 1
	if status, _ := b.get("/"); status != http.StatusBadGateway {
		t.Errorf("GET / with a failing portal = %d, want 502", status)
	}
	status, page := b.get("/")
	if status != http.StatusOK || !strings.Contains(page, "You are in the Acme app") {
		t.Errorf("GET / = %d %q, want the app's screen", status, page)
	}
	b.get("/handoff?pickup=first")
	b.get("/")
	if len(p.pickups) != 2 || p.pickups[0] != p.pickups[1] {
		t.Errorf("the pickup was redeemed with %d verifiers, want the same one twice, and none for a reload", len(p.pickups))
	}
	if _, page = b.post("/finish", nil); !strings.Contains(page, "The check is finished") {
		t.Errorf("POST /finish led to %q, want the end", page)
	}
	if got, want := p.heard(), []string{"started", "completed", "finished"}; !slices.Equal(got, want) {
		t.Errorf("the portal heard %v, want %v", got, want)
	}
}

func TestAppFails(t *testing.T) {
	p := newPortal(t)
	b := browse(t, newApp(t, p))
	b.get("/handoff?pickup=first")
	b.get("/")
	if _, page := b.post("/fail", nil); !strings.Contains(page, "you did not pass") {
		t.Errorf("POST /fail led to %q, want an end that says so", page)
	}
	b.post("/finish", nil) // it is over
	if got, want := p.heard(), []string{"started", "failed journey", "failed"}; !slices.Equal(got, want) {
		t.Errorf("the portal heard %v, want %v", got, want)
	}
}

func TestAppScans(t *testing.T) {
	p := newPortal(t)
	b := browse(t, newApp(t, p))
	_, page := b.post("/scan", url.Values{"code": {"123 456 7890"}})
	if !strings.Contains(page, "Acme Bank asks you to carry on here") || strings.Contains(page, "4831") {
		t.Errorf("POST /scan led to %q, want who asks, and the number only after a yes", page)
	}
	p.waiting = 1
	if _, page = b.post("/agree", nil); !strings.Contains(page, "4831") || !strings.Contains(page, `http-equiv="refresh" content="2"`) {
		t.Errorf("POST /agree led to %q, want the number and a reload", page)
	}
	if _, page = b.get("/"); !strings.Contains(page, "You are in the Acme app") {
		t.Errorf("GET / after the number was typed = %q, want the app's screen", page)
	}
	b.post("/leave", nil)
	if got, want := p.heard(), []string{"started", "left"}; !slices.Equal(got, want) {
		t.Errorf("the portal heard %v, want %v", got, want)
	}
}

func TestAppRefuses(t *testing.T) {
	p := newPortal(t)
	b := browse(t, newApp(t, p))
	b.post("/scan", url.Values{"code": {p.URL + "/c/acme/code"}})
	if _, page := b.post("/refuse", nil); !strings.Contains(page, "this wasn") {
		t.Errorf("POST /refuse led to %q, want a sentence on it", page)
	}
	if got, want := p.heard(), []string{"rejected"}; !slices.Equal(got, want) {
		t.Errorf("the portal heard %v, want %v", got, want)
	}
	if status, _ := b.post("/scan", url.Values{"code": {"nonsense!"}}); status != http.StatusBadRequest {
		t.Errorf("POST /scan of nonsense = %d, want 400", status)
	}
}

func TestNewSetup(t *testing.T) {
	s, err := demo.NewSetup(demo.Options{Port: 9000})
	if err != nil {
		t.Fatal(err)
	}
	if s.PublicURL != "http://127.0.0.1:9000" || s.LinkURL != "http://localhost:9000" || s.ShopURL != "http://localhost:9001" ||
		s.PlatformURL() != "http://127.0.0.1:9002/v2/captain" || s.AppURL != "http://localhost:9003" || s.ListenShop != "127.0.0.1:9001" {
		t.Errorf("NewSetup(port 9000) = %+v, want four ports in a row on loopback", s)
	}
	d, err := partner.New([]partner.Partner{s.Partner})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := d.ByKey(s.Key); !ok {
		t.Error("the setup's key is not its partner's")
	}
}

func TestNewSetupLAN(t *testing.T) {
	addrs := func() ([]net.Addr, error) {
		var out []net.Addr
		for _, s := range []string{"127.0.0.1/8", "fe80::1/64", "203.0.113.9/24", "192.168.1.7/24"} {
			ip, n, err := net.ParseCIDR(s)
			if err != nil {
				return nil, err
			}
			out = append(out, &net.IPNet{IP: ip, Mask: n.Mask})
		}
		return out, nil
	}
	s, err := demo.NewSetup(demo.Options{Port: 8080, LAN: true, Interfaces: addrs})
	if err != nil {
		t.Fatal(err)
	}
	if s.PublicURL != "http://192.168.1.7:8080" || s.LANShopURL != "http://192.168.1.7:8081" || s.ListenPortal != ":8080" || s.ListenStandIn != "127.0.0.1:8082" {
		t.Errorf("NewSetup(LAN) = %+v, want the private address, and the stand-in still on loopback", s)
	}
	d, err := partner.New([]partner.Partner{s.Partner})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := d.ByID("acme")
	s.OpenToLAN(p)
	if !p.AllowsOrigin("http://192.168.1.7:8081") || p.Apps[0].WebURL != "http://192.168.1.7:8083/handoff" {
		t.Errorf("OpenToLAN left origins %v and web app %q, want the network's addresses too", p.Origins, p.Apps[0].WebURL)
	}
}

func TestNewSetupRefuses(t *testing.T) {
	none := func() ([]net.Addr, error) { return nil, nil }
	for _, o := range []demo.Options{{}, {Port: 65533}, {Port: 8080, LAN: true, Interfaces: none}} {
		if _, err := demo.NewSetup(o); err == nil {
			t.Errorf("NewSetup(%d, %t) succeeded, want a fault", o.Port, o.LAN)
		}
	}
}
