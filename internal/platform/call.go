package platform

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// call is one thing to ask of the platform.
type call struct {
	name  string // for the log and the gate: token, journey, start, connect, state
	url   string
	form  bool // the body is a form, else JSON
	body  []byte
	limit int64 // bytes of the answer
	again again
	// read takes what is needed from a good answer. An error means that the
	// answer is nonsense; its text goes into the log.
	read func(body []byte, at clocks) error
}

// clocks are the times of one attempt.
type clocks struct {
	sent  time.Time // ours, when it was sent: lifetimes count from there
	there time.Time // the platform's, when it answered
}

// again says when a call may be sent more than once.
type again int

const (
	never     again = iota // whatever happens
	ifLimited              // only if it was turned away with 429
	freely
)

// failure is why an attempt came to nothing. Its text is fit for logs: no body,
// no URL, no credential.
type failure struct {
	call       string
	status     int           // 0: no answer at all
	unreadable bool          // a success that cannot be read
	foreign    bool          // a page, so not from the platform itself
	reached    bool          // the platform may have received it
	wait       time.Duration // what it said in Retry-After, or the gate
	requestID  string
	code       string // the platform's own
	err        error
}

func (f *failure) Error() string {
	switch {
	case f.err != nil:
		return "calling " + f.call + ": " + f.err.Error()
	case f.unreadable:
		return fmt.Sprintf("calling %s: status %d with an answer that cannot be read", f.call, f.status)
	}
	return fmt.Sprintf("calling %s: status %d", f.call, f.status)
}

func (f *failure) Unwrap() error { return f.err }

// ErrRefused is what an error is, by errors.Is, when the token service looked at
// the credential and refused it.
var ErrRefused = errors.New("the credential is refused")

// Is makes a refusal ErrRefused.
func (f *failure) Is(target error) bool { return target == ErrRefused && f.refused() }

// refused reports whether the token service refuses our credential.
func (f *failure) refused() bool {
	return f.call == "token" && f.status >= 400 && f.status < 500 && !f.limited()
}

// transient reports whether the platform as a whole may be at fault.
func (f *failure) transient() bool { return f.status == 0 || f.unreadable || f.status >= 500 }

// limited reports whether the platform turned the call away without looking at it.
func (f *failure) limited() bool { return f.status == http.StatusTooManyRequests }

// errGate is the cause when nothing was sent.
var errGate = errors.New("not sent: waiting for the platform to recover")

// retryLater is what a caller is told when the platform said nothing.
const retryLater = 5 * time.Second

// as returns f as an Error with this code.
func (f *failure) as(code handoff.Code, detail string) *handoff.Error {
	e := &handoff.Error{Code: code, Detail: detail, UpstreamID: f.requestID, Err: f}
	if code == handoff.CodePlatformUnavailable {
		e.RetryAfter = retryLater
		if f.wait > 0 {
			e.RetryAfter = max(f.wait, time.Second)
		}
	}
	return e
}

func (f *failure) unavailable() *handoff.Error {
	detail := "the identity platform does not answer"
	switch {
	case f.refused():
		detail = fmt.Sprintf("the identity platform's token service refuses the portal's credential (status %d)", f.status)
	case f.limited():
		detail = "the identity platform asks for fewer calls"
	case f.status == http.StatusUnauthorized:
		detail = "the identity platform refuses the portal's access token, or the configured address is wrong"
	case f.status >= 300 && f.status < 500:
		detail = fmt.Sprintf("the identity platform refuses the call (status %d)", f.status)
	case f.status != 0:
		detail = "the identity platform has a fault"
	}
	return f.as(handoff.CodePlatformUnavailable, detail)
}

// withAccess makes a call with the portal's access token. On a 401 it drops the
// token and tries once more with a new one; a second 401 is our own fault: a
// wrong path answers so too.
func (c *Client) withAccess(ctx context.Context, k call) *failure {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Budget)
	defer cancel()
	token, f := c.tokens.token(ctx)
	if f != nil {
		return f
	}
	f = c.run(ctx, c.api, k, token)
	if f == nil || f.status != http.StatusUnauthorized {
		return f
	}
	c.tokens.drop(token)
	if token, f = c.tokens.token(ctx); f != nil {
		return f
	}
	f = c.run(ctx, c.api, k, token)
	if f != nil && f.status == http.StatusUnauthorized {
		c.log.LogAttrs(ctx, slog.LevelError, "platform refuses a new access token: check api_url and the credential",
			slog.String("call", k.name), slog.String("upstream_request_id", f.requestID))
	}
	return f
}

