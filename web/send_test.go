package web_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/limit"
	"github.com/handoff-portal/handoff/internal/message"
)

const (
	mobile  = "+447400123456"
	mailbox = "jane.doe@mail.example"
)

// carriers are an SMS provider, as Twilio's API is documented, and an SMTP server
// with STARTTLS and a login; both real connections.
type carriers struct {
	*message.Sender

	mu    sync.Mutex
	texts []url.Values // guarded by mu
	mails []string     // guarded by mu
	reply func(w http.ResponseWriter, to string) bool
	tell  func(w http.ResponseWriter, path string) // of a message that was taken
}

func newCarriers(t *testing.T) *carriers {
	t.Helper()
	c := &carriers{}
	sms := httptest.NewServer(http.HandlerFunc(c.takeText))
	t.Cleanup(sms.Close)
	borrowed := httptest.NewTLSServer(nil) // for its certificate
	borrowed.Close()
	roots := x509.NewCertPool()
	roots.AddCert(borrowed.Certificate())
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{carriers: c}, nil }))
	srv.TLSConfig = &tls.Config{Certificates: borrowed.TLS.Certificates, MinVersion: tls.VersionTLS12}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	c.Sender, err = message.New(message.Config{
		SMS:     &message.SMS{URL: sms.URL, Account: "AC1", Token: "sms-token", From: "+447400000000"},
		Mail:    &message.Mail{SMTP: ln.Addr().String(), Username: "u", Password: "p", From: "Acme <no-reply@acme.example>"},
		RootCAs: roots,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *carriers) takeText(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	if c.tell != nil && r.Method == http.MethodGet {
		c.tell(w, r.URL.Path)
		return
	}
	if user, pass, _ := r.BasicAuth(); user != "AC1" || pass != "sms-token" || r.URL.Path != "/2010-04-01/Accounts/AC1/Messages.json" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if c.reply != nil && c.reply(w, r.PostForm.Get("To")) {
		return
	}
	c.mu.Lock()
	c.texts = append(c.texts, r.PostForm)
	c.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"sid":"SM1","status":"queued"}`)
}

type mailSession struct {
	*carriers
	in bool
}

func (*mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }
func (m *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, pass string) error {
		if m.in = user == "u" && pass == "p"; !m.in {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (m *mailSession) Mail(string, *smtp.MailOptions) error {
	if !m.in {
		return smtp.ErrAuthRequired
	}
	return nil
}
func (*mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (m *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails = append(m.mails, string(b))
	return err
}
func (*mailSession) Reset()        {}
func (*mailSession) Logout() error { return nil }

func (c *carriers) counts() (texts, mails int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.texts), len(c.mails)
}

var linkForm = regexp.MustCompile(`https?://[^/\s]+/c/acme/[0-9A-Z]{26}\b`)

// unfolded undoes quoted-printable as far as a link needs it.
func unfolded(mail string) string { return strings.ReplaceAll(mail, "=\r\n", "") }

func (s *story) text(route string, to ...string) answer {
	s.t.Helper()
	form := url.Values{"route": {route}}
	if len(to) > 0 {
		form.Set("to", to[0])
	}
	return s.desk.post(s.made.DisplayURL+"/send", form)
}

func slotText(t *testing.T, a answer, name string) string {
	t.Helper()
	s := a.page(t).Find(`[data-testid="` + name + `"]`)
	return strings.NewReplacer("\u2068", "", "\u2069", "").Replace(s.Text())
}

// TestSend: what the partner named is offered by its last digits, a message comes
// as a person would get it, opens the landing, and can be stopped. Neither number
// nor address stays anywhere once it has ended, nor before it in clear.
func TestSend(t *testing.T) {
	t.Parallel()
	c := newCarriers(t)
	w := newWorld(t, func(s *setting) { s.messenger, s.bolt, s.twoHosts = c, true, true })
	for _, tt := range []struct {
		route, offered, typed, shown string
		got                          func() string
	}{
		{"sms", "••56", "+44 7400 123457", "Sent to ••57 a moment ago.", func() string { return c.texts[len(c.texts)-1].Get("Body") }},
		{"email", "j•••@m•••.example", "joe@mail.example", "Sent to j•••@m•••.example a moment ago.", func() string { return unfolded(c.mails[len(c.mails)-1]) }},
	} {
		s := w.begin(map[string]any{"contact": map[string]string{"phone": "+44 7400 123456", "email": mailbox}})
		page := s.open()
		if got := slotText(t, page, "action-send-"+tt.route); !strings.Contains(got, "Send it to "+tt.offered) {
			t.Errorf("%s: the display offers %q, want it sent to %s", tt.route, got, tt.offered)
		}
		s.desk.press(page, "action-send-"+tt.route)
		first := linkForm.FindString(tt.got())
		if !strings.Contains(tt.got(), "Acme Bank") || first == "" || !strings.HasPrefix(first, w.link+"/c/") {
			t.Fatalf("%s: the message is %q, want the partner's name and a link", tt.route, tt.got())
		}
		page = s.text(tt.route, tt.typed)
		if got := slotText(t, page, "slot-"+tt.route); !strings.Contains(got, tt.shown) {
			t.Errorf("%s: the display says %q, want %q", tt.route, got, tt.shown)
		}
		second := linkForm.FindString(tt.got())
		if second == first {
			t.Errorf("%s: two messages have one link", tt.route)
		}
		w.person(iPhone).get(first).wantPage(t, http.StatusGone, "notice-old_code")
		s.landing = s.phone.get(second)
		s.landing.wantPage(t, http.StatusOK, "landing")
		s.desk.press(page, "action-revoke-"+tt.route)
		w.person(iPhone).get(second).wantPage(t, http.StatusGone, "notice-ended")

		s.text(tt.route)
		s.landing = s.phone.get(linkForm.FindString(tt.got()))
		s.tap()
		if got := w.get(s.made.ID); got.Route == nil || *got.Route != tt.route {
			t.Errorf("%s: claimed by route %v", tt.route, got.Route)
		}
		s.desk.post(s.made.DisplayURL+"/cancel", nil)
		if got := s.stored(); got.Contact != nil {
			t.Errorf("%s: the contact is kept after the end", tt.route)
		}
	}
	if texts, mails := c.counts(); texts != 3 || mails != 3 {
		t.Errorf("%d text messages and %d mails were sent, want 3 and 3", texts, mails)
	}
	w.stop()
	file, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"the store": string(file), "the log": w.logs.String()} {
		for _, hidden := range []string{"447400123456", "7400123456", "447400123457", mailbox, "jane.doe", "joe@mail", "••56", "j•••"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s has %q in it", where, hidden)
			}
		}
	}
}

