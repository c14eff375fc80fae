package applink_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
)

// Frequent beginnings of User-Agents.
const (
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	ipad    = "Mozilla/5.0 (iPad; CPU OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	mac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	pixel   = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
	webview = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP1A.240505.005; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/124.0.6367.179 Mobile Safari/537.36 "
	windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36"
)

type agent struct {
	ua    string
	hints http.Header
	want  handoff.Browser
}

func hints(brands, mobile, platform string) http.Header {
	h := make(http.Header)
	h.Set("Sec-CH-UA", brands)
	h.Set("Sec-CH-UA-Mobile", mobile)
	h.Set("Sec-CH-UA-Platform", platform)
	return h
}

func agents() []agent {
	const (
		mobile  = handoff.ClassMobile
		tablet  = handoff.ClassTablet
		desktop = handoff.ClassDesktop
	)
	return []agent{
		// iPhones.
		{iphone + "Version/17.5 Mobile/15E148 Safari/604.1", nil, handoff.Browser{Name: "Safari", OS: "iOS", Class: mobile}},
		{iphone + "CriOS/125.0.6422.80 Mobile/15E148 Safari/604.1", nil, handoff.Browser{Name: "Chrome", OS: "iOS", Class: mobile}},
		{iphone + "FxiOS/126.0 Mobile/15E148 Safari/605.1.15", nil, handoff.Browser{Name: "Firefox", OS: "iOS", Class: mobile}},
		{iphone + "Version/17.0 EdgiOS/125.0.2535.60 Mobile/15E148 Safari/605.1.15", nil, handoff.Browser{Name: "Edge", OS: "iOS", Class: mobile}},
		{iphone + "Version/17.5 Mobile/15E148 Safari/604.1 OPT/4.7.0", nil, handoff.Browser{Name: "Opera", OS: "iOS", Class: mobile}},
		{iphone + "Version/17.5 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15", nil, handoff.Browser{Name: "DuckDuckGo", OS: "iOS", Class: mobile}},
		{iphone + "Mobile/15E148", nil, handoff.Browser{OS: "iOS", Class: mobile}}, // a WebView in some app

		// Android phones.
		{pixel + "Chrome/125.0.0.0 Mobile Safari/537.36", hints(`"Google Chrome";v="125", "Chromium";v="125", "Not.A/Brand";v="24"`, "?1", `"Android"`), handoff.Browser{Name: "Chrome", OS: "Android", Class: mobile}},
		{pixel + "Chrome/125.0.0.0 Mobile Safari/537.36", nil, handoff.Browser{Name: "Chrome", OS: "Android", Class: mobile}},
		{pixel + "Chrome/125.0.0.0 Mobile Safari/537.36", hints(`"Brave";v="125", "Chromium";v="125", "Not.A/Brand";v="24"`, "?1", `"Android"`), handoff.Browser{Name: "Brave", OS: "Android", Class: mobile}},
		{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36", hints(`"Samsung Internet";v="25.0", "Chromium";v="121"`, "?1", `"Android"`), handoff.Browser{Name: "Samsung Internet", OS: "Android", Class: mobile}},
		{"Mozilla/5.0 (Android 14; Mobile; rv:126.0) Gecko/126.0 Firefox/126.0", nil, handoff.Browser{Name: "Firefox", OS: "Android", Class: mobile}},
		{pixel + "Chrome/125.0.0.0 Mobile Safari/537.36 EdgA/125.0.2535.51", nil, handoff.Browser{Name: "Edge", OS: "Android", Class: mobile}},
		{pixel + "Chrome/124.0.0.0 Mobile Safari/537.36 OPR/82.0.0.0", nil, handoff.Browser{Name: "Opera", OS: "Android", Class: mobile}},
		{webview, nil, handoff.Browser{OS: "Android", Class: mobile}}, // a WebView that does not say whose

		// In-app browsers.
		{iphone + "Mobile/15E148 Instagram 334.0.4.32.98 (iPhone14,5; iOS 17_5_1; en_GB; en-GB; scale=3.00; 1170x2532; 605596538)", nil, handoff.Browser{OS: "iOS", Class: mobile, InApp: "Instagram"}},
		{webview + "Instagram 332.0.0.38.90 Android (34/14; 420dpi; 1080x2274; Google/google; Pixel 8; shiba; shiba; en_GB; 604247854)", nil, handoff.Browser{OS: "Android", Class: mobile, InApp: "Instagram"}},
		{iphone + "Mobile/15E148 [FBAN/FBIOS;FBAV/465.0.1.41.103;FBBV/602060281;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.5.1;FBSS/3;FBID/phone;FBLC/en_GB;FBOP/5;FBRV/604008645]", nil, handoff.Browser{OS: "iOS", Class: mobile, InApp: "Facebook"}},
		{webview + "[FB_IAB/FB4A;FBAV/465.0.0.61.82;]", hints(`"Android WebView";v="124"`, "?1", `"Android"`), handoff.Browser{OS: "Android", Class: mobile, InApp: "Facebook"}},
		{webview + "[FB_IAB/Orca-Android;FBAV/459.0.0.57.109;]", nil, handoff.Browser{OS: "Android", Class: mobile, InApp: "Messenger"}},
		{iphone + "Mobile/15E148 musical_ly_34.7.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/en Region/GB BytedanceWebview/d8a21c6", nil, handoff.Browser{OS: "iOS", Class: mobile, InApp: "TikTok"}},
		{webview + "trill_340703 JsSdk/1.0 NetType/WIFI Channel/googleplay AppName/musical_ly app_version/34.7.3 ByteLocale/en", nil, handoff.Browser{OS: "Android", Class: mobile, InApp: "TikTok"}},
		{iphone + "Mobile/15E148 [LinkedInApp]/9.29.8962", nil, handoff.Browser{OS: "iOS", Class: mobile, InApp: "LinkedIn"}},
		{iphone + "Safari Line/14.7.0", nil, handoff.Browser{OS: "iOS", Class: mobile, InApp: "LINE"}},
		{webview + "Line/14.8.0/IAB", nil, handoff.Browser{OS: "Android", Class: mobile, InApp: "LINE"}},
		{iphone + "Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/en", nil, handoff.Browser{OS: "iOS", Class: mobile, InApp: "WeChat"}},
		{iphone + "Version/17.5 Mobile/15E148 Snapchat/12.90.0.44 (like Safari/8618.2.12.10.9, panda)", nil, handoff.Browser{OS: "iOS", Class: mobile, InApp: "Snapchat"}},
		{webview + "Snapchat/12.90.0.46 (Pixel 8; Android 14#11848118#34; gzip; )", nil, handoff.Browser{OS: "Android", Class: mobile, InApp: "Snapchat"}},
		{iphone + "GSA/318.0.634488990 Mobile/15E148 Safari/604.1", nil, handoff.Browser{OS: "iOS", Class: mobile, InApp: "Google"}},
		{webview + "GSA/15.21.33.29.arm64", nil, handoff.Browser{OS: "Android", Class: mobile, InApp: "Google"}},
		{iphone + "Mobile/15E148 Twitter for iPhone/10.43", nil, handoff.Browser{OS: "iOS", Class: mobile, InApp: "X"}},

		// Tablets. An iPad's Safari, and its Chrome where it asks for desktop pages,
		// say Macintosh; the first cannot be told from a Mac.
		{ipad + "Version/17.5 Mobile/15E148 Safari/604.1", nil, handoff.Browser{Name: "Safari", OS: "iPadOS", Class: tablet}},
		{mac + "CriOS/125 Version/11.1.1 Safari/605.1.15", nil, handoff.Browser{Name: "Chrome", OS: "iPadOS", Class: tablet}},
		{pixel + "Chrome/125.0.0.0 Safari/537.36", nil, handoff.Browser{Name: "Chrome", OS: "Android", Class: tablet}},
		{pixel + "Chrome/125.0.0.0 Safari/537.36", hints(`"Google Chrome";v="125"`, "?0", `"Android"`), handoff.Browser{Name: "Chrome", OS: "Android", Class: tablet}},
		{"Mozilla/5.0 (Android 14; Tablet; rv:126.0) Gecko/126.0 Firefox/126.0", nil, handoff.Browser{Name: "Firefox", OS: "Android", Class: tablet}},

		// Desktops.
		{windows, hints(`"Google Chrome";v="125", "Chromium";v="125"`, "?0", `"Windows"`), handoff.Browser{Name: "Chrome", OS: "Windows", Class: desktop}},
		{windows + " Edg/125.0.0.0", nil, handoff.Browser{Name: "Edge", OS: "Windows", Class: desktop}},
		{windows + " OPR/110.0.0.0", nil, handoff.Browser{Name: "Opera", OS: "Windows", Class: desktop}},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:126.0) Gecko/20100101 Firefox/126.0", nil, handoff.Browser{Name: "Firefox", OS: "Windows", Class: desktop}},
		{mac + "Version/17.5 Safari/605.1.15", nil, handoff.Browser{Name: "Safari", OS: "macOS", Class: desktop}},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36", hints(`"Google Chrome";v="125"`, "?0", `"macOS"`), handoff.Browser{Name: "Chrome", OS: "macOS", Class: desktop}},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:126.0) Gecko/20100101 Firefox/126.0", nil, handoff.Browser{Name: "Firefox", OS: "macOS", Class: desktop}},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36", nil, handoff.Browser{Name: "Chrome", OS: "Linux", Class: desktop}},
		{"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0", nil, handoff.Browser{Name: "Firefox", OS: "Linux", Class: desktop}},
		{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36", hints(`"Google Chrome";v="125"`, "?0", `"Chrome OS"`), handoff.Browser{Name: "Chrome", OS: "ChromeOS", Class: desktop}},

		// Neither.
		{"", nil, handoff.Browser{}},
		{"curl/8.7.1", nil, handoff.Browser{}},
		{"<script>alert(1)</script>", hints("x", "?1", `"<script>"`), handoff.Browser{}},
		{strings.Repeat("x", 512) + "iPhone Instagram ", nil, handoff.Browser{}},
	}
}

