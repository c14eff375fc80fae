package phone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Limits of a well-behaved app.
const (
	maxAnswer    = 64 << 10         // bytes read of any answer
	requestLimit = 15 * time.Second // for one request
	firstWait    = 500 * time.Millisecond
	longestWait  = 8 * time.Second
	longestAsked = 60 * time.Second // the longest Retry-After that is waited for
	attempts     = 6                // of one call, the first included
)

// Client calls the App API as one device. It is safe for concurrent use.
//
// Calls that the contract lets an app repeat are repeated with back-off when
// the network fails or the portal answers 429, 502, 503 or 504, and wait as
// long as Retry-After asks. Refusals are *ProblemError.
type Client struct {
	http   *http.Client
	device Device
	now    func() time.Time
	wait   func(context.Context, time.Duration) error
	warn   func(string)
}

// Config is what a Client needs. Zero values are replaced by working ones.
type Config struct {
	HTTP   *http.Client // default: one that follows no redirect and keeps no cookies
	Device Device       // default: a new mobile device
	Now    func() time.Time
	Wait   func(context.Context, time.Duration) error // default: sleeps, unless ctx ends
	Warn   func(string)                               // told in a sentence why a call is repeated
}

// Device is the deviceInfo of the App API.
type Device struct {
	ID   string `json:"deviceId"` // 16–64 characters
	Name string `json:"deviceName,omitempty"`
	Type string `json:"deviceType,omitempty"` // mobile or desktop
}

// NewClient returns a client of the App API.
func NewClient(c Config) *Client {
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: requestLimit, Transport: newTransport()}
	}
	// An app never follows a redirect: the App API has none, and one would
	// carry a capability to somebody else.
	httpClient := *c.HTTP
	httpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	httpClient.Jar = nil
	if c.Device.ID == "" {
		c.Device.ID = "ref-" + random(16).Reveal()
	}
	if c.Device.Type == "" {
		c.Device.Type = "mobile"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = sleep
	}
	if c.Warn == nil {
		c.Warn = func(string) {}
	}
	return &Client{http: &httpClient, device: c.Device, now: c.Now, wait: c.Wait, warn: c.Warn}
}

// newTransport is the default one, but for names below localhost: they are this
// machine, as browsers know and few resolvers do (RFC 6761, section 6.3).
func newTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("localhost", port)
		}
		return dial(ctx, network, address)
	}
	return t
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// ProblemError is an application/problem+json answer (RFC 9457), or what can be said
// of any other refusal.
type ProblemError struct {
	Status     int            `json:"status"`
	Code       handoff.Code   `json:"code,omitempty"`
	Reason     handoff.Reason `json:"reason,omitempty"`
	Title      string         `json:"title,omitempty"`
	Detail     string         `json:"detail,omitempty"`
	Instance   string         `json:"instance,omitempty"` // the request id, for the portal's log
	Host       string         `json:"-"`                  // who answered
	RetryAfter time.Duration  `json:"-"`
}

// Error says what was refused and what to do about it.
func (p *ProblemError) Error() string {
	s := p.Title
	if s == "" {
		s = http.StatusText(p.Status)
	}
	s = fmt.Sprintf("%s answered %d %s", p.Host, p.Status, s)
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	if r := p.remedy(); r != "" {
		s += ". " + r
	}
	if p.Instance != "" {
		s += " (request " + p.Instance + ")"
	}
	return s
}

// transient reports whether the same call may succeed a little later.
func (p *ProblemError) transient() bool {
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// post sends in as JSON and decodes a good answer into out, once.
func (c *Client) post(ctx context.Context, address string, bearer handoff.Secret, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding a request: %w", err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("an address in the answer is not one")
	}
	if err := checkScheme(u); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("an address in the answer is not one")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "handoff-phone")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return unanswered(u.Host, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return unanswered(u.Host, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return c.problem(u.Host, resp, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s did not answer in JSON: is this a portal's address", u.Host)
	}
	return nil
}

// lostError is a request without an answer: nobody knows whether it arrived.
type lostError struct {
	host string
	err  error
}

func (e *lostError) Error() string { return fmt.Sprintf("no answer from %s: %v", e.host, e.err) }
func (e *lostError) Unwrap() error { return e.err }

// unanswered strips the URL from an *url.Error: reportUrl is a capability.
func unanswered(host string, err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	return &lostError{host: host, err: err}
}

func (c *Client) problem(host string, resp *http.Response, body []byte) error {
	p := &ProblemError{}
	if json.Unmarshal(body, p) != nil {
		p = &ProblemError{}
	}
	p.Status, p.Host = resp.StatusCode, host
	p.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), c.now())
	return p
}

// retryAfter reads both forms of RFC 9110 §10.2.3; zero where there is none.
func retryAfter(value string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(value); err == nil && s >= 0 {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(value); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// repeat runs call until it is answered for good, or attempts are used up.
func (c *Client) repeat(ctx context.Context, call func() error) error {
	wait := firstWait
	for n := 1; ; n++ {
		err := call()
		if err == nil || ctx.Err() != nil {
			return err
		}
		pause := wait/2 + rand.N(wait) //nolint:gosec // spreads callers out, hides nothing
		if p, ok := errors.AsType[*ProblemError](err); ok {
			if !p.transient() || p.RetryAfter > longestAsked {
				return err
			}
			pause = max(pause, p.RetryAfter)
		} else if _, ok := errors.AsType[*lostError](err); !ok {
			return err
		}
		if n == attempts {
			return err
		}
		c.warn(fmt.Sprintf("%v; trying again in %s", err, pause.Round(100*time.Millisecond)))
		if err := c.wait(ctx, pause); err != nil {
			return err
		}
		wait = min(2*wait, longestWait)
	}
}