// TestSendInLanguages: the message is in the reader's language, and a number is
// read in the form of the country they say to be in.
func TestSendInLanguages(t *testing.T) {
	t.Parallel()
	c := newCarriers(t)
	w := newWorld(t, func(s *setting) { s.messenger = c })
	for locale, want := range map[string]string{"de": "der Link, um den Sie gebeten haben", "ar": "الرابط الذي طلبته", "en-GB": "the link you asked for"} {
		s := w.begin(map[string]any{"locale": locale})
		s.open()
		s.text("sms", mobile)
		s.text("email", mailbox)
		if body := c.texts[len(c.texts)-1].Get("Body"); !strings.Contains(body, want) || strings.ContainsAny(body, "\u2066\u2067\u2068\u2069") {
			t.Errorf("in %s the text message is %q, want %q", locale, body, want)
		}
		if mail := c.mails[len(c.mails)-1]; !strings.Contains(mail, "Content-Language: "+strings.Split(locale, "-")[0]) {
			t.Errorf("in %s the mail is %.600q, want it to say its language", locale, mail)
		}
	}
	for locale, sent := range map[string]bool{"en-GB": true, "en": false, "": false} {
		s := w.begin(map[string]any{"locale": locale})
		s.open()
		before, _ := c.counts()
		s.text("sms", "07400 123456")
		if after, _ := c.counts(); (after > before) != sent {
			t.Errorf("a national number with locale %q was sent %v, want %v", locale, after > before, sent)
		}
	}
}

