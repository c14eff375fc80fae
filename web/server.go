// Package web serves the portal over HTTP: the partner API, the display's and
// the phone's pages, the app API and the association files, each by a package of
// its own below. These and it alone know Echo and gorilla.
package web

import (
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
	"github.com/handoff-portal/handoff/internal/stream"
	"github.com/handoff-portal/handoff/static"
	"github.com/handoff-portal/handoff/web/api"
	"github.com/handoff-portal/handoff/web/guide"
	"github.com/handoff-portal/handoff/web/openapi"
	"github.com/handoff-portal/handoff/web/site"
	"github.com/handoff-portal/handoff/web/viewers"
)

// Limiter counts what is done by whom.
type Limiter = site.Limiter

// Messenger sends links to people.
type Messenger = site.Messenger

// Config is what the server needs. What may be left out says what that means.
type Config struct {
	Handoffs *handoff.Service
	Records  api.Records
	Partners *partner.Directory
	Changes  viewers.Changes
	Catalog  *i18n.Catalog
	Public   string        // public_url: scheme, host and port, no slash at the end
	Link     string        // link_url, or the same
	Frame    time.Duration // how often a display's code changes; 0: never
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
	brands, err := site.LoadBrands(c.Partners, "/brand/")
	if err != nil {
		return nil, err
	}
	association, err := applink.NewAssociation(c.Partners.All())
	if err != nil {
		return nil, fmt.Errorf("building the association files: %w", err)
	}
	s := site.New(site.Config{
		Handoffs: c.Handoffs, Partners: c.Partners, Catalog: c.Catalog, Public: public, Link: link, Assets: assets, Brands: brands,
		Limiter: c.Limiter, Streams: c.Streams, TrustedProxies: c.TrustedProxies, CountryHeader: c.CountryHeader, Demo: c.Demo, Log: c.Log, Observe: c.Observe,
	})
	docs, err := guide.New(guide.Config{Public: c.Public, Link: c.Link, Assets: assets, Embed: embed, Document: openapi.For(c.Public, c.Link), Demo: c.Demo})
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	if c.Trace != nil {
		e.Use(tracing(c))
	}
	addRoutes(e, s, c, parts{association: association, assets: assets, embed: embed, brands: brands, docs: docs})
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
		ConnContext: viewers.WithConn,
	}
}

// tracing follows each request, by the route's pattern. What a request says of a
// trace that it belongs to is believed of no client (S21): of our own proxies
// alone, and only where these are known to write it themselves.
func tracing(c Config) echo.MiddlewareFunc {
	trace, proxies := c.Trace, c.TrustedProxies
	if !c.TraceParents {
		proxies = nil
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r, parent := c.Request(), ""
			if site.IsProxy(proxies, r) {
				parent = r.Header.Get("traceparent")
			}
			ctx, end := trace(r.Context(), r.Method, c.Path(), parent)
			defer func() { end(c.Response().Status) }()
			c.SetRequest(r.WithContext(ctx))
			return next(c)
		}
	}
}
