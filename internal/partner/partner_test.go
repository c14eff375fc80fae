package partner_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
)

const print32 = "14:6d:e9:83:c5:73:06:50:d8:ee:b9:95:2f:34:fc:64:16:a0:83:42:e6:1d:be:a8:8a:04:96:b2:3f:cf:44:e5"

// acme is a partner as a person would write it down.
func acme(keys ...handoff.Secret) partner.Partner {
	p := partner.Partner{
		ID: "acme", Name: "Acme Bank",
		Origins:    []string{"https://Shop.Acme.example:443", "http://localhost:8081"},
		ReturnURLs: []string{"https://shop.acme.example/done", "https://shop.acme.example", "http://127.0.0.1:8081/back/"},
		Brand:      partner.Brand{Color: "#0B5FFF"},
		Routes:     []handoff.Route{handoff.RouteLink},
		Apps: []partner.App{
			{ID: "main", Name: "Acme", Android: partner.Android{Package: "com.acme.app", Fingerprints: []string{print32}}},
			{ID: "kiosk", Name: "Acme Kiosk", Exchange: handoff.ExchangeApp, JourneyURL: "com.acme.kiosk://go/{instanceId}?t={connectToken}"},
		},
	}
	for _, k := range keys {
		p.KeyHashes = append(p.KeyHashes, partner.HashKey(k))
	}
	return p
}

func directory(t testing.TB, partners ...partner.Partner) *partner.Directory {
	t.Helper()
	d, err := partner.New(partners)
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	return d
}

