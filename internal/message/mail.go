package message

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"net/textproto"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/handoff-portal/handoff/internal/handoff"
)

//go:generate go tool templ generate -include-version=false

// mailer speaks SMTP to one server: over TLS, or in clear to a relay on this very
// machine that has none.
type mailer struct {
	Mail

	host    string
	options []gomail.Option
}

// implicitTLS is the port where TLS begins with the connection (RFC 8314).
const implicitTLS = 465

func newMailer(m Mail, roots *x509.CertPool) (*mailer, error) {
	host, portText, err := net.SplitHostPort(m.SMTP)
	if err != nil {
		return nil, errors.New("smtp is no host and port")
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, errors.New("smtp has no port")
	}
	secure := tlsConfig(roots)
	secure.ServerName = host
	policy, login := gomail.TLSMandatory, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover)
	if here(host) {
		policy, login = gomail.TLSOpportunistic, gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc)
	}
	options := []gomail.Option{gomail.WithPort(port), gomail.WithTimeout(sendLimit), gomail.WithTLSConfig(secure), gomail.WithTLSPolicy(policy)}
	if port == implicitTLS {
		options = append(options, gomail.WithSSL())
	}
	if m.Username != "" {
		options = append(options, login, gomail.WithUsername(m.Username.Reveal()), gomail.WithPassword(m.Password.Reveal()))
	}
	made := &mailer{Mail: m, host: host, options: options}
	_, err = gomail.NewClient(host, options...)
	return made, err
}

// here reports whether what is sent to host stays on this machine.
func here(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && a.IsLoopback())
}

func (m *mailer) send(ctx context.Context, to handoff.Secret, l handoff.Letter) error {
	var page bytes.Buffer
	if err := mailPage(l).Render(ctx, &page); err != nil {
		return &SendError{Code: "page"}
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if msg.From(m.From) != nil || msg.To(to.Reveal()) != nil {
		return &SendError{Code: "address", Refused: true}
	}
	msg.Subject(l.Subject)
	msg.SetDateWithValue(time.Now())
	msg.SetMessageID()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday replies
	msg.SetGenHeader("Content-Language", l.Lang)
	msg.SetBodyString(gomail.TypeTextPlain, l.Partner+"\n\n"+l.Intro+"\n\n"+l.Link+"\n\n"+l.Note+"\n")
	msg.AddAlternativeString(gomail.TypeTextHTML, page.String())
	client, err := gomail.NewClient(m.host, m.options...)
	if err != nil {
		return &SendError{Code: "settings"}
	}
	if err := client.DialWithContext(ctx); err != nil {
		return failure(err)
	}
	sent := client.Send(msg)
	closed := client.Close() // once the message is taken, how the server says goodbye is no matter
	if sent != nil {
		return failure(errors.Join(sent, closed))
	}
	return nil
}

// check connects, begins TLS, logs in and leaves.
func (m *mailer) check(ctx context.Context) error {
	client, err := gomail.NewClient(m.host, m.options...)
	if err != nil {
		return &SendError{Code: "settings"}
	}
	if err := client.DialWithContext(ctx); err != nil {
		return failure(err)
	}
	if err := client.Close(); err != nil {
		return failure(err)
	}
	return nil
}

// failure is err without its text.
func failure(err error) *SendError {
	f := &SendError{Code: "no answer"}
	if e, ok := errors.AsType[*gomail.SendError](err); ok {
		if n := e.ErrorCode(); n > 0 {
			f.Code = "status " + strconv.Itoa(n)
			f.Refused = n >= 500
		}
		f.Unsure = e.Reason == gomail.ErrSMTPDataClose && e.ErrorCode() == 0
		return f
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		f.Code, f.Refused = "status "+strconv.Itoa(e.Code), e.Code >= 500
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		f.Code = "certificate not trusted"
	}
	return f
}
