package handoff_test

import (
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

func always(o *handoff.Terms) { o.Confirmation = handoff.ConfirmAlways }
func never(o *handoff.Terms)  { o.Confirmation = handoff.ConfirmNever }

func TestLeaseLapsesAndItsOwnerComesBack(t *testing.T) {
	at(t, always, func(d *desk) {
		d.open()
		key := d.claim(anna, handoff.RouteQR)
		number := d.page(key, anna).Number
		time.Sleep(handoff.PhoneLease - time.Second)
		d.work()
		d.want(handoff.StatusClaimed)
		d.page(key, anna) // renews it
		time.Sleep(handoff.PhoneLease - time.Second)
		d.work()
		d.want(handoff.StatusClaimed)
		time.Sleep(time.Second)
		d.work()
		d.want(handoff.StatusDisplayed)
		if p := d.page(key, anna); p.Handoff.Status != handoff.StatusClaimed || p.Number != number {
			t.Errorf("PhonePage() after a lapse = %s with number %q, want claimed with %q", p.Handoff.Status, p.Number, number)
		}
		if h := d.number(number); h.Status != handoff.StatusConfirmed || h.Confirmed != "number" {
			t.Errorf("Confirm(the number) = %s, confirmed by %q, want confirmed by number", h.Status, h.Confirmed)
		}
		time.Sleep(10 * time.Minute)
		d.work()
		d.want(handoff.StatusConfirmed) // one that is confirmed lapses no more
	})
}

// A page that sleeps and wakes again for a day, its lease lapsing each time, uses
// up half of what may happen and no more; who comes then is served to the end.
func TestLeaseThatLapsesAllDay(t *testing.T) {
	at(t, func(o *handoff.Terms) { always(o); o.ExpiresIn = handoff.MaxExpiresIn }, func(d *desk) {
		d.open()
		key := d.claim(anna, handoff.RouteQR)
		var err error
		for range int((handoff.MaxExpiresIn - time.Hour) / (2 * handoff.PhoneLease)) {
			time.Sleep(2 * handoff.PhoneLease)
			d.work()
			if _, err = d.svc.PhonePage(t.Context(), key, anna); err != nil {
				break
			}
		}
		wantOutcome(t, "PhonePage(of a claim that lapsed all day)", err, "gone/released")
		h := d.stored()
		if n := len(h.Events); h.Status != handoff.StatusDisplayed || n > handoff.MaxEvents/2+2 {
			t.Errorf("after a day of lapses: %s with %d events, want displayed with half of %d", h.Status, n, handoff.MaxEvents)
		}
		key = d.claim(anna, handoff.RouteQR)
		d.number(d.page(key, anna).Number)
		d.page(key, anna)
		d.want(handoff.StatusConnected)
	})
}

func TestAppLease(t *testing.T) {
	at(t, always, func(d *desk) {
		d.open()
		a, err := d.svc.ClaimForApp(t.Context(), appTap(d.code(handoff.RouteQR), "a"))
		if err != nil || a.Expires != handoff.AppLease || a.Number == "" {
			t.Fatalf("ClaimForApp() = lease %s, number %q, %v, want %s and a number", a.Expires, a.Number, err, handoff.AppLease)
		}
		time.Sleep(handoff.AppLease - time.Second)
		_, err = d.svc.TokenForApp(t.Context(), a.ClaimID, verifier("a"))
		wantOutcome(t, "TokenForApp(unconfirmed)", err, "not_confirmed")
		time.Sleep(handoff.AppLease - time.Second)
		d.work()
		d.want(handoff.StatusClaimed)
		time.Sleep(2 * time.Second)
		d.work()
		d.want(handoff.StatusDisplayed)
	})
}

// A later claim is in force, and the number typed decides whose the handoff is.
func TestAnotherDeviceReplacesAnUnconfirmedClaim(t *testing.T) {
	at(t, always, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteLink)
		first := d.claim(anna, handoff.RouteLink)
		number := d.page(first, anna).Number
		_, second, err := d.svc.Claim(t.Context(), tap(ben, code))
		if err != nil || second == first {
			t.Fatalf("Claim(ben) = %v, want a claim of his own", err)
		}
		if h := d.stored(); h.Claim.Hash != handoff.HashOf(second) || len(h.Waiting) != 1 {
			t.Errorf("%d claims wait beside one that is not ben's, want anna's beside his", len(h.Waiting))
		}
		bens := d.page(second, ben).Number
		if again := d.page(first, anna).Number; again != number || bens == number {
			t.Errorf("anna's page shows %s after %s, ben's %s, want hers as it was, and another", again, number, bens)
		}
		d.number(bens)
		_, err = d.svc.PhonePage(t.Context(), first, anna)
		wantOutcome(t, "PhonePage(anna, after ben's number)", err, "gone/replaced")
		_, _, err = d.svc.Claim(t.Context(), tap(anna, code))
		wantOutcome(t, "Claim(anna) after ben is confirmed", err, "conflict")
		// The same phone repeats its claim, by its cookie and by its attempt.
		_, again, err := d.svc.Claim(t.Context(), tap(ben, code))
		if err != nil || again != second {
			t.Errorf("Claim(ben again) = another key, %v, want the same one", err)
		}
		byAttempt := tap(ben, code)
		byAttempt.Visitor.Owner = "a-cookie-that-was-lost"
		if _, again, err = d.svc.Claim(t.Context(), byAttempt); err != nil || again != second {
			t.Errorf("Claim(ben's attempt again) = another key, %v, want the same one", err)
		}
	})
}

