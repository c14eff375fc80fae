package handoff_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

func TestExpires(t *testing.T) {
	at(t, nil, func(d *desk) {
		d.open()
		time.Sleep(terms().ExpiresIn - time.Second)
		d.work()
		d.want(handoff.StatusDisplayed)
		time.Sleep(time.Second)
		d.work()
		d.want(handoff.StatusExpired)
		if n := d.up.count("state"); n != 0 {
			t.Errorf("the journey's state was asked for %d times before the delivery, want 0", n)
		}
	})
}

// The journey may have ended in the last minute: it is asked for once more
// before the end is written, and nothing else happens meanwhile.
func TestAsksBeforeItExpires(t *testing.T) {
	for _, state := range []handoff.JourneyState{handoff.JourneyRunning, handoff.JourneyFinished, handoff.JourneyFailed} {
		at(t, func(o *handoff.Terms) { never(o); o.CompleteWithin = 30 * time.Second }, func(d *desk) {
			d.open()
			key, a := d.deliver()
			time.Sleep(30 * time.Second)
			d.up.settle(instance, state)
			asked := d.up.count("state")
			d.up.before = func(string) fault {
				d.up.before = func(string) fault { return faultNone }
				_, err := d.svc.PhonePage(t.Context(), key, anna)
				wantOutcome(t, "PhonePage(while the last question is out)", err, "gone/expired")
				_, err = d.svc.Release(t.Context(), d.key)
				wantOutcome(t, "Release(while the last question is out)", err, "gone/expired")
				wantOutcome(t, "Report(while the last question is out)", d.svc.Report(t.Context(), a.ReportKey, handoff.ReportFinished), "ok")
				wantOutcome(t, "Watch(while the last question is out)", d.svc.Watch(t.Context(), d.stored()), "ok")
				return faultNone
			}
			d.work()
			want := handoff.StatusCompleted
			if state == handoff.JourneyRunning {
				want = handoff.StatusExpired
			}
			d.want(want)
			if n := d.up.count("state") - asked; n != 1 {
				t.Errorf("%d questions at the deadline, want 1", n)
			}
		})
	}
}

// The platform does not answer the last question, or the process dies with the
// answer: the handoff expires all the same.
func TestLastQuestionUnanswered(t *testing.T) {
	at(t, func(o *handoff.Terms) { never(o); o.CompleteWithin = 30 * time.Second }, func(d *desk) {
		d.open()
		d.deliver()
		time.Sleep(30 * time.Second)
		d.up.before = func(string) fault { return faultUnavailable }
		d.work()
		d.want(handoff.StatusExpired)
	})
	at(t, func(o *handoff.Terms) { never(o); o.CompleteWithin = 30 * time.Second }, func(d *desk) {
		d.open()
		d.deliver()
		time.Sleep(30 * time.Second)
		d.dieIn("state", func() { _ = d.svc.Tick(t.Context(), d.id) })
		d.want(handoff.StatusDelivered)
		time.Sleep(handoff.WorkLease)
		d.work()
		d.want(handoff.StatusExpired)
	})
}

func TestPollSchedule(t *testing.T) {
	at(t, never, func(d *desk) {
		d.open()
		var asked []time.Time
		d.up.before = func(call string) fault {
			if call == "state" {
				asked = append(asked, time.Now())
			}
			return faultNone
		}
		_, a := d.deliver()
		from := time.Now()
		gaps := func() (gaps []time.Duration) {
			last := from
			for _, at := range asked {
				gaps, last = append(gaps, at.Sub(last)), at
			}
			return gaps
		}
		// for a while, with the worker's rounds, and a page that is heard every 10 s
		pass := func(length time.Duration, watched bool) {
			from, asked = time.Now(), nil
			for until := from.Add(length); time.Now().Before(until); time.Sleep(500 * time.Millisecond) {
				if watched && time.Since(from)%(10*time.Second) == 0 {
					if err := d.svc.Watch(t.Context(), d.stored()); err != nil {
						t.Fatal(err)
					}
				}
				d.work()
			}
		}
		pass(200*time.Second, false)
		if got, want := gaps(), []time.Duration{60 * time.Second, 60 * time.Second, 60 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("unwatched, it is asked after %v, want %v", got, want)
		}
		pass(60*time.Second, true)
		want := []time.Duration{2 * time.Second, 3 * time.Second, 4500 * time.Millisecond, 7 * time.Second, 10500 * time.Millisecond, 15 * time.Second, 15 * time.Second}
		if got := gaps(); len(got) < 6 || got[0] != want[0] || got[1] != want[1] || got[5] > 15500*time.Millisecond || !slices.IsSorted(got) {
			t.Errorf("watched, it is asked after %v, want about %v", got, want)
		}
		pass(handoff.WatchLasts+200*time.Second, false)
		if got := gaps(); got[len(got)-1] != handoff.PollUnwatched {
			t.Errorf("after the page was closed it is asked after %v, want %s in the end", got, handoff.PollUnwatched)
		}
		// The app says that it is finished: that proves nothing, so it is asked at once.
		n := len(asked)
		if err := d.svc.Report(t.Context(), a.ReportKey, handoff.ReportFinished); err != nil {
			t.Fatal(err)
		}
		d.work()
		if len(asked) != n+1 {
			t.Errorf("after the app's report it was asked %d times, want 1", len(asked)-n)
		}
		d.want(handoff.StatusDelivered)
	})
}

