package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/config"
)

// base is the least that loads; with noProxies, without a word.
const base = `public_url: https://go.example.com
link_url: https://link.example.com
server_keys: [env:HANDOFF_KEY]
platform: {api_url: https://eu.example.com/v2/captain, client_id: env:GBG_CLIENT_ID, client_secret: env:GBG_CLIENT_SECRET}
partners:
  - id: acme
    name: Acme Bank
    keys: ["sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"]
    apps:
      - id: main
        name: Acme
        web_url: https://app.acme.example/handoff
`

// noProxies says that nothing stands before the portal.
const noProxies = "trusted_proxies: []\n"

const print32 = "14:6D:E9:83:C5:73:06:50:D8:EE:B9:95:2F:34:FC:64:16:A0:83:42:E6:1D:BE:A8:8A:04:96:B2:3F:CF:44:E5"

// edit is a line of base, by what it begins with, and what stands there instead.
// An empty old appends.
type edit struct{ old, new string }

func apply(t *testing.T, edits ...edit) string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(base, "\n"), "\n")
	for _, e := range edits {
		if e.old == "" {
			lines = append(lines, e.new)
			continue
		}
		found := false
		for i, line := range lines {
			if !found && strings.HasPrefix(strings.TrimLeft(line, " -"), e.old) {
				lines[i], found = e.new, true
			}
		}
		if !found {
			t.Fatalf("no line of base begins with %q", e.old)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestFaults(t *testing.T) {
	const (
		name = "    name: Acme Bank"
		web  = "        web_url: https://app.acme.example/handoff"
		keys = `    keys: ["sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"]`
	)
	tests := []struct {
		edits []edit
		want  string // "line:column: path: message", one a line; remedies are not compared
	}{
		// The file as a whole.
		{[]edit{{"public_url", "public_url: [unclosed"}}, "2:1: ',' or ']' must be specified"},
		{[]edit{{"public_url", "public_url: https://go.example.com\ncolour: red"}}, `2:1: "colour" is not a setting`},
		{[]edit{{"link_url", "link_url: https://link.example.com\nlink_url: https://other.example.com"}}, `3:1: "link_url" is there twice`},
		{[]edit{{"", "---\nmore: of it"}}, "1:1: there are 2 documents in the file"},

		// Hosts.
		{[]edit{{"public_url", "listen: :8080"}}, "1:1: public_url: this is missing"},
		{[]edit{{"public_url", "public_url: http://go.example.com"}}, "1:13: public_url: http is for 127.0.0.1, localhost and [::1] only; use https"},
		{[]edit{{"public_url", "public_url: https://go.example.com/portal"}}, "1:13: public_url: an origin has neither path nor query"},
		{[]edit{{"public_url", "public_url: go.example.com"}}, "1:13: public_url: an absolute https URL is needed"},
		{[]edit{{"public_url", "public_url: 17"}}, "1:13: public_url: a text is needed here"},
		{[]edit{{"link_url", "link_url: http://10.0.0.1"}}, "2:11: link_url: http is for 127.0.0.1, localhost and [::1] only; use https"},
		{[]edit{{"", "listen: eighty"}}, `13:9: listen: "eighty" is no address to listen on`},
		{[]edit{{"", "internal_listen: 127.0.0.1:99999"}}, `13:18: internal_listen: "127.0.0.1:99999" is no address to listen on`},
		{[]edit{{"", "internal_listen: 127.0.0.1:8080"}}, "13:18: internal_listen: the internal listener has the address of the public one"},
		{[]edit{{"", "trusted_proxies: [10.0.0.0/8, proxy, 10.1.2.3/8]"}}, "13:31: trusted_proxies[1]: \"proxy\" is no range of addresses\n" +
			"13:38: trusted_proxies[2]: 10.1.2.3/8 has bits beyond its length; 10.0.0.0/8 is meant, perhaps"},
		{[]edit{{"", "trusted_proxies: 10.0.0.0/8"}}, "13:18: trusted_proxies: a list is needed here"},
		{[]edit{{"", "country_header: CF-IPCountry"}}, "13:17: country_header: whoever asks could write a country of their own"},
		{[]edit{{"", "trusted_proxies: [10.0.0.0/8]\ncountry_header: \"CF IPCountry\""}}, "14:17: country_header: \"CF IPCountry\" is not the name of a header"},
		{[]edit{{"", "trusted_proxies: [0.0.0.0/0]"}}, "13:19: trusted_proxies[0]: 0.0.0.0/0 would let anybody write their own address"},
		{
			[]edit{{"name: Acme Bank", name + "\n    webhooks: [{url: 'http://127.0.0.1:8090/hooks', secrets: [env:ACME_HOOK]}]"}, {"", "egress_allow: [10.0.0.0/8]"}},
			"8:22: partners[0].webhooks[0].url: this address is in no range of egress_allow",
		},
		{[]edit{{"", "egress_allow: [10.0.0.0/33]"}}, `13:16: egress_allow[0]: "10.0.0.0/33" is no range of addresses`},

		// Traces.
		{[]edit{{"", "traces: {}"}}, "13:9: traces.url: this is missing"},
		{[]edit{{"", "traces: {url: \"collector:4317\"}"}}, "13:15: traces.url: an http or https address is needed, without a query or a login"},
		{[]edit{{"", "traces: {url: \"http://me:secret@collector:4318/v1/traces\"}"}}, "13:15: traces.url: an http or https address is needed, without a query or a login"},
		{[]edit{{"", "traces: {url: \"http://collector:4318\"}"}}, "13:15: traces.url: the address has no path; collectors usually take traces at /v1/traces"},
		{[]edit{{"", "traces: {url: \"http://collector:4318/v1/traces\", share: 10%}"}}, `13:57: traces.share: "10%" is no such number`},
		{[]edit{{"", "traces: {url: \"http://collector:4318/v1/traces\", share: 1.5}"}}, `13:57: traces.share: "1.5" is no such number`},
		{[]edit{{"", "traces: {url: \"http://collector:4318/v1/traces\", headers: {api-key: WORDS}}"}}, "13:69: traces.headers.api-key: a secret may not stand here itself"},
		{[]edit{{"", "traces: {url: \"http://collector:4318/v1/traces\", headers: {\"api key\": env:WORDS}}"}}, "13:71: traces.headers.api key: \"api key\" is not the name of a header"},
		{[]edit{{"", "traces: {url: \"http://collector:4318/v1/traces\", from_proxies: true}"}}, "13:9: traces: whoever asks could write a trace of their own"},
		{[]edit{{"", "traces: {url: \"http://collector:4318/v1/traces\", from_proxies: perhaps}"}}, `13:64: traces.from_proxies: "perhaps" is neither`},

		// Secrets.
		{[]edit{{"server_keys", ""}}, "1:1: server_keys: this is missing"},
		{[]edit{{"server_keys", "server_keys: []"}}, "3:14: server_keys: there is no server key"},
		{[]edit{{"server_keys", "server_keys: [env:NOT_SET]"}}, "3:15: server_keys[0]: the variable NOT_SET is not set, or empty"},
		{[]edit{{"server_keys", "server_keys: [hunter2]"}}, "3:15: server_keys[0]: a secret may not stand here itself"},
		{[]edit{{"server_keys", "server_keys: [env:SHORT]"}}, "3:15: server_keys[0]: the key has 5 bytes, and 32 are needed"},
		{[]edit{{"server_keys", "server_keys: [env:WEAK]"}}, "3:15: server_keys[0]: the key is one byte over and over"},
		{[]edit{{"server_keys", "server_keys: [env:WORDS]"}}, "3:15: server_keys[0]: the key is not base64"},
		{[]edit{{"server_keys", "server_keys: [env:HANDOFF_KEY, env:HANDOFF_KEY]"}}, "3:32: server_keys[1]: this key is there twice"},
		{[]edit{{"server_keys", "server_keys: [file:no/such]"}}, "3:15: server_keys[0]: the file no/such cannot be read"},
		{[]edit{{"server_keys", "server_keys: [file:empty]"}}, "3:15: server_keys[0]: the file empty is empty"},
		{[]edit{{"server_keys", "server_keys: [\"env:NAME WITH SPACE\"]"}}, "3:15: server_keys[0]: a secret may not stand here itself"},

		// Store, frames, limits.
		{[]edit{{"", "store: redis://"}}, "13:8: store: a host is missing or malformed"},
		{[]edit{{"", "store: redis:6379"}}, "13:8: store: this names no store"},
		{[]edit{{"", "store: redis://u:hunter2@127.0.0.1"}}, "13:8: store: a password may not stand here"},
		{[]edit{{"", "store: redis://:hunter2@127.0.0.1"}}, "13:8: store: a password may not stand here"},
		{[]edit{{"", "store: redis://portal@127.0.0.1"}}, "13:8: store: there is a user and no password"},
		{[]edit{{"", "store: redis://a:b:c"}}, "13:8: store: a host is malformed; put an IPv6 address in brackets"},
		{[]edit{{"", "store: redis://a:0"}}, "13:8: store: a host is missing or malformed"},
		{[]edit{{"", "store: redis://a/main"}}, `13:8: store: "main" is no number of a database`},
		{[]edit{{"", "store: redis://a,b/1"}}, "13:8: store: a Cluster has no database but 0"},
		{[]edit{{"", "store: redis://a?tls=yes"}}, `13:8: store: after the ? there may be cluster=yes, or tls=yes with sentinels, and not "tls"`},
		{[]edit{{"", "store: redis+sentinel://a,b"}}, "13:8: store: the name of the master is missing, as in redis+sentinel://host:26379/mymaster"},
		{[]edit{{"", "store: redis://a"}, {"", "redis: {password: hunter2}"}}, "14:19: redis.password: a secret may not stand here itself"},
		{[]edit{{"", "store: redis://a"}, {"", "redis: {sentinel_username: w}"}}, "14:28: redis.sentinel_username: there are no sentinels"},
		{[]edit{{"", "store: rediss://a"}, {"", "redis: {ca: file:none.pem}"}}, "14:13: redis.ca: the file none.pem cannot be read"},
		{[]edit{{"", "redis: {password: env:HANDOFF_KEY}"}}, "13:8: redis: the store is not in Redis"},
		{
			[]edit{{"", "store: redis://host:99999\nredis: {password: hunter2, sentinel_username: watch}"}},
			"13:8: store: a host is missing or malformed\n14:19: redis.password: a secret may not stand here itself",
		},
		{[]edit{{"", "store: postgres://user:hunter2@db"}}, "13:8: store: this names no store"},
		{[]edit{{"", "frames: 500ms"}}, "13:9: frames: 500ms is out of bounds"},
		{[]edit{{"", "frames: 21s"}}, "13:9: frames: 21s is out of bounds"},
		{[]edit{{"", "frames: 5"}}, `13:9: frames: "5" is no length of time`},
		{[]edit{{"", "limits: {creates_per_partner: 50}"}}, `13:31: limits.creates_per_partner: "50" is no rate`},
		{[]edit{{"", "limits: {pages_per_network: 0/s}"}}, `13:29: limits.pages_per_network: "0/s" is no rate`},
		{[]edit{{"", "limits: {claims_per_network: 5/d}"}}, `13:30: limits.claims_per_network: "5/d" is no rate`},
		{[]edit{{"", "limits: {streams: many}"}}, `13:19: limits.streams: "many" is no such number`},
		{[]edit{{"", "limits: {streams: -1}"}}, `13:19: limits.streams: "-1" is no such number`},
		{[]edit{{"", "limits: none"}}, "13:9: limits: a mapping is needed here"},

		// Messages.
		{[]edit{{"", `sms: {provider: pigeon, account: env:SMS_ACCOUNT, token: env:SMS_TOKEN, from: "+44"}`}}, `13:17: sms.provider: "pigeon" is not possible here`},
		{[]edit{{"", `sms: {account: env:SMS_ACCOUNT, token: hunter2}`}}, "13:6: sms.from: this is missing\n13:40: sms.token: a secret may not stand here itself"},
		{[]edit{{"", `sms: {url: "http://sms.example", account: env:SMS_ACCOUNT, token: env:SMS_TOKEN, from: x}`}}, "13:12: sms.url: http is for 127.0.0.1, localhost and [::1] only; use https"},
		{[]edit{{"", `mail: {smtp: smtp.example.com, from: a@b.example}`}}, `13:14: mail.smtp: "smtp.example.com" is no host and port`},
		{[]edit{{"", `mail: {smtp: "smtp.example.com:25", from: nobody}`}}, "13:43: mail.from: this is no e-mail address"},
		{[]edit{{"", `mail: {smtp: "smtp.example.com:25", from: a@b.example, username: env:SMTP_USER}`}}, "13:7: mail: username and password belong together"},

		// The platform.
		{[]edit{{"platform", "platform: {api_url: https://eu.example.com/v2/captain}"}}, "4:11: platform.client_id: this is missing\n4:11: platform.client_secret: this is missing"},
		{[]edit{{"platform", "platform: {client_id: env:GBG_CLIENT_ID, client_secret: env:GBG_CLIENT_SECRET}"}}, "4:11: platform.api_url: this is missing"},
		{[]edit{{"platform", "platform: {version: v3, api_url: http://eu.example.com, client_id: me, client_secret: env:GBG_CLIENT_SECRET}"}}, "4:21: platform.version: \"v3\" is not possible here\n" +
			"4:34: platform.api_url: http is for 127.0.0.1, localhost and [::1] only; use https\n4:68: platform.client_id: a secret may not stand here itself"},
		{[]edit{{"platform", "platform: {api_url: https://eu.example.com/v2, grant: password, client_id: env:GBG_CLIENT_ID, client_secret: env:GBG_CLIENT_SECRET}"}}, "4:11: platform.password: this is missing\n4:11: platform.username: this is missing"},
		{[]edit{{"platform", "platform: {api_url: https://eu.example.com/v2, username: env:SMTP_USER, client_id: env:GBG_CLIENT_ID, client_secret: env:GBG_CLIENT_SECRET}"}}, "4:58: platform.username: client_credentials takes no username"},
		{[]edit{{"platform", ""}}, "6:5: partners[0]: this partner has no platform"},
		{[]edit{{"platform", "platform: {api_url: \"http://127.0.0.1:8082/v2/captain\", client_id: env:GBG_CLIENT_ID, client_secret: env:GBG_CLIENT_SECRET}"}}, "4:11: platform: the platform is the stand-in on this machine, and public_url is not"},
		{[]edit{{"platform", "platform: {api_url: https://eu.example.com/v2, token_url: \"http://localhost:8082/as\", client_id: env:GBG_CLIENT_ID, client_secret: env:GBG_CLIENT_SECRET}"}}, "4:11: platform: the platform is the stand-in on this machine, and public_url is not"},
		{[]edit{{"name: Acme Bank", name + "\n    platform: *eu"}}, `8:15: partners[0].platform: there is no anchor "eu"`},

		// Partners.
		{[]edit{{"id: acme", "  - id: Acme"}}, "6:9: partners[0].id: a partner's id is 2 to 12 of a-z 0-9 -"},
		{[]edit{{"id: acme", "  - id: a"}}, "6:9: partners[0].id: a partner's id is 2 to 12 of a-z 0-9 -"},
		{[]edit{{"name: Acme Bank", "    name: ''"}}, "7:11: partners[0].name: this is empty"},
		{[]edit{{"keys", ""}}, "6:5: partners[0].keys: this is missing"},
		{[]edit{{"keys", "    keys: []"}}, "8:11: partners[0].keys: there is no key"},
		{[]edit{{"keys", "    keys: [hp_hunter2]"}}, "8:12: partners[0].keys[0]: a key is kept as sha256: and 64 hex digits, the hash of its text"},
		{[]edit{{"keys", keys}, {"", "  - id: acme\n    name: Other\n" + keys + "\n    apps: [{id: main, name: Other, scheme: com.other}]"}}, "13:9: partners[1].id: \"acme\" is another partner's id\n15:12: partners[1].keys[0]: this key is also at partners[0].keys[0]"},
		{[]edit{{"name: Acme Bank", name + "\n    origins: [https://shop.acme.example/path, http://shop.acme.example, 'https://*.acme.example', https://a.example, https://A.example:443]"}}, "8:15: partners[0].origins[0]: an origin has neither path nor query\n" +
			"8:47: partners[0].origins[1]: http is for 127.0.0.1, localhost and [::1] only; use https\n8:73: partners[0].origins[2]: the host is no DNS name; write international names in punycode\n" +
			"8:118: partners[0].origins[4]: this is there twice"},
		{[]edit{{"name: Acme Bank", name + "\n    return_urls: [https://shop.acme.example/done?x=1, https://u@shop.acme.example/done, https://shop.acme.example/a/../b]"}}, "8:19: partners[0].return_urls[0]: a return URL is registered without a query\n" +
			"8:55: partners[0].return_urls[1]: user information does not belong here\n8:89: partners[0].return_urls[2]: the path has empty or dot segments"},
		{[]edit{{"name: Acme Bank", name + "\n    confirmation: sometimes\n    complete_within: 25h\n    retain: 1w"}}, "8:19: partners[0].confirmation: \"sometimes\" is not possible here\n9:22: partners[0].complete_within: 25h is out of bounds\n10:13: partners[0].retain: \"1w\" is no length of time"},
		{[]edit{{"name: Acme Bank", name + "\n    brand: {color: \"#8ab4ff\", color_dark: \"#222222\"}"}}, "8:20: partners[0].brand.color: on light pages the contrast of #8ab4ff is down to 1.93, and text needs 4.5; the nearest that has it is \"#486eb3\"\n" +
			"8:43: partners[0].brand.color_dark: on dark pages the contrast of #222222 is down to 1.08, and text needs 4.5; the nearest that has it is \"#8b8b8b\""},
		{[]edit{{"name: Acme Bank", name + "\n    brand: {color_dark: \"#8ab4ff\"}"}}, "8:25: partners[0].brand.color_dark: a dark colour needs a light one"},
		{[]edit{{"name: Acme Bank", name + "\n    brand: {logo: file:hostile.svg}"}}, "8:19: partners[0].brand.logo: hostile.svg: line 3: <script> is not allowed: a logo draws, and does not run, load, animate or contain anything"},
		{[]edit{{"name: Acme Bank", name + "\n    brand: {logo: file:handoff.yaml}"}}, "8:19: partners[0].brand.logo: handoff.yaml: line 1: there is text outside of <svg>"},
		{[]edit{{"", "    webhooks: [" + strings.Repeat("{url: https://a.example/h, secrets: [env:ACME_HOOK]}, ", 2) + "]"}}, "13:70: partners[0].webhooks[1]: this address is there twice"},
		{[]edit{{"name: Acme Bank", name + "\n    brand: {color: blue, color_dark: \"#12345\", logo: acme.svg}"}}, "8:20: partners[0].brand.color: a colour is # and six hex digits\n8:38: partners[0].brand.color_dark: a colour is # and six hex digits\n8:54: partners[0].brand.logo: this names no picture"},
		{[]edit{{"name: Acme Bank", name + "\n    brand: {logo: file:none.svg}"}}, "8:19: partners[0].brand.logo: the file none.svg cannot be read"},
		{[]edit{{"name: Acme Bank", name + "\n    links: {support: /help, imprint: x}"}}, "8:22: partners[0].links.support: an absolute https URL is needed\n8:29: partners[0].links: \"imprint\" is not a setting"},
		{[]edit{{"name: Acme Bank", name + "\n    texts: {a.b: {english: Hello, en: ''}}"}}, "8:28: partners[0].texts.a.b.english: \"english\" is no language\n8:39: partners[0].texts.a.b.en: this is empty"},
		{[]edit{{"name: Acme Bank", name + "\n    routes: [link, link, fax, sms, email]"}}, "8:20: partners[0].routes[1]: this is there twice\n8:26: partners[0].routes[2]: \"fax\" is not possible here\n8:26: partners[0].routes[2]: this is there twice\n" +
			"8:31: partners[0].routes[3]: there is nobody to send text messages\n8:36: partners[0].routes[4]: there is nobody to send e-mail"},
		{[]edit{{"name: Acme Bank", name + "\n    platform: {api_url: https://eu.example.com/v2, client_id: env:GONE, client_secret: env:GBG_CLIENT_SECRET}"}}, "8:63: partners[0].platform.client_id: the variable GONE is not set, or empty"},

		// Apps.
		{[]edit{{"", "  - {id: two, name: Two, keys: ['sha256:" + strings.Repeat("ab", 32) + "'], apps: []}"}}, "13:115: partners[1].apps: there is no app"},
		{[]edit{{"web_url", web + "\n      - {id: main, name: Twice, scheme: com.twice}"}}, "13:9: partners[0].apps[1]: \"main\" is the id of another app"},
		{[]edit{{"id: main", "      - id: my app"}}, "10:13: partners[0].apps[0].id: an app's id is 1 to 32 of A-Z a-z 0-9 _ -"},
		{[]edit{{"web_url", web + "\n        exchange: nobody\n        code: morse"}}, "13:19: partners[0].apps[0].exchange: \"nobody\" is not possible here\n14:15: partners[0].apps[0].code: \"morse\" is not possible here"},
		{[]edit{{"web_url", web + "\n        code: token"}}, "13:15: partners[0].apps[0].code: code: token works only with confirmation: never"},
		{[]edit{{"web_url", web + "\n        journey_url: https://app.acme.example/{instanceId}"}}, "13:22: partners[0].apps[0].journey_url: only an app that connects by itself is given this"},
		{[]edit{{"web_url", web + "\n        exchange: app\n        journey_url: https://app.acme.example/{instance}"}}, `14:22: partners[0].apps[0].journey_url: "{instance}" is neither {instanceId} nor {connectToken}`},
		{[]edit{{"web_url", web + "\n        ios: {store_url: \"https://apps.apple.com/app/id1\"}"}}, "13:14: partners[0].apps[0].ios.app_id: this is missing"},
		{[]edit{{"web_url", web + "\n        ios: {app_id: com.acme.app, clip: X, store_url: itms://x}"}}, "13:23: partners[0].apps[0].ios.app_id: an app id is the team's ten characters, a dot and the bundle id, as in ABCDE12345.com.acme.app\n" +
			"13:43: partners[0].apps[0].ios.clip: an app id is the team's ten characters, a dot and the bundle id, as in ABCDE12345.com.acme.app\n13:57: partners[0].apps[0].ios.store_url: an absolute https URL is needed"},
		{[]edit{{"web_url", web + "\n        android: {package: acme}"}}, "13:18: partners[0].apps[0].android.fingerprints: this is missing\n13:28: partners[0].apps[0].android.package: a package is two or more names joined by dots, as in com.acme.app"},
		{[]edit{{"web_url", web + "\n        android: {package: com.acme.app, fingerprints: []}"}}, "13:56: partners[0].apps[0].android.fingerprints: there is no fingerprint"},
		{[]edit{{"web_url", web + "\n        android: {package: com.acme.app, fingerprints: [\"14:6D\"]}"}}, "13:57: partners[0].apps[0].android.fingerprints[0]: a fingerprint is 32 pairs of hex digits with colons between, as keytool prints it for SHA256"},
		{[]edit{{"web_url", web + "\n        android: {fingerprints: [\"" + print32 + "\"]}"}}, "13:18: partners[0].apps[0].android.package: this is missing"},
		{[]edit{{"web_url", web + "\n        scheme: javascript"}}, "13:17: partners[0].apps[0].scheme: a scheme is a domain name turned round, in lower case, as in com.acme.app"},
		{[]edit{{"web_url", "        web_url: http://app.acme.example/handoff"}}, "12:18: partners[0].apps[0].web_url: http is for 127.0.0.1, localhost and [::1] only; use https"},

		// Webhooks.
		{[]edit{{"web_url", web + "\n    webhooks: [{url: https://api.acme.example/hooks}]"}}, "13:16: partners[0].webhooks[0].secrets: this is missing"},
		{[]edit{{"web_url", web + "\n    webhooks: [{url: https://api.acme.example/hooks, secrets: []}]"}}, "13:63: partners[0].webhooks[0].secrets: there is no secret"},
		{[]edit{{"web_url", web + "\n    webhooks: [{url: http://api.acme.example/hooks, secrets: [env:ACME_HOOK]}]"}}, "13:22: partners[0].webhooks[0].url: a webhook goes to https only"},
		{[]edit{{"web_url", web + "\n    webhooks: [{url: https://10.0.0.1/hooks, secrets: [env:ACME_HOOK]}]"}}, "13:22: partners[0].webhooks[0].url: a webhook goes to a DNS name only"},
		{[]edit{{"web_url", web + "\n    webhooks: [{url: https://api.acme.example/hooks, secrets: [env:SMS_TOKEN, whsec_hunter2]}]"}}, "13:64: partners[0].webhooks[0].secrets[0]: a webhook secret is whsec_ and base64 of 24 to 64 bytes (Standard Webhooks 1.0.0)\n13:79: partners[0].webhooks[0].secrets[1]: a secret may not stand here itself"},
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const hostile = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\">\n<rect width=\"1\" height=\"1\"/>\n<script>alert(1)</script>\n</svg>"
	if err := os.WriteFile(filepath.Join(dir, "hostile.svg"), []byte(hostile), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "handoff.yaml")
	for _, test := range tests {
		text := apply(t, test.edits...)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(path, getenv)
		faults, ok := errors.AsType[config.Faults](err)
		if !ok {
			t.Errorf("Load(%s) error = %v, want\n%s", show(text), err, test.want)
			continue
		}
		if diff := cmp.Diff(strings.Split(test.want, "\n"), brief(t, faults)); diff != "" {
			t.Errorf("Load(%s) faults (-want +got):\n%s", show(text), diff)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Load(%s) prints a secret:\n%v", show(text), err)
		}
	}
}

// brief is faults without file and remedy, each of which must be there.
func brief(t *testing.T, faults config.Faults) []string {
	t.Helper()
	var out []string
	for _, f := range faults {
		if f.Remedy == "" || f.File != "handoff.yaml" {
			t.Errorf("the fault %q has no remedy or file", f)
		}
		s := fmt.Sprintf("%d:%d: ", f.Line, f.Column)
		if f.Path != "" {
			s += f.Path + ": "
		}
		out = append(out, s+f.Message)
	}
	return out
}

func show(text string) string { return "\n" + text }

func TestBaseHasNoFaults(t *testing.T) {
	c, err := config.Parse("handoff.yaml", []byte(base+noProxies), getenv)
	if err != nil || len(c.Warnings) > 0 {
		t.Errorf("Parse(base) = %v, warnings %v, want neither", err, c.Warnings)
	}
}

func TestWarnings(t *testing.T) {
	const second = "  - {id: two, name: Two, keys: ['sha256:0000000000000000000000000000000000000000000000000000000000000002'], apps: [{id: main, name: Two, scheme: com.two}]}"
	tests := []struct {
		edits []edit
		want  string
	}{
		{[]edit{{"link_url", ""}}, "1:13: public_url: public_url and link_url are one host: a tap on a page stays in the browser and opens no app"},
		{[]edit{{"link_url", "link_url: https://go.example.com:8443"}}, "2:11: link_url: public_url and link_url are one host: a tap on a page stays in the browser and opens no app"},
		{nil, "1:13: public_url: trusted_proxies is not set: behind a proxy all people would count as one network and share its limits"},
		{
			[]edit{{"public_url", "public_url: http://localhost:8080"}, {"link_url", ""}, {"", "listen: :8080"}},
			"13:9: listen: trusted_proxies is not set: behind a proxy all people would count as one network and share its limits",
		},
		{[]edit{{"", second}}, "13:5: partners[1]: acme, two use one platform credential, so they trust each other"},
		{[]edit{{"", strings.Replace(second, "keys:", "platform: {version: v1, api_url: https://us.example.com/captain/api, client_id: env:GBG_CLIENT_ID, client_secret: env:GBG_CLIENT_SECRET}, keys:", 1)}}, "13:5: partners[1]: acme, two use one platform credential, so they trust each other"},
		{[]edit{{"", "store: 'memory:'"}}, "13:8: store: handoffs in memory end with the process"},
		{[]edit{{"web_url", ""}}, "10:9: partners[0].apps[0]: no link opens this app: people need its own scanner"},
		{
			[]edit{{"", "egress_allow: [127.0.0.0/8, 0.0.0.0/0, fc00::/7, '::/0', 169.254.169.254]"}},
			"13:29: egress_allow[1]: 0.0.0.0/0 is wider than any private network: webhooks may then go anywhere within, by plain http too\n" +
				"13:50: egress_allow[3]: ::/0 is wider than any private network: webhooks may then go anywhere within, by plain http too\n" +
				"13:58: egress_allow[4]: 169.254.169.254/32 holds the addresses at which clouds give out credentials",
		},
	}
	for _, test := range tests {
		text := apply(t, test.edits...)
		if !strings.Contains(test.want, "trusted_proxies") {
			text += noProxies
		}
		c, err := config.Parse("handoff.yaml", []byte(text), getenv)
		if err != nil {
			t.Errorf("Parse(%s) = %v", show(text), err)
			continue
		}
		if diff := cmp.Diff(strings.Split(test.want, "\n"), brief(t, c.Warnings)); diff != "" {
			t.Errorf("Parse(%s) warnings (-want +got):\n%s", show(text), diff)
		}
	}
}

// TestAllAtOnce says how a person sees the faults: one a line, in order.
func TestAllAtOnce(t *testing.T) {
	const text = `public_url: http://go.example.com
store: tape:1
partners:
  - {id: A, name: "", apps: [{id: main}]}
`
	_, err := config.Parse("/etc/handoff/handoff.yaml", []byte(text), getenv)
	const want = `handoff.yaml:1:1: server_keys: this is missing: make one with: handoff key server
handoff.yaml:1:13: public_url: http is for 127.0.0.1, localhost and [::1] only; use https: write scheme and host only, as in https://go.example.com; http is for 127.0.0.1, localhost and [::1]
handoff.yaml:2:8: store: this names no store: write file:PATH, redis://HOST:6379, redis://USER@HOST:6379/0, rediss:// for TLS, redis+sentinel://HOST:26379,HOST:26379/MASTER, or redis://HOST,HOST,HOST for a Cluster
handoff.yaml:4:5: partners[0].keys: this is missing: make one with: handoff key partner
handoff.yaml:4:5: partners[0]: this partner has no platform: give it a platform, or give one to all at the top of the file
handoff.yaml:4:10: partners[0].id: a partner's id is 2 to 12 of a-z 0-9 -: it stands in every link: keep it short
handoff.yaml:4:19: partners[0].name: this is empty: write the name that people know
handoff.yaml:4:30: partners[0].apps[0].name: this is missing: write the name that people know`
	if err == nil {
		t.Fatal("Parse of a file with eight faults succeeded")
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("Parse error (-want +got):\n%s", diff)
	}
}

// TestLoopback: on one's own machine there is neither TLS nor a real platform.
func TestLoopback(t *testing.T) {
	text := apply(t,
		edit{"public_url", "public_url: http://127.0.0.1:8080"},
		edit{"link_url", ""},
		edit{"platform", "platform: {api_url: \"http://127.0.0.1:8082/v2/captain\", token_url: \"http://127.0.0.1:8082/as/token.oauth2\", client_id: env:GBG_CLIENT_ID, client_secret: env:GBG_CLIENT_SECRET}"})
	c, err := config.Parse("handoff.yaml", []byte(text), getenv)
	if err != nil {
		t.Fatalf("Parse(loopback) = %v", err)
	}
	if c.LinkURL != "http://127.0.0.1:8080" || len(c.Warnings) > 0 {
		t.Errorf("Parse(loopback) LinkURL = %q, warnings %v, want that of public_url and none", c.LinkURL, c.Warnings)
	}
	if c.Listen != "127.0.0.1:8080" || c.InternalListen != "127.0.0.1:9090" || c.Limits != config.DefaultLimits() ||
		c.Frames.String() != "5s" || c.Store != (config.Store{Kind: config.StoreFile, Path: "handoff.db"}) {
		t.Errorf("Parse(loopback) defaults = %+v", c)
	}
}

// TestTooManyApps: phones read association files up to a size, and no further.
func TestTooManyApps(t *testing.T) {
	app := func(i int) string {
		return fmt.Sprintf("      - {id: app%d, name: App, android: {package: com.example.application.number%d, fingerprints: [\"%s\"]}}", i, i, print32)
	}
	text := func(n int) string {
		lines := []string{apply(t)}
		for i := range n {
			lines = append(lines, app(i))
		}
		return strings.Join(lines, "\n")
	}
	c, err := config.Parse("handoff.yaml", []byte(text(235)+"\n"+noProxies), getenv)
	if err != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, "assetlinks.json") {
		t.Errorf("Parse of 235 apps = %v, want a warning of the size of assetlinks.json", err)
	}
	if _, err := config.Parse("handoff.yaml", []byte(text(300)), getenv); err == nil || !strings.Contains(err.Error(), "assetlinks.json would have") {
		t.Errorf("Parse of 300 apps = %v, want a fault of the size of assetlinks.json", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(base)
	f.Add("partners: &a [*a]\nplatform: {<<: *a}\n")
	f.Add("a: &a\n  <<: *a\n")
	f.Add("server_keys: !!binary hunter2\nlimits: {? [a]: b}\n")
	if full, err := os.ReadFile("testdata/full.yaml"); err == nil {
		f.Add(string(full))
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := config.Parse("testdata/full.yaml", []byte(text), getenv)
		if err == nil {
			return
		}
		faults, ok := errors.AsType[config.Faults](err)
		if !ok || len(faults) == 0 {
			t.Fatalf("Parse error = %v, want Faults", err)
		}
		for _, fault := range faults {
			if fault.Line < 1 || fault.Column < 0 || fault.Message == "" {
				t.Errorf("fault without place or message: %+v", fault)
			}
		}
	})
}
