package config

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/handoff-portal/handoff/internal/handoff"
	picture "github.com/handoff-portal/handoff/internal/logo"
	"github.com/handoff-portal/handoff/internal/partner"
)

func partnerKeys() []string {
	return []string{
		"id", "name", "keys", "platform", "origins", "return_urls", "confirmation", "complete_within", "retain",
		"brand", "links", "texts", "routes", "apps", "webhooks",
	}
}

// partners reads the list, and the platform of each.
func (c *Config) partners(s section) {
	list := s.need("partners", "name at least one")
	c.PlatformOf = make(map[handoff.PartnerID]int)
	items := list.list()
	if list.there() && len(items) == 0 {
		list.fault("name at least one", "there is no partner")
	}
	seenKeys := make(map[handoff.Hash]string)
	nodes := make(map[ast.Node]int) // one credential, however many aliases
	for _, item := range items {
		ps := item.section(partnerKeys()...)
		p := c.partner(ps, seenKeys)
		if _, taken := c.PlatformOf[p.ID]; taken && p.ID != "" {
			ps.get("id").fault("choose another", "%q is another partner's id", p.ID)
		}
		at := ps.get("platform")
		if !at.there() {
			at = s.get("platform")
		}
		switch {
		case at.there():
			c.PlatformOf[p.ID] = c.platformAt(at, nodes)
		case len(ps.r.faultsAt(ps.get("platform").path)) == 0:
			ps.fault("give it a platform, or give one to all at the top of the file", "this partner has no platform")
		}
		c.Partners = append(c.Partners, p)
	}
	if top := s.get("platform"); top.there() {
		c.platformAt(top, nodes) // its faults count, though nobody uses it
	}
	c.sharedCredentials(items)
	if len(s.r.faults) == 0 {
		if _, err := partner.New(c.Partners); err != nil {
			list.fault("", "%s", err)
		}
		c.associations(list)
	}
}

func (c *Config) platformAt(at value, nodes map[ast.Node]int) int {
	if i, ok := nodes[at.node]; ok {
		return i
	}
	p := at.platform()
	i := slices.Index(c.Platforms, p)
	if i < 0 {
		i = len(c.Platforms)
		c.Platforms, c.PlatformAt = append(c.Platforms, p), append(c.PlatformAt, at.path)
	}
	nodes[at.node] = i
	return i
}

// sharedCredentials says which partners have to trust each other: an instance
// belongs to the credential that opened it, so one could open the other's.
func (c *Config) sharedCredentials(items []value) {
	type credential struct {
		url              string
		client, username handoff.Secret
	}
	users := make(map[credential][]string)
	last := make(map[credential]value)
	var order []credential
	for i, p := range c.Partners {
		index, ok := c.PlatformOf[p.ID]
		if !ok {
			continue
		}
		pl := c.Platforms[index]
		cred := credential{pl.TokenURL, pl.ClientID, pl.Username}
		if users[cred] == nil {
			order = append(order, cred)
		}
		users[cred], last[cred] = append(users[cred], string(p.ID)), items[i]
	}
	for _, cred := range order {
		if len(users[cred]) > 1 {
			last[cred].warn("give each its own client_id if they should not",
				"%s use one platform credential, so they trust each other", strings.Join(users[cred], ", "))
		}
	}
}

const day = 24 * time.Hour

func (c *Config) partner(s section, seenKeys map[handoff.Hash]string) partner.Partner {
	p := partner.Partner{
		ID:             parsed(s.need("id", "choose 2 to 12 of a-z 0-9 -"), "it stands in every link: keep it short", partner.ParseID),
		Name:           s.need("name", "write the name that people know").filled("write the name that people know"),
		Confirmation:   choice(s.get("confirmation"), handoff.ConfirmAuto, handoff.ConfirmNever, handoff.ConfirmLinks, handoff.ConfirmAlways),
		CompleteWithin: s.get("complete_within").duration(partner.DefaultCompleteWithin, time.Minute, day),
		Retain:         s.get("retain").duration(partner.DefaultRetain, time.Minute, 365*day),
		Brand:          s.get("brand").brand(),
		Texts:          s.get("texts").texts(),
		Routes:         c.routes(s.get("routes")),
	}
	for _, item := range s.need("keys", "make one with: handoff key partner").list() {
		h := parsed(item, "make one with: handoff key partner; the key itself goes to the partner, its hash stands here", partner.ParseKeyHash)
		if other, taken := seenKeys[h]; taken && !h.IsZero() {
			item.fault("make another", "this key is also at %s", other)
		}
		seenKeys[h] = item.path
		p.KeyHashes = append(p.KeyHashes, h)
	}
	if keys := s.get("keys"); keys.there() && len(keys.list()) == 0 {
		keys.fault("make one with: handoff key partner", "there is no key")
	}
	p.Origins = texts(s.get("origins"), "write scheme and host only, as in https://shop.example.com", partner.ParseOrigin)
	p.ReturnURLs = texts(s.get("return_urls"), "write scheme, host and path, as in https://shop.example.com/done; the query is free", partner.ParseReturnURL)

	links := s.get("links").section("support", "privacy", "legal")
	const https = "write an absolute https address"
	p.Links = partner.Links{
		Support: parsed(links.get("support"), https, partner.ParseLink),
		Privacy: parsed(links.get("privacy"), https, partner.ParseLink),
		Legal:   parsed(links.get("legal"), https, partner.ParseLink),
	}

	apps := s.need("apps", "name at least one")
	if apps.there() && len(apps.list()) == 0 {
		apps.fault("name at least one", "there is no app")
	}
	for _, item := range apps.list() {
		a := item.app(p.Confirmation)
		if a.ID != "" && slices.ContainsFunc(p.Apps, func(o partner.App) bool { return o.ID == a.ID }) {
			item.fault("choose another", "%q is the id of another app", a.ID)
		}
		p.Apps = append(p.Apps, a)
	}
	for i, item := range s.get("webhooks").list() {
		w := c.webhook(item)
		switch {
		case i == handoff.MaxEndpoints:
			item.fault("remove some", "a partner can have %d webhooks", handoff.MaxEndpoints)
		case w.URL != "" && slices.ContainsFunc(p.Webhooks, func(o partner.Webhook) bool { return o.URL == w.URL }):
			item.fault("remove one", "this address is there twice")
		}
		p.Webhooks = append(p.Webhooks, w)
	}
	return p
}

