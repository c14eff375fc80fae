package handoff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/handoff"
)

func TestAsks(t *testing.T) {
	// Each letter is one policy that asks, on a claim by this route: n(ever),
	// l(inks), a(uto), A(lways).
	for _, tt := range []struct {
		route        handoff.Route
		calm, atRisk string
		phone        string // where it was, or may have been
	}{
		{handoff.RouteQR, "A", "aA", "in front of the display"},
		{handoff.RouteTyped, "A", "aA", "in front of the display"},
		{handoff.RouteLink, "laA", "laA", "forwarded, perhaps"},
		{handoff.RouteSMS, "laA", "laA", "forwarded, perhaps"},
		{handoff.RouteEmail, "laA", "laA", "forwarded, perhaps"},
		{handoff.RoutePartner, "laA", "laA", "forwarded, perhaps"},
		{handoff.RouteLocal, "", "", "the display itself"},
	} {
		for _, risk := range []bool{false, true} {
			var asking strings.Builder
			want := tt.calm
			if risk {
				want = tt.atRisk
			}
			for _, p := range []struct {
				letter string
				policy handoff.Confirmation
			}{{"n", handoff.ConfirmNever}, {"l", handoff.ConfirmLinks}, {"a", handoff.ConfirmAuto}, {"A", handoff.ConfirmAlways}} {
				if p.policy.Asks(tt.route, risk) {
					asking.WriteString(p.letter)
				}
			}
			got := asking.String()
			if got != want {
				t.Errorf("Asks(%s, risk %t) by %q, want by %q: it was %s", tt.route, risk, got, want, tt.phone)
			}
		}
	}
}

func TestAtLeast(t *testing.T) {
	order := []handoff.Confirmation{handoff.ConfirmNever, handoff.ConfirmLinks, handoff.ConfirmAuto, handoff.ConfirmAlways}
	for i, c := range order {
		for j, other := range order {
			if got := c.AtLeast(other); got != (i >= j) {
				t.Errorf("%s.AtLeast(%s) = %t, want %t", c, other, got, i >= j)
			}
		}
	}
}

func TestAllows(t *testing.T) {
	const mobile, tablet, desktop, unknown = handoff.ClassMobile, handoff.ClassTablet, handoff.ClassDesktop, handoff.ClassUnknown
	for _, tt := range []struct {
		scope   []handoff.Scope
		allowed []handoff.Class
	}{
		{nil, []handoff.Class{unknown}},
		{[]handoff.Scope{handoff.ScopeMobile}, []handoff.Class{mobile, tablet, unknown}},
		{[]handoff.Scope{handoff.ScopeDesktop}, []handoff.Class{desktop, unknown}},
		{[]handoff.Scope{handoff.ScopeAny}, []handoff.Class{mobile, tablet, desktop, unknown}},
		{[]handoff.Scope{handoff.ScopeStar}, []handoff.Class{mobile, tablet, desktop, unknown}},
		{[]handoff.Scope{handoff.ScopeDesktop, handoff.ScopeMobile}, []handoff.Class{mobile, tablet, desktop, unknown}},
	} {
		var got []handoff.Class
		for _, c := range []handoff.Class{mobile, tablet, desktop, unknown} {
			if handoff.Allows(tt.scope, c) {
				got = append(got, c)
			}
		}
		if !slices.Equal(got, tt.allowed) {
			t.Errorf("Allows(%v) = %q, want %q", tt.scope, got, tt.allowed)
		}
	}
}

func TestScopeKeepsDevicesOut(t *testing.T) {
	at(t, func(o *handoff.Terms) { o.Scope = []handoff.Scope{handoff.ScopeDesktop} }, func(d *desk) {
		d.open()
		code := d.code(handoff.RouteLink)
		_, _, err := d.svc.Claim(t.Context(), tap(anna, code))
		wantOutcome(t, "Claim(a phone, scope desktop)", err, "device_not_allowed")
		_, err = d.svc.ClaimForApp(t.Context(), appTap(code, "a"))
		wantOutcome(t, "ClaimForApp(a phone, scope desktop)", err, "device_not_allowed")
		d.want(handoff.StatusDisplayed)
		desktop := tap(ben, code)
		desktop.Visitor.Browser.Class, desktop.Device.Type = handoff.ClassDesktop, "desktop"
		_, _, err = d.svc.Claim(t.Context(), desktop)
		wantOutcome(t, "Claim(a computer, scope desktop)", err, "ok")
	})
}

func TestParse(t *testing.T) {
	good := map[string]func(string) error{
		"ParseStatus":       func(s string) error { _, err := handoff.ParseStatus(s); return err },
		"ParseRoute":        func(s string) error { _, err := handoff.ParseRoute(s); return err },
		"ParseScope":        func(s string) error { _, err := handoff.ParseScope(s); return err },
		"ParseConfirmation": func(s string) error { _, err := handoff.ParseConfirmation(s); return err },
		"ParseInstanceID":   func(s string) error { _, err := handoff.ParseInstanceID(s); return err },
		"ParseID":           func(s string) error { _, err := handoff.ParseID(s); return err },
	}
	for _, tt := range []struct{ name, input, want string }{
		{"ParseStatus", "displayed", "ok"},
		{"ParseStatus", "Displayed", "invalid_request"},
		{"ParseStatus", "", "invalid_request"},
		{"ParseRoute", "partner", "ok"},
		{"ParseRoute", "fax", "invalid_request"},
		{"ParseScope", "*", "ok"},
		{"ParseScope", "tablet", "invalid_request"},
		{"ParseConfirmation", "auto", "ok"},
		{"ParseConfirmation", "", "invalid_request"},
		{"ParseInstanceID", "PiIuACmx8Q8R7qPn", "ok"},
		{"ParseInstanceID", "PiIuACmx8Q8R7qP", "invalid_request"},
		{"ParseInstanceID", "PiIuACmx8Q8R7qPn\n", "invalid_request"},
		{"ParseID", "ho_0123456789012345678901", "ok"},
		{"ParseID", "ho_012345678901234567890", "not_found"},
		{"ParseID", "ho_0123456789012345678901/", "not_found"},
	} {
		wantOutcome(t, fmt.Sprintf("%s(%q)", tt.name, tt.input), good[tt.name](tt.input), tt.want)
	}
}

// Each status is a live one or an end, and only a live one can be held.
func TestStatuses(t *testing.T) {
	var held, ended []handoff.Status
	for _, s := range handoff.Statuses() {
		if s.Held() {
			held = append(held, s)
		}
		if s.Ended() {
			ended = append(ended, s)
		}
		if (handoff.Handoff{Status: s}).GoneReason() == "" && s.Ended() {
			t.Errorf("GoneReason(%s) is empty", s)
		}
	}
	if got, want := fmt.Sprint(held), "[claimed confirmed connected delivered]"; got != want {
		t.Errorf("held are %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(ended), "[completed expired cancelled rejected replaced failed]"; got != want {
		t.Errorf("ends are %s, want %s", got, want)
	}
}
