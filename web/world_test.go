package web_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/attest"
	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/i18n"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/limit"
	"github.com/handoff-portal/handoff/internal/live"
	"github.com/handoff-portal/handoff/internal/live/redislive"
	"github.com/handoff-portal/handoff/internal/metrics"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
	"github.com/handoff-portal/handoff/internal/redistest"
	"github.com/handoff-portal/handoff/internal/reqctx"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/store/memstore"
	"github.com/handoff-portal/handoff/internal/store/redisstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
	taking "github.com/handoff-portal/handoff/internal/stream"
	"github.com/handoff-portal/handoff/internal/traces"
	"github.com/handoff-portal/handoff/web"
)

// setting is what a test wants to be otherwise.
type setting struct {
	version      platform.Version
	twoHosts     bool
	bolt         bool
	redis        string // the address of a server to keep handoffs in
	frame        time.Duration
	heartbeat    time.Duration // default: what the portal has
	confirmation handoff.Confirmation
	exchange     handoff.Exchange
	codeMode     handoff.CodeMode
	tuning       platform.Tuning
	webURL       string
	journeyURL   string
	shop         string // the partner's origin
	wrap         func(handoff.Store) handoff.Store
	rates        limit.Rates        // zero: more than any test asks for
	streams      limit.StreamLimits // the same
	proxies      []netip.Prefix
	country      string // the header in which they say the country
	tune         func(*http.Server)
	log          io.Writer // in place of world.logs, and without debug lines
	textLog      bool      // lines as people read them
	https        bool      // public hosts of one's own, which only the handler itself answers for
	keys         []handoff.Secret
	clientSecret handoff.Secret // the portal's at the platform
	deliverer    func(*slog.Logger, *attest.Attestor) handoff.Deliverer
	dress        func(*partner.Partner)
	messenger    web.Messenger // with it, the partner's links go out by sms and email too
	receipts     handoff.Receipts
	way          way    // of streams
	beside       *world // another process of the same portal, at the same time
	after        *world // the same, after that one was stopped: on its store and address
	collector    string // where spans go; empty: there are none
	parents      bool   // proxies write their own traceparent
	cable        *cable // to go over between people and the portal
}

// world is a portal with everything around it: the stand-in platform behind a
// real connection, a store, a worker, and both hosts on one listener.
type world struct {
	t       testing.TB
	sim     *platformsim.Sim
	clock   *clock
	handoff *handoff.Service
	store   handoff.Store
	hub     *live.Hub
	counted *metrics.Metrics
	server  *http.Server
	public  string
	link    string
	key     handoff.Secret
	other   handoff.Secret // another partner's key
	logs    *logs
	spy     *spy
	api     string // the platform's, as apps find it
	sso     string // the platform's tokens
	keys    []handoff.Secret
	file    string // the store's, if it has one
	redis   string // the address of the store's server, if it has one, and
	prefix  string // how its keys begin
	listen  string // the address of this process
	stop    func() // stops the process before the test ends
	hangUp  func() // closes the platform's ends of all connections

	taken     *atomic.Int64   // connections that were taken from net/http
	transport *http.Transport // of people; nil: the usual one
}

// clock is the portal's and the platform's: real time, put forward by a test, until
// that stops it.
type clock struct {
	ahead   atomic.Int64
	stopped atomic.Pointer[time.Time]
}

func (c *clock) now() time.Time {
	now := time.Now()
	if at := c.stopped.Load(); at != nil {
		now = *at
	}
	return now.Add(time.Duration(c.ahead.Load()))
}

func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

func (c *clock) stop() {
	now := time.Now()
	c.stopped.Store(&now)
}

