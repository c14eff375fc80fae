package handoff_test

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// upstream keeps the platform's rules without its wire. The tests of what goes
// over the wire use the real client and platformsim; the walks use this one,
// because they make hundreds of thousands of calls, and because a call here can
// be stopped half-way: the process dies in it, or something else happens
// meanwhile. Its tokens can be told from everything else in a store.
type upstream struct {
	// before is called at the start of each call, with no lock held. What it
	// returns goes wrong with this call. It may sleep, and may never return.
	before func(call string) fault

	mu       sync.Mutex
	tokens   map[handoff.Secret]*connectToken // guarded by mu
	endUser  map[handoff.Secret]handoff.InstanceID
	states   map[handoff.InstanceID]handoff.JourneyState
	calls    map[string]int
	breaches []string
	lifetime time.Duration // of an end-user token
}

// connectToken is what the platform remembers of one.
type connectToken struct {
	instance handoff.InstanceID
	scope    []handoff.Scope
	expires  time.Time
	spent    bool
	tried    int  // calls of ConnectDevice that brought it
	handed   bool // an app was given it, to connect by itself
}

// fault is what goes wrong with one call.
type fault int

const (
	faultNone        fault = iota
	faultUnavailable       // nothing happens
	faultLost              // it happens, and the answer is lost
	faultSpent             // the connect token is no good
	faultUnknown           // no such journey
	faultDevice            // this device may not connect
)

func newUpstream() *upstream {
	return &upstream{
		before:   func(string) fault { return faultNone },
		tokens:   make(map[handoff.Secret]*connectToken),
		endUser:  make(map[handoff.Secret]handoff.InstanceID),
		states:   make(map[handoff.InstanceID]handoff.JourneyState),
		calls:    make(map[string]int),
		lifetime: time.Hour,
	}
}

const (
	connectPrefix = "connect-canary-"
	endUserPrefix = "enduser-canary-"
)

func unavailable() error {
	e := handoff.Errorf(handoff.CodePlatformUnavailable, "the verification service is not answering")
	e.RetryAfter = 5 * time.Second
	return e
}

// begin counts a call and asks what goes wrong with it.
func (u *upstream) begin(call string) fault {
	f := u.before(call)
	u.mu.Lock()
	u.calls[call]++
	u.mu.Unlock()
	return f
}

// count is how often a call was made.
func (u *upstream) count(call string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.calls[call]
}

// Platform makes u the platform of every partner.
func (u *upstream) Platform(handoff.PartnerID) (handoff.Platform, error) { return u, nil }

func (u *upstream) URL() string { return "https://platform.example/v2/captain" }

func (u *upstream) StartJourney(context.Context, handoff.Journey) (handoff.InstanceID, error) {
	if f := u.begin("journey"); f == faultLost {
		return "", handoff.Errorf(handoff.CodeJourneyLost, "no answer")
	} else if f != faultNone {
		return "", unavailable()
	}
	return handoff.InstanceID("Pi" + rand.Text()), nil
}

func (u *upstream) StartDevice(_ context.Context, instance handoff.InstanceID, scope []handoff.Scope) (handoff.ConnectToken, error) {
	f := u.begin("start")
	u.mu.Lock()
	defer u.mu.Unlock()
	if f == faultUnknown || u.states[instance] != handoff.JourneyRunning {
		return handoff.ConnectToken{}, handoff.Errorf(handoff.CodeUnknownJourney, "no such journey")
	}
	if f == faultUnavailable {
		return handoff.ConnectToken{}, unavailable()
	}
	t := handoff.ConnectToken{Token: handoff.Secret(connectPrefix + rand.Text()), ExpiresAt: time.Now().Add(120 * time.Second)}
	u.tokens[t.Token] = &connectToken{instance: instance, scope: scope, expires: t.ExpiresAt}
	if f == faultLost {
		return handoff.ConnectToken{}, unavailable()
	}
	return t, nil
}

func (u *upstream) ConnectDevice(_ context.Context, token handoff.Secret, d handoff.DeviceInfo) (handoff.EndUserToken, error) {
	u.mu.Lock()
	c := u.tokens[token]
	if c == nil {
		u.breaches = append(u.breaches, "a connect with a token that never was")
		c = &connectToken{spent: true}
	}
	c.tried++
	if c.tried > 1 {
		u.breaches = append(u.breaches, "two connects with one connect token")
	}
	if c.handed {
		u.breaches = append(u.breaches, "a connect with a connect token that an app was given")
	}
	u.mu.Unlock()
	f := u.begin("connect")
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case f == faultUnavailable:
		return handoff.EndUserToken{}, unavailable()
	case f == faultUnknown:
		return handoff.EndUserToken{}, handoff.Errorf(handoff.CodeUnknownJourney, "no such journey")
	case f == faultSpent || c.spent || !time.Now().Before(c.expires):
		return handoff.EndUserToken{}, handoff.Errorf(handoff.CodeConnectSpent, "connect token used")
	case f == faultDevice || !handoff.Allows(c.scope, handoff.Class(d.Type)):
		return handoff.EndUserToken{}, handoff.Errorf(handoff.CodeDeviceNotAllowed, "device type not allowed")
	}
	c.spent = true
	t := handoff.EndUserToken{Token: handoff.Secret(endUserPrefix + rand.Text()), ExpiresAt: time.Now().Add(u.lifetime)}
	u.endUser[t.Token] = c.instance
	if f == faultLost {
		return handoff.EndUserToken{}, handoff.Errorf(handoff.CodeConnectLost, "no answer")
	}
	return t, nil
}

func (u *upstream) State(_ context.Context, instance handoff.InstanceID) (handoff.JourneyState, error) {
	if u.begin("state") != faultNone {
		return handoff.JourneyRunning, unavailable()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.states[instance], nil
}

// settle moves a journey.
func (u *upstream) settle(instance handoff.InstanceID, s handoff.JourneyState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.states[instance] = s
}

// broken returns what was done that the platform forbids, and forgets it.
func (u *upstream) broken() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	b := u.breaches
	u.breaches = nil
	return slices.Clip(b)
}

// secrets are all tokens ever made.
func (u *upstream) secrets() []handoff.Secret {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []handoff.Secret
	for t := range u.tokens {
		all = append(all, t)
	}
	for t := range u.endUser {
		all = append(all, t)
	}
	return all
}
