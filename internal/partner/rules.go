package partner

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// MaxURL bounds every URL a partner registers or asks for, in bytes.
const MaxURL = 2048

var (
	idForm      = regexp.MustCompile(`^[a-z0-9-]{2,12}$`)
	appIDForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	appleForm   = regexp.MustCompile(`^[A-Z0-9]{10}\.[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$`)
	packageForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$`)
	printForm   = regexp.MustCompile(`^([0-9A-F]{2}:){31}[0-9A-F]{2}$`)
	schemeForm  = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+$`)
	colorForm   = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
	hostForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	slotForm    = regexp.MustCompile(`\{[^}]*\}?`)
)

// ParseID returns s as a partner's id. It stands in every link, so it is short.
func ParseID(s string) (handoff.PartnerID, error) {
	if !idForm.MatchString(s) {
		return "", errors.New("a partner's id is 2 to 12 of a-z 0-9 -")
	}
	return handoff.PartnerID(s), nil
}

// ParseAppID returns s as the id of an app.
func ParseAppID(s string) (handoff.AppID, error) {
	if !appIDForm.MatchString(s) {
		return "", errors.New("an app's id is 1 to 32 of A-Z a-z 0-9 _ -")
	}
	return handoff.AppID(s), nil
}

// ParseKeyHash returns the hash in "sha256:" and 64 hex digits.
func ParseKeyHash(s string) (handoff.Hash, error) {
	var h handoff.Hash
	digits, ok := strings.CutPrefix(s, "sha256:")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != len(h) {
		return h, errors.New("a key is kept as sha256: and 64 hex digits, the hash of its text")
	}
	copy(h[:], b)
	return h, nil
}

// ParseOrigin returns s as browsers spell an origin (RFC 6454): lower-case
// scheme and host, no default port. It must be https, or http on a loopback
// host.
func ParseOrigin(s string) (string, error) {
	u, err := parseURL(s)
	if err != nil {
		return "", err
	}
	if (u.Path != "" && u.Path != "/") || strings.Contains(s, "?") {
		return "", errors.New("an origin has neither path nor query")
	}
	return u.Scheme + "://" + u.Host, nil
}

// ParseReturnURL returns s, a URL to compare others with: an origin as
// ParseOrigin returns it, and a path without dot segments. It has no query; the
// query of a return URL is free.
func ParseReturnURL(s string) (string, error) {
	u, err := parseURL(s)
	if err != nil {
		return "", err
	}
	p := u.EscapedPath()
	switch {
	case strings.Contains(s, "?"):
		return "", errors.New("a return URL is registered without a query")
	case p == "":
		p = "/"
	case strings.Contains(p, "//") || strings.TrimSuffix(p, "/") != strings.TrimSuffix(path.Clean(p), "/"):
		return "", errors.New("the path has empty or dot segments")
	case strings.Contains(strings.ToLower(p), "%2e") || strings.Contains(strings.ToLower(p), "%2f") || strings.Contains(strings.ToLower(p), "%5c"):
		return "", errors.New("the path has an encoded dot or slash")
	}
	return u.Scheme + "://" + u.Host + p, nil
}

// ParseWebURL returns s, the address of a partner's web app: https, or http on
// a loopback host, without a fragment.
func ParseWebURL(s string) (string, error) {
	if _, err := parseURL(s); err != nil {
		return "", err
	}
	return s, nil
}

// ParseLink returns s, an absolute https URL for people to follow.
func ParseLink(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || plainURL(strings.Replace(s, "#", "", 1)) != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", errors.New("an absolute https URL is needed")
	}
	return s, nil
}

// CheckWebhookURL reports what is wrong with the address of a webhook: it is
// https, to a DNS name. internal says that special ranges are open to webhooks;
// then plain http and addresses are possible too. Which address a name leads to
// is checked when it is called.
func CheckWebhookURL(s string, internal bool) error {
	u, err := url.Parse(s)
	switch {
	case plainURL(s) != nil || err != nil || u.Hostname() == "" || u.User != nil:
		return errors.New("an absolute https URL is needed")
	case u.Scheme != "https" && (u.Scheme != "http" || !internal):
		return errors.New("a webhook goes to https only")
	case internal:
		return nil
	}
	host := strings.ToLower(u.Hostname())
	if !hostForm.MatchString(host) || numeric(host) || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return errors.New("a webhook goes to a DNS name only")
	}
	return nil
}

// ParseAppleID returns s as an app id of Apple's: a team's ten characters, a
// dot, a bundle id.
func ParseAppleID(s string) (string, error) {
	if len(s) > 255 || !appleForm.MatchString(s) {
		return "", errors.New("an app id is the team's ten characters, a dot and the bundle id, as in ABCDE12345.com.acme.app")
	}
	return s, nil
}