// TestSendWrong: what is no number or address is told beside its field, to a
// script as text, and nothing is sent.
func TestSendWrong(t *testing.T) {
	t.Parallel()
	c := newCarriers(t)
	w := newWorld(t, func(s *setting) { s.messenger = c })
	s := w.begin()
	s.open()
	for _, tt := range []struct{ route, to string }{
		{"sms", "hello"},
		{"sms", "+44 20 7946 0018"},
		{"sms", ""},
		{"sms", "+44 7400 123456\nBody: x"},
		{"sms", strings.Repeat("4", 5000)},
		{"email", "jane"},
		{"email", "a@b.example, c@d.example"},
		{"email", "a@b.example\r\nBcc: c@d.example"},
		{"email", ""},
	} {
		a := s.text(tt.route, tt.to)
		a.wantPage(t, http.StatusBadRequest, "display")
		field := a.page(t).Find("#to-" + tt.route)
		if got := slotText(t, a, "wrong-"+tt.route); got == "" || field.AttrOr("aria-describedby", "") != "wrong-"+tt.route || field.AttrOr("value", "") != "" {
			t.Errorf("%s %.40q: the page says %q at its field, want what is wrong", tt.route, tt.to, got)
		}
		if a.page(t).Find(`meta[http-equiv="refresh"], noscript meta`).Length() > 0 {
			t.Errorf("%s: the page goes before it is read", tt.route)
		}
		r := s.desk.request(http.MethodPost, s.made.DisplayURL+"/send", url.Values{"route": {tt.route}, "to": {tt.to}})
		r.Header.Set("Sec-Fetch-Mode", "cors")
		var told struct{ Text string }
		a = send(t, http.DefaultClient, r)
		if a.json(t, &told); a.StatusCode != http.StatusBadRequest || told.Text == "" {
			t.Errorf("%s: the script is told %d %q", tt.route, a.StatusCode, told.Text)
		}
	}
	if texts, mails := c.counts(); texts+mails > 0 {
		t.Errorf("%d text messages and %d mails were sent, want none", texts, mails)
	}
	a := w.raw(http.MethodPost, "/v1/handoffs", `{"instanceId":"PiSendWrong0000000001","contact":{"phone":"12","email":"x"}}`)
	p := a.wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
	if len(p.Errors) != 2 || p.Errors[0].Pointer != "/contact/phone" || p.Errors[1].Pointer != "/contact/email" {
		t.Fatalf("a contact that is none: %+v", p.Errors)
	}
	example := regexp.MustCompile(`\+[0-9 ]+[0-9]`).FindString(p.Errors[0].Detail)
	w.begin(map[string]any{"contact": map[string]string{"phone": example}}) // what the fault names as an example is good
}

// TestSendClosed: without a sender, or against the partner's routes, nothing is
// offered and nothing sent; and a held or ended handoff sends nothing.
func TestSendClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin(map[string]any{"contact": map[string]string{"phone": "anything", "email": "anything"}})
	page := s.open().page(t)
	if page.Find(`[data-testid="other-sms"], [data-testid="other-email"]`).Length() > 0 {
		t.Error("messages are offered, and there is nobody to send them")
	}
	s.text("sms", mobile).wantPage(t, http.StatusForbidden, "problem")
	c := newCarriers(t)
	w = newWorld(t, func(s *setting) { s.messenger = c })
	held := w.connected()
	held.text("sms", mobile)
	ended := w.begin()
	ended.open()
	ended.desk.post(ended.made.DisplayURL+"/cancel", nil)
	ended.text("email", mailbox)
	if texts, mails := c.counts(); texts+mails > 0 {
		t.Errorf("%d text messages and %d mails were sent, want none", texts, mails)
	}
}

