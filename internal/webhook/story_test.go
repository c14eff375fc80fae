package webhook_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/store/memstore"
	"github.com/handoff-portal/handoff/internal/webhook"
)

// stub is a platform on which everything goes well. What it gives out is known by
// its words.
type stub struct{}

func (stub) Platform(handoff.PartnerID) (handoff.Platform, error) { return stub{}, nil }
func (stub) URL() string                                          { return "https://platform.example" }

func (stub) StartJourney(context.Context, handoff.Journey) (handoff.InstanceID, error) {
	return "PiIuACmx8Q8R7qPnAkLAqBAT", nil
}

func (stub) StartDevice(context.Context, handoff.InstanceID, []handoff.Scope) (handoff.ConnectToken, error) {
	return handoff.ConnectToken{Token: "canary-connect-token", ExpiresAt: time.Now().Add(100 * time.Second)}, nil
}

func (stub) ConnectDevice(context.Context, handoff.Secret, handoff.DeviceInfo) (handoff.EndUserToken, error) {
	return handoff.EndUserToken{Token: "canary-end-user-token", ExpiresAt: time.Now().Add(time.Hour), ResumeCredential: "canary-resume"}, nil
}

func (stub) State(context.Context, handoff.InstanceID) (handoff.JourneyState, error) {
	return handoff.JourneyRunning, nil
}

// silent is nobody who follows.
type silent struct{}

func (silent) Changed(handoff.Handoff) {}

