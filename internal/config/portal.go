package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
)

// headerName is a field name as proxies write it (RFC 9110 §5.1, without the odd ones).
var headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

// config reads the whole file.
func (r *reader) config(root value) *Config {
	if !root.there() {
		return &Config{}
	}
	s := root.section("public_url", "link_url", "listen", "internal_listen", "trusted_proxies", "country_header", "server_keys", "store", "redis",
		"frames", "egress_allow", "limits", "sms", "mail", "traces", "platform", "partners")
	c := &Config{
		Listen:         s.get("listen").address("127.0.0.1:8080"),
		InternalListen: s.get("internal_listen").address("127.0.0.1:9090"),
		TrustedProxies: s.get("trusted_proxies").prefixes(),
		ServerKeys:     s.need("server_keys", "make one with: handoff key server").serverKeys(),
		Store:          s.redis(s.get("store").store()),
		Frames:         s.get("frames").frames(),
		EgressAllow:    s.get("egress_allow").prefixes(),
		Limits:         s.get("limits").limits(),
		SMS:            s.get("sms").sms(),
		Mail:           s.get("mail").mail(),
		Traces:         s.get("traces").traces(),
	}
	c.hosts(s)
	c.proxies(s)
	c.egress(s)
	if c.Listen == c.InternalListen && !strings.HasSuffix(c.Listen, ":0") {
		s.get("internal_listen").fault("give each its own port", "the internal listener has the address of the public one")
	}
	if v := s.get("country_header"); v.there() {
		name, _ := v.text()
		c.CountryHeader = name
		switch {
		case !headerName.MatchString(c.CountryHeader):
			v.fault("write the name of the header that your proxy sets, such as CF-IPCountry", "%q is not the name of a header", c.CountryHeader)
		case len(c.TrustedProxies) == 0:
			v.fault("name the proxies that set it in trusted_proxies", "whoever asks could write a country of their own")
		}
	}
	if c.Traces != nil && c.Traces.FromProxies && len(c.TrustedProxies) == 0 {
		s.get("traces").fault("name the proxies in trusted_proxies, or take from_proxies away", "whoever asks could write a trace of their own")
	}
	c.partners(s)
	c.standIn(s)
	return c
}

// hosts reads the two addresses of the portal. S22: without TLS it is for one's
// own machine only.
func (c *Config) hosts(s section) {
	const remedy = "write scheme and host only, as in https://go.example.com; http is for 127.0.0.1, localhost and [::1]"
	c.PublicURL = parsed(s.need("public_url", remedy), remedy, partner.ParseOrigin)
	c.LinkURL = c.PublicURL
	if v := s.get("link_url"); v.there() {
		c.LinkURL = parsed(v, remedy, partner.ParseOrigin)
	}
	public, link := hostOf(c.PublicURL), hostOf(c.LinkURL)
	if public != "" && public == link && !partner.Loopback(public) {
		at := s.get("link_url")
		if !at.there() {
			at = s.get("public_url")
		}
		at.warn("give link_url a host of its own", "public_url and link_url are one host: a tap on a page stays in the browser and opens no app")
	}
}

// proxies checks who is believed about where people come from. Without a word of
// proxies, everybody behind one counts as one network, and shares its limits.
func (c *Config) proxies(s section) {
	at := s.get("trusted_proxies")
	for i, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			at.list()[i].fault("name the proxies' own ranges", "%s would let anybody write their own address", p)
		}
	}
	host, _, err := net.SplitHostPort(c.Listen)
	https := strings.HasPrefix(c.PublicURL, "https:")
	if at.there() || err != nil || (!https && partner.Loopback(host)) {
		return
	}
	const remedy = "list the addresses your proxy connects from, as in trusted_proxies: [10.0.0.0/8], or write [] if there is none"
	why := s.get("listen")
	if https {
		why = s.get("public_url") // something in front of the portal has to do TLS
	}
	why.warn(remedy, "trusted_proxies is not set: behind a proxy all people would count as one network and share its limits")
}

// egress checks what webhooks may reach beside the public internet. No private
// range is wider than 10.0.0.0/8 or fc00::/7.
func (c *Config) egress(s section) {
	metadata := netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254}), 16)
	for i, p := range c.EgressAllow {
		widest := 8
		if p.Addr().Is6() {
			widest = 7
		}
		at := s.get("egress_allow").list()[i]
		switch {
		case p.Bits() < widest:
			at.warn("name your receivers' own ranges, as in 10.1.2.0/24", "%s is wider than any private network: webhooks may then go anywhere within, by plain http too", p)
		case p.Overlaps(metadata):
			at.warn("name your receivers' own ranges, as in 10.1.2.0/24", "%s holds the addresses at which clouds give out credentials", p)
		}
	}
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

