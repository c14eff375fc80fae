package handoff_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// crowd are other claims by a code of a message, as scanners make them, and the
// keys of their pages.
func (d *desk) crowd(n int, code handoff.Secret) (keys, owners []handoff.Secret) {
	d.t.Helper()
	for i := range n {
		owner := handoff.Secret(fmt.Sprintf("cookie-of-scanner-%d", i))
		t := tap(owner, code)
		t.Again = true
		_, key, err := d.svc.Claim(d.t.Context(), t)
		if err != nil {
			d.t.Fatalf("Claim(scanner %d): %v", i, err)
		}
		keys, owners = append(keys, key), append(owners, owner)
	}
	return keys, owners
}

// The number of a claim that gave way is good beside, whoever came after; all the
// others are gone once it is typed.
func TestNumbersBeside(t *testing.T) {
	at(t, nil, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteLink)
		d.crowd(5, code)
		key := d.claim(anna, handoff.RouteLink)
		number := d.page(key, anna).Number
		keys, owners := d.crowd(20, code)
		seen := map[string]bool{number: true}
		for i := range keys {
			seen[d.page(keys[i], owners[i]).Number] = true
		}
		if len(seen) != 21 {
			t.Errorf("21 claims have %d numbers, want one each", len(seen))
		}
		if h := d.number(number); h.Status != handoff.StatusConfirmed || h.Claim.Hash != handoff.HashOf(key) || len(h.Waiting) != 0 {
			t.Fatalf("after anna's number it is %s with %d waiting, want confirmed as hers alone", h.Status, len(h.Waiting))
		}
		_, err := d.svc.PhonePage(t.Context(), keys[19], owners[19])
		wantOutcome(t, "PhonePage(a scanner's, after anna's number)", err, "gone/replaced")
		if p := d.page(key, anna); p.Pickup == "" {
			t.Error("anna's page has no app link")
		}
	})
}

// A wrong number counts against all it could have been of: two burn them all, and
// are burnt once.
func TestWrongNumberIsWrongForAll(t *testing.T) {
	at(t, nil, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteLink)
		keys, owners := d.crowd(6, code)
		taken := map[string]bool{}
		for i := range keys {
			taken[d.page(keys[i], owners[i]).Number] = true
		}
		none := "0000"
		for i := 1; taken[none]; i++ {
			none = fmt.Sprintf("%04d", i)
		}
		d.number(none)
		late := d.claim(anna, handoff.RouteLink)
		h := d.number(none)
		if h.Status != handoff.StatusClaimed || len(h.Waiting) != 0 || h.Burnt != 1 || h.Claim.Hash != handoff.HashOf(late) {
			t.Errorf("after two wrong numbers it is %s with %d waiting and %d burnt, want claimed by the one that came between, 0 and 1", h.Status, len(h.Waiting), h.Burnt)
		}
		_, err := d.svc.PhonePage(t.Context(), keys[0], owners[0])
		wantOutcome(t, "PhonePage(a burnt one)", err, "gone/released")
	})
}

// Claims beside lapse, are renewed by their pages, and take their turn when the
// one in force goes.
func TestLeasesBeside(t *testing.T) {
	at(t, nil, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteLink)
		key := d.claim(anna, handoff.RouteLink)
		number := d.page(key, anna).Number
		d.crowd(3, code)
		for range 5 {
			time.Sleep(20 * time.Second)
			d.page(key, anna)
			d.work()
		}
		if h := d.stored(); h.Status != handoff.StatusClaimed || h.Claim.Hash != handoff.HashOf(key) || len(h.Waiting) != 0 {
			t.Fatalf("it is %s with %d waiting, want claimed by the one whose page is open", h.Status, len(h.Waiting))
		}
		if again := d.page(key, anna).Number; again != number {
			t.Errorf("the number is %s, want %s as before", again, number)
		}
		keys, owners := d.crowd(3, code)
		for i := range keys { // "This wasn't me", by each, whether in force or beside
			if _, err := d.svc.RefuseClaim(t.Context(), keys[len(keys)-1-i], owners[len(keys)-1-i]); err != nil {
				t.Fatalf("RefuseClaim(%d): %v", i, err)
			}
		}
		d.want(handoff.StatusClaimed)
		if h := d.number(number); h.Status != handoff.StatusConfirmed {
			t.Errorf("after the number it is %s, want confirmed", h.Status)
		}
	})
}

