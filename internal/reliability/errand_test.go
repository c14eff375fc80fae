package reliability_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/phone"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// errand is a handoff whose people lose no time. It waits for the others before the
// call of the platform that is at fault, and ends by the journey's own state.
type errand struct {
	w        *world
	client   *http.Client
	partner  *partnerServer
	made     made
	instance string
	viewer   *viewer
	end      string // the status that people were left with

	before func(ctx context.Context, call string) // the platform is called next; nil: nobody minds
	meets  func()                                 // the fault was met, or there was none to meet
	waited func()                                 // a page said to wait; nil: nobody minds
	once   sync.Once
	told   bool     // somebody was told to wait, or that this device will not do
	rude   []string // pages that said to wait, and not for how long
}

func (w *world) errand(client *http.Client) *errand {
	return &errand{w: w, client: client, partner: &partnerServer{client, w.public, w.key.Reveal()}, instance: newInstance()}
}

func (e *errand) at(ctx context.Context, call string) {
	if e.before != nil {
		e.before(ctx, call)
	}
}

func (e *errand) met() {
	if e.meets != nil {
		e.once.Do(e.meets)
	}
}

// waits looks at a page that says to wait.
func (e *errand) waits(p page) {
	if p.status != http.StatusServiceUnavailable || p.after == "" {
		e.rude = append(e.rude, fmt.Sprintf("%s: status %d with Retry-After %q", route(p.url.String()), p.status, p.after))
	}
	e.told = true
	if e.waited != nil {
		e.waited()
	}
	e.met()
}

// play goes all the way, or to where the platform says that there is none.
func (e *errand) play(ctx context.Context) error {
	defer e.met() // who is at an end waits for nothing
	status, _, err := e.partner.call(ctx, http.MethodPost, "/v1/handoffs", map[string]any{"instanceId": e.instance}, &e.made)
	if err != nil || status != http.StatusCreated {
		return fmt.Errorf("creating: status %d, %w", status, orNone(err))
	}
	desk := newBrowser(e.client, desktopAgent)
	desk.waits = e.waits
	e.at(ctx, "start")
	display, err := desk.load(ctx, http.MethodGet, e.made.DisplayURL, nil)
	if err != nil || display.status != http.StatusOK {
		return fmt.Errorf("the display: status %d, %w", display.status, orNone(err))
	}
	if display.find(`[data-testid="panel-failed"]:not([hidden])`).Length() > 0 {
		e.end = "failed"
		return nil
	}
	e.viewer = &viewer{b: desk, display: e.made.DisplayURL}
	watching := make(chan struct{})
	seeing, leaves := context.WithCancel(ctx)
	go func() {
		defer close(watching)
		e.viewer.follow(seeing)
	}()
	defer func() {
		leaves()
		<-watching
	}()
	link, _ := display.find("a[data-deep-link]").Attr("href")
	pickup, err := e.obtain(ctx, link)
	if err != nil || e.end != "" {
		return err
	}
	app := phone.NewClient(phone.Config{HTTP: &http.Client{Transport: e.client.Transport, Timeout: e.client.Timeout}})
	answer, err := app.PickUp(ctx, e.w.link, pickup, phone.NewVerifier())
	if err != nil || string(answer.InstanceID) != e.instance {
		return fmt.Errorf("picking up: a token for %q, %w", answer.InstanceID, orNone(err))
	}
	e.at(ctx, "state")
	if err := e.w.sim.SetJourney(e.instance, platformsim.Journey{Status: "Completed", ResultStatus: "complete"}); err != nil {
		return err
	}
	if err := app.Report(ctx, answer, handoff.ReportFinished); err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	select {
	case <-watching:
		e.end = e.viewer.last.Status
	case <-ctx.Done():
		return fmt.Errorf("the desktop still shows %s: %w", e.viewer.last.Status, ctx.Err())
	}
	return nil
}

