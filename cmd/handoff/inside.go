package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/operator"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/webhook"
)

// inside is the part of the internal listener that the commands "show" and
// "webhooks" talk to. The listener is on loopback unless configured otherwise, and whoever
// reaches it is an operator. A page in a browser on the same machine reaches it
// too, so nothing here answers one: not by a form from elsewhere, and not by a
// name that was made to lead here.
type inside struct {
	handoffs *handoff.Service
	partners *partner.Directory
	sender   *webhook.Sender
	page     *operator.Page
	store    handoff.Store
	log      *slog.Logger
}

// pageSize is how many handoffs one answer looks at.
const pageSize = 100

// told is a handoff and what its endpoints were told, as the listener and the
// command's --json write it.
type told struct {
	ID         handoff.ID        `json:"id"`
	Partner    handoff.PartnerID `json:"partner"`
	Status     handoff.Status    `json:"status"`
	Reference  string            `json:"reference"`
	SupportRef string            `json:"supportRef"`
	Endpoints  []toldEndpoint    `json:"endpoints"`
}

type toldEndpoint struct {
	Endpoint handoff.EndpointID `json:"endpoint"`
	Host     string             `json:"host"` // empty: no longer configured
	Gone     bool               `json:"gone"` // it answered 410
	Lost     int                `json:"lost"` // notices that were dropped unsent
	Notices  []toldNotice       `json:"notices"`
}

type toldNotice struct {
	Seq      int        `json:"seq"`
	Type     string     `json:"type"`
	At       time.Time  `json:"at"`
	State    string     `json:"state"`
	Attempts int        `json:"attempts"`
	Last     *time.Time `json:"last"`
	Outcome  string     `json:"outcome"`
	Next     *time.Time `json:"next"`
}

// The states of a notice, as the command spells them.
const (
	stateWaiting   = "waiting"
	stateDelivered = "delivered"
	stateFailed    = "failed"
)

// toldPage is a page of the handoffs of a partner.
type toldPage struct {
	Items []told `json:"items"`
	Next  string `json:"next"`
}

// again is what POST /webhooks/{handoff} takes: everything, or what is named.
type again struct {
	Seq      int                `json:"seq"`
	Endpoint handoff.EndpointID `json:"endpoint"`
}