// ParsePackage returns s as the name of an Android package.
func ParsePackage(s string) (string, error) {
	if len(s) > 255 || !packageForm.MatchString(s) {
		return "", errors.New("a package is two or more names joined by dots, as in com.acme.app")
	}
	return s, nil
}

// ParseFingerprint returns s, the SHA-256 of a signing certificate, as 32 pairs
// of upper-case hex digits with colons between.
func ParseFingerprint(s string) (string, error) {
	s = strings.ToUpper(s)
	if !printForm.MatchString(s) {
		return "", errors.New("a fingerprint is 32 pairs of hex digits with colons between, as keytool prints it for SHA256")
	}
	return s, nil
}

// ParseScheme returns s as a custom scheme. It must be a domain name turned
// round (RFC 8252 §7.1), which also keeps out the schemes that browsers and
// systems give a meaning to.
func ParseScheme(s string) (string, error) {
	if len(s) > 100 || !schemeForm.MatchString(s) {
		return "", errors.New("a scheme is a domain name turned round, in lower case, as in com.acme.app")
	}
	return s, nil
}

// ParseColor returns s as #rrggbb in lower case.
func ParseColor(s string) (string, error) {
	if !colorForm.MatchString(s) {
		return "", errors.New("a colour is # and six hex digits")
	}
	return strings.ToLower(s), nil
}

// CheckJourneyURL reports what is wrong with a template for JourneyLink.
func CheckJourneyURL(s string) error {
	for _, slot := range slotForm.FindAllString(s, -1) {
		if slot != "{instanceId}" && slot != "{connectToken}" {
			return fmt.Errorf("%q is neither {instanceId} nor {connectToken}", slot)
		}
	}
	filled := slotForm.ReplaceAllString(s, "x")
	u, err := url.Parse(filled)
	switch {
	case err != nil || u.Scheme == "" || plainURL(strings.Replace(filled, "#", "", 1)) != nil:
		return errors.New("this is no URL")
	case strings.Contains(s[:strings.Index(s, ":")], "{") || strings.Contains(authority(s), "{"):
		return errors.New("scheme and host must be fixed")
	case u.Scheme == "https" && u.Host != "" && u.User == nil:
		return nil
	}
	if _, err := ParseScheme(u.Scheme); err != nil {
		return errors.New("this is neither https nor a custom scheme of reverse-domain form")
	}
	return nil
}

func authority(s string) string {
	_, rest, _ := strings.Cut(s, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// parseURL reads an absolute URL of https, or of http on a loopback host, and
// makes its scheme and host as browsers spell them.
func parseURL(s string) (*url.URL, error) {
	if err := plainURL(s); err != nil {
		return nil, err
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("this is no URL")
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("an absolute https URL is needed")
	case u.Opaque != "" || host == "":
		return nil, errors.New("a host is needed")
	case u.User != nil:
		return nil, errors.New("user information does not belong here")
	case strings.HasSuffix(u.Host, ":"):
		return nil, errors.New("the port is missing after the colon")
	case u.Scheme == "http" && !Loopback(host):
		return nil, errors.New("http is for 127.0.0.1, localhost and [::1] only; use https")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Is6() && addr.String() != host {
			return nil, fmt.Errorf("write the address as [%s]", addr)
		}
	} else if !hostForm.MatchString(host) || numeric(host) {
		return nil, errors.New("the host is no DNS name; write international names in punycode")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	u.Host = host
	if port != "" && (u.Scheme != "https" || port != "443") && (u.Scheme != "http" || port != "80") {
		if strings.HasPrefix(port, "0") || len(port) > 5 {
			return nil, errors.New("this is no port")
		}
		u.Host += ":" + port
	}
	return u, nil
}

// numeric reports whether a browser would read host as an IPv4 address though
// it is none of the usual form, as in 0x7f.1 or 2130706433 (WHATWG URL, "ends
// in a number").
func numeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x")
}

// plainURL refuses what parsers disagree about.
func plainURL(s string) error {
	if len(s) > MaxURL {
		return fmt.Errorf("the URL is longer than %d bytes", MaxURL)
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("the URL has a space, a control character or one beyond ASCII; encode it")
		}
		if strings.IndexByte("\\#\"<>^`{|}", c) >= 0 {
			return fmt.Errorf("%q does not belong in this URL", c)
		}
	}
	return nil
}

// Loopback reports whether host, without port, is this very machine. A name below
// localhost leads nowhere else (RFC 6761, section 6.3).
func Loopback(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1" || host == "::1" || host == "[::1]"
}
