package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/web/site"
)

// wellKnown serves the association files, by which iOS and Android know which
// app may open which of our links.
type wellKnown struct {
	*site.Site
	association applink.Association
}

// apple serves /.well-known/apple-app-site-association: on the link host to apps, on
// the public one, where that is another, to App Clips alone.
func (w *wellKnown) apple(c echo.Context) error {
	file := w.association.Apple
	if !w.OnLinkHost(c) {
		file = w.association.Pages
	}
	if file == nil {
		return handoff.Errorf(handoff.CodeNotFound, "no such path")
	}
	return w.send(c, file)
}

// android serves /.well-known/assetlinks.json.
func (w *wellKnown) android(c echo.Context) error { return w.send(c, w.association.Android) }

func (w *wellKnown) send(c echo.Context, file []byte) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=3600")
	return c.Blob(http.StatusOK, "application/json", file)
}
