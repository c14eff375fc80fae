package handoff_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// allSteps is everything that may happen in a walk, and how often.
func (w *walk) allSteps() []step {
	return []step{
		{"create", 3, w.create},
		{"display", 8, w.display},
		{"link", 4, w.link},
		{"revoke", 2, w.revoke},
		{"land", 8, w.land},
		{"claim", 14, w.claim},
		{"app claims", 12, w.appClaim},
		{"confirm", 14, w.confirm},
		{"phone page", 14, w.phonePage},
		{"phone status", 3, w.phoneStatus},
		{"reopen", 4, w.reopen},
		{"at store", 2, w.atStore},
		{"tap the app link", 2, w.tapped},
		{"pick up", 14, w.pickUp},
		{"app asks for its token", 12, w.appToken},
		{"report", 5, w.report},
		{"release", 3, w.release},
		{"renew the code", 3, w.renewCode},
		{"extend", 4, w.extend},
		{"continue here", 4, w.continueHere},
		{"begin here", 2, w.beginHere},
		{"return", 3, w.comeBack},
		{"watch", 5, w.watch},
		{"send again", 1, w.sendAgain},
		{"refuse a code", 2, w.refuse},
		{"refuse a claim", 1, w.refuseClaim},
		{"refuse in the app", 1, w.refuseInApp},
		{"an end", 1, w.end},
		{"the journey settles", 1, w.settle},
		{"time passes", 16, w.wait},
		{"work", 14, w.work},
	}
}

func pick[T any](w *walk, of ...T) T { return of[w.rng.IntN(len(of))] }

func (w *walk) create() error {
	if len(w.ids) >= 8 {
		return nil
	}
	terms := handoff.Terms{
		Scope:          pick(w, []handoff.Scope{handoff.ScopeMobile}, []handoff.Scope{handoff.ScopeAny}, []handoff.Scope{handoff.ScopeMobile, handoff.ScopeDesktop}),
		Confirmation:   pick(w, handoff.ConfirmNever, handoff.ConfirmLinks, handoff.ConfirmAuto, handoff.ConfirmAlways),
		ExpiresIn:      pick(w, time.Minute, 15*time.Minute, 15*time.Minute, 2*time.Hour, 24*time.Hour),
		CompleteWithin: pick(w, 3*time.Minute, time.Hour), Retain: pick(w, time.Minute, 24*time.Hour),
		Exchange: pick(w, handoff.ExchangePortal, handoff.ExchangeApp),
		CodeMode: pick(w, handoff.CodeLink, handoff.CodeLink, handoff.CodeLink, handoff.CodeToken),
		Frame:    pick(w, 0, 5*time.Second, time.Second),
		Routes:   pick(w, nil, []handoff.Route{handoff.RouteLink, handoff.RouteSMS, handoff.RouteEmail, handoff.RouteLocal}, []handoff.Route{handoff.RouteLocal}),
	}
	if terms.CodeMode == handoff.CodeToken {
		terms.Confirmation = handoff.ConfirmNever
	}
	n := handoff.NewHandoff{Partner: partnerID, App: "main", Instance: pick(w, w.instances[0], w.instances[0], w.instances[1]), Terms: terms}
	if w.chance(10) {
		n.Instance, n.Journey = "", &handoff.Journey{ResourceID: "resource@latest"}
	}
	var h handoff.Handoff
	var again bool
	var err error
	if w.chance(30) {
		r := handoff.NewRequest(partnerID, pick(w, "a", "b"), []byte(pick(w, "body", "body", "another")))
		h, again, err = w.svc().CreateOnce(w.t.Context(), n, r)
	} else {
		h, err = w.svc().Create(w.t.Context(), n)
	}
	if err != nil {
		return err
	}
	if again {
		w.say(": %s again", h.ID)
		return nil
	}
	w.say(": %s %+v", h.ID, terms)
	w.ids = append(w.ids, h.ID)
	key, err := w.svc().DisplayKey(h)
	w.displays = append(w.displays, foundDisplay{id: h.ID, key: key})
	return err
}