func TestFourthReplacesTheOldest(t *testing.T) {
	at(t, never, func(d *desk) {
		var ids []handoff.ID
		var keys []handoff.Secret
		ids, keys = append(ids, d.id), append(keys, d.key)
		d.open()
		d.deliver() // the oldest is delivered, and stays
		for range 3 {
			time.Sleep(time.Second)
			d.create(nil)
			ids, keys = append(ids, d.id), append(keys, d.key)
		}
		for i, want := range []handoff.Status{handoff.StatusDelivered, handoff.StatusReplaced, handoff.StatusCreated, handoff.StatusCreated} {
			h, err := d.svc.Refresh(t.Context(), ids[i])
			if err != nil || h.Status != want {
				t.Errorf("after a fourth handoff, the one that came as number %d is %s, %v, want %s", i+1, h.Status, err, want)
			}
		}
		_, err := d.svc.Extend(t.Context(), keys[1])
		wantOutcome(t, "Extend(replaced)", err, "gone/replaced")
	})
}

func TestPurge(t *testing.T) {
	at(t, never, func(d *desk) {
		d.open()
		key, _ := d.deliver()
		keys := d.stored().Keys()
		if _, err := d.svc.Cancel(t.Context(), d.stored()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(terms().Retain - time.Second)
		d.work()
		_, err := d.svc.PhonePage(t.Context(), key, anna)
		wantOutcome(t, "PhonePage(within the retention)", err, "gone/cancelled")
		time.Sleep(time.Second)
		d.work()
		_, err = d.svc.Refresh(t.Context(), d.id)
		wantOutcome(t, "Refresh(after the retention)", err, "not_found")
		for _, k := range keys {
			_, err := d.store.Lookup(t.Context(), k)
			wantOutcome(t, fmt.Sprintf("Lookup(%s) after the retention", k), err, "not_found")
		}
	})
}

// A token that is not picked up, or was, is forgotten in time, and a call that
// comes before the worker gets nothing either.
func TestTokensAreForgotten(t *testing.T) {
	at(t, never, func(d *desk) {
		d.open()
		key := d.claim(anna, handoff.RouteQR)
		pickup := d.page(key, anna).Pickup
		time.Sleep(handoff.TokenRest)
		_, err := d.svc.PickUp(t.Context(), pickup, verifier("a"))
		wantOutcome(t, "PickUp(after its rest)", err, "gone/expired")
		d.work()
		if d.stored().Claim.Pickup.Answer != nil {
			t.Error("the token is still there after its rest")
		}
		fresh := d.page(key, anna).Pickup // the page makes a new one by itself
		if fresh == "" || fresh == pickup {
			t.Fatalf("PhonePage(after the rest) shows no fresh pickup")
		}
		first, err := d.svc.PickUp(t.Context(), fresh, verifier("a"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(handoff.RepeatWindow - time.Second)
		again, err := d.svc.PickUp(t.Context(), fresh, verifier("a"))
		if err != nil || again.Token != first.Token {
			t.Errorf("PickUp(again, same verifier) = another token, %v, want the same", err)
		}
		_, err = d.svc.PickUp(t.Context(), fresh, verifier("b"))
		wantOutcome(t, "PickUp(another verifier)", err, "gone/used")
		time.Sleep(time.Second)
		_, err = d.svc.PickUp(t.Context(), fresh, verifier("a"))
		wantOutcome(t, "PickUp(same verifier, too late)", err, "gone/used")
		d.work()
		if d.stored().Claim.Pickup.Answer != nil {
			t.Error("the token is still there after the window for repeats")
		}
	})
	at(t, never, func(d *desk) {
		d.open()
		a, err := d.svc.ClaimForApp(t.Context(), appTap(d.code(handoff.RouteQR), "a"))
		if err != nil {
			t.Fatal(err)
		}
		first, err := d.svc.TokenForApp(t.Context(), a.ClaimID, verifier("a"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.svc.TokenForApp(t.Context(), a.ClaimID, verifier("b"))
		wantOutcome(t, "TokenForApp(another verifier)", err, "not_found")
		if again, err := d.svc.TokenForApp(t.Context(), a.ClaimID, verifier("a")); err != nil || again.Token != first.Token {
			t.Errorf("TokenForApp(again) = another token, %v, want the same", err)
		}
		time.Sleep(handoff.RepeatWindow)
		_, err = d.svc.TokenForApp(t.Context(), a.ClaimID, verifier("a"))
		wantOutcome(t, "TokenForApp(too late)", err, "gone/used")
		d.work()
		if d.stored().Claim.Given.Answer != nil {
			t.Error("the app's token is still there after the window for repeats")
		}
	})
}

// An app link is opened at most MaxOpens times for one claim.
func TestReopen(t *testing.T) {
	at(t, never, func(d *desk) {
		d.open()
		key := d.claim(anna, handoff.RouteQR)
		seen := []handoff.Secret{d.page(key, anna).Pickup}
		for range handoff.MaxOpens - 1 {
			if _, err := d.svc.Reopen(t.Context(), key, anna); err != nil {
				t.Fatalf("Reopen(): %v", err)
			}
			fresh := d.page(key, anna).Pickup
			_, err := d.svc.PickUp(t.Context(), seen[len(seen)-1], verifier("a"))
			wantOutcome(t, "PickUp(a dead one)", err, "gone/replaced")
			seen = append(seen, fresh)
		}
		_, err := d.svc.Reopen(t.Context(), key, anna)
		wantOutcome(t, "Reopen(once more)", err, "rate_limited")
		if n := d.up.count("connect"); n != handoff.MaxOpens {
			t.Errorf("%d connects, want %d", n, handoff.MaxOpens)
		}
	})
}

func TestPlatformTrouble(t *testing.T) {
	for _, tt := range []struct {
		faults []fault // of the connects, one after the other
		want   string
		status handoff.Status
		calls  int // connects
	}{
		{[]fault{faultNone}, "ok", handoff.StatusConnected, 1},
		{[]fault{faultLost, faultNone}, "ok", handoff.StatusConnected, 2},
		{[]fault{faultSpent, faultNone}, "ok", handoff.StatusConnected, 2},
		{[]fault{faultLost, faultLost}, "platform_unavailable", handoff.StatusConfirmed, 2},
		{[]fault{faultUnavailable}, "platform_unavailable", handoff.StatusConfirmed, 1},
		{[]fault{faultDevice}, "device_not_allowed", handoff.StatusDisplayed, 1},
		{[]fault{faultUnknown}, "gone/cancelled", handoff.StatusFailed, 1},
	} {
		at(t, never, func(d *desk) {
			d.open()
			key := d.claim(anna, handoff.RouteQR)
			n := 0
			d.up.before = func(call string) fault {
				if call != "connect" {
					return faultNone
				}
				n++
				return tt.faults[n-1]
			}
			_, err := d.svc.PhonePage(t.Context(), key, anna)
			wantOutcome(t, fmt.Sprintf("PhonePage(connects %v)", tt.faults), err, tt.want)
			d.want(tt.status)
			if n != tt.calls {
				t.Errorf("connects %v: %d of them, want %d", tt.faults, n, tt.calls)
			}
			if b := d.up.broken(); len(b) > 0 {
				t.Errorf("connects %v: %v", tt.faults, b)
			}
		})
	}
	at(t, nil, func(d *desk) {
		d.up.before = func(string) fault { return faultUnknown }
		if h := d.open(); h.Status != handoff.StatusFailed || h.Cause != handoff.CauseUnknownJourney {
			t.Errorf("Display(an unknown journey) = %s because of %q", h.Status, h.Cause)
		}
	})
}
