// Package platform is a client for the part of GBG GO that a handoff needs:
// access token, journey start, device start, device connect, journey state. It
// speaks v1 and v2 of the API and reads every variant of their answers that has
// been published or seen.
//
// What it promises about failure:
//
//   - A connect is sent once, whatever happens. Go's transport sends a POST
//     again by itself only where it cannot have been processed: not one byte
//     had been written, or HTTP/2 said that the stream was refused.
//   - The other calls are repeated with jitter while the platform does not
//     answer, answers 5xx or nonsense, or says 429; journey/start, which makes
//     something, only on 429. A short Retry-After is waited for, a long one
//     keeps further calls of that name away from the platform until it is over.
//   - An access token is fetched once however many callers wait, renewed before
//     it expires, and replaced once when the platform says 401.
//   - When the platform as a whole does not answer, a breaker answers in its
//     place, at once. The token service has a breaker of its own, for it is
//     another host and a connect does not need it.
//   - Every call ends within a fixed time, redirects are not followed, answers
//     are read up to a limit.
//
// Every failed attempt is one line in the log, with the platform's request id
// and without any part of a body, a URL or a credential.
package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Version is a version of the platform's API.
type Version string

// The versions.
const (
	V1 Version = "v1"
	V2 Version = "v2"
)

// Grant is the OAuth grant the access token is asked for with.
type Grant string

// The grants.
const (
	GrantClientCredentials Grant = "client_credentials"
	GrantPassword          Grant = "password"
)

// Config says which platform to talk to, and as whom.
type Config struct {
	Version  Version
	APIURL   string // base of the device calls, for example https://eu.platform.go.gbgplc.com/v2/captain
	TokenURL string
	Grant    Grant
	Scope    string // with GrantClientCredentials: gbg.token

	ClientID     handoff.Secret
	ClientSecret handoff.Secret
	Username     handoff.Secret // with GrantPassword
	Password     handoff.Secret // with GrantPassword

	Source string // value of X-GBG-Source; empty: not sent

	HTTP http.RoundTripper // default NewTransport()
	Log  *slog.Logger      // default none
	Now  func() time.Time  // for lifetimes and the breaker; default time.Now

	Tuning
}

// Tuning bounds how long and how often is tried. The zero value is good.
type Tuning struct {
	Timeout  time.Duration // one attempt; default 8 s
	Budget   time.Duration // one call with all its attempts; default 20 s, below handoff.WorkLease
	Attempts int           // of a call that may be repeated; default 3
	Backoff  time.Duration // before the second attempt, doubling, less up to half by chance; default 200 ms
	MaxWait  time.Duration // the longest Retry-After that is waited for; default 3 s
	Failures int           // attempts in a row without a usable answer that open the breaker; default 10
	CoolDown time.Duration // how long an open breaker answers for the platform; default 5 s
}

func (t Tuning) withDefaults() Tuning {
	orDefault(&t.Timeout, 8*time.Second)
	orDefault(&t.Budget, 20*time.Second)
	orDefault(&t.Attempts, 3)
	orDefault(&t.Backoff, 200*time.Millisecond)
	orDefault(&t.MaxWait, 3*time.Second)
	orDefault(&t.Failures, 10)
	orDefault(&t.CoolDown, 5*time.Second)
	return t
}

func orDefault[T time.Duration | int](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Client makes the calls, with one credential. It is safe for concurrent use.
type Client struct {
	cfg    Config
	base   string
	http   *http.Client
	log    *slog.Logger
	now    func() time.Time
	api    *gate
	auth   *gate
	tokens *tokenSource
	close  context.CancelFunc
}

var _ handoff.Platform = (*Client)(nil)

// New returns a client, or every fault of cfg at once. It calls nobody. Close
// ends what it may be doing in the background.
func New(cfg Config) (*Client, error) {
	cfg.Tuning = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("platform settings: %w", err)
	}
	c := &Client{cfg: cfg, base: strings.TrimRight(cfg.APIURL, "/"), log: cfg.Log, now: cfg.Now}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	transport := cfg.HTTP
	if transport == nil {
		transport = NewTransport()
	}
	c.http = &http.Client{
		Transport: transport,
		// A credential must not follow a redirect to somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.api = newGate("api", cfg.Failures, cfg.CoolDown, c.now, c.log)
	c.auth = newGate("token", cfg.Failures, cfg.CoolDown, c.now, c.log)
	background, stop := context.WithCancel(context.Background())
	c.close = stop
	c.tokens = &tokenSource{background: background, budget: cfg.Budget, now: c.now, fetch: c.fetchToken}
	return c, nil
}

func (cfg Config) check() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(cfg.Version != V1 && cfg.Version != V2, "version %q is neither v1 nor v2", cfg.Version)
	fault(!isWebURL(cfg.APIURL), "api_url is no http or https address without query")
	fault(!isWebURL(cfg.TokenURL), "token_url is no http or https address without query")
	fault(cfg.ClientID == "" || cfg.ClientSecret == "", "client_id and client_secret are required")
	switch cfg.Grant {
	case GrantClientCredentials:
	case GrantPassword:
		fault(cfg.Username == "" || cfg.Password == "", "grant password needs username and password")
	default:
		fault(true, "grant %q is neither client_credentials nor password", cfg.Grant)
	}
	fault(strings.ContainsFunc(cfg.Source, func(r rune) bool { return r < ' ' || r > '~' }), "source is not plain ASCII")
	fault(cfg.Budget >= handoff.WorkLease, "a budget of %s is not below %s, the lease of one step", cfg.Budget, handoff.WorkLease)
	return errors.Join(faults...)
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// URL is the API base an app talks to with its end-user token, without a slash
// at its end.
func (c *Client) URL() string { return c.base }

// Authenticate asks for a new access token, whatever is at hand, so that a
// credential can be checked before anybody depends on it. The Detail of its
// Error says whether the token service refused us or could not be reached.
func (c *Client) Authenticate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Budget)
	defer cancel()
	if _, f := c.tokens.renew(ctx, true); f != nil {
		return f.unavailable()
	}
	return nil
}

// BreakerOpen reports whether calls are answered for the platform, because it
// failed too often in a row.
func (c *Client) BreakerOpen() bool { return c.api.shut() || c.auth.shut() }

// Close ends a renewal of the access token that may be under way. Calls after
// it fail as soon as they need a new one.
func (c *Client) Close() { c.close() }
