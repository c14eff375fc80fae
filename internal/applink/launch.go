package applink

import (
	"net/url"
	"strings"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
)

// Kind is a way of opening an app from a page.
type Kind string

// The kinds.
const (
	KindUniversal Kind = "universal" // an https link that the system gives to the app that claims it
	KindIntent    Kind = "intent"    // an intent: link with an explicit package, for Android browsers
	KindScheme    Kind = "scheme"    // a custom scheme; carries codes only
	KindNone      Kind = "none"      // no app opens from here
)

// Link is how to open an app in one browser.
type Link struct {
	Href string // empty with KindNone
	Kind Kind
	Rule string // the name of the table's row, for metrics: "open to pickup" by rule
	Tap  bool   // it opens on a person's tap only, never by a script or a redirect

	// HelpKey is the message key of what to say when the app did not open.
	HelpKey string

	// Scheme is a second try for links with a code, by the app's custom scheme.
	// It is empty for a link with a pickup, and where the app has no scheme.
	Scheme string
}

// A rule says what works in the browsers it fits: an empty field fits all.
type rule struct {
	name    string
	systems string // names, separated by spaces
	browser string
	inApp   string // a name, or any
	kind    Kind
	help    string
}

const anyApp = "*"

// rules are read from the top; the first that fits is taken.
func rules() []rule {
	return []rule{
		// In-app browsers keep links to themselves: what they let through differs by
		// version and by the app that was meant, so the way out is the one to show.
		{"in-app", "", "", anyApp, KindNone, "launch.help.in_app"},

		// Apple, App Search Programming Guide, "Support Universal Links": a tap on a
		// link to another domain than the page's opens the app; to the same domain
		// it stays in Safari. A navigation without a tap stays too.
		{"ios-safari", "iOS iPadOS", "Safari", "", KindUniversal, "launch.help.ios_safari"},
		// The same guide: universal links work in WKWebView, which every other
		// browser on iOS is made of; these ask first, or have a setting.
		{"ios-other", "iOS iPadOS", "", "", KindUniversal, "launch.help.ios_other"},

		// Mozilla, android-components, AppLinksInterceptor: intent: links with
		// fallback are understood; the person is asked before Firefox lets go.
		{"android-firefox", "Android", "Firefox", "", KindIntent, "launch.help.android_firefox"},
		// developer.chrome.com, "Android Intents with Chrome": opens on a tap, or
		// goes to S.browser_fallback_url. Those below are made of Chromium.
		{"android-chrome", "Android", "Chrome", "", KindIntent, "launch.help.android"},
		{"android-brave", "Android", "Brave", "", KindIntent, "launch.help.android"},
		{"android-edge", "Android", "Edge", "", KindIntent, "launch.help.android"},
		{"android-samsung", "Android", "Samsung Internet", "", KindIntent, "launch.help.android"},
		{"android-opera", "Android", "Opera", "", KindIntent, "launch.help.android"},
		{"android-vivaldi", "Android", "Vivaldi", "", KindIntent, "launch.help.android"},
		// Others, and a WebView that does not say whose it is: a WebView shows an
		// error for intent: (developer.android.com, "Building web apps in WebView"),
		// and an https link at least leads to our help.
		{"android-other", "Android", "", "", KindUniversal, "launch.help.android_other"},

		// An iPad that says it is a Mac; on a Mac, Safari knows universal links too.
		{"mac-safari", "macOS", "Safari", "", KindUniversal, "launch.help.ios_safari"},
		{"desktop", "macOS Windows Linux ChromeOS", "", "", KindNone, "launch.help.desktop"},

		{"unknown", "", "", "", KindUniversal, "launch.help.unknown"},
	}
}

func (r rule) fits(b handoff.Browser) bool {
	return (r.systems == "" || b.OS != "" && strings.Contains(" "+r.systems+" ", " "+b.OS+" ")) &&
		(r.browser == "" || r.browser == b.Name) &&
		(r.inApp == "" && b.InApp == "" || r.inApp == anyApp && b.InApp != "" || r.inApp == b.InApp)
}