// ended reports whether nothing may come out of a handoff any more.
func (w *walk) ended(id handoff.ID) bool {
	h := w.store.now(id)
	return h.Status.Ended() || h.Poll.Final || !time.Now().Before(h.Deadline)
}

func (w *walk) display() error {
	d, ok := oneOf(w, w.displays)
	if !ok {
		return nil
	}
	h, err := w.svc().Display(w.t.Context(), d.key, handoff.Browser{Name: "Chrome", OS: "Windows", Class: handoff.ClassDesktop}, "")
	w.say(" %s: %s", d.id, h.Status)
	if err != nil {
		return err
	}
	token, tokenErr := w.svc().ConnectToken(h)
	if h.Terms.CodeMode != handoff.CodeToken && token != "" {
		w.fault("%s: the display of a handoff with links was given the connect token", h.ID)
	}
	shown := h.Status == handoff.StatusDisplayed || h.Status == handoff.StatusOpened
	if h.Terms.CodeMode == handoff.CodeToken && shown && h.Work == nil && !w.ended(h.ID) && tokenErr != nil {
		w.fault("%s: the display has no connect token to show: %v", h.ID, tokenErr)
	}
	return nil
}

func (w *walk) link() error {
	d, ok := oneOf(w, w.displays)
	if !ok {
		return nil
	}
	r := pick(w, handoff.RouteLink, handoff.RouteSMS, handoff.RouteEmail, handoff.RoutePartner)
	w.say(" %s %s", d.id, r)
	if r != handoff.RoutePartner {
		_, err := w.svc().LinkAtDisplay(w.t.Context(), d.key, r)
		return err
	}
	h, err := w.svc().Partners(w.t.Context(), partnerID, d.id)
	if err != nil {
		return err
	}
	_, _, err = w.svc().AddLink(w.t.Context(), h, r)
	return err
}

func (w *walk) revoke() error {
	d, ok := oneOf(w, w.displays)
	if !ok {
		return nil
	}
	r := pick(w, handoff.RouteQR, handoff.RouteLink, handoff.RouteSMS, handoff.RoutePartner, handoff.RouteLocal)
	w.say(" %s %s", d.id, r)
	_, err := w.svc().Revoke(w.t.Context(), d.key, r)
	return err
}

// phone is one of three browsers, two of them on phones.
func (w *walk) phone() (handoff.Visitor, handoff.DeviceInfo) {
	n := w.rng.IntN(3)
	class := []handoff.Class{handoff.ClassMobile, handoff.ClassMobile, handoff.ClassDesktop}[n]
	v := handoff.Visitor{
		Owner: handoff.Secret(fmt.Sprintf("cookie-of-phone-%d-cookie", n)), Person: w.chance(70),
		Browser: handoff.Browser{Name: "Safari", OS: "iOS", Class: class, InApp: pick(w, "", "", "Instagram")},
	}
	return v, handoff.DeviceInfo{ID: fmt.Sprintf("device-of-phone-%d", n), Type: string(class)}
}

// found is a code somebody saw, damaged now and then.
func (w *walk) found() (int, handoff.Secret, bool) {
	if len(w.codes) == 0 {
		return 0, "", false
	}
	i := w.rng.IntN(len(w.codes))
	if w.chance(70) {
		i = len(w.codes) - 1 - w.rng.IntN(min(4, len(w.codes)))
	}
	code := w.codes[i].code
	reference, _, framed := strings.Cut(code.Reveal(), ".")
	if framed && w.chance(30) { // the way out of an in-app browser leaves the frame behind
		code = handoff.Secret(reference)
	}
	if w.chance(4) {
		code = "0" + code[1:]
	}
	w.say(" %s by %s", w.codes[i].id, w.codes[i].route)
	return i, code, true
}