func TestSecondDeviceIsASignOfRisk(t *testing.T) {
	at(t, nil, func(d *desk) {
		d.open()
		_, err := d.svc.ClaimForApp(t.Context(), appTap(d.code(handoff.RouteLink), "b"))
		if err != nil {
			t.Fatal(err)
		}
		p := d.page(d.claim(anna, handoff.RouteQR), anna)
		if p.Number == "" || p.Handoff.Status != handoff.StatusClaimed {
			t.Errorf("a scan after another device claimed is %s without a number, want one asked for", p.Handoff.Status)
		}
	})
	at(t, nil, func(d *desk) {
		d.open()
		if p := d.page(d.claim(anna, handoff.RouteQR), anna); p.Number != "" || p.Handoff.Confirmed != "scan" {
			t.Errorf("a first scan asks for number %q, confirmed by %q, want none and scan", p.Number, p.Handoff.Confirmed)
		}
	})
}

func TestWrongNumbers(t *testing.T) {
	at(t, always, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteLink)
		for burnt := 1; burnt <= handoff.MaxBurnt; burnt++ {
			_, key, err := d.svc.Claim(t.Context(), tap(anna, code))
			if err != nil {
				t.Fatalf("Claim() %d: %v", burnt, err)
			}
			number := d.page(key, anna).Number
			if h := d.number(wrong(number)); h.Status != handoff.StatusClaimed || h.Claim.Tries != 1 {
				t.Errorf("after one wrong number it is %s", h.Status)
			}
			if h := d.number(wrong(number)); h.Status != handoff.StatusDisplayed || h.Burnt != burnt {
				t.Errorf("after two wrong numbers it is %s with %d burnt, want displayed with %d", h.Status, h.Burnt, burnt)
			}
			_, err = d.svc.PhonePage(t.Context(), key, anna)
			wantOutcome(t, "PhonePage(burnt)", err, "gone/released")
			_, err = d.svc.Confirm(t.Context(), d.key, number)
			wantOutcome(t, "Confirm(the number, too late)", err, "conflict")
		}
		_, _, err := d.svc.Claim(t.Context(), tap(anna, code))
		wantOutcome(t, "Claim(after three were burnt)", err, "gone/replaced")
		_, err = d.svc.LinkAtDisplay(t.Context(), d.key, handoff.RouteSMS)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = d.svc.Claim(t.Context(), tap(anna, d.code(handoff.RouteSMS)))
		wantOutcome(t, "Claim(by a new link, after three were burnt)", err, "gone/replaced")
		if h, err := d.svc.RenewCode(t.Context(), d.key); err != nil || h.Burnt != 0 {
			t.Fatalf("RenewCode() = %d burnt, %v, want 0", h.Burnt, err)
		}
		key := d.claim(anna, handoff.RouteQR)
		d.number(d.page(key, anna).Number)
		d.want(handoff.StatusConfirmed)
	})
}

