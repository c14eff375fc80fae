// Package message sends a link to a person, by text message or by e-mail.
//
// Whom it goes to is in no error and no log: what a provider says often quotes
// it, so of its words only codes are kept.
package message

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// sendLimit is how long a provider may take.
const sendLimit = 12 * time.Second

// SMS says who sends text messages.
type SMS struct {
	URL     string // of the provider's API
	Account handoff.Secret
	Token   handoff.Secret
	From    string // a number, a name, or a messaging service (MG…)
}

// Mail says who sends e-mail.
type Mail struct {
	SMTP     string // host:port; STARTTLS, or TLS from the start on port 465; a relay on this machine may have none
	Username handoff.Secret
	Password handoff.Secret
	From     string
}

// Config is what a Sender sends by; what is nil is not sent by.
type Config struct {
	SMS     *SMS
	Mail    *Mail
	RootCAs *x509.CertPool // trusted instead of the system's, if set
}

// Sender sends. It is safe for concurrent use.
type Sender struct {
	sms  *twilio
	mail *mailer
}

// New returns a Sender. It connects to nobody. No fault prints a secret.
func New(c Config) (*Sender, error) {
	s := &Sender{}
	if c.SMS != nil {
		s.sms = newTwilio(*c.SMS, c.RootCAs)
	}
	if c.Mail != nil {
		var err error
		if s.mail, err = newMailer(*c.Mail, c.RootCAs); err != nil {
			return nil, fmt.Errorf("mail: %w", err)
		}
	}
	return s, nil
}

// Sends reports whether there is somebody to send by a route.
func (s *Sender) Sends(r handoff.Route) bool {
	return (r == handoff.RouteSMS && s.sms != nil) || (r == handoff.RouteEmail && s.mail != nil)
}

// Recipient reads an address as a person writes it: a mobile number, in the
// national form of region if that is one (ISO 3166, may be empty), or an e-mail
// address. What is none is CodeInvalid.
func (*Sender) Recipient(r handoff.Route, text, region string) (handoff.Recipient, error) {
	switch r { //nolint:exhaustive // the others need no address
	case handoff.RouteSMS:
		return parsePhone(text, region)
	case handoff.RouteEmail:
		return parseAddress(text)
	}
	return handoff.Recipient{}, handoff.Errorf(handoff.CodeForbidden, "nothing is sent by the route %s", r)
}

// Send sends a letter. What it returns is for Receipt, and empty where there is
// nothing to ask later. The error is a *SendError.
func (s *Sender) Send(ctx context.Context, to handoff.Recipient, l handoff.Letter) (ticket string, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	switch {
	case !s.Sends(to.Route):
		return "", &SendError{Code: "no sender"}
	case to.Route == handoff.RouteSMS:
		return s.sms.send(ctx, to.Address, l.Short)
	}
	return "", s.mail.send(ctx, to.Address, l)
}

var _ handoff.Receipts = (*Sender)(nil)

// Receipt implements handoff.Receipts. The error is a *SendError.
func (s *Sender) Receipt(ctx context.Context, r handoff.Route, ticket string) (handoff.DispatchState, error) {
	if r != handoff.RouteSMS || s.sms == nil {
		return "", &SendError{Code: "no sender"}
	}
	return s.sms.receipt(ctx, ticket)
}

// Check tries the credential of a route, and sends nothing.
func (s *Sender) Check(ctx context.Context, r handoff.Route) error {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	switch {
	case !s.Sends(r):
		return &SendError{Code: "no sender"}
	case r == handoff.RouteSMS:
		return s.sms.check(ctx)
	}
	return s.mail.check(ctx)
}

// SendError is why a message was not sent. Its text quotes nobody.
type SendError struct {
	Code    string // the provider's, or a word of ours
	Refused bool   // the provider looked at our credential, or at the address, and said no
	Unsure  bool   // it may have been sent all the same
}

func (f *SendError) Error() string { return f.Code }

// Is makes a SendError that may have been a success handoff.ErrUnsure.
func (f *SendError) Is(target error) bool { return target == handoff.ErrUnsure && f.Unsure }

// Refused reports whether err says that our credential is refused.
func Refused(err error) bool {
	f, ok := errors.AsType[*SendError](err)
	return ok && f.Refused
}

func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSClientConfig: tlsConfig(roots),
		TLSHandshakeTimeout: sendLimit / 2, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 8,
	}
}