func (w *walk) land() error {
	i, code, ok := w.found()
	if !ok {
		return nil
	}
	v, _ := w.phone()
	if w.chance(10) {
		v.Owner = ""
	}
	l, err := w.svc().Land(w.t.Context(), partnerID, code, w.codes[i].opened, v)
	if l.Opened != "" {
		w.codes[i].opened = l.Opened
	}
	if l.Mine != "" {
		w.claims = append(w.claims, foundClaim{w.codes[i].id, l.Mine, v.Owner})
	}
	return err
}

func (w *walk) claim() error {
	i, code, ok := w.found()
	if !ok {
		return nil
	}
	v, d := w.phone()
	h, key, err := w.svc().Claim(w.t.Context(), handoff.Tap{
		Partner: partnerID, Code: code, Opened: w.codes[i].opened, Visitor: v, Device: d,
		Attempt: handoff.Secret(fmt.Sprintf("attempt-%d-of-%s", w.rng.IntN(3), v.Owner.Reveal())),
		Instead: w.chance(30), Again: w.chance(30), Risk: w.chance(10),
	})
	if err != nil {
		return err
	}
	w.say(": %s by %s", h.Status, v.Owner.Reveal())
	if key == "" {
		w.fault("%s: a claim without a key", h.ID)
	}
	w.claims = append(w.claims, foundClaim{h.ID, key, v.Owner})
	if w.chance(70) { // the browser follows the redirect to its own page
		return w.visit(foundClaim{h.ID, key, v.Owner})
	}
	return nil
}

func (w *walk) continueHere() error {
	d, ok := oneOf(w, w.displays)
	if !ok {
		return nil
	}
	v, device := w.phone()
	w.say(" %s by %s", d.id, v.Owner.Reveal())
	h, key, err := w.svc().ContinueHere(w.t.Context(), d.key, v, device)
	if err == nil {
		w.claims = append(w.claims, foundClaim{h.ID, key, v.Owner})
	}
	return err
}

func challengeOf(verifier handoff.Secret) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (w *walk) appClaim() error {
	i, code, ok := w.found()
	if !ok {
		return nil
	}
	n := w.rng.IntN(3)
	verifier := handoff.Secret(fmt.Sprintf("verifier-%d-%s", n, strings.Repeat("v", 40)))
	a, err := w.svc().ClaimForApp(w.t.Context(), handoff.AppTap{
		Partner: partnerID, Code: code, Opened: w.codes[i].opened, Challenge: challengeOf(verifier),
		Device: handoff.DeviceInfo{ID: fmt.Sprintf("device-of-app-%d-app", n), Type: pick(w, "", "mobile")},
	})
	if err != nil {
		return err
	}
	w.say(": %s by app %d", a.Handoff.Status, n)
	if a.Expires <= 0 && !w.ended(a.Handoff.ID) && a.Handoff.Status.Held() {
		w.say(" (its lease is over: %s)", a.Expires)
	}
	w.apps = append(w.apps, foundApp{a.Handoff.ID, a.ClaimID, verifier})
	if a.Number != "" {
		w.numbers[handoff.HashOf(a.ClaimID)] = a.Number
	}
	return nil
}

// asking is the claim whose number the display asks for, if it asks for one.
func asking(h handoff.Handoff) *handoff.Claim {
	if h.Rival != nil {
		return h.Rival
	}
	return h.Claim
}

