package demo

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/phone"
)

// act is a button of the fake phone's: what it does, and what is to be seen then.
type act struct {
	Name   string
	Label  string
	Does   string
	Expect string
	do     func(p *press, ctx context.Context) error
}

// actGroup is a row of buttons.
type actGroup struct {
	Name string
	Acts []act
}

// press is one button being pressed.
type press struct {
	*play

	shop *Shop
}

// acts are all buttons.
func acts() []actGroup {
	return []actGroup{
		{"The good path", []act{
			{"scan", "Scan, tap Continue", "A phone reads the code off the screen, opens its link in Safari and taps Continue.", "The frame says that a phone is connected.", (*press).scanAndContinue},
			{"app", "Scan with the app installed", "The camera opens the app, with no page in between. It claims with PKCE; the person agrees.", "The context is shown, then as with Safari.", (*press).appOpens},
			{"link", "Open the shop's link, tap Continue", "The shop asks for a link of its own, as for a text message, and the phone opens it.", "Links ask for the number: type it in the frame.", (*press).linkAndContinue},
			{"open", "Open the app", "The phone's page is looked at again, its app link tapped, and the app redeems the pickup.", "The frame says: continue in the app.", (*press).openApp},
			{"finish", "Finish the check", "The app completes the journey at the stand-in and reports it.", "The frame says that all is done; the webhook says completed.", (*press).finish},
			{"fail", "Fail the check", "The app fails the journey at the stand-in and reports it.", "The frame says that all is done all the same: the outcome is for records.", (*press).fail},
			{"leave", "Close the app too early", "The app reports that the person left.", "The frame says: stopped on your phone.", (*press).leave},
		}},
		{"Other people and programs", []act{
			{"preview", "Chat preview", "WhatsApp's robot fetches the shop's link: HEAD, GET, and once more as a prefetch.", "200 and an inert page, 503 for the prefetch; the status stays.", (*press).preview},
			{"scanner", "Mail scanner", "A program opens the shop's link and presses every button: Continue, This wasn't me, Stop it.", "It holds a claim that asks for a number, and gives it up. The code in the frame still works.", (*press).scanner},
			{"second", "Second phone", "Another phone opens the shop's link and taps Continue, though the first may be connected.", "Once the first is connected: 409 “Already open somewhere else”, then a number, and the computer is asked. Before, the later phone counts.", (*press).second},
			{"notme", "This wasn't me", "The person who holds the phone says so, and says it again when asked.", "After a scan, or once connected, the handoff is rejected. After a link, only that link is over.", (*press).notMe},
			{"forged", "Forged code", "The code's frame is altered by one step of time and opened.", "The page for old codes, as for any that is not from the screen now.", (*press).forged},
			{"stale", "Photographed code", "First press: the code is photographed. Second, 31 seconds later or more: the photograph is opened.", "“Look at your computer”: a code on a photograph is dead after 30 seconds.", (*press).stale},
		}},
		{"Bad days", []act{
			{"inapp", "Inside Instagram", "The shop's link opens in Instagram's own browser.", "“Open this in your browser”, and the frame names Instagram.", (*press).inApp},
			{"store", "App not installed", "On the phone's page, Get the app is tapped; then the person comes back.", "The frame waits: get the app. The phone's page: installed?", (*press).store},
			{"wrong", "Wrong number", "A number that is not the phone's is typed in the frame.", "One try left; after the second one the claim is over.", (*press).wrongNumber},
			{"lost", "Lost answer to Continue", "Continue is sent and its answer lost; the browser sends the same again.", "The second answer leads to the same page: one claim, not two.", (*press).lostContinue},
			{"lostpickup", "Lost answer to the app", "The app redeems its pickup, the answer is lost, and it repeats it with the same verifier. Then a thief tries another one.", "The same answer again; for the thief 410, used.", (*press).lostPickup},
			{"minute", "One that expires", "The clock is real and nothing turns it. So: the same order again, with the shortest time there is, a minute.", "Wait the minute: the frame says that time is up, the webhook says expired.", nil},
			{"cancel", "The shop cancels", "The shop's server calls POST …/cancel.", "The frame says cancelled; so does the phone's page.", (*press).cancel},
			{"badhook", "Forged webhook", "Somebody tells this shop by POST /hooks that it is completed, signed with a secret of his own.", "401, and nothing in the list.", (*press).forgedHook},
		}},
		{"The platform's bad days: press one, then go on with the good path", []act{
			{"slow", "Slow", "The stand-in's next device/connect takes two seconds.", "The phone waits for two seconds and gets there.", fault(`{"call":"connect","kind":"delay","delayMs":2000,"count":1}`)},
			{"down", "Down", "The stand-in's next two device/connect answer 503.", "The phone says “Just a moment” and tries again by itself: press Open the app to see it do so.", fault(`{"call":"connect","kind":"status","status":503,"count":2}`)},
			{"busy", "Too many calls", "The stand-in's next device/connect answers 429, Retry-After 5.", "“Just a moment” for that long: press Open the app to see it wait.", fault(`{"call":"connect","kind":"status","status":429,"retryAfter":5,"count":1}`)},
			{"gone", "Answer lost", "The stand-in's next device/connect has its effect, and the connection drops.", "The portal starts anew and connects with the new token; nobody notices.", fault(`{"call":"connect","kind":"drop_after","count":1}`)},
		}},
	}
}

