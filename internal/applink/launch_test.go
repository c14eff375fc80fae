package applink_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
)

func app() *partner.App {
	return &partner.App{
		ID: "main", Name: "Acme",
		IOS:     partner.IOS{AppID: "ABCDE12345.com.acme.app", StoreURL: "https://apps.apple.com/app/id1"},
		Android: partner.Android{Package: "com.acme.app"},
		Scheme:  "com.acme.app",
		WebURL:  "https://app.acme.example/handoff?from=portal",
	}
}

const (
	pickupLink = "https://link.example.com/a/acme/hBk3v9Qm2xTzR7wN1pL5cA"
	codeLink   = "https://link.example.com/c/acme/3J98T56AWQ7KXV0EZR2MYB4CHD"
	tokenLink  = "https://link.example.com/a/acme/connect#token=aB3_x-9"
	fallback   = "https://go.example.com/p/kEy?didnt=open&x=1;end"
	escaped    = "https%3A%2F%2Fgo.example.com%2Fp%2FkEy%3Fdidnt%3Dopen%26x%3D1%3Bend"
)

func TestLaunch(t *testing.T) {
	android := func(name string) handoff.Browser {
		return handoff.Browser{Name: name, OS: "Android", Class: handoff.ClassMobile}
	}
	intent := func(path string) string {
		return "intent://link.example.com" + path + "#Intent;scheme=https;package=com.acme.app;S.browser_fallback_url=" + escaped + ";end"
	}
	const pickupPath = "/a/acme/hBk3v9Qm2xTzR7wN1pL5cA"
	none := &partner.App{ID: "main", Name: "Nowhere"}
	onlyScheme := &partner.App{ID: "main", Name: "Acme", Scheme: "com.acme.app"}
	tests := []struct {
		browser handoff.Browser
		app     *partner.App
		link    string
		want    applink.Link
	}{
		{handoff.Browser{Name: "Safari", OS: "iOS"}, app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "ios-safari", Tap: true, Help: applink.HelpHold}},
		{handoff.Browser{Name: "Chrome", OS: "iOS"}, app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "ios-chrome", Tap: true, Help: applink.HelpTap}},
		{handoff.Browser{Name: "Safari", OS: "iPadOS"}, app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "ios-safari", Tap: true, Help: applink.HelpHold}},
		{handoff.Browser{Name: "Safari", OS: "macOS"}, app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "mac-safari", Tap: true, Help: applink.HelpTap}},
		{handoff.Browser{Name: "Safari", OS: "iOS"}, app(), tokenLink, applink.Link{Href: tokenLink, Kind: applink.KindUniversal, Rule: "ios-safari", Tap: true, Help: applink.HelpHold}},

		{android("Chrome"), app(), pickupLink, applink.Link{Href: intent(pickupPath), Kind: applink.KindIntent, Rule: "android-chrome", Tap: true, Help: applink.HelpIntent}},
		{android("Brave"), app(), pickupLink, applink.Link{Href: intent(pickupPath), Kind: applink.KindIntent, Rule: "android-brave", Tap: true, Help: applink.HelpIntent}},
		{android("Edge"), app(), pickupLink, applink.Link{Href: intent(pickupPath), Kind: applink.KindIntent, Rule: "android-edge", Tap: true, Help: applink.HelpIntent}},
		{android("Samsung Internet"), app(), pickupLink, applink.Link{Href: intent(pickupPath), Kind: applink.KindIntent, Rule: "android-samsung", Tap: true, Help: applink.HelpIntent}},
		{android("Firefox"), app(), pickupLink, applink.Link{Href: intent(pickupPath), Kind: applink.KindIntent, Rule: "android-firefox", Tap: true, Help: applink.HelpTap}},
		{android("Chrome"), app(), tokenLink, applink.Link{Href: intent("/a/acme/connect#token=aB3_x-9"), Kind: applink.KindIntent, Rule: "android-chrome", Tap: true, Help: applink.HelpIntent}},
		{android(""), app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "android-other", Tap: true, Help: applink.HelpTap}},
		{android("Chrome"), app(), codeLink, applink.Link{Href: intent("/c/acme/3J98T56AWQ7KXV0EZR2MYB4CHD"), Kind: applink.KindIntent, Rule: "android-chrome", Tap: true, Help: applink.HelpIntent, Scheme: "com.acme.app:/c/acme/3J98T56AWQ7KXV0EZR2MYB4CHD"}},

		{handoff.Browser{OS: "iOS", InApp: "Instagram"}, app(), pickupLink, applink.Link{Kind: applink.KindNone, Rule: "in-app-instagram", Help: applink.HelpLeave}},
		{handoff.Browser{OS: "Android", InApp: "TikTok"}, app(), codeLink, applink.Link{Kind: applink.KindNone, Rule: "in-app-tiktok", Help: applink.HelpLeave}},
		{handoff.Browser{Name: "Chrome", OS: "Windows"}, app(), pickupLink, applink.Link{Kind: applink.KindNone, Rule: "desktop"}},
		{handoff.Browser{Name: "Chrome", OS: "macOS"}, app(), pickupLink, applink.Link{Kind: applink.KindNone, Rule: "desktop"}},
		{handoff.Browser{}, app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "unknown", Tap: true, Help: applink.HelpTap}},

		{android("Chrome"), none, pickupLink, applink.Link{Kind: applink.KindNone, Rule: "android-chrome"}},
		{handoff.Browser{Name: "Safari", OS: "iOS"}, none, pickupLink, applink.Link{Kind: applink.KindNone, Rule: "ios-safari"}},
		{android("Chrome"), onlyScheme, codeLink, applink.Link{Href: "com.acme.app:/c/acme/3J98T56AWQ7KXV0EZR2MYB4CHD", Kind: applink.KindScheme, Rule: "android-chrome", Tap: true, Help: applink.HelpIntent, Scheme: "com.acme.app:/c/acme/3J98T56AWQ7KXV0EZR2MYB4CHD"}},
		// S5: what a scheme opens could be anybody's app, so no pickup and no token.
		{android("Chrome"), onlyScheme, pickupLink, applink.Link{Kind: applink.KindNone, Rule: "android-chrome"}},
		{handoff.Browser{Name: "Safari", OS: "iOS"}, onlyScheme, tokenLink, applink.Link{Kind: applink.KindNone, Rule: "ios-safari"}},

		{android("Chrome"), app(), "javascript:alert(1)", applink.Link{Kind: applink.KindNone, Rule: "no-link"}},
		{android("Chrome"), app(), "", applink.Link{Kind: applink.KindNone, Rule: "no-link"}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, applink.Launch(test.browser, test.app, test.link, fallback)); diff != "" {
			t.Errorf("Launch(%+v, %s) (-want +got):\n%s", test.browser, test.link, diff)
		}
	}
}