// texts reads a list of texts by parse, once each.
func texts(v value, remedy string, parse func(string) (string, error)) []string {
	var out []string
	for _, item := range v.list() {
		s := parsed(item, remedy, parse)
		switch {
		case s == "":
		case slices.Contains(out, s):
			item.fault("remove one", "this is there twice")
		default:
			out = append(out, s)
		}
	}
	return out
}

// routes reads the ways a code may travel; by default all that this portal has
// the means for.
func (c *Config) routes(v value) []handoff.Route {
	if !v.there() {
		out := []handoff.Route{handoff.RouteLink, handoff.RouteTyped, handoff.RouteLocal}
		if c.SMS != nil {
			out = append(out, handoff.RouteSMS)
		}
		if c.Mail != nil {
			out = append(out, handoff.RouteEmail)
		}
		return out
	}
	var out []handoff.Route
	for _, item := range v.list() {
		r := choice(item, handoff.RouteLink, handoff.RouteSMS, handoff.RouteEmail, handoff.RouteTyped, handoff.RouteLocal,
			handoff.RouteQR, handoff.RoutePartner)
		switch {
		case slices.Contains(out, r):
			item.fault("remove one", "this is there twice")
		case r == handoff.RouteSMS && c.SMS == nil:
			item.fault("add sms, or remove the route", "there is nobody to send text messages")
		case r == handoff.RouteEmail && c.Mail == nil:
			item.fault("add mail, or remove the route", "there is nobody to send e-mail")
		default:
			out = append(out, r)
		}
	}
	return out
}

func (v value) brand() partner.Brand {
	s := v.section("color", "color_dark", "logo")
	b := partner.Brand{
		Color:     parsed(s.get("color"), `write it as "#0b5fff", in quotes`, partner.ParseColor),
		ColorDark: parsed(s.get("color_dark"), `write it as "#8ab4ff", in quotes`, partner.ParseColor),
	}
	for _, c := range []struct {
		key, color, on, remedy string
		ground                 partner.Ground
	}{
		{"color", b.Color, "light pages", "take that, or a darker one", partner.Light()},
		{"color_dark", b.ColorDark, "dark pages", "take that, or a lighter one", partner.Dark()},
	} {
		if ratio := c.ground.Worst(c.color); c.color != "" && ratio < partner.LeastContrast {
			s.get(c.key).fault(c.remedy, "on %s the contrast of %s is down to %.2f, and text needs %.1f; the nearest that has it is %q",
				c.on, c.color, ratio, partner.LeastContrast, c.ground.Nearest(c.color))
		}
	}
	if b.ColorDark != "" && b.Color == "" {
		s.get("color_dark").fault("add color", "a dark colour needs a light one")
	}
	logo := s.get("logo")
	ref, ok := logo.text()
	if !ok {
		return b
	}
	path, isFile := strings.CutPrefix(ref, "file:")
	if !isFile || path == "" {
		logo.fault("write file:PATH of an .svg, .png or .jpg", "this names no picture")
		return b
	}
	if file, ok := logo.read(path); ok {
		var err error
		if b.Logo, b.LogoType, err = picture.Clean(file); err != nil {
			logo.fault("draw it without that, or give a .png", "%s: %s", path, err)
		}
	}
	return b
}

var languageForm = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

