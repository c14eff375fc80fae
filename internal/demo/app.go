package demo

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/phone"
)

// AppConfig is what the app needs to know.
type AppConfig struct {
	PortalURL   string // where pickups and typed codes go
	Partner     handoff.PartnerID
	PlatformURL string       // for an app that is given a bare connect token
	HTTP        *http.Client // default: one with timeouts
	Log         *slog.Logger
	Now         func() time.Time // default: time.Now
}

// app is the bank's app, played by a page: what would be on a phone is this
// server, and what would be its screen is a browser's.
type app struct {
	*site
	AppConfig
	visits *visits[running]
}

// running is the app in one browser. No page is given its secrets.
type running struct {
	device   string         // the same for as long as this browser's app is installed, so to say
	pickup   handoff.Secret // the one it was opened with
	verifier handoff.Secret // of that pickup: the same for every attempt
	claim    *phone.Claim
	agreed   bool
	answer   *phone.Answer
	over     string // how it ended, in a sentence
}

// NewApp returns the app's site.
func NewApp(c AppConfig) (http.Handler, error) {
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: apiLimit}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &app{site: newSite("The Acme app", "", c.Log, c.Now), AppConfig: c, visits: newVisits[running]("demo_app", c.Now)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.locked(a.screen))
	mux.HandleFunc("GET /handoff", a.locked(a.arrive))
	mux.HandleFunc("POST /scan", a.locked(a.scan))
	mux.HandleFunc("POST /agree", a.locked(a.agree))
	mux.HandleFunc("POST /refuse", a.locked(a.refuse))
	mux.HandleFunc("POST /finish", a.locked(a.finish))
	mux.HandleFunc("POST /fail", a.locked(a.fail))
	mux.HandleFunc("POST /leave", a.locked(a.leave))
	mux.HandleFunc("POST /again", a.locked(a.again))
	return a.handler(mux), nil
}

type screenFunc func(w http.ResponseWriter, r *http.Request, client *phone.Client, run *running)

// locked runs a handler alone on its visit, as one app is one process.
func (a *app) locked(f screenFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := a.visits.of(w, r)
		v.Lock()
		defer v.Unlock()
		ctx, cancel := context.WithTimeout(r.Context(), apiLimit)
		defer cancel()
		if v.value.device == "" {
			v.value.device = "demo-app-" + randomText()
		}
		client := phone.NewClient(phone.Config{
			HTTP: a.HTTP, Now: a.now,
			Device: phone.Device{ID: v.value.device, Name: "The Acme app, played by a page"},
		})
		f(w, r.WithContext(ctx), client, &v.value)
	}
}

// restart closes the app and opens it anew, on the same device.
func (run *running) restart() { *run = running{device: run.device} }

// screen serves GET /: whatever the app is at.
func (a *app) screen(w http.ResponseWriter, r *http.Request, client *phone.Client, run *running) {
	switch {
	case run.over != "":
		a.show(w, r, http.StatusOK, view{Title: "Done here"}, appOver(run.over))
	case run.answer != nil:
		a.show(w, r, http.StatusOK, view{Title: "You are in the Acme app"}, appIn(*run.answer))
	case run.pickup != "":
		a.redeem(w, r, client, run)
	case run.claim == nil:
		a.show(w, r, http.StatusOK, view{Title: "Scan with the app"}, appHome())
	case !run.agreed:
		a.show(w, r, http.StatusOK, view{Title: "Is this you?"}, appAsked(run.claim.Context.Sentence(a.now())))
	default:
		a.wait(w, r, client, run)
	}
}

// wait asks for the token once, and again each time the page reloads itself.
func (a *app) wait(w http.ResponseWriter, r *http.Request, client *phone.Client, run *running) {
	answer, err := client.Token(r.Context(), *run.claim)
	if p, ok := errors.AsType[*phone.ProblemError](err); ok && p.Code == handoff.CodeNotConfirmed {
		every := int(max(run.claim.Interval, p.RetryAfter) / time.Second)
		a.show(w, r, http.StatusOK, view{Title: "Type this on your computer", Refresh: every}, appNumber(run.claim.Number))
		return
	}
	a.started(w, r, client, run, answer, err)
}

// arrive serves GET /handoff?pickup=…, the app's web_url. It redeems nothing: it
// keeps the pickup on the server and leads on to an address without it. So a
// prefetch costs nothing, and the page that the person comes from is gone before
// it hears that the token was delivered.
func (a *app) arrive(w http.ResponseWriter, r *http.Request, _ *phone.Client, run *running) {
	pickup := handoff.Secret(r.FormValue("pickup"))
	if pickup == "" {
		a.fault(w, r, http.StatusBadRequest, errors.New("this address takes a pickup"))
		return
	}
	if run.pickup != pickup { // else it is a reload, or a second tap
		run.restart()
		run.pickup, run.verifier = pickup, phone.NewVerifier()
	}
	a.show(w, r, http.StatusOK, view{Title: "Opening", Next: "/"}, appOpening("/"))
}

