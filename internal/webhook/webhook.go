// Package webhook signs and delivers notices, by Standard Webhooks 1.0.0
// (https://www.standardwebhooks.com). When to try, and how often, is for
// internal/handoff to say, whose outbox this empties; where a connection may
// lead, for the client that is handed in.
//
// An endpoint that answers 410 wants nothing any more. For that handoff this is
// kept in its record. For all others it is kept here, in memory, for an hour:
// nothing goes there, then one notice tries again. So a receiver that comes back
// needs nobody to say so, and one that stays away costs a call an hour.
package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

var _ handoff.Deliverer = (*Sender)(nil)

// Limits of one attempt.
const (
	attemptLimit = 15 * time.Second
	maxAnswer    = 64 << 10 // bytes read of an answer, all of them thrown away

	goneFor = time.Hour // how long an endpoint that answered 410 is left alone
)

// Endpoint is where a partner wants to be told.
type Endpoint struct {
	URL     string
	Secrets []handoff.Secret // "whsec_…"; all sign
}

// Config is what a Sender needs; every field is required but Sign,
// Refused and Now.
type Config struct {
	Endpoints map[handoff.PartnerID][]Endpoint
	// Client makes the calls. It decides what may be connected to, and must
	// follow no redirect.
	Client *http.Client
	// Sign signs the record of a handoff. Without it, none is sent.
	Sign func(handoff.Record) (string, error)
	// Refused is what the client's errors are, by errors.Is, when it would not connect.
	Refused error
	Log     *slog.Logger
	Now     func() time.Time // default: time.Now
}

// Sender delivers notices. It is safe for concurrent use.
type Sender struct {
	client  *http.Client
	sign    func(handoff.Record) (string, error)
	refused error
	log     *slog.Logger
	now     func() time.Time

	endpoints map[handoff.PartnerID][]endpoint

	mu   sync.Mutex
	gone map[address]time.Time // guarded by mu: until when nothing is sent
}

type endpoint struct {
	id   handoff.EndpointID
	url  string
	keys []key
}

type address struct {
	partner handoff.PartnerID
	to      handoff.EndpointID
}

// New returns a Sender, or every fault there is in the endpoints, joined. No
// fault prints a secret.
func New(c Config) (*Sender, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Sender{
		client: c.Client, sign: c.Sign, refused: c.Refused, log: c.Log, now: c.Now,
		endpoints: make(map[handoff.PartnerID][]endpoint), gone: make(map[address]time.Time),
	}
	var faults []error
	for p, all := range c.Endpoints {
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("partner %q: webhooks: "+format, append([]any{p}, args...)...))
		}
		if len(all) > handoff.MaxEndpoints {
			fault("%d are named, and a partner can have %d", len(all), handoff.MaxEndpoints)
		}
		for i, e := range all {
			made := endpoint{id: handoff.EndpointFor(e.URL), url: e.URL}
			if slices.ContainsFunc(s.endpoints[p], func(o endpoint) bool { return o.id == made.id }) {
				fault("number %d is there twice", i+1)
			}
			if _, err := url.Parse(e.URL); err != nil {
				fault("number %d has no URL", i+1)
			}
			for _, secret := range e.Secrets {
				k, err := parseSecret(secret)
				if err != nil {
					fault("number %d: %w", i+1, err)
				}
				made.keys = append(made.keys, k)
			}
			if len(e.Secrets) == 0 {
				fault("number %d has no secret", i+1)
			}
			s.endpoints[p] = append(s.endpoints[p], made)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return s, nil
}

// Endpoints implements handoff.Deliverer.
func (s *Sender) Endpoints(p handoff.PartnerID) []handoff.EndpointID {
	var ids []handoff.EndpointID
	for _, e := range s.endpoints[p] {
		ids = append(ids, e.id)
	}
	return ids
}

// URL returns the address of an endpoint, for the operator.
func (s *Sender) URL(p handoff.PartnerID, to handoff.EndpointID) (string, bool) {
	e, ok := s.endpoint(p, to)
	return e.url, ok
}

func (s *Sender) endpoint(p handoff.PartnerID, to handoff.EndpointID) (endpoint, bool) {
	i := slices.IndexFunc(s.endpoints[p], func(e endpoint) bool { return e.id == to })
	if i < 0 {
		return endpoint{}, false
	}
	return s.endpoints[p][i], true
}

