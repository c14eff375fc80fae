package handoff_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// stage is a handoff that was led to a status by Anna's phone, with what people
// hold then. What nobody holds yet is a capability that never was.
type stage struct {
	*desk
	qr, link, local handoff.Secret
	key, pickup     handoff.Secret
	report          handoff.Secret
}

// past is the stage of a handoff that has reached its deadline, unwritten yet.
const pastDeadline = handoff.Status("past its deadline")

// lead leads a handoff to a status, with the number asked for and typed.
func lead(d *desk, to handoff.Status) *stage {
	d.t.Helper()
	s := &stage{desk: d, qr: "no-code", link: "no-code", local: "no-code", key: "no-key", pickup: "no-pickup", report: "no-report"}
	if to == handoff.StatusCreated {
		return s
	}
	d.open()
	s.link = d.code(handoff.RouteLink)
	s.qr, s.local = d.code(handoff.RouteQR), d.code(handoff.RouteLocal)
	number := ""
	ways := []struct {
		status handoff.Status
		take   func()
	}{
		{handoff.StatusDisplayed, func() {}},
		{handoff.StatusOpened, func() { _, _ = d.svc.Land(d.t.Context(), partnerID, s.qr, "", visitor(anna)) }},
		{handoff.StatusClaimed, func() { s.key = d.claim(anna, handoff.RouteLink); number = d.page(s.key, anna).Number }},
		{handoff.StatusConfirmed, func() { d.number(number) }},
		{handoff.StatusConnected, func() { s.pickup = d.page(s.key, anna).Pickup }},
		{handoff.StatusDelivered, func() {
			a, err := d.svc.PickUp(d.t.Context(), s.pickup, verifier("a"))
			if err != nil {
				d.t.Fatal(err)
			}
			s.report = a.ReportKey
		}},
	}
	for _, w := range ways {
		w.take()
		d.want(w.status)
		if w.status == to {
			return s
		}
	}
	h := d.stored()
	switch to { //nolint:exhaustive // the ends only
	case handoff.StatusCompleted:
		_, _ = d.svc.Complete(d.t.Context(), h, true)
	case handoff.StatusCancelled:
		_, _ = d.svc.Cancel(d.t.Context(), h)
	case handoff.StatusRejected:
		_, _ = d.svc.RejectAtDisplay(d.t.Context(), d.key)
	case handoff.StatusExpired:
		time.Sleep(h.Deadline.Sub(d.svc.Now()))
		d.work()
	case pastDeadline:
		time.Sleep(h.Deadline.Sub(d.svc.Now()))
		return s
	case handoff.StatusFailed:
		d.up.before = func(string) fault { return faultUnknown }
		_, _ = d.svc.Reopen(d.t.Context(), s.key, anna)
		d.up.before = func(string) fault { return faultNone }
	default:
		d.t.Fatalf("no way to %s", to)
	}
	d.want(to)
	return s
}

// act is something that is asked of a handoff from outside.
type act struct {
	name string
	// live is what it comes to from created to delivered: ok, a code, or, if it
	// leads to another status, that one.
	live string
	// ended is the same after an end, gone standing for the reason of that end.
	ended string
	// late is the same past the deadline, before the worker has written the end.
	late string
	do   func(s *stage) error
}

