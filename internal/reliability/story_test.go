package reliability_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/phone"
)

// thought is how long people look at a screen, about.
const thought = time.Second

// story is one handoff from its creation to its end, with a desktop that watches.
type story struct {
	w       *world
	client  *http.Client
	partner *partnerServer
	byApp   bool // an app claims by itself, and a number is asked for

	made         made
	instance     string
	viewer       *viewer
	claims       int      // how often an app asked anew for a claim: each is one, if its answer was lost
	acknowledged []string // the statuses that somebody was told of
	took         time.Duration
}

func (w *world) story(client *http.Client, n int) *story {
	return &story{
		w: w, client: client, partner: &partnerServer{client, w.public, w.key.Reveal()}, byApp: n%2 == 1, instance: newInstance(),
	}
}

func (s *story) ack(status string) { s.acknowledged = append(s.acknowledged, status) }

// play goes all the way. What the people do not get at once they try again.
func (s *story) play(ctx context.Context) error {
	began := time.Now()
	defer func() { s.took = time.Since(began) }()
	ask := map[string]any{"instanceId": s.instance}
	if s.byApp {
		ask["confirmation"] = "always"
	}
	if status, _, err := s.partner.call(ctx, http.MethodPost, "/v1/handoffs", ask, &s.made); err != nil || status != http.StatusCreated {
		return fmt.Errorf("creating: status %d, %w", status, orNone(err))
	}
	s.ack("created")
	desk := newBrowser(s.client, desktopAgent)
	p, err := desk.load(ctx, http.MethodGet, s.made.DisplayURL, nil)
	if err != nil || p.status != http.StatusOK {
		return fmt.Errorf("the display: status %d, %w", p.status, orNone(err))
	}
	s.ack("displayed")
	watching := make(chan struct{})
	s.viewer = &viewer{b: desk, display: s.made.DisplayURL}
	go func() {
		defer close(watching)
		s.viewer.follow(ctx)
	}()
	pause(ctx, thought) // people take their time, and meet what breaks meanwhile
	answer, app, err := s.obtain(ctx, desk)
	if err != nil {
		return err
	}
	s.ack("delivered")
	for _, r := range []handoff.Report{handoff.ReportStarted, handoff.ReportFinished} {
		if err := insist(ctx, func() error { return app.Report(ctx, answer, r) }); err != nil {
			return fmt.Errorf("reporting %s: %w", r, err)
		}
		pause(ctx, thought)
	}
	path := "/v1/handoffs/" + s.made.ID + "/complete"
	status, again, err := s.partner.call(ctx, http.MethodPost, path, map[string]string{"outcome": "completed"}, nil)
	if err != nil || (status != http.StatusOK && (!again || status != http.StatusConflict)) {
		return fmt.Errorf("completing: status %d, %w", status, orNone(err))
	}
	s.ack("completed")
	select {
	case <-watching:
	case <-ctx.Done():
		<-watching
		return fmt.Errorf("the desktop still shows %s: %w", s.viewer.last.Status, ctx.Err())
	}
	return nil
}

// obtain brings the token to the app, by its link on a phone's page, or by itself.
func (s *story) obtain(ctx context.Context, desk *browser) (phone.Answer, *phone.Client, error) {
	app := phone.NewClient(phone.Config{HTTP: &http.Client{Transport: s.client.Transport, Timeout: 40 * time.Second}})
	code, err := desk.scan(ctx, s.made.DisplayURL)
	if err != nil {
		return phone.Answer{}, nil, err
	}
	var answer phone.Answer
	if s.byApp {
		answer, err = s.byItself(ctx, desk, app, code)
	} else {
		answer, err = s.byPhone(ctx, desk, app, code)
	}
	if err != nil {
		return answer, nil, err
	}
	if got := string(answer.InstanceID); got != s.instance {
		return answer, nil, fmt.Errorf("the app got a token for %s, want %s", got, s.instance)
	}
	return answer, app, nil
}

func (s *story) byItself(ctx context.Context, desk *browser, app *phone.Client, code string) (answer phone.Answer, err error) {
	source, err := phone.ParseSource(code, s.w.link, "acme")
	if err != nil {
		return answer, err
	}
	var claim phone.Claim
	if err := insist(ctx, func() error { s.claims++; claim, err = app.Claim(ctx, source); return err }); err != nil {
		return answer, fmt.Errorf("claiming: %w", err)
	}
	s.ack("claimed")
	pause(ctx, thought)
	p, err := desk.load(ctx, http.MethodPost, s.made.DisplayURL+"/confirm", url.Values{"number": {claim.Number}})
	if err != nil || p.status != http.StatusOK {
		return answer, fmt.Errorf("typing the number: status %d, %w", p.status, orNone(err))
	}
	s.ack("confirmed")
	pause(ctx, thought)
	if err := insist(ctx, func() error { answer, err = app.AwaitToken(ctx, claim); return err }); err != nil {
		return answer, fmt.Errorf("asking for the token: %w", err)
	}
	again, err := app.Token(ctx, claim)
	if err == nil && again.Token != answer.Token {
		return answer, errors.New("the same question was answered with another token")
	}
	return answer, nil
}