func TestLaunchFallback(t *testing.T) {
	b := handoff.Browser{Name: "Chrome", OS: "Android"}
	for _, bad := range []string{"", "javascript:alert(1)", "/p/kEy", "market://details?id=evil"} {
		if got := applink.Launch(b, app(), pickupLink, bad).Href; strings.Contains(got, "fallback") {
			t.Errorf("Launch with fallback %q = %q, want none in it", bad, got)
		}
	}
}

// intent is an intent: link as Android reads it: everything before the last "#"
// is the data, then name=value pairs to "end" (android.content.Intent.parseUri).
type intent struct {
	data   string
	values map[string][]string
}

func parseIntent(t *testing.T, raw string) intent {
	t.Helper()
	i := strings.LastIndexByte(raw, '#')
	if !strings.HasPrefix(raw, "intent:") || i < 0 || !strings.HasPrefix(raw[i:], "#Intent;") {
		t.Fatalf("%q is no intent link", raw)
	}
	out := intent{data: strings.TrimPrefix(raw[:i], "intent:"), values: make(map[string][]string)}
	rest := raw[i+len("#Intent;"):]
	for !strings.HasPrefix(rest, "end") {
		pair, more, ok := strings.Cut(rest, ";")
		name, value, _ := strings.Cut(pair, "=")
		if !ok {
			t.Fatalf("%q does not end", raw)
		}
		decoded, err := url.PathUnescape(value)
		if err != nil {
			t.Fatalf("%q has a value that does not decode: %v", raw, err)
		}
		out.values[name] = append(out.values[name], decoded)
		rest = more
	}
	if rest != "end" {
		t.Fatalf("%q goes on after its end", raw)
	}
	return out
}