func service(t *testing.T, store handoff.Store, d handoff.Deliverer) *handoff.Service {
	t.Helper()
	keys, err := keyring.New([]handoff.Secret{handoff.Secret(keyring.Generate())})
	if err != nil {
		t.Fatal(err)
	}
	return handoff.NewService(handoff.Config{
		Store: store, Vault: keys, Platforms: stub{}, Notifier: silent{}, Deliverer: d, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
}

func order(partner handoff.PartnerID) handoff.NewHandoff {
	return handoff.NewHandoff{
		Partner: partner, App: "main", Instance: "PiIuACmx8Q8R7qPnAkLAqBAT",
		Terms: handoff.Terms{
			Scope: []handoff.Scope{handoff.ScopeAny}, Confirmation: handoff.ConfirmNever, ExpiresIn: 15 * time.Minute, CompleteWithin: time.Hour,
			Retain: 24 * time.Hour, Exchange: handoff.ExchangePortal, CodeMode: handoff.CodeLink, Reference: "order 1",
			Routes: []handoff.Route{handoff.RouteLink, handoff.RouteTyped, handoff.RouteLocal},
		},
	}
}

// untilTold lets workers run until nobody is left to be told of these handoffs.
func untilTold(t *testing.T, store handoff.Store, ids []handoff.ID, workers ...*handoff.Service) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan struct{}, len(workers))
	for _, s := range workers {
		go func() { s.Run(ctx); done <- struct{}{} }()
	}
	for slices.ContainsFunc(ids, func(id handoff.ID) bool {
		h, err := store.Get(t.Context(), id)
		return err == nil && h.Untold()
	}) {
		if ctx.Err() != nil {
			t.Fatal("there is still something to tell after a minute")
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	cancel()
	for range workers {
		<-done
	}
}

// A handoff goes its way from end to end. The receiver has every status once, in
// order, from two processes on one store; the published library verifies each,
// and none holds anything secret, in whatever spelling.
func TestStory(t *testing.T) {
	r := newReceiver(t, nil)
	s := sender(t, loopback(), r.URL+"/hooks?key=canary-in-the-url", nil, newSecret)
	store := memstore.New()
	svc := service(t, store, s)
	ctx := t.Context()
	var secrets []handoff.Secret
	keep := func(s handoff.Secret, err error) handoff.Secret {
		t.Helper()
		if err != nil || s == "" {
			t.Fatalf("a secret is missing: %v", err)
		}
		secrets = append(secrets, s)
		return s
	}

	h, err := svc.Create(ctx, order("acme"))
	if err != nil {
		t.Fatal(err)
	}
	display := keep(svc.DisplayKey(h))
	if h, err = svc.Display(ctx, display, handoff.Browser{Name: "Chrome", OS: "Windows", Class: handoff.ClassDesktop}, ""); err != nil {
		t.Fatal(err)
	}
	_, link, err := svc.AddLink(ctx, h, handoff.RouteLink)
	code := keep(link, err)
	qr, _, err := svc.Code(h, handoff.RouteQR)
	keep(qr, err)
	_, typed, err := svc.AddLink(ctx, h, handoff.RouteTyped)
	keep(typed, err)
	anna := handoff.Visitor{Owner: "canary-cookie", Person: true, Browser: handoff.Browser{Name: "Safari", OS: "iOS", Class: handoff.ClassMobile}}
	_, key, err := svc.Claim(ctx, handoff.Tap{
		Partner: "acme", Code: code, Visitor: anna, Attempt: "canary-attempt-0123456789", Device: handoff.DeviceInfo{ID: "canary-device-id-0001", Name: "canary phone"},
	})
	keep(key, err)
	page, err := svc.PhonePage(ctx, key, anna.Owner)
	pickup := keep(page.Pickup, err)
	a, err := svc.PickUp(ctx, pickup, handoff.Secret(strings.Repeat("v", 43)))
	keep(a.ReportKey, err)
	if err := svc.Report(ctx, a.ReportKey, handoff.ReportFinished); err != nil {
		t.Fatal(err)
	}
	if h, err = svc.Complete(ctx, h, true); err != nil {
		t.Fatal(err)
	}
	untilTold(t, store, []handoff.ID{h.ID}, svc, service(t, store, s))

	wh, err := standardwebhooks.NewWebhook(newSecret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	seq := 0
	for _, l := range r.letters() {
		if err := wh.Verify(l.body, l.header); err != nil {
			t.Errorf("Verify(): %v", err)
		}
		var b struct {
			Type string
			Data struct {
				ID     handoff.ID
				Status string
				Seq    int
			}
		}
		if err := json.Unmarshal(l.body, &b); err != nil || b.Type != "handoff."+b.Data.Status || b.Data.ID != h.ID || b.Data.Seq <= seq {
			t.Errorf("received %s (%v) after seq %d", l.body, err, seq)
		}
		seq = b.Data.Seq
		got = append(got, b.Data.Status)
		wantNone(t, l, append(secrets, "canary", newSecret, "whsec_", handoff.Secret(r.URL)))
	}
	want := []string{"created", "displayed", "claimed", "confirmed", "connected", "delivered", "completed"}
	if !slices.Equal(got, want) {
		t.Errorf("received %v, want %v", got, want)
	}
}

// wantNone wants none of the secrets in a letter, in any usual spelling.
func wantNone(t *testing.T, l letter, secrets []handoff.Secret) {
	t.Helper()
	l.header.Del("Host")
	all := fmt.Sprint(l.header) + string(l.body)
	for _, s := range secrets {
		v := s.Reveal()
		for _, spelling := range []string{
			v, url.QueryEscape(v), hex.EncodeToString([]byte(v)), base64.StdEncoding.EncodeToString([]byte(v)), base64.RawURLEncoding.EncodeToString([]byte(v)),
			strings.ToLower(v), handoff.HashOf(s).String(),
		} {
			if strings.Contains(all, spelling) {
				t.Errorf("a delivery holds %q: %s", spelling, all)
			}
		}
	}
}

// One partner's receiver takes its requests and answers none. Another partner's
// is told meanwhile.
func TestOneBrokenReceiver(t *testing.T) {
	release := make(chan struct{})
	broken := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	good := newReceiver(t, nil)
	s, err := webhook.New(webhook.Config{
		Endpoints: map[handoff.PartnerID][]webhook.Endpoint{
			"acme": {{URL: broken.URL, Secrets: []handoff.Secret{newSecret}}}, "globex": {{URL: good.URL, Secrets: []handoff.Secret{newSecret}}},
		},
		Client: loopback(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	store := memstore.New()
	svc := service(t, store, s)
	for i := range 40 {
		n := order("acme")
		n.Instance = handoff.InstanceID(fmt.Sprintf("Pi%020d", i))
		if _, err := svc.Create(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	h, err := svc.Create(t.Context(), order("globex"))
	if err != nil {
		t.Fatal(err)
	}
	untilTold(t, store, []handoff.ID{h.ID}, svc)
	if n := len(good.letters()); n != 1 {
		t.Errorf("the good receiver got %d, want 1", n)
	}
	if n := len(broken.letters()); n < 1 || n > 16 {
		t.Errorf("the broken receiver has %d requests open, want 1 to 16", n)
	}
}