// redeem exchanges the pickup, with one verifier however often it takes.
func (a *app) redeem(w http.ResponseWriter, r *http.Request, client *phone.Client, run *running) {
	answer, err := client.PickUp(r.Context(), a.PortalURL, run.pickup, run.verifier)
	a.started(w, r, client, run, answer, err)
}

// scan serves POST /scan: what the app's own scanner, or the system's, hands it.
func (a *app) scan(w http.ResponseWriter, r *http.Request, client *phone.Client, run *running) {
	src, err := phone.ParseSource(r.FormValue("code"), a.PortalURL, string(a.Partner))
	if err != nil {
		a.fault(w, r, http.StatusBadRequest, err)
		return
	}
	run.restart()
	switch {
	case src.Pickup != "":
		run.pickup, run.verifier = src.Pickup, phone.NewVerifier()
		a.redeem(w, r, client, run)
	case src.Connect != "":
		a.started(w, r, client, run, phone.Answer{Token: src.Connect, TokenType: "connect", PlatformURL: a.PlatformURL}, nil)
	default:
		claim, err := client.Claim(r.Context(), src)
		if err != nil {
			a.fault(w, r, http.StatusBadGateway, err)
			return
		}
		run.claim = &claim
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// started keeps a token answer, connects where that is the app's job, reports,
// and leads to the screen.
func (a *app) started(w http.ResponseWriter, r *http.Request, client *phone.Client, run *running, answer phone.Answer, err error) {
	if err == nil && answer.IsConnect() {
		answer, err = client.Connect(r.Context(), answer)
	}
	if err != nil {
		if p, ok := errors.AsType[*phone.ProblemError](err); ok && p.Status < http.StatusInternalServerError {
			run.restart() // refused for good: the app starts anew
		}
		a.fault(w, r, http.StatusBadGateway, err)
		return
	}
	run.answer = &answer
	a.report(r.Context(), client, run, handoff.ReportStarted)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// agree serves POST /agree.
func (a *app) agree(w http.ResponseWriter, r *http.Request, _ *phone.Client, run *running) {
	run.agreed = run.claim != nil
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// refuse serves POST /refuse: "This wasn't me".
func (a *app) refuse(w http.ResponseWriter, r *http.Request, client *phone.Client, run *running) {
	if run.claim != nil && run.answer == nil {
		if err := client.Reject(r.Context(), *run.claim); err != nil {
			a.fault(w, r, http.StatusBadGateway, err)
			return
		}
		run.over = "You said that this wasn't you. Acme Bank has been told."
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// finish serves POST /finish: the person has shown document and face, so to say.
func (a *app) finish(w http.ResponseWriter, r *http.Request, client *phone.Client, run *running) {
	a.settle(w, r, client, run, client.Finish, handoff.ReportFinished,
		"The check is finished. Look at your computer: it moves on by itself.")
}

// fail serves POST /fail: the person did not pass. To the portal that is an end as
// good as another; what came of the check is between the bank and the platform.
func (a *app) fail(w http.ResponseWriter, r *http.Request, client *phone.Client, run *running) {
	a.settle(w, r, client, run, client.Fail, handoff.ReportFailed,
		"The check is over, and you did not pass. Your computer says that all is done: the outcome is for Acme Bank.")
}

func (a *app) settle(w http.ResponseWriter, r *http.Request, client *phone.Client, run *running, settle func(context.Context, phone.Answer) error, e handoff.Report, over string) {
	if run.answer != nil && run.over == "" {
		if err := settle(r.Context(), *run.answer); err != nil {
			a.report(r.Context(), client, run, handoff.ReportFailed)
			a.fault(w, r, http.StatusBadGateway, err)
			return
		}
		a.report(r.Context(), client, run, e)
		run.over = over
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// leave serves POST /leave: the person closes the app before the end.
func (a *app) leave(w http.ResponseWriter, r *http.Request, client *phone.Client, run *running) {
	if run.answer != nil && run.over == "" {
		a.report(r.Context(), client, run, handoff.ReportLeft)
		run.over = "You closed the app before the end. Your computer says so too."
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// again serves POST /again: the app is closed and opened anew.
func (a *app) again(w http.ResponseWriter, r *http.Request, _ *phone.Client, run *running) {
	run.restart()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// report tells the portal. A report is a hint, so a lost one stops nothing.
func (a *app) report(ctx context.Context, client *phone.Client, run *running, e handoff.Report) {
	if run.answer.ReportURL == "" {
		return
	}
	if err := client.Report(ctx, *run.answer, e); err != nil {
		a.log.WarnContext(ctx, "report failed", "event", e, "error", err)
	}
}