// confirm types a number on a display: the right one in half of the cases.
func (w *walk) confirm() error {
	d, ok := oneOf(w, w.displays)
	if !ok {
		return nil
	}
	for range 4 { // where a number is asked for, people see it
		if c := asking(w.store.now(d.id)); c == nil || w.numbers[c.Hash] == "" {
			d, _ = oneOf(w, w.displays)
		}
	}
	claim := asking(w.store.now(d.id))
	number, right, first := pick(w, "", "0000", "12345", "٤٨٣١"), false, false
	if claim != nil {
		if known := w.numbers[claim.Hash]; known != "" {
			number = known
			if right = w.chance(55); !right {
				last := known[3]
				number = known[:3] + string('0'+(last-'0'+1)%10)
			}
		}
		if right { // as people type it
			number = pick(w, number, number[:2]+" "+number[2:], arabic(number))
			first = !w.typed[claim.Hash]
			w.typed[claim.Hash] = true
		}
		for _, c := range w.store.now(d.id).Waiting { // it may be right for one of those beside
			if w.numbers[c.Hash] == number {
				w.typed[c.Hash] = true
			}
		}
	}
	h, err := w.svc().Confirm(w.t.Context(), d.key, number)
	w.say(" %s right=%t: %s", d.id, right, h.Status)
	if first && err != nil {
		delete(w.typed, claim.Hash)
	}
	if right && err == nil && h.Status != handoff.StatusConfirmed {
		w.fault("%s: the right number %s left it %s", h.ID, number, h.Status)
	}
	return err
}

// arabic writes digits as they are written in Arabic.
func arabic(digits string) string {
	var b strings.Builder
	for _, r := range digits {
		b.WriteRune('٠' + r - '0')
	}
	return b.String()
}

func (w *walk) phonePage() error {
	c, ok := oneOf(w, w.claims)
	if !ok {
		return nil
	}
	return w.visit(c)
}

// visit opens a phone's own page.
func (w *walk) visit(c foundClaim) error {
	owner := c.owner
	if w.chance(5) {
		owner = "the-cookie-of-someone-else"
	}
	p, err := w.svc().PhonePage(w.t.Context(), c.key, owner)
	w.say(" %s by %s: %s", c.id, owner.Reveal(), p.Handoff.Status)
	if owner != c.owner && (err == nil || p.Number != "" || p.Pickup != "" || p.Handoff.ID != "") {
		w.fault("%s: a foreign cookie was shown the phone's page", c.id)
	}
	if p.Number != "" {
		w.numbers[handoff.HashOf(c.key)] = p.Number
	}
	if p.Pickup != "" {
		if w.ended(c.id) {
			w.fault("%s: a pickup was shown after the end", c.id)
		}
		w.pickups = append(w.pickups, foundPickup{c.id, handoff.HashOf(c.key), p.Pickup})
	}
	return err
}

func (w *walk) phoneStatus() error {
	c, ok := oneOf(w, w.claims)
	if !ok {
		return nil
	}
	h, err := w.svc().PhoneStatus(w.t.Context(), c.key, c.owner)
	w.say(" %s: %s", c.id, h.Status)
	return err
}

func (w *walk) reopen() error {
	c, ok := oneOf(w, w.claims)
	if !ok {
		return nil
	}
	h, err := w.svc().Reopen(w.t.Context(), c.key, c.owner)
	w.say(" %s: %s", c.id, h.Status)
	return err
}

func (w *walk) atStore() error {
	c, ok := oneOf(w, w.claims)
	if !ok {
		return nil
	}
	_, err := w.svc().AtStore(w.t.Context(), c.key, c.owner)
	return err
}

func (w *walk) tapped() error {
	c, ok := oneOf(w, w.claims)
	if !ok {
		return nil
	}
	_, err := w.svc().TapAtPhone(w.t.Context(), c.key, c.owner)
	return err
}

// receive examines a token answer: it is for one receiver, made by the platform
// for this journey, and comes before an end and with the claim in force.
func (w *walk) receive(a handoff.TokenAnswer, by string, claim handoff.Hash, verifier handoff.Secret, wasOver bool) {
	if wasOver {
		w.fault("%s: a token was given after the end", a.Handoff)
	}
	if first, had := w.given[a.Token]; had && (first.by != by || first.verifier != verifier) {
		w.fault("%s: %s and %s were given the same token", a.Handoff, first.by, by)
	}
	w.given[a.Token] = receiver{by, verifier}
	w.up.mu.Lock()
	defer w.up.mu.Unlock()
	if a.Connect {
		c := w.up.tokens[a.Token]
		if c == nil || c.instance != a.Instance || c.tried > 0 {
			w.fault("%s: an app was given the connect token %+v", a.Handoff, c)
		} else {
			c.handed = true
		}
	} else if instance, ok := w.up.endUser[a.Token]; !ok || instance != a.Instance {
		w.fault("%s: an app was given a token of %q", a.Handoff, instance)
	}
	h := w.store.now(a.Handoff)
	if h.Claim == nil || h.Claim.Hash != claim || h.Status != handoff.StatusDelivered {
		w.fault("%s: a token was given to a claim that is not in force", a.Handoff)
	}
	w.reports = append(w.reports, a.ReportKey)
	if a.Response != "" {
		w.responses = append(w.responses, a.Response)
	}
}

