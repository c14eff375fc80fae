// Package demo is a made-up partner, to try everything with: a bank's shop that
// hands its customers off, and the bank's app, played by a page. Both stand on
// the public contract alone: the shop has a partner key, the app is a client of
// the App API, and neither knows anything else of the portal.
//
// Every page says that it is a demonstration. No page holds a token.
package demo

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
)

// DefaultPort is the portal's; the shop, the stand-in platform and the app
// follow it.
const DefaultPort = 8080

// Options say where a demonstration runs.
type Options struct {
	Port int  // of the portal, and the three after it; 1–65532
	LAN  bool // on every interface, for a real phone on the same network
	// Interfaces are this machine's addresses, with LAN; default: asked for.
	Interfaces func() ([]net.Addr, error)
}

// Setup is a demonstration that can be started. Addresses are scheme, host and
// port; the listening ones are host and port.
type Setup struct {
	PublicURL  string // the portal's pages
	LinkURL    string // the portal's links: another host, so that both ways of serving are played
	ShopURL    string
	LANShopURL string // the shop for a phone; empty without LAN
	StandInURL string
	AppURL     string

	ListenPortal, ListenShop, ListenStandIn, ListenApp string

	Key        handoff.Secret // the partner's, known to its shop
	HookSecret handoff.Secret // signs the shop's webhooks
	Partner    partner.Partner
}

// NewSetup decides addresses and makes a partner with a new key.
func NewSetup(o Options) (Setup, error) {
	if o.Port < 1 || o.Port > 65532 {
		return Setup{}, fmt.Errorf("port %d: it and the three after it must be between 1 and 65535", o.Port)
	}
	at := func(host string, i int) string { return net.JoinHostPort(host, strconv.Itoa(o.Port+i)) }
	s := Setup{
		PublicURL: "http://" + at("127.0.0.1", 0), LinkURL: "http://" + at("localhost", 0),
		ShopURL: "http://" + at("localhost", 1), StandInURL: "http://" + at("127.0.0.1", 2), AppURL: "http://" + at("localhost", 3),
		ListenPortal: at("127.0.0.1", 0), ListenShop: at("127.0.0.1", 1), ListenStandIn: at("127.0.0.1", 2), ListenApp: at("127.0.0.1", 3),
		Key: partner.NewKey(), HookSecret: newHookSecret(),
	}
	s.Partner = s.bank()
	if !o.LAN {
		return s, nil
	}
	if o.Interfaces == nil {
		o.Interfaces = machineAddrs
	}
	ip, err := lanAddress(o.Interfaces)
	if err != nil {
		return Setup{}, err
	}
	// One host: a phone can resolve no second name for this machine.
	s.PublicURL = "http://" + at(ip, 0)
	s.LinkURL = s.PublicURL
	s.LANShopURL, s.AppURL = "http://"+at(ip, 1), "http://"+at(ip, 3)
	s.ListenPortal, s.ListenShop, s.ListenApp = at("", 0), at("", 1), at("", 3)
	return s, nil
}

// bank is the made-up partner. Its app ids are of the right form and belong to
// nobody.
func (s Setup) bank() partner.Partner {
	return partner.Partner{
		ID: "acme", Name: "Acme Bank",
		KeyHashes:  []handoff.Hash{partner.HashKey(s.Key)},
		Origins:    []string{s.ShopURL},
		ReturnURLs: []string{s.ShopURL + "/done"},
		// The stand-in has no risk to tell of: links ask for the number, the QR does not.
		Confirmation: handoff.ConfirmAuto, CompleteWithin: time.Hour, Retain: 24 * time.Hour,
		Brand:  partner.Brand{Color: "#0b5fff", ColorDark: "#8ab4ff"},
		Routes: []handoff.Route{handoff.RouteLink, handoff.RouteSMS, handoff.RouteEmail, handoff.RouteTyped, handoff.RouteLocal},
		Apps: []partner.App{{
			ID: "main", Name: "Acme", Exchange: handoff.ExchangePortal, CodeMode: handoff.CodeLink,
			IOS: partner.IOS{AppID: "ABCDE12345.com.example.acme", StoreURL: "https://apps.apple.com/app/id1"},
			Android: partner.Android{
				Package: "com.example.acme", Fingerprints: []string{placeholderFingerprint},
				StoreURL: "https://play.google.com/store/apps/details?id=com.example.acme",
			},
			WebURL: s.AppURL + "/handoff",
		}},
		Webhooks: []partner.Webhook{{URL: s.ShopURL + hookPath, Secrets: []handoff.Secret{s.HookSecret}}},
	}
}

// placeholderFingerprint has the form of a certificate's SHA-256 and is none's.
const placeholderFingerprint = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

// OpenToLAN lets the partner's shop and app be used at addresses that only this
// network knows. The directory refuses plain http beyond loopback, rightly; a
// demonstration on a local network is the one exemption, made before anybody
// else reads the partner.
func (s Setup) OpenToLAN(p *partner.Partner) {
	if s.LANShopURL == "" {
		return
	}
	p.Origins = append(p.Origins, s.LANShopURL)
	p.Apps[0].WebURL = s.AppURL + "/handoff"
}

// Origins are the shop's, the one on this machine first.
func (s Setup) Origins() []string {
	if s.LANShopURL == "" {
		return []string{s.ShopURL}
	}
	return []string{s.ShopURL, s.LANShopURL}
}

// PlatformURL is the API base of the stand-in, version 2.
func (s Setup) PlatformURL() string { return s.StandInURL + "/v2/captain" }

// TokenURL is where the stand-in gives access tokens.
func (s Setup) TokenURL() string { return s.StandInURL + "/as/token.oauth2" }

// machineAddrs lists this machine's addresses, first the one that its default
// route leaves from: a bridge of some container engine is no use to a phone.
// Nothing is sent: connecting a UDP socket only looks the route up.
func machineAddrs() ([]net.Addr, error) {
	addrs, err := net.InterfaceAddrs()
	conn, dialErr := new(net.Dialer).Dial("udp4", "192.0.2.1:9") // TEST-NET-1 (RFC 5737)
	if dialErr != nil {
		return addrs, err // no default route: whatever there is
	}
	defer conn.Close()
	if out, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		first := &net.IPNet{IP: out.IP, Mask: net.CIDRMask(32, 32)}
		addrs = append([]net.Addr{first}, addrs...)
	}
	return addrs, err
}

// lanAddress is the first private IPv4 address: the one that a phone behind the
// same router can reach, and nobody beyond it.
func lanAddress(interfaces func() ([]net.Addr, error)) (string, error) {
	addrs, err := interfaces()
	if err != nil {
		return "", fmt.Errorf("listing this machine's addresses: %w", err)
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().Is4() && p.Addr().IsPrivate() {
			return p.Addr().String(), nil
		}
	}
	return "", errors.New("this machine has no address in a private network: join one, or leave --lan out")
}
