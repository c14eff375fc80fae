package display

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/text/language"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/limit"
	"github.com/handoff-portal/handoff/templates"
	"github.com/handoff-portal/handoff/web/site"
)

// messages reports whether a handoff's link can go out in a message by r.
func (d *Handler) messages(h handoff.Handoff, r handoff.Route) bool {
	return d.messenger != nil && d.messenger.Sends(r) && h.HasRoute(r) && h.Terms.CodeMode == handoff.CodeLink
}

// sendMessage sends the link to whom the person names in "to", or, where that is
// empty, to whom the partner named. What is typed is kept nowhere.
func (d *Handler) sendMessage(c echo.Context, r handoff.Route) error {
	h, err := d.Handoffs.AtDisplay(c.Request().Context(), displayKey(c))
	if err != nil {
		return err
	}
	if !d.messages(h, r) {
		return handoff.Errorf(handoff.CodeForbidden, "the route %s is not open here", r)
	}
	if h.Status.Ended() || h.Status.Held() {
		return d.SeeOther(c, "/h/"+c.Param("key"))
	}
	p := d.PageOf(c, h)
	to, err := d.recipient(c, h, r)
	if handoff.CodeOf(err) == handoff.CodeInvalid {
		wrong := p.T.T("other.sms_wrong")
		if r == handoff.RouteEmail {
			wrong = p.T.T("other.email_wrong")
		}
		return d.notSent(c, h, r, http.StatusBadRequest, wrong)
	}
	if err != nil {
		return err
	}
	if after := d.tooMany(c, h, to); after > 0 {
		c.Response().Header().Set("Retry-After", site.WholeSeconds(after))
		// In whole minutes: nobody is told to come a few seconds too soon.
		return d.notSent(c, h, r, http.StatusTooManyRequests, p.T.T("other.send_wait", "time", p.T.Span((after+time.Minute-1).Truncate(time.Minute))))
	}
	_, err = d.Handoffs.SendLink(c.Request().Context(), h, to, func(ctx context.Context, code handoff.Secret) (string, error) {
		return d.post(ctx, h, to, letter(p, d.Hosts.CodeURL(h.Partner, code.Reveal())))
	})
	switch code := handoff.CodeOf(err); {
	case err == nil, code == handoff.CodeConflict, code == handoff.CodeGone:
		return d.SeeOther(c, "/h/"+c.Param("key"))
	}
	return err
}

// post sends a letter, and notes what came of it without saying to whom.
func (d *Handler) post(ctx context.Context, h handoff.Handoff, to handoff.Recipient, l handoff.Letter) (ticket string, err error) {
	ticket, err = d.messenger.Send(ctx, to, l)
	if err != nil {
		d.Log.WarnContext(ctx, "message_not_sent", "handoff", h.ID, "partner", h.Partner, "to", to.Route, "unsure", errors.Is(err, handoff.ErrUnsure), "error", err)
		return "", err
	}
	d.Log.InfoContext(ctx, "message_sent", "handoff", h.ID, "partner", h.Partner, "to", to.Route)
	return ticket, nil
}

// recipient is who is meant.
func (d *Handler) recipient(c echo.Context, h handoff.Handoff, r handoff.Route) (handoff.Recipient, error) {
	typed := strings.TrimSpace(c.Request().PostFormValue("to"))
	if typed != "" {
		return d.messenger.Recipient(r, typed, region(h.Terms.Locale, c.Request().Header.Get("Accept-Language")))
	}
	to, ok, err := d.Handoffs.Contact(h, r)
	if err == nil && !ok {
		err = handoff.Errorf(handoff.CodeInvalid, "nobody is named")
	}
	return to, err
}

// region is the country that a person says to be in: the one that is written in
// their first language, as in en-GB. A language alone says nothing of where
// somebody is, and a guess would send the link to a stranger.
func region(locale, accepted string) string {
	first, _, _ := strings.Cut(accepted, ",")
	first, _, _ = strings.Cut(first, ";")
	for _, text := range []string{locale, first} {
		tag, err := language.Parse(strings.TrimSpace(text))
		if err != nil {
			continue
		}
		if r, sure := tag.Region(); sure == language.Exact {
			return r.String()
		}
	}
	return ""
}

