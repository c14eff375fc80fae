package handoff_test

import (
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// instead asks for the handoff for Ben, in place of the phone that holds it.
func (d *desk) instead(code handoff.Secret) (key handoff.Secret) {
	d.t.Helper()
	t := tap(ben, code)
	t.Instead = true
	_, key, err := d.svc.Claim(d.t.Context(), t)
	if err != nil {
		d.t.Fatalf("Claim(ben instead): %v", err)
	}
	return key
}

// Having the code does not take a handoff away from the phone that holds it: the
// number does, even where the policy asks for none.
func TestRival(t *testing.T) {
	at(t, func(o *handoff.Terms) { never(o); o.Frame = 0 }, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteQR)
		annas, _ := d.deliver()
		bens := d.instead(code)
		number := d.page(bens, ben).Number
		d.want(handoff.StatusDelivered)
		_, err := d.svc.Reopen(t.Context(), bens, ben)
		wantOutcome(t, "Reopen(by the rival)", err, "not_confirmed")
		d.number(wrong(number))
		d.page(annas, anna)
		d.number(wrong(number))
		_, err = d.svc.PhonePage(t.Context(), bens, ben)
		wantOutcome(t, "PhonePage(the rival, after two wrong numbers)", err, "gone/released")
		d.want(handoff.StatusDelivered)

		bens = d.instead(code)
		if h := d.number(d.page(bens, ben).Number); h.Status != handoff.StatusConfirmed || h.Confirmed != "number" {
			t.Errorf("Confirm(the rival's number) = %s by %q, want confirmed by number", h.Status, h.Confirmed)
		}
		_, err = d.svc.PhonePage(t.Context(), annas, anna)
		wantOutcome(t, "PhonePage(the phone that was)", err, "gone/released")
		if p := d.page(bens, ben); p.Pickup == "" {
			t.Error("the rival that won has no app link")
		}
	})
}

// A rival that brings the response code is not the browser that began.
func TestRivalDoesNotReturn(t *testing.T) {
	at(t, func(o *handoff.Terms) { never(o); o.Frame = 0 }, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteQR)
		_, key, err := d.svc.ContinueHere(t.Context(), d.key, visitor(anna), tap(anna, "").Device)
		if err != nil {
			t.Fatal(err)
		}
		a, err := d.svc.PickUp(t.Context(), d.page(key, anna).Pickup, verifier("a"))
		if err != nil || a.Response == "" {
			t.Fatalf("PickUp() = response code %t, %v, want one", a.Response != "", err)
		}
		d.instead(code)
		_, _, err = d.svc.Returned(t.Context(), a.Response, ben)
		wantOutcome(t, "Returned(to the rival)", err, "forbidden")
		_, mine, err := d.svc.Returned(t.Context(), a.Response, anna)
		if err != nil || mine != key {
			t.Errorf("Returned(to the browser that began) = another page, %v, want its own", err)
		}
	})
}

// While the last question before the end is out, not even a rival's lapse follows.
func TestRivalAtTheDeadline(t *testing.T) {
	at(t, func(o *handoff.Terms) { never(o); o.Frame = 0; o.CompleteWithin = time.Minute }, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteQR)
		d.deliver()
		time.Sleep(10 * time.Second)
		d.instead(code)
		time.Sleep(50 * time.Second)
		d.dieIn("state", func() { _ = d.svc.Tick(t.Context(), d.id) })
		time.Sleep(10 * time.Second) // the rival's lease is over, the last question is still out
		d.work()                     // examined: a change past the deadline that is no end is a fault
		d.want(handoff.StatusDelivered)
		time.Sleep(20 * time.Second)
		d.work()
		d.want(handoff.StatusExpired)
	})
}
