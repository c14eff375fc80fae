package applink_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
)

func TestNewAssociation(t *testing.T) {
	shared := partner.App{ID: "main", Name: "Shared", Android: partner.Android{Package: "com.shared.app", Fingerprints: []string{"AA"}}, IOS: partner.IOS{AppID: "TEAM000000.com.shared"}}
	partners := []*partner.Partner{
		{ID: "acme", Apps: []partner.App{
			{
				ID: "main", IOS: partner.IOS{AppID: "ABCDE12345.com.acme.app", Clip: "ABCDE12345.com.acme.app.Clip"},
				Android: partner.Android{Package: "com.acme.app", Fingerprints: []string{"14:6D", "AB:CD"}},
			},
			shared,
		}},
		{ID: "globex", Apps: []partner.App{shared, {ID: "web", WebURL: "https://globex.example"}}},
	}
	a, err := applink.NewAssociation(partners)
	if err != nil {
		t.Fatal(err)
	}
	const apple = `{
  "applinks": {"details": [
    {"appIDs": ["ABCDE12345.com.acme.app"], "components": [{"/": "/c/acme/*"}, {"/": "/a/acme/*"}]},
    {"appIDs": ["TEAM000000.com.shared"], "components": [{"/": "/c/acme/*"}, {"/": "/a/acme/*"}, {"/": "/c/globex/*"}, {"/": "/a/globex/*"}]}
  ]},
  "appclips": {"apps": ["ABCDE12345.com.acme.app.Clip"]}
}`
	const android = `[
  {"relation": ["delegate_permission/common.handle_all_urls"],
   "target": {"namespace": "android_app", "package_name": "com.acme.app", "sha256_cert_fingerprints": ["14:6D", "AB:CD"]},
   "relation_extensions": {"delegate_permission/common.handle_all_urls": {"dynamic_app_link_components": [{"/": "/c/acme/*"}, {"/": "/a/acme/*"}]}}},
  {"relation": ["delegate_permission/common.handle_all_urls"],
   "target": {"namespace": "android_app", "package_name": "com.shared.app", "sha256_cert_fingerprints": ["AA"]},
   "relation_extensions": {"delegate_permission/common.handle_all_urls": {"dynamic_app_link_components": [
     {"/": "/c/acme/*"}, {"/": "/a/acme/*"}, {"/": "/c/globex/*"}, {"/": "/a/globex/*"}]}}}
]`
	const pages = `{"appclips": {"apps": ["ABCDE12345.com.acme.app.Clip"]}}`
	for _, file := range []struct {
		name      string
		got, want []byte
	}{
		{"apple-app-site-association", a.Apple, []byte(apple)},
		{"apple-app-site-association of the pages", a.Pages, []byte(pages)},
		{"assetlinks.json", a.Android, []byte(android)},
	} {
		var want bytes.Buffer
		if err := json.Compact(&want, file.want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String()+"\n", string(file.got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file.name, diff)
		}
	}
}

func TestNewAssociationWithoutApps(t *testing.T) {
	a, err := applink.NewAssociation(nil)
	if err != nil || string(a.Apple) != `{"applinks":{"details":[]}}`+"\n" || string(a.Android) != "[]\n" || a.Pages != nil {
		t.Errorf("NewAssociation(nil) = %s, %s, %s, %v", a.Apple, a.Android, a.Pages, err)
	}
}

// TestAssociationSize says how many apps fit; docs quote it.
func TestAssociationSize(t *testing.T) {
	partners := make([]*partner.Partner, 200)
	for i := range partners {
		partners[i] = &partner.Partner{ID: handoff.PartnerID(fmt.Sprintf("partner%04d", i)), Apps: []partner.App{{
			IOS:     partner.IOS{AppID: fmt.Sprintf("ABCDE%05d.com.example.partner", i)},
			Android: partner.Android{Package: fmt.Sprintf("com.example.partner%04d", i), Fingerprints: []string{string(bytes.Repeat([]byte("AB:"), 31)) + "AB"}},
		}}}
	}
	a, err := applink.NewAssociation(partners)
	if err != nil {
		t.Fatal(err)
	}
	name, size := a.Largest()
	if name != "assetlinks.json" || size != len(a.Android) || size > applink.MaxAssociation {
		t.Errorf("Largest = %s, %d, want assetlinks.json within %d bytes for 200 apps", name, size, applink.MaxAssociation)
	}
	t.Logf("200 apps: %d bytes for Android, %d for Apple", len(a.Android), len(a.Apple))
}
