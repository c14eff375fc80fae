package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"

	"github.com/handoff-portal/handoff/internal/applink"
	"github.com/handoff-portal/handoff/internal/partner"
)

// associationFile fetches one of the files of a host as those do who read it for
// phones: following no redirect. Without a fault, body is what they read.
func (d *Doctor) associationFile(ctx context.Context, at, name, why string) (body []byte, f Finding) {
	f = Finding{Check: "association", About: host(at) + "/.well-known/" + name, Level: Fault, Why: why}
	resp, err := d.get(ctx, d.base(at)+"/.well-known/"+name, http.Header{
		"Sec-Fetch-Site": nil, "Sec-Fetch-Mode": nil, "Sec-Fetch-Dest": nil, "Accept": {"application/json"}, "Accept-Encoding": {"identity"},
	})
	pass := "in the proxy: location /.well-known/" + name + " { proxy_pass http://" + reachable(d.Config.Listen) + "; }  (nginx)"
	if err != nil {
		f.What, f.Change = "The file is not answered.", pass
		return nil, f
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		f.What, f.Change = "The file is answered with a redirect to "+host(resp.Header.Get("Location"))+", and redirects are not followed.", pass
	case resp.StatusCode != http.StatusOK:
		f.What, f.Change = fmt.Sprintf("The file is answered with %d.", resp.StatusCode), pass
	case kind != "application/json":
		f.What, f.Change = fmt.Sprintf("The file's Content-Type is %.60q, and must be application/json.", kind), pass
	case len(resp.body) > applink.MaxAssociation:
		f.What = fmt.Sprintf("The file has more than %d bytes, and phones are sure to read no more.", applink.MaxAssociation)
		f.Change = d.Config.Where("partners") + ": some partners at a portal with a link_url of its own"
	case !json.Valid(resp.body):
		f.What, f.Change = "The file is no JSON.", pass
	default:
		return resp.body, f
	}
	return nil, f
}

// older is the change for a portal that does not know what the configuration has.
func (d *Doctor) older(setting string) string {
	return "handoff serve --config " + d.Config.File + "  (again: what runs is older than " + d.Config.Where(setting) + ")"
}

const appleFile = "apple-app-site-association"

// association is what is looked at of Apple's file.
type association struct {
	Applinks struct {
		Details []struct {
			AppIDs     []string            `json:"appIDs"`
			Components []map[string]string `json:"components"`
		} `json:"details"`
	} `json:"applinks"`
	Appclips struct {
		Apps []string `json:"apps"`
	} `json:"appclips"`
}

// clips looks at Apple's file of the pages' host, where that is another: without it
// Safari offers no App Clip on a landing.
func (d *Doctor) clips(ctx context.Context) []Finding {
	wanted := map[string]string{} // the settings of those that a banner offers
	d.eachApp(func(_ *partner.Partner, app *partner.App, setting string) {
		if app.IOS.Clip != "" && app.IOS.StoreURL != "" {
			wanted[app.IOS.Clip] = setting
		}
	})
	if len(wanted) == 0 || d.Config.PublicURL == d.Config.LinkURL || !d.public().there {
		return nil
	}
	body, f := d.associationFile(ctx, d.Config.PublicURL, appleFile, "Safari then offers no App Clip on the page that a code leads to.")
	f.Level = Warning
	if body == nil {
		return []Finding{f}
	}
	var served association
	read := json.Unmarshal(body, &served)
	var found []Finding
	for _, clip := range slices.Sorted(maps.Keys(wanted)) {
		if read != nil || !slices.Contains(served.Appclips.Apps, clip) {
			missing := f
			missing.What, missing.Change = "The file does not name the App Clip "+clip+".", d.older(wanted[clip]+".ios")
			found = append(found, missing)
		}
	}
	return orGood(found, f, "Safari can read the file, and every App Clip is in it.")
}

// apple looks at Apple's file: every app, with its partner's paths.
func (d *Doctor) apple(ctx context.Context) []Finding {
	if !d.link().there {
		return nil
	}
	body, f := d.associationFile(ctx, d.Config.LinkURL, appleFile, "iPhones then open no link in an app.")
	if body == nil {
		return []Finding{f}
	}
	var served association
	read := json.Unmarshal(body, &served)
	has := func(id, path string) bool {
		for _, detail := range served.Applinks.Details {
			if slices.Contains(detail.AppIDs, id) && slices.ContainsFunc(detail.Components, func(c map[string]string) bool { return c["/"] == path }) {
				return true
			}
		}
		return false
	}
	var found []Finding
	d.eachApp(func(p *partner.Partner, app *partner.App, setting string) {
		missing := f
		switch id := app.IOS.AppID; {
		case read != nil:
			missing.What = "The file is not of the form that Apple reads."
		case id != "" && (!has(id, "/c/"+string(p.ID)+"/*") || !has(id, "/a/"+string(p.ID)+"/*")):
			missing.What = "The file does not give the paths of " + string(p.ID) + " to " + id + "."
		case app.IOS.Clip != "" && !slices.Contains(served.Appclips.Apps, app.IOS.Clip):
			missing.What = "The file does not name the App Clip " + app.IOS.Clip + "."
		default:
			return
		}
		missing.Change = d.older(setting + ".ios")
		found = append(found, missing)
	})
	return orGood(found, f, "iPhones can read the file, and every app is in it.")
}

// android looks at Android's file: every app, with every fingerprint.
func (d *Doctor) android(ctx context.Context) []Finding {
	if !d.link().there {
		return nil
	}
	const name = "assetlinks.json"
	body, f := d.associationFile(ctx, d.Config.LinkURL, name, "Android phones then open links in the browser, or ask which app to take.")
	if body == nil {
		return []Finding{f}
	}
	var served []struct {
		Target struct {
			Package      string   `json:"package_name"`
			Fingerprints []string `json:"sha256_cert_fingerprints"`
		} `json:"target"`
	}
	read := json.Unmarshal(body, &served)
	has := func(name, fingerprint string) bool {
		for _, s := range served {
			if s.Target.Package == name && slices.Contains(s.Target.Fingerprints, fingerprint) {
				return true
			}
		}
		return false
	}
	var found []Finding
	d.eachApp(func(_ *partner.Partner, app *partner.App, setting string) {
		for _, fingerprint := range app.Android.Fingerprints {
			if read == nil && has(app.Android.Package, fingerprint) {
				continue
			}
			missing := f
			missing.What = fmt.Sprintf("The file does not name %s with the fingerprint %.11s….", app.Android.Package, fingerprint)
			missing.Change = d.older(setting + ".android")
			found = append(found, missing)
		}
	})
	return orGood(found, f, "Android phones can read the file, and every app is in it.")
}

func orGood(found []Finding, good Finding, what string) []Finding {
	if len(found) > 0 {
		return found
	}
	good.Level, good.What, good.Why = OK, what, ""
	return []Finding{good}
}

// eachApp calls do with every app, and where it stands in the file.
func (d *Doctor) eachApp(do func(p *partner.Partner, app *partner.App, setting string)) {
	for i := range d.Config.Partners {
		p := &d.Config.Partners[i]
		for j := range p.Apps {
			do(p, &p.Apps[j], fmt.Sprintf("partners[%d].apps[%d]", i, j))
		}
	}
}