func (v value) texts() map[string]map[string]string {
	keys, entries := v.mapping()
	if len(keys) == 0 {
		return nil
	}
	out := make(map[string]map[string]string, len(keys))
	for _, key := range keys {
		out[key] = make(map[string]string)
		languages, byLanguage := entries[key].mapping()
		for _, language := range languages {
			at := byLanguage[language]
			if !languageForm.MatchString(language) {
				at.fault("write a language tag, as in en or pt-BR", "%.40q is no language", language)
			}
			out[key][language] = at.filled("write the text")
		}
	}
	return out
}

func (v value) app(confirmation handoff.Confirmation) partner.App {
	s := v.section("id", "name", "exchange", "code", "journey_url", "ios", "android", "scheme", "web_url")
	ios := s.get("ios").section("app_id", "clip", "store_url")
	android := s.get("android").section("package", "fingerprints", "store_url")
	const store = "write the app's https address in the store"
	a := partner.App{
		ID:       parsed(s.need("id", "choose 1 to 32 of A-Z a-z 0-9 _ -"), "choose 1 to 32 of A-Z a-z 0-9 _ -", partner.ParseAppID),
		Name:     s.need("name", "write the name that people know").filled("write the name that people know"),
		Exchange: choice(s.get("exchange"), handoff.ExchangePortal, handoff.ExchangeApp),
		CodeMode: choice(s.get("code"), handoff.CodeLink, handoff.CodeToken),
		IOS: partner.IOS{
			AppID:    parsed(ios.get("app_id"), "copy it from the app's page at Apple", partner.ParseAppleID),
			Clip:     parsed(ios.get("clip"), "copy it from the clip's page at Apple", partner.ParseAppleID),
			StoreURL: parsed(ios.get("store_url"), store, partner.ParseLink),
		},
		Android: partner.Android{
			Package:      parsed(android.get("package"), "copy the applicationId", partner.ParsePackage),
			Fingerprints: texts(android.get("fingerprints"), "copy the SHA-256 of the app signing key from the Play Console", partner.ParseFingerprint),
			StoreURL:     parsed(android.get("store_url"), store, partner.ParseLink),
		},
		Scheme: parsed(s.get("scheme"), "use a name like com.acme.app, or leave it out", partner.ParseScheme),
		WebURL: parsed(s.get("web_url"), "write an https address; http is for loopback", partner.ParseWebURL),
	}
	if a.CodeMode == handoff.CodeToken && confirmation != handoff.ConfirmNever {
		s.get("code").fault("use code: link, or set the partner's confirmation: never", "%s", partner.ErrTokenConfirms)
	}
	if journey := s.get("journey_url"); journey.there() {
		a.JourneyURL = parsed(journey, "write an https or custom-scheme address with {instanceId} and {connectToken}", func(t string) (string, error) {
			return t, partner.CheckJourneyURL(t)
		})
		if a.JourneyURL != "" && a.Exchange != handoff.ExchangeApp {
			journey.fault("remove it, or set exchange: app", "only an app that connects by itself is given this")
		}
	}
	if ios.there() && a.IOS.AppID == "" && a.IOS.Clip == "" {
		ios.need("app_id", "copy it from the app's page at Apple")
	}
	if android.there() {
		android.need("package", "copy the applicationId")
		android.need("fingerprints", "copy the SHA-256 of the app signing key from the Play Console")
		if prints := android.get("fingerprints"); prints.there() && len(prints.list()) == 0 {
			prints.fault("copy the SHA-256 of the app signing key from the Play Console", "there is no fingerprint")
		}
	}
	if !ios.there() && !android.there() && a.Scheme == "" && a.WebURL == "" {
		s.warn("add ios, android or web_url", "no link opens this app: people need its own scanner")
	}
	return a
}

// webhook reads an address and its secrets. S20: https to a DNS name, except
// where egress_allow opens a range for receivers of one's own.
func (c *Config) webhook(v value) partner.Webhook {
	s := v.section("url", "secrets")
	w := partner.Webhook{URL: parsed(s.need("url", "write an https address"), "write an https address with a DNS name; others need egress_allow", func(u string) (string, error) {
		if err := partner.CheckWebhookURL(u, len(c.EgressAllow) > 0); err != nil {
			return u, err
		}
		if a, err := netip.ParseAddr(hostOf(u)); err == nil && !slices.ContainsFunc(c.EgressAllow, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) }) {
			return u, errors.New("this address is in no range of egress_allow")
		}
		return u, nil
	})}
	secrets := s.need("secrets", "make one with: handoff key webhook")
	if secrets.there() && len(secrets.list()) == 0 {
		secrets.fault("make one with: handoff key webhook", "there is no secret")
	}
	for _, item := range secrets.list() {
		secret, ok := item.secret()
		if !ok {
			continue
		}
		text, prefixed := strings.CutPrefix(secret.Reveal(), "whsec_")
		if b, ok := unbase64(text); !prefixed || !ok || len(b) < 24 || len(b) > 64 {
			item.fault("make one with: handoff key webhook", "a webhook secret is whsec_ and base64 of 24 to 64 bytes (Standard Webhooks 1.0.0)")
			continue
		}
		w.Secrets = append(w.Secrets, secret)
	}
	return w
}
