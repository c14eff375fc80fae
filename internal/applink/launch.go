package applink

import (
	"net/url"
	"regexp"
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

	Help Help // what to try when the app did not open

	// Scheme is a second try for links with a code, by the app's custom scheme.
	// It is empty for a link with a pickup, and where the app has no scheme.
	Scheme string
}

// Help is what to try when the app did not open.
type Help string

// The kinds of help.
const (
	HelpTap    Help = "tap"    // tap again, and let the browser open it if it asks
	HelpHold   Help = "hold"   // touch and hold the link, and choose the app
	HelpIntent Help = "intent" // choose the app if the phone asks which
	HelpLeave  Help = "leave"  // go to another browser first
	HelpNone   Help = ""       // no app opens from here
)

// A rule says what works in the browsers it fits: an empty field fits all.
type rule struct {
	name    string
	systems string // names, separated by spaces
	browser string // its name, or the app that opened the link in it
	inApp   string // a name, or any
	kind    Kind
	help    Help
	source  string // who says so
}

const anyApp = "*"

// Sources of the rules.
const (
	// A tap on a link to another domain than the page's opens the app; to the same
	// domain it stays in Safari, as does a navigation without a tap. Touching and
	// holding the link offers the app again to who once chose the browser.
	sourceUniversal = "developer.apple.com, Supporting universal links in your app; Allowing apps and websites to link to your content"
	// Every other browser on iOS is a WKWebView, whose taps open universal links; these
	// ask first, or have a setting.
	sourceWebKit = "developer.apple.com, WKWebView, and Supporting universal links in your app"
	// Opens on a tap, or goes to S.browser_fallback_url; the others are made of Chromium.
	sourceChrome = "developer.chrome.com, Android Intents with Chrome"
	// intent: links with a fallback are understood; the person is asked before Firefox lets go.
	sourceFirefox = "github.com/mozilla-mobile/firefox-android, feature-app-links, AppLinksInterceptor"
	// A WebView shows an error for intent:, and an https link at least leads to our help.
	sourceWebView = "developer.android.com, Building web apps in WebView"
	// A Custom Tab is the browser, which opens apps from a tap. The link itself may not have
	// reached the app: that is up to who opened the tab.
	sourceSheet = sourceChrome + "; Custom Tabs, Getting started"
	// What a WebView lets through is up to the app around it. None of these documents
	// it, all have a way to the browser, and that is the one to show.
	sourceInApp = sourceWebView + "; developer.apple.com, WKNavigationDelegate: the app around a web view decides of each link"
)

// rules are read from the top; the first that fits is taken. Whoever opens links in the
// system's own sheet (Custom Tabs, SFSafariViewController) and is not told by Around
// has the row of Chrome or of Safari: it says the same, and behaves the same. On iOS
// that is Gmail too.
func rules() []rule {
	var all []rule
	for _, app := range []string{"Instagram", "Facebook", "Messenger", "TikTok", "LinkedIn", "LINE", "WeChat", "Snapchat", gmail} {
		all = append(all, rule{"in-app-" + strings.ToLower(app), "", "", app, KindNone, HelpLeave, sourceInApp})
	}
	return append(all, []rule{
		{"in-app", "", "", anyApp, KindNone, HelpLeave, sourceInApp},

		{"ios-safari", "iOS iPadOS", "Safari", "", KindUniversal, HelpHold, sourceUniversal},
		{"ios-chrome", "iOS iPadOS", "Chrome", "", KindUniversal, HelpTap, sourceWebKit},
		{"ios-firefox", "iOS iPadOS", "Firefox", "", KindUniversal, HelpTap, sourceWebKit},
		{"ios-edge", "iOS iPadOS", "Edge", "", KindUniversal, HelpTap, sourceWebKit},
		{"ios-other", "iOS iPadOS", "", "", KindUniversal, HelpTap, sourceWebKit},

		{"android-gmail", "Android", gmail, "", KindIntent, HelpIntent, sourceSheet},
		{"android-firefox", "Android", "Firefox", "", KindIntent, HelpTap, sourceFirefox},
		{"android-chrome", "Android", "Chrome", "", KindIntent, HelpIntent, sourceChrome},
		{"android-brave", "Android", "Brave", "", KindIntent, HelpIntent, sourceChrome},
		{"android-edge", "Android", "Edge", "", KindIntent, HelpIntent, sourceChrome},
		{"android-samsung", "Android", "Samsung Internet", "", KindIntent, HelpIntent, sourceChrome},
		{"android-opera", "Android", "Opera", "", KindIntent, HelpIntent, sourceChrome},
		{"android-vivaldi", "Android", "Vivaldi", "", KindIntent, HelpIntent, sourceChrome},
		// Others, and a WebView that does not say whose it is.
		{"android-other", "Android", "", "", KindUniversal, HelpTap, sourceWebView},

		// An iPad that says it is a Mac; on a Mac, Safari knows universal links too.
		{"mac-safari", "macOS", "Safari", "", KindUniversal, HelpTap, sourceUniversal},
		{"desktop", "macOS Windows Linux ChromeOS", "", "", KindNone, HelpNone, "no app of a phone's is there"},

		{"unknown", "", "", "", KindUniversal, HelpTap, "an https link leads somewhere in every browser"},
	}...)
}

