package platform_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// TestConnectIsSentOnce cuts connections that have been used before, where a
// transport is tempted to send again by itself: over plain sockets, and over
// TLS with HTTP/1 and HTTP/2.
func TestConnectIsSentOnce(t *testing.T) {
	for _, wire := range []string{"plain", "http/1.1", "h2"} {
		for _, kind := range []string{"drop_before", "drop_after"} {
			t.Run(wire+" "+kind, func(t *testing.T) {
				sim := platformsim.New(platformsim.Options{})
				var proto atomic.Int32
				srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					proto.Store(int32(r.ProtoMajor))
					sim.ServeHTTP(w, r)
				}))
				transport := platform.NewTransport()
				if wire == "plain" {
					srv.Start()
				} else {
					srv.EnableHTTP2 = wire == "h2"
					srv.StartTLS()
					client, _ := srv.Client().Transport.(*http.Transport)
					transport.TLSClientConfig.RootCAs = client.TLSClientConfig.RootCAs
				}
				t.Cleanup(srv.Close)
				t.Cleanup(transport.CloseIdleConnections)
				cfg := setups()[3].config(srv.URL)
				cfg.HTTP = transport
				c, err := platform.New(cfg)
				if err != nil {
					t.Fatalf("New: %v", err)
				}
				t.Cleanup(c.Close)
				token, err := c.StartDevice(t.Context(), instance, []handoff.Scope{handoff.ScopeAny})
				if err != nil {
					t.Fatalf("StartDevice: %v", err)
				}
				if (proto.Load() == 2) != (wire == "h2") {
					t.Errorf("the platform was spoken to in HTTP/%d over %s", proto.Load(), wire)
				}
				if err := sim.Fault(platformsim.Fault{Call: "connect", Kind: kind}); err != nil {
					t.Fatal(err)
				}
				_, err = c.ConnectDevice(t.Context(), token.Token, phone())
				wantCode(t, "ConnectDevice", err, handoff.CodeConnectLost)
				connects := 0
				for _, call := range sim.Calls() {
					if call.Call == "connect" {
						connects++
					}
				}
				if connects != 1 {
					t.Errorf("connect was sent %d times, want once: %+v", connects, sim.Calls())
				}
				// What the caller does next: a new start, and one connect.
				token, err = c.StartDevice(t.Context(), instance, []handoff.Scope{handoff.ScopeAny})
				if err != nil {
					t.Fatalf("StartDevice again: %v", err)
				}
				if _, err := c.ConnectDevice(t.Context(), token.Token, phone()); err != nil {
					t.Errorf("ConnectDevice with a new token = %v, want success", err)
				}
			})
		}
	}
}

// TestSkewedClock: a platform an hour off in either direction is no trouble, and
// lifetimes are told by our clock.
func TestSkewedClock(t *testing.T) {
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		sim := platformsim.New(platformsim.Options{Now: func() time.Time { return time.Now().Add(skew) }})
		srv := httptest.NewServer(sim)
		t.Cleanup(srv.Close)
		c, err := platform.New(setups()[3].config(srv.URL))
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		t.Cleanup(c.Close)
		token, err := c.StartDevice(t.Context(), instance, []handoff.Scope{handoff.ScopeAny})
		if got := time.Until(token.ExpiresAt).Round(time.Minute); err != nil || got != 2*time.Minute {
			t.Errorf("skew %s: connect token lasts %s, %v; want 2m0s", skew, got, err)
		}
		end, err := c.ConnectDevice(t.Context(), token.Token, phone())
		if got := time.Until(end.ExpiresAt).Round(time.Minute); err != nil || got != time.Hour {
			t.Errorf("skew %s: end-user token lasts %s, %v; want 1h0m0s", skew, got, err)
		}
	}
}
