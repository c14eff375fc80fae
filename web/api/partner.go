// Package api is what machines call: partners' backends and their native apps.
package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/limit"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/web/openapi"
	"github.com/handoff-portal/handoff/web/site"
)

// Records signs what a partner may believe about a handoff.
type Records interface {
	Sign(r handoff.Record) (string, error)
	// Keys is the JSON Web Key Set that verifies it.
	Keys() ([]byte, error)
}

// Partner is what a partner's backend calls.
type Partner struct {
	*site.Site
	records   Records
	messenger site.Messenger
	frame     time.Duration
	document  []byte // of the API, with the addresses of this portal
}

// ForPartners returns the API of partners' backends. Without a messenger no contact is
// kept; frame is how often a display's code changes, 0 never.
func ForPartners(s *site.Site, r Records, m site.Messenger, frame time.Duration) *Partner {
	return &Partner{Site: s, records: r, messenger: m, frame: frame, document: openapi.For(s.Hosts.Public, s.Hosts.Link)}
}

// Mount adds its paths to g, which is /v1.
func (a *Partner) Mount(g *echo.Group) {
	g.POST("/handoffs", a.create, a.authenticate, a.limitCreates)
	g.GET("/handoffs", a.list, a.authenticate)
	g.GET("/handoffs/:id", a.show, a.authenticate)
	g.POST("/handoffs/:id/cancel", a.cancel, a.authenticate)
	g.POST("/handoffs/:id/complete", a.complete, a.authenticate)
	g.POST("/handoffs/:id/links", a.addLink, a.authenticate)
	g.GET("/openapi.json", a.describe)
	g.GET("/jwks.json", a.keys)
}

const partnerKey = "partner"

// authenticate finds the partner by its key.
func (a *Partner) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		scheme, key, _ := strings.Cut(c.Request().Header.Get("Authorization"), " ")
		p, ok := a.Partners.ByKey(handoff.Secret(strings.TrimSpace(key)))
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			c.Response().Header().Set("WWW-Authenticate", "Bearer")
			return handoff.Errorf(handoff.CodeUnauthorized, "send Authorization: Bearer with a partner key")
		}
		c.Set(partnerKey, p)
		return next(c)
	}
}

// caller is the partner that authenticate found.
func caller(c echo.Context) *partner.Partner {
	p, _ := c.Get(partnerKey).(*partner.Partner)
	return p
}

// show serves GET /v1/handoffs/:id.
func (a *Partner) show(c echo.Context) error {
	h, err := a.own(c)
	if err != nil {
		return err
	}
	return a.send(c, http.StatusOK, h)
}

// own is the caller's handoff in the path; another partner's does not exist.
func (a *Partner) own(c echo.Context) (handoff.Handoff, error) {
	id, err := handoff.ParseID(c.Param("id"))
	if err != nil {
		return handoff.Handoff{}, err
	}
	return a.Handoffs.Partners(c.Request().Context(), caller(c).ID, id)
}

// cancel serves POST /v1/handoffs/:id/cancel.
func (a *Partner) cancel(c echo.Context) error {
	h, err := a.own(c)
	if err != nil {
		return err
	}
	if h, err = a.Handoffs.Cancel(c.Request().Context(), h); err != nil {
		return err
	}
	return a.send(c, http.StatusOK, h)
}

// complete serves POST /v1/handoffs/:id/complete.
func (a *Partner) complete(c echo.Context) error {
	var r struct {
		Outcome string `json:"outcome"`
	}
	if err := site.ReadJSON(c, &r); err != nil {
		return err
	}
	if r.Outcome != "completed" && r.Outcome != "failed" {
		var f faults
		f.add("/outcome", "completed or failed")
		return f.err()
	}
	h, err := a.own(c)
	if err != nil {
		return err
	}
	if h, err = a.Handoffs.Complete(c.Request().Context(), h, r.Outcome == "completed"); err != nil {
		return err
	}
	return a.send(c, http.StatusOK, h)
}

// addLink serves POST /v1/handoffs/:id/links.
func (a *Partner) addLink(c echo.Context) error {
	h, err := a.own(c)
	if err != nil {
		return err
	}
	h, code, err := a.Handoffs.AddLink(c.Request().Context(), h, handoff.RoutePartner)
	if err != nil {
		return err
	}
	return site.WriteJSON(c, http.StatusCreated, map[string]any{
		"url": a.Hosts.CodeURL(h.Partner, code.Reveal()), "expiresAt": site.WireTime(h.Deadline),
	})
}

