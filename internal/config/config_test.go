package config_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/config"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
)

// key is 32 bytes that are not all alike, in base64.
func key(first byte) string {
	b := []byte(strings.Repeat("x", 32))
	b[0] = first
	return base64.StdEncoding.EncodeToString(b)
}

func env() map[string]string {
	return map[string]string{
		"HANDOFF_KEY": key('n'), "HANDOFF_KEY_OLD": key('o'),
		"SMS_ACCOUNT": "AC1", "SMS_TOKEN": "sms-token", "SMTP_USER": "smtp-user", "SMTP_PASSWORD": "smtp-password",
		"COLLECTOR_LOGIN": "collector-login",
		"GBG_CLIENT_ID":   "gbg-id", "GBG_CLIENT_SECRET": "gbg-secret",
		"GLOBEX_USER": "globex-user", "GLOBEX_PASSWORD": "globex-password",
		"ACME_HOOK": "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("h", 24))),
		"SHORT":     base64.StdEncoding.EncodeToString([]byte("short")),
		"WEAK":      base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"WORDS":     "not a key at all!",
	}
}

func getenv(name string) string { return env()[name] }

func TestLoadFull(t *testing.T) {
	c, err := config.Load("testdata/full.yaml", getenv)
	if err != nil {
		t.Fatalf("Load(full.yaml):\n%v", err)
	}
	hash := func(s string) handoff.Hash {
		h, err := partner.ParseKeyHash("sha256:" + s)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	logo, err := os.ReadFile("testdata/acme.svg")
	if err != nil {
		t.Fatal(err)
	}
	prefix := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	if got := c.Where("partners[1].platform.client_secret"); !strings.HasPrefix(got, "full.yaml:") || c.Lines["partners[1].platform.client_secret"] == 0 {
		t.Errorf("Where(a secret of the second partner) = %q, want its line", got)
	}
	if got, want := c.Where("partners[0].apps[7].ios"), fmt.Sprintf("full.yaml:%d: partners[0].apps[7].ios", c.Lines["partners[0].apps"]); got != want {
		t.Errorf("Where(what is not there) = %q, want %q: the line of what would hold it", got, want)
	}
	c.Lines = nil
	want := &config.Config{
		File: "full.yaml", PlatformAt: []string{"partners[0].platform", "partners[1].platform"},
		PublicURL: "https://go.example.com", LinkURL: "https://link.example.com",
		Listen: "127.0.0.1:8181", InternalListen: "127.0.0.1:9191",
		TrustedProxies: prefix("10.0.0.0/8"),
		CountryHeader:  "CF-IPCountry",
		ServerKeys:     []handoff.Secret{handoff.Secret(key('n')), handoff.Secret(key('o'))},
		Store:          config.Store{Kind: config.StoreFile, Path: filepath.Join("testdata", "data", "handoff.db")},
		Frames:         7 * time.Second,
		EgressAllow:    prefix("192.168.7.0/24"),
		Limits: config.Limits{
			CreatesPerPartner: config.Rate{Count: 51, Per: time.Second},
			ClaimsPerNetwork:  config.Rate{Count: 301, Per: time.Minute},
			PagesPerNetwork:   config.Rate{Count: 1201, Per: time.Minute},
			UnknownPerNetwork: config.Rate{Count: 1001, Per: time.Hour},
			StreamsPerHandoff: 6, StreamsPerNetwork: 501, Streams: 50001,
		},
		SMS:  &config.SMS{Provider: "twilio", URL: "https://api.twilio.example", Account: "AC1", Token: "sms-token", From: "+447000000000"},
		Mail: &config.Mail{SMTP: "smtp.example.com:587", Username: "smtp-user", Password: "smtp-password", From: "Acme <no-reply@acme.example>"},
		Traces: &config.Traces{
			URL: "http://127.0.0.1:4318/v1/traces", Headers: map[string]handoff.Secret{"Authorization": "collector-login"}, Share: 0.25, FromProxies: true,
		},
		Platforms: []config.Platform{
			{
				Version: config.V2, APIURL: "https://eu.platform.go.gbgplc.com/v2/captain", TokenURL: "https://api.auth.gbgplc.com/as/token.oauth2",
				Grant: config.GrantClientCredentials, Scope: "gbg.token", ClientID: "gbg-id", ClientSecret: "gbg-secret",
			},
			{
				Version: config.V1, APIURL: "https://us.platform.go.gbgplc.com/captain/api", TokenURL: "https://api.auth.gbgplc.com/as/token.oauth2",
				Grant: config.GrantPassword, Scope: "gbg.token", ClientID: "globex-client", ClientSecret: "gbg-secret",
				Username: "globex-user", Password: "globex-password",
			},
		},
		PlatformOf: map[handoff.PartnerID]int{"acme": 0, "globex": 1},
		Partners: []partner.Partner{
			{
				ID: "acme", Name: "Acme Bank",
				KeyHashes: []handoff.Hash{
					hash("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"),
					hash("fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9"),
				},
				Origins: []string{"https://shop.acme.example"}, ReturnURLs: []string{"https://shop.acme.example/done"},
				Confirmation: handoff.ConfirmNever, CompleteWithin: 2 * time.Hour, Retain: 14 * 24 * time.Hour,
				Brand: partner.Brand{Color: "#0b5fff", ColorDark: "#8ab4ff", Logo: bytes.TrimSpace(logo), LogoType: "image/svg+xml"},
				Links: partner.Links{Support: "https://acme.example/help", Privacy: "https://acme.example/privacy", Legal: "https://acme.example/legal"},
				Texts: map[string]map[string]string{
					"display.waiting.heading": {"en": "Carry on with your phone", "pt-BR": "Continue no celular"},
				},
				Routes: []handoff.Route{handoff.RouteLink, handoff.RouteSMS, handoff.RouteEmail, handoff.RouteTyped, handoff.RouteLocal},
				Apps: []partner.App{
					{
						ID: "main", Name: "Acme", Exchange: handoff.ExchangePortal, CodeMode: handoff.CodeLink,
						IOS: partner.IOS{AppID: "ABCDE12345.com.acme.app", Clip: "ABCDE12345.com.acme.app.Clip", StoreURL: "https://apps.apple.com/app/id1"},
						Android: partner.Android{
							Package:      "com.acme.app",
							Fingerprints: []string{"14:6D:E9:83:C5:73:06:50:D8:EE:B9:95:2F:34:FC:64:16:A0:83:42:E6:1D:BE:A8:8A:04:96:B2:3F:CF:44:E5"},
							StoreURL:     "https://play.google.com/store/apps/details?id=com.acme.app",
						},
						Scheme: "com.acme.app", WebURL: "https://app.acme.example/handoff",
					},
					{
						ID: "scan", Name: "Acme Scanner", Exchange: handoff.ExchangeApp, CodeMode: handoff.CodeToken,
						JourneyURL: "https://app.acme.example/j?i={instanceId}&t={connectToken}", Scheme: "com.acme.scan",
					},
				},
				Webhooks: []partner.Webhook{{URL: "https://api.acme.example/hooks", Secrets: []handoff.Secret{handoff.Secret(getenv("ACME_HOOK"))}}},
			},
			{
				ID: "globex", Name: "Globex", KeyHashes: []handoff.Hash{{31: 1}},
				Confirmation: handoff.ConfirmAuto, CompleteWithin: time.Hour, Retain: 7 * 24 * time.Hour,
				Routes: []handoff.Route{handoff.RouteLink, handoff.RouteTyped, handoff.RouteLocal, handoff.RouteSMS, handoff.RouteEmail},
				Apps: []partner.App{{
					ID: "main", Name: "Globex", Exchange: handoff.ExchangePortal, CodeMode: handoff.CodeLink, WebURL: "http://localhost:8083/app",
				}},
			},
		},
	}
	if diff := cmp.Diff(want, c, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("Load(full.yaml) (-want +got):\n%s", diff)
	}
	if _, err := partner.New(c.Partners); err != nil {
		t.Errorf("partner.New(full.yaml's) = %v", err)
	}
}

func TestRateString(t *testing.T) {
	for want, rate := range map[string]config.Rate{"50/s": {Count: 50, Per: time.Second}, "300/m": {Count: 300, Per: time.Minute}, "7/h": {Count: 7, Per: time.Hour}} {
		if got := rate.String(); got != want {
			t.Errorf("String of %d in %s = %q, want %q", rate.Count, rate.Per, got, want)
		}
	}
}

// TestSecretsStayShut: settings are printed in panics and by careless people.
func TestSecretsStayShut(t *testing.T) {
	c, err := config.Load("testdata/full.yaml", getenv)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %+v %+v %+v", c, *c, *c, *c.SMS, *c.Mail, *c.Traces)
	for name, value := range env() {
		if len(value) > 3 && strings.Contains(printed, value) {
			t.Errorf("printing the settings shows %s", name)
		}
	}
}