// tooMany counts a message against every limit, and returns how long to wait if
// one is reached. Messages cost money, so where nobody can count, none is sent.
func (d *Handler) tooMany(c echo.Context, h handoff.Handoff, to handoff.Recipient) time.Duration {
	ctx := c.Request().Context()
	for _, l := range []struct {
		kind limit.Kind
		key  string
	}{
		{limit.MessagesPerHandoff, string(h.ID)},
		{limit.MessagesPerNetwork, d.Network(c)},
		{limit.MessagesPerRecipient, d.Handoffs.RecipientKey(to)},
		{limit.MessagesPerArea, string(to.Route) + " " + to.Area},
	} {
		ok, after, _, err := d.Limiter.Take(ctx, l.kind, l.key)
		if err != nil {
			d.Log.ErrorContext(ctx, "limit_failed", "route", c.Path(), "limit", string(l.kind), "error", err)
			return time.Minute
		}
		if !ok {
			d.Log.WarnContext(ctx, "message_limited", "handoff", h.ID, "partner", h.Partner, "limit", string(l.kind))
			return max(after, time.Second)
		}
	}
	return 0
}

// notSent says beside the form why nothing was sent: to a script the text alone,
// to a person the page with it.
func (d *Handler) notSent(c echo.Context, h handoff.Handoff, r handoff.Route, status int, text string) error {
	if mode := c.Request().Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return site.WriteJSON(c, status, map[string]string{"text": text})
	}
	if err := d.AllowFrame(c, h.Terms.ParentOrigin); err != nil {
		return err
	}
	v, err := d.view(c, h, d.Visitor(c))
	if err != nil {
		return err
	}
	v.NotSent = map[string]string{string(r): text}
	return site.Render(c, status, templates.DisplayPage(v))
}

// letter is what a message says, in the language of the page it is asked for on.
func letter(p templates.Page, link string) handoff.Letter {
	partner := p.Brand.Name
	return handoff.Letter{
		Short: unmarked(p.T.T("message.short", "partner", partner)) + "\n" + link,
		Lang:  string(p.T.Lang()), Dir: p.T.Dir(), Partner: partner, Link: link,
		Subject: unmarked(p.T.T("message.subject", "partner", partner)),
		Intro:   p.T.T("message.intro", "partner", partner), Open: p.T.T("message.open"), Note: p.T.T("message.note"),
	}
}

// unmarked is text without marks of direction: in a text message they cost two
// thirds of its length.
func unmarked(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '\u2066' && r <= '\u2069' {
			return -1
		}
		return r
	}, text)
}

// sent is the message that a route's live code went out with, or nil.
func (d *Handler) sent(h handoff.Handoff, r handoff.Route, now time.Time) (*templates.Sent, error) {
	rc := h.CodeOn(r, now)
	if rc == nil || rc.Sent == nil {
		return nil, nil
	}
	to, err := d.Handoffs.MaskedOf(h, rc)
	if err != nil {
		return nil, err
	}
	return &templates.Sent{To: to, Ago: now.Sub(rc.Sent.At), State: sentState(rc.Sent.StateAt(now))}, nil
}

// sentState is what people are told of a message: who took it has not passed it on
// yet, and one that was passed on has been sent, whether it is there or not.
func sentState(s handoff.DispatchState) templates.SentState {
	switch s {
	case handoff.DispatchSending, handoff.DispatchQueued:
		return templates.SentSending
	case handoff.DispatchSent, handoff.DispatchDelivered:
		return templates.SentDone
	case handoff.DispatchFailed:
		return templates.SentFailed
	case handoff.DispatchUnsure:
	}
	return templates.SentUnsure
}

// contactFor is whom the partner named for a route, as people know them, or empty.
func (d *Handler) contactFor(h handoff.Handoff, r handoff.Route) (string, error) {
	to, _, err := d.Handoffs.Contact(h, r)
	return to.Masked, err
}
