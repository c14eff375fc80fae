//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// build builds the program that is measured.
func (b *bench) build(ctx context.Context) error {
	b.program = filepath.Join(b.dir, "handoff")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", b.program, "github.com/handoff-portal/handoff/cmd/handoff").CombinedOutput() //nolint:gosec // G204: a path of ours
	if err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return nil
}

// settings are a portal's that limits nothing and is otherwise as most would be.
const settings = `public_url: http://%[1]s
listen: %[1]s
internal_listen: %[2]s
server_keys: [env:HANDOFF_KEY]
store: "%[3]s"
frames: 1s
limits:
  creates_per_partner: 100000000/s
  claims_per_network: 100000000/s
  pages_per_network: 100000000/s
  unknown_per_network: 100000000/s
  streams_per_network: 1000000
  streams: 1000000
platform:
  version: v2
  api_url: http://%[4]s/v2/captain
  token_url: http://%[4]s/as/token.oauth2
  grant: client_credentials
  scope: gbg.token
  client_id: env:GBG_ID
  client_secret: env:GBG_SECRET
partners:
  - id: acme
    name: Acme Bank
    keys: ["%[5]s"]
    confirmation: never
    origins: [https://shop.acme.example]
    return_urls: [https://shop.acme.example/done]
    routes: [link, typed, local]
    brand: {color: "#0b5fff", color_dark: "#8ab4ff"}
    links: {support: "https://acme.example/help", privacy: "https://acme.example/privacy"}
    apps:
      - id: main
        name: Acme
        ios: {app_id: ABCDE12345.com.acme.app, store_url: "https://apps.apple.com/app/id1"}
        android: {package: com.acme.app, fingerprints: ["%[6]s"], store_url: "https://play.google.com/store/apps/details?id=com.acme.app"}
`

// startTime is how long a portal may take to start, on a very busy machine.
const startTime = 30 * time.Second

// portal is "handoff serve", with a stand-in for the platform of its own.
type portal struct {
	*process
	b        *bench
	standIn  *process
	file     string // the configuration
	server   string // the server key
	address  string
	internal string
	key      handoff.Secret // the partner's
	environ  []string       // besides what the configuration names
	client   *http.Client
}

// newPortal makes a portal that keeps handoffs in store, as the configuration
// spells it, and starts it. The caller calls close.
func (b *bench) newPortal(ctx context.Context, store string) (*portal, error) {
	return b.newPortalWith(ctx, store, settings, nil)
}

