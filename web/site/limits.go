package site

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/text/language"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/limit"
)

// Limiter counts what is done by whom, for one process or for several.
type Limiter interface {
	// Take counts one of kind for key and reports whether it is within the limit;
	// if not, retryAfter is when it would be. left is what key has of kind then.
	Take(ctx context.Context, kind limit.Kind, key string) (ok bool, retryAfter time.Duration, left limit.Quota, err error)
	// Spend takes one failure of what key has left; Restore gives it back; Left
	// is how many there are.
	Spend(ctx context.Context, what limit.Failure, key string) (ok bool, retryAfter time.Duration, err error)
	Restore(ctx context.Context, what limit.Failure, key string) error
	Left(ctx context.Context, what limit.Failure, key string) (int, error)
}

var _ Limiter = (*limit.Limiter)(nil)

// clientAddress finds who is asking: the peer of the connection, or, where that
// is one of our proxies, the last address in X-Forwarded-For that is none. What
// stands before it is whatever the client wrote. Echo trusts loopback, link-local
// and private addresses of itself; here only the configured ranges are trusted.
//
// A list in which a trusted proxy wrote no address, such as one with a port,
// counts as the proxy's own.
func clientAddress(proxies []netip.Prefix) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range proxies {
		a := p.Masked().Addr()
		trust = append(trust, echo.TrustIPRange(&net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(p.Bits(), a.BitLen())}))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

// IsProxy reports whether a request comes straight from one of proxies.
func IsProxy(proxies []netip.Prefix, r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) })
}

// countryOf finds what country a request comes from: what one of our proxies says
// in a header, and nobody else. Codes that stand for no country, such as XX, T1
// and EU, are not known to be another one.
func countryOf(proxies []netip.Prefix, header string) func(*http.Request) string {
	return func(r *http.Request) string {
		if header == "" {
			return ""
		}
		if !IsProxy(proxies, r) {
			return ""
		}
		region, err := language.ParseRegion(r.Header.Get(header))
		if err != nil || !region.IsCountry() || len(r.Header.Get(header)) != 2 {
			return ""
		}
		return region.String()
	}
}

// Network is the network a request comes from.
func (s *Site) Network(c echo.Context) string { return limit.Network(s.Address(c.Request())) }

// sharedSpace is what carriers number their customers with (RFC 6598).
func sharedSpace() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10) }

// SeenFrom is the network a request comes from, as it is told apart from others;
// empty for an address that says nothing of where somebody is, such as one of a
// private network, which there are many of.
func (s *Site) SeenFrom(c echo.Context) handoff.Secret {
	a, err := netip.ParseAddr(s.Address(c.Request()))
	if err != nil {
		return ""
	}
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || sharedSpace().Contains(a) {
		return ""
	}
	return handoff.Secret(s.Network(c))
}

// Within counts one of kind for key, and tells what key has left of it. Beyond the
// limit it is CodeRateLimited. If nobody can count, nobody is refused, and what is
// left is the zero Quota.
func (s *Site) Within(c echo.Context, kind limit.Kind, key string) (left limit.Quota, err error) {
	ok, after, left, err := s.Limiter.Take(c.Request().Context(), kind, key)
	switch {
	case err != nil:
		s.Log.ErrorContext(c.Request().Context(), "limit_failed", "route", c.Path(), "limit", string(kind), "error", err)
		return limit.Quota{}, nil
	case !ok:
		e := handoff.Errorf(handoff.CodeRateLimited, "beyond the limit %s", kind)
		e.RetryAfter = after
		return left, e
	}
	return left, nil
}

// LimitPages bounds what browsers ask for: pages and forms by their network. What
// an open page asks by itself to stay up to date, some twenty times a minute,
// would use a whole office's share up; it is bounded by the page instead.
func (s *Site) LimitPages(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		kind, key := limit.PagesPerNetwork, s.Network(c)
		switch path.Base(c.Path()) {
		case "events", "status", "qr.svg", "qr.png":
			hash := handoff.HashOf(handoff.Secret(c.ParamValues()[0]))
			kind, key = limit.UpkeepPerPage, hex.EncodeToString(hash[:])
		}
		if _, err := s.Within(c, kind, key); err != nil {
			return err
		}
		return next(c)
	}
}

// LimitClaims bounds the attempts to claim, by their network.
func (s *Site) LimitClaims(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if _, err := s.Within(c, limit.ClaimsPerNetwork, s.Network(c)); err != nil {
			return err
		}
		return next(c)
	}
}

// LimitUnknown makes one failure of all that is not found, so that a malformed, an
// unknown and a foreign capability are answered alike, and bounds how often a
// network gets it.
func (s *Site) LimitUnknown(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err == nil || handoff.CodeOf(err) != handoff.CodeNotFound {
			return err
		}
		return s.Unknown(c)
	}
}

// Unknown is the answer to a capability that never was. Beyond the limit it is
// CodeRateLimited, for those alone: a good one from the same network is answered
// as ever, since the people behind an address must not suffer for one of them who
// guesses. A guesser gains nothing by it: of 2^128 there is nothing to be found,
// and typed codes, which are shorter, have a budget of their own.
func (s *Site) Unknown(c echo.Context) error {
	if _, err := s.Within(c, limit.UnknownPerNetwork, s.Network(c)); err != nil {
		return err
	}
	return handoff.Errorf(handoff.CodeNotFound, "there is no such thing, or not any more")
}