// logs keeps what was logged.
type logs struct {
	mu   sync.Mutex
	buf  bytes.Buffer  // guarded by mu
	more chan struct{} // guarded by mu; closed by the next line; nil: nobody waits
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

const (
	iPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	android = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36"
	desktop = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)

// platforms gives every partner the same client.
type platforms struct{ client *platform.Client }

func (p platforms) Platform(handoff.PartnerID) (handoff.Platform, error) { return p.client, nil }

// languages are read once for all worlds: nothing changes them.
var languages = sync.OnceValues(i18n.Load)

func newWorld(t testing.TB, change ...func(*setting)) *world {
	t.Helper()
	s := setting{version: platform.V2, frame: 5 * time.Second, confirmation: handoff.ConfirmNever, exchange: handoff.ExchangePortal, codeMode: handoff.CodeLink, shop: "http://localhost:8999"}
	for _, c := range change {
		c(&s)
	}
	w := &world{t: t, clock: &clock{}, logs: &logs{}, spy: &spy{}, hub: live.New(), taken: new(atomic.Int64), key: partner.NewKey(), other: partner.NewKey()}
	out, level := io.Writer(w.logs), slog.LevelDebug
	if s.log != nil {
		out, level = s.log, slog.LevelInfo
	}
	handler := slog.Handler(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
	if s.textLog {
		handler = slog.NewTextHandler(out, &slog.HandlerOptions{Level: level})
	}
	log := slog.New(reqctx.NewHandler(handler))
	w.keys = []handoff.Secret{handoff.Secret(keyring.Generate())}
	if first := s.first(); first != nil {
		w.share(first)
	} else {
		w.sim = platformsim.New(platformsim.Options{Now: w.clock.now})
		upstream := httptest.NewServer(w.spy.over(w.sim))
		t.Cleanup(upstream.Close)
		w.hangUp = upstream.CloseClientConnections
		base := map[platform.Version]string{platform.V1: "/captain/api", platform.V2: "/v2/captain"}[s.version]
		w.api, w.sso = upstream.URL+base, upstream.URL+"/as/token.oauth2"
	}
	clientSecret := handoff.Secret(platformsim.Secret)
	if s.clientSecret != "" {
		clientSecret = s.clientSecret
		w.spy.secret(clientSecret)
	}
	client, err := platform.New(platform.Config{
		Version: s.version, APIURL: w.api, TokenURL: w.sso,
		Grant: platform.GrantClientCredentials, Scope: "gbg.token", ClientID: "demo", ClientSecret: clientSecret,
		Log: log, Now: w.clock.now, Tuning: s.tuning,
	})
	if err != nil {
		t.Fatalf("platform.New() error = %v", err)
	}
	t.Cleanup(client.Close)
	closeStore := func() {}
	switch {
	case s.redis != "" || w.redis != "":
		if w.redis == "" {
			w.redis, w.prefix = s.redis, redistest.Prefix()
		}
		closeStore = w.overRedis(log)
	case s.beside != nil:
		w.store = s.beside.store
	case s.bolt:
		if w.file == "" {
			w.file = filepath.Join(t.TempDir(), "handoff.db")
		}
		file, err := boltstore.Open(w.file, boltstore.Options{})
		if err != nil {
			t.Fatalf("boltstore.Open() error = %v", err)
		}
		closeStore = func() { _ = file.Close() }
		w.store = file
	default:
		w.store = memstore.New()
		if _, measured := t.(*testing.B); !measured {
			w.store = storetest.Unwritten(t, w.store)
		}
	}
	if s.wrap != nil {
		w.store = s.wrap(w.store)
	}
	if s.keys != nil {
		w.keys = s.keys
	}
	vault, err := keyring.New(w.keys)
	if err != nil {
		t.Fatalf("keyring.New() error = %v", err)
	}
	address := "127.0.0.1:0"
	if s.after != nil {
		address = s.after.listen
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	w.listen = listener.Addr().String()
	_, port, _ := net.SplitHostPort(w.listen)
	if s.cable != nil {
		s.cable.serve(w.listen)
		w.transport = s.cable.around() // browsers go over it, the test's own people do not
		t.Cleanup(w.transport.CloseIdleConnections)
		_, port, _ = net.SplitHostPort(s.cable.listener.Addr().String())
	}
	switch {
	case s.https:
		w.public, w.link = "https://go.example.com", "https://link.example.com"
	case s.first() != nil: // its addresses
	case s.twoHosts:
		w.public, w.link = "http://127.0.0.1:"+port, "http://localhost:"+port
	default:
		w.public = "http://127.0.0.1:" + port
		w.link = w.public
	}
	records := attest.New(w.public, vault)
	var deliverer handoff.Deliverer
	if s.deliverer != nil {
		deliverer = s.deliverer(log, records)
	}
	w.counted = metrics.New(metrics.Options{Rule: applink.Rule})
	behind := handoff.Config{
		Store: w.counted.Store(w.store), Vault: vault, Platforms: w.counted.Platforms(platforms{client}), Notifier: w.hub,
		Deliverer: deliverer, Witness: w.counted, Receipts: s.receipts, Log: log, Now: w.clock.now,
	}
	front := web.Config{}
	drain, closeTraces := func() {}, func() {}
	if s.collector != "" {
		traced := traces.New(traces.Options{URL: s.collector, Share: 1, Log: log})
		closeTraces = func() { _ = traced.Close() }
		drain = func() { // a span ends with its request
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_ = w.server.Shutdown(ctx)
		}
		behind.Store, behind.Platforms = traced.Store(behind.Store), traced.Platforms(behind.Platforms)
		if deliverer != nil {
			behind.Deliverer = traced.Deliverer(deliverer)
		}
		front.Trace, front.TraceParents = traced.Request, s.parents
	}
	w.handoff = handoff.NewService(behind)
	catalog, err := languages()
	if err != nil {
		t.Fatalf("i18n.Load() error = %v", err)
	}
	var poller *taking.Poller
	if s.way == wayTaken {
		if poller, err = taking.NewPoller(); err != nil {
			t.Fatalf("taking.NewPoller() error = %v", err)
		}
	}
	h, err := web.New(web.Config{
		Trace: front.Trace, TraceParents: front.TraceParents,
		Handoffs: w.handoff, Records: records, Partners: directory(t, s, w), Changes: w.hub, Catalog: catalog,
		Public: w.public, Link: w.link, Frame: s.frame, Heartbeat: s.heartbeat, Log: log,
		Limiter: limiter(t, s, w.clock.now), Streams: streams(s), Poller: poller, TrustedProxies: s.proxies, CountryHeader: s.country, Observe: w.counted.Request, Messenger: s.messenger,
	})
	if err != nil {
		t.Fatalf("web.New() error = %v", err)
	}
	w.server = web.NewServer(h, log)
	w.server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateHijacked {
			w.taken.Add(1)
		}
	}
	if s.way == wayHTTP2 {
		w.server.Protocols, w.transport = new(http.Protocols), &http.Transport{Protocols: new(http.Protocols)}
		w.server.Protocols.SetHTTP1(true)
		w.server.Protocols.SetUnencryptedHTTP2(true)
		w.transport.Protocols.SetUnencryptedHTTP2(true)
		t.Cleanup(w.transport.CloseIdleConnections)
	}
	if s.tune != nil {
		s.tune(w.server)
	}
	w.server.RegisterOnShutdown(w.hub.Close)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.server.Serve(listener)
	}()
	ctx, stop := context.WithCancel(context.Background())
	worker := make(chan struct{})
	go func() {
		defer close(worker)
		w.handoff.Run(ctx)
	}()
	w.stop = sync.OnceFunc(func() {
		stop()
		<-worker
		w.hub.Close()
		drain()
		_ = w.server.Close()
		<-done
		if poller != nil {
			_ = poller.Close()
		}
		closeTraces()
		closeStore()
	})
	t.Cleanup(w.stop)
	return w
}

// overRedis gives w a store in Redis, and what tells it of other processes'
// changes. stop ends both.
func (w *world) overRedis(log *slog.Logger) (stop func()) {
	client := redis.NewClient(&redis.Options{Addr: w.redis})
	store := redisstore.New(client, redisstore.Options{Prefix: w.prefix})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		redislive.New(client, store.Channel(), store, w.hub, log).Run(ctx)
	}()
	w.store = store
	return func() { cancel(); <-done; client.Close() }
}

