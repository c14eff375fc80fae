package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

const (
	maxPlays  = 20 // of one browser
	maxDeeds  = 50 // of one play
	heartbeat = 15 * time.Second
	pressTime = 30 * time.Second
)

// play is one handoff in the playground, with its fake phone.
type play struct {
	id       handoff.ID
	display  string
	order    order
	exchange exchange

	mu     sync.Mutex // guards what follows, and is held while a button is pressed
	*trace            // of the button that is being pressed
	phone  *hand      // the good path's
	other  *hand      // the second phone
	link   string     // of the shop's own, while it is good
	photo  string     // of the code
	taken  time.Time  // when

	seen  sync.Mutex // guards deeds
	deeds []deed     // the newest first
}

// deed is a button that was pressed, and what came of it.
type deed struct {
	At            time.Time
	Label         string
	Does, Expect  string
	Steps         []string
	Problem       string
	Before, After handoff.Status
}

// how is what there is to say of a status.
func (r record) how() string {
	return around(" (", r.Reason, ")") + around(", came by ", r.Route, "") + around(", confirmed by ", r.Confirmed, "")
}

// turn is what the status was and became.
func (d deed) turn() string {
	if d.Before == d.After {
		return string(d.Before) + ", as before"
	}
	return string(d.Before) + " → " + string(d.After)
}

// playOf is the play of this browser with this handoff, or nil.
func (s *Shop) playOf(r *http.Request, id handoff.ID) *play {
	v := s.visits.found(r)
	if v == nil {
		return nil
	}
	v.Lock()
	defer v.Unlock()
	i := slices.IndexFunc(v.value.plays, func(p *play) bool { return p.id == id })
	if i < 0 {
		return nil
	}
	return v.value.plays[i]
}

// played finds the play of a request, or says that there is none.
func (s *Shop) played(w http.ResponseWriter, r *http.Request) *play {
	p := s.playOf(r, handoff.ID(r.PathValue("id")))
	if p == nil {
		s.fault(w, r, http.StatusNotFound, errors.New("this browser plays with no such handoff: it was started anew, or it is long ago"))
	}
	return p
}

// playBody is what the playground is drawn from.
type playBody struct {
	seenBody

	Portal   string
	App      string
	Display  string
	Framed   bool
	Exchange exchange
	Groups   []actGroup
}

// seenBody is the part of it that changes.
type seenBody struct {
	Handoff record
	Deeds   []deed
	Told    []told
}

func (s *Shop) seenOf(r *http.Request, p *play) (seenBody, error) {
	h, err := s.api.byID(r.Context(), p.id)
	if err != nil {
		return seenBody{}, err
	}
	p.seen.Lock()
	defer p.seen.Unlock()
	return seenBody{Handoff: h, Deeds: slices.Clone(p.deeds), Told: s.hooks.about(p.id)}, nil
}

// playground serves GET /play/{id}.
func (s *Shop) playground(w http.ResponseWriter, r *http.Request) {
	p := s.played(w, r)
	if p == nil {
		return
	}
	seen, err := s.seenOf(r, p)
	if err != nil {
		s.fault(w, r, statusOf(err), err)
		return
	}
	s.show(w, r, http.StatusOK, view{Title: "Playground", Wide: true}, playground(playBody{
		seenBody: seen, Portal: s.portal, App: s.app, Display: p.display, Framed: p.order.ParentOrigin != "", Exchange: p.exchange, Groups: acts(),
	}))
}

// seen serves GET /play/{id}/seen: the part of the page that changes.
func (s *Shop) seen(w http.ResponseWriter, r *http.Request) {
	p := s.played(w, r)
	if p == nil {
		return
	}
	now, err := s.seenOf(r, p)
	if err != nil {
		s.fault(w, r, statusOf(err), err)
		return
	}
	s.show(w, r, http.StatusOK, view{Title: "Seen"}, seen(now))
}

// stream serves GET /play/{id}/stream: a line whenever there is something to see.
func (s *Shop) stream(w http.ResponseWriter, r *http.Request) {
	if s.played(w, r) == nil {
		return
	}
	out := http.NewResponseController(w)
	// The server's write timeout is for pages; a stream outlives it.
	if err := out.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.fault(w, r, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for line := "data: look\n\n"; ; {
		rung := s.bell.next()
		if _, err := w.Write([]byte(line)); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.closed:
			return
		case <-rung:
			line = "data: look\n\n"
		case <-beat.C:
			line = ": still here\n\n"
		}
	}
}

// press serves POST /play/{id}: one button of the fake phone's.
func (s *Shop) press(w http.ResponseWriter, r *http.Request) {
	p := s.played(w, r)
	if p == nil {
		return
	}
	a, ok := findAct(r.FormValue("act"))
	switch {
	case !ok:
		s.fault(w, r, http.StatusBadRequest, errors.New("there is no such button"))
		return
	case a.do == nil:
		s.again(w, r, p.order)
		return
	}
	// A person who closes the page stops nothing half-way.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), pressTime)
	defer cancel()
	s.do(ctx, p, a)
	http.Redirect(w, r, "/play/"+string(p.id)+"#seen", http.StatusSeeOther)
}

// do presses a button and notes what came of it.
func (s *Shop) do(ctx context.Context, p *play, a act) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trace = &trace{}
	d := deed{At: s.now(), Label: a.Label, Does: a.Does, Expect: a.Expect, Before: s.statusOf(ctx, p.id)}
	if err := a.do(&press{play: p, shop: s}, ctx); err != nil {
		d.Problem = err.Error()
	}
	d.Steps, d.After = p.lines, s.statusOf(ctx, p.id)
	p.seen.Lock()
	p.deeds = slices.Insert(p.deeds, 0, d)
	p.deeds = p.deeds[:min(len(p.deeds), maxDeeds)]
	p.seen.Unlock()
	s.bell.ring()
}

// statusOf is what the API says; empty where it says nothing.
func (s *Shop) statusOf(ctx context.Context, id handoff.ID) handoff.Status {
	h, err := s.api.byID(ctx, id)
	if err != nil {
		return ""
	}
	return h.Status
}

// shortest is the least that expiresIn may be, in seconds.
const shortest = 60

// again makes the same order once more, with a minute to go.
func (s *Shop) again(w http.ResponseWriter, r *http.Request, o order) {
	if o.InstanceID != "" {
		o.InstanceID = "Pi" + randomText()
	}
	o.ExpiresIn = shortest
	e, h, _, status, err := s.place(r, o, "")
	if err == nil && !e.OK {
		err = fmt.Errorf("the portal answered %d", status)
	}
	if err != nil {
		s.fault(w, r, http.StatusBadGateway, err)
		return
	}
	s.begin(w, r, h, o, e)
}
