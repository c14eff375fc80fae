// Package site is what all audiences' handlers share: who is asking, what they are
// counted for, how a page is made, and how a failure is answered.
package site

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/i18n"
	"github.com/handoff-portal/handoff/internal/limit"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/recent"
	"github.com/handoff-portal/handoff/static"
	"github.com/handoff-portal/handoff/templates"
)

// Config is what a site is made of; only TrustedProxies, CountryHeader, Demo and
// Observe may be left out.
type Config struct {
	Handoffs     *handoff.Service
	Partners     *partner.Directory
	Catalog      *i18n.Catalog
	Public, Link *url.URL // public_url and link_url, no slash at the end
	Assets       *static.Assets
	Brands       *Brands
	Limiter      Limiter
	Streams      *limit.Streams

	TrustedProxies []netip.Prefix
	CountryHeader  string
	Demo           bool
	Log            *slog.Logger
	Observe        func(method, route string, status int, took time.Duration, stream bool)
}

// Site is what every audience's handlers share. It is safe for concurrent use.
type Site struct {
	Handoffs *handoff.Service
	Partners *partner.Directory
	Hosts    applink.Hosts // what every address of ours is made of
	Limiter  Limiter
	Streams  *limit.Streams   // those of this process
	Address  echo.IPExtractor // finds who is asking
	Log      *slog.Logger

	public   *url.URL
	link     *url.URL
	assets   *static.Assets
	catalog  *i18n.Catalog
	menus    map[i18n.Lang][]templates.Language // never written to
	sheet    string                             // css/app.css, which stands in the pages
	brands   *Brands
	country  func(*http.Request) string
	demo     bool
	observe  func(method, route string, status int, took time.Duration, stream bool)
	files    templates.Assets // of every page
	forPages http.Header      // what every page has; its values are never written to
	policies *recent.Map[string, string]
	coloured *recent.Map[coloured, string]
	browsers *recent.Map[agent, handoff.Browser]
	matched  *recent.Map[wanted, i18n.Lang]
}

// remembered is how much the server remembers of what browsers say of themselves:
// people's browsers are few, and what is longer than any of theirs is read anew.
const (
	remembered     = 1000
	rememberedSize = 1 << 10
)

// New returns what the audiences share.
func New(c Config) *Site {
	s := &Site{
		Handoffs: c.Handoffs, Partners: c.Partners, Hosts: applink.Hosts{Link: c.Link.String(), Public: c.Public.String()}, public: c.Public, link: c.Link,
		Limiter: c.Limiter, Streams: c.Streams, Address: clientAddress(c.TrustedProxies), Log: c.Log,
		catalog: c.Catalog, menus: menus(c.Catalog), assets: c.Assets, sheet: string(c.Assets.Body("css/app.css")), brands: c.Brands,
		country: countryOf(c.TrustedProxies, c.CountryHeader), demo: c.Demo, observe: c.Observe,
		policies: recent.New[string, string](remembered), coloured: recent.New[coloured, string](remembered),
		browsers: recent.New[agent, handoff.Browser](remembered), matched: recent.New[wanted, i18n.Lang](remembered),
	}
	s.files = s.pageAssets()
	s.forPages = make(http.Header)
	s.setPageHeaders(s.forPages, s.policy("'none'"))
	return s
}
