// Package egress makes HTTP clients for addresses that somebody else chose, and
// keeps them out of our own networks.
//
// What an address leads to is decided when the connection is made, not before:
// a name may lead elsewhere the next time it is asked for. So every address that
// a name resolves to is checked in the dialer, after resolution and before the
// first packet.
package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// ErrRefused is what every refusal of a Guard is, by errors.Is. Its text is safe
// to show to the operator, and names no address.
var ErrRefused = errors.New("address not allowed")

// Options say what is allowed, and bound what is not.
type Options struct {
	// Allow are the special ranges that may be connected to all the same, and the
	// only ones that plain http may be spoken with.
	Allow []netip.Prefix
	// RootCAs are trusted instead of the system's, if set.
	RootCAs *x509.CertPool
	// Resolver finds addresses; default: the system's.
	Resolver *net.Resolver
}

// Limits of every connection. The whole of a call is for its context to bound.
const (
	dialLimit   = 10 * time.Second
	headerLimit = 16 << 10 // bytes
	idleLimit   = 60 * time.Second

	idlePerHost, idleInAll = 16, 256 // connections kept open; how many are in use is for the callers to bound
)

// Guard decides what may be connected to. It is an http.RoundTripper that
// follows no redirect, uses no proxy, sends no cookie and speaks https with names
// in the public internet only, but for what Options allow.
type Guard struct {
	allow  []netip.Prefix
	secure *http.Transport // https: public addresses, and allowed ones
	plain  *http.Transport // http: allowed addresses only

	observer func(netip.Addr) error // of a test: sees what passed
}

// New returns a Guard. Close its idle connections with CloseIdleConnections.
func New(o Options) *Guard {
	g := &Guard{}
	for _, p := range o.Allow {
		g.allow = append(g.allow, p.Masked())
	}
	transport := func(check func(netip.Addr) error) *http.Transport {
		d := &net.Dialer{
			Timeout: dialLimit, Resolver: o.Resolver,
			ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
				if network != "tcp4" && network != "tcp6" {
					return fmt.Errorf("%w: not a TCP connection", ErrRefused)
				}
				at, err := netip.ParseAddrPort(address)
				if err != nil {
					return fmt.Errorf("%w: not an address and a port", ErrRefused)
				}
				if err := check(at.Addr()); err != nil || g.observer == nil {
					return err
				}
				return g.observer(at.Addr())
			},
		}
		return &http.Transport{
			Proxy: nil, DialContext: d.DialContext, ForceAttemptHTTP2: true,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
			TLSHandshakeTimeout: dialLimit, MaxResponseHeaderBytes: headerLimit,
			MaxIdleConnsPerHost: idlePerHost, MaxIdleConns: idleInAll, IdleConnTimeout: idleLimit,
			DisableCompression: true, // a small answer may not become a large one
		}
	}
	g.secure = transport(g.CheckAddr)
	g.plain = transport(func(a netip.Addr) error {
		if !g.allowed(a.Unmap()) {
			return fmt.Errorf("%w: plain http is for ranges of egress_allow", ErrRefused)
		}
		return g.CheckAddr(a)
	})
	return g
}

// Client returns a client that uses g and returns redirects as they are.
func (g *Guard) Client() *http.Client {
	return &http.Client{
		Transport:     g,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// RoundTrip implements http.RoundTripper.
func (g *Guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.CheckURL(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // a RoundTripper closes it, whatever comes
		}
		return nil, err
	}
	if r.URL.Scheme == "https" {
		return g.secure.RoundTrip(r)
	}
	return g.plain.RoundTrip(r)
}

// CloseIdleConnections closes what is open and not in use.
func (g *Guard) CloseIdleConnections() {
	g.secure.CloseIdleConnections()
	g.plain.CloseIdleConnections()
}

var nameForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$`)

// CheckURL refuses what no connection should be tried for. Where the name leads
// is checked when one is.
func (g *Guard) CheckURL(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || len(g.allow) == 0):
		return fmt.Errorf("%w: https only", ErrRefused)
	case u.User != nil:
		return fmt.Errorf("%w: user information", ErrRefused)
	case host == "" || u.Opaque != "":
		return fmt.Errorf("%w: no host", ErrRefused)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" || !g.allowed(a.Unmap()) {
			return fmt.Errorf("%w: names only, no addresses", ErrRefused)
		}
		return nil
	}
	if len(host) > 254 || !nameForm.MatchString(host) || numeric(host) {
		return fmt.Errorf("%w: the host is no DNS name", ErrRefused)
	}
	return nil
}

// numeric reports whether some resolver would read host as an IPv4 address: its
// last label is a number, in whatever base (WHATWG URL, "ends in a number").
func numeric(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x")
}

// CheckAddr refuses an address in a special range that is not allowed. One that
// carries an IPv4 address within is as good as that one.
func (g *Guard) CheckAddr(a netip.Addr) error {
	if a.Zone() != "" {
		return fmt.Errorf("%w: an address with a zone", ErrRefused)
	}
	a = a.Unmap()
	if inner, ok := embedded(a); ok {
		if err := g.CheckAddr(inner); err != nil {
			return err
		}
	}
	if g.allowed(a) {
		return nil
	}
	if why := special(a); why != "" {
		return fmt.Errorf("%w: %s", ErrRefused, why)
	}
	return nil
}

func (g *Guard) allowed(a netip.Addr) bool {
	for _, p := range g.allow {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
