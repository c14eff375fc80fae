package handoff_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// dieIn makes the process die in the next call of this kind that do makes.
func (d *desk) dieIn(call string, do func()) {
	d.t.Helper()
	died := make(chan bool, 1)
	d.up.before = func(made string) fault {
		if made == call {
			runtime.Goexit()
		}
		return faultNone
	}
	go func() {
		finished := false
		defer func() { died <- !finished }()
		do()
		finished = true
	}()
	if !<-died {
		d.t.Fatalf("nobody called %s", call)
	}
	d.up.before = func(string) fault { return faultNone }
}

// A process died in the middle of a step. Its reservation keeps others out as
// long as it may still be alive, and then no longer.
func TestStepOfADeadProcess(t *testing.T) {
	for _, tt := range []struct {
		call  string
		ready func(d *desk) (again func() error)
		want  handoff.Status
	}{
		{"start", func(d *desk) func() error {
			return func() error {
				_, err := d.svc.Display(d.t.Context(), d.key, handoff.Browser{}, "")
				return err
			}
		}, handoff.StatusDisplayed},
		{"connect", func(d *desk) func() error {
			d.open()
			key := d.claim(anna, handoff.RouteQR)
			return func() error { _, err := d.svc.PhonePage(d.t.Context(), key, anna); return err }
		}, handoff.StatusConnected},
		{"connect", func(d *desk) func() error {
			d.open()
			a, err := d.svc.ClaimForApp(d.t.Context(), appTap(d.code(handoff.RouteQR), "a"))
			if err != nil {
				d.t.Fatal(err)
			}
			return func() error { _, err := d.svc.TokenForApp(d.t.Context(), a.ClaimID, verifier("a")); return err }
		}, handoff.StatusDelivered},
	} {
		at(t, never, func(d *desk) {
			again := tt.ready(d)
			before := d.stored().Status
			d.dieIn(tt.call, func() { _ = again() })
			d.want(before)
			began := time.Now()
			wantOutcome(t, "at once after the death in "+tt.call, again(), "platform_unavailable")
			d.want(before)
			time.Sleep(handoff.WorkLease - time.Since(began))
			wantOutcome(t, "a lease after the death in "+tt.call, again(), "ok")
			d.want(tt.want)
			if b := d.up.broken(); len(b) > 0 {
				t.Errorf("the death in %s: %v", tt.call, b)
			}
		})
	}
}

// A process stood still for longer than its reservation. What it brings no
// longer counts where another has made the step; it counts where none has.
func TestStepOfASlowProcess(t *testing.T) {
	at(t, never, func(d *desk) {
		d.open()
		key := d.claim(anna, handoff.RouteQR)
		var other handoff.Phone
		d.up.before = func(string) fault {
			d.up.before = func(string) fault { return faultNone }
			time.Sleep(handoff.WorkLease + time.Second)
			other = d.page(key, anna)
			return faultNone
		}
		late := d.page(key, anna)
		if late.Pickup == "" || late.Pickup != other.Pickup {
			t.Errorf("PhonePage() of the slow process shows another pickup than that of the quick one")
		}
		if n := d.stored().Claim.Opens; n != 1 {
			t.Errorf("%d app links were made, want 1", n)
		}
	})
	at(t, never, func(d *desk) {
		d.open()
		key := d.claim(anna, handoff.RouteQR)
		d.up.before = func(string) fault { time.Sleep(handoff.WorkLease + time.Second); return faultNone }
		if p := d.page(key, anna); p.Pickup == "" {
			t.Error("PhonePage() after a slow connect shows no pickup")
		}
	})
}

// What happens while a step is made decides what the caller is told.
func TestMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		name      string
		meanwhile func(d *desk) error
		want      string
	}{
		{"cancelled", func(d *desk) error { _, err := d.svc.CancelAtDisplay(d.t.Context(), d.key); return err }, "gone/cancelled"},
		{"released", func(d *desk) error { _, err := d.svc.Release(d.t.Context(), d.key); return err }, "gone/released"},
		{"completed", func(d *desk) error { _, err := d.svc.Complete(d.t.Context(), d.stored(), true); return err }, "gone/used"},
		{"link revoked", func(d *desk) error { _, err := d.svc.Revoke(d.t.Context(), d.key, handoff.RouteQR); return err }, "ok"},
	} {
		at(t, never, func(d *desk) {
			d.open()
			key := d.claim(anna, handoff.RouteQR)
			d.up.before = func(string) fault {
				d.up.before = func(string) fault { return faultNone }
				wantOutcome(t, tt.name, tt.meanwhile(d), "ok")
				return faultNone
			}
			_, err := d.svc.PhonePage(t.Context(), key, anna)
			wantOutcome(t, "PhonePage(meanwhile "+tt.name+")", err, tt.want)
		})
		at(t, never, func(d *desk) {
			d.open()
			a, err := d.svc.ClaimForApp(t.Context(), appTap(d.code(handoff.RouteQR), "a"))
			if err != nil {
				t.Fatal(err)
			}
			d.up.before = func(string) fault {
				d.up.before = func(string) fault { return faultNone }
				wantOutcome(t, tt.name, tt.meanwhile(d), "ok")
				return faultNone
			}
			_, err = d.svc.TokenForApp(t.Context(), a.ClaimID, verifier("a"))
			wantOutcome(t, "TokenForApp(meanwhile "+tt.name+")", err, tt.want)
		})
	}
	// A partner's link is claimed while the display opens for the first time: the
	// start is for nothing, and does not stand in the exchange's way.
	at(t, never, func(d *desk) {
		link := d.code(handoff.RoutePartner)
		var key handoff.Secret
		d.up.before = func(string) fault {
			d.up.before = func(string) fault { return faultNone }
			_, k, err := d.svc.Claim(t.Context(), tap(anna, link))
			wantOutcome(t, "Claim(by the partner's link)", err, "ok")
			key = k
			return faultNone
		}
		d.open()
		d.page(key, anna)
		d.want(handoff.StatusConnected)
	})
}
