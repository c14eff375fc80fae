package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// wholeForm refuses a form that cannot be read to its end, before anything is made
// of the part that could.
func wholeForm(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method != http.MethodPost {
			return next(c)
		}
		err := c.Request().ParseForm()
		if e, ok := errors.AsType[*echo.HTTPError](err); ok {
			return e // beyond the limit of the body
		}
		if err != nil {
			return handoff.Errorf(handoff.CodeInvalid, "the form cannot be read")
		}
		return next(c)
	}
}

// act answers a form of the display: what it did, or that it came too late, is
// what the page shows next.
func (d *display) act(c echo.Context, do func(context.Context, handoff.Secret) (handoff.Handoff, error)) error {
	_, err := do(c.Request().Context(), displayKey(c))
	switch code := handoff.CodeOf(err); {
	case err == nil, code == handoff.CodeConflict, code == handoff.CodeGone:
		return d.seeOther(c, "/h/"+c.Param("key"))
	}
	return err
}

// confirm serves POST /h/:key/confirm.
func (d *display) confirm(c echo.Context) error {
	return d.act(c, func(ctx context.Context, key handoff.Secret) (handoff.Handoff, error) {
		return d.handoffs.Confirm(ctx, key, c.Request().PostFormValue("number"))
	})
}

// release serves POST /h/:key/release.
func (d *display) release(c echo.Context) error { return d.act(c, d.handoffs.Release) }

// reject serves POST /h/:key/reject.
func (d *display) reject(c echo.Context) error { return d.act(c, d.handoffs.RejectAtDisplay) }

// cancel serves POST /h/:key/cancel.
func (d *display) cancel(c echo.Context) error { return d.act(c, d.handoffs.CancelAtDisplay) }

// renew serves POST /h/:key/renew.
func (d *display) renew(c echo.Context) error { return d.act(c, d.handoffs.RenewCode) }

// extend serves POST /h/:key/extend.
func (d *display) extend(c echo.Context) error { return d.act(c, d.handoffs.Extend) }

// noPhone serves POST /h/:key/no-phone.
func (d *display) noPhone(c echo.Context) error { return d.act(c, d.handoffs.NoPhone) }

// send serves POST /h/:key/send: a link to copy, a code to type, or a message.
func (d *display) send(c echo.Context) error {
	route, err := handoff.ParseRoute(c.Request().PostFormValue("route"))
	if err != nil {
		return err
	}
	if route == handoff.RouteSMS || route == handoff.RouteEmail {
		return d.sendMessage(c, route)
	}
	if route != handoff.RouteLink && route != handoff.RouteTyped {
		return handoff.Errorf(handoff.CodeForbidden, "the route %s is not open here", route)
	}
	return d.act(c, func(ctx context.Context, key handoff.Secret) (handoff.Handoff, error) {
		return d.handoffs.LinkAtDisplay(ctx, key, route)
	})
}

// revoke serves POST /h/:key/revoke.
func (d *display) revoke(c echo.Context) error {
	route, err := handoff.ParseRoute(c.Request().PostFormValue("route"))
	if err != nil {
		return err
	}
	return d.act(c, func(ctx context.Context, key handoff.Secret) (handoff.Handoff, error) {
		return d.handoffs.Revoke(ctx, key, route)
	})
}
