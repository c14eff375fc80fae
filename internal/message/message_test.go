package message_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/message"
)

const link = "https://link.example.com/c/acme/ABCDEFGHJKMNPQRSTVWXYZ0123"

func letter() handoff.Letter {
	return handoff.Letter{
		Short: "Acme & Söhne: the link.\n" + link, Lang: "ar", Dir: "rtl", Partner: "Acme & Söhne", Subject: "Ihr Link – weiter",
		Intro: "You asked for <this>.", Link: link, Open: "Continue", Note: "Leave it otherwise.",
	}
}

func TestPhones(t *testing.T) {
	for _, tt := range []struct{ text, region, want, area, masked string }{
		{"+44 7400 123456", "", "+447400123456", "GB", "••56"},
		{"07400 123456", "GB", "+447400123456", "GB", "••56"},
		{"\u202a+49 1512 3456789\u202c", "", "+4915123456789", "DE", "••89"},
		{"(201) 555-0123", "US", "+12015550123", "US", "••23"},
		{"+٤٤٧٤٠٠١٢٣٤٥٦", "", "+447400123456", "GB", "••56"},  // Arabic digits
		{"07700 900123", "GB", "+447700900123", "GB", "••23"}, // for examples and drama
		{"07400 123456", "", "", "", ""},                      // of which country?
		{"+44 20 7946 0018", "", "", "", ""},                  // a landline
		{"+44 9098 790123", "", "", "", ""},                   // a premium rate
		{"+999 123456789", "", "", "", ""},
		{"+44", "GB", "", "", ""},
		{"12", "GB", "", "", ""},
		{"+44 7400 123456, +44 7700 900124", "", "", "", ""},
		{"+44 7400 123456\r\nTo: x", "", "", "", ""},
		{strings.Repeat("1", 10_000), "GB", "", "", ""},
		{"", "GB", "", "", ""},
	} {
		check(t, handoff.RouteSMS, tt.text, tt.region, tt.want, tt.area, tt.masked)
	}
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct{ text, want, area, masked string }{
		{"jane.doe@Example.com", "jane.doe@example.com", "example.com", "j•••@e•••.com"},
		{" a@b.example ", "a@b.example", "b.example", "a•••@b•••.example"},
		{"Jane <jane@example.com>", "", "", ""},
		{"jane@localhost", "", "", ""},
		{"jane@[127.0.0.1]", "", "", ""},
		{"jane@example.com, joe@example.com", "", "", ""},
		{"jane@example.com\r\nBcc: joe@example.com", "", "", ""},
		{"jane", "", "", ""},
		{"@example.com", "", "", ""},
		{"jane@.com", "", "", ""},
		{strings.Repeat("a", 300) + "@example.com", "", "", ""},
		{"", "", "", ""},
	} {
		check(t, handoff.RouteEmail, tt.text, "", tt.want, tt.area, tt.masked)
	}
}

func check(t *testing.T, r handoff.Route, text, region, want, area, masked string) {
	t.Helper()
	to, err := new(message.Sender).Recipient(r, text, region)
	if want == "" {
		if handoff.CodeOf(err) != handoff.CodeInvalid || err == nil {
			t.Errorf("Recipient(%s, %.60q, %q) = %q, %v, want invalid_request", r, text, region, to.Address.Reveal(), err)
		}
		return
	}
	if err != nil || to.Address.Reveal() != want || to.Area != area || to.Masked != masked || to.Route != r {
		t.Errorf("Recipient(%s, %.60q, %q) = %q %q %q, %v, want %q %q %q", r, text, region, to.Address.Reveal(), to.Area, to.Masked, err, want, area, masked)
	}
}

// provider answers as Twilio's API of 2010-04-01 is documented to.
type provider struct {
	mu   sync.Mutex
	sent []url.Values // guarded by mu
	fail func(w http.ResponseWriter) bool

	status string // of the message resource
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, pass, _ := r.BasicAuth()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case p.fail != nil && p.fail(w):
	case user != "AC0123456789abcdef0123456789abcdef" || pass != "sms-token":
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"code":20003,"message":"Authenticate","more_info":"https://www.twilio.com/docs/errors/20003","status":401}`)
	case r.Method == http.MethodGet && r.URL.Path == "/2010-04-01/Accounts/"+user+".json":
		_, _ = io.WriteString(w, `{"sid":"`+user+`","friendly_name":"x","status":"active","type":"Full"}`)
	case r.Method == http.MethodPost && r.URL.Path == "/2010-04-01/Accounts/"+user+"/Messages.json" && r.ParseForm() == nil:
		if r.PostForm.Get("To") == "+447700900000" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"code":21211,"message":"The 'To' number +447700900000 is not a valid phone number.","more_info":"…","status":400}`)
			return
		}
		p.mu.Lock()
		p.sent = append(p.sent, r.PostForm)
		p.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"account_sid":"`+user+`","sid":"SM0123456789abcdef0123456789abcdef","status":"queued","error_code":null,"to":"`+r.PostForm.Get("To")+`"}`)
	case r.Method == http.MethodGet && r.URL.Path == "/2010-04-01/Accounts/"+user+"/Messages/SM0123456789abcdef0123456789abcdef.json":
		_, _ = io.WriteString(w, `{"account_sid":"`+user+`","sid":"SM0123456789abcdef0123456789abcdef","status":"`+p.status+`","error_code":null,"to":"+447700900123"}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":20404,"message":"The requested resource was not found","status":404}`)
	}
}

