package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/message"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// scene is a page in one of its states, as the other side and the clock bring it
// about.
type scene struct {
	name   string
	policy handoff.Confirmation
	set    func(*setting)
	traits []browser.Trait
	more   map[string]any
	before func(s *story) // before the browser opens the display
	// play goes on until the display, which the browser has open meanwhile, is to show it.
	play func(s *story)
	walk func(s *story, phone *browser.Page) // for a phone's page: what the browser does
	want string                              // data-testid of what is seen then
	// stir is what happens in the browser once the page has loaded.
	stir func(p *browser.Page)
	// status of the page by itself, if not 200: Chromium reports it as a failed load.
	status string
}

// displayScenes are all the screens of a display.
func displayScenes() []scene {
	claim := func(s *story) { s.scan(); s.tap() }
	deliver := func(s *story) { claim(s); s.toApp() }
	end := func(s *story) { s.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/cancel", nil) }
	away := platformsim.Fault{Call: "start", Kind: "status", Status: 503, Count: 1000}
	return []scene{
		{name: "waiting", want: "panel-waiting"},
		{name: "waiting on a phone", want: "action-continue", traits: []browser.Trait{browser.Agent(iPhone), browser.Size(390, 844, 3)}},
		{name: "waiting with a link", play: func(s *story) { s.desk.post(s.made.DisplayURL+"/send", url.Values{"route": {"link"}}) }, want: "link"},
		{name: "waiting with ten digits", play: func(s *story) { s.desk.post(s.made.DisplayURL+"/send", url.Values{"route": {"typed"}}) }, want: "typed-code"},
		{name: "opened", play: func(s *story) { s.scan() }, want: "slot-opened"},
		{name: "opened in an app", play: func(s *story) { s.phone = s.person(instagram); s.scan() }, want: "panel-inapp"},
		{name: "number", policy: handoff.ConfirmAlways, play: claim, want: "panel-number"},
		{name: "wrong number", policy: handoff.ConfirmAlways, play: func(s *story) { claim(s); s.enter(not(s.digits())) }, want: "slot-wrong"},
		{name: "another phone asks", play: func(s *story) {
			claim(s)
			other := s.person(android)
			other.press(other.get(s.code()), "continue")
		}, want: "panel-number"},
		{name: "too many tries", policy: handoff.ConfirmAlways, play: func(s *story) {
			for range handoff.MaxBurnt {
				s.phone = s.person(iPhone)
				claim(s)
				wrong := not(s.digits())
				s.enter(wrong)
				s.enter(wrong)
			}
		}, want: "panel-too_many"},
		{name: "store", play: func(s *story) { claim(s); s.phone.post(s.own.url.String()+"/store", nil) }, want: "panel-store"},
		{name: "connected", play: claim, want: "panel-connected"},
		{name: "delivered", play: deliver, want: "panel-delivered"},
		{name: "stopped", play: func(s *story) { deliver(s); s.report("left") }, want: "panel-stopped"},
		{name: "quiet", play: func(s *story) { deliver(s); s.clock.advance(61 * time.Second); s.open() }, want: "panel-quiet"},
		{name: "completed", play: func(s *story) { deliver(s); s.toEnd() }, want: "panel-completed"},
		{name: "more time", more: map[string]any{"expiresIn": 60}, want: "more"},
		{name: "expired", play: func(s *story) { s.clock.advance(16 * time.Minute); s.wantStatus(s.made.ID, "expired") }, want: "panel-expired"},
		{name: "cancelled", play: end, want: "panel-cancelled"},
		{name: "cancelled after delivery", play: func(s *story) { deliver(s); end(s) }, want: "panel-cancelled_late"},
		{name: "rejected", play: func(s *story) { s.desk.post(s.made.DisplayURL+"/reject", nil) }, want: "panel-rejected"},
		{name: "rejected after delivery", play: func(s *story) { deliver(s); s.desk.post(s.made.DisplayURL+"/reject", nil) }, want: "panel-rejected_late"},
		{name: "replaced", play: func(s *story) {
			for range handoff.MaxLive {
				s.create(map[string]any{"instanceId": s.made.InstanceID})
			}
		}, want: "panel-replaced"},
		{name: "failed", before: func(s *story) {
			if err := s.sim.Fault(platformsim.Fault{Call: "start", Kind: "status", Status: 404, Count: 1}); err != nil {
				s.t.Fatal(err)
			}
		}, want: "panel-failed"},
		{name: "platform away", before: func(s *story) {
			if err := s.sim.Fault(away); err != nil {
				s.t.Fatal(err)
			}
		}, want: "panel-away", status: "503"},
		{name: "offline", stir: func(p *browser.Page) {
			// Again and again: a stream that opens says the opposite.
			browser.Eval[bool](p, `(setInterval(() => window.dispatchEvent(new Event("offline")), 50), true)`)
		}, want: "offline"},
		{name: "code partly in view", traits: []browser.Trait{browser.Size(1280, 260, 1)}, want: "partly"},
		{name: "as its partner has it", set: func(s *setting) { s.dress, s.messenger = dressed, posting{} }, more: map[string]any{
			"contact": map[string]string{"phone": "+44 7400 123456", "email": "jane.doe@mail.example"},
		}, want: "to-email"},
		{name: "messages sent", set: func(s *setting) { s.messenger = posting{} }, play: func(s *story) {
			s.text("sms", "+44 7400 123456")
			s.text("email", "jane.doe@mail.example")
		}, want: "slot-email"},
		{name: "message not sent", set: func(s *setting) { s.messenger = posting{handoff.Errorf(handoff.CodeInvalid, "no such number")} }, play: func(s *story) {
			s.text("sms", "+44 7400 123456")
		}, want: "slot-sms"},
		{name: "for a computer", more: map[string]any{"scope": []string{"desktop"}}, want: "action-continue"},
		{name: "for the app's own scanner", set: tokenMode, want: "panel-waiting"},
	}
}

// posting is a messenger that reads addresses as ours does, and sends nothing, with
// this outcome.
type posting struct{ fault error }

func (posting) Sends(handoff.Route) bool { return true }

func (posting) Recipient(r handoff.Route, text, region string) (handoff.Recipient, error) {
	return (&message.Sender{}).Recipient(r, text, region)
}

func (p posting) Send(context.Context, handoff.Recipient, handoff.Letter) (string, error) {
	return "", p.fault
}

// failing is the setting whose store finds nothing but this fault.
func failing(fault error) func(*setting) {
	return func(s *setting) {
		s.wrap = func(inner handoff.Store) handoff.Store { return outOfOrder{inner, fault} }
	}
}

type outOfOrder struct {
	handoff.Store

	fault error
}

func (o outOfOrder) Lookup(context.Context, handoff.Key) (handoff.Handoff, error) {
	return handoff.Handoff{}, o.fault
}

// dressed is a partner with all that changes its pages: a logo, colours, links, and
// texts of its own, long ones.
func dressed(p *partner.Partner) {
	p.Brand = partner.Brand{
		Color: "#7a1fa2", ColorDark: "#d7a8ff", LogoType: "image/svg+xml",
		Logo: []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 40"><rect width="200" height="40" rx="8" fill="#7a1fa2"/></svg>`),
	}
	p.Name = "Acme Savings and Loan Association of the North"
	p.Links = partner.Links{Support: "https://acme.example/help", Privacy: "https://acme.example/privacy", Legal: "https://acme.example/legal"}
	p.Texts = map[string]map[string]string{
		"display.waiting.heading": {"en": "Show us that it is you, on your phone", "de": "Weisen Sie sich mit Ihrem Smartphone aus"},
		"phone.landing.continue":  {"en": "Yes, this is me", "de": "Ja, das bin ich"},
	}
}

func (sc scene) setting(s *setting) {
	if sc.policy != "" {
		s.confirmation = sc.policy
	}
	if sc.set != nil {
		sc.set(s)
	}
}

// expectedOf is what the browser says of a page with this status.
func expectedOf(status string) []string {
	if status == "" {
		return nil
	}
	return []string{"the server responded with a status of " + status}
}

// phoneScenes are all the pages of a phone. In each the browser ends on the page.
func phoneScenes() []scene {
	landing := func(s *story, p *browser.Page) { s.open(); p.Navigate(s.code()) }
	tapped := func(s *story, p *browser.Page) { landing(s, p); p.Follow("continue") }
	ready := func(s *story, p *browser.Page) { tapped(s, p); p.WaitVisible("open") }
	picked := func(s *story, p *browser.Page) {
		ready(s, p)
		link := p.Attribute("open", "href")
		verifier, _ := pkce()
		s.native("/v1/pickups", map[string]string{"pickup": link[strings.LastIndex(link, "/")+1:], "verifier": verifier}).json(s.t, &s.token)
	}
	spoilt := func(s *story, p *browser.Page) {
		tapped(s, p)
		wrong := not(strings.TrimSpace(browser.Eval[string](p, `document.querySelector('[data-testid="digits"] [aria-hidden]').textContent`)))
		s.enter(wrong)
		s.enter(wrong)
	}
	at := func(path string) func(*story, *browser.Page) {
		return func(s *story, p *browser.Page) { p.Navigate(s.public + path) }
	}
	typed := func(code string) func(*story, *browser.Page) {
		return func(s *story, p *browser.Page) {
			p.Navigate(s.public + "/t/acme")
			browser.Eval[bool](p, `(document.getElementById("code").value = `+quoted(code)+`, document.querySelector("[data-testid=typed-form]").submit(), true)`)
		}
	}
	return []scene{
		{name: "landing", walk: landing, want: "landing", more: map[string]any{"label": "Account opening"}},
		{name: "landing inside an app", walk: landing, want: "inapp", traits: []browser.Trait{browser.Agent(instagram)}},
		{name: "landing on a computer", walk: landing, want: "wrong-device", status: "403", traits: []browser.Trait{browser.Agent(desktop)}},
		{name: "landing, already open elsewhere", walk: func(s *story, p *browser.Page) {
			s.open()
			s.scan()
			s.tap()
			p.Navigate(s.code())
		}, want: "elsewhere", status: "409"},
		{name: "number", policy: handoff.ConfirmAlways, walk: tapped, want: "digits"},
		{name: "ready", walk: ready, want: "open"},
		{name: "ready on Android", walk: ready, want: "open", traits: []browser.Trait{browser.Android}},
		{name: "back from the store", walk: func(s *story, p *browser.Page) {
			ready(s, p)
			browser.Eval[int](p, `fetch(location.pathname + "/store", {method: "POST"}).then((r) => r.status)`)
			p.WaitGone("store") // it reloads itself
		}, want: "open"},
		{name: "delivered", walk: func(s *story, p *browser.Page) { picked(s, p); p.WaitVisible("reopen") }, want: "reopen"},
		{name: "finished", walk: func(s *story, p *browser.Page) { picked(s, p); s.toEnd() }, want: "finished"},
		{name: "stop, asked once more", walk: func(s *story, p *browser.Page) { landing(s, p); p.Follow("reject") }, want: "reject-ask"},
		{name: "stopped", walk: func(s *story, p *browser.Page) { landing(s, p); p.Follow("reject"); p.Follow("reject-sure") }, want: "notice-stopped"},
		{name: "old code", walk: func(s *story, p *browser.Page) {
			s.open()
			code := s.code()
			s.clock.advance(31 * time.Second)
			p.Navigate(code)
		}, want: "notice-old_code", status: "410"},
		{name: "ended", walk: func(s *story, p *browser.Page) {
			landing(s, p)
			s.desk.press(s.open(), "action-cancel")
			p.Reload()
		}, want: "notice-ended", status: "410"},
		{name: "unknown", walk: at("/c/acme/AAAAAAAAAAAAAAAAAAAAAA"), want: "notice-ended", status: "404"},
		{name: "released", walk: func(s *story, p *browser.Page) { tapped(s, p); s.desk.press(s.open(), "action-release") }, want: "notice-other_phone", status: "410"},
		{name: "wrong number", policy: handoff.ConfirmAlways, walk: spoilt, want: "notice-wrong_number", status: "410"},
		{name: "platform away", walk: func(s *story, p *browser.Page) {
			landing(s, p)
			if err := s.sim.Fault(platformsim.Fault{Call: "connect", Kind: "status", Status: 503, Count: 1000}); err != nil {
				s.t.Fatal(err)
			}
			p.Follow("continue")
		}, want: "notice-away", status: "503"},
		{name: "returned to another browser", walk: func(s *story, p *browser.Page) {
			s.desk = s.person(iPhone)
			s.phone = s.desk
			s.own = s.desk.press(s.open(), "action-continue")
			var got token
			s.pickUp().json(s.t, &got)
			p.Navigate(*got.ReturnURL)
		}, want: "notice-elsewhere", status: "403"},
		{name: "typed code", walk: at("/t/acme"), want: "typed"},
		{name: "typed code, too short", walk: typed("12345"), want: "wrong", status: "400"},
		{name: "typed code, unknown", walk: typed("0123456789"), want: "wrong", status: "404"},
		{name: "typed code, too often", walk: func(s *story, p *browser.Page) {
			guesser := s.person(iPhone)
			for range 5 {
				guesser.post(s.public+"/t/acme", url.Values{"code": {"0123456789"}})
			}
			typed("0123456789")(s, p)
		}, want: "wrong", status: "429"},
		{name: "beyond a limit", set: func(s *setting) { s.rates.PagesPerNetwork = few(1) }, walk: func(s *story, p *browser.Page) {
			s.phone.get(s.public + "/t/acme")
			p.Navigate(s.public + "/t/acme")
		}, want: "problem", status: "429"},
		{name: "landing, as its partner has it", set: func(s *setting) { s.dress = dressed }, walk: landing, want: "landing", more: map[string]any{"label": "Opening an account"}},
		{name: "ready, with a web app", set: func(s *setting) { s.webURL = "https://app.acme.example/handoff" }, walk: ready, want: "web"},
		{name: "finished, with a way back", walk: func(s *story, p *browser.Page) { picked(s, p); s.toEnd() }, want: "return", more: map[string]any{"returnUrl": "http://localhost:8999/done"}},
		{name: "from another site", walk: func(s *story, p *browser.Page) {
			browser.Eval[bool](p, `(() => {
				const form = document.createElement("form");
				form.method = "post";
				form.action = `+quoted(s.public+"/t/acme")+`;
				document.body.append(form);
				form.submit();
				return true;
			})()`)
		}, want: "problem", status: "403"},
		{name: "an address that isn't ours", walk: func(s *story, p *browser.Page) {
			p.Navigate(strings.Replace(s.public, "127.0.0.1", "other.localhost", 1) + "/t/acme")
		}, want: "problem", status: "421"},
		{name: "a fault of ours", set: failing(errors.New("out of order")), walk: at("/h/AAAAAAAAAAAAAAAAAAAAAA"), want: "problem", status: "500"},
		{name: "nothing can be saved", set: failing(handoff.Errorf(handoff.CodeStoreUnavailable, "out of order")), walk: at("/h/AAAAAAAAAAAAAAAAAAAAAA"), want: "problem", status: "503"},
		{name: "app link", walk: at("/a/acme/AAAAAAAAAAAAAAAAAAAAAA"), want: "app-link"},
		{name: "no such page", walk: at("/nothing/here"), want: "problem", status: "404"},
		{name: "no such display", walk: at("/h/AAAAAAAAAAAAAAAAAAAAAA"), want: "problem", status: "404"},
	}
}