// obtain brings the phone to the link into the app, and again from the code where
// the device was refused.
func (e *errand) obtain(ctx context.Context, code string) (handoff.Secret, error) {
	b := newBrowser(e.client, phoneAgent)
	b.waits = e.waits
	first := true
	for ctx.Err() == nil {
		p, err := b.load(ctx, http.MethodGet, code, nil)
		if err != nil {
			return "", err
		}
		if first {
			first = false
			e.at(ctx, "connect")
		}
		if p, err = b.press(ctx, p, "continue"); err != nil {
			return "", fmt.Errorf("pressing Continue: %w", err)
		}
		switch p.status {
		case http.StatusOK:
			e.met() // if there was anything to meet
			for ctx.Err() == nil && p.find(`a[data-testid="open"]`).Length() == 0 {
				pause(ctx, retryPause) // the page is kept up to date, or reloaded
				if p, err = b.load(ctx, http.MethodGet, p.url.String(), nil); err != nil {
					return "", err
				}
			}
			u, err := url.Parse(p.find(`a[data-testid="open"]`).AttrOr("href", ""))
			if err != nil || u.Path == "" {
				return "", fmt.Errorf("the phone's page has no link into the app: %w", orNone(err))
			}
			return handoff.Secret(u.Path[strings.LastIndexByte(u.Path, '/')+1:]), nil
		case http.StatusForbidden: // this device will not do, and the code is as good as before
			e.told = true
			e.met()
			pause(ctx, retryPause)
		case http.StatusGone:
			e.end = "failed"
			return "", nil
		default:
			return "", fmt.Errorf("Continue led to %s with status %d", route(p.url.String()), p.status)
		}
	}
	return "", ctx.Err()
}

// examine compares what people were left with, and what the partner was told, with
// what the portal keeps in the end.
func (e *errand) examine(ctx context.Context, want string) []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	var end made
	if status, _, err := e.partner.call(ctx, http.MethodGet, "/v1/handoffs/"+e.made.ID, nil, &end); err != nil || status != http.StatusOK {
		fault("the handoff reads as %d, %v", status, err)
		return faults
	}
	if end.Status != want || e.end != want {
		fault("the portal says %s and people were left with %s, want %s", end.Status, e.end, want)
	}
	counts := make(map[string]int)
	for _, ev := range end.Events {
		counts[ev.Type]++
	}
	// Where a device was refused, the handoff is displayed and claimed again.
	steps := []string{"created", "connected", "delivered", "completed"}
	if want == "failed" {
		steps = []string{"created", "failed"}
	}
	for _, step := range steps {
		if counts[step] != 1 {
			fault("%s is %d times among %v, want once", step, counts[step], end.Events)
		}
	}
	for told := (map[string]int)(nil); ; pause(ctx, retryPause/4) {
		told = e.w.hooks.told(e.made.ID)
		missing := slices.DeleteFunc(slices.Clone(steps), func(s string) bool { return told["handoff."+s] > 0 })
		if len(missing) == 0 {
			break
		}
		if ctx.Err() != nil {
			fault("%v never came to the partner", missing)
			break
		}
	}
	if e.viewer != nil {
		faults = append(faults, e.viewer.faults...)
	}
	return append(faults, e.rude...)
}

// exchanges checks what the platform had of the errands: no connect token was ever
// brought twice, and where the answer was not lost, there was one exchange.
func (w *world) exchanges(errands []*errand) []string {
	var faults []string
	good := make(map[string]int)
	for _, c := range w.sim.Calls() {
		if c.Call != "connect" || c.Fault != "" {
			continue
		}
		if c.Status >= http.StatusBadRequest {
			faults = append(faults, fmt.Sprintf("a connect of %s was answered %d: its token was spent", c.InstanceID, c.Status))
		}
		good[c.InstanceID]++
	}
	for _, e := range errands {
		want := 1
		if e.end == "failed" {
			want = 0
		}
		if good[e.instance] != want {
			faults = append(faults, fmt.Sprintf("%d exchanges of a handoff that ended as %s, want %d", good[e.instance], e.end, want))
		}
	}
	return faults
}