// failed is what a Send failed with.
func failed(_ string, err error) error { return err }

func newSMS(t *testing.T, p *provider, from, token string) *message.Sender {
	t.Helper()
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	s, err := message.New(message.Config{SMS: &message.SMS{URL: srv.URL, Account: "AC0123456789abcdef0123456789abcdef", Token: handoff.Secret(token), From: from}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func phone(number string) handoff.Recipient {
	return handoff.Recipient{Route: handoff.RouteSMS, Address: handoff.Secret(number)}
}

func TestSMS(t *testing.T) {
	for from, field := range map[string]string{"+447700900999": "From", "ACME": "From", "MG0123456789abcdef0123456789abcdef": "MessagingServiceSid"} {
		p := &provider{}
		s := newSMS(t, p, from, "sms-token")
		if err := s.Check(t.Context(), handoff.RouteSMS); err != nil {
			t.Errorf("Check() = %v", err)
		}
		if _, err := s.Send(t.Context(), phone("+447700900123"), letter()); err != nil {
			t.Fatalf("Send() = %v", err)
		}
		want := url.Values{"To": {"+447700900123"}, "Body": {letter().Short}, field: {from}}
		if len(p.sent) != 1 || p.sent[0].Encode() != want.Encode() {
			t.Errorf("the provider got %v, want %v", p.sent, want)
		}
	}
}

func TestSMSFails(t *testing.T) {
	reply := func(status int, body string) func(http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	for name, tt := range map[string]struct {
		p               *provider
		token, to       string
		refused, unsure bool
	}{
		"wrong number":     {&provider{}, "sms-token", "+447700900000", true, false},
		"wrong token":      {&provider{}, "other", "+447700900123", true, false},
		"too many":         {&provider{fail: reply(429, `{"code":20429,"status":429}`)}, "sms-token", "+447700900123", false, false},
		"broken":           {&provider{fail: reply(500, `<html>`)}, "sms-token", "+447700900123", false, true},
		"nonsense":         {&provider{fail: reply(201, `<html>`)}, "sms-token", "+447700900123", false, true},
		"failed at once":   {&provider{fail: reply(201, `{"sid":"SM1","status":"failed"}`)}, "sms-token", "+447700900123", true, false},
		"answer cut short": {&provider{fail: func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) }}, "sms-token", "+447700900123", false, true},
	} {
		_, err := newSMS(t, tt.p, "+447700900999", tt.token).Send(t.Context(), phone(tt.to), letter())
		expect(t, name, err, tt.refused, tt.unsure, tt.to, tt.token)
	}
	gone, _ := message.New(message.Config{SMS: &message.SMS{URL: "http://127.0.0.1:1", Account: "AC1", Token: "t", From: "+44"}})
	expect(t, "nobody listens", failed(gone.Send(t.Context(), phone("+447700900123"), letter())), false, false, "+447700900123", "unsaid")
}

// expect looks at a failure, and that it quotes nobody.
func expect(t *testing.T, name string, err error, refused, unsure bool, to, secret string) {
	t.Helper()
	f, ok := errors.AsType[*message.SendError](err)
	if !ok || f.Refused != refused || errors.Is(err, handoff.ErrUnsure) != unsure {
		t.Errorf("%s: %#v, want refused %v, unsure %v", name, err, refused, unsure)
		return
	}
	for _, hidden := range []string{to, strings.TrimPrefix(to, "+"), secret, "ABCDEFGH"} {
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: the error %q quotes %q", name, err, hidden)
		}
	}
}

// postOffice is an SMTP server that wants STARTTLS and a login.
type postOffice struct {
	mu   sync.Mutex
	got  []string // guarded by mu: messages
	rcpt []string // guarded by mu
	all  bool     // takes mail from everybody
}

func (p *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &letterbox{office: p, conn: c}, nil
}

type letterbox struct {
	office *postOffice
	conn   *smtp.Conn
	in     bool
}

func (*letterbox) AuthMechanisms() []string { return []string{sasl.Plain} }

func (l *letterbox) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if _, secure := l.conn.TLSConnectionState(); !secure && !l.office.all || username != "smtp-user" || password != "smtp-password" {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no: smtp-user"}
		}
		l.in = true
		return nil
	}), nil
}

