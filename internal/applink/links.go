// Package applink makes the links that travel between a display, a phone and an
// app, says which way of opening an app works in which browser, and builds the
// files by which iOS and Android know whose links are whose.
//
// What browsers do is held as data (the tables of ParseBrowser and Launch), so
// that a new browser, or a new habit of an old one, is a line and a test.
package applink

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
)

// Hosts are the two addresses of the portal, each scheme, host and port without
// a trailing slash. Apps claim the paths of Link; every page is on Public. They
// may be the same, but then a tap on a page of ours never opens an app: iOS and
// Chrome keep a link to the host one is on in the browser.
type Hosts struct {
	Link   string
	Public string
}

// CodeURL is what the QR and every link hold.
func (h Hosts) CodeURL(p handoff.PartnerID, code string) string {
	return h.Link + "/c/" + string(p) + "/" + code
}

// OpenedParam is the query parameter of a code's URL that carries the proof that its
// frame was good when somebody opened it: a browser or an app that goes on with the
// code in place of the first browser has it from there.
const OpenedParam = "o"

// PickupURL is the app link with a pickup.
func (h Hosts) PickupURL(p handoff.PartnerID, pickup handoff.Secret) string {
	return h.Link + "/a/" + string(p) + "/" + pickup.Reveal()
}

// TokenDeepLink is the deep link of an app with code: token. The connect token is
// in the fragment, which reaches no server.
func (h Hosts) TokenDeepLink(p handoff.PartnerID, connect handoff.Secret) string {
	return h.Link + "/a/" + string(p) + "/connect#token=" + connect.Reveal()
}

// WebLink is the address of a partner's web app with a pickup, which its own
// server redeems; empty if the app has none.
func WebLink(app *partner.App, pickup handoff.Secret) string {
	u, err := url.Parse(app.WebURL)
	if app.WebURL == "" || err != nil {
		return ""
	}
	q := u.Query()
	q.Set("pickup", pickup.Reveal())
	u.RawQuery = q.Encode()
	return u.String()
}

// The forms of a code: a capability, and in a QR the parts of its frame after
// dots; or ten digits that somebody typed.
var (
	codeForm    = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}(\.[A-Za-z0-9_-]{1,32}){0,3}$`)
	partnerForm = regexp.MustCompile(`^[a-z0-9-]{2,12}$`)
)

const (
	typedDigits = 10
	maxInput    = 512 // bytes; far more than any code or link of ours
)

// ParseCode reads what an app was given as a code: the code itself, its whole
// URL on either of our hosts, or ten typed digits, with spaces and hyphens
// wherever a person put them and in any script's digits. partnerHint is what the
// app knows of the partner, or empty; a URL names its own, and must not name
// another.
//
// Ten digits without a partner are CodeInvalid. Whatever else is wrong is
// CodeNotFound, as an unknown code is.
func (h Hosts) ParseCode(input string, partnerHint handoff.PartnerID) (handoff.PartnerID, string, error) {
	input = strings.TrimSpace(input)
	none := handoff.Errorf(handoff.CodeNotFound, "no such code")
	if len(input) > maxInput || (partnerHint != "" && !partnerForm.MatchString(string(partnerHint))) {
		return "", "", none
	}
	if digits, ok := TypedCode(input); ok {
		if partnerHint == "" {
			err := handoff.Errorf(handoff.CodeInvalid, "ten digits are a code of one partner's: say which")
			err.Fields = []handoff.FieldFault{{Pointer: "/partner", Detail: "needed with ten digits"}}
			return "", "", err
		}
		return partnerHint, digits, nil
	}
	if codeForm.MatchString(input) {
		return partnerHint, input, nil
	}
	id, code, ok := h.cutCodeURL(input)
	if !ok || (partnerHint != "" && id != partnerHint) {
		return "", "", none
	}
	return id, code, nil
}

func (h Hosts) cutCodeURL(input string) (handoff.PartnerID, string, bool) {
	u, err := url.Parse(input)
	if err != nil || u.User != nil {
		return "", "", false
	}
	origin := strings.ToLower(u.Scheme + "://" + u.Host)
	if origin != h.Link && origin != h.Public {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(u.EscapedPath(), "/c/")
	id, code, found := strings.Cut(rest, "/")
	if !ok || !found || !partnerForm.MatchString(id) || !codeForm.MatchString(code) {
		return "", "", false
	}
	return handoff.PartnerID(id), code, true
}

// TypedCode returns the ten digits a person typed, and whether there are ten.
// Spaces, hyphens and dashes between them do not count, and the digits of other
// scripts, which phones set to those languages type, are read as ours.
func TypedCode(input string) (string, bool) {
	if len(input) > maxInput {
		return "", false
	}
	var b strings.Builder
	for _, r := range input {
		switch {
		case r == ' ' || r == '\u00a0' || r == '\u202f' || r == '-' || (r >= '\u2010' && r <= '\u2015'):
			continue
		case b.Len() == typedDigits:
			return "", false
		}
		d, ok := digit(r)
		if !ok {
			return "", false
		}
		b.WriteByte(d)
	}
	return b.String(), b.Len() == typedDigits
}

// digit reads r as a decimal digit of one of the scripts that keyboards have.
func digit(r rune) (byte, bool) {
	zeros := [...]rune{
		'0',
		'\u0660', // Arabic
		'\u06f0', // Persian, Urdu
		'\u0966', // Devanagari
		'\u09e6', // Bengali
		'\uff10', // full width: Chinese, Japanese and Korean input
	}
	for _, zero := range zeros {
		if r >= zero && r <= zero+9 {
			return "0123456789"[r-zero], true
		}
	}
	return 0, false
}