// Deliver implements handoff.Deliverer. It calls the endpoint once. An endpoint
// that the configuration no longer has is a failure like any other: another
// process may have a configuration that is older, or newer.
func (s *Sender) Deliver(ctx context.Context, m handoff.Message) handoff.Receipt {
	e, ok := s.endpoint(m.Partner, m.To)
	if !ok {
		return handoff.Receipt{Outcome: "not sent: no such endpoint is configured"}
	}
	at := address{m.Partner, m.To}
	if !m.Again && s.isGone(at) {
		return handoff.Receipt{Outcome: "not sent: the endpoint is gone", Gone: true}
	}
	limit, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	b, err := s.encode(m)
	if err != nil {
		s.log.ErrorContext(ctx, "webhook_not_encoded", "partner", m.Partner, "endpoint", m.To, "error", err)
		return handoff.Receipt{Outcome: "not sent: it cannot be encoded"}
	}
	status, retryAfter, err := s.post(limit, e, m.MessageID(), b, e.keys)
	switch {
	case err != nil && ctx.Err() != nil:
		return handoff.Receipt{Outcome: "broken off", Interrupted: true}
	case err != nil:
		s.log.InfoContext(ctx, "webhook_not_answered", "partner", m.Partner, "endpoint", m.To, "error", cause(err))
		return handoff.Receipt{Outcome: s.outcome(err)}
	}
	s.setGone(at, status == http.StatusGone)
	return handoff.Receipt{
		Outcome: "status " + strconv.Itoa(status), Delivered: status >= 200 && status <= 299,
		Gone: status == http.StatusGone, RetryAfter: retryAfter,
	}
}

// Test calls an endpoint with an event of type "handoff.test", which is about no
// handoff. A forged one is signed with a key that nobody has: a receiver that
// verifies refuses it. status is zero if there was no answer; outcome then says
// why in a few words, naming no address.
func (s *Sender) Test(ctx context.Context, p handoff.PartnerID, to handoff.EndpointID, forged bool) (status int, outcome string) {
	e, ok := s.endpoint(p, to)
	if !ok {
		return 0, "no such endpoint is configured"
	}
	keys := e.keys
	if forged {
		nobodys := make(key, 32)
		_, _ = rand.Read(nobodys) // never fails
		keys = []key{nobodys}
	}
	b, err := json.Marshal(body{Type: "handoff.test", Timestamp: s.now().UTC().Format(timeForm), Data: struct{}{}})
	if err != nil {
		return 0, "the event cannot be encoded"
	}
	limit, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	status, _, err = s.post(limit, e, "msg_test_"+rand.Text(), b, keys)
	if err != nil {
		return 0, s.outcome(err)
	}
	return status, "status " + strconv.Itoa(status)
}

// post makes the call.
func (s *Sender) post(ctx context.Context, e endpoint, id string, b []byte, keys []key) (status int, retryAfter time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(b))
	if err != nil {
		return 0, 0, fmt.Errorf("addressing a notice: %w", err)
	}
	now := s.now()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "handoff-webhooks/1")
	req.Header.Set(headerID, id)
	req.Header.Set(headerTimestamp, unix(now))
	req.Header.Set(headerSignature, signature(keys, id, now, b))
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	// What it says beside the status is of no use; reading it frees the connection.
	// A body cut short changes nothing about the status.
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	return resp.StatusCode, parseRetryAfter(resp.Header.Get("Retry-After"), now), nil
}

// parseRetryAfter reads seconds or a date (RFC 9110 §10.2.3); zero for neither.
func parseRetryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

func (s *Sender) isGone(at address) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Before(s.gone[at])
}

func (s *Sender) setGone(at address, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if gone {
		s.gone[at] = s.now().Add(goneFor)
	} else {
		delete(s.gone, at)
	}
}

// outcome says what went wrong in a few words of our own: errors name addresses.
func (s *Sender) outcome(err error) string {
	if s.refused != nil && errors.Is(err, s.refused) {
		return "address not allowed"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "name not found"
	}
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		return "timed out"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "connection refused"
	}
	if o, ok := errors.AsType[*net.OpError](err); ok && o.Op == "dial" {
		return "no connection"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "certificate not trusted"
	}
	return "no answer"
}

// cause is err without the URL, whose query may hold what others should not read.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
