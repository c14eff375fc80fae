package demo

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// maxLetters is how many messages the page shows.
const maxLetters = 20

// Post stands in for whoever sends text messages and e-mail: what is sent ends on a
// page of the shop's, and leaves this machine by no way.
type Post struct {
	now func() time.Time

	mu      sync.Mutex
	sent    int           // guarded by mu
	letters []sentMessage // guarded by mu; the newest first
}

// sentMessage is one message as its receiver would have it.
type sentMessage struct {
	At     time.Time
	By     string // Text message, E-mail
	To     string // as the display names it
	Text   string // of an e-mail, its subject and what stands above the link
	Link   string
	State  handoff.DispatchState
	ticket string
}

var _ handoff.Receipts = (*Post)(nil)

// NewPost returns a Post that has sent nothing.
func NewPost(now func() time.Time) *Post { return &Post{now: now} }

// Sends reports whether messages go by this route.
func (*Post) Sends(r handoff.Route) bool { return r == handoff.RouteSMS || r == handoff.RouteEmail }

// Send keeps a message for the page.
func (p *Post) Send(_ context.Context, to handoff.Recipient, l handoff.Letter) (ticket string, err error) {
	m := sentMessage{At: p.now(), By: "E-mail", To: to.Masked, Text: l.Subject + ". " + l.Intro, Link: l.Link, State: handoff.DispatchSent}
	p.mu.Lock()
	defer p.mu.Unlock()
	if to.Route == handoff.RouteSMS {
		p.sent++
		m.By, m.Text, m.State, m.ticket = "Text message", l.Short, handoff.DispatchQueued, strconv.Itoa(p.sent)
	}
	p.letters = slices.Insert(p.letters, 0, m)
	p.letters = p.letters[:min(len(p.letters), maxLetters)]
	return m.ticket, nil
}

// Receipt implements handoff.Receipts: a text message arrives when it is asked about.
func (p *Post) Receipt(_ context.Context, _ handoff.Route, ticket string) (handoff.DispatchState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.letters {
		if p.letters[i].ticket == ticket {
			p.letters[i].State = handoff.DispatchDelivered
		}
	}
	return handoff.DispatchDelivered, nil
}

func (p *Post) all() []sentMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.letters)
}

// post serves GET /post.
func (s *Shop) post(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, view{Title: "Messages", Refresh: 3}, shopPost(s.app, s.letters.all()))
}