// handler serves the operator's page, /backup, /handoffs, /partners and /webhooks.
func (i *inside) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", i.page)
	mux.HandleFunc("GET /page.css", i.page.Styles)
	mux.HandleFunc("GET /backup", i.backup)
	mux.HandleFunc("GET /handoffs/{handoff}", i.answers(i.show))
	mux.HandleFunc("GET /partners", i.answers(i.names))
	mux.HandleFunc("GET /webhooks", i.answers(i.list))
	mux.HandleFunc("GET /webhooks/{handoff}", i.answers(i.toldOf))
	mux.HandleFunc("POST /webhooks/{handoff}", i.answers(i.replay))
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !byAddress(r.Host) || r.Header.Get("Origin") != "" {
			http.Error(w, "ask by address, and from no page", http.StatusMisdirectedRequest)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// byAddress reports whether a Host header is an address or localhost, which
// nobody else can make lead here.
func byAddress(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	_, err = netip.ParseAddr(host)
	return host == "localhost" || err == nil
}

// answers turns what a handler returns into an answer.
func (i *inside) answers(do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := do(r)
		status := http.StatusOK
		if err != nil {
			status, body = i.fault(r, err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // whoever asked may be gone
	}
}

// fault is the status and the body for an error.
func (i *inside) fault(r *http.Request, err error) (status int, body any) {
	text := "the log says what went wrong"
	if e, ok := errors.AsType[*handoff.Error](err); ok {
		text = e.Detail
	}
	switch code := handoff.CodeOf(err); code { //nolint:exhaustive // the others are faults of ours here
	case handoff.CodeNotFound:
		status = http.StatusNotFound
	case handoff.CodeInvalid:
		status = http.StatusBadRequest
	default:
		status = http.StatusInternalServerError
		i.log.ErrorContext(r.Context(), "internal_request_failed", "route", r.Pattern, "error", err)
	}
	return status, map[string]string{"error": text}
}

// find returns the handoff in the path: its id, or its support reference.
func (i *inside) find(r *http.Request) (handoff.Handoff, error) {
	return i.handoffs.Find(r.Context(), r.PathValue("handoff"))
}

// backup serves GET /backup: the store as one file. A copy that breaks off ends
// the connection, so that nobody takes a part for the whole.
func (i *inside) backup(w http.ResponseWriter, r *http.Request) {
	file, ok := i.store.(interface {
		Backup(ctx context.Context, w io.Writer) error
	})
	if !ok {
		i.answers(func(*http.Request) (any, error) {
			return nil, handoff.Errorf(handoff.CodeInvalid, "the store is not a file of the portal's own")
		})(w, r)
		return
	}
	// The server's write timeout is for answers, and a store may be large.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil {
		i.log.ErrorContext(r.Context(), "backup_failed", "error", err)
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	if err := file.Backup(r.Context(), w); err != nil {
		i.log.ErrorContext(r.Context(), "backup_failed", "error", err)
		panic(http.ErrAbortHandler)
	}
	i.log.InfoContext(r.Context(), "backup_made")
}

// show serves GET /handoffs/{handoff}.
func (i *inside) show(r *http.Request) (any, error) {
	h, err := i.find(r)
	if err != nil {
		return nil, err
	}
	return operator.TimelineOf(h, i.handoffs.Now()), nil
}

// names serves GET /partners: the ids of all.
func (i *inside) names(*http.Request) (any, error) {
	ids := []handoff.PartnerID{}
	for _, p := range i.partners.All() {
		ids = append(ids, p.ID)
	}
	return ids, nil
}

// toldOf serves GET /webhooks/{handoff}.
func (i *inside) toldOf(r *http.Request) (any, error) {
	h, err := i.find(r)
	if err != nil {
		return nil, err
	}
	return i.told(h, ""), nil
}

// replay serves POST /webhooks/{handoff}.
func (i *inside) replay(r *http.Request) (any, error) {
	var what again
	d := json.NewDecoder(io.LimitReader(r.Body, 4<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&what); err != nil || what.Seq < 0 {
		return nil, handoff.Errorf(handoff.CodeInvalid, `send {"seq":0,"endpoint":""}`)
	}
	h, err := i.find(r)
	if err != nil {
		return nil, err
	}
	if h, err = i.handoffs.Replay(r.Context(), h.ID, what.Seq, what.Endpoint); err != nil {
		return nil, err
	}
	i.log.InfoContext(r.Context(), "webhooks_replayed", "handoff", h.ID, "seq", what.Seq, "endpoint", what.Endpoint)
	return i.told(h, ""), nil
}

// list serves GET /webhooks?partner=&state=&cursor=: the partner's handoffs that
// have a notice in this state, and those notices alone. A page may be empty and
// not the last.
func (i *inside) list(r *http.Request) (any, error) {
	q := r.URL.Query()
	state := q.Get("state")
	if !slices.Contains([]string{stateWaiting, stateDelivered, stateFailed}, state) || q.Get("partner") == "" {
		return nil, handoff.Errorf(handoff.CodeInvalid, "name a partner, and the state waiting, delivered or failed")
	}
	if _, ok := i.partners.ByID(handoff.PartnerID(q.Get("partner"))); !ok {
		return nil, handoff.Errorf(handoff.CodeNotFound, "no such partner")
	}
	page, err := i.handoffs.List(r.Context(), handoff.Query{
		Partner: handoff.PartnerID(q.Get("partner")), Limit: pageSize, Cursor: q.Get("cursor"),
	})
	if err != nil {
		return nil, err
	}
	out := toldPage{Items: []told{}, Next: page.Next}
	for _, h := range page.Items {
		if t := i.told(h, state); len(t.Endpoints) > 0 {
			out.Items = append(out.Items, t)
		}
	}
	return out, nil
}

// told is what h's endpoints were told; with a state, only what is in it.
func (i *inside) told(h handoff.Handoff, state string) told {
	t := told{
		ID: h.ID, Partner: h.Partner, Status: h.Status, Reference: h.Terms.Reference, SupportRef: h.SupportRef, Endpoints: []toldEndpoint{},
	}
	for _, c := range h.Outbox {
		e := toldEndpoint{Endpoint: c.To, Gone: c.Gone, Lost: c.Lost, Notices: []toldNotice{}}
		if raw, ok := i.sender.URL(h.Partner, c.To); ok {
			if u, err := url.Parse(raw); err == nil {
				e.Host = u.Host // the rest of an address may be a secret
			}
		}
		for _, s := range c.Sends {
			n := toldNotice{Seq: s.Seq, State: stateOf(s.State), Attempts: s.Attempts, Last: timeOf(s.Last), Outcome: s.Outcome, Next: timeOf(s.Next)}
			if state != "" && state != n.State {
				continue
			}
			if notice, ok := h.Notice(s.Seq); ok {
				n.Type, n.At = "handoff."+string(notice.Status), notice.At.UTC()
			}
			e.Notices = append(e.Notices, n)
		}
		if state == "" || len(e.Notices) > 0 {
			t.Endpoints = append(t.Endpoints, e)
		}
	}
	return t
}

func stateOf(s handoff.SendState) string {
	if s == handoff.SendWaiting {
		return stateWaiting
	}
	return string(s)
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}