func TestNumberAsPeopleTypeIt(t *testing.T) {
	at(t, always, func(d *desk) {
		d.open()
		key := d.claim(anna, handoff.RouteQR)
		number := d.page(key, anna).Number
		d.number(" " + number[:2] + " - " + arabic(number[2:]) + "\n")
		d.want(handoff.StatusConfirmed)
	})
	at(t, always, func(d *desk) {
		d.open()
		number := d.page(d.claim(anna, handoff.RouteQR), anna).Number
		if h := d.number(number + number[:1]); h.Status != handoff.StatusClaimed {
			t.Errorf("Confirm(the number and one more digit) = %s, want claimed", h.Status)
		}
	})
}

func TestExtend(t *testing.T) {
	at(t, func(o *handoff.Terms) { o.ExpiresIn = time.Hour }, func(d *desk) {
		d.open()
		for i := 1; i <= handoff.MaxExtensions; i++ {
			time.Sleep(time.Minute)
			h, err := d.svc.Extend(t.Context(), d.key)
			if err != nil || h.Extensions != i || !h.Deadline.Equal(d.svc.Now().Add(time.Hour)) {
				t.Fatalf("Extend() %d = %d extensions until %s, %v", i, h.Extensions, h.Deadline, err)
			}
		}
		_, err := d.svc.Extend(t.Context(), d.key)
		wantOutcome(t, "Extend() once more", err, "conflict")
	})
	at(t, func(o *handoff.Terms) { o.ExpiresIn = 20 * time.Hour }, func(d *desk) {
		d.open()
		time.Sleep(10 * time.Hour)
		h, err := d.svc.Extend(t.Context(), d.key)
		if err != nil || !h.Deadline.Equal(h.CreatedAt.Add(handoff.MaxExpiresIn)) {
			t.Errorf("Extend() = until %s, %v, want until %s after its creation", h.Deadline, err, handoff.MaxExpiresIn)
		}
		if h, err = d.svc.Extend(t.Context(), d.key); err != nil || h.Extensions != 1 {
			t.Errorf("Extend(at the limit) = %d extensions, %v, want the 1 there was", h.Extensions, err)
		}
	})
}

func TestRelease(t *testing.T) {
	for _, status := range []handoff.Status{handoff.StatusClaimed, handoff.StatusConfirmed, handoff.StatusConnected, handoff.StatusDelivered} {
		at(t, func(o *handoff.Terms) { o.Frame = 0 }, func(d *desk) {
			s := lead(d, status)
			before := d.stored()
			time.Sleep(time.Minute)
			h, err := d.svc.Release(t.Context(), s.desk.key)
			if err != nil || h.Status != handoff.StatusDisplayed || h.Claim != nil || !h.Poll.Next.IsZero() {
				t.Fatalf("Release(%s) = %s with claim %v, %v", status, h.Status, h.Claim, err)
			}
			if wantDeadline := map[bool]time.Time{true: d.svc.Now().Add(terms().ExpiresIn), false: before.Deadline}[status == handoff.StatusDelivered]; !h.Deadline.Equal(wantDeadline) {
				t.Errorf("Release(%s) = until %s, want %s", status, h.Deadline, wantDeadline)
			}
			_, err = d.svc.PhonePage(t.Context(), s.key, anna)
			wantOutcome(t, "PhonePage(released)", err, "gone/released")
			if s.pickup != "no-pickup" {
				_, err = d.svc.PickUp(t.Context(), s.pickup, verifier("a"))
				wantOutcome(t, "PickUp(released)", err, "gone/released")
			}
			for _, code := range []handoff.Secret{s.qr, s.link, s.local} {
				_, _, err = d.svc.Claim(t.Context(), tap(ben, code))
				wantOutcome(t, "Claim(by a code of before the release)", err, "gone/released")
			}
			if d.code(handoff.RouteQR) == s.qr || d.code(handoff.RouteLocal) == s.local {
				t.Errorf("Release(%s) shows the old code", status)
			}
			key := d.claim(ben, handoff.RouteLocal)
			d.want(handoff.StatusClaimed) // the local link, somewhere else: a number is asked for
			if p := d.page(key, ben); p.Number == "" {
				t.Errorf("a local code away from its display shows no number")
			}
		})
	}
}

