package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
)

// wellKnown serves the association files, by which iOS and Android know which
// app may open which of our links.
type wellKnown struct {
	association applink.Association
}

// apple serves /.well-known/apple-app-site-association.
func (w *wellKnown) apple(c echo.Context) error { return w.send(c, w.association.Apple) }

// android serves /.well-known/assetlinks.json.
func (w *wellKnown) android(c echo.Context) error { return w.send(c, w.association.Android) }

func (w *wellKnown) send(c echo.Context, file []byte) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=3600")
	return c.Blob(http.StatusOK, "application/json", file)
}
