package applink_test

import (
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
		{handoff.Browser{Name: "Safari", OS: "iOS"}, app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "ios-safari", Tap: true, HelpKey: "launch.help.ios_safari"}},
		{handoff.Browser{Name: "Chrome", OS: "iOS"}, app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "ios-other", Tap: true, HelpKey: "launch.help.ios_other"}},
		{handoff.Browser{Name: "Safari", OS: "iPadOS"}, app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "ios-safari", Tap: true, HelpKey: "launch.help.ios_safari"}},
		{handoff.Browser{Name: "Safari", OS: "macOS"}, app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "mac-safari", Tap: true, HelpKey: "launch.help.ios_safari"}},
		{handoff.Browser{Name: "Safari", OS: "iOS"}, app(), tokenLink, applink.Link{Href: tokenLink, Kind: applink.KindUniversal, Rule: "ios-safari", Tap: true, HelpKey: "launch.help.ios_safari"}},

		{android("Chrome"), app(), pickupLink, applink.Link{Href: intent(pickupPath), Kind: applink.KindIntent, Rule: "android-chrome", Tap: true, HelpKey: "launch.help.android"}},
		{android("Brave"), app(), pickupLink, applink.Link{Href: intent(pickupPath), Kind: applink.KindIntent, Rule: "android-brave", Tap: true, HelpKey: "launch.help.android"}},
		{android("Edge"), app(), pickupLink, applink.Link{Href: intent(pickupPath), Kind: applink.KindIntent, Rule: "android-edge", Tap: true, HelpKey: "launch.help.android"}},
		{android("Samsung Internet"), app(), pickupLink, applink.Link{Href: intent(pickupPath), Kind: applink.KindIntent, Rule: "android-samsung", Tap: true, HelpKey: "launch.help.android"}},
		{android("Firefox"), app(), pickupLink, applink.Link{Href: intent(pickupPath), Kind: applink.KindIntent, Rule: "android-firefox", Tap: true, HelpKey: "launch.help.android_firefox"}},
		{android("Chrome"), app(), tokenLink, applink.Link{Href: intent("/a/acme/connect#token=aB3_x-9"), Kind: applink.KindIntent, Rule: "android-chrome", Tap: true, HelpKey: "launch.help.android"}},
		{android(""), app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "android-other", Tap: true, HelpKey: "launch.help.android_other"}},
		{android("Chrome"), app(), codeLink, applink.Link{Href: intent("/c/acme/3J98T56AWQ7KXV0EZR2MYB4CHD"), Kind: applink.KindIntent, Rule: "android-chrome", Tap: true, HelpKey: "launch.help.android", Scheme: "com.acme.app:/c/acme/3J98T56AWQ7KXV0EZR2MYB4CHD"}},

		{handoff.Browser{OS: "iOS", InApp: "Instagram"}, app(), pickupLink, applink.Link{Kind: applink.KindNone, Rule: "in-app", HelpKey: "launch.help.in_app"}},
		{handoff.Browser{OS: "Android", InApp: "TikTok"}, app(), codeLink, applink.Link{Kind: applink.KindNone, Rule: "in-app", HelpKey: "launch.help.in_app"}},
		{handoff.Browser{Name: "Chrome", OS: "Windows"}, app(), pickupLink, applink.Link{Kind: applink.KindNone, Rule: "desktop", HelpKey: "launch.help.desktop"}},
		{handoff.Browser{Name: "Chrome", OS: "macOS"}, app(), pickupLink, applink.Link{Kind: applink.KindNone, Rule: "desktop", HelpKey: "launch.help.desktop"}},
		{handoff.Browser{}, app(), pickupLink, applink.Link{Href: pickupLink, Kind: applink.KindUniversal, Rule: "unknown", Tap: true, HelpKey: "launch.help.unknown"}},

		{android("Chrome"), none, pickupLink, applink.Link{Kind: applink.KindNone, Rule: "android-chrome", HelpKey: "launch.help.no_app"}},
		{handoff.Browser{Name: "Safari", OS: "iOS"}, none, pickupLink, applink.Link{Kind: applink.KindNone, Rule: "ios-safari", HelpKey: "launch.help.no_app"}},
		{android("Chrome"), onlyScheme, codeLink, applink.Link{Href: "com.acme.app:/c/acme/3J98T56AWQ7KXV0EZR2MYB4CHD", Kind: applink.KindScheme, Rule: "android-chrome", Tap: true, HelpKey: "launch.help.android", Scheme: "com.acme.app:/c/acme/3J98T56AWQ7KXV0EZR2MYB4CHD"}},
		// S5: what a scheme opens could be anybody's app, so no pickup and no token.
		{android("Chrome"), onlyScheme, pickupLink, applink.Link{Kind: applink.KindNone, Rule: "android-chrome", HelpKey: "launch.help.no_app"}},
		{handoff.Browser{Name: "Safari", OS: "iOS"}, onlyScheme, tokenLink, applink.Link{Kind: applink.KindNone, Rule: "ios-safari", HelpKey: "launch.help.no_app"}},

		{android("Chrome"), app(), "javascript:alert(1)", applink.Link{Kind: applink.KindNone, Rule: "no-link", HelpKey: "launch.help.unknown"}},
		{android("Chrome"), app(), "", applink.Link{Kind: applink.KindNone, Rule: "no-link", HelpKey: "launch.help.unknown"}},
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

func TestStoreURL(t *testing.T) {
	a := app()
	for os, want := range map[string]string{
		"iOS": "https://apps.apple.com/app/id1", "iPadOS": "https://apps.apple.com/app/id1",
		"Android": "https://play.google.com/store/apps/details?id=com.acme.app",
		"Windows": "", "": "",
	} {
		if got := applink.StoreURL(handoff.Browser{OS: os}, a); got != want {
			t.Errorf("StoreURL(%q) = %q, want %q", os, got, want)
		}
	}
	a.Android.StoreURL = "https://store.example/acme"
	if got := applink.StoreURL(handoff.Browser{OS: "Android"}, a); got != a.Android.StoreURL {
		t.Errorf("StoreURL = %q, want the one that was given", got)
	}
}
