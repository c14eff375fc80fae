package reliability_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
	"github.com/handoff-portal/handoff/internal/porttest"
)

// patience is how long anything may take that has no limit of its own.
const patience = 2 * time.Minute

// long reports whether the long form of a test is wanted.
func long() bool { return os.Getenv("HANDOFF_LONG") != "" }

// built is the folder of the programs that tests build.
var built string

// binary builds the program, once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built, "handoff")
	out, err := exec.Command("go", "build", "-o", path, "github.com/handoff-portal/handoff/cmd/handoff").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "handoff-binary-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// world is what surrounds the processes of one portal.
type world struct {
	t      *testing.T
	sim    *platformsim.Sim
	up     *httptest.Server // where it listens
	api    string           // the platform's address
	v1     bool             // which version of it the portal is told to speak
	public string
	link   string
	key    handoff.Secret // the partner's
	server string         // the server key
	hooks  *receiver
	store  string // as the configuration spells it
	drain  time.Duration
	retain string // how long what has ended is kept
}

func newWorld(t *testing.T, store string) *world {
	t.Helper()
	w := &world{t: t, sim: platformsim.New(platformsim.Options{}), key: partner.NewKey(), server: keyring.Generate(), store: store, retain: "7d"}
	w.up = httptest.NewServer(w.sim)
	t.Cleanup(w.up.Close)
	w.api = w.up.URL
	w.hooks = newReceiver(t)
	return w
}

// at makes an address of the world: one that browsers and apps see.
func (w *world) at(address string) {
	_, port, _ := net.SplitHostPort(address)
	w.public, w.link = "http://127.0.0.1:"+port, "http://localhost:"+port
}

const settings = `public_url: %s
link_url: %s
listen: %s
internal_listen: %s
trusted_proxies: [127.0.0.0/8]
server_keys: [env:HANDOFF_KEY]
store: %s
egress_allow: [127.0.0.0/8]
limits: {creates_per_partner: 100000/s, claims_per_network: 1000000/m, pages_per_network: 1000000/m, unknown_per_network: 1000000/m, streams_per_network: 50000}
platform:
  version: %[9]s
  api_url: %[6]s%[10]s
  token_url: %[6]s/as/token.oauth2
  grant: client_credentials
  scope: gbg.token
  client_id: env:GBG_ID
  client_secret: env:GBG_SECRET
partners:
  - id: acme
    name: Acme Bank
    keys: ["%[7]s"]
    confirmation: never
    retain: %[11]s
    routes: [link, local]
    apps:
      - {id: main, name: Acme, ios: {app_id: ABCDE12345.com.acme.app, store_url: "https://apps.apple.com/app/id1"}}
    webhooks: [{url: "%[8]s", secrets: [env:HOOK]}]
`

// process is one process of the portal.
type process struct {
	w        *world
	listen   string
	internal string
	file     string // the configuration
	log      string
	newer    bool // it is of the version after ours

	mu    sync.Mutex
	cmd   *exec.Cmd     // guarded by mu
	ended chan struct{} // guarded by mu; closed when cmd is
}

// process makes a process that is not started yet, listening on a free port.
func (w *world) process() *process {
	w.t.Helper()
	dir := w.t.TempDir()
	p := &process{
		w: w, listen: porttest.Address(w.t), internal: porttest.Address(w.t), file: filepath.Join(dir, "handoff.yaml"), log: filepath.Join(dir, "log"),
	}
	w.t.Cleanup(func() {
		p.kill()
		p.reportCrashes()
	})
	return p
}

func (p *process) start() {
	w := p.w
	w.t.Helper()
	version, base := "v2", "/v2/captain"
	if w.v1 {
		version, base = "v1", "/captain/api"
	}
	text := fmt.Sprintf(settings, w.public, w.link, p.listen, p.internal, w.store, w.api, partner.KeyHashText(w.key), w.hooks.url, version, base, w.retain)
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	program := binary
	if p.newer {
		program = nextBinary
	}
	path, err := program()
	if err != nil {
		w.t.Fatal(err)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.CommandContext(context.WithoutCancel(w.t.Context()), path, "serve", "--config", p.file, "--drain", w.drain.String())
	cmd.Env = append(os.Environ(), "HANDOFF_KEY="+w.server, "GBG_ID=demo", "GBG_SECRET="+platformsim.Secret, "HOOK="+hookSecret)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its state says how it ended
		close(ended)
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.ended = cmd, ended
}

// ready waits until the process takes requests, and returns how long that took.
func (p *process) ready() time.Duration {
	p.w.t.Helper()
	began := time.Now()
	for time.Since(began) < patience {
		resp, err := http.Get("http://" + p.internal + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return time.Since(began)
			}
		}
		p.mu.Lock()
		ended := p.ended
		p.mu.Unlock()
		select {
		case <-ended:
			p.w.t.Fatalf("the process ended before it was ready:\n%s", p.tail())
		case <-time.After(5 * time.Millisecond):
		}
	}
	p.w.t.Fatalf("the process never became ready:\n%s", p.tail())
	return 0
}

func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	return string(b[max(0, len(b)-4000):])
}

// kill ends the process at once. It may be called when there is none.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	}
}

// terminate asks the process to end, and returns its exit status and how long it
// took.
func (p *process) terminate() (status int, took time.Duration) {
	p.w.t.Helper()
	p.mu.Lock()
	cmd, ended := p.cmd, p.ended
	p.mu.Unlock()
	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.w.t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		p.w.t.Fatal("the process does not end")
	}
	return cmd.ProcessState.ExitCode(), time.Since(began)
}

// reportCrashes fails the test for what must never be in a log.
func (p *process) reportCrashes() {
	b, _ := os.ReadFile(p.log)
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "panic") || strings.Contains(line, "fatal error") || strings.Contains(line, "DATA RACE") {
			p.w.t.Errorf("a process logged: %s", line)
		}
	}
}