// At most MaxWaiting wait; the one not heard of for longest goes first.
func TestTooManyBeside(t *testing.T) {
	at(t, nil, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteLink)
		key := d.claim(anna, handoff.RouteLink)
		number := d.page(key, anna).Number
		d.crowd(10, code)
		time.Sleep(16 * time.Second)
		d.page(key, anna)
		d.crowd(handoff.MaxWaiting+9, code)
		if h := d.stored(); len(h.Waiting) != handoff.MaxWaiting {
			t.Errorf("%d wait, want %d", len(h.Waiting), handoff.MaxWaiting)
		}
		if h := d.number(number); h.Status != handoff.StatusConfirmed {
			t.Errorf("after the number it is %s, want confirmed: anna's page was open", h.Status)
		}
	})
}

// An app's claim waits as a phone's does.
func TestAppBeside(t *testing.T) {
	at(t, nil, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteLink)
		a, err := d.svc.ClaimForApp(t.Context(), appTap(code, "a"))
		if err != nil {
			t.Fatal(err)
		}
		d.crowd(3, code)
		_, err = d.svc.TokenForApp(t.Context(), a.ClaimID, verifier("a"))
		wantOutcome(t, "TokenForApp(beside)", err, "not_confirmed")
		again, err := d.svc.ClaimForApp(t.Context(), appTap(code, "a"))
		if err != nil || again.ClaimID != a.ClaimID || again.Number != a.Number {
			t.Errorf("ClaimForApp() again = another claim, %v, want the same", err)
		}
		d.number(a.Number)
		if _, err = d.svc.TokenForApp(t.Context(), a.ClaimID, verifier("a")); err != nil {
			t.Errorf("TokenForApp(confirmed) = %v, want a token", err)
		}
	})
}

// A code of a message that was refused claims no longer by itself; said once more,
// it asks for the number, whatever the policy, until there is another code.
func TestRefusedCode(t *testing.T) {
	at(t, func(o *handoff.Terms) { o.Confirmation = handoff.ConfirmNever }, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteLink)
		if _, err := d.svc.Refuse(t.Context(), tap(ben, code)); err != nil {
			t.Fatal(err)
		}
		d.want(handoff.StatusDisplayed)
		_, _, err := d.svc.Claim(t.Context(), tap(anna, code))
		wantOutcome(t, "Claim(refused)", err, "gone/rejected")
		again := tap(anna, code)
		again.Again = true
		_, key, err := d.svc.Claim(t.Context(), again)
		if err != nil {
			t.Fatal(err)
		}
		d.want(handoff.StatusClaimed)
		d.number(d.page(key, anna).Number)
		d.want(handoff.StatusConfirmed)
		if _, err := d.svc.Release(t.Context(), d.key); err != nil {
			t.Fatal(err)
		}
		_, _, err = d.svc.Claim(t.Context(), again)
		wantOutcome(t, "Claim(refused, and released at the display)", err, "gone/released")

		old := d.code(handoff.RouteLink)
		if _, err := d.svc.Refuse(t.Context(), tap(ben, old)); err != nil {
			t.Fatal(err)
		}
		d.code(handoff.RouteLink) // another one
		again.Code = old
		_, _, err = d.svc.Claim(t.Context(), again)
		wantOutcome(t, "Claim(refused, and replaced)", err, "gone/replaced")

		// A code of the display itself stays refused.
		local := d.code(handoff.RouteLocal)
		if _, err := d.svc.Refuse(t.Context(), tap(ben, local)); err != nil {
			t.Fatal(err)
		}
		again.Code = local
		_, _, err = d.svc.Claim(t.Context(), again)
		wantOutcome(t, "Claim(local, refused)", err, "gone/rejected")
	})
}

// Nor does a refused code shut out a second phone: it asks to go on instead, which
// takes the number anyway.
func TestRefusedCodeOfARival(t *testing.T) {
	at(t, func(o *handoff.Terms) { never(o); o.Frame = 0 }, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteLink)
		if _, err := d.svc.Refuse(t.Context(), tap("cookie-of-a-scanner", code)); err != nil {
			t.Fatal(err)
		}
		d.deliver()
		again := tap(ben, code)
		_, _, err := d.svc.Claim(t.Context(), again)
		wantOutcome(t, "Claim(refused)", err, "gone/rejected")
		again.Again = true
		_, _, err = d.svc.Claim(t.Context(), again)
		wantOutcome(t, "Claim(refused, once more, while another phone holds it)", err, "conflict")
		key := d.instead(code)
		d.want(handoff.StatusDelivered)
		if h := d.number(d.page(key, ben).Number); h.Status != handoff.StatusConfirmed || h.Claim.Hash != handoff.HashOf(key) {
			t.Errorf("after the rival's number it is %s, want confirmed as ben's", h.Status)
		}
	})
}
