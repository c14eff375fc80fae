package demo

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// ShopConfig is what a shop needs to know.
type ShopConfig struct {
	PortalURL string         // public_url
	StandIn   string         // the stand-in platform, which the playground asks for faults
	AppURL    string         // the app's page
	Origins   []string       // its own, the first being where its return URL is
	Key       handoff.Secret // its partner key
	// HookSecret verifies what the portal tells it; empty: it is told nothing.
	HookSecret handoff.Secret
	Post       *Post        // where messages end; default: one that gets none
	HTTP       *http.Client // default: one with timeouts
	Log        *slog.Logger
	Now        func() time.Time // default: time.Now
}

// Shop is the made-up bank's site: its server holds the key, its pages hold
// nothing.
type Shop struct {
	*site
	api     *partnerAPI
	portal  string
	standIn string
	app     string
	origins []string
	visits  *visits[customer]
	hooks   *hooks
	letters *Post
	bell    *bell
	serves  http.Handler
	closed  chan struct{}
	close   sync.Once
}

// customer is what the shop knows of one browser: the handoffs it began, and
// those it plays with.
type customer struct {
	mine  []handoff.ID
	plays []*play
}

// NewShop returns the shop's site.
func NewShop(c ShopConfig) (*Shop, error) {
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: apiLimit}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Post == nil {
		c.Post = NewPost(c.Now)
	}
	if len(c.Origins) == 0 {
		return nil, errors.New("a shop needs an origin")
	}
	s := &Shop{
		site: newSite("Acme Bank", c.PortalURL, c.Log, c.Now), portal: c.PortalURL, standIn: c.StandIn, app: c.AppURL, origins: c.Origins,
		api:     &partnerAPI{portal: c.PortalURL, key: c.Key, http: c.HTTP},
		visits:  newVisits[customer]("demo_shop", c.Now),
		hooks:   &hooks{secret: c.HookSecret, now: c.Now, byID: make(map[handoff.ID][]told)},
		letters: c.Post, bell: newBell(), closed: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("POST /open", s.open)
	mux.HandleFunc("GET /check/{id}", s.check)
	mux.HandleFunc("GET /done", s.done)
	mux.HandleFunc("GET /post", s.post)
	mux.HandleFunc("POST "+hookPath, s.hook)
	mux.HandleFunc("GET /play", s.wish)
	mux.HandleFunc("POST /play", s.order)
	mux.HandleFunc("GET /play/{id}", s.playground)
	mux.HandleFunc("GET /play/{id}/seen", s.seen)
	mux.HandleFunc("GET /play/{id}/stream", s.stream)
	mux.HandleFunc("POST /play/{id}", s.press)
	s.serves = s.handler(mux)
	return s, nil
}

// ServeHTTP serves the shop's pages.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serves.ServeHTTP(w, r) }

// Close ends the streams, which a server would otherwise wait for.
func (s *Shop) Close() { s.close.Do(func() { close(s.closed) }) }

// shopRow is a handoff of the shop's, and what webhooks told of it.
type shopRow struct {
	record

	Told []told
}

// home serves GET /.
func (s *Shop) home(w http.ResponseWriter, r *http.Request) {
	recent, err := s.api.recent(r.Context())
	if err != nil {
		s.fault(w, r, http.StatusBadGateway, err)
		return
	}
	rows := make([]shopRow, len(recent))
	for i, h := range recent {
		rows[i] = shopRow{h, s.hooks.about(h.ID)}
	}
	s.show(w, r, http.StatusOK, view{Title: "Open an account"}, shopHome(rows))
}

// open serves POST /open: what a partner's backend does when a check begins.
func (s *Shop) open(w http.ResponseWriter, r *http.Request) {
	framed := r.FormValue("where") != "top"
	o := order{
		// A real shop starts the journey on the platform and has its instance id
		// from there. To the stand-in, any id of this form is a live journey.
		InstanceID: "Pi" + randomText(), Scope: []string{"mobile"},
		Label: "Account opening", Reference: "order " + s.now().UTC().Format("150405"),
	}
	origin, back := s.here(r)
	o.ReturnURL = back
	if framed {
		o.ParentOrigin = origin
	}
	h, err := s.api.create(r.Context(), o)
	if err != nil {
		s.fault(w, r, http.StatusBadGateway, err)
		return
	}
	s.remember(w, r, h.ID, nil)
	if framed {
		http.Redirect(w, r, "/check/"+string(h.ID), http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, h.DisplayURL, http.StatusSeeOther)
}

// here is the origin that this browser knows the shop by, and the return URL: none
// on the local network, where none can be registered.
func (s *Shop) here(r *http.Request) (origin, back string) {
	if i := slices.Index(s.origins, "http://"+r.Host); i > 0 {
		return s.origins[i], ""
	}
	return s.origins[0], s.origins[0] + "/done"
}

// remember notes that this browser began a handoff, and its play if it is one.
func (s *Shop) remember(w http.ResponseWriter, r *http.Request, id handoff.ID, p *play) {
	v := s.visits.of(w, r)
	v.Lock()
	defer v.Unlock()
	v.value.mine = append(v.value.mine, id)
	if p == nil {
		return
	}
	v.value.plays = append(v.value.plays, p)
	if len(v.value.plays) > maxPlays {
		v.value.plays = v.value.plays[1:]
	}
}

// mine reads a handoff that this very browser began. Somebody else's is not
// shown, whatever the address says.
func (s *Shop) mine(r *http.Request, id handoff.ID) (record, error) {
	if v := s.visits.found(r); v != nil {
		v.Lock()
		known := slices.Contains(v.value.mine, id)
		v.Unlock()
		if known {
			return s.api.byID(r.Context(), id)
		}
	}
	return record{}, &apiError{status: http.StatusNotFound, text: "This browser began no such check."}
}

// check serves GET /check/{id}: the display in a frame.
func (s *Shop) check(w http.ResponseWriter, r *http.Request) {
	h, err := s.mine(r, handoff.ID(r.PathValue("id")))
	if err != nil {
		s.fault(w, r, statusOf(err), err)
		return
	}
	s.show(w, r, http.StatusOK, view{Title: "Confirm who you are"}, shopCheck(h, s.portal))
}

// done serves GET /done, the return URL. Its query is a hint that anybody can
// write; what counts is what the API says.
func (s *Shop) done(w http.ResponseWriter, r *http.Request) {
	h, err := s.mine(r, handoff.ID(r.FormValue("handoff")))
	if err != nil {
		s.fault(w, r, statusOf(err), err)
		return
	}
	heard := s.hooks.about(h.ID)
	refresh := 3
	if h.Status.Ended() && (s.hooks.secret == "" || len(heard) > 0 && heard[len(heard)-1].Status.Ended()) {
		refresh = 0
	}
	s.show(w, r, http.StatusOK, view{Title: heading(h.Status), Refresh: refresh}, shopDone(h, r.FormValue("status"), heard))
}

func heading(s handoff.Status) string {
	switch {
	case s == handoff.StatusCompleted:
		return "Welcome to Acme Bank"
	case s.Ended():
		return "Your account is not open yet"
	}
	return "Not finished yet"
}

// statusOf is what a page answers with when the portal refused.
func statusOf(err error) int {
	if e, ok := errors.AsType[*apiError](err); ok && e.status == http.StatusNotFound {
		return http.StatusNotFound
	}
	return http.StatusBadGateway
}
