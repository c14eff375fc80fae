package handoff_test

import (
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// A partner's message may be followed before anybody opens the display.
func TestClaimedBeforeTheDisplayOpens(t *testing.T) {
	at(t, always, func(d *desk) {
		_, link, err := d.svc.AddLink(t.Context(), d.stored(), handoff.RoutePartner)
		if err != nil {
			t.Fatal(err)
		}
		_, key, err := d.svc.Claim(t.Context(), tap(anna, link))
		if err != nil {
			t.Fatal(err)
		}
		number := d.page(key, anna).Number
		if h, err := d.svc.Release(t.Context(), d.key); err != nil || h.Status != handoff.StatusCreated {
			t.Fatalf("Release(before the display was shown) = %s, %v, want created", h.Status, err)
		}
		_, err = d.svc.LinkAtDisplay(t.Context(), d.key, handoff.RouteQR)
		wantOutcome(t, "LinkAtDisplay(qr)", err, "ok")
		h := d.open() // examined: two live codes of a route are a fault
		if h.Status != handoff.StatusDisplayed || h.CodeOn(handoff.RouteQR, d.svc.Now()) == nil {
			t.Errorf("Display() = %s, want displayed, with a code", h.Status)
		}
		if _, err = d.svc.Confirm(t.Context(), d.key, number); handoff.CodeOf(err) != handoff.CodeConflict {
			t.Errorf("Confirm(the number of the claim that was let go) = %v, want a conflict", err)
		}
	})
}

// However often the display shows a new code, a link in a message stays good.
func TestLinkOutlivesManyCodes(t *testing.T) {
	at(t, nil, func(d *desk) {
		d.open()
		link, first := d.code(handoff.RoutePartner), d.code(handoff.RouteQR)
		for range handoff.MaxCodes {
			time.Sleep(time.Second)
			if _, err := d.svc.RenewCode(t.Context(), d.key); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(d.stored().Codes); n != handoff.MaxCodes {
			t.Errorf("%d codes are remembered, want %d", n, handoff.MaxCodes)
		}
		_, err := d.svc.Land(t.Context(), partnerID, first, "", visitor(ben))
		wantOutcome(t, "Land(the first code, forgotten by now)", err, "not_found")
		_, _, err = d.svc.Claim(t.Context(), tap(anna, link))
		wantOutcome(t, "Claim(by the link)", err, "ok")
	})
}

func TestRevokedLink(t *testing.T) {
	at(t, always, func(d *desk) {
		d.open()
		link := d.code(handoff.RouteSMS)
		_, key, err := d.svc.Claim(t.Context(), tap(anna, link))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = d.svc.Revoke(t.Context(), d.key, handoff.RouteSMS); err != nil {
			t.Fatal(err)
		}
		_, _, err = d.svc.Claim(t.Context(), tap(ben, link))
		wantOutcome(t, "Claim(by a revoked link)", err, "gone/cancelled")
		d.number(d.page(key, anna).Number) // what was claimed with it stays claimed
		d.want(handoff.StatusConfirmed)
		_, _, err = d.svc.AddLink(t.Context(), d.stored(), handoff.RouteTyped)
		wantOutcome(t, "AddLink(a route that is not open)", err, "forbidden")
	})
}

// The QR of a handoff with code: token is renewed at three quarters of the
// token's life, and there is no other code.
func TestConnectTokenOnTheDisplay(t *testing.T) {
	at(t, func(o *handoff.Terms) { never(o); o.CodeMode = handoff.CodeToken }, func(d *desk) {
		first, err := d.svc.ConnectToken(d.open())
		if err != nil || first == "" {
			t.Fatalf("ConnectToken() = %v", err)
		}
		if codes := d.stored().Codes; len(codes) != 0 {
			t.Errorf("beside the connect token there are %d codes", len(codes))
		}
		_, _, err = d.svc.AddLink(t.Context(), d.stored(), handoff.RoutePartner)
		wantOutcome(t, "AddLink(code: token)", err, "conflict")
		_, _, err = d.svc.ContinueHere(t.Context(), d.key, visitor(anna), handoff.DeviceInfo{ID: "0123456789abcdef"})
		wantOutcome(t, "ContinueHere(code: token)", err, "conflict")
		time.Sleep(89 * time.Second)
		d.work()
		if token, err := d.svc.ConnectToken(d.open()); err != nil || token != first {
			t.Errorf("ConnectToken(after 89 s) = another token, %v, want the first", err)
		}
		time.Sleep(time.Second)
		if token, err := d.svc.ConnectToken(d.open()); err != nil || token == first || token == "" {
			t.Errorf("ConnectToken(after 90 s) = the first token, %v, want a fresh one", err)
		}
		time.Sleep(10 * time.Minute)
		d.work()
		if token, err := d.svc.ConnectToken(d.open()); err != nil || token == "" {
			t.Errorf("ConnectToken(after a sleep): %v", err)
		}
	})
	at(t, nil, func(d *desk) {
		_, err := d.svc.ConnectToken(d.open())
		wantOutcome(t, "ConnectToken(code: link)", err, "not_found")
	})
}

// What another process did between the reading and the change counts.
func TestStaleReading(t *testing.T) {
	at(t, never, func(d *desk) {
		d.open()
		key := d.claim(anna, handoff.RouteQR)
		d.page(key, anna)
		for range handoff.MaxOpens - 2 {
			if _, err := d.svc.Reopen(t.Context(), key, anna); err != nil {
				t.Fatal(err)
			}
		}
		d.store.meanwhile = func() { _, _ = d.svc.Reopen(t.Context(), key, anna) }
		if _, err := d.svc.Reopen(t.Context(), key, anna); err != nil {
			t.Fatal(err)
		}
		if n := d.stored().Claim.Opens; n != handoff.MaxOpens {
			t.Errorf("%d app links for one claim, want %d", n, handoff.MaxOpens)
		}
	})
	at(t, always, func(d *desk) {
		d.open()
		link := d.code(handoff.RouteLink)
		key := d.claim(anna, handoff.RouteLink)
		d.store.meanwhile = func() { _, _, _ = d.svc.Claim(t.Context(), tap(ben, link)) }
		_, err := d.svc.AtStore(t.Context(), key, anna)
		wantOutcome(t, "AtStore(replaced meanwhile)", err, "gone/released")
		if h := d.stored(); h.Hint.Store || !h.Claim.Owner.Matches(ben) {
			t.Errorf("a phone without a claim left the hint %+v", h.Hint)
		}
	})
}
