package webhook_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/handoff-portal/handoff/internal/egress"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/webhook"
)

const (
	oldSecret = handoff.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	newSecret = handoff.Secret("whsec_c2VjcmV0IG51bWJlciB0d28sIG9mIDMyIGJ5dGVz")
	stranger  = "whsec_YW5vdGhlciBzZWNyZXQgdGhhdCBub2JvZHkga25vd3M="
)

// letter is one delivery as it came.
type letter struct {
	header http.Header
	body   []byte
}

// receiver keeps what it is sent, and answers as it is told.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	got    []letter
	answer http.HandlerFunc
	each   func(letter) // sees what comes, one after the other; may be nil
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		if req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("received %s %s", req.Method, req.Header.Get("Content-Type"))
		}
		r.mu.Lock()
		r.got = append(r.got, letter{req.Header.Clone(), b})
		if r.each != nil {
			r.each(r.got[len(r.got)-1])
		}
		answer := r.answer
		r.mu.Unlock()
		if answer != nil {
			answer(w, req)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) letters() []letter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got
}

// loopback is a client that may talk to this machine, by plain http.
func loopback() *http.Client {
	return egress.New(egress.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}).Client()
}

func sender(t *testing.T, client *http.Client, address string, now func() time.Time, secrets ...handoff.Secret) *webhook.Sender {
	t.Helper()
	s, err := webhook.New(webhook.Config{
		Endpoints: map[handoff.PartnerID][]webhook.Endpoint{"acme": {{URL: address, Secrets: secrets}}},
		Client:    client, Refused: egress.ErrRefused, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// notice is one that has everything.
func notice(address string) handoff.Message {
	return handoff.Message{
		Notice: handoff.Notice{
			Seq: 7, Status: handoff.StatusConnected, At: time.Date(2026, 5, 6, 9, 8, 9, 123456789, time.FixedZone("east", 7200)),
			Route: handoff.RouteQR, Class: handoff.ClassMobile, OS: "iOS", Confirmed: "number", Cause: handoff.CauseNoPhone,
		},
		Partner: "acme", Handoff: "ho_0123456789abcdefABCDEF", Reference: `order "1234" <&>`, To: handoff.EndpointFor(address),
	}
}

// The body is the contract's, to the letter.
func TestBody(t *testing.T) {
	r := newReceiver(t, nil)
	s := sender(t, loopback(), r.URL, nil, newSecret)
	m := notice(r.URL)
	s.Deliver(t.Context(), m)
	m.Notice = handoff.Notice{Seq: 1, Status: handoff.StatusCreated, At: m.At}
	m.Reference = ""
	s.Deliver(t.Context(), m)
	want := []string{
		`{"type":"handoff.connected","timestamp":"2026-05-06T07:08:09.123Z","data":{"id":"ho_0123456789abcdefABCDEF","status":"connected","route":"qr",` +
			`"device":{"class":"mobile","os":"iOS"},"confirmed":"number","reason":"no_phone","reference":"order \"1234\" \u003c\u0026\u003e","seq":7,"record":null}}`,
		`{"type":"handoff.created","timestamp":"2026-05-06T07:08:09.123Z","data":{"id":"ho_0123456789abcdefABCDEF","status":"created","route":null,` +
			`"device":null,"confirmed":null,"reason":null,"reference":"","seq":1,"record":null}}`,
	}
	for i, l := range r.letters() {
		if string(l.body) != want[i] {
			t.Errorf("body %d =\n%s, want\n%s", i, l.body, want[i])
		}
	}
	if len(r.letters()) != 2 {
		t.Errorf("%d deliveries, want 2", len(r.letters()))
	}
}

// The record of a message is signed, and is part of the body.
func TestBodyWithRecord(t *testing.T) {
	r := newReceiver(t, nil)
	s, err := webhook.New(webhook.Config{
		Endpoints: map[handoff.PartnerID][]webhook.Endpoint{"acme": {{URL: r.URL, Secrets: []handoff.Secret{newSecret}}}},
		Client:    loopback(), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Sign: func(r handoff.Record) (string, error) {
			if r.Seq == 8 {
				return "", errors.New("no")
			}
			return "signed " + string(r.Handoff), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := notice(r.URL)
	m.Record = handoff.Record{Handoff: m.Handoff, Seq: 7}
	s.Deliver(t.Context(), m)
	if got, want := string(r.letters()[0].body), `"seq":7,"record":"signed ho_0123456789abcdefABCDEF"}}`; !strings.HasSuffix(got, want) {
		t.Errorf("body = %s, want it to end in %s", got, want)
	}
	m.Record.Seq = 8
	if got := s.Deliver(t.Context(), m); got.Delivered || len(r.letters()) != 1 {
		t.Errorf("Deliver() of what cannot be signed = %+v, want nothing sent", got)
	}
}

// The published library verifies what we send with either secret of a rotation,
// and refuses it when one byte of the body, the id or the time is another.
func TestPublishedLibraryVerifies(t *testing.T) {
	r := newReceiver(t, nil)
	s := sender(t, loopback(), r.URL, nil, newSecret, oldSecret)
	if got := s.Deliver(t.Context(), notice(r.URL)); !got.Delivered {
		t.Fatalf("Deliver() = %+v", got)
	}
	l := r.letters()[0]
	for secret, good := range map[string]bool{newSecret.Reveal(): true, oldSecret.Reveal(): true, stranger: false} {
		wh, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := wh.Verify(l.body, l.header); (err == nil) != good {
			t.Errorf("Verify() = %v, want it good: %t", err, good)
		}
		if !good {
			continue
		}
		for i := range l.body {
			changed := append([]byte(nil), l.body...)
			changed[i] ^= 1
			if wh.Verify(changed, l.header) == nil {
				t.Errorf("Verify() takes a body whose byte %d was changed", i)
			}
		}
		for _, name := range []string{"webhook-id", "webhook-timestamp"} {
			h := l.header.Clone()
			v := []byte(h.Get(name))
			v[len(v)-1] ^= 1
			h.Set(name, string(v))
			if wh.Verify(l.body, h) == nil {
				t.Errorf("Verify() takes another %s", name)
			}
		}
	}
	if n := len(strings.Fields(l.header.Get("webhook-signature"))); n != 2 {
		t.Errorf("%d signatures for two secrets", n)
	}
}

// Every attempt has the same id and body, and a time and signature of its own.
func TestAttemptsAreTheSameMessage(t *testing.T) {
	r := newReceiver(t, nil)
	now := time.Now()
	s := sender(t, loopback(), r.URL, func() time.Time { return now }, newSecret)
	s.Deliver(t.Context(), notice(r.URL))
	now = now.Add(time.Hour)
	s.Deliver(t.Context(), notice(r.URL))
	a, b := r.letters()[0], r.letters()[1]
	if a.header.Get("webhook-id") != b.header.Get("webhook-id") || string(a.body) != string(b.body) {
		t.Error("the second attempt has another id or body")
	}
	if a.header.Get("webhook-timestamp") == b.header.Get("webhook-timestamp") || a.header.Get("webhook-signature") == b.header.Get("webhook-signature") {
		t.Error("the second attempt has the time or the signature of the first")
	}
}

func TestReceipts(t *testing.T) {
	status := func(code int, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(code)
		}
	}
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	inAMinute := now.Add(time.Minute).Format(http.TimeFormat)
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   handoff.Receipt
	}{
		{"200", status(200), handoff.Receipt{Outcome: "status 200", Delivered: true}},
		{"204", status(204), handoff.Receipt{Outcome: "status 204", Delivered: true}},
		{"redirect", status(302, "Location", "http://169.254.169.254/"), handoff.Receipt{Outcome: "status 302"}},
		{"400", status(400), handoff.Receipt{Outcome: "status 400"}},
		{"410", status(410), handoff.Receipt{Outcome: "status 410", Gone: true}},
		{"429 with seconds", status(429, "Retry-After", "120"), handoff.Receipt{Outcome: "status 429", RetryAfter: 2 * time.Minute}},
		{"503 with a date", status(503, "Retry-After", inAMinute), handoff.Receipt{Outcome: "status 503", RetryAfter: time.Minute}},
		{"503 with a past date", status(503, "Retry-After", now.Add(-time.Hour).Format(http.TimeFormat)), handoff.Receipt{Outcome: "status 503"}},
		{"503 with nonsense", status(503, "Retry-After", "-5"), handoff.Receipt{Outcome: "status 503"}},
		{"no answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, handoff.Receipt{Outcome: "no answer"}},
		{"1 GB", func(w http.ResponseWriter, r *http.Request) {
			block := make([]byte, 64<<10)
			for range 16 << 10 {
				if _, err := w.Write(block); err != nil || r.Context().Err() != nil {
					return
				}
			}
			t.Error("all of a huge answer was read")
		}, handoff.Receipt{Outcome: "status 200", Delivered: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t, tt.answer)
			s := sender(t, loopback(), r.URL, func() time.Time { return now }, newSecret)
			if got := s.Deliver(t.Context(), notice(r.URL)); got != tt.want {
				t.Errorf("Deliver() = %+v, want %+v", got, tt.want)
			}
		})
	}
}

// What never arrived says why, without an address.
func TestUnanswered(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	for _, tt := range []struct {
		address string
		client  *http.Client
		want    string
	}{
		{closed.URL, loopback(), "connection refused"},
		{tls.URL, loopback(), "certificate not trusted"},
		{"https://localhost/", egress.New(egress.Options{}).Client(), "address not allowed"},
		{"http://169.254.169.254/latest/meta-data/", loopback(), "address not allowed"},
		{"https://no-such-name.invalid/", loopback(), "name not found"},
	} {
		s := sender(t, tt.client, tt.address, nil, newSecret)
		if got := s.Deliver(t.Context(), notice(tt.address)); got != (handoff.Receipt{Outcome: tt.want}) {
			t.Errorf("Deliver() to %s = %+v, want %q", tt.address, got, tt.want)
		}
	}
	s := sender(t, loopback(), "https://hooks.example/", nil, newSecret)
	if got := s.Deliver(t.Context(), notice("https://other.example/")); got.Delivered || got.Gone || !strings.HasPrefix(got.Outcome, "not sent") {
		t.Errorf("Deliver() to an endpoint that is not configured = %+v", got)
	}
}

// deaf is a transport over which no answer comes.
type deaf struct{}

func (deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// An attempt lasts 15 seconds at most; one that we break off does not count.
func TestTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const address = "https://hooks.example/"
		s := sender(t, &http.Client{Transport: deaf{}}, address, nil, newSecret)
		began := time.Now()
		if got := s.Deliver(t.Context(), notice(address)); got != (handoff.Receipt{Outcome: "timed out"}) {
			t.Errorf("Deliver() without an answer = %+v", got)
		}
		if took := time.Since(began); took != 15*time.Second {
			t.Errorf("Deliver() without an answer took %s, want 15s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := s.Deliver(ctx, notice(address)); !got.Interrupted || got.Delivered {
			t.Errorf("Deliver() broken off = %+v", got)
		}
	})
}

// An endpoint that is gone is left alone for an hour, and again when it still is
// after that. What an operator sends goes out, and brings it back if it is taken.
func TestGoneEndpoint(t *testing.T) {
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	now := time.Now()
	s := sender(t, loopback(), r.URL, func() time.Time { return now }, newSecret)
	deliver := func(again bool, gone bool, calls int) {
		t.Helper()
		m := notice(r.URL)
		m.Again = again
		if got := s.Deliver(t.Context(), m); got.Gone != gone || got.Delivered == gone {
			t.Errorf("Deliver(again %t) = %+v, want gone: %t", again, got, gone)
		}
		if got := len(r.letters()); got != calls {
			t.Errorf("%d calls, want %d", got, calls)
		}
	}
	deliver(false, true, 1)
	deliver(false, true, 1)
	now = now.Add(time.Hour)
	deliver(false, true, 2)
	deliver(false, true, 2)
	deliver(true, true, 3)
	r.mu.Lock()
	r.answer = nil
	r.mu.Unlock()
	deliver(false, true, 3)
	deliver(true, false, 4)
	deliver(false, false, 5)
}

func TestNewFaults(t *testing.T) {
	good := webhook.Endpoint{URL: "https://hooks.example/", Secrets: []handoff.Secret{newSecret}}
	many := make([]webhook.Endpoint, handoff.MaxEndpoints+1)
	for i := range many {
		many[i] = good
		many[i].URL += strings.Repeat("x", i)
	}
	for name, all := range map[string][]webhook.Endpoint{
		"no secret": {{URL: good.URL}},
		"short":     {{URL: good.URL, Secrets: []handoff.Secret{"whsec_aGVsbG8="}}},
		"no prefix": {{URL: good.URL, Secrets: []handoff.Secret{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}},
		"no base64": {{URL: good.URL, Secrets: []handoff.Secret{"whsec_!fKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}},
		"twice":     {good, good},
		"no URL":    {{URL: "https://%zz/", Secrets: good.Secrets}},
		"too many":  many,
	} {
		_, err := webhook.New(webhook.Config{Endpoints: map[handoff.PartnerID][]webhook.Endpoint{"acme": all}})
		if err == nil || !strings.Contains(err.Error(), `partner "acme"`) {
			t.Errorf("New(%s) = %v, want a fault that names the partner", name, err)
		}
		for _, e := range all {
			for _, s := range e.Secrets {
				if err != nil && strings.Contains(err.Error(), strings.TrimPrefix(s.Reveal(), "whsec_")) {
					t.Errorf("New(%s) prints a secret", name)
				}
			}
		}
	}
	if _, err := webhook.New(webhook.Config{Endpoints: map[handoff.PartnerID][]webhook.Endpoint{"acme": many[1:], "globex": {good}}}); err != nil {
		t.Errorf("New(good) = %v", err)
	}
	// Other alphabets and no padding are secrets too, as the configuration takes them.
	for _, s := range []handoff.Secret{"whsec_-_KQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2VjcmV0IG51bWJlciB0d28sIG9mIDMyIGJ5dGVzIQ"} {
		if _, err := webhook.New(webhook.Config{Endpoints: map[handoff.PartnerID][]webhook.Endpoint{"acme": {{URL: good.URL, Secrets: []handoff.Secret{s}}}}}); err != nil {
			t.Errorf("New(another alphabet) = %v", err)
		}
	}
}