const keyBytes = 32

func (v value) serverKeys() []handoff.Secret {
	var keys []handoff.Secret
	items := v.list()
	if v.there() && len(items) == 0 {
		v.fault("make one with: handoff key server", "there is no server key")
	}
	for _, item := range items {
		s, ok := item.secret()
		if !ok {
			continue
		}
		b, ok := unbase64(s.Reveal())
		switch {
		case !ok:
			item.fault("make one with: handoff key server", "the key is not base64")
			continue
		case len(b) != keyBytes:
			item.fault("make one with: handoff key server", "the key has %d bytes, and %d are needed", len(b), keyBytes)
			continue
		case bytes.Count(b, b[:1]) == len(b):
			item.fault("make one with: handoff key server", "the key is one byte over and over")
			continue
		}
		text := handoff.Secret(base64.StdEncoding.EncodeToString(b))
		if slices.Contains(keys, text) {
			item.fault("remove one", "this key is there twice")
		}
		keys = append(keys, text)
	}
	return keys
}

func (v value) store() Store {
	s, ok := v.text()
	if !ok {
		return Store{Kind: StoreFile, Path: v.r.resolve("handoff.db")}
	}
	kind, rest, _ := strings.Cut(s, ":")
	switch {
	case kind == "file" && rest != "":
		return Store{Kind: StoreFile, Path: v.r.resolve(rest)}
	case s == "memory:":
		v.warn("use file:handoff.db outside of tests", "handoffs in memory end with the process")
		return Store{Kind: StoreMemory}
	case (kind == "redis" || kind == "rediss" || kind == "redis+sentinel") && strings.HasPrefix(rest, "//"):
		if r := parsed(v, redisForm, parseRedis); r != nil {
			return Store{Kind: StoreRedis, Redis: r}
		}
	default:
		v.fault("write file:PATH, "+strings.TrimPrefix(redisForm, "write "), "this names no store")
	}
	return Store{}
}

func (v value) frames() time.Duration {
	if s, ok := v.word(); ok && (s == "off" || s == "false") {
		return 0
	}
	return v.duration(5*time.Second, time.Second, 20*time.Second)
}

func (v value) limits() Limits {
	l := DefaultLimits()
	s := v.section("creates_per_partner", "claims_per_network", "pages_per_network", "unknown_per_network",
		"messages_per_handoff", "messages_per_recipient", "messages_per_network", "messages_per_area",
		"streams_per_handoff", "streams_per_network", "streams")
	l.CreatesPerPartner = s.get("creates_per_partner").rate(l.CreatesPerPartner)
	l.ClaimsPerNetwork = s.get("claims_per_network").rate(l.ClaimsPerNetwork)
	l.PagesPerNetwork = s.get("pages_per_network").rate(l.PagesPerNetwork)
	l.UnknownPerNetwork = s.get("unknown_per_network").rate(l.UnknownPerNetwork)
	l.MessagesPerHandoff = s.get("messages_per_handoff").rate(Rate{})
	l.MessagesPerRecipient = s.get("messages_per_recipient").rate(Rate{})
	l.MessagesPerNetwork = s.get("messages_per_network").rate(Rate{})
	l.MessagesPerArea = s.get("messages_per_area").rate(Rate{})
	l.StreamsPerHandoff = s.get("streams_per_handoff").count(l.StreamsPerHandoff)
	l.StreamsPerNetwork = s.get("streams_per_network").count(l.StreamsPerNetwork)
	l.Streams = s.get("streams").count(l.Streams)
	return l
}

func (v value) sms() *SMS {
	if !v.there() {
		return nil
	}
	s := v.section("provider", "url", "account", "token", "from")
	out := &SMS{
		Provider: choice(s.get("provider"), "twilio"),
		URL:      "https://api.twilio.com",
		From:     s.need("from", "write the sender's number, as in \"+44…\"").filled("write the sender's number"),
	}
	if u := s.get("url"); u.there() {
		out.URL = strings.TrimSuffix(parsed(u, "write the provider's https address", partner.ParseWebURL), "/")
	}
	out.Account, _ = s.need("account", "write env:NAME or file:PATH").secret()
	out.Token, _ = s.need("token", "write env:NAME or file:PATH").secret()
	return out
}

