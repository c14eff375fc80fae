package display

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// act answers a form of the display: what it did, or that it came too late, is
// what the page shows next.
func (d *Handler) act(c echo.Context, do func(context.Context, handoff.Secret) (handoff.Handoff, error)) error {
	_, err := do(c.Request().Context(), displayKey(c))
	switch code := handoff.CodeOf(err); {
	case err == nil, code == handoff.CodeConflict, code == handoff.CodeGone:
		return d.SeeOther(c, "/h/"+c.Param("key"))
	}
	return err
}

// confirm serves POST /h/:key/confirm.
func (d *Handler) confirm(c echo.Context) error {
	return d.act(c, func(ctx context.Context, key handoff.Secret) (handoff.Handoff, error) {
		return d.Handoffs.Confirm(ctx, key, c.Request().PostFormValue("number"))
	})
}

// release serves POST /h/:key/release.
func (d *Handler) release(c echo.Context) error { return d.act(c, d.Handoffs.Release) }

// reject serves POST /h/:key/reject.
func (d *Handler) reject(c echo.Context) error { return d.act(c, d.Handoffs.RejectAtDisplay) }

// cancel serves POST /h/:key/cancel.
func (d *Handler) cancel(c echo.Context) error { return d.act(c, d.Handoffs.CancelAtDisplay) }

// renew serves POST /h/:key/renew.
func (d *Handler) renew(c echo.Context) error { return d.act(c, d.Handoffs.RenewCode) }

// extend serves POST /h/:key/extend.
func (d *Handler) extend(c echo.Context) error { return d.act(c, d.Handoffs.Extend) }

// noPhone serves POST /h/:key/no-phone.
func (d *Handler) noPhone(c echo.Context) error { return d.act(c, d.Handoffs.NoPhone) }

// send serves POST /h/:key/send: a link to copy, a code to type, or a message.
func (d *Handler) send(c echo.Context) error {
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
		return d.Handoffs.LinkAtDisplay(ctx, key, route)
	})
}

// revoke serves POST /h/:key/revoke.
func (d *Handler) revoke(c echo.Context) error {
	route, err := handoff.ParseRoute(c.Request().PostFormValue("route"))
	if err != nil {
		return err
	}
	return d.act(c, func(ctx context.Context, key handoff.Secret) (handoff.Handoff, error) {
		return d.Handoffs.Revoke(ctx, key, route)
	})
}