// FuzzLaunch: no host, path, package or fallback adds a value to the intent,
// changes its package, or gives an href another scheme.
func FuzzLaunch(f *testing.F) {
	f.Add(pickupLink, "com.acme.app", fallback)
	f.Add(tokenLink, "com.acme.app", "https://go.example.com/#Intent;package=evil;end")
	f.Add("https://link.example.com/a/acme/x;package=com.evil;end#Intent;package=com.evil;end", "com.acme.app", "")
	f.Add("https://link.example.com/a/acme/x#y#Intent;package=com.evil;end", "com.acme.app;component=com.evil/.Main", "")
	f.Add("https://link.example.com;package=com.evil/a/acme/x", "com.acme.app%3Bend", "https://go.example.com/%0a")
	f.Add("https://u:p@link.example.com/a?b#c", "a", "//x")
	f.Fuzz(func(t *testing.T, link, pkg, back string) {
		a := app()
		a.Android.Package = pkg
		for _, b := range []handoff.Browser{{Name: "Chrome", OS: "Android"}, {Name: "Safari", OS: "iOS"}, {OS: "Android"}, {}} {
			l := applink.Launch(b, a, link, back)
			switch {
			case l.Kind == applink.KindNone:
				if l.Href != "" {
					t.Errorf("Launch(%+v, %q) = %+v, none with an href", b, link, l)
				}
				continue
			case strings.HasPrefix(l.Href, "https://"), strings.HasPrefix(l.Href, "http://"):
			case strings.HasPrefix(l.Href, "com.acme.app:/c/"):
			case strings.HasPrefix(l.Href, "intent://"):
				want, err := url.Parse(link)
				if err != nil {
					t.Fatalf("Launch(%q) = %+v of what is no URL", link, l)
				}
				got := parseIntent(t, l.Href)
				if p := got.values["package"]; len(p) != 1 || p[0] != pkg {
					t.Errorf("Launch(%q, package %q) = %q names package %q", link, pkg, l.Href, p)
				}
				if s := got.values["scheme"]; len(s) != 1 || s[0] != want.Scheme {
					t.Errorf("Launch(%q) = %q has scheme %q", link, l.Href, s)
				}
				if fb := got.values["S.browser_fallback_url"]; len(fb) > 1 || (len(fb) == 1 && fb[0] != back) {
					t.Errorf("Launch(fallback %q) = %q falls back to %q", back, l.Href, fb)
				}
				for name := range got.values {
					if name != "package" && name != "scheme" && name != "S.browser_fallback_url" {
						t.Errorf("Launch(%q) = %q has a value %q", link, l.Href, name)
					}
				}
				if u, err := url.Parse("https:" + got.data); err != nil || u.Host != want.Host || u.Path != want.Path || u.User != nil {
					t.Errorf("Launch(%q) = %q leads to %q", link, l.Href, got.data)
				}
			default:
				t.Errorf("Launch(%+v, %q) = %q, a scheme of its own", b, link, l.Href)
			}
		}
	})
}