func (l *letterbox) Mail(string, *smtp.MailOptions) error {
	if !l.in && !l.office.all {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (l *letterbox) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user " + to}
	}
	if strings.HasPrefix(to, "later@") {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted " + to}
	}
	l.office.mu.Lock()
	defer l.office.mu.Unlock()
	l.office.rcpt = append(l.office.rcpt, to)
	return nil
}

func (l *letterbox) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	l.office.mu.Lock()
	defer l.office.mu.Unlock()
	l.office.got = append(l.office.got, string(b))
	if strings.Contains(string(b), "silent@") { // it has the message, and goes without a word
		_ = l.conn.Conn().Close()
	}
	return err
}

func (*letterbox) Reset()        {}
func (*letterbox) Logout() error { return nil }

// open starts a post office; without secure it has no TLS.
func open(t *testing.T, secure bool) (office *postOffice, address string, roots *x509.CertPool) {
	t.Helper()
	office, roots = &postOffice{}, x509.NewCertPool()
	srv := smtp.NewServer(office)
	srv.Domain, srv.AllowInsecureAuth = "localhost", true
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	roots.AddCert(cert)
	if secure {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	return office, ln.Addr().String(), roots
}

func newMail(t *testing.T, address, password string, roots *x509.CertPool) *message.Sender {
	t.Helper()
	s, err := message.New(message.Config{RootCAs: roots, Mail: &message.Mail{
		SMTP: address, Username: "smtp-user", Password: handoff.Secret(password), From: "Acme Bänk <no-reply@acme.example>",
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mailbox(address string) handoff.Recipient {
	return handoff.Recipient{Route: handoff.RouteEmail, Address: handoff.Secret(address)}
}

func TestMail(t *testing.T) {
	office, address, roots := open(t, true)
	s := newMail(t, address, "smtp-password", roots)
	if err := s.Check(t.Context(), handoff.RouteEmail); err != nil {
		t.Errorf("Check() = %v", err)
	}
	if len(office.rcpt) > 0 {
		t.Errorf("Check() sent to %q", office.rcpt)
	}
	if _, err := s.Send(t.Context(), mailbox("jane@example.com"), letter()); err != nil {
		t.Fatalf("Send() = %v", err)
	}
	if len(office.got) != 1 || len(office.rcpt) != 1 || office.rcpt[0] != "jane@example.com" {
		t.Fatalf("the server got %d messages for %q, want one for jane@example.com", len(office.got), office.rcpt)
	}
	m, err := mail.ReadMessage(strings.NewReader(office.got[0]))
	if err != nil {
		t.Fatal(err)
	}
	words := new(mime.WordDecoder)
	subject, _ := words.DecodeHeader(m.Header.Get("Subject"))
	from, fromErr := m.Header.AddressList("From")
	if subject != letter().Subject || fromErr != nil || from[0].Name != "Acme Bänk" || m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("Message-Id") == "" {
		t.Errorf("the header is %v, subject %q", m.Header, subject)
	}
	if agent := m.Header.Get("User-Agent") + m.Header.Get("X-Mailer"); agent != "" {
		t.Errorf("the mail says that it was made by %q", agent)
	}
	kind, params, _ := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if kind != "multipart/alternative" {
		t.Fatalf("the mail is %q, want multipart/alternative", kind)
	}
	parts := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		if err != nil {
			break
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		var body io.Reader = part
		if part.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(part)
		}
		b, _ := io.ReadAll(body)
		parts[kind] = string(b)
	}
	text, page := parts["text/plain"], parts["text/html"]
	for _, want := range []string{"Acme & Söhne", "You asked for <this>.", link, "Leave it otherwise."} {
		if !strings.Contains(text, want) {
			t.Errorf("the text %q lacks %q", text, want)
		}
	}
	for _, want := range []string{`lang="ar" dir="rtl"`, "Acme &amp; Söhne", "You asked for &lt;this&gt;.", `href="` + link + `"`, "Continue"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page %q lacks %q", page, want)
		}
	}
	for _, never := range []string{"<img", "<link", "<script", "url(", "@import", "src="} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q in it", never)
		}
	}
	if n := strings.Count(page, "http"); n != 2 {
		t.Errorf("the page names %d addresses, want the link twice", n)
	}
}

func TestMailFails(t *testing.T) {
	_, address, roots := open(t, true)
	good := newMail(t, address, "smtp-password", roots)
	expect(t, "nobody there", failed(good.Send(t.Context(), mailbox("nobody@example.com"), letter())), true, false, "nobody@example.com", "smtp-password")
	expect(t, "later", failed(good.Send(t.Context(), mailbox("later@example.com"), letter())), false, false, "later@example.com", "smtp-password")
	expect(t, "no word after the message", failed(good.Send(t.Context(), mailbox("silent@example.com"), letter())), false, true, "silent@example.com", "smtp-password")
	bad := newMail(t, address, "wrong", roots)
	expect(t, "wrong password", bad.Check(t.Context(), handoff.RouteEmail), true, false, "smtp-user", "wrong")
	expect(t, "certificate of nobody", newMail(t, address, "smtp-password", x509.NewCertPool()).Check(t.Context(), handoff.RouteEmail), false, false, "smtp-user", "smtp-password")
	// Neither a login nor a message leaves the machine in clear, whoever would take it.
	office, plain, roots := open(t, false)
	office.all = true
	plain = strings.Replace(plain, "127.0.0.1", "0.0.0.0", 1) // the same server, by an address that is no loopback
	anybody, err := message.New(message.Config{RootCAs: roots, Mail: &message.Mail{SMTP: plain, From: "no-reply@acme.example"}})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "no STARTTLS and no login", failed(anybody.Send(t.Context(), mailbox("jane@example.com"), letter())), false, false, "jane@example.com", "smtp-password")
	expect(t, "no STARTTLS", failed(newMail(t, plain, "smtp-password", roots).Send(t.Context(), mailbox("jane@example.com"), letter())), false, false, "jane@example.com", "smtp-password")
	if len(office.got) > 0 {
		t.Error("without TLS a message was sent")
	}
	plain = strings.Replace(plain, "0.0.0.0", "127.0.0.1", 1)
	relay, err := message.New(message.Config{RootCAs: roots, Mail: &message.Mail{SMTP: plain, From: "no-reply@acme.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []*message.Sender{relay, newMail(t, plain, "smtp-password", roots)} {
		if _, err := s.Send(t.Context(), mailbox("jane@example.com"), letter()); err != nil || len(office.got) != i+1 {
			t.Errorf("Send() by a relay on this machine without TLS, login: %t = %v, %d messages; want one more", i == 1, err, len(office.got))
		}
	}
	expect(t, "nobody listens", newMail(t, "127.0.0.1:1", "smtp-password", roots).Check(t.Context(), handoff.RouteEmail), false, false, "smtp-user", "smtp-password")
}

// TestReceipt: each status of a message resource (twilio.com, Message status values).
func TestReceipt(t *testing.T) {
	for status, want := range map[string]handoff.DispatchState{
		"accepted": handoff.DispatchQueued, "scheduled": handoff.DispatchQueued, "queued": handoff.DispatchQueued, "sending": handoff.DispatchQueued,
		"sent": handoff.DispatchSent, "delivered": handoff.DispatchDelivered, "read": handoff.DispatchDelivered,
		"undelivered": handoff.DispatchFailed, "failed": handoff.DispatchFailed, "canceled": handoff.DispatchFailed, "of tomorrow": "", "": "",
	} {
		s := newSMS(t, &provider{status: status}, "+447700900999", "sms-token")
		ticket, err := s.Send(t.Context(), phone("+447700900123"), letter())
		if err != nil || ticket == "" {
			t.Fatalf("Send() = %q, %v, want a ticket", ticket, err)
		}
		got, err := s.Receipt(t.Context(), handoff.RouteSMS, ticket)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("Receipt of %q = %q, %v, want %q", status, got, err, want)
		}
	}
	s := newSMS(t, &provider{status: "sent"}, "+447700900999", "sms-token")
	if got, err := s.Receipt(t.Context(), handoff.RouteSMS, "SM404"); err == nil || got != "" || strings.Contains(err.Error(), "+44") {
		t.Errorf("Receipt of an unknown message = %q, %v, want a fault that quotes nobody", got, err)
	}
	if _, err := s.Receipt(t.Context(), handoff.RouteEmail, "x"); err == nil {
		t.Errorf("Receipt of an e-mail: no error")
	}
}