// list serves GET /v1/handoffs.
func (a *Partner) list(c echo.Context) error {
	var f faults
	q := handoff.Query{Partner: caller(c).ID, Reference: c.QueryParam("reference"), Cursor: c.QueryParam("cursor"), Limit: 50}
	if _, err := url.ParseQuery(c.Request().URL.RawQuery); err != nil { // else what cannot be read is left out, and with it a filter
		f.add("", "the query cannot be read")
	}
	for name, values := range c.QueryParams() {
		if len(values) > 1 {
			f.add("/"+name, "given twice")
		}
		switch name {
		case "status", "reference", "instanceId", "limit", "cursor":
		default:
			f.add("/"+name, "there is no such parameter")
		}
	}
	if s := c.QueryParam("status"); s != "" {
		status, err := handoff.ParseStatus(s)
		f.check("/status", err)
		q.Status = status
	}
	if s := c.QueryParam("instanceId"); s != "" {
		id, err := handoff.ParseInstanceID(s)
		f.check("/instanceId", err)
		q.Instance = id
	}
	if s := c.QueryParam("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 100 {
			f.add("/limit", "1 to 100")
		}
		q.Limit = n
	}
	if err := f.err(); err != nil {
		return err
	}
	page, err := a.Handoffs.List(c.Request().Context(), q)
	if handoff.CodeOf(err) == handoff.CodeInvalid {
		f.check("/cursor", err)
		return f.err()
	}
	if err != nil {
		return err
	}
	items := make([]wireHandoff, len(page.Items))
	for i, h := range page.Items {
		if items[i], err = a.wire(h); err != nil {
			return err
		}
	}
	var next *string
	if page.Next != "" {
		next = &page.Next
	}
	return site.WriteJSON(c, http.StatusOK, map[string]any{"items": items, "next": next})
}

// describe serves GET /v1/openapi.json, to everybody.
func (a *Partner) describe(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/json", a.document)
}

// keys serves GET /v1/jwks.json, to everybody.
func (a *Partner) keys(c echo.Context) error {
	set, err := a.records.Keys()
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/json", set)
}

// wireHandoff is a handoff as the API shows it.
type wireHandoff struct {
	ID         handoff.ID         `json:"id"`
	Status     handoff.Status     `json:"status"`
	DisplayURL string             `json:"displayUrl"`
	InstanceID handoff.InstanceID `json:"instanceId"`
	App        handoff.AppID      `json:"app"`
	Scope      []handoff.Scope    `json:"scope"`
	Route      *handoff.Route     `json:"route"`
	Device     *wireDevice        `json:"device"`
	Confirmed  *string            `json:"confirmed"`
	Reason     *handoff.Cause     `json:"reason"`
	Reference  string             `json:"reference"`
	SupportRef string             `json:"supportRef"`
	CreatedAt  string             `json:"createdAt"`
	ExpiresAt  string             `json:"expiresAt"`
	Seq        int                `json:"seq"`
	Events     []wireEvent        `json:"events"`
	Record     *string            `json:"record"`
}

type wireDevice struct {
	Class handoff.Class `json:"class"`
	OS    string        `json:"os"`
}

type wireEvent struct {
	Type handoff.EventType `json:"type"`
	At   string            `json:"at"`
	Seq  int               `json:"seq"`
}

func (a *Partner) send(c echo.Context, status int, h handoff.Handoff) error {
	w, err := a.wire(h)
	if err != nil {
		return err
	}
	return site.WriteJSON(c, status, w)
}

func (a *Partner) wire(h handoff.Handoff) (wireHandoff, error) {
	display := ""
	switch key, err := a.Handoffs.DisplayKey(h); {
	case err == nil:
		display = a.Hosts.Public + "/h/" + key.Reveal()
	case !h.Status.Ended(): // of an ended one the server key may be gone, and there is nothing left to display
		return wireHandoff{}, err
	}
	w := wireHandoff{
		ID: h.ID, Status: h.Status, DisplayURL: display, InstanceID: h.Instance, App: h.App,
		Scope: h.Terms.Scope, Reference: h.Terms.Reference, SupportRef: h.SupportRef,
		CreatedAt: site.WireTime(h.CreatedAt), ExpiresAt: site.WireTime(h.Deadline), Seq: h.Seq,
	}
	if h.Claim != nil {
		w.Route, w.Device = &h.Claim.Route, &wireDevice{Class: h.Claim.By.Class, OS: h.Claim.By.OS}
	}
	if h.Confirmed != "" {
		w.Confirmed = &h.Confirmed
	}
	if h.Cause != "" {
		w.Reason = &h.Cause
	}
	for _, e := range h.Events {
		w.Events = append(w.Events, wireEvent{Type: e.Type, At: site.WireTime(e.At), Seq: e.Seq})
	}
	if r, ok := h.Record(); ok {
		record, err := a.records.Sign(r)
		if err != nil {
			return wireHandoff{}, err
		}
		w.Record = &record
	}
	return w, nil
}

// limitCreates bounds the handoffs that a partner asks for, and tells it with
// every answer what it has left; it comes after authenticate.
func (a *Partner) limitCreates(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		left, err := a.Within(c, limit.CreatesPerPartner, string(caller(c).ID))
		if left != (limit.Quota{}) {
			tellQuota(c.Response().Header(), limit.CreatesPerPartner, left)
		}
		if err != nil {
			return err
		}
		return next(c)
	}
}

// tellQuota sets RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers,
// structured fields of RFC 9651): the rate, what is left of it, and the seconds
// until all of it is there again. Times are whole seconds there, so a window that
// is not is left out.
func tellQuota(h http.Header, kind limit.Kind, q limit.Quota) {
	policy := fmt.Sprintf("%q;q=%d", kind, q.Rate.Count)
	if q.Rate.Per%time.Second == 0 {
		policy += fmt.Sprintf(";w=%d", q.Rate.Per/time.Second)
	}
	h.Set("RateLimit-Policy", policy)
	h.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%s", kind, q.Left, site.WholeSeconds(q.Full)))
}