// TestRules holds the table against what each browser that people come with really
// says of itself: its row, the way in and what to try. Each row names its source.
func TestRules(t *testing.T) {
	for _, tt := range []struct {
		agent string
		hints http.Header
		rule  string
		kind  applink.Kind
		help  applink.Help
	}{
		{iphone + "Version/17.5 Mobile/15E148 Safari/604.1", nil, "ios-safari", applink.KindUniversal, applink.HelpHold}, // and Gmail, Outlook: SFSafariViewController
		{iphone + "CriOS/125.0.6422.80 Mobile/15E148 Safari/604.1", nil, "ios-chrome", applink.KindUniversal, applink.HelpTap},
		{iphone + "FxiOS/126.0 Mobile/15E148 Safari/605.1.15", nil, "ios-firefox", applink.KindUniversal, applink.HelpTap},
		{iphone + "Version/17.0 EdgiOS/125.0.2535.60 Mobile/15E148 Safari/605.1.15", nil, "ios-edge", applink.KindUniversal, applink.HelpTap},
		{iphone + "Version/17.5 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15", nil, "ios-other", applink.KindUniversal, applink.HelpTap},
		{iphone + "Mobile/15E148", nil, "ios-other", applink.KindUniversal, applink.HelpTap},
		{ipad + "Version/17.5 Mobile/15E148 Safari/604.1", nil, "ios-safari", applink.KindUniversal, applink.HelpHold},
		{mac + "Version/17.5 Safari/605.1.15", nil, "mac-safari", applink.KindUniversal, applink.HelpTap},

		{pixel + "Chrome/125.0.0.0 Mobile Safari/537.36", nil, "android-chrome", applink.KindIntent, applink.HelpIntent}, // and Custom Tabs of who does not say so
		{pixel + "SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36", nil, "android-samsung", applink.KindIntent, applink.HelpIntent},
		{"Mozilla/5.0 (Android 14; Mobile; rv:126.0) Gecko/126.0 Firefox/126.0", nil, "android-firefox", applink.KindIntent, applink.HelpTap},
		{pixel + "Chrome/125.0.0.0 Mobile Safari/537.36 EdgA/125.0.2535.51", nil, "android-edge", applink.KindIntent, applink.HelpIntent},
		{pixel + "Chrome/125.0.0.0 Mobile Safari/537.36", hints(`"Brave";v="125", "Chromium";v="125"`, "?1", `"Android"`), "android-brave", applink.KindIntent, applink.HelpIntent},
		{pixel + "Chrome/125.0.0.0 Mobile Safari/537.36", http.Header{"Referer": {"android-app://com.google.android.gm/"}}, "android-gmail", applink.KindIntent, applink.HelpIntent},
		{webview, http.Header{"X-Requested-With": {"com.google.android.gm"}}, "in-app-gmail", applink.KindNone, applink.HelpLeave},
		{webview, nil, "android-other", applink.KindUniversal, applink.HelpTap},

		{iphone + "Mobile/15E148 Instagram 334.0.4.32.98 (iPhone14,5; iOS 17_5_1; en_GB; en-GB; scale=3.00; 1170x2532; 605596538)", nil, "in-app-instagram", applink.KindNone, applink.HelpLeave},
		{webview + "Instagram 332.0.0.38.90 Android (34/14; 420dpi; 1080x2274; Google/google; Pixel 8; shiba; shiba; en_GB; 604247854)", nil, "in-app-instagram", applink.KindNone, applink.HelpLeave},
		{iphone + "Mobile/15E148 [FBAN/FBIOS;FBAV/465.0.1.41.103;FBBV/602060281;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.5.1;FBSS/3;FBID/phone;FBLC/en_GB;FBOP/5;FBRV/604008645]", nil, "in-app-facebook", applink.KindNone, applink.HelpLeave},
		{webview + "[FB_IAB/FB4A;FBAV/465.0.0.61.82;]", nil, "in-app-facebook", applink.KindNone, applink.HelpLeave},
		{webview + "[FB_IAB/Orca-Android;FBAV/459.0.0.57.109;]", nil, "in-app-messenger", applink.KindNone, applink.HelpLeave},
		{iphone + "Mobile/15E148 musical_ly_34.7.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/en Region/GB BytedanceWebview/d8a21c6", nil, "in-app-tiktok", applink.KindNone, applink.HelpLeave},
		{iphone + "Mobile/15E148 [LinkedInApp]/9.29.8962", nil, "in-app-linkedin", applink.KindNone, applink.HelpLeave},
		{iphone + "Safari Line/14.7.0", nil, "in-app-line", applink.KindNone, applink.HelpLeave},
		{webview + "Line/14.8.0/IAB", nil, "in-app-line", applink.KindNone, applink.HelpLeave},
		{iphone + "Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/en", nil, "in-app-wechat", applink.KindNone, applink.HelpLeave},
		{iphone + "Version/17.5 Mobile/15E148 Snapchat/12.90.0.44 (like Safari/8618.2.12.10.9, panda)", nil, "in-app-snapchat", applink.KindNone, applink.HelpLeave},
		{webview + "Snapchat/12.90.0.46 (Pixel 8; Android 14#11848118#34; gzip; )", nil, "in-app-snapchat", applink.KindNone, applink.HelpLeave},
		{iphone + "Mobile/15E148 Twitter for iPhone/10.43", nil, "in-app", applink.KindNone, applink.HelpLeave},

		{windows, nil, "desktop", applink.KindNone, applink.HelpNone},
		{"A browser of tomorrow/1.0", nil, "unknown", applink.KindUniversal, applink.HelpTap},
		{"", nil, "unknown", applink.KindUniversal, applink.HelpTap},
	} {
		b := applink.Around(applink.ParseBrowser(tt.agent, tt.hints), tt.hints)
		if got := applink.Rule(b); got != tt.rule {
			t.Errorf("%s falls under %s, want %s", tt.agent, got, tt.rule)
		}
		l := applink.Launch(b, app(), pickupLink, fallback)
		if l.Rule != tt.rule || l.Kind != tt.kind || l.Help != tt.help || l.Tap != (tt.kind != applink.KindNone) {
			t.Errorf("%s: %+v, want %s by %s, with %q to try", tt.agent, l, tt.rule, tt.kind, tt.help)
		}
	}
	for name, source := range applink.Sources() {
		if source == "" {
			t.Errorf("the rule %s names no source", name)
		}
	}
}

