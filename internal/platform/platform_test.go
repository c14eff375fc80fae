package platform_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// TestHandoff goes the whole way over real sockets.
func TestHandoff(t *testing.T) {
	for _, s := range setups() {
		t.Run(s.name, func(t *testing.T) {
			sim := platformsim.New(platformsim.Options{})
			srv := httptest.NewServer(sim)
			t.Cleanup(srv.Close)
			c, err := platform.New(s.config(srv.URL))
			if err != nil {
				t.Fatalf("New: %v", err)
			}
			t.Cleanup(c.Close)
			ctx := t.Context()
			if err := c.Authenticate(ctx); err != nil {
				t.Errorf("Authenticate = %v", err)
			}
			if got := c.URL(); strings.HasSuffix(got, "/") || !strings.HasPrefix(got, srv.URL) {
				t.Errorf("URL() = %q, want the base without a slash at its end", got)
			}
			id, err := c.StartJourney(ctx, handoff.Journey{ResourceID: "abc@latest", Context: json.RawMessage(`{"subject":{}}`)})
			if err != nil {
				t.Fatalf("StartJourney: %v", err)
			}
			began := time.Now()
			token, err := c.StartDevice(ctx, id, []handoff.Scope{handoff.ScopeMobile, handoff.ScopeDesktop})
			if err != nil {
				t.Fatalf("StartDevice: %v", err)
			}
			if got := token.ExpiresAt.Sub(began).Round(10 * time.Second); got != 2*time.Minute {
				t.Errorf("connect token lasts %s, want 2m0s", got)
			}
			end, err := c.ConnectDevice(ctx, token.Token, phone())
			if err != nil {
				t.Fatalf("ConnectDevice: %v", err)
			}
			if got := end.ExpiresAt.Sub(began).Round(time.Minute); got != time.Hour || strings.Count(end.Token.Reveal(), ".") != 2 {
				t.Errorf("end-user token lasts %s and is a JWT: %v; want 1h0m0s and true", got, strings.Count(end.Token.Reveal(), ".") == 2)
			}
			if extra := end.ResumeCredential != "" && end.CredentialExpiresAt != nil && string(end.CredentialExpiresIn) == "3600"; extra != (s.version == platform.V2) {
				t.Errorf("what v2 adds is there: %v (%s, %s)", extra, end.CredentialExpiresAt, end.CredentialExpiresIn)
			}
			if _, err := c.ConnectDevice(ctx, token.Token, phone()); handoff.CodeOf(err) != handoff.CodeConnectSpent {
				t.Errorf("second ConnectDevice = %v, want %s", err, handoff.CodeConnectSpent)
			}
			for status, want := range map[string]handoff.JourneyState{
				"InProgress": handoff.JourneyRunning, "Paused": handoff.JourneyRunning, "Completed": handoff.JourneyFinished, "Failed": handoff.JourneyFailed,
			} {
				if err := sim.SetJourney(string(id), platformsim.Journey{Status: status}); err != nil {
					t.Fatal(err)
				}
				if got, err := c.State(ctx, id); got != want || err != nil {
					t.Errorf("State after %s = %v, %v, want %v", status, got, err, want)
				}
			}
			if got := len(sim.Calls()); got != 9 {
				t.Errorf("the platform had %d calls, want 9, one of them for a token: %+v", got, sim.Calls())
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, s := range setups() {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{setup: s})
			ctx := t.Context()
			_, err := w.StartDevice(ctx, unknown, []handoff.Scope{handoff.ScopeMobile})
			wantCode(t, s.name+": StartDevice of an unknown journey", err, handoff.CodeUnknownJourney)
			_, err = w.State(ctx, unknown)
			wantCode(t, s.name+": State of an unknown journey", err, handoff.CodeUnknownJourney)
			_, err = w.StartDevice(ctx, instance, nil)
			wantCode(t, s.name+": StartDevice without scope", err, handoff.CodeInvalid)
			token := w.start()
			_, err = w.ConnectDevice(ctx, token.Token, handoff.DeviceInfo{ID: phone().ID, Type: "desktop"})
			wantCode(t, s.name+": ConnectDevice of a desktop", err, handoff.CodeDeviceNotAllowed)
			_, err = w.ConnectDevice(ctx, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", phone())
			wantCode(t, s.name+": ConnectDevice with a made-up token", err, handoff.CodeConnectSpent)
			time.Sleep(2 * time.Minute)
			_, err = w.ConnectDevice(ctx, token.Token, phone())
			wantCode(t, s.name+": ConnectDevice after two minutes", err, handoff.CodeConnectSpent)
		})
	}
}

func TestStartJourney(t *testing.T) {
	for _, tt := range []struct {
		context string
		code    handoff.Code
	}{
		{``, ""},
		{`null`, ""},
		{`{}`, ""},
		{`{"subject":{"a":1},"config":{"delivery":"page","more":2}}`, ""},
		{`{"config":{"delivery":"post"}}`, handoff.CodeInvalid}, // the platform's 400
		{`[]`, handoff.CodeInvalid},
		{`{"config":[]}`, handoff.CodeInvalid},
		{`{"config"`, handoff.CodeInvalid},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, options{})
			_, err := w.StartJourney(t.Context(), handoff.Journey{ResourceID: "abc@latest", Context: json.RawMessage(tt.context)})
			wantCode(t, "StartJourney with context "+tt.context, err, tt.code)
			_, err = w.StartJourney(t.Context(), handoff.Journey{ResourceID: " ", Context: json.RawMessage(tt.context)})
			wantCode(t, "StartJourney without a resource", err, handoff.CodeInvalid)
		})
	}
}

func TestNewReportsEveryFault(t *testing.T) {
	_, err := platform.New(platform.Config{
		Version: "v3", APIURL: "ftp://x", TokenURL: "https://user@x", Grant: "implicit", Source: "a\nb",
		Tuning: platform.Tuning{Budget: handoff.WorkLease},
	})
	if err == nil {
		t.Fatal("New with nothing right = nil, want an error")
	}
	for _, want := range []string{"version", "api_url", "token_url", "grant", "client_secret", "source", "budget"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New = %q, want it to name %s", err, want)
		}
	}
	cfg := setups()[0].config("https://x.example")
	cfg.Password = ""
	if _, err := platform.New(cfg); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("New without a password = %v, want it to name the password", err)
	}
}
