package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
)

// partnerAPI is what a partner's backend calls.
type partnerAPI struct {
	*site
	frame    time.Duration
	document []byte // of the API, with the addresses of this portal
}

const partnerKey = "partner"

// authenticate finds the partner by its key.
func (a *partnerAPI) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		scheme, key, _ := strings.Cut(c.Request().Header.Get("Authorization"), " ")
		p, ok := a.partners.ByKey(handoff.Secret(strings.TrimSpace(key)))
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
func (a *partnerAPI) show(c echo.Context) error {
	h, err := a.own(c)
	if err != nil {
		return err
	}
	return a.send(c, http.StatusOK, h)
}

// own is the caller's handoff in the path; another partner's does not exist.
func (a *partnerAPI) own(c echo.Context) (handoff.Handoff, error) {
	id, err := handoff.ParseID(c.Param("id"))
	if err != nil {
		return handoff.Handoff{}, err
	}
	return a.handoffs.Partners(c.Request().Context(), caller(c).ID, id)
}

// cancel serves POST /v1/handoffs/:id/cancel.
func (a *partnerAPI) cancel(c echo.Context) error {
	h, err := a.own(c)
	if err != nil {
		return err
	}
	if h, err = a.handoffs.Cancel(c.Request().Context(), h); err != nil {
		return err
	}
	return a.send(c, http.StatusOK, h)
}

// complete serves POST /v1/handoffs/:id/complete.
func (a *partnerAPI) complete(c echo.Context) error {
	var r struct {
		Outcome string `json:"outcome"`
	}
	if err := readJSON(c, &r); err != nil {
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
	if h, err = a.handoffs.Complete(c.Request().Context(), h, r.Outcome == "completed"); err != nil {
		return err
	}
	return a.send(c, http.StatusOK, h)
}

// addLink serves POST /v1/handoffs/:id/links.
func (a *partnerAPI) addLink(c echo.Context) error {
	h, err := a.own(c)
	if err != nil {
		return err
	}
	h, code, err := a.handoffs.AddLink(c.Request().Context(), h, handoff.RoutePartner)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusCreated, map[string]any{
		"url": a.hosts.CodeURL(h.Partner, code.Reveal()), "expiresAt": wireTime(h.Deadline),
	})
}

// list serves GET /v1/handoffs.
func (a *partnerAPI) list(c echo.Context) error {
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
	page, err := a.handoffs.List(c.Request().Context(), q)
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
	return writeJSON(c, http.StatusOK, map[string]any{"items": items, "next": next})
}

// describe serves GET /v1/openapi.json, to everybody.
func (a *partnerAPI) describe(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/json", a.document)
}

// keys serves GET /v1/jwks.json, to everybody.
func (a *partnerAPI) keys(c echo.Context) error {
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

// wireTime is a time as the API shows it: RFC 3339, UTC, to the millisecond.
func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func (a *partnerAPI) send(c echo.Context, status int, h handoff.Handoff) error {
	w, err := a.wire(h)
	if err != nil {
		return err
	}
	return writeJSON(c, status, w)
}

func (a *partnerAPI) wire(h handoff.Handoff) (wireHandoff, error) {
	display := ""
	switch key, err := a.handoffs.DisplayKey(h); {
	case err == nil:
		display = a.public.String() + "/h/" + key.Reveal()
	case !h.Status.Ended(): // of an ended one the server key may be gone, and there is nothing left to display
		return wireHandoff{}, err
	}
	w := wireHandoff{
		ID: h.ID, Status: h.Status, DisplayURL: display, InstanceID: h.Instance, App: h.App,
		Scope: h.Terms.Scope, Reference: h.Terms.Reference, SupportRef: h.SupportRef,
		CreatedAt: wireTime(h.CreatedAt), ExpiresAt: wireTime(h.Deadline), Seq: h.Seq,
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
		w.Events = append(w.Events, wireEvent{Type: e.Type, At: wireTime(e.At), Seq: e.Seq})
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