// acts is everything that is asked of a handoff from outside.
func acts() []act {
	atDisplay := func(do func(s *stage) (handoff.Handoff, error)) func(*stage) error {
		return func(s *stage) error { _, err := do(s); return err }
	}
	return []act{
		{"Display", "displayed ok ok ok ok ok ok", "ok", "ok", atDisplay(func(s *stage) (handoff.Handoff, error) {
			return s.svc.Display(s.t.Context(), s.desk.key, handoff.Browser{}, "")
		})},
		{"Confirm", "conflict conflict conflict ok conflict conflict conflict", "gone", "gone", atDisplay(func(s *stage) (handoff.Handoff, error) { return s.svc.Confirm(s.t.Context(), s.desk.key, "") })},
		{"Release", "ok ok ok displayed displayed displayed displayed", "gone", "gone", atDisplay(func(s *stage) (handoff.Handoff, error) { return s.svc.Release(s.t.Context(), s.desk.key) })},
		{"RenewCode", "conflict ok displayed conflict conflict conflict conflict", "gone", "gone", atDisplay(func(s *stage) (handoff.Handoff, error) { return s.svc.RenewCode(s.t.Context(), s.desk.key) })},
		{"Extend", "ok ok ok ok ok ok conflict", "gone", "gone", atDisplay(func(s *stage) (handoff.Handoff, error) { return s.svc.Extend(s.t.Context(), s.desk.key) })},
		{"LinkAtDisplay", "ok ok ok conflict conflict conflict conflict", "gone", "gone", atDisplay(func(s *stage) (handoff.Handoff, error) {
			return s.svc.LinkAtDisplay(s.t.Context(), s.desk.key, handoff.RouteSMS)
		})},
		{"Revoke", "ok ok ok ok ok ok ok", "gone", "gone", atDisplay(func(s *stage) (handoff.Handoff, error) {
			return s.svc.Revoke(s.t.Context(), s.desk.key, handoff.RouteLink)
		})},
		{"RejectAtDisplay", "rejected rejected rejected rejected rejected rejected rejected", "ok", "rejected", atDisplay(func(s *stage) (handoff.Handoff, error) { return s.svc.RejectAtDisplay(s.t.Context(), s.desk.key) })},
		{"NoPhone", "cancelled cancelled cancelled cancelled cancelled cancelled cancelled", "ok", "cancelled", atDisplay(func(s *stage) (handoff.Handoff, error) { return s.svc.NoPhone(s.t.Context(), s.desk.key) })},
		{"Cancel", "cancelled cancelled cancelled cancelled cancelled cancelled cancelled", "conflict", "cancelled", atDisplay(func(s *stage) (handoff.Handoff, error) { return s.svc.Cancel(s.t.Context(), s.stored()) })},
		{"Complete", "completed completed completed completed completed completed completed", "conflict", "completed", atDisplay(func(s *stage) (handoff.Handoff, error) { return s.svc.Complete(s.t.Context(), s.stored(), false) })},
		{"ContinueHere", "conflict confirmed confirmed confirmed conflict conflict conflict", "gone", "gone", func(s *stage) error {
			_, _, err := s.svc.ContinueHere(s.t.Context(), s.desk.key, visitor(ben), handoff.DeviceInfo{})
			return err
		}},
		{"Land by Ben", "not_found opened ok ok conflict conflict conflict", "gone", "gone", func(s *stage) error {
			_, err := s.svc.Land(s.t.Context(), partnerID, s.link, "", visitor(ben))
			return err
		}},
		{"Claim by Ben", "not_found claimed claimed ok conflict conflict conflict", "gone", "gone", func(s *stage) error { _, _, err := s.svc.Claim(s.t.Context(), tap(ben, s.link)); return err }},
		{"Claim by Anna", "not_found claimed claimed ok ok ok ok", "gone", "ok", func(s *stage) error { _, _, err := s.svc.Claim(s.t.Context(), tap(anna, s.link)); return err }},
		{"ClaimForApp", "not_found claimed claimed ok conflict conflict conflict", "gone", "gone", func(s *stage) error {
			_, err := s.svc.ClaimForApp(s.t.Context(), appTap(s.link, "b"))
			return err
		}},
		{"Refuse by Ben", "not_found ok ok ok ok ok ok", "gone", "gone", func(s *stage) error { _, err := s.svc.Refuse(s.t.Context(), tap(ben, s.link)); return err }},
		{"RefuseClaim", "not_found not_found not_found displayed rejected rejected rejected", "gone", "gone", func(s *stage) error { _, err := s.svc.RefuseClaim(s.t.Context(), s.key, anna); return err }},
		{"PhonePage", "not_found not_found not_found ok connected ok ok", "gone", "gone", func(s *stage) error { _, err := s.svc.PhonePage(s.t.Context(), s.key, anna); return err }},
		{"PhoneStatus", "not_found not_found not_found ok ok ok ok", "gone", "gone", func(s *stage) error { _, err := s.svc.PhoneStatus(s.t.Context(), s.key, anna); return err }},
		{"Reopen", "not_found not_found not_found not_confirmed connected ok ok", "gone", "gone", func(s *stage) error { _, err := s.svc.Reopen(s.t.Context(), s.key, anna); return err }},
		{"AtStore", "not_found not_found not_found ok ok ok ok", "gone", "gone", func(s *stage) error { _, err := s.svc.AtStore(s.t.Context(), s.key, anna); return err }},
		{"TapAtPhone", "not_found not_found not_found ok ok ok ok", "gone", "gone", func(s *stage) error { _, err := s.svc.TapAtPhone(s.t.Context(), s.key, anna); return err }},
		{"PickUp again", "not_found not_found not_found not_found not_found delivered ok", "gone", "gone", func(s *stage) error {
			_, err := s.svc.PickUp(s.t.Context(), s.pickup, verifier("a"))
			return err
		}},
		{"PickUp by another", "not_found not_found not_found not_found not_found delivered gone/used", "gone", "gone", func(s *stage) error {
			_, err := s.svc.PickUp(s.t.Context(), s.pickup, verifier("b"))
			return err
		}},
		{"Report", "not_found not_found not_found not_found not_found not_found ok", "ok", "ok", func(s *stage) error { return s.svc.Report(s.t.Context(), s.report, handoff.ReportLeft) }},
	}
}