// first is the process that this one follows or stands beside, or nil.
func (s setting) first() *world {
	if s.beside != nil {
		return s.beside
	}
	return s.after
}

// share makes w a process of the same portal as first, with a clock of its own.
func (w *world) share(first *world) {
	w.sim, w.spy, w.api, w.sso, w.file, w.keys = first.sim, first.spy, first.api, first.sso, first.file, first.keys
	w.redis, w.prefix = first.redis, first.prefix
	w.public, w.link, w.key, w.other = first.public, first.link, first.key, first.other
}

const fingerprint = "14:6D:E9:83:C5:73:06:50:D8:EE:B9:95:2F:34:FC:64:16:A0:83:42:E6:1D:BE:A8:8A:04:96:B2:3F:CF:44:E5"

func directory(t testing.TB, s setting, w *world) *partner.Directory {
	t.Helper()
	app := partner.App{
		ID: "main", Name: "Acme", Exchange: s.exchange, CodeMode: s.codeMode, WebURL: s.webURL, JourneyURL: s.journeyURL,
		IOS:     partner.IOS{AppID: "ABCDE12345.com.acme.app", StoreURL: "https://apps.apple.com/app/id1"},
		Android: partner.Android{Package: "com.acme.app", Fingerprints: []string{fingerprint}, StoreURL: "https://play.google.com/store/apps/details?id=com.acme.app"},
	}
	routes := []handoff.Route{handoff.RouteLink, handoff.RouteTyped, handoff.RouteLocal}
	if s.messenger != nil {
		routes = append(routes, handoff.RouteSMS, handoff.RouteEmail)
	}
	acme := partner.Partner{
		ID: "acme", Name: "Acme Bank", KeyHashes: []handoff.Hash{partner.HashKey(w.key)}, Confirmation: s.confirmation,
		Origins: []string{s.shop}, ReturnURLs: []string{s.shop + "/done"},
		CompleteWithin: time.Hour, Retain: time.Hour, Routes: routes, Apps: []partner.App{app},
		Brand: partner.Brand{Color: "#0b5fff"},
	}
	if s.dress != nil {
		s.dress(&acme)
	}
	d, err := partner.New([]partner.Partner{acme, {
		ID: "other", Name: "Other Bank", KeyHashes: []handoff.Hash{partner.HashKey(w.other)}, Confirmation: s.confirmation, Routes: routes,
		Apps: []partner.App{app},
	}})
	if err != nil {
		t.Fatalf("partner.New() error = %v", err)
	}
	return d
}