// newPortalWith is the same with other settings and more in its environment.
func (b *bench) newPortalWith(ctx context.Context, store, settings string, environ []string) (*portal, error) {
	p := &portal{b: b, key: partner.NewKey(), server: keyring.Generate(), environ: environ, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}
	var err error
	if p.standIn, err = start(ctx, b.cores.load, nil, nil, b.program, "sim", "--listen", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	platform := ""
	for !strings.HasPrefix(platform, "calls so far") {
		if platform, err = p.standIn.line(); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	_, platform, _ = strings.Cut(platform, "http://")
	platform, _, _ = strings.Cut(platform, "/")
	addresses, err := freeAddresses(ctx, 2)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.address, p.internal = addresses[0], addresses[1]
	p.file = filepath.Join(b.dir, "portal-"+strings.ReplaceAll(p.address, ":", "-")+".yaml")
	text := fmt.Sprintf(settings, p.address, p.internal, store, platform, partner.KeyHashText(p.key), strings.Repeat("00:", 31)+"01")
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if err := p.serve(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// env is what the configuration names.
func (p *portal) env() []string {
	return append([]string{"HANDOFF_KEY=" + p.server, "GBG_ID=demo", "GBG_SECRET=" + platformsim.Secret}, p.environ...)
}

// launch starts the portal's process.
func (p *portal) launch(ctx context.Context) error {
	log, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // where lines cost a system call, as elsewhere, and nothing more
	if err != nil {
		return err
	}
	defer log.Close()
	p.process, err = start(ctx, p.b.cores.server, p.env(), log, p.b.program, "serve", "--config", p.file)
	return err
}

// serve starts the portal's process and returns when it is ready.
func (p *portal) serve(ctx context.Context) error {
	if err := p.launch(ctx); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < startTime; time.Sleep(time.Millisecond) {
		answer, err := p.get(ctx, "http://"+p.internal+"/readyz", nil)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	check := exec.CommandContext(ctx, p.b.program, "check", "--config", p.file) //nolint:gosec // G204: a path of ours
	check.Env = append(os.Environ(), p.env()...)
	said, _ := check.CombinedOutput() // how it ended, it says
	return fmt.Errorf("the portal does not become ready; handoff check says of its configuration:\n%s", said)
}

func (p *portal) get(ctx context.Context, url string, headers map[string]string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	return p.client.Do(r)
}

func (p *portal) close() error {
	p.client.CloseIdleConnections()
	if p.process != nil {
		p.stop()
	}
	if p.standIn != nil {
		p.standIn.stop()
	}
	if p.file == "" {
		return nil
	}
	return os.Remove(p.file)
}

// freeAddresses are some of 127.0.0.1 that nobody listens on just now.
func freeAddresses(ctx context.Context, n int) ([]string, error) {
	var all []string
	for range n {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // after the loop, so that they differ
		all = append(all, l.Addr().String())
	}
	return all, nil
}

// What browsers call themselves.
const (
	desktop = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
	iPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

// navigation is what Chrome sends to open a page, as bytes.
func (p *portal) navigation(path string, more ...string) []byte {
	return []byte(strings.Join(append([]string{
		"GET " + path + " HTTP/1.1", "Host: " + p.address, "Connection: keep-alive", "Upgrade-Insecure-Requests: 1", "User-Agent: " + desktop,
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
		"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document",
	}, more...), "\r\n") + "\r\n\r\n")
}

// newInstance is the id of a journey that has no handoff yet.
func newInstance(n int) string { return fmt.Sprintf("Pi%022d", n) }

// createRequest returns a function that makes requests for new handoffs. body
// holds a journey instance's id, if it holds any.
func (p *portal) createRequest(body string) func(i int) []byte {
	head := "POST /v1/handoffs HTTP/1.1\r\nHost: " + p.address + "\r\nAuthorization: Bearer " + p.key.Reveal() +
		"\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	request := []byte(head + body)
	at := bytes.Index(request, []byte(newInstance(0)))
	return func(i int) []byte {
		if at >= 0 {
			id := strconv.AppendInt(nil, int64(i), 10)
			copy(request[at+len(newInstance(0))-len(id):], id)
		}
		return request
	}
}

// createBody is what a partner sends.
func createBody() string {
	return `{"instanceId":"` + newInstance(0) + `","reference":"order 1234","label":"Open an account"}`
}

// created is what the answer says of a new handoff.
type created struct {
	ID         string `json:"id"`
	DisplayURL string `json:"displayUrl"`
}

// create makes one handoff for the journey instance n.
func (p *portal) create(ctx context.Context, n int) (created, error) {
	body := strings.Replace(createBody(), newInstance(0), newInstance(n), 1)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.address+"/v1/handoffs", strings.NewReader(body))
	if err != nil {
		return created{}, err
	}
	r.Header.Set("Authorization", "Bearer "+p.key.Reveal())
	r.Header.Set("Content-Type", "application/json")
	answer, err := p.client.Do(r)
	if err != nil {
		return created{}, err
	}
	defer answer.Body.Close()
	var h created
	if err := json.NewDecoder(answer.Body).Decode(&h); err != nil || answer.StatusCode != http.StatusCreated {
		return h, fmt.Errorf("creating a handoff: %s, %w", answer.Status, err)
	}
	return h, nil
}

// displays makes n handoffs that are shown, and returns the paths of their
// displays. Showing one makes the first call of the platform for it.
func (p *portal) displays(ctx context.Context, n int) ([]string, error) {
	paths := make([]string, n)
	for i := range paths {
		h, err := p.create(ctx, i)
		if err != nil {
			return nil, err
		}
		_, path, ok := strings.Cut(strings.TrimPrefix(h.DisplayURL, "http://"), "/")
		if !ok {
			return nil, fmt.Errorf("%q is no display", h.DisplayURL)
		}
		paths[i] = "/" + path
	}
	requests := make([][]byte, n)
	for i, path := range paths {
		requests[i] = p.navigation(path)
	}
	l := &load{address: p.address, status: http.StatusOK, next: func(i int) []byte { return requests[i%n] }}
	_, err := l.run(ctx, 0, n)
	return paths, err
}
