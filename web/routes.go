package web

import (
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/web/guide"
	"github.com/handoff-portal/handoff/web/openapi"
)

// addRoutes is the map of the service: every path we serve is on this page.
func addRoutes(e *echo.Echo, s *site, frame time.Duration, association applink.Association, docs *guide.Guide) {
	api := &partnerAPI{site: s, frame: frame, document: openapi.For(s.public.String(), s.link.String())}
	app := &appAPI{site: s}
	desk := &display{site: s, cookies: newPhoneCookies(s.public.Scheme == "https")}
	phone := &phone{site: s, cookies: desk.cookies}
	known := &wellKnown{site: s, association: association}
	told := &reports{site: s}

	e.Pre(s.identifyRequest, s.onlyOverTLS)
	e.Use(s.logRequests, s.recoverPanics, s.knownHosts)

	// Partner API: JSON in, JSON or problem+json out.
	v1 := e.Group("/v1", answersJSON, middleware.BodyLimit("64KiB"), s.publicHost)
	v1.POST("/handoffs", api.create, api.authenticate, s.limitCreates)
	v1.GET("/handoffs", api.list, api.authenticate)
	v1.GET("/handoffs/:id", api.show, api.authenticate)
	v1.POST("/handoffs/:id/cancel", api.cancel, api.authenticate)
	v1.POST("/handoffs/:id/complete", api.complete, api.authenticate)
	v1.POST("/handoffs/:id/links", api.addLink, api.authenticate)
	v1.GET("/openapi.json", api.describe)
	v1.GET("/jwks.json", api.keys)

	// App API: the same, without a key, on both hosts.
	native := e.Group("/v1", answersJSON, middleware.BodyLimit("64KiB"), s.limitUnknown)
	native.POST("/claims", app.claim, s.limitClaims)
	native.POST("/claims/:claim/token", app.token)
	native.POST("/claims/:claim/reject", app.reject)
	native.POST("/pickups", app.pickUp)
	native.POST("/reports/:report", app.report)

	// The display, framed by its partner's page or top level.
	d := e.Group("/h/:key", s.publicHost, browsersOnly, middleware.BodyLimit("16KiB"), framedHeaders(s), s.limitPages, wholeForm, s.limitUnknown)
	d.GET("", desk.show, s.examined)
	d.GET("/events", desk.follow, s.examined)
	d.GET("/status", desk.status)
	d.GET("/qr.svg", desk.svg)
	d.GET("/qr.png", desk.png)
	d.POST("/confirm", desk.confirm)
	d.POST("/release", desk.release)
	d.POST("/reject", desk.reject)
	d.POST("/cancel", desk.cancel)
	d.POST("/renew", desk.renew)
	d.POST("/extend", desk.extend)
	d.POST("/send", desk.send)
	d.POST("/revoke", desk.revoke)
	d.POST("/no-phone", desk.noPhone)
	d.POST("/continue", phone.continueHere, notFramed, s.limitClaims) // it sets the phone's cookie

	// The phone's pages, never framed. On the link host, only what an app claims
	// is answered, by sending a browser to the public one.
	p := e.Group("", browsersOnly, middleware.BodyLimit("16KiB"), pageHeaders(s), s.limitPages, notFramed, wholeForm, s.limitUnknown)
	look := []string{"GET", "HEAD"} // programs that examine links begin with HEAD
	p.Match(look, "/c/:partner/:code", phone.land, s.sendToPublic, s.guesses)
	p.POST("/c/:partner/:code", phone.claim, s.publicHost, s.limitClaims, s.guesses)
	p.POST("/c/:partner/:code/reject", phone.reject, s.publicHost, s.guesses)
	p.GET("/t/:partner", phone.askCode, s.publicHost)
	p.POST("/t/:partner", phone.typed, s.publicHost)
	p.GET("/r/:response", phone.returned, s.publicHost)
	p.GET("/p/:claim", phone.show, s.publicHost)
	p.GET("/p/:claim/events", phone.follow, s.publicHost, s.examined)
	p.GET("/p/:claim/status", phone.status, s.publicHost)
	p.POST("/p/:claim/open", phone.open, s.publicHost)
	p.POST("/p/:claim/store", phone.store, s.publicHost)
	p.POST("/p/:claim/tapped", phone.tapped, s.publicHost)
	p.POST("/p/:claim/reject", phone.rejectClaim, s.publicHost)
	p.Match(look, "/a/:partner/:pickup", phone.appLink, s.sendToPublic)

	// The guide for those who integrate.
	docs.Mount(e.Group("/docs", s.publicHost, browsersOnly, guideHeaders(s), s.limitPages, notFramed))

	// What browsers tell of our pages' policy.
	e.POST(reportsPath, told.take, s.publicHost, middleware.BodyLimit("16KiB"), s.limitPages, fileHeaders)

	// Files.
	e.GET("/static/*", echo.WrapHandler(s.assets), s.publicHost, fileHeaders)
	e.GET("/brand/*", echo.WrapHandler(s.brands), s.publicHost, fileHeaders)
	e.Match(look, "/embed/*", echo.WrapHandler(s.embed), s.publicHost, fileHeaders)
	e.Match(look, "/.well-known/apple-app-site-association", known.apple, s.linkHost, fileHeaders)
	e.Match(look, "/.well-known/assetlinks.json", known.android, s.linkHost, fileHeaders)
}