func TestNewNormalizes(t *testing.T) {
	d := directory(t, acme())
	p, ok := d.ByID("acme")
	if !ok {
		t.Fatal(`ByID("acme") finds nothing`)
	}
	if diff := cmp.Diff([]string{"https://shop.acme.example", "http://localhost:8081"}, p.Origins); diff != "" {
		t.Errorf("Origins (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"https://shop.acme.example/done", "https://shop.acme.example/", "http://127.0.0.1:8081/back/"}, p.ReturnURLs); diff != "" {
		t.Errorf("ReturnURLs (-want +got):\n%s", diff)
	}
	if p.Confirmation != handoff.ConfirmAuto || p.CompleteWithin != time.Hour || p.Retain != 7*24*time.Hour || p.Brand.Color != "#0b5fff" {
		t.Errorf("defaults = %s, %s, %s, %s", p.Confirmation, p.CompleteWithin, p.Retain, p.Brand.Color)
	}
	a, ok := p.App("")
	if !ok || a.ID != "main" || a.Exchange != handoff.ExchangePortal || a.CodeMode != handoff.CodeLink || a.Android.Fingerprints[0] != strings.ToUpper(print32) {
		t.Errorf(`App("") = %+v, %t, want the first with defaults`, a, ok)
	}
	if a, ok := p.App("kiosk"); !ok || a.ID != "kiosk" {
		t.Errorf(`App("kiosk") = %+v, %t`, a, ok)
	}
	if a, ok := p.App("nope"); ok {
		t.Errorf(`App("nope") = %+v, want none`, a)
	}
	for route, want := range map[handoff.Route]bool{
		handoff.RouteQR: true, handoff.RoutePartner: true, handoff.RouteLink: true,
		handoff.RouteSMS: false, handoff.RouteEmail: false, handoff.RouteTyped: false, handoff.RouteLocal: false,
	} {
		if got := p.AllowsRoute(route); got != want {
			t.Errorf("AllowsRoute(%s) = %t, want %t", route, got, want)
		}
	}
}

// TestNewKeepsItsOwn: a directory must not change with the slices it came from.
func TestNewKeepsItsOwn(t *testing.T) {
	p := acme(partner.NewKey())
	d := directory(t, p)
	p.Origins[0], p.Apps[0].ID, p.Apps[0].Android.Fingerprints[0], p.KeyHashes[0] = "https://evil.example", "evil", "", handoff.Hash{}
	got, _ := d.ByID("acme")
	if got.AllowsOrigin("https://evil.example") || got.Apps[0].ID != "main" || got.Apps[0].Android.Fingerprints[0] == "" || got.KeyHashes[0].IsZero() {
		t.Errorf("a Directory changed with what it was made of: %+v", got)
	}
}

func TestNewFaults(t *testing.T) {
	key := partner.NewKey()
	tests := []struct {
		change func(p *partner.Partner)
		want   string
	}{
		{func(p *partner.Partner) { p.ID = "ACME" }, "a partner's id is 2 to 12"},
		{func(p *partner.Partner) { p.ID = "other" }, `partner "other": the id is taken`},
		{func(p *partner.Partner) { p.KeyHashes = []handoff.Hash{partner.HashKey(key)} }, "a key is also other's"},
		{func(p *partner.Partner) { p.Name = "" }, "a name is needed"},
		{func(p *partner.Partner) { p.Origins = []string{"https://*.acme.example"} }, `origin "https://*.acme.example"`},
		{func(p *partner.Partner) { p.ReturnURLs = []string{"//shop"} }, `return URL "//shop"`},
		{func(p *partner.Partner) { p.Confirmation = "perhaps" }, "is not a confirmation policy"},
		{func(p *partner.Partner) { p.Retain = -1 }, "a lifetime is negative"},
		{func(p *partner.Partner) { p.Brand.Color = "red" }, "a colour is"},
		{func(p *partner.Partner) { p.Links.Legal = "javascript:alert(1)" }, "an absolute https URL is needed"},
		{func(p *partner.Partner) { p.Routes = []handoff.Route{"fax"} }, "is not a route"},
		{func(p *partner.Partner) { p.Apps = nil }, "an app is needed"},
		{func(p *partner.Partner) { p.Apps[1].ID = "main" }, `app "main": the id is taken`},
		{func(p *partner.Partner) { p.Apps[0].CodeMode = handoff.CodeToken }, "only with confirmation: never"},
		{func(p *partner.Partner) { p.Apps[0].CodeMode = "morse" }, "code is link or token"},
		{func(p *partner.Partner) { p.Apps[0].Exchange = "both" }, "exchange is portal or app"},
		{func(p *partner.Partner) { p.Apps[0].Android.Fingerprints = nil }, "needs the fingerprint"},
		{func(p *partner.Partner) { p.Apps[0].Android.Package = "com.acme;end" }, "a package is"},
		{func(p *partner.Partner) { p.Apps[0].IOS.AppID = "x" }, "an app id is"},
		{func(p *partner.Partner) { p.Apps[0].Scheme = "https" }, "a scheme is"},
		{func(p *partner.Partner) { p.Apps[0].WebURL = "http://acme.example" }, "http is for 127.0.0.1"},
		{func(p *partner.Partner) { p.Apps[1].JourneyURL = "https://{connectToken}.example/" }, "scheme and host must be fixed"},
	}
	for _, test := range tests {
		other, p := acme(key), acme()
		other.ID = "other"
		test.change(&p)
		_, err := partner.New([]partner.Partner{other, p})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New error = %v, want one with %q", err, test.want)
		}
	}
}

func TestByKey(t *testing.T) {
	current, next, others := partner.NewKey(), partner.NewKey(), partner.NewKey()
	other := acme(others)
	other.ID = "other"
	d := directory(t, acme(current, next), other)
	for _, test := range []struct {
		name string
		key  handoff.Secret
		want handoff.PartnerID
	}{
		{"the current key", current, "acme"},
		{"the next key", next, "acme"},
		{"another partner's", others, "other"},
		{"an unknown key", partner.NewKey(), ""},
		{"nothing", "", ""},
		{"a key and more", current + "x", ""},
		{"less than a key", current[:len(current)-1], ""},
		{"a hash", handoff.Secret(partner.KeyHashText(current)), ""},
	} {
		p, ok := d.ByKey(test.key)
		if ok != (test.want != "") || (ok && p.ID != test.want) {
			t.Errorf("ByKey(%s) = %v, %t, want %q", test.name, p, ok, test.want)
		}
	}
	var ids []handoff.PartnerID
	for _, p := range d.All() {
		ids = append(ids, p.ID)
	}
	if !slices.Equal(ids, []handoff.PartnerID{"acme", "other"}) {
		t.Errorf("All = %v, want acme and other", ids)
	}
}