// run sends a call as often as it may be sent, until it succeeds.
func (c *Client) run(ctx context.Context, g *gate, k call, bearer handoff.Secret) *failure {
	var last *failure
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return cmp.Or(last, &failure{call: k.name, err: err})
		}
		leave, wait := g.enter(k.name)
		if leave == nil {
			return cmp.Or(last, &failure{call: k.name, wait: wait, err: errGate})
		}
		began := time.Now()
		f := c.attempt(ctx, k, bearer)
		switch {
		case f == nil || !f.transient():
			leave(ctx, answered)
		case errors.Is(ctx.Err(), context.Canceled):
			leave(ctx, abandoned)
		default:
			leave(ctx, failed)
		}
		if f == nil {
			return nil
		}
		c.report(ctx, f, n, time.Since(began))
		if f.wait > c.cfg.MaxWait && (f.limited() || f.status == http.StatusServiceUnavailable) {
			g.hold(k.name, f.wait)
		}
		if !c.mayRepeat(k, f, n) || !pause(ctx, c.pauseBefore(f, n)) {
			return f
		}
		last = f
	}
}

func (c *Client) mayRepeat(k call, f *failure, n int) bool {
	if n >= c.cfg.Attempts || f.wait > c.cfg.MaxWait {
		return false
	}
	switch k.again {
	case freely:
		return f.limited() || f.transient()
	case ifLimited:
		return f.limited()
	case never:
	}
	return false
}

// pauseBefore is how long to wait after attempt n.
func (c *Client) pauseBefore(f *failure, n int) time.Duration {
	if f.wait > 0 {
		return f.wait
	}
	d := c.cfg.Backoff << (n - 1)
	return d - rand.N(d/2+1) //nolint:gosec // chance spreads callers out, it guards nothing
}

// pause waits for d. It is false, at once, if ctx would end first.
func pause(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt sends a call once.
func (c *Client) attempt(ctx context.Context, k call, bearer handoff.Secret) *failure {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	f := &failure{call: k.name}
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(traced, http.MethodPost, k.url, bytes.NewReader(k.body))
	if err != nil {
		f.err = errors.New("the address cannot be used")
		return f
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "handoff")
	req.Header.Set("Content-Type", "application/json")
	if k.form {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer.Reveal())
	}
	if c.cfg.Source != "" {
		req.Header.Set("X-GBG-Source", c.cfg.Source)
	}
	sent := c.now()
	res, err := c.http.Do(req)
	f.reached = connected.Load()
	if err != nil {
		f.err = cause(err)
		return f
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, k.limit+1))
	clock := clockOf(res.Header, c.now())
	f.status, f.requestID = res.StatusCode, requestID(res.Header)
	f.foreign, f.wait, f.code = isHTML(res.Header, body), retryAfter(res.Header, clock), upstreamCode(body)
	if f.status < 200 || f.status > 299 {
		return f
	}
	if err != nil {
		f.unreadable, f.err = true, cause(err)
		return f
	}
	if status := inBand(body); status != 0 {
		f.status = status
		return f
	}
	if int64(len(body)) > k.limit {
		f.unreadable, f.err = true, errors.New("an answer that is too long")
		return f
	}
	if err := k.read(body, clocks{sent, clock}); err != nil {
		f.unreadable, f.err = true, err
		return f
	}
	return nil
}

// cause is what of a transport's error may be logged: neither the URL nor bytes
// of an answer, which some of net/http's errors quote.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return context.DeadlineExceeded
	}
	return fmt.Errorf("a transport error of type %T", err)
}

// report writes the one line a failed attempt gets. What an operator can repair
// is an error, the platform's own trouble a warning.
func (c *Client) report(ctx context.Context, f *failure, attempt int, took time.Duration) {
	level := slog.LevelWarn
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		level = slog.LevelInfo
	case f.status == http.StatusBadRequest && f.call != "connect", f.refused():
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("call", f.call), slog.Int("status", f.status), slog.String("upstream_request_id", f.requestID),
		slog.Int("attempt", attempt), slog.Duration("duration", took),
	}
	if f.code != "" {
		attrs = append(attrs, slog.String("upstream_code", f.code))
	}
	if f.wait > 0 {
		attrs = append(attrs, slog.Duration("retry_after", f.wait))
	}
	if f.err != nil {
		attrs = append(attrs, slog.String("error", f.err.Error()))
	}
	c.log.LogAttrs(ctx, level, "platform call failed", attrs...)
}