// Rule names the row of the table that b falls under, for metrics.
func Rule(b handoff.Browser) string { return ruleFor(b).name }

func ruleFor(b handoff.Browser) rule {
	all := rules()
	for _, r := range all {
		if r.fits(b) {
			return r
		}
	}
	return all[len(all)-1] // it fits everything
}

// Launch returns how to open app with link in browser b. link is a link of ours,
// as CodeURL, PickupURL or TokenDeepLink make it; fallback is the absolute URL a
// browser goes to when the app is not there, or empty. Where the system has no
// app of the partner's, the answer is KindNone, or KindScheme if there is a
// custom scheme and link carries a code.
//
// Href is safe in an href attribute: its scheme is https, intent or the app's
// own (http too, where the portal itself is on loopback).
func Launch(b handoff.Browser, app *partner.App, link, fallback string) Link {
	u, err := url.Parse(link)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return Link{Kind: KindNone, Rule: "no-link", HelpKey: "launch.help.unknown"}
	}
	r := ruleFor(b)
	l := Link{Kind: r.kind, Rule: r.name, HelpKey: r.help}
	if l.Kind == KindNone {
		return l
	}
	l.Tap = true
	l.Scheme = schemeURL(app, u)
	switch {
	case !hasApp(b.OS, app) && l.Scheme != "":
		l.Kind, l.Href = KindScheme, l.Scheme
	case !hasApp(b.OS, app):
		return Link{Kind: KindNone, Rule: l.Rule, HelpKey: "launch.help.no_app"}
	case l.Kind == KindIntent:
		l.Href = intentURL(u, app.Android.Package, fallback)
	default:
		l.Href = u.String()
	}
	return l
}

// hasApp reports whether the system's association file knows the app.
func hasApp(os string, app *partner.App) bool {
	apple, android := app.IOS.AppID != "" || app.IOS.Clip != "", app.Android.Package != ""
	switch os {
	case osIOS, osIPadOS, osMacOS:
		return apple
	case osAndroid:
		return android
	}
	return apple || android
}

// intentURL names one package, so that no other app gets the link, whatever the
// system's verification of links says: below Android 15 nothing else keeps
// partners apart. Android reads everything before the last "#" as the data, and
// what follows as name=value pairs (android.content.Intent.parseUri), so a
// fragment may stay in the data, and values are escaped to the last character.
func intentURL(u *url.URL, pkg, fallback string) string {
	data := url.URL{Scheme: "intent", Host: u.Host, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, Fragment: u.Fragment, RawFragment: u.RawFragment}
	var s strings.Builder
	s.WriteString(data.String())
	s.WriteString("#Intent;scheme=" + u.Scheme + ";package=" + escape(pkg) + ";")
	if f, err := url.Parse(fallback); err == nil && f.Host != "" && (f.Scheme == "https" || f.Scheme == "http") {
		s.WriteString("S.browser_fallback_url=" + escape(fallback) + ";")
	}
	s.WriteString("end")
	return s.String()
}

// escape percent-encodes all but the unreserved characters of RFC 3986, and
// keeps the dots of package names.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)*3)
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// schemeURL is the link of a code by the app's custom scheme, in the form of RFC
// 8252 §7.1. Any app can register any scheme, so nothing else than a code, which
// an app still has to claim, ever travels so.
func schemeURL(app *partner.App, u *url.URL) string {
	if app.Scheme == "" || !strings.HasPrefix(u.Path, "/c/") || u.Fragment != "" {
		return ""
	}
	if _, err := partner.ParseScheme(app.Scheme); err != nil {
		return ""
	}
	return app.Scheme + ":" + u.EscapedPath()
}

// StoreURL is where people get the app for their system, or empty.
func StoreURL(b handoff.Browser, app *partner.App) string {
	switch b.OS {
	case osIOS, osIPadOS:
		return app.IOS.StoreURL
	case osAndroid:
		if app.Android.StoreURL == "" && app.Android.Package != "" {
			return "https://play.google.com/store/apps/details?id=" + escape(app.Android.Package)
		}
		return app.Android.StoreURL
	}
	return ""
}