func TestNewKey(t *testing.T) {
	a, b := partner.NewKey().Reveal(), partner.NewKey().Reveal()
	if a == b || len(a) != len("hp_")+43 || !strings.HasPrefix(a, "hp_") {
		t.Errorf("NewKey has %d characters, twice the same: %t", len(a), a == b)
	}
	h, err := partner.ParseKeyHash(partner.KeyHashText(handoff.Secret(a)))
	if err != nil || h != partner.HashKey(handoff.Secret(a)) {
		t.Errorf("ParseKeyHash(KeyHashText(key)) = %v, not HashKey(key)", err)
	}
}

func TestAllowsOrigin(t *testing.T) {
	p, _ := directory(t, acme()).ByID("acme")
	for origin, want := range map[string]bool{
		"https://shop.acme.example":              true,
		"http://localhost:8081":                  true,
		"https://shop.acme.example/":             false,
		"https://shop.acme.example:443":          false,
		"https://SHOP.acme.example":              false,
		"http://shop.acme.example":               false,
		"https://shop.acme.example.evil.example": false,
		"https://evil.example":                   false,
		"http://localhost:8082":                  false,
		"null":                                   false,
		"":                                       false,
	} {
		if got := p.AllowsOrigin(origin); got != want {
			t.Errorf("AllowsOrigin(%q) = %t, want %t", origin, got, want)
		}
	}
}

