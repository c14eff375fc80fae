package partner

import (
	"errors"
	"fmt"
	"slices"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// normalize fills in defaults, brings every address into its one form, and
// returns all faults. It writes to copies: what p shared with its maker before,
// it shares no longer.
func (p *Partner) normalize() []error {
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	_, err := ParseID(string(p.ID))
	fault(err)
	if p.Name == "" {
		fault(errors.New("a name is needed"))
	}
	p.KeyHashes = slices.Clone(p.KeyHashes)
	p.Origins = each(p.Origins, "origin", ParseOrigin, fault)
	p.ReturnURLs = each(p.ReturnURLs, "return URL", ParseReturnURL, fault)
	if p.Confirmation == "" {
		p.Confirmation = DefaultConfirmation
	}
	_, err = handoff.ParseConfirmation(string(p.Confirmation))
	fault(err)
	if p.CompleteWithin == 0 {
		p.CompleteWithin = DefaultCompleteWithin
	}
	if p.Retain == 0 {
		p.Retain = DefaultRetain
	}
	if p.CompleteWithin < 0 || p.Retain < 0 {
		fault(errors.New("a lifetime is negative"))
	}
	one(&p.Brand.Color, ParseColor, fault)
	one(&p.Brand.ColorDark, ParseColor, fault)
	for _, link := range []*string{&p.Links.Support, &p.Links.Privacy, &p.Links.Legal} {
		one(link, ParseLink, fault)
	}
	p.Routes = slices.Clone(p.Routes)
	for _, r := range p.Routes {
		_, err := handoff.ParseRoute(string(r))
		fault(err)
	}

	p.Apps = slices.Clone(p.Apps)
	if len(p.Apps) == 0 {
		fault(errors.New("an app is needed"))
	}
	seen := make(map[handoff.AppID]bool)
	for i := range p.Apps {
		a := &p.Apps[i]
		for _, err := range a.normalize() {
			fault(fmt.Errorf("app %q: %w", a.ID, err))
		}
		if seen[a.ID] {
			fault(fmt.Errorf("app %q: the id is taken", a.ID))
		}
		seen[a.ID] = true
		if a.CodeMode == handoff.CodeToken && p.Confirmation != handoff.ConfirmNever {
			fault(fmt.Errorf("app %q: %w", a.ID, ErrTokenConfirms))
		}
	}
	return faults
}

// ErrTokenConfirms is the fault of an app with CodeToken whose partner wants a
// number confirmed: a raw connect token leaves nobody to ask.
var ErrTokenConfirms = errors.New("code: token works only with confirmation: never")

func (a *App) normalize() []error {
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	_, err := ParseAppID(string(a.ID))
	fault(err)
	if a.Exchange == "" {
		a.Exchange = handoff.ExchangePortal
	}
	if a.Exchange != handoff.ExchangePortal && a.Exchange != handoff.ExchangeApp {
		fault(fmt.Errorf("exchange is portal or app, not %.40q", a.Exchange))
	}
	if a.CodeMode == "" {
		a.CodeMode = handoff.CodeLink
	}
	if a.CodeMode != handoff.CodeLink && a.CodeMode != handoff.CodeToken {
		fault(fmt.Errorf("code is link or token, not %.40q", a.CodeMode))
	}
	if a.JourneyURL != "" {
		fault(CheckJourneyURL(a.JourneyURL))
	}
	one(&a.IOS.AppID, ParseAppleID, fault)
	one(&a.IOS.Clip, ParseAppleID, fault)
	one(&a.IOS.StoreURL, ParseLink, fault)
	one(&a.Android.Package, ParsePackage, fault)
	a.Android.Fingerprints = each(a.Android.Fingerprints, "fingerprint", ParseFingerprint, fault)
	if a.Android.Package != "" && len(a.Android.Fingerprints) == 0 {
		fault(errors.New("an Android app needs the fingerprint of its signing certificate"))
	}
	one(&a.Android.StoreURL, ParseLink, fault)
	one(&a.Scheme, ParseScheme, fault)
	one(&a.WebURL, ParseWebURL, fault)
	return faults
}

// one brings an optional value into its form.
func one(s *string, parse func(string) (string, error), fault func(error)) {
	if *s == "" {
		return
	}
	v, err := parse(*s)
	if err != nil {
		fault(fmt.Errorf("%.80q: %w", *s, err))
		return
	}
	*s = v
}

// each returns the values in their form, once each.
func each(in []string, what string, parse func(string) (string, error), fault func(error)) []string {
	var out []string
	for _, s := range in {
		v, err := parse(s)
		if err != nil {
			fault(fmt.Errorf("%s %.80q: %w", what, s, err))
			continue
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