func findAct(name string) (act, bool) {
	for _, g := range acts() {
		for _, a := range g.Acts {
			if a.Name == name {
				return a, true
			}
		}
	}
	return act{}, false
}

// first is the phone that plays the good path.
func (p *press) first() *hand {
	if p.phone == nil {
		p.phone = newHand(safariAgent, p.shop.api.http, func(s string) { p.say("%s", s) })
	}
	return p.phone
}

// another is a phone, or a program, that nobody has seen before.
func (p *press) another(agent string) *hand {
	return newHand(agent, p.shop.api.http, func(s string) { p.say("%s", s) })
}

// photograph reads the code off the screen.
func (p *press) photograph(ctx context.Context) (string, error) {
	desk := p.another(deskAgent)
	now, err := p.shop.api.byID(ctx, p.id)
	if err != nil {
		return "", err
	}
	if now.Status == handoff.StatusCreated { // no frame has shown it yet
		if err := desk.visit(ctx, p.trace, p.display); err != nil {
			return "", err
		}
	}
	got, err := desk.request(ctx, http.MethodGet, p.display+"/qr.png", nil, nil)
	if err != nil {
		return "", err
	}
	p.say("camera: %s → %d", plain(got.at), got.status)
	if got.status != http.StatusOK {
		return "", errors.New("there is no code on the screen now: a phone has it, or it is over. In the frame choose Use another phone, or create another")
	}
	return phone.ReadPicture(bytes.NewReader(got.body))
}

// shopLink is a link of the shop's own, the same until it is spent.
func (p *press) shopLink(ctx context.Context) (string, error) {
	if p.link == "" {
		link, err := p.shop.api.link(ctx, p.id)
		if err != nil {
			return "", err
		}
		p.link = link
	}
	return p.link, nil
}

// fresh puts the phone's app and page away, for what begins with a code. The shop
// asks for its link before a phone has the handoff: then there is none to be had.
func (p *press) fresh(ctx context.Context) *hand {
	_, _ = p.shopLink(ctx) // if it cannot be had, the button that wants it says so
	h := p.first()
	h.claim, h.answer, h.pickup, h.owned = nil, nil, "", ""
	return h
}

func (p *press) scanAndContinue(ctx context.Context) error {
	link, err := p.photograph(ctx)
	if err != nil {
		return err
	}
	return p.takeUp(ctx, p.fresh(ctx), link)
}

func (p *press) linkAndContinue(ctx context.Context) error {
	link, err := p.shopLink(ctx)
	if err != nil {
		return err
	}
	return p.takeUp(ctx, p.fresh(ctx), link)
}

// takeUp opens a link and taps Continue.
func (p *press) takeUp(ctx context.Context, h *hand, link string) error {
	if err := h.visit(ctx, p.trace, link); err != nil {
		return err
	}
	if h.owned == "" {
		if err := h.press(ctx, p.trace, "continue"); err != nil {
			return err
		}
	}
	p.sayNumber(h)
	return nil
}