func TestParseBrowser(t *testing.T) {
	for _, a := range agents() {
		if got := applink.ParseBrowser(a.ua, a.hints); got != a.want {
			t.Errorf("ParseBrowser(%q, %v) = %+v, want %+v", a.ua, a.hints, got, a.want)
		}
	}
}

// TestAround: what a request says of the app around a browser is believed of Android
// alone, and only the very name.
func TestAround(t *testing.T) {
	phone := handoff.Browser{Name: "Chrome", OS: "Android", Class: handoff.ClassMobile}
	from := func(name, value string) http.Header { return http.Header{name: {value}} }
	via, inside := phone, phone
	via.Via = "Gmail"
	inside.InApp, inside.Name = "Gmail", ""
	other := handoff.Browser{OS: "Android", InApp: "LINE"}
	ios := handoff.Browser{Name: "Safari", OS: "iOS"}
	for _, tt := range []struct {
		browser handoff.Browser
		header  http.Header
		want    handoff.Browser
	}{
		{phone, from("Referer", "android-app://com.google.android.gm/"), via},
		{phone, from("Referer", "android-app://com.google.android.gm"), via},
		{phone, from("X-Requested-With", "com.google.android.gm"), inside},
		{phone, from("Referer", "android-app://com.google.android.gms/"), phone},
		{phone, from("Referer", "https://com.google.android.gm/"), phone},
		{phone, from("X-Requested-With", "XMLHttpRequest"), phone},
		{phone, nil, phone},
		{other, from("X-Requested-With", "com.google.android.gm"), other},
		{ios, from("Referer", "android-app://com.google.android.gm/"), ios},
	} {
		if got := applink.Around(tt.browser, tt.header); got != tt.want {
			t.Errorf("Around(%+v, %v) = %+v, want %+v", tt.browser, tt.header, got, tt.want)
		}
	}
	for name, want := range map[string]handoff.Browser{"Gmail": via, "gmail": phone, "<b>": phone, "": phone} {
		if got := applink.Via(phone, name); got != want {
			t.Errorf("Via(%q) = %+v, want %+v", name, got, want)
		}
	}
	if got := applink.Via(ios, "Gmail"); got != ios {
		t.Errorf("Via on an iPhone = %+v, want %+v", got, ios)
	}
}