func (v value) mail() *Mail {
	if !v.there() {
		return nil
	}
	s := v.section("smtp", "username", "password", "from")
	out := &Mail{
		SMTP: parsed(s.need("smtp", "write host:port, as in smtp.example.com:587"), "write host:port, as in smtp.example.com:587", func(a string) (string, error) {
			host, port, err := net.SplitHostPort(a)
			if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || n == 0 || host == "" {
				return "", fmt.Errorf("%.60q is no host and port", a)
			}
			return a, nil
		}),
		From: parsed(s.need("from", "write the sender's address"), `write an address, as in "Acme <no-reply@acme.example>"`, func(a string) (string, error) {
			if _, err := mail.ParseAddress(a); err != nil {
				return "", errors.New("this is no e-mail address")
			}
			return a, nil
		}),
	}
	user, pass := s.get("username"), s.get("password")
	out.Username, _ = user.secret()
	out.Password, _ = pass.secret()
	if user.there() != pass.there() {
		s.fault("give both, or none", "username and password belong together")
	}
	return out
}

// defaultAuth is where the platform gives access tokens in every region.
const defaultAuth = "https://api.auth.gbgplc.com/as/token.oauth2"

// platform reads one credential.
func (v value) platform() Platform {
	s := v.section("version", "api_url", "token_url", "grant", "scope", "client_id", "client_secret", "username", "password")
	p := Platform{
		Version: choice(s.get("version"), V2, V1),
		APIURL: strings.TrimSuffix(parsed(s.need("api_url", "write the base of your region, as in https://eu.platform.go.gbgplc.com/v2/captain"),
			"write an https address; http is for loopback", baseURL), "/"),
		TokenURL: defaultAuth,
		Grant:    choice(s.get("grant"), GrantClientCredentials, GrantPassword),
	}
	if t := s.get("token_url"); t.there() {
		p.TokenURL = parsed(t, "write an https address; http is for loopback", baseURL)
	}
	if scope := s.get("scope"); scope.there() {
		p.Scope, _ = scope.text()
	} else if p.Grant == GrantClientCredentials {
		p.Scope = "gbg.token"
	}
	p.ClientID, _ = s.need("client_id", "write env:NAME or file:PATH").secret()
	p.ClientSecret, _ = s.need("client_secret", "write env:NAME or file:PATH").secret()
	switch p.Grant {
	case GrantPassword:
		p.Username, _ = s.need("username", "grant: password needs it").secret()
		p.Password, _ = s.need("password", "grant: password needs it").secret()
	default:
		for _, key := range []string{"username", "password"} {
			if extra := s.get(key); extra.there() {
				extra.fault("remove it, or set grant: password", "client_credentials takes no %s", key)
			}
		}
	}
	return p
}

func baseURL(s string) (string, error) {
	u, err := partner.ParseWebURL(s)
	if err == nil && strings.Contains(s, "?") {
		return "", errors.New("a base address has no query")
	}
	return u, err
}

// standIn refuses to let people in from outside to a platform that is made up
// (S22). A real one is never on loopback.
func (c *Config) standIn(s section) {
	if c.PublicURL == "" || partner.Loopback(hostOf(c.PublicURL)) {
		return
	}
	for i, p := range c.Platforms {
		if !partner.Loopback(hostOf(p.APIURL)) && !partner.Loopback(hostOf(p.TokenURL)) {
			continue
		}
		at := s.get("platform")
		for j, item := range s.get("partners").list() {
			own := item.section(partnerKeys()...).get("platform")
			if own.there() && j < len(c.Partners) && c.PlatformOf[c.Partners[j].ID] == i {
				at = own
			}
		}
		at.fault("name the real platform, or run on loopback; to try things out there is: handoff demo",
			"the platform is the stand-in on this machine, and public_url is not")
	}
}

// associations checks the size of the files that every phone fetches.
func (c *Config) associations(at value) {
	all := make([]*partner.Partner, len(c.Partners))
	for i := range c.Partners {
		all[i] = &c.Partners[i]
	}
	files, err := applink.NewAssociation(all)
	name, size := files.Largest()
	switch {
	case err != nil:
		at.fault("", "%s", err)
	case size > applink.MaxAssociation:
		at.fault("move some partners to a portal with a link_url of its own", "%s would have %d bytes, and phones are sure to read %d", name, size, applink.MaxAssociation)
	case size > applink.MaxAssociation*4/5:
		at.warn("plan for a second portal", "%s has %d of %d bytes", name, size, applink.MaxAssociation)
	}
}