func appTap(code handoff.Secret, n string) handoff.AppTap {
	return handoff.AppTap{
		Partner: partnerID, Code: code, Challenge: challengeOf(verifier(n)),
		Device: handoff.DeviceInfo{ID: "device-of-an-app-" + n, Type: "mobile"},
	}
}

// TestGuards tries everything at every status, and compares what it comes to and
// where it leads.
func TestGuards(t *testing.T) {
	reasons := map[handoff.Status]handoff.Reason{ //nolint:exhaustive // the ends only; for replaced see TestFourthReplacesTheOldest
		handoff.StatusCompleted: handoff.ReasonUsed, handoff.StatusExpired: handoff.ReasonExpired, handoff.StatusCancelled: handoff.ReasonCancelled,
		handoff.StatusRejected: handoff.ReasonRejected, handoff.StatusFailed: handoff.ReasonCancelled, pastDeadline: handoff.ReasonExpired,
	}
	for _, a := range acts() {
		want := make(map[handoff.Status]string)
		for i, outcome := range strings.Fields(a.live) {
			want[handoff.Statuses()[i]] = outcome
		}
		for end, reason := range reasons {
			want[end] = strings.Replace(a.ended, "gone", "gone/"+string(reason), 1)
		}
		want[pastDeadline] = strings.Replace(a.late, "gone", "gone/expired", 1)
		for from, outcomeWanted := range want {
			at(t, func(o *handoff.Terms) { o.Frame = 0 }, func(d *desk) {
				s := lead(d, from)
				before := s.stored()
				err := a.do(s)
				got, after := outcome(err), s.stored()
				if err == nil && after.Status != before.Status {
					got = string(after.Status)
				}
				if got != outcomeWanted {
					t.Errorf("%s of a handoff that is %s = %s, want %s (%v)", a.name, from, got, outcomeWanted, err)
				}
				if err != nil && !cmp.Equal(before, after) {
					t.Errorf("%s of a handoff that is %s = %v, and changed it", a.name, from, err)
				}
			})
		}
	}
}
