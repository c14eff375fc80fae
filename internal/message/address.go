package message

import (
	"net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// parsePhone reads a number. Only mobile ones are taken: no others take messages,
// and the dear ones are among those.
func parsePhone(text, region string) (handoff.Recipient, error) {
	none := handoff.Errorf(handoff.CodeInvalid, "this is no mobile number, or its country code is missing")
	if len(text) > 40 {
		return handoff.Recipient{}, none
	}
	n, err := phonenumbers.Parse(digits(text), region)
	if err != nil {
		return handoff.Recipient{}, none
	}
	number, area := phonenumbers.Format(n, phonenumbers.E164), phonenumbers.GetRegionCodeForNumber(n)
	t := phonenumbers.GetNumberType(n)
	switch {
	case examples.MatchString(number):
		area = "GB"
	case !phonenumbers.IsValidNumber(n), t != phonenumbers.MOBILE && t != phonenumbers.FIXED_LINE_OR_MOBILE:
		return handoff.Recipient{}, none
	}
	return handoff.Recipient{
		Route: handoff.RouteSMS, Address: handoff.Secret(number), Area: area, Masked: "••" + number[len(number)-2:],
	}, nil
}

// examples are the mobile numbers that Ofcom keeps for examples and drama. They are
// nobody's, so the library refuses them; but our own texts name one, and who tries
// the portal uses them.
var examples = regexp.MustCompile(`^\+447700900[0-9]{3}$`)

// digits drops the marks of direction that come along when a number is copied
// from a text in Arabic or Hebrew. Digits of other scripts are the library's to read.
func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.TrimSpace(text))
}

// parseAddress reads an e-mail address: one, without a name, of a host with a dot.
func parseAddress(text string) (handoff.Recipient, error) {
	none := handoff.Errorf(handoff.CodeInvalid, "this is no e-mail address")
	text = digits(text)
	a, err := mail.ParseAddress(text)
	if err != nil || len(text) > 254 || a.Address != text || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return handoff.Recipient{}, none
	}
	at := strings.LastIndexByte(text, '@')
	local, host := text[:at], strings.ToLower(text[at+1:])
	dot := strings.LastIndexByte(host, '.')
	if dot < 1 || dot > len(host)-3 || strings.ContainsAny(host, "[]_") {
		return handoff.Recipient{}, none
	}
	_, first := utf8.DecodeRuneInString(local)
	return handoff.Recipient{
		Route: handoff.RouteEmail, Address: handoff.Secret(local + "@" + host), Area: host,
		Masked: local[:first] + "•••@" + host[:1] + "•••" + host[dot:],
	}, nil
}