// FuzzParseBrowser: whatever comes in, only words of ours go out, for they stand
// on another person's screen.
func FuzzParseBrowser(f *testing.F) {
	f.Add("Mozilla/5.0", `"Brave"`, "?1", `"Android"`)
	words := []string{""}
	for _, a := range agents() {
		f.Add(a.ua, a.hints.Get("Sec-CH-UA"), a.hints.Get("Sec-CH-UA-Mobile"), a.hints.Get("Sec-CH-UA-Platform"))
	}
	words = append(words,
		"Instagram", "Threads", "Messenger", "Facebook", "TikTok", "LinkedIn", "LINE", "WeChat", "Snapchat", "Pinterest", "X", "KakaoTalk", "Google",
		"Safari", "Chrome", "Brave", "Edge", "Opera", "Samsung Internet", "DuckDuckGo", "Vivaldi", "Yandex Browser", "UC Browser", "Mi Browser", "Huawei Browser", "Firefox",
		"iOS", "iPadOS", "Android", "Windows", "macOS", "ChromeOS", "Linux", "mobile", "tablet", "desktop")
	f.Fuzz(func(t *testing.T, ua, brands, mobile, platform string) {
		b := applink.ParseBrowser(ua, hints(brands, mobile, platform))
		for _, word := range []string{b.Name, b.OS, string(b.Class), b.InApp} {
			if !slices.Contains(words, word) {
				t.Errorf("ParseBrowser(%q) says %q, a word not ours", ua, word)
			}
		}
		if b.InApp != "" && b.Name != "" {
			t.Errorf("ParseBrowser(%q) = %+v, an in-app browser with another name", ua, b)
		}
	})
}
