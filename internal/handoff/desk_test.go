package handoff_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/store/memstore"
	"github.com/handoff-portal/handoff/internal/store/storetest"
)

// The people and programs of the stories.
const (
	anna     = handoff.Secret("cookie-of-anna's-phone")
	ben      = handoff.Secret("cookie-of-ben's-phone")
	instance = handoff.InstanceID("PiIuACmx8Q8R7qPnAkLAqBAT")
)

func verifier(n string) handoff.Secret { return handoff.Secret(strings.Repeat(n, 43)) }

// desk is a handoff, the service that drives it and who works with it. It lives
// in a synctest bubble, where waiting is free.
type desk struct {
	t     *testing.T
	store *examined
	up    *upstream
	svc   *handoff.Service
	vault handoff.Vault

	id  handoff.ID
	key handoff.Secret // of the display
}

// terms are those of an ordinary partner.
func terms() handoff.Terms {
	return handoff.Terms{
		Scope: []handoff.Scope{handoff.ScopeAny}, Confirmation: handoff.ConfirmAuto, ExpiresIn: 15 * time.Minute,
		CompleteWithin: time.Hour, Retain: 24 * time.Hour, Exchange: handoff.ExchangePortal, CodeMode: handoff.CodeLink,
		Frame: 5 * time.Second, Routes: []handoff.Route{handoff.RouteLink, handoff.RouteSMS, handoff.RouteEmail, handoff.RouteLocal},
	}
}

// at tells a story in a bubble, with a handoff of the terms that edit makes.
func at(t *testing.T, edit func(*handoff.Terms), story func(*desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.create(edit)
		story(d)
	})
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	keys, err := keyring.New([]handoff.Secret{handoff.Secret(keyring.Generate())})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, up: newUpstream(), vault: keys}
	d.store = &examined{
		Store: storetest.Unwritten(t, memstore.New()), notified: make(map[handoff.ID]int), latest: make(map[handoff.ID]handoff.Handoff),
		found:       func(id handoff.ID, breach string) { t.Errorf("%s: %s", id, breach) },
		confirmable: func(handoff.Hash) bool { return true },
	}
	d.svc = handoff.NewService(handoff.Config{
		Store: d.store, Vault: keys, Platforms: d.up, Notifier: d.store, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	return d
}

func (d *desk) create(edit func(*handoff.Terms)) {
	d.t.Helper()
	n := handoff.NewHandoff{Partner: partnerID, App: "main", Instance: instance, Terms: terms()}
	if edit != nil {
		edit(&n.Terms)
	}
	h, err := d.svc.Create(d.t.Context(), n)
	if err != nil {
		d.t.Fatalf("Create(): %v", err)
	}
	d.id = h.ID
	if d.key, err = d.svc.DisplayKey(h); err != nil {
		d.t.Fatalf("DisplayKey(): %v", err)
	}
}

// open opens the display.
func (d *desk) open() handoff.Handoff {
	d.t.Helper()
	h, err := d.svc.Display(d.t.Context(), d.key, handoff.Browser{Name: "Chrome", OS: "Windows", Class: handoff.ClassDesktop}, "")
	if err != nil {
		d.t.Fatalf("Display(): %v", err)
	}
	return h
}

// stored is the handoff as it is in the store.
func (d *desk) stored() handoff.Handoff {
	d.t.Helper()
	h, err := d.store.Get(d.t.Context(), d.id)
	if err != nil {
		d.t.Fatalf("Get(%s): %v", d.id, err)
	}
	return h
}

// code is the code of a route, as it is shown now; for a message's route, a new one.
func (d *desk) code(r handoff.Route) handoff.Secret {
	d.t.Helper()
	h := d.stored()
	code, ok, err := d.svc.Code(h, r)
	if err == nil && !ok && r != handoff.RouteQR && r != handoff.RouteLocal {
		_, code, err = d.svc.AddLink(d.t.Context(), h, r)
	}
	if err == nil && r == handoff.RouteQR {
		code, err = d.svc.Framed(h, code)
	}
	if err != nil {
		d.t.Fatalf("the code of %s: %v", r, err)
	}
	return code
}

func visitor(owner handoff.Secret) handoff.Visitor {
	return handoff.Visitor{Owner: owner, Person: true, Browser: handoff.Browser{Name: "Safari", OS: "iOS", Class: handoff.ClassMobile}}
}

// tap is a person's press of Continue.
func tap(owner, code handoff.Secret) handoff.Tap {
	return handoff.Tap{
		Partner: partnerID, Code: code, Visitor: visitor(owner), Attempt: "attempt-of-" + owner,
		Device: handoff.DeviceInfo{ID: "device-of-" + owner.Reveal(), Type: "mobile"},
	}
}

// claim takes the handoff for a phone, by a route.
func (d *desk) claim(owner handoff.Secret, r handoff.Route) handoff.Secret {
	d.t.Helper()
	_, key, err := d.svc.Claim(d.t.Context(), tap(owner, d.code(r)))
	if err != nil {
		d.t.Fatalf("Claim(%s by %s): %v", owner.Reveal(), r, err)
	}
	return key
}

// page opens a phone's own page.
func (d *desk) page(key, owner handoff.Secret) handoff.Phone {
	d.t.Helper()
	p, err := d.svc.PhonePage(d.t.Context(), key, owner)
	if err != nil {
		d.t.Fatalf("PhonePage(): %v", err)
	}
	return p
}

// number types a number on the display.
func (d *desk) number(typed string) handoff.Handoff {
	d.t.Helper()
	h, err := d.svc.Confirm(d.t.Context(), d.key, typed)
	if err != nil {
		d.t.Fatalf("Confirm(%q): %v", typed, err)
	}
	return h
}

// wrong is a number that is not this one.
func wrong(number string) string {
	if number == "0000" {
		return "0001"
	}
	return "0000"
}

// deliver leads the handoff to an app, by way of a phone's browser.
func (d *desk) deliver() (key handoff.Secret, a handoff.TokenAnswer) {
	d.t.Helper()
	key = d.claim(anna, handoff.RouteQR)
	a, err := d.svc.PickUp(d.t.Context(), d.page(key, anna).Pickup, verifier("a"))
	if err != nil {
		d.t.Fatalf("PickUp(): %v", err)
	}
	return key, a
}

// work lets the worker go round once.
func (d *desk) work() {
	d.t.Helper()
	if err := d.svc.Work(d.t.Context()); err != nil {
		d.t.Fatalf("Work(): %v", err)
	}
}

// want compares the status.
func (d *desk) want(s handoff.Status) {
	d.t.Helper()
	if h := d.stored(); h.Status != s {
		d.t.Fatalf("the handoff is %s, want %s", h.Status, s)
	}
}

// outcome spells what a call came to: ok, or the code and the reason.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	if e, is := errors.AsType[*handoff.Error](err); is && e.Reason != "" {
		return string(e.Code) + "/" + string(e.Reason)
	}
	return string(handoff.CodeOf(err))
}

// wantOutcome compares what a call came to.
func wantOutcome(t *testing.T, call string, err error, want string) {
	t.Helper()
	if got := outcome(err); got != want {
		t.Errorf("%s = %s, want %s (%v)", call, got, want, err)
	}
}
