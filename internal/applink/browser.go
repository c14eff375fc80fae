package applink

import (
	"net/http"
	"strings"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// maxAgent is how much of a User-Agent is read, in bytes. All that matters comes
// within it; the longest real ones, of in-app browsers, have about 400.
const maxAgent = 512

// Names of systems, as people know them.
const (
	osIOS      = "iOS"
	osIPadOS   = "iPadOS"
	osAndroid  = "Android"
	osWindows  = "Windows"
	osMacOS    = "macOS"
	osChromeOS = "ChromeOS"
	osLinux    = "Linux"
)

// A mark is a piece of a User-Agent and what it stands for.
type mark struct{ piece, means string }

// inApps are the apps that open links in a browser of their own and say so. Those
// that use the system's own sheet (SFSafariViewController, Custom Tabs) look like
// Safari and Chrome, and behave like them: see Around.
func inApps() []mark {
	return []mark{
		{"Instagram ", "Instagram"},
		{"Barcelona ", "Threads"},
		{"MessengerForiOS", "Messenger"},
		{"MessengerLiteForiOS", "Messenger"},
		{"FB_IAB/Orca-Android", "Messenger"},
		{"FB_IAB/MESSENGER", "Messenger"},
		{"FBAN/", "Facebook"},
		{"FBAV/", "Facebook"},
		{"FB_IAB/", "Facebook"},
		{"musical_ly", "TikTok"},
		{"BytedanceWebview", "TikTok"},
		{"trill_", "TikTok"},
		{"TikTok ", "TikTok"},
		{"LinkedInApp", "LinkedIn"},
		{" Line/", "LINE"},
		{"MicroMessenger/", "WeChat"},
		{"Snapchat/", "Snapchat"},
		{"Snapchat ", "Snapchat"},
		{"Pinterest/", "Pinterest"},
		{"Pinterest for", "Pinterest"},
		{"Twitter for iPhone", "X"},
		{"Twitter for iPad", "X"},
		{"TwitterAndroid", "X"},
		{"KAKAOTALK", "KakaoTalk"},
		{" GSA/", "Google"},
	}
}

// browserMarks are in order: almost every browser also says Chrome or Safari.
func browserMarks() []mark {
	return []mark{
		{"; wv)", ""}, // a WebView in an app that does not say which (developer.chrome.com, WebView user agent)
		{"EdgA/", "Edge"},
		{"EdgiOS/", "Edge"},
		{"Edg/", "Edge"},
		{"Edge/", "Edge"},
		{"OPR/", "Opera"},
		{"OPT/", "Opera"}, // on iOS
		{"OPX/", "Opera"}, // Opera GX on iOS
		{"SamsungBrowser/", "Samsung Internet"},
		{"DuckDuckGo/", "DuckDuckGo"},
		{"Ddg/", "DuckDuckGo"},
		{"Vivaldi/", "Vivaldi"},
		{"YaBrowser/", "Yandex Browser"},
		{"UCBrowser/", "UC Browser"},
		{"MiuiBrowser/", "Mi Browser"},
		{"HuaweiBrowser/", "Huawei Browser"},
		{"FxiOS/", "Firefox"},
		{"Focus/", "Firefox"},
		{"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
	}
}

// systems are in order: Android also says Linux, and an iPhone says Mac OS X.
func systems() []mark {
	return []mark{
		{"iPhone", osIOS},
		{"iPod", osIOS},
		{"iPad", osIPadOS},
		{"Android", osAndroid},
		{"CrOS", osChromeOS},
		{"Windows", osWindows},
		{"Macintosh", osMacOS},
		{"Linux", osLinux},
		{"X11", osLinux},
	}
}

// platforms are the values of Sec-CH-UA-Platform (User-Agent Client Hints §3.8).
func platforms() []mark {
	return []mark{
		{`"Android"`, osAndroid},
		{`"Chrome OS"`, osChromeOS},
		{`"Chromium OS"`, osChromeOS},
		{`"iOS"`, osIOS},
		{`"Linux"`, osLinux},
		{`"macOS"`, osMacOS},
		{`"Windows"`, osWindows},
	}
}

// ParseBrowser reads a User-Agent, and the low-entropy client hints beside it
// (Sec-CH-UA, Sec-CH-UA-Mobile, Sec-CH-UA-Platform) where hints has them. What
// it returns are words of ours, never a piece of the input; a word it cannot
// tell is empty.
//
// An iPad's Safari says that it is a Mac, and sends no hints: it is read as a
// desktop with macOS, and pages must offer it both ways.
func ParseBrowser(userAgent string, hints http.Header) handoff.Browser {
	agent := userAgent[:min(len(userAgent), maxAgent)]
	b := handoff.Browser{
		OS:    first(systems(), agent),
		Name:  first(browserMarks(), agent),
		InApp: first(inApps(), agent),
	}
	if b.OS == osMacOS && containsAny(agent, "CriOS/", "FxiOS/", "EdgiOS/", "Mobile/") {
		b.OS = osIPadOS // these say Macintosh on an iPad, and exist on no Mac
	}
	apple := b.OS == osIOS || b.OS == osIPadOS || b.OS == osMacOS
	if b.Name == "" && apple && strings.Contains(agent, "Version/") && strings.Contains(agent, "Safari/") {
		b.Name = "Safari"
	}
	if b.InApp != "" {
		b.Name = "" // the browser is the app's
	}
	if b.Name == "Chrome" && strings.Contains(header(hints, "Sec-CH-UA"), `"Brave"`) {
		b.Name = "Brave"
	}
	mobile := strings.Contains(agent, "Mobile")
	if os := first(platforms(), header(hints, "Sec-CH-UA-Platform")); os != "" {
		b.OS = os
		mobile = header(hints, "Sec-CH-UA-Mobile") == "?1"
	}
	b.Class = classOf(b.OS, mobile)
	return b
}

// packages are apps by their Android package.
func packages() []mark { return []mark{{"com.google.android.gm", gmail}} }

const gmail = "Gmail"

// Around adds to b the Android app that it is in, where the request says that and the
// User-Agent does not. A WebView may send its app's package with every request
// (developer.chrome.com, "Improve user privacy by requiring opt-in to send
// X-Requested-With header from WebView"). An app that opens a link over itself, in a
// Custom Tab of the phone's own browser, is told to be its referrer
// (developer.chrome.com, "Custom Tabs best practices"), and Chromium takes android-app:
// for one (ChromeContentClient::AddAdditionalSchemes): the first request has it, and no
// other.
func Around(b handoff.Browser, h http.Header) handoff.Browser {
	if b.OS != osAndroid || b.InApp != "" {
		return b
	}
	for _, p := range packages() {
		switch {
		case h.Get("X-Requested-With") == p.piece:
			b.InApp, b.Name = p.means, ""
			return b
		case strings.TrimSuffix(h.Get("Referer"), "/") == "android-app://"+p.piece:
			b.Via = p.means
		}
	}
	return b
}

// Via is b with the app that Around found at an earlier request, as a page of ours
// carried its name on. Any other name is of no app.
func Via(b handoff.Browser, name string) handoff.Browser {
	for _, p := range packages() {
		if b.OS == osAndroid && b.InApp == "" && p.means == name {
			b.Via = name
		}
	}
	return b
}

func classOf(os string, mobile bool) handoff.Class {
	switch os {
	case osIOS:
		return handoff.ClassMobile
	case osIPadOS:
		return handoff.ClassTablet
	case osAndroid:
		if mobile {
			return handoff.ClassMobile
		}
		return handoff.ClassTablet // developer.chrome.com: Android tablets leave "Mobile" out
	case osWindows, osMacOS, osChromeOS, osLinux:
		return handoff.ClassDesktop
	}
	return handoff.ClassUnknown
}

// first returns what the first mark found in s means, or nothing.
func first(marks []mark, s string) string {
	for _, m := range marks {
		if strings.Contains(s, m.piece) {
			return m.means
		}
	}
	return ""
}

func containsAny(s string, pieces ...string) bool {
	for _, p := range pieces {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func header(h http.Header, name string) string {
	v := h.Get(name)
	return v[:min(len(v), maxAgent)]
}
