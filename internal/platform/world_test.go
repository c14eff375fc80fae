package platform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

const (
	instance = handoff.InstanceID("PiIuACmx8Q8R7qPnAkLAqBAT")
	unknown  = handoff.InstanceID("XxIuACmx8Q8R7qPnAkLAqBAT")

	clientID = "client-id-canary"
	password = "password-canary"
	username = "username-canary"
)

// setup is one way of talking to the platform.
type setup struct {
	name    string
	version platform.Version
	grant   platform.Grant
}

func setups() []setup {
	return []setup{
		{"v1 password", platform.V1, platform.GrantPassword},
		{"v1 client credentials", platform.V1, platform.GrantClientCredentials},
		{"v2 password", platform.V2, platform.GrantPassword},
		{"v2 client credentials", platform.V2, platform.GrantClientCredentials},
	}
}

// config is setup against a platform at origin.
func (s setup) config(origin string) platform.Config {
	cfg := platform.Config{
		Version: s.version, APIURL: origin + "/v2/captain", TokenURL: origin + "/as/token.oauth2",
		Grant: s.grant, ClientID: clientID, ClientSecret: platformsim.Secret,
	}
	if s.version == platform.V1 {
		cfg.APIURL = origin + "/captain/api/"
		cfg.TokenURL = origin + "/captain/api/as/token.oauth2"
	}
	if s.grant == platform.GrantPassword {
		cfg.Username, cfg.Password = username, password
	} else {
		cfg.Scope = "gbg.token"
	}
	return cfg
}

// world is a client and a stand-in, joined by HTTP over pipes instead of
// sockets, so that they may live in a synctest bubble, where waiting is free.
type world struct {
	*platformsim.Sim
	*platform.Client
	t       *testing.T
	handler http.Handler
	logs    bytes.Buffer

	transport *http.Transport

	mu      sync.Mutex // guards what follows
	secrets []string   // every token that was given out
	ids     []string   // every X-Request-ID
	noDial  bool
}

// options vary a world; the zero value is v2 with client credentials.
type options struct {
	setup   setup
	edit    func(*platform.Config)
	sim     platformsim.Options
	handler http.Handler // in place of the stand-in
}

func newWorld(t *testing.T, o options) *world {
	t.Helper()
	w := &world{t: t, Sim: platformsim.New(o.sim), handler: o.handler}
	if w.handler == nil {
		w.handler = w.Sim
	}
	listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: w, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	go srv.Serve(listener)
	transport := platform.NewTransport()
	transport.Proxy = nil
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		w.mu.Lock()
		refuse := w.noDial
		w.mu.Unlock()
		if refuse {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}
		}
		return listener.dial(ctx)
	}
	if o.setup.version == "" {
		o.setup = setups()[3]
	}
	cfg := o.setup.config("http://platform.example")
	w.transport = transport
	cfg.HTTP = transport
	cfg.Log = slog.New(slog.NewJSONHandler(&w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.edit != nil {
		o.edit(&cfg)
	}
	client, err := platform.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	w.Client = client
	t.Cleanup(func() {
		client.Close()
		transport.CloseIdleConnections()
		srv.Close()
		synctest.Wait()
	})
	return w
}

// ServeHTTP passes calls on and remembers what was given out.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	tee := &tee{ResponseWriter: rw}
	defer func() {
		var in map[string]any
		_ = json.Unmarshal(tee.body.Bytes(), &in)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ids = append(w.ids, rw.Header().Get("X-Request-ID"))
		for _, key := range []string{"access_token", "connectToken", "endUserToken", "resumeCredential"} {
			if s, ok := in[key].(string); ok {
				w.secrets = append(w.secrets, s)
			}
		}
	}()
	w.handler.ServeHTTP(tee, r)
}

type tee struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (t *tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *tee) Write(b []byte) (int, error) {
	t.body.Write(b)
	return t.ResponseWriter.Write(b)
}

// fault arranges for calls to go wrong.
func (w *world) fault(f platformsim.Fault) {
	w.t.Helper()
	if err := w.Fault(f); err != nil {
		w.t.Fatalf("Fault(%+v) = %v", f, err)
	}
}

// refuse makes new connections impossible, or possible again.
func (w *world) refuse(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noDial = on
}

// dropConnections closes the connections there are and refuses new ones.
func (w *world) dropConnections() {
	w.refuse(true)
	w.transport.CloseIdleConnections()
	synctest.Wait()
}

// count is how often the platform has had a call.
func (w *world) count(call string) int {
	n := 0
	for _, c := range w.Calls() {
		if c.Call == call {
			n++
		}
	}
	return n
}

// start makes a connect token, which must succeed.
func (w *world) start() handoff.ConnectToken {
	w.t.Helper()
	token, err := w.StartDevice(w.t.Context(), instance, []handoff.Scope{handoff.ScopeMobile})
	if err != nil {
		w.t.Fatalf("StartDevice: %v", err)
	}
	return token
}

// try makes the call with this name, with whatever it needs beforehand.
func (w *world) try(call string) error {
	w.t.Helper()
	ctx := w.t.Context()
	var err error
	switch call {
	case "token":
		err = w.Authenticate(ctx)
	case "start":
		_, err = w.StartDevice(ctx, instance, []handoff.Scope{handoff.ScopeMobile})
	case "connect":
		_, err = w.ConnectDevice(ctx, w.start().Token, phone())
	case "state":
		_, err = w.State(ctx, instance)
	case "journey":
		_, err = w.StartJourney(ctx, handoff.Journey{ResourceID: "abc@latest"})
	default:
		w.t.Fatalf("no call %q", call)
	}
	return err
}

// log is what has been logged so far, line by line.
func (w *world) log() []map[string]any {
	w.t.Helper()
	var out []map[string]any
	for line := range strings.Lines(w.logs.String()) {
		var in map[string]any
		if err := json.Unmarshal([]byte(line), &in); err != nil {
			w.t.Fatalf("log line %q: %v", line, err)
		}
		out = append(out, in)
	}
	return out
}

func phone() handoff.DeviceInfo {
	return handoff.DeviceInfo{ID: "device-0123456789", Name: "A phone", Type: "mobile"}
}

// pipes is a listener whose connections are in memory.
type pipes struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// wantCode checks the code of an error, and that an unavailable platform comes
// with a time to try again.
func wantCode(t *testing.T, what string, err error, want handoff.Code) {
	t.Helper()
	got := handoff.Code("")
	if err != nil {
		got = handoff.CodeOf(err)
	}
	if got != want {
		t.Errorf("%s: code = %q, want %q (err: %v)", what, got, want, err)
	}
	if e, ok := errors.AsType[*handoff.Error](err); ok && got == handoff.CodePlatformUnavailable && e.RetryAfter < time.Second {
		t.Errorf("%s: RetryAfter = %s, want at least a second", what, e.RetryAfter)
	}
}