func (p *press) sayNumber(h *hand) {
	if n := h.number(); n != "" {
		p.say("The phone shows %s: type it in the frame.", n)
	}
}

func (p *press) appOpens(ctx context.Context) error {
	link, err := p.photograph(ctx)
	if err != nil {
		return err
	}
	src, err := phone.ParseSource(link, p.shop.portal, "")
	if err != nil {
		return err
	}
	h := p.fresh(ctx)
	claim, err := h.app.Claim(ctx, src)
	if err != nil {
		return err
	}
	h.claim = &claim
	p.say("app: POST /v1/claims → 201 %s", claim.Status)
	p.say("The app shows: %s The person agrees.", claim.Context.Sentence(p.shop.now()))
	p.sayNumber(h)
	if claim.Number != "" {
		return nil
	}
	return p.openApp(ctx)
}

func (p *press) openApp(ctx context.Context) error {
	h := p.first()
	switch {
	case h.answer != nil:
		return errors.New("the app is open already")
	case h.claim != nil:
		a, err := h.app.Token(ctx, *h.claim)
		if err != nil {
			return err
		}
		p.say("app: POST /v1/claims/…/token → 200")
		return p.started(ctx, h, a)
	}
	if err := p.findPickup(ctx, h); err != nil {
		return err
	}
	a, err := h.app.PickUp(ctx, p.shop.portal, h.pickup, h.verifier)
	if err != nil {
		return err
	}
	p.say("app: POST /v1/pickups → 200")
	return p.started(ctx, h, a)
}

// findPickup looks at the phone's page for its app link.
func (p *press) findPickup(ctx context.Context, h *hand) error {
	if h.owned == "" {
		return errors.New("this phone has no page of its own yet: let it scan first")
	}
	if err := p.lookAgain(ctx, h); err != nil {
		return err
	}
	link := find(h.page, "a", "id", "open")
	if link == nil {
		p.sayNumber(h)
		return errors.New("the phone's page has no app link now")
	}
	src, err := phone.ParseSource(attr(link, "href"), p.shop.portal, "")
	if err != nil {
		return err
	}
	if h.pickup != src.Pickup {
		h.pickup, h.verifier = src.Pickup, phone.NewVerifier()
	}
	return nil
}

// lookAgain opens the phone's page, and again when it asks for that itself, as long
// as a person would look at it.
func (p *press) lookAgain(ctx context.Context, h *hand) error {
	for range 4 {
		if err := h.visit(ctx, p.trace, h.owned); err != nil || h.wait == 0 {
			return err
		}
		p.say("The page waits for %s and tries again.", h.wait)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(h.wait):
		}
	}
	return nil
}

// started keeps what the app was given, of which the trace has only the kind.
func (p *press) started(ctx context.Context, h *hand, a phone.Answer) error {
	h.answer = &a
	p.say("The app's server holds an %s token of %d characters. No page does.", a.TokenType, len(a.Token))
	return p.report(ctx, h, handoff.ReportStarted)
}

func (p *press) report(ctx context.Context, h *hand, r handoff.Report) error {
	if err := h.app.Report(ctx, *h.answer, r); err != nil {
		return err
	}
	p.say("app: report %s → 204", r)
	return nil
}

var errNotOpen = errors.New("the app is not open yet: press Open the app first")

func (p *press) finish(ctx context.Context) error {
	return p.end(ctx, handoff.ReportFinished, (*phone.Client).Finish)
}

func (p *press) fail(ctx context.Context) error {
	return p.end(ctx, handoff.ReportFailed, (*phone.Client).Fail)
}

func (p *press) end(ctx context.Context, r handoff.Report, settle func(*phone.Client, context.Context, phone.Answer) error) error {
	h := p.first()
	if h.answer == nil {
		return errNotOpen
	}
	if err := settle(h.app, ctx, *h.answer); err != nil {
		return err
	}
	p.say("app: the end-user token was accepted, and the journey is settled")
	return p.report(ctx, h, r)
}

func (p *press) leave(ctx context.Context) error {
	h := p.first()
	if h.answer == nil {
		return errNotOpen
	}
	return p.report(ctx, h, handoff.ReportLeft)
}