func (r rule) fits(b handoff.Browser) bool {
	return (r.systems == "" || b.OS != "" && strings.Contains(" "+r.systems+" ", " "+b.OS+" ")) &&
		(r.browser == "" || r.browser == b.Name || r.browser == b.Via) &&
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
		return Link{Kind: KindNone, Rule: "no-link"}
	}
	r := ruleFor(b)
	l := Link{Kind: r.kind, Rule: r.name, Help: r.help}
	if l.Kind == KindNone {
		return l
	}
	l.Tap = true
	l.Scheme = schemeURL(app, u)
	switch {
	case !hasApp(b.OS, app) && l.Scheme != "":
		l.Kind, l.Href = KindScheme, l.Scheme
	case !hasApp(b.OS, app):
		return Link{Kind: KindNone, Rule: l.Rule}
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

// Store is the store that a browser's apps come from: apple, google, or empty.
func Store(b handoff.Browser) string {
	switch b.OS {
	case osIOS, osIPadOS:
		return "apple"
	case osAndroid:
		return "google"
	}
	return ""
}

// referrerName is what the link of a handoff is called among the parts of a Play
// referrer, which has the form of a query.
const referrerName = "handoff"

// StoreURL is where people get the app for their system, or empty. To Google Play it
// carries link, if there is one, as the install's referrer, beside what the partner
// has there: the app reads it by the Play Install Referrer API when it starts first
// (developer.android.com, "Play Install Referrer Library").
func StoreURL(b handoff.Browser, app *partner.App, link string) string {
	switch b.OS {
	case osIOS, osIPadOS:
		return app.IOS.StoreURL
	case osAndroid:
		if app.Android.StoreURL == "" && app.Android.Package != "" {
			return withReferrer("https://play.google.com/store/apps/details?id="+escape(app.Android.Package), link)
		}
		return withReferrer(app.Android.StoreURL, link)
	}
	return ""
}

func withReferrer(store, link string) string {
	u, err := url.Parse(store)
	if err != nil || u.Host != "play.google.com" || link == "" {
		return store
	}
	q := u.Query()
	referrer := referrerName + "=" + link
	if own := q.Get("referrer"); own != "" {
		referrer = own + "&" + referrer
	}
	q.Set("referrer", referrer)
	u.RawQuery = q.Encode()
	return u.String()
}

var appStoreID = regexp.MustCompile(`/id([0-9]{1,20})(?:[/?#]|$)`)

// Banner is the content of Safari's Smart App Banner, by which an installed app is
// opened with link and any other is offered by the store (developer.apple.com,
// "Promoting apps with Smart App Banners"); empty where there is none. Like a
// scheme's, what it carries may be a code, and never a pickup or a token (S5).
//
// Where the app has an App Clip, the banner opens that in place of the store, with the
// address of the page it is on (developer.apple.com, "Supporting invocations from your
// website and the Messages app"): so only a landing, whose address is a code's, names it.
func Banner(b handoff.Browser, app *partner.App, link string, landing bool) string {
	id := appStoreID.FindStringSubmatch(app.IOS.StoreURL)
	u, err := url.Parse(link)
	if ruleFor(b).name != "ios-safari" || id == nil || err != nil || !strings.HasPrefix(u.Path, "/c/") || strings.Contains(link, ",") {
		return ""
	}
	content := "app-id=" + id[1] + ", app-argument=" + link
	if _, bundle, ok := strings.Cut(app.IOS.Clip, "."); ok && landing {
		content += ", app-clip-bundle-id=" + bundle + ", app-clip-display=card"
	}
	return content
}