// TestSendFails: what becomes of a message is told as far as it is known.
func TestSendFails(t *testing.T) {
	t.Parallel()
	c := newCarriers(t)
	status := 0
	c.reply = func(w http.ResponseWriter, to string) bool {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"code":21211,"message":"The 'To' number %s is not valid","status":%d}`, to, status)
		return true
	}
	w := newWorld(t, func(s *setting) { s.messenger = c })
	for code, want := range map[int]string{400: "couldn’t be sent to ••56", 401: "couldn’t be sent to ••56", 503: "may not have reached ••56"} {
		status = code
		s := w.begin()
		s.open()
		if got := slotText(t, s.text("sms", mobile), "slot-sms"); !strings.Contains(got, want) {
			t.Errorf("after %d the display says %q, want %q", code, got, want)
		}
	}
	if strings.Contains(w.logs.String(), "7400123456") {
		t.Error("the log has the number that the provider quotes")
	}
	if !strings.Contains(w.logs.String(), "status 400, code 21211") {
		t.Error("the log does not have the provider's code")
	}
}

// stuck is a messenger that does not come back until it is let go, as of a process
// that dies while it sends.
type stuck struct {
	*carriers
	began, leave chan struct{}
}

func (s stuck) Send(ctx context.Context, _ handoff.Recipient, _ handoff.Letter) (string, error) {
	s.began <- struct{}{}
	select {
	case <-s.leave:
	case <-ctx.Done():
	}
	return "", ctx.Err()
}

// TestSendDies: a message is noted before it is sent. While that lasts the display
// says so; of one whose sender died it says, after a while, that it may not have come.
func TestSendDies(t *testing.T) {
	t.Parallel()
	m := stuck{newCarriers(t), make(chan struct{}), make(chan struct{})}
	w := newWorld(t, func(s *setting) { s.messenger = m })
	s := w.begin()
	s.open()
	var pressed sync.WaitGroup
	pressed.Go(func() { s.text("sms", mobile) })
	<-m.began
	other := w.person(desktop)
	if got := slotText(t, other.get(s.made.DisplayURL), "slot-sms"); !strings.Contains(got, "Being sent to ••56") {
		t.Errorf("while it is sent the display says %q", got)
	}
	w.clock.advance(handoff.DispatchLimit)
	if got := slotText(t, other.get(s.made.DisplayURL), "slot-sms"); !strings.Contains(got, "may not have reached ••56") {
		t.Errorf("long after it began the display says %q", got)
	}
	close(m.leave)
	pressed.Wait()
	if got := slotText(t, other.get(s.made.DisplayURL), "slot-sms"); !strings.Contains(got, "Sent to ••56") {
		t.Errorf("after it was sent all the same the display says %q", got)
	}
}

// TestSendFlood: beyond each limit nothing is sent, and the page says when to try
// again; then it works.
func TestSendFlood(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		limit func(*limit.Rates)
		press func(w *world, i int) answer
	}{
		{"one handoff", func(r *limit.Rates) { r.MessagesPerHandoff = limit.Rate{Count: 3, Per: time.Hour} }, nil},
		{"one number", func(r *limit.Rates) { r.MessagesPerRecipient = limit.Rate{Count: 3, Per: time.Hour} }, func(w *world, _ int) answer {
			return w.sendsTo(mobile)
		}},
		{"one country", func(r *limit.Rates) { r.MessagesPerArea = limit.Rate{Count: 3, Per: time.Hour} }, func(w *world, i int) answer {
			return w.sendsTo(fmt.Sprintf("+4474001234%02d", i))
		}},
		{"one network", func(r *limit.Rates) { r.MessagesPerNetwork = limit.Rate{Count: 3, Per: time.Hour} }, func(w *world, i int) answer {
			return w.sendsTo([]string{"+447400123456", "+4915123456789", "+33612345678", "+12015550123"}[i%4])
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCarriers(t)
			w := newWorld(t, func(s *setting) {
				s.messenger = c
				tt.limit(&s.rates)
			})
			press := tt.press
			if press == nil {
				s := w.begin()
				s.open()
				press = func(*world, int) answer { return s.text("sms", mobile) }
			}
			for i := range 3 {
				if a := press(w, i); a.StatusCode != http.StatusOK {
					t.Fatalf("message %d = %d", i+1, a.StatusCode)
				}
			}
			for i := range 20 {
				a := press(w, i)
				a.wantPage(t, http.StatusTooManyRequests, "display")
				if got := slotText(t, a, "wrong-sms"); !strings.Contains(got, "Try again in 20 minutes") {
					t.Fatalf("beyond the limit the page says %q, want when to try again", got)
				}
				if after := a.Header.Get("Retry-After"); after == "" {
					t.Error("there is no Retry-After")
				}
			}
			if texts, _ := c.counts(); texts != 3 {
				t.Errorf("%d messages were sent, want 3", texts)
			}
			w.clock.advance(20 * time.Minute)
			if a := w.sendsTo(mobile); tt.press != nil && a.StatusCode != http.StatusOK {
				t.Errorf("20 minutes later = %d, want the message", a.StatusCode)
			}
		})
	}
}

// sendsTo sends a text message from a handoff of its own.
func (w *world) sendsTo(number string) answer {
	w.t.Helper()
	s := w.begin()
	s.open()
	return s.text("sms", number)
}
