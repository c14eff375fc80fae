package phone

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Source is what a person handed to the app: exactly one of Code, Pickup and
// Connect is set.
type Source struct {
	Portal  string         // scheme and host that answer the App API; empty with a bare Connect
	Partner string         // as in the link, or as told for typed digits
	Code    handoff.Secret // for POST /v1/claims: a whole link, or ten digits
	Pickup  handoff.Secret // for POST /v1/pickups
	Connect handoff.Secret // the platform's own connect token, with code: token
}

var (
	typedForm   = regexp.MustCompile(`^[0-9]{10}$`)
	connectForm = regexp.MustCompile(`^[A-Za-z0-9_-]{8,}$`)
)

// ParseSource understands what a camera, a scanner or a person gives an app:
//
//	https://host/c/{partner}/{code}                   a code
//	https://host/a/{partner}/{pickup}                 an app link
//	https://host/a/{partner}/connect#token=…          a connect token, in a fragment
//	intent://host/c/…#Intent;scheme=https;…;end       the same for Android
//	https://app.example/handoff?pickup=…              a web app's address; takes portal
//	ten digits, with spaces or hyphens                takes portal and partner
//	a bare connect token                              what a QR holds with code: token
//
// portal and partner are used only where the text names none. Plain http is
// refused beyond loopback and private addresses.
func ParseSource(text, portal, partner string) (Source, error) {
	text = strings.TrimSpace(text)
	digits := strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(text)
	switch {
	case typedForm.MatchString(digits):
		return typedSource(digits, portal, partner)
	case !strings.Contains(text, "://"):
		if !validConnect(text) {
			return Source{}, errors.New("this is neither a link, nor ten digits, nor a connect token")
		}
		return Source{Connect: handoff.Secret(text)}, nil
	}
	u, err := parseLink(text)
	if err != nil {
		return Source{}, err
	}
	origin := u.Scheme + "://" + u.Host
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) == 3 && parts[0] == "c" {
		return Source{Portal: origin, Partner: parts[1], Code: handoff.Secret(u.String())}, nil
	}
	if len(parts) == 3 && parts[0] == "a" {
		if parts[2] != "connect" {
			return Source{Portal: origin, Partner: parts[1], Pickup: handoff.Secret(parts[2])}, nil
		}
		token := fragmentValue(u.Fragment, "token")
		if !validConnect(token) {
			return Source{}, errors.New("the deep link carries no token after its #")
		}
		return Source{Portal: origin, Partner: parts[1], Connect: handoff.Secret(token)}, nil
	}
	if p := u.Query().Get("pickup"); p != "" {
		base, err := portalOrigin(portal)
		if err != nil {
			return Source{}, fmt.Errorf("a web app's address does not name the portal: %w", err)
		}
		return Source{Portal: base, Partner: partner, Pickup: handoff.Secret(p)}, nil
	}
	return Source{}, errors.New("this is not a link of a handoff: one has /c/ or /a/ and two more parts")
}

// validConnect reports whether s has the platform's form: 8–1024 characters.
func validConnect(s string) bool { return len(s) <= 1024 && connectForm.MatchString(s) }

func typedSource(digits, portal, partner string) (Source, error) {
	base, err := portalOrigin(portal)
	if err != nil {
		return Source{}, fmt.Errorf("ten digits do not name the portal: %w", err)
	}
	if partner == "" {
		return Source{}, errors.New("ten digits do not name the partner: give it with --partner")
	}
	return Source{Portal: base, Partner: partner, Code: handoff.Secret(digits)}, nil
}

func portalOrigin(portal string) (string, error) {
	if portal == "" {
		return "", errors.New("give its address with --portal")
	}
	u, err := parseLink(portal)
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + u.Host, nil
}

// parseLink returns text as an absolute https URL, undoing Android's intent
// form. Errors never repeat the text, which is a capability.
func parseLink(text string) (*url.URL, error) {
	if rest, ok := strings.CutPrefix(text, "intent://"); ok {
		rest, _, _ = strings.Cut(rest, "#Intent;")
		scheme := "https"
		if strings.Contains(text, ";scheme=http;") {
			scheme = "http"
		}
		text = scheme + "://" + rest
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, errors.New("this is not an address that an app would open")
	}
	if err := checkScheme(u); err != nil {
		return nil, err
	}
	return u, nil
}

// checkScheme refuses what an app must not send secrets to.
func checkScheme(u *url.URL) error {
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		if localHost(u.Hostname()) {
			return nil
		}
		return fmt.Errorf("%s is plain http, which is allowed on this machine and in private networks only", u.Host)
	}
	return fmt.Errorf("an app opens https links, not %.20q ones", u.Scheme)
}

func localHost(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

// fragmentValue reads one value of a fragment written as a query.
func fragmentValue(fragment, name string) string {
	values, err := url.ParseQuery(fragment)
	if err != nil {
		return ""
	}
	return values.Get(name)
}