// answer is what came back.
type answer struct {
	*http.Response
	body []byte
	url  *url.URL
}

func (a answer) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%s answered %s, not JSON: %v", a.url.Path, a.body, err)
	}
}

func (a answer) page(t testing.TB) *goquery.Document {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(a.body))
	if err != nil {
		t.Fatalf("reading the page of %s: %v", a.url.Path, err)
	}
	return doc
}

// testID is the main part of a page, by which tests tell pages apart.
func (a answer) testID(t testing.TB) string {
	t.Helper()
	return a.page(t).Find("main").AttrOr("data-testid", "no main")
}

func send(t testing.TB, client *http.Client, r *http.Request) answer {
	t.Helper()
	res, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: reading the answer: %v", r.Method, r.URL.Path, err)
	}
	a := answer{Response: res, body: body, url: r.URL}
	examine(t, r, a)
	return a
}

func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// call makes a partner's call.
func (w *world) call(method, path string, body any) answer {
	w.t.Helper()
	return w.callAs(w.key, method, path, body)
}

func (w *world) callAs(key handoff.Secret, method, path string, body any) answer {
	w.t.Helper()
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		content = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.public+path, content)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key.Reveal())
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return send(w.t, &http.Client{CheckRedirect: stay}, r)
}

// wire is a handoff as the API shows it.
type wire struct {
	ID, Status, DisplayURL, InstanceID, SupportRef string
	Route, Confirmed, Reason, Record               *string
	Device                                         *struct{ Class, OS string }
	ExpiresAt                                      time.Time
	Events                                         []struct {
		Type string
		Seq  int
	}
}

// create makes a handoff; more replaces or adds members.
func (w *world) create(more ...map[string]any) wire {
	w.t.Helper()
	body := map[string]any{"instanceId": newInstance()}
	for _, m := range more {
		maps.Copy(body, m)
	}
	a := w.call(http.MethodPost, "/v1/handoffs", body)
	if a.StatusCode != http.StatusCreated {
		w.t.Fatalf("POST /v1/handoffs = %d %s, want 201", a.StatusCode, a.body)
	}
	var h wire
	a.json(w.t, &h)
	return h
}

func newInstance() string { return "Pi" + rand.Text()[:22] }

func (w *world) get(id string) wire {
	w.t.Helper()
	a := w.call(http.MethodGet, "/v1/handoffs/"+id, nil)
	if a.StatusCode != http.StatusOK {
		w.t.Fatalf("GET /v1/handoffs/%s = %d %s, want 200", id, a.StatusCode, a.body)
	}
	var h wire
	a.json(w.t, &h)
	return h
}

// patience is the longest a test waits for what must come: only a fault takes as long.
const patience = time.Minute