func (s *story) byPhone(ctx context.Context, desk *browser, app *phone.Client, code string) (answer phone.Answer, err error) {
	b := newBrowser(s.client, phoneAgent)
	p, err := b.load(ctx, http.MethodGet, code, nil)
	for err == nil && p.status == http.StatusGone { // half a minute old, on a machine that does too much: one looks at the computer
		if code, err = desk.scan(ctx, s.made.DisplayURL); err == nil {
			p, err = b.load(ctx, http.MethodGet, code, nil)
		}
	}
	if err != nil {
		return answer, err
	}
	pause(ctx, thought)
	if p, err = b.press(ctx, p, "continue"); err != nil {
		return answer, fmt.Errorf("pressing Continue: %w", err)
	}
	if !strings.HasPrefix(p.url.Path, "/p/") {
		return answer, fmt.Errorf("Continue led to %s with status %d", route(p.url.String()), p.status)
	}
	s.ack("claimed")
	link := func() string { return p.find(`a[data-testid="open"]`).AttrOr("href", "") }
	for link() == "" && ctx.Err() == nil {
		pause(ctx, time.Second) // the page is kept up to date, or reloaded
		if p, err = b.load(ctx, http.MethodGet, p.url.String(), nil); err != nil {
			return answer, err
		}
	}
	s.ack("connected")
	pause(ctx, thought)
	u, err := url.Parse(link())
	if err != nil {
		return answer, err
	}
	pickup, verifier := handoff.Secret(u.Path[strings.LastIndexByte(u.Path, '/')+1:]), phone.NewVerifier()
	if err := insist(ctx, func() error { answer, err = app.PickUp(ctx, s.w.link, pickup, verifier); return err }); err != nil {
		return answer, fmt.Errorf("picking up: %w", err)
	}
	if again, err := app.PickUp(ctx, s.w.link, pickup, verifier); err == nil && again.Token != answer.Token {
		return answer, errors.New("the same pickup was answered with another token")
	}
	if _, err := app.PickUp(ctx, s.w.link, pickup, phone.NewVerifier()); err == nil {
		return answer, errors.New("one pickup was redeemed twice")
	}
	return answer, nil
}

// insist calls again what the reference app has given up, as its person would, as
// long as nobody has refused.
func insist(ctx context.Context, call func() error) error {
	for {
		err := call()
		p, refused := errors.AsType[*phone.ProblemError](err)
		if err == nil || ctx.Err() != nil || (refused && p.Status < 500) {
			return err
		}
		pause(ctx, time.Second)
	}
}

// orNone is err, or one that says there was none.
func orNone(err error) error {
	if err == nil {
		return errors.New("without an error")
	}
	return err
}

// examine compares what people were told with what the portal keeps in the end.
func (s *story) examine(ctx context.Context) []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	var end made
	if status, _, err := s.partner.call(ctx, http.MethodGet, "/v1/handoffs/"+s.made.ID, nil, &end); err != nil || status != http.StatusOK {
		fault("lost: the handoff reads as %d, %v", status, err)
		return faults
	}
	counts := make(map[string]int)
	var order []string
	for _, e := range end.Events {
		counts[e.Type]++
		order = append(order, e.Type)
	}
	for _, status := range s.acknowledged {
		if !slices.Contains(order, status) {
			fault("lost: %s was acknowledged and is not among %v", status, order)
		}
	}
	for _, once := range []string{"created", "displayed", "claimed", "confirmed", "connected", "delivered", "completed"} {
		if counts[once] > s.most(once) {
			fault("doubled: %s is %d times among %v", once, counts[once], order)
		}
	}
	if s.viewer == nil {
		return faults // it was told of before: there was never a desktop
	}
	if end.Status != "completed" || s.viewer.last.Status != "completed" {
		fault("wrong end: the portal says %s and the desktop shows %s", end.Status, s.viewer.last.Status)
	}
	for _, f := range s.viewer.faults {
		fault("the desktop: %s", f)
	}
	return faults
}

// most is how often a status may be reached. An app that has given up its claim without
// an answer, and is told to try again, brings another challenge: to the portal that is
// another claim, and the one before may have been made.
func (s *story) most(status string) int {
	if status == "claimed" {
		return max(1, s.claims)
	}
	return 1
}

// untold are the messages that have not come to the partner, and doubled those
// that came under two ids.
func (s *story) untold() (missing, doubled []string) {
	told := s.w.hooks.told(s.made.ID)
	for _, status := range s.acknowledged {
		switch n := told["handoff."+status]; {
		case n == 0:
			missing = append(missing, status)
		case n > s.most(status):
			doubled = append(doubled, status)
		}
	}
	return missing, doubled
}
