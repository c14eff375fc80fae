// Package web serves the portal over HTTP: the partner API, the display's and
// the phone's pages, the app API and the association files. It alone knows Echo
// and gorilla.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	"github.com/handoff-portal/handoff/internal/stream"
	"github.com/handoff-portal/handoff/static"
	"github.com/handoff-portal/handoff/templates"
	"github.com/handoff-portal/handoff/web/guide"
	"github.com/handoff-portal/handoff/web/openapi"
)

// Changes tells of changes of handoffs.
type Changes interface {
	// Follow has f told of those of one handoff, until Unfollow. It reports false if
	// the process is about to go.
	Follow(id handoff.ID, f handoff.Follower) (open bool)
	Unfollow(id handoff.ID, f handoff.Follower)
}

// Records signs what a partner may believe about a handoff.
type Records interface {
	Sign(r handoff.Record) (string, error)
	// Keys is the JSON Web Key Set that verifies it.
	Keys() ([]byte, error)
}

// Config is what the server needs; every field is required but Demo, Examines,
// Heartbeat, Messenger, TrustedProxies, Poller, Observe and Trace.
type Config struct {
	Handoffs *handoff.Service
	Records  Records
	Partners *partner.Directory
	Changes  Changes
	Catalog  *i18n.Catalog
	Public   string // public_url: scheme, host and port, no slash at the end
	Link     string // link_url, or the same
	Frame    time.Duration
	Limiter  Limiter
	Streams  *limit.Streams // those of this process
	// Heartbeat is how often a stream says that it is there. Default: every 15 s.
	Heartbeat time.Duration
	// Poller keeps the connections of streams, where it can. Nil: net/http does.
	Poller *stream.Poller
	// TrustedProxies are whose X-Forwarded-For is believed; none: nobody's.
	TrustedProxies []netip.Prefix
	// CountryHeader is where one of them says what country a request comes from;
	// empty: nowhere.
	CountryHeader string
	Demo          bool // every page says that nothing here is real
	// Examines reports whether a key is handoff doctor's, and the origin that it
	// wants to see framed. Nil: none is.
	Examines func(key string) (parent string, ok bool)
	// Messenger sends links to people. Nil: nobody does.
	Messenger Messenger
	Log       *slog.Logger
	// Observe is told of every request when it has been answered; a stream, when it
	// has ended. nil: nobody is.
	Observe func(method, route string, status int, took time.Duration, stream bool)
	// Trace follows a request from its beginning to end, which is given the status.
	// parent is the traceparent of one of TrustedProxies, where TraceParents says that
	// they write their own; else it is empty. nil: nobody follows.
	Trace        func(ctx context.Context, method, route, parent string) (_ context.Context, end func(status int))
	TraceParents bool
}

// site is what every audience's handlers share.
type site struct {
	handoffs  *handoff.Service
	records   Records
	partners  *partner.Directory
	catalog   *i18n.Catalog
	menus     map[i18n.Lang][]templates.Language // never written to
	assets    *static.Assets
	sheet     string // css/app.css, which stands in the pages
	brands    *brands
	embed     *static.Embed
	displays  *templates.Prepared
	hosts     applink.Hosts
	public    *url.URL
	link      *url.URL
	limiter   Limiter
	streams   *limit.Streams
	address   echo.IPExtractor
	country   func(*http.Request) string
	demo      bool
	examines  func(key string) (parent string, ok bool)
	log       *slog.Logger
	observe   func(method, route string, status int, took time.Duration, stream bool)
	messenger Messenger
	viewers   *viewers

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

// New returns the handler of both hosts. Faults are those of the configuration:
// a colour, a host, an association file over its size.
func New(c Config) (http.Handler, error) {
	if c.Limiter == nil || c.Streams == nil {
		return nil, errors.New("there is nothing that counts against the limits")
	}
	if c.Records == nil {
		return nil, errors.New("there is nothing that signs records")
	}
	public, err := url.Parse(c.Public)
	if err != nil {
		return nil, fmt.Errorf("reading public_url: %w", err)
	}
	link, err := url.Parse(c.Link)
	if err != nil {
		return nil, fmt.Errorf("reading link_url: %w", err)
	}
	if c.Examines == nil {
		c.Examines = func(string) (string, bool) { return "", false }
	}
	assets, err := static.Load("/static/")
	if err != nil {
		return nil, fmt.Errorf("loading the assets: %w", err)
	}
	embed, err := static.LoadEmbed("/embed/")
	if err != nil {
		return nil, fmt.Errorf("loading the embedding script: %w", err)
	}
	brands, err := loadBrands(c.Partners, "/brand/")
	if err != nil {
		return nil, err
	}
	association, err := applink.NewAssociation(c.Partners.All())
	if err != nil {
		return nil, fmt.Errorf("building the association files: %w", err)
	}
	s := &site{
		handoffs: c.Handoffs, records: c.Records, partners: c.Partners, catalog: c.Catalog, menus: menus(c.Catalog), assets: assets, sheet: string(assets.Body("css/app.css")), brands: brands, embed: embed, displays: &templates.Prepared{},
		hosts: applink.Hosts{Link: c.Link, Public: c.Public}, public: public, link: link, demo: c.Demo, log: c.Log,
		limiter: c.Limiter, streams: c.Streams, address: clientAddress(c.TrustedProxies), observe: c.Observe,
		country: countryOf(c.TrustedProxies, c.CountryHeader), examines: c.Examines, messenger: c.Messenger,
	}
	s.files = s.pageAssets()
	s.forPages = make(http.Header)
	s.setPageHeaders(s.forPages, s.policy("'none'"))
	s.coloured = recent.New[coloured, string](remembered)
	s.policies, s.browsers, s.matched = recent.New[string, string](remembered), recent.New[agent, handoff.Browser](remembered), recent.New[wanted, i18n.Lang](remembered)
	s.viewers = newViewers(s, c.Changes, c.Poller, cmp.Or(c.Heartbeat, heartbeatEvery))
	docs, err := guide.New(guide.Config{Public: c.Public, Link: c.Link, Assets: assets, Embed: embed, Document: openapi.For(c.Public, c.Link), Demo: c.Demo})
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.answerError
	e.IPExtractor = s.address
	if c.Trace != nil {
		e.Use(tracing(c))
	}
	addRoutes(e, s, c.Frame, association, docs)
	return e, nil
}

// Limits of every http.Server of ours: slow headers, slow bodies and idle
// connections all end. Streams clear the write deadline one by one.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 45 * time.Second // a page may wait for one upstream step
	idleTimeout       = 90 * time.Second
	maxHeaderBytes    = 32 << 10
)

// NewServer returns an http.Server for h with every limit set.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ConnContext: withConn,
	}
}