func (w *walk) pickUp() error {
	p, ok := oneOf(w, w.pickups)
	if !ok {
		return nil
	}
	n := 0
	if w.chance(25) {
		n = 1
	}
	verifier := handoff.Secret(fmt.Sprintf("pickup-verifier-%d-%s", n, strings.Repeat("p", 40)))
	over := w.ended(p.id)
	a, err := w.svc().PickUp(w.t.Context(), p.pickup, verifier)
	w.say(" %s by verifier %d", p.id, n)
	if err == nil {
		w.receive(a, "pickup "+handoff.HashOf(p.pickup).String(), p.claim, verifier, over)
	}
	return err
}

func (w *walk) appToken() error {
	c, ok := oneOf(w, w.apps)
	if !ok {
		return nil
	}
	verifier := c.verifier
	if w.chance(5) {
		verifier = handoff.Secret(strings.Repeat("x", 43))
	}
	over := w.ended(c.id)
	a, err := w.svc().TokenForApp(w.t.Context(), c.claimID, verifier)
	w.say(" %s", c.id)
	if err != nil {
		return err
	}
	if verifier != c.verifier {
		w.fault("%s: a wrong verifier was given a token", c.id)
	}
	w.receive(a, "app "+handoff.HashOf(c.claimID).String(), handoff.HashOf(c.claimID), verifier, over)
	return nil
}

func (w *walk) report() error {
	key, ok := oneOf(w, w.reports)
	if !ok {
		return nil
	}
	return w.svc().Report(w.t.Context(), key, pick(w, handoff.ReportStarted, handoff.ReportLeft, handoff.ReportFailed, handoff.ReportFinished))
}

// atDisplay does something with one of the displays.
func (w *walk) atDisplay(do func(handoff.Secret) (handoff.Handoff, error)) error {
	d, ok := oneOf(w, w.displays)
	if !ok {
		return nil
	}
	h, err := do(d.key)
	w.say(" %s: %s", d.id, h.Status)
	return err
}

func (w *walk) release() error {
	return w.atDisplay(func(key handoff.Secret) (handoff.Handoff, error) { return w.svc().Release(w.t.Context(), key) })
}

func (w *walk) renewCode() error {
	return w.atDisplay(func(key handoff.Secret) (handoff.Handoff, error) { return w.svc().RenewCode(w.t.Context(), key) })
}

func (w *walk) extend() error {
	return w.atDisplay(func(key handoff.Secret) (handoff.Handoff, error) { return w.svc().Extend(w.t.Context(), key) })
}

func (w *walk) beginHere() error {
	d, ok := oneOf(w, w.displays)
	if !ok {
		return nil
	}
	v, _ := w.phone()
	w.say(" %s by %s", d.id, v.Owner.Reveal())
	return w.svc().BeginHere(w.t.Context(), w.store.now(d.id), v.Owner)
}

// comeBack is an app's return to a browser: only to the one that began.
func (w *walk) comeBack() error {
	response, ok := oneOf(w, w.responses)
	if !ok {
		return nil
	}
	v, _ := w.phone()
	h, key, err := w.svc().Returned(w.t.Context(), response, v.Owner)
	w.say(" %s by %s", h.ID, v.Owner.Reveal())
	if c := w.store.now(h.ID).Claim; err == nil && (c == nil || !c.Owner.Matches(v.Owner) || c.Hash != handoff.HashOf(key)) {
		w.fault("%s: a browser that did not begin was told the page of the one that did", h.ID)
	}
	return err
}

