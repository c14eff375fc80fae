package web

import (
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/static"
	"github.com/handoff-portal/handoff/web/api"
	"github.com/handoff-portal/handoff/web/display"
	"github.com/handoff-portal/handoff/web/guide"
	"github.com/handoff-portal/handoff/web/phone"
	"github.com/handoff-portal/handoff/web/site"
	"github.com/handoff-portal/handoff/web/viewers"
)

// parts are what is made for the routes alone.
type parts struct {
	association applink.Association
	assets      *static.Assets
	embed       *static.Embed
	brands      *site.Brands
	docs        *guide.Guide
}

// addRoutes is the map of the service: its groups are its audiences, each of which
// adds its own paths. testdata/routes.txt lists them all.
func addRoutes(e *echo.Echo, s *site.Site, c Config, p parts) {
	streams := viewers.New(s, c.Changes, c.Poller, c.Heartbeat)
	cookies := s.NewCookies()
	doctor := &examiner{Site: s, examines: c.Examines}
	known := &wellKnown{Site: s, association: p.association}
	told := &reports{Site: s}

	s.Install(e)

	// Partner API: JSON in, JSON or problem+json out.
	api.ForPartners(s, c.Records, c.Messenger, c.Frame).Mount(e.Group("/v1", site.AnswersJSON, middleware.BodyLimit("64KiB"), s.PublicHost))

	// App API: the same, without a key, on both hosts.
	api.ForApps(s).Mount(e.Group("/v1", site.AnswersJSON, middleware.BodyLimit("64KiB"), s.LimitUnknown))

	// The display, framed by its partner's page or top level.
	framable := e.Group("/h/:key", s.PublicHost, site.BrowsersOnly, middleware.BodyLimit("16KiB"), s.PageHeaders, s.LimitPages, site.WholeForm, s.LimitUnknown)
	display.New(s, streams, cookies, c.Messenger).Mount(framable, doctor.examined)

	// The phone's pages, never framed. On the link host, only what an app claims
	// is answered, by sending a browser to the public one.
	own := e.Group("", site.BrowsersOnly, middleware.BodyLimit("16KiB"), s.PageHeaders, s.LimitPages, site.NotFramed, site.WholeForm, s.LimitUnknown)
	phone.New(s, streams, cookies).Mount(own, framable, doctor.examined)

	// The guide for those who integrate, which has a script of its own.
	p.docs.Mount(e.Group("/docs", s.PublicHost, site.BrowsersOnly, s.HeadersFor(guide.Script), s.LimitPages, site.NotFramed))

	// What browsers tell of our pages' policy.
	e.POST(site.ReportsPath, told.take, s.PublicHost, middleware.BodyLimit("16KiB"), s.LimitPages, site.FileHeaders)

	// Files. Programs that examine links begin with HEAD.
	look := []string{"GET", "HEAD"}
	e.GET("/static/*", echo.WrapHandler(p.assets), s.PublicHost, site.FileHeaders)
	e.GET("/brand/*", echo.WrapHandler(p.brands), s.PublicHost, site.FileHeaders)
	e.Match(look, "/embed/*", echo.WrapHandler(p.embed), s.PublicHost, site.FileHeaders)
	e.Match(look, "/.well-known/apple-app-site-association", known.apple, site.FileHeaders)
	e.Match(look, "/.well-known/assetlinks.json", known.android, s.LinkHost, site.FileHeaders)
}