func TestParseOrigin(t *testing.T) {
	for in, want := range map[string]string{
		"https://shop.example":          "https://shop.example",
		"https://shop.example/":         "https://shop.example",
		"HTTPS://Shop.Example:443":      "https://shop.example",
		"https://shop.example:8443":     "https://shop.example:8443",
		"http://localhost:80":           "http://localhost",
		"http://127.0.0.1:8080":         "http://127.0.0.1:8080",
		"http://[::1]:8080":             "http://[::1]:8080",
		"https://192.0.2.7":             "https://192.0.2.7",
		"https://xn--bcher-kva.example": "https://xn--bcher-kva.example",

		"":                              "",
		"null":                          "",
		"shop.example":                  "",
		"//shop.example":                "",
		"https:shop.example":            "",
		"https:///path":                 "",
		"https://":                      "",
		"https://shop.example/path":     "",
		"https://shop.example?":         "",
		"https://shop.example#":         "",
		"https://shop.example:":         "",
		"https://shop.example:0443":     "",
		"https://shop.example:99999999": "",
		"https://@shop.example":         "",
		"https://u:p@shop.example":      "",
		"https://*.example":             "",
		"https://bücher.example":        "",
		"https://shop.example.":         "",
		"https://-shop.example":         "",
		"https://shop..example":         "",
		"https://0x7f.1":                "",
		"https://2130706433":            "",
		"https://1.2.3":                 "",
		"http://shop.example":           "",
		"http://127.0.0.2":              "",
		"http://localhost.evil.example": "",
		"http://Shop.localhost:8081":    "http://shop.localhost:8081",
		"http://[::ffff:127.0.0.1]":     "",
		"https://[0:0::1]":              "",
		"https://shop.example\\evil":    "",
		"https://shop.example\n":        "",
		" https://shop.example":         "",
		"ftp://shop.example":            "",
		"javascript://shop.example":     "",
	} {
		got, err := partner.ParseOrigin(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ParseOrigin(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

// hostileReturnURLs are what open redirects are made of.
func hostileReturnURLs() []string {
	return []string{
		"",
		"done",
		"/done",
		"//shop.acme.example/done",
		"///shop.acme.example/done",
		"https:shop.acme.example/done",
		"https:/shop.acme.example/done",
		"https:///shop.acme.example/done",
		"http://shop.acme.example/done",
		"ftp://shop.acme.example/done",
		"javascript://shop.acme.example/done?%0aalert(1)",
		"data:text/html,https://shop.acme.example/done",
		"https://evil.example",
		"https://evil.example/done",
		"https://evil.example/https://shop.acme.example/done",
		"https://evil.example?https://shop.acme.example/done",
		"https://evil.example#https://shop.acme.example/done",
		"https://shop.acme.example@evil.example/done",
		"https://shop.acme.example:443@evil.example/done",
		"https://shop.acme.example%40evil.example/done",
		"https://u@shop.acme.example/done",
		"https://u:p@shop.acme.example/done",
		"https://@shop.acme.example/done",
		"https://shop.acme.example.evil.example/done",
		"https://shop.acme.example./done",
		"https://evil-shop.acme.example/done",
		"https://sub.shop.acme.example/done",
		"https://shop.acme.example:8443/done",
		"https://shop.acme.example:443x/done",
		"https://shop.acme.example:/done",
		"https://shop.acme.example/done/",
		"https://shop.acme.example//done",
		"https://shop.acme.example/DONE",
		"https://shop.acme.example/done/../admin",
		"https://shop.acme.example/x/../done",
		"https://shop.acme.example/./done",
		"https://shop.acme.example/done%2f..%2fadmin",
		"https://shop.acme.example/%64one",
		"https://shop.acme.example/done%00",
		"https://shop.acme.example/done;evil",
		"https://shop.acme.example/done#evil",
		"https://shop.acme.example/done?x=1#evil",
		"https://shop.acme.example/done#",
		"https://shop.acme.example\\@evil.example/done",
		"https://evil.example\\@shop.acme.example/done",
		"https:\\\\shop.acme.example\\done",
		"https://shop.acme.example\\done",
		"https://shop.acme.example/done?\\",
		"https://shop.acme.example/done\r\nLocation: https://evil.example",
		"https://shop.acme.example/done?x=\r\nSet-Cookie: a=b",
		"https://shop.acme.example/done?x=\ny",
		"https://shop.acme.example/done?x=\x00",
		"https://shop.acme.example/done?x=a b",
		"https://shop.acme.example/done?x=é",
		"https://shop.acme.example/done?x=\"><script>",
		"https://shop\t.acme.example/done",
		"\thttps://shop.acme.example/done",
		" https://shop.acme.example/done",
		"https://shop.acme.example/done ",
		"https://ſhop.acme.example/done",
		"https://shop.acme.example／done",
		"https://shop。acme.example/done",
		"https://[::1]@shop.acme.example/done",
		"https://shop.acme.example]/done",
		"blob:https://shop.acme.example/done",
		"view-source:https://shop.acme.example/done",
		"intent://shop.acme.example/done#Intent;scheme=https;end",
		"http://127.0.0.1:8081/back",
		"http://127.1:8081/back/",
		"http://0x7f000001:8081/back/",
		"http://localhost:8081/back/",
		"https://127.0.0.1:8081/back/",
		"https://shop.acme.example/done?" + strings.Repeat("x", partner.MaxURL),
	}
}

func TestAllowsReturnURL(t *testing.T) {
	p, _ := directory(t, acme()).ByID("acme")
	for _, raw := range []string{
		"https://shop.acme.example/done",
		"https://shop.acme.example/done?",
		"https://shop.acme.example/done?order=7",
		"https://shop.acme.example/done?order=7&next=https://evil.example/",
		"https://shop.acme.example/done?q=%20%0a?&=;,:@",
		"https://shop.acme.example",
		"https://shop.acme.example/",
		"https://shop.acme.example?order=7",
		"https://shop.acme.example:443/done",
		"https://SHOP.acme.example/done",
		"http://127.0.0.1:8081/back/?order=7",
	} {
		if !p.AllowsReturnURL(raw) {
			t.Errorf("AllowsReturnURL(%q) = false, want true", raw)
		}
	}
	for _, raw := range hostileReturnURLs() {
		if p.AllowsReturnURL(raw) {
			t.Errorf("AllowsReturnURL(%q) = true, want false", raw)
		}
	}
}

// FuzzAllowsReturnURL: whatever is allowed leads to a registered host, read as Go
// reads it and as a browser does, which drops tabs and line ends and takes a
// backslash for a slash (WHATWG URL).
func FuzzAllowsReturnURL(f *testing.F) {
	for _, raw := range hostileReturnURLs() {
		f.Add(raw)
	}
	f.Add("https://shop.acme.example/done?order=7")
	p, _ := directory(f, acme()).ByID("acme")
	f.Fuzz(func(t *testing.T, raw string) {
		if !p.AllowsReturnURL(raw) {
			return
		}
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatalf("AllowsReturnURL(%q) allows what is no URL: %v", raw, err)
		}
		browser := strings.NewReplacer("\t", "", "\n", "", "\r", "", "\\", "/").Replace(strings.TrimSpace(raw))
		scheme, rest, _ := strings.Cut(browser, ":")
		authority := strings.TrimLeft(rest, "/")
		if i := strings.IndexAny(authority, "/?#"); i >= 0 {
			authority = authority[:i]
		}
		authority = strings.ToLower(strings.TrimSuffix(authority[strings.LastIndexByte(authority, '@')+1:], ":443"))
		for _, got := range []string{
			strings.ToLower(scheme) + "://" + authority,
			u.Scheme + "://" + strings.ToLower(strings.TrimSuffix(u.Host, ":443")),
		} {
			if got != "https://shop.acme.example" && got != "http://127.0.0.1:8081" {
				t.Errorf("AllowsReturnURL(%q) leads to %q", raw, got)
			}
		}
		if u.Fragment != "" || u.User != nil || strings.ContainsAny(raw, "\r\n\t #\\") {
			t.Errorf("AllowsReturnURL(%q) allows more than origin, path and query", raw)
		}
	})
}

// FuzzParseOrigin: an origin is its own only form, and never http to the world.
func FuzzParseOrigin(f *testing.F) {
	f.Add("https://Shop.example:443/")
	f.Add("http://[::1]:8080")
	f.Fuzz(func(t *testing.T, raw string) {
		origin, err := partner.ParseOrigin(raw)
		if err != nil {
			return
		}
		if again, err := partner.ParseOrigin(origin); err != nil || again != origin {
			t.Errorf("ParseOrigin(ParseOrigin(%q)) = %q, %v, want %q", raw, again, err, origin)
		}
		u, err := url.Parse(origin)
		if err != nil || u.Path != "" || u.RawQuery != "" || u.User != nil {
			t.Fatalf("ParseOrigin(%q) = %q, which is more than an origin", raw, origin)
		}
		if u.Scheme == "http" {
			if addr, err := netip.ParseAddr(u.Hostname()); u.Hostname() != "localhost" && !strings.HasSuffix(u.Hostname(), ".localhost") && (err != nil || !addr.IsLoopback()) {
				t.Errorf("ParseOrigin(%q) = %q, plain http beyond loopback", raw, origin)
			}
		}
	})
}

func TestCheckJourneyURL(t *testing.T) {
	for in, want := range map[string]bool{
		"https://app.acme.example/j?i={instanceId}&t={connectToken}": true,
		"https://app.acme.example/j#t={connectToken}":                true,
		"com.acme.app://journey/{instanceId}":                        true,
		"com.acme.app:/journey/{instanceId}":                         true,
		"http://app.acme.example/{instanceId}":                       false,
		"https://{instanceId}.acme.example/":                         false,
		"https://u@app.acme.example/":                                false,
		"com.{instanceId}:/x":                                        false,
		"{connectToken}":                                             false,
		"javascript:alert('{connectToken}')":                         false,
		"https://app.acme.example/{other}":                           false,
		"https://app.acme.example/{instanceId":                       false,
		"https://app.acme.example/instanceId}":                       false,
		"/relative/{instanceId}":                                     false,
		"https://app.acme.example/a b":                               false,
	} {
		if err := partner.CheckJourneyURL(in); (err == nil) != want {
			t.Errorf("CheckJourneyURL(%q) = %v, want good: %t", in, err, want)
		}
	}
}

func TestJourneyLink(t *testing.T) {
	p, _ := directory(t, acme()).ByID("acme")
	a, _ := p.App("kiosk")
	if got, want := a.JourneyLink("Pi12", "to/ken&x").Reveal(), "com.acme.kiosk://go/Pi12?t=to%2Fken%26x"; got != want {
		t.Errorf("JourneyLink = %q, want %q", got, want)
	}
	first, _ := p.App("main")
	if got := first.JourneyLink("Pi12", "token"); got != "" {
		t.Errorf("JourneyLink without a template = %q, want nothing", got.Reveal())
	}
}

func TestContrast(t *testing.T) {
	// The figures of WCAG's own definition: black on white is 21, and #767676 the
	// lightest grey that passes on white.
	for _, test := range []struct {
		a, b     string
		min, max float64
	}{
		{"#000000", "#ffffff", 21, 21},
		{"#ffffff", "#ffffff", 1, 1},
		{"#767676", "#ffffff", 4.5, 4.6},
		{"#777777", "#ffffff", 4.4, 4.499},
		{"#0b5fff", "#ffffff", 4.9, 5.3},
	} {
		if got := partner.Contrast(test.a, test.b); got < test.min || got > test.max || got != partner.Contrast(test.b, test.a) {
			t.Errorf("Contrast(%s, %s) = %v, want %v to %v, either way round", test.a, test.b, got, test.min, test.max)
		}
	}
}

// TestNearest: what is named instead of a colour reads everywhere, by a hair; a shade
// nearer to the one asked for does not, and a colour that reads stays.
func TestNearest(t *testing.T) {
	for _, test := range []struct {
		ground      partner.Ground
		color, want string
	}{
		{partner.Light(), "#ff6600", "#bd4900"}, // still an orange
		{partner.Light(), "#00a1e0", "#0375a4"},
		{partner.Light(), "#777777", "#6e6e6e"},
		{partner.Light(), "#ffffff", "#6e6e6e"},
		{partner.Light(), "#0b5fff", "#0b5fff"},
		{partner.Light(), "#000000", "#000000"},
		{partner.Dark(), "#0b5fff", "#4987ff"},
		{partner.Dark(), "#7a1fa2", "#bb66e7"},
		{partner.Dark(), "#000000", "#8b8b8b"},
		{partner.Dark(), "#8ab4ff", "#8ab4ff"},
	} {
		got := test.ground.Nearest(test.color)
		if got != test.want || test.ground.Worst(got) < partner.LeastContrast {
			t.Errorf("Nearest(%s) on %s = %s with contrast %.2f, want %s", test.color, test.ground.Card, got, test.ground.Worst(got), test.want)
		}
		if got != test.color && test.ground.Worst(got) > partner.LeastContrast+0.1 {
			t.Errorf("Nearest(%s) on %s = %s has contrast %.2f: a nearer one would do", test.color, test.ground.Card, got, test.ground.Worst(got))
		}
	}
}

// TestEveryColor: there is a colour near to each that reads, with an ink that reads on
// it, pressed too.
func TestEveryColor(t *testing.T) {
	for r := 0; r < 256; r += 51 {
		for g := 0; g < 256; g += 51 {
			for b := 0; b < 256; b += 51 {
				c := fmt.Sprintf("#%02x%02x%02x", r, g, b)
				for _, ground := range []partner.Ground{partner.Light(), partner.Dark()} {
					near := ground.Nearest(c)
					if got := ground.Worst(near); got < partner.LeastContrast {
						t.Fatalf("Nearest(%s) on %s = %s, whose contrast is %.2f", c, ground.Card, near, got)
					}
					if got := partner.Contrast(near, partner.Ink(near)); got < partner.LeastContrast {
						t.Fatalf("the ink on %s is %s, contrast %.2f", near, partner.Ink(near), got)
					}
				}
			}
		}
	}
}

func TestCheckWebhookURL(t *testing.T) {
	for in, want := range map[string][2]bool{ // for the world, and internally
		"https://api.acme.example/hooks":   {true, true},
		"https://api.acme.example:8443/h?": {true, true},
		"http://api.acme.example/hooks":    {false, true},
		"http://10.0.0.7:8080/hooks":       {false, true},
		"https://10.0.0.7/hooks":           {false, true},
		"https://[fd00::1]/hooks":          {false, true},
		"https://localhost/hooks":          {false, true},
		"https://2130706433/hooks":         {false, true},
		"https://u:p@api.acme.example/":    {false, false},
		"ftp://api.acme.example/":          {false, false},
		"/hooks":                           {false, false},
		"https://api.acme.example/\n":      {false, false},
	} {
		for i, internal := range []bool{false, true} {
			if err := partner.CheckWebhookURL(in, internal); (err == nil) != want[i] {
				t.Errorf("CheckWebhookURL(%q, %t) = %v, want good: %t", in, internal, err, want[i])
			}
		}
	}
}