func TestBanner(t *testing.T) {
	safari := handoff.Browser{Name: "Safari", OS: "iOS"}
	for store, want := range map[string]string{
		"https://apps.apple.com/app/id1":                       "app-id=1, app-argument=" + codeLink,
		"https://apps.apple.com/gb/app/acme/id1234567890?mt=8": "app-id=1234567890, app-argument=" + codeLink,
		"https://apps.apple.com/app/acme":                      "", "": "",
	} {
		a := app()
		a.IOS.StoreURL = store
		if got := applink.Banner(safari, a, codeLink, false); got != want {
			t.Errorf("Banner with %q = %q, want %q", store, got, want)
		}
	}
	for _, link := range []string{pickupLink, tokenLink, codeLink + "?x=1,app-id=2", "", "https://%"} {
		if got := applink.Banner(safari, app(), link, true); got != "" {
			t.Errorf("Banner with %q = %q, want none", link, got)
		}
	}
	if got := applink.Banner(handoff.Browser{Name: "Chrome", OS: "iOS"}, app(), codeLink, true); got != "" {
		t.Errorf("Banner in Chrome = %q, want none", got)
	}
}

func TestPlayReferrer(t *testing.T) {
	android := handoff.Browser{OS: "Android"}
	const play, carried = "https://play.google.com/store/apps/details?id=com.acme.app", "handoff%3Dhttps%3A%2F%2Flink.example.com%2Fc%2Facme%2F3J98T56AWQ7KXV0EZR2MYB4CHD"
	for store, want := range map[string]string{
		"":                                  play + "&referrer=" + carried,
		play:                                play + "&referrer=" + carried,
		play + "&referrer=utm_source%3Dweb": play + "&referrer=utm_source%3Dweb%26" + carried,
		"https://store.example/acme":        "https://store.example/acme",
	} {
		a := app()
		a.Android.StoreURL = store
		if got := applink.StoreURL(android, a, codeLink); got != want {
			t.Errorf("StoreURL with %q = %q, want %q", store, got, want)
		}
	}
	if got := applink.StoreURL(android, app(), ""); got != play {
		t.Errorf("StoreURL without a link = %q, want %q", got, play)
	}
}

func TestStoreURL(t *testing.T) {
	a := app()
	for os, want := range map[string]string{
		"iOS": "https://apps.apple.com/app/id1", "iPadOS": "https://apps.apple.com/app/id1",
		"Android": "https://play.google.com/store/apps/details?id=com.acme.app",
		"Windows": "", "": "",
	} {
		if got := applink.StoreURL(handoff.Browser{OS: os}, a, ""); got != want {
			t.Errorf("StoreURL(%q) = %q, want %q", os, got, want)
		}
	}
	a.Android.StoreURL = "https://store.example/acme"
	if got := applink.StoreURL(handoff.Browser{OS: "Android"}, a, codeLink); got != a.Android.StoreURL {
		t.Errorf("StoreURL = %q, want the one that was given", got)
	}
}
