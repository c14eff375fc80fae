package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/handoff-portal/handoff/internal/config"
	"github.com/handoff-portal/handoff/internal/demo"
	"github.com/handoff-portal/handoff/internal/doctor"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
	"github.com/handoff-portal/handoff/internal/store/memstore"
	"github.com/handoff-portal/handoff/web"
)

// deployed is a portal as it is deployed: behind a proxy with TLS, with the
// platform and a partner's receiver. A test plants a fault in it before it starts.
type deployed struct {
	t    *testing.T
	yaml string // of the doctor
	env  map[string]string
	runs func(yaml string) string // of the portal, from the doctor's; nil: the same

	cert     tls.Certificate
	request  func(*httputil.ProxyRequest)    // what the proxy makes of a request
	response func(*http.Response) error      // and of an answer
	proxy    func(http.Handler) http.Handler // around it
	receiver http.HandlerFunc
	noTLS    bool             // of the mail server
	ready    http.HandlerFunc // nil: the portal's own
	ahead    time.Duration    // the portal's clock

	public, link, inside, platform, hooks, sms, mail net.Listener
	ca                                               *authority
}

const deployedYAML = `public_url: https://127.0.0.1:PROXY
link_url: https://localhost:PROXY
listen: PORTAL
internal_listen: INSIDE
trusted_proxies: [127.0.0.2/32]
server_keys: [env:HANDOFF_KEY]
store: file:handoff.db
egress_allow: [127.0.0.0/8, "::1/128"]
sms: {url: "http://SMSHOST", account: env:SMS_ACCOUNT, token: env:SMS_TOKEN, from: "+447400000000"}
mail: {smtp: "MAILHOST", username: env:SMTP_USER, password: env:SMTP_PASSWORD, from: "Acme <no-reply@acme.example>"}
platform:
  api_url: http://PLATFORM/v2/captain
  token_url: http://PLATFORM/as/token.oauth2
  client_id: env:GBG_CLIENT_ID
  client_secret: env:GBG_CLIENT_SECRET
partners:
  - id: acme
    name: Acme Bank
    keys: ["sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"]
    origins: [https://shop.acme.example, https://www.acme.example]
    apps:
      - id: main
        name: Acme
        ios: {app_id: ABCDE12345.com.acme.app, clip: ABCDE12345.com.acme.app.Clip}
        android: {package: com.acme.app, fingerprints: ["14:6D:E9:83:C5:73:06:50:D8:EE:B9:95:2F:34:FC:64:16:A0:83:42:E6:1D:BE:A8:8A:04:96:B2:3F:CF:44:E5"]}
    webhooks: [{url: "http://localhost:HOOKS/in?code=hush-hush", secrets: [env:ACME_HOOK]}]
`

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func portOf(ln net.Listener) string {
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// deploy prepares a good deployment.
func deploy(t *testing.T) *deployed {
	t.Helper()
	d := &deployed{
		t: t, ca: newAuthority(t), yaml: deployedYAML,
		env: map[string]string{
			"HANDOFF_KEY": keyring.Generate(), "GBG_CLIENT_ID": "any", "GBG_CLIENT_SECRET": platformsim.Secret, "ACME_HOOK": hookSecret,
			"SMS_ACCOUNT": "AC0123", "SMS_TOKEN": "sms-token-1", "SMTP_USER": "smtp-user", "SMTP_PASSWORD": "smtp-password-1",
		},
		request: func(r *httputil.ProxyRequest) {
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		response: func(*http.Response) error { return nil },
		proxy:    func(h http.Handler) http.Handler { return h },
		receiver: verifying(t, hookSecret),
	}
	for _, ln := range []*net.Listener{&d.public, &d.link, &d.inside, &d.platform, &d.hooks, &d.sms, &d.mail} {
		*ln = listenLocal(t)
	}
	d.cert = d.ca.issue(t, time.Now().Add(-time.Hour), time.Now().Add(60*24*time.Hour), "localhost", "127.0.0.1")
	return d
}

// verifying is a receiver of a partner's, which verifies by the published library.
func verifying(t *testing.T, secret string) http.HandlerFunc {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || wh.Verify(body, r.Header) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var event struct{ Type string }
		if json.Unmarshal(body, &event) != nil || event.Type != "handoff.test" {
			w.WriteHeader(http.StatusTeapot)
		}
	}
}

// smsAccount answers for an account of the SMS provider's, as its API is documented.
func smsAccount(w http.ResponseWriter, r *http.Request) {
	user, pass, _ := r.BasicAuth()
	if r.Method != http.MethodGet || r.URL.Path != "/2010-04-01/Accounts/AC0123.json" || user != "AC0123" || pass != "sms-token-1" {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"code":20003,"message":"Authenticate","status":401}`)
		return
	}
	_, _ = io.WriteString(w, `{"sid":"AC0123","status":"active"}`)
}

// serveMail starts a mail server that asks for a login.
func (d *deployed) serveMail() {
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return mailLogin{t: d.t}, nil }))
	if !d.noTLS {
		cert := d.ca.issue(d.t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "127.0.0.1")
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	go func() { _ = srv.Serve(d.mail) }()
	d.t.Cleanup(func() { _ = srv.Close() })
}

// mailLogin is a visit of the doctor's to a mail server; a message would be a fault.
type mailLogin struct{ t *testing.T }

func (mailLogin) AuthMechanisms() []string { return []string{sasl.Plain} }
func (mailLogin) Auth(name string) (sasl.Server, error) {
	if name != sasl.Plain {
		return nil, smtp.ErrAuthUnknownMechanism
	}
	return sasl.NewPlainServer(func(_, user, pass string) error {
		if user != "smtp-user" || pass != "smtp-password-1" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (m mailLogin) Mail(string, *smtp.MailOptions) error {
	m.t.Error("the doctor sends mail")
	return nil
}
func (mailLogin) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (mailLogin) Data(io.Reader) error                 { return nil }
func (mailLogin) Reset()                               {}
func (mailLogin) Logout() error                        { return nil }

func (d *deployed) fill(yaml string) string {
	return strings.NewReplacer("PROXY", portOf(d.public), "PORTAL", d.link.Addr().String(), "INSIDE", d.inside.Addr().String(),
		"PLATFORM", d.platform.Addr().String(), "HOOKS", portOf(d.hooks), "SMSHOST", d.sms.Addr().String(), "MAILHOST", d.mail.Addr().String()).Replace(yaml)
}

// serve serves h on ln until the test ends.
func (d *deployed) serve(ln net.Listener, h http.Handler, over *tls.Config) {
	srv := web.NewServer(h, slog.New(slog.DiscardHandler))
	if over != nil {
		ln = tls.NewListener(ln, over)
	}
	go func() { _ = srv.Serve(ln) }()
	d.t.Cleanup(func() { _ = srv.Close() })
}

// start starts everything, and returns where the configuration is.
func (d *deployed) start() (file string) {
	d.t.Helper()
	file = filepath.Join(d.t.TempDir(), "handoff.yaml")
	text := d.fill(d.yaml)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	if d.runs != nil {
		text = d.fill(d.runs(d.yaml))
	}
	cfg, err := config.Parse(file, []byte(text), func(name string) string { return d.env[name] })
	if err != nil {
		d.t.Fatal(err)
	}
	p, err := newPortal(parts{config: cfg, shared: shared{store: memstore.New()}, log: slog.New(slog.DiscardHandler), now: func() time.Time { return time.Now().Add(d.ahead) }})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = p.close() })
	inside := newProbe(p.store).handler(p.counted.Handler(), p.inside)
	if d.ready != nil {
		inside = d.ready
	}
	d.serve(d.link, p.handler, nil)
	d.serve(d.inside, inside, nil)
	d.serve(d.platform, platformsim.New(platformsim.Options{}), nil)
	d.serve(d.hooks, d.receiver, nil)
	d.serve(d.sms, http.HandlerFunc(smsAccount), nil)
	d.serveMail()
	transport := &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext, DisableCompression: true}
	d.t.Cleanup(transport.CloseIdleConnections)
	target := &url.URL{Scheme: "http", Host: d.link.Addr().String()}
	proxy := &httputil.ReverseProxy{
		Transport: transport, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			d.request(r)
		},
		ModifyResponse: func(r *http.Response) error { return d.response(r) },
	}
	d.serve(d.public, d.proxy(proxy), &tls.Config{Certificates: []tls.Certificate{d.cert}, MinVersion: tls.VersionTLS12})
	return file
}

// examine runs the command, and returns what it found. No secret is in what it
// prints, in either form.
func (d *deployed) examine(file, at string) (found []doctor.Finding, err error) {
	d.t.Helper()
	var out, errs bytes.Buffer
	c := &doctorCommand{Config: file, URL: at, JSON: true, roots: d.ca.pool}
	err = c.Run(&environment{ctx: d.t.Context(), getenv: func(name string) string { return d.env[name] }, streams: streams{strings.NewReader(""), &out, &errs}})
	for name, secret := range d.env {
		if len(secret) > 3 && strings.Contains(out.String()+errs.String(), secret) {
			d.t.Errorf("run(doctor) printed the secret %s", name)
		}
	}
	if strings.Contains(out.String(), "hush") {
		d.t.Errorf("run(doctor) printed more of a webhook's address than its host: %s", out.String())
	}
	if jsonErr := json.Unmarshal(out.Bytes(), &found); jsonErr != nil {
		d.t.Fatalf("run(doctor --json) = %v, printed %q: %v", err, out.String(), jsonErr)
	}
	return found, err
}

// line is where a setting stands in the doctor's file, as findings name it.
func (d *deployed) line(begins, path string) string {
	for i, line := range strings.Split(d.fill(d.yaml), "\n") {
		if strings.HasPrefix(strings.TrimLeft(line, " -"), begins) {
			return fmt.Sprintf("handoff.yaml:%d: %s", i+1, path)
		}
	}
	d.t.Fatalf("no line begins with %q", begins)
	return ""
}

func worse(found []doctor.Finding) (out []doctor.Finding) {
	for _, f := range found {
		if f.Level != doctor.OK {
			out = append(out, f)
		}
	}
	return out
}

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	file := d.start()
	for _, at := range []string{"", "http://" + d.link.Addr().String()} { // through the proxy, and past it
		found, err := d.examine(file, at)
		if bad := worse(found); err != nil || len(bad) > 0 {
			t.Errorf("run(doctor --url %q) of a good deployment = %v, %+v, want nothing", at, err, bad)
		}
		checks := map[string]int{}
		for _, f := range found {
			checks[f.Check]++
		}
		for _, check := range []string{"host", "clock", "address", "pages", "caching", "stream", "association", "framing", "platform", "webhook", "store", "sms", "mail"} {
			if checks[check] == 0 {
				t.Errorf("run(doctor --url %q) did not examine %s", at, check)
			}
		}
		if want := map[bool]int{true: 2}[at == ""]; checks["tls"] != want {
			t.Errorf("run(doctor --url %q) examined %d certificates, want %d", at, checks["tls"], want)
		}
	}
}

// planted is a fault in a deployment, and what is to be said of it.
type planted struct {
	name   string
	plant  func(*deployed)
	check  string
	level  doctor.Level
	change string    // in the line to change
	line   [2]string // or: the line of the file that begins so, and the setting
	also   []string  // other checks that it shows in
}

func onPath(suffix string, do http.HandlerFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, suffix) {
				do(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// collected answers with what next answers, once all of it is there.
func collected(next http.Handler, w http.ResponseWriter, r *http.Request) {
	all := httptest.NewRecorder()
	next.ServeHTTP(all, r)
	maps.Copy(w.Header(), all.Header())
	w.WriteHeader(all.Code)
	_, _ = w.Write(all.Body.Bytes())
}

func buffering(prefix string) func(*deployed) {
	return func(d *deployed) {
		d.proxy = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, prefix) && strings.HasSuffix(r.URL.Path, "/events") {
					collected(next, w, r)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	}
}

func header(set func(http.Header)) func(*deployed) {
	return func(d *deployed) {
		d.response = func(r *http.Response) error {
			set(r.Header)
			return nil
		}
	}
}

func body(file string, change func(string) string) func(*deployed) {
	return func(d *deployed) {
		d.response = func(r *http.Response) error {
			if !strings.HasSuffix(r.Request.URL.Path, file) || r.Header.Get("Content-Type") == "text/event-stream" {
				return nil
			}
			b, err := io.ReadAll(r.Body)
			text := change(string(b))
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			r.Header.Set("Content-Length", strconv.Itoa(len(text)))
			return err
		}
	}
}

func plantedFaults() []planted {
	const apple, android = "/.well-known/apple-app-site-association", "/.well-known/assetlinks.json"
	day := 24 * time.Hour
	certificate := func(from, to time.Duration, names ...string) func(*deployed) {
		return func(d *deployed) { d.cert = d.ca.issue(d.t, time.Now().Add(from), time.Now().Add(to), names...) }
	}
	return []planted{
		{name: "certificate expired", plant: certificate(-90*day, -day, "localhost", "127.0.0.1"), check: "tls", change: "certbot renew", also: []string{"tls"}},
		{name: "certificate not valid yet", plant: certificate(day, 90*day, "localhost", "127.0.0.1"), check: "tls", change: "timedatectl", also: []string{"tls"}},
		{name: "certificate for another name", plant: certificate(-day, 90*day, "127.0.0.1", "other.example"), check: "tls", change: "server_name and ssl_certificate of localhost"},
		{name: "certificate about to expire", plant: certificate(-80*day, 10*day, "localhost", "127.0.0.1"), check: "tls", level: doctor.Warning, change: "certbot renew", also: []string{"tls"}},
		{name: "certificate without its chain", plant: func(d *deployed) { d.cert.Certificate = d.cert.Certificate[:1] }, check: "tls", change: "fullchain.pem", also: []string{"tls"}},
		{name: "certificate of nobody", plant: func(d *deployed) {
			d.cert = newAuthority(d.t).issue(d.t, time.Now().Add(-day), time.Now().Add(90*day), "localhost", "127.0.0.1")
		}, check: "tls", change: "public authority", also: []string{"tls"}},
		{name: "clock four minutes ahead", plant: func(d *deployed) { d.ahead = 4 * time.Minute }, check: "clock", change: "timedatectl"},
		{name: "Host not passed on", plant: func(d *deployed) {
			d.request = func(r *httputil.ProxyRequest) { r.SetXForwarded(); r.Out.Host = "" }
		}, check: "host", change: "proxy_set_header Host", also: []string{"host"}},
		{name: "the proxy leads nowhere", plant: func(d *deployed) {
			d.request = func(r *httputil.ProxyRequest) { r.Out.URL.Host = "127.0.0.1:1" }
		}, check: "host", change: "proxy_pass http://", also: []string{"host"}},
		{name: "another site answers", plant: func(d *deployed) {
			d.proxy = func(http.Handler) http.Handler { return http.NotFoundHandler() }
		}, check: "host", change: "proxy_pass http://", also: []string{"host"}},
		{name: "all is redirected", plant: func(d *deployed) {
			d.proxy = func(http.Handler) http.Handler {
				return http.RedirectHandler("https://www.example.com/", http.StatusMovedPermanently)
			}
		}, check: "host", change: "remove the redirect for 127.0.0.1", also: []string{"host"}},
		{name: "another portal's server key", plant: func(d *deployed) {
			d.yaml = strings.Replace(d.yaml, "env:HANDOFF_KEY", "env:NEW_KEY", 1)
			d.env["NEW_KEY"] = keyring.Generate()
			d.runs = func(yaml string) string { return strings.Replace(yaml, "env:NEW_KEY", "env:HANDOFF_KEY", 1) }
		}, check: "host", line: [2]string{"server_keys", "server_keys"}},
		{name: "link_url leads to another portal", plant: func(d *deployed) {
			d.runs = func(yaml string) string {
				return strings.Replace(yaml, "https://localhost:PROXY", "https://[::1]:PROXY", 1)
			}
		}, check: "host", change: "handoff serve --config handoff.yaml", line: [2]string{"link_url", "link_url"}},
		{name: "nothing listens at link_url", plant: func(d *deployed) {
			closed := listenLocal(d.t)
			closed.Close()
			d.yaml = strings.Replace(d.yaml, "https://localhost:PROXY", "https://localhost:"+portOf(closed), 1)
		}, check: "host", line: [2]string{"link_url", "link_url"}},
		{name: "one host", plant: func(d *deployed) {
			d.yaml = strings.Replace(d.yaml, "link_url: https://localhost:PROXY\n", "", 1)
		}, check: "host", level: doctor.Warning, change: "handoff.yaml: link_url: another name"},
		{name: "proxy does not say who asks", plant: func(d *deployed) {
			d.request = func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host }
		}, check: "address", change: "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"},
		{name: "proxy is not trusted", plant: func(d *deployed) {
			d.yaml = strings.Replace(d.yaml, "127.0.0.2/32", "10.0.0.0/8", 1)
		}, check: "address", change: "[127.0.0.2]", line: [2]string{"trusted_proxies", "trusted_proxies"}},
		{name: "anybody writes whom they ask as", plant: func(d *deployed) {
			d.request = func(r *httputil.ProxyRequest) {
				r.Out.Host = r.In.Host
				r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			}
		}, check: "address", change: "proxy_set_header X-Forwarded-For"},
		{name: "a proxy before the proxy", plant: func(d *deployed) {
			usual := d.request
			d.request = func(r *httputil.ProxyRequest) {
				r.In.Header.Add("X-Forwarded-For", "203.0.113.9") // who asks that one; it is 127.0.0.1 itself
				usual(r)
			}
		}, check: "address", level: doctor.Warning, change: "the ranges of the proxy at 127.0.0.1 too"},
		{name: "trusted_proxies has everybody here", plant: func(d *deployed) {
			d.yaml = strings.Replace(d.yaml, "127.0.0.2/32", "127.0.0.0/8", 1)
		}, check: "address", level: doctor.Warning, change: "run from outside"},
		{name: "no-store taken away", plant: header(func(h http.Header) { h.Del("Cache-Control") }), check: "pages", change: "Cache-Control", also: []string{"stream", "stream"}},
		{name: "X-Frame-Options on everything", plant: header(func(h http.Header) { h.Set("X-Frame-Options", "SAMEORIGIN") }), check: "framing", change: "remove add_header X-Frame-Options", also: []string{"framing", "pages"}},
		{name: "frame-ancestors replaced", plant: header(func(h http.Header) { h.Set("Content-Security-Policy", "frame-ancestors 'self'") }), check: "framing", change: "remove add_header Content-Security-Policy", also: []string{"framing", "pages"}},
		{name: "a second policy", plant: header(func(h http.Header) { h.Add("Content-Security-Policy", "frame-ancestors https://shop.acme.example") }), check: "framing", change: "remove add_header Content-Security-Policy", also: []string{"pages"}},
		{name: "frames that may not be loaded", plant: header(func(h http.Header) { h.Set("Cross-Origin-Resource-Policy", "same-origin") }), check: "framing", level: doctor.Warning, change: "Cross-Origin-Resource-Policy", also: []string{"framing"}},
		{name: "no referrer", plant: header(func(h http.Header) { h.Set("Referrer-Policy", "no-referrer") }), check: "pages", change: "Referrer-Policy"},
		{name: "sticky sessions", plant: header(func(h http.Header) { h.Add("Set-Cookie", "lb=1") }), check: "pages", level: doctor.Warning, change: "no sticky sessions"},
		{name: "Origin taken away", plant: func(d *deployed) {
			usual := d.request
			d.request = func(r *httputil.ProxyRequest) {
				usual(r)
				for _, name := range []string{"Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"} {
					r.Out.Header.Del(name)
				}
			}
		}, check: "pages", change: "Origin"},
		{name: "pages rewritten", plant: body("", func(page string) string {
			return strings.Replace(page, "</pre>", "</pre><script src=/x.js></script>", 1)
		}), check: "pages", change: "no injected scripts"},
		{name: "pages cached", plant: func(d *deployed) {
			var kept atomic.Pointer[httptest.ResponseRecorder]
			d.proxy = func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !strings.HasPrefix(r.URL.Path, "/h/") || strings.HasSuffix(r.URL.Path, "/events") || r.Header.Get("Sec-Fetch-Dest") != "document" || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Origin") != "" {
						next.ServeHTTP(w, r)
						return
					}
					if kept.Load() == nil {
						all := httptest.NewRecorder()
						next.ServeHTTP(all, r)
						kept.Store(all)
					}
					all := kept.Load()
					maps.Copy(w.Header(), all.Header())
					_, _ = w.Write(all.Body.Bytes())
				})
			}
		}, check: "caching", change: "proxy_cache off"},
		{name: "the display's stream buffered", plant: buffering("/h/"), check: "stream", change: "proxy_buffering off"},
		{name: "the phone's stream buffered", plant: buffering("/p/"), check: "stream", change: "proxy_buffering off"},
		{name: "no stream", plant: func(d *deployed) {
			d.proxy = onPath("/events", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "please enable scripts") })
		}, check: "stream", change: "one proxy_pass", also: []string{"stream"}},
		{name: "Apple's file redirected", plant: func(d *deployed) {
			d.proxy = onPath(apple, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://www.acme.example"+apple, http.StatusFound)
			})
		}, check: "association", change: "location " + apple},
		{name: "Android's file is text", plant: func(d *deployed) {
			d.response = func(r *http.Response) error {
				if r.Request.URL.Path == android {
					r.Header.Set("Content-Type", "text/plain")
				}
				return nil
			}
		}, check: "association", change: "location " + android},
		{name: "Apple's file too large", plant: body(apple, func(s string) string { return s + strings.Repeat(" ", 100<<10) }), check: "association", line: [2]string{"partners", "partners"}},
		{name: "Apple's file is a page", plant: body(apple, func(string) string { return "<html>" }), check: "association", change: "location " + apple},
		{name: "an app id that the portal does not have", plant: func(d *deployed) {
			d.runs = func(yaml string) string { return strings.Replace(yaml, "app_id: ABCDE", "app_id: VWXYZ", 1) }
		}, check: "association", change: "partners[0].apps[0].ios"},
		{name: "Apple's file not passed on for the pages", plant: func(d *deployed) {
			d.yaml = strings.Replace(d.yaml, "app.Clip}", "app.Clip, store_url: https://apps.apple.com/app/id1}", 1)
			d.proxy = func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasPrefix(r.Host, "127.0.0.1") && r.URL.Path == apple {
						http.NotFound(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			}
		}, check: "association", level: doctor.Warning, change: "location " + apple},
		{name: "a fingerprint that the portal does not have", plant: func(d *deployed) {
			d.runs = func(yaml string) string { return strings.Replace(yaml, "14:6D:E9", "24:6D:E9", 1) }
		}, check: "association", change: "partners[0].apps[0].android"},
		{name: "credential refused", plant: func(d *deployed) { d.env["GBG_CLIENT_SECRET"] = "another-secret" }, check: "platform", line: [2]string{"client_secret", "platform.client_secret"}},
		{name: "token_url leads nowhere", plant: func(d *deployed) {
			d.yaml = strings.Replace(d.yaml, "token_url: http://PLATFORM", "token_url: http://127.0.0.1:1", 1)
		}, check: "platform", line: [2]string{"token_url", "platform.token_url"}},
		{name: "api_url of another version", plant: func(d *deployed) {
			d.yaml = strings.Replace(d.yaml, "/v2/captain", "/v3/captain", 1)
		}, check: "platform", line: [2]string{"api_url", "platform.api_url"}},
		{name: "another webhook secret", plant: func(d *deployed) { d.receiver = verifying(d.t, "whsec_"+strings.Repeat("c2Vj", 8)) }, check: "webhook", line: [2]string{"webhooks", "partners[0].webhooks[0].secrets"}},
		{name: "webhook moved", plant: func(d *deployed) {
			d.receiver = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/v2/in", http.StatusPermanentRedirect)
			}
		}, check: "webhook", line: [2]string{"webhooks", "partners[0].webhooks[0].url"}},
		{name: "webhook in a range of our own", plant: func(d *deployed) {
			d.yaml = strings.Replace(d.yaml, `[127.0.0.0/8, "::1/128"]`, "[10.0.0.0/8]", 1)
		}, check: "webhook", line: [2]string{"egress_allow", "egress_allow"}},
		{name: "webhook that verifies nothing", plant: func(d *deployed) {
			d.receiver = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
		}, check: "webhook", level: doctor.Warning, change: "verify webhook-signature"},
		{name: "SMS credential refused", plant: func(d *deployed) { d.env["SMS_TOKEN"] = "another-token" }, check: "sms", line: [2]string{"sms:", "sms.token"}},
		{name: "SMS provider not there", plant: func(d *deployed) { d.yaml = strings.Replace(d.yaml, "SMSHOST", "127.0.0.1:1", 1) }, check: "sms", line: [2]string{"sms:", "sms.url"}},
		{name: "mail credential refused", plant: func(d *deployed) { d.env["SMTP_PASSWORD"] = "another-password" }, check: "mail", line: [2]string{"mail:", "mail.password"}},
		{name: "mail without TLS", plant: func(d *deployed) { d.noTLS = true }, check: "mail", line: [2]string{"mail:", "mail.smtp"}},
		{name: "store away", plant: func(d *deployed) {
			d.ready = func(w http.ResponseWriter, _ *http.Request) {
				answer(w, http.StatusServiceUnavailable, "the store does not answer")
			}
		}, check: "store", line: [2]string{"store", "store"}},
		{name: "portal runs elsewhere", plant: func(d *deployed) { d.inside.Close() }, check: "store", level: doctor.Warning, line: [2]string{"internal_listen", "internal_listen"}},
	}
}

// TestDoctorFinds: every fault that is planted is found, with the line to change,
// and nothing else is called a fault because of it.
func TestDoctorFinds(t *testing.T) {
	t.Parallel()
	for _, tt := range plantedFaults() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t)
			tt.plant(d)
			level := tt.level
			if level == "" {
				level = doctor.Fault
			}
			change := tt.change
			if tt.line[0] != "" {
				change = d.line(tt.line[0], tt.line[1])
			}
			found, err := d.examine(d.start(), "")
			bad := worse(found)
			if got, want := exitStatus(err), map[bool]int{true: exitFaults, false: exitGood}[level == doctor.Fault]; got != want {
				t.Errorf("exit status = %d, want %d: %v", got, want, err)
			}
			i := slices.IndexFunc(bad, func(f doctor.Finding) bool {
				return f.Check == tt.check && f.Level == level && strings.Contains(f.Change, change) && strings.Contains(f.Change, tt.change) && f.What != "" && f.Why != ""
			})
			if i < 0 {
				t.Fatalf("found %+v, want %s %s with %q to change", bad, level, tt.check, change)
			}
			for _, f := range slices.Delete(slices.Clone(bad), i, i+1) {
				if !slices.Contains(tt.also, f.Check) {
					t.Errorf("found %+v too, which is not so", f)
				}
			}
			if len(bad) > 1+len(tt.also) {
				t.Errorf("found %d things, want %d: %+v", len(bad), 1+len(tt.also), bad)
			}
		})
	}
}

// TestDoctorOnDemo examines the demonstration itself, with the configuration that
// it makes for itself.
func TestDoctorOnDemo(t *testing.T) {
	t.Parallel()
	c := &demoCommand{Port: fourPorts(t)}
	setup, err := demo.NewSetup(demo.Options{Port: c.Port})
	if err != nil {
		t.Fatal(err)
	}
	cfg, silent := demoConfig(setup), slog.New(slog.DiscardHandler)
	p, err := newPortal(parts{config: cfg, shared: shared{store: memstore.New()}, demo: true, log: silent})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	ctx, stop := context.WithCancel(t.Context())
	sites, err := c.sites(ctx, setup, p, demo.NewPost(time.Now), silent)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serveSites(ctx, silent, sites...) }()
	found, err := new(doctorCommand).examine(&environment{ctx: ctx, streams: streams{strings.NewReader(""), io.Discard, io.Discard}}, cfg)
	if bad := worse(found); err != nil || len(bad) > 0 || len(found) < 12 {
		t.Errorf("the doctor on the demonstration = %v, of %d findings %+v, want none that is bad", err, len(found), bad)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestDoctorAlone: where nothing runs at all, it says so, tries the store, and
// leaves none behind.
func TestDoctorAlone(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	file := filepath.Join(t.TempDir(), "handoff.yaml")
	if err := os.WriteFile(file, []byte(d.fill(d.yaml)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ln := range []net.Listener{d.public, d.link, d.inside, d.platform, d.hooks, d.sms, d.mail} {
		ln.Close()
	}
	found, err := d.examine(file, "")
	if exitStatus(err) != exitFaults {
		t.Errorf("run(doctor) where nothing runs = %v, want faults", err)
	}
	checks := map[string]doctor.Level{}
	for _, f := range found {
		checks[f.Check] = f.Level
	}
	if checks["host"] != doctor.Fault || checks["platform"] != doctor.Fault || checks["webhook"] != doctor.Fault || checks["sms"] != doctor.Fault || checks["mail"] != doctor.Fault || checks["store"] != doctor.OK {
		t.Errorf("run(doctor) where nothing runs found %+v", found)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(left) != 1 {
		t.Errorf("run(doctor) left %v behind", left)
	}
}

// TestDoctorKey: nobody else is answered by the examined paths.
func TestDoctorKey(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.start()
	mine, _ := keyring.New([]handoff.Secret{handoff.Secret(d.env["HANDOFF_KEY"])})
	other, _ := keyring.New([]handoff.Secret{handoff.Secret(keyring.Generate())})
	at := "http://" + d.link.Addr().String()
	ask := func(path string) int {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, at+path, http.NoBody)
		req.Host = "127.0.0.1:" + portOf(d.public)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	good := doctor.NewKey(mine, "", time.Now())
	for path, want := range map[string]int{
		"/h/" + good:                                 http.StatusOK,
		"/h/" + good + "/status":                     http.StatusNotFound,
		"/h/" + good + "/qr.svg":                     http.StatusNotFound,
		"/p/" + good:                                 http.StatusNotFound,
		"/c/acme/" + good:                            http.StatusNotFound,
		"/h/" + good[:len(good)-1]:                   http.StatusNotFound,
		"/h/" + doctor.NewKey(other, "", time.Now()): http.StatusNotFound,
		"/h/" + doctor.NewKey(mine, "", time.Now().Add(-11*time.Minute)): http.StatusNotFound,
		"/h/" + doctor.NewKey(mine, "", time.Now().Add(11*time.Minute)):  http.StatusNotFound,
	} {
		if got := ask(path); got != want {
			t.Errorf("GET %.30s… = %d, want %d", path, got, want)
		}
	}
}

func TestDoctorUsage(t *testing.T) {
	file := writeSettings(t, "public_url: http://go.example.com\n")
	for _, tt := range []struct {
		args []string
		want int
	}{
		{[]string{"doctor"}, exitUsage},
		{[]string{"doctor", "--config", file, "--url", "go.example.com"}, exitUsage},
		{[]string{"doctor", "--config", file}, exitFaults},
		{[]string{"doctor", "--config", file + ".none"}, exitFaults},
	} {
		if _, err := call(t, tt.args...); exitStatus(err) != tt.want {
			t.Errorf("run(%q) = %v, want exit status %d", tt.args, err, tt.want)
		}
	}
}

// authority signs certificates, by an intermediate as the public ones do.
type authority struct {
	pool *x509.CertPool
	cert *x509.Certificate // the intermediate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	rootKey, key := newECKey(t), newECKey(t)
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-1000 * time.Hour),
			NotAfter: time.Now().Add(10000 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
	}
	root := sign(t, template("test root"), template("test root"), rootKey, rootKey)
	a := &authority{pool: x509.NewCertPool(), key: key, cert: sign(t, template("test intermediate"), root, key, rootKey)}
	a.pool.AddCert(root)
	return a
}

func newECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (a *authority) issue(t *testing.T, from, to time.Time, names ...string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, NotBefore: from, NotAfter: to}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	key := newECKey(t)
	return tls.Certificate{Certificate: [][]byte{sign(t, template, a.cert, key, a.key).Raw, a.cert.Raw}, PrivateKey: key}
}