func (w *walk) watch() error {
	d, ok := oneOf(w, w.displays)
	if !ok {
		return nil
	}
	if h := w.store.now(d.id); !h.Poll.Next.IsZero() {
		return w.svc().Watch(w.t.Context(), h)
	}
	return nil
}

func (w *walk) refuse() error {
	i, code, ok := w.found()
	if !ok {
		return nil
	}
	v, d := w.phone()
	h, err := w.svc().Refuse(w.t.Context(), handoff.Tap{Partner: partnerID, Code: code, Opened: w.codes[i].opened, Visitor: v, Device: d})
	w.say(": %s", h.Status)
	return err
}

func (w *walk) refuseClaim() error {
	c, ok := oneOf(w, w.claims)
	if !ok {
		return nil
	}
	h, err := w.svc().RefuseClaim(w.t.Context(), c.key, c.owner)
	w.say(" %s: %s", c.id, h.Status)
	return err
}

func (w *walk) refuseInApp() error {
	c, ok := oneOf(w, w.apps)
	if !ok {
		return nil
	}
	w.say(" %s", c.id)
	return w.svc().RefuseForApp(w.t.Context(), c.claimID, c.verifier)
}

func (w *walk) end() error {
	d, ok := oneOf(w, w.displays)
	if !ok {
		return nil
	}
	h, err := w.svc().Partners(w.t.Context(), partnerID, d.id)
	if err != nil {
		return err
	}
	switch w.rng.IntN(6) {
	case 0:
		h, err = w.svc().Cancel(w.t.Context(), h)
	case 1:
		h, err = w.svc().Complete(w.t.Context(), h, true)
	case 2:
		h, err = w.svc().Complete(w.t.Context(), h, false)
	case 3:
		h, err = w.svc().CancelAtDisplay(w.t.Context(), d.key)
	case 4:
		h, err = w.svc().RejectAtDisplay(w.t.Context(), d.key)
	case 5:
		h, err = w.svc().NoPhone(w.t.Context(), d.key)
	}
	w.say(" %s: %s", d.id, h.Status)
	return err
}

func (w *walk) settle() error {
	h, ok := oneOf(w, w.ids)
	if !ok {
		return nil
	}
	w.up.settle(w.store.now(h).Instance, pick(w, handoff.JourneyFinished, handoff.JourneyFailed))
	return nil
}

func (w *walk) wait() error {
	d := pick(w, 0, time.Second, time.Second, 3*time.Second, 3*time.Second, 6*time.Second, 6*time.Second, 15*time.Second, 31*time.Second,
		31*time.Second, 61*time.Second, 61*time.Second, 95*time.Second, 2*time.Minute, 4*time.Minute)
	if w.chance(10) {
		d = pick(w, 6*time.Minute, 20*time.Minute, 3*time.Hour)
	}
	d += time.Duration(w.rng.IntN(1000)) * time.Millisecond
	w.say(" %s", d)
	time.Sleep(d)
	return nil
}

// work does what the worker does in one round, one handoff after the other. When
// it is done, nothing is due.
func (w *walk) work() error {
	ids, err := w.store.Due(w.t.Context(), time.Now(), 100)
	if err != nil {
		return err
	}
	for _, id := range ids {
		now := time.Now()
		if err := w.svc().Tick(w.t.Context(), id); err != nil && handoff.CodeOf(err) != handoff.CodeNotFound {
			return err
		}
		h, err := w.store.Get(w.t.Context(), id)
		if err == nil && !h.DueAt().After(now) && !h.Forgotten(now) { // what was told last goes in the next turn
			w.fault("%s: still due at %s, after the worker's turn at %s", id, h.DueAt(), now)
		}
	}
	return nil
}