func TestRefuse(t *testing.T) {
	at(t, nil, func(d *desk) {
		d.open()
		_, err := d.svc.Refuse(t.Context(), tap(anna, d.code(handoff.RouteQR)))
		wantOutcome(t, "Refuse(a fresh scan)", err, "ok")
		d.want(handoff.StatusRejected)
	})
	at(t, nil, func(d *desk) {
		d.open()
		link, sms := d.code(handoff.RouteLink), d.code(handoff.RouteSMS)
		_, err := d.svc.Refuse(t.Context(), tap(anna, link))
		wantOutcome(t, "Refuse(a link)", err, "ok")
		d.want(handoff.StatusDisplayed)
		_, _, err = d.svc.Claim(t.Context(), tap(ben, link))
		wantOutcome(t, "Claim(by the refused link)", err, "gone/rejected")
		_, _, err = d.svc.Claim(t.Context(), tap(ben, sms))
		wantOutcome(t, "Claim(by the other link)", err, "ok")
	})
	at(t, func(o *handoff.Terms) { o.Frame = 0 }, func(d *desk) {
		d.open()
		_, err := d.svc.Refuse(t.Context(), tap(anna, d.code(handoff.RouteQR)))
		wantOutcome(t, "Refuse(a scan, where frames are off)", err, "ok")
		d.want(handoff.StatusDisplayed) // nothing proves that the display is in sight
	})
	// By the one who holds the claim, on the landing as on the page.
	at(t, always, func(d *desk) {
		d.open()
		link := d.code(handoff.RouteLink)
		d.claim(anna, handoff.RouteLink)
		_, err := d.svc.Refuse(t.Context(), tap(anna, link))
		wantOutcome(t, "Refuse(by the claim's phone)", err, "ok")
		d.want(handoff.StatusDisplayed)
		_, _, err = d.svc.Claim(t.Context(), tap(ben, link))
		wantOutcome(t, "Claim(by the refused link)", err, "gone/rejected")
	})
	at(t, always, func(d *desk) {
		d.open()
		key := d.claim(anna, handoff.RouteQR)
		_, err := d.svc.RefuseClaim(t.Context(), key, anna)
		wantOutcome(t, "RefuseClaim(of a fresh scan)", err, "ok")
		d.want(handoff.StatusRejected)
	})
	at(t, always, func(d *desk) {
		d.open()
		a, err := d.svc.ClaimForApp(t.Context(), appTap(d.code(handoff.RouteLink), "a"))
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, "RefuseForApp(another verifier)", d.svc.RefuseForApp(t.Context(), a.ClaimID, verifier("b")), "not_found")
		d.want(handoff.StatusClaimed)
		wantOutcome(t, "RefuseForApp()", d.svc.RefuseForApp(t.Context(), a.ClaimID, verifier("a")), "ok")
		d.want(handoff.StatusDisplayed)
	})
}