// wantStatus waits for the worker, or for the step that is under way.
func (w *world) wantStatus(id, want string) wire {
	w.t.Helper()
	// Subscribed first and read then, so that no change falls between.
	updates, stop := w.hub.Subscribe(handoff.ID(id))
	defer stop()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for {
		h := w.get(id)
		if h.Status == want {
			return h
		}
		select {
		case _, open := <-updates:
			if !open {
				w.t.Fatalf("handoff %s is %s, want %s, and the hub is closed", id, h.Status, want)
			}
		case <-ctx.Done():
			w.t.Fatalf("handoff %s is %s, want %s", id, h.Status, want)
		}
	}
}

// calls are the platform calls made so far, of these kinds.
func (w *world) calls(kinds ...string) []string {
	var made []string
	for _, c := range w.sim.Calls() {
		for _, k := range kinds {
			if c.Call == k {
				made = append(made, c.Call)
			}
		}
	}
	return made
}

// person is somebody's browser without scripts: cookies, Origin and fetch metadata.
type person struct {
	t      testing.TB
	agent  string
	client *http.Client
	accept string      // Accept-Language
	header http.Header // what a proxy on the way adds
}

func (w *world) person(agent string) *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: stay}
	if w.transport != nil {
		client.Transport = w.transport
	}
	return &person{t: w.t, agent: agent, accept: "en", header: http.Header{}, client: client}
}

func (p *person) request(method, address string, form url.Values) *http.Request {
	p.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, address, body)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = p.header.Clone()
	r.Header.Set("User-Agent", p.agent)
	r.Header.Set("Accept-Language", p.accept)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "none")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	return r
}

// get follows redirects, as a browser does.
func (p *person) get(address string) answer {
	p.t.Helper()
	return p.follow(p.request(http.MethodGet, address, nil))
}

func (p *person) post(address string, form url.Values) answer {
	p.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	return p.follow(p.request(http.MethodPost, address, form))
}

func (p *person) follow(r *http.Request) answer {
	p.t.Helper()
	a := send(p.t, p.client, r)
	for hops := 0; hops < 5 && a.StatusCode >= 300 && a.StatusCode < 400; hops++ {
		next, err := a.url.Parse(a.Header.Get("Location"))
		if err != nil {
			p.t.Fatal(err)
		}
		a = send(p.t, p.client, p.request(http.MethodGet, next.String(), nil))
	}
	return a
}

// press sends the form with this data-testid.
func (p *person) press(a answer, testID string) answer {
	p.t.Helper()
	form := a.page(p.t).Find(fmt.Sprintf("form[data-testid=%q]", testID)).First()
	action, ok := form.Attr("action")
	if !ok {
		p.t.Fatalf("%s has no form %q: %s", a.url.Path, testID, a.testID(p.t))
	}
	values := url.Values{}
	form.Find("input[name]").Each(func(_ int, in *goquery.Selection) { values.Set(in.AttrOr("name", ""), in.AttrOr("value", "")) })
	target, err := a.url.Parse(action)
	if err != nil {
		p.t.Fatal(err)
	}
	r := p.request(http.MethodPost, target.String(), values)
	r.Header.Set("Referer", a.url.String()) // as our Referrer-Policy has it
	return p.follow(r)
}

// scan is what the display's QR holds now, by the display's own picture.
func (w *world) scan(displayURL string) string {
	w.t.Helper()
	a := w.person(desktop).get(displayURL + "/qr.png")
	if a.StatusCode != http.StatusOK {
		w.t.Fatalf("GET qr.png = %d, want 200", a.StatusCode)
	}
	return browser.DecodeQR(w.t, a.body)
}

// native calls the app API.
func (w *world) native(path string, body any) answer {
	w.t.Helper()
	return w.nativeFrom("", path, body)
}

// nativeFrom is the same from an address, by a proxy's word.
func (w *world) nativeFrom(address, path string, body any) answer {
	w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.link+path, bytes.NewReader(b))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "AcmeApp/1")
	if address != "" {
		r.Header.Set("X-Forwarded-For", address)
	}
	return send(w.t, http.DefaultClient, r)
}

// pkce is a code verifier and its S256 challenge (RFC 7636).
func pkce() (verifier, challenge string) {
	verifier = rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(sum[:])
}

// token is a token answer.
type token struct {
	EndUserToken, ConnectToken, TokenType, InstanceID, PlatformURL, HandoffID, ReportURL, JourneyURL string
	ExpiresIn                                                                                        int
	ReturnURL                                                                                        *string
}

// problem is a failure of the API.
type problem struct {
	Type, Title, Detail, Instance, Code, Reason string
	Status                                      int
	Errors                                      []struct{ Pointer, Detail string }
}
