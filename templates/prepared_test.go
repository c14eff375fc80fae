package templates_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/i18n"
	"github.com/handoff-portal/handoff/templates"
)

// TestPrepared compares every display of the fixtures with what
// DisplayPage writes of it: as it was when its look was prepared, and as another
// display of the same look; plain, and what gzip reads of the compressed one.
func TestPrepared(t *testing.T) {
	catalog, err := speak()
	if err != nil {
		t.Fatal(err)
	}
	compressed := 0
	langs := []i18n.Lang{"en", "ar"}
	if os.Getenv("HANDOFF_LONG") != "" {
		langs = catalog.Langs()
	} else {
		t.Logf("in %v; HANDOFF_LONG=1 compares every language", langs)
	}
	for _, lang := range langs {
		for name, d := range newWorld(t, lang).displays() {
			t.Run(string(lang)+"/"+name, func(t *testing.T) {
				p := &templates.Prepared{}
				for _, d := range []templates.Display{d, sibling(d), longer(d), another(d), odd(d)} {
					var want bytes.Buffer
					if err := templates.DisplayPage(d).Render(t.Context(), &want); err != nil {
						t.Fatal(err)
					}
					got, zipped, err := p.Append(t.Context(), []byte("before"), "acme", d, false)
					if err != nil || zipped {
						t.Fatalf("Append = zipped %t, error %v", zipped, err)
					}
					if diff := cmp.Diff("before"+want.String(), string(got)); diff != "" {
						t.Fatalf("the prepared page differs (-want +got):\n%s", diff)
					}
					got, zipped, err = p.Append(t.Context(), nil, "acme", d, true)
					if err != nil {
						t.Fatal(err)
					}
					if zipped {
						compressed++
						got = unzipped(t, got)
					}
					if !bytes.Equal(got, want.Bytes()) {
						t.Fatalf("the compressed page reads otherwise")
					}
				}
			})
		}
	}
	if compressed == 0 {
		t.Error("no page was compressed")
	}
}

func unzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r.Multistream(false)
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// sibling is a display that looks like d, and whose own texts are as long, but for
// those that vary.
func sibling(d templates.Display) templates.Display {
	d.ID, d.Base = strings.Repeat("1", len(d.ID)), "/h/"+strings.Repeat("2", max(0, len(d.Base)-3))
	d.DeepLinkURL = templ.SafeURL(strings.Repeat("3", len(d.DeepLinkURL)))
	d.Seq, d.QR.Path = d.Seq+12345, d.QR.Path+strings.Repeat("m2 0h1", 100)
	return d
}

// longer is a display that looks like d, and has a longer key.
func longer(d templates.Display) templates.Display {
	d = sibling(d)
	d.Base += strings.Repeat("4", 40)
	return d
}

// another is a display that looks like d.
func another(d templates.Display) templates.Display {
	d.ID, d.Seq, d.Base = "ho_0000000000000000000000", 8, "/h/another"
	d.QR = templates.QR{Path: "M4 4.5h7" + strings.Repeat("m2 0h1", 15_000), ViewBox: "0 0 45 45"}
	d.DeepLinkURL = "https://link.example.com/c/acme/Other"
	d.ExpiresAt, d.Left = d.ExpiresAt.Add(time.Minute), d.Left+time.Minute
	if d.SupportRef != "" {
		d.SupportRef = "22BBDD"
	}
	return d
}

// odd has what must be escaped in every place that takes text.
func odd(d templates.Display) templates.Display {
	d = another(d)
	d.ID, d.DeepLinkURL = `<&"'>`, `https://link.example.com/c/acme/x?a=1&b="<'`
	if d.SupportRef != "" {
		d.SupportRef = `<&"'>`
	}
	return d
}

// TestPreparedLooks asks one Prepared for everything, so that a look that leaves
// something out gives one display another's page.
func TestPreparedLooks(t *testing.T) {
	p := &templates.Prepared{}
	for range 2 {
		for _, lang := range []i18n.Lang{"en", "ar"} {
			for name, d := range newWorld(t, lang).displays() {
				for flag := range 12 {
					d := d
					if flags := []*bool{&d.TokenMode, &d.OnPhone, &d.Framed, &d.CanExtend, &d.CanLink, &d.CanSMS, &d.CanEmail, &d.CanType, &d.CanLocal, &d.CanNoPhone, &d.Demo}; flag < len(flags) {
						*flags[flag] = !*flags[flag]
					}
					var want bytes.Buffer
					if err := templates.DisplayPage(d).Render(t.Context(), &want); err != nil {
						t.Fatal(err)
					}
					// The owner is whose texts and links these are; the fixtures vary them.
					got, _, err := p.Append(t.Context(), nil, name, d, false)
					if err != nil || !bytes.Equal(got, want.Bytes()) {
						t.Fatalf("%s in %s with flag %d turned is not what DisplayPage writes (error %v)", name, lang, flag, err)
					}
				}
			}
		}
	}
}

// TestPreparedAtOnce has many ask for a new look at the same time.
func TestPreparedAtOnce(t *testing.T) {
	p := &templates.Prepared{}
	d := newWorld(t, "en").display(templates.ScreenWaiting)
	var want bytes.Buffer
	if err := templates.DisplayPage(d).Render(t.Context(), &want); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			got, _, err := p.Append(t.Context(), nil, "acme", d, false)
			if err != nil || !bytes.Equal(got, want.Bytes()) {
				t.Errorf("one of many got another page (error %v)", err)
			}
		})
	}
	wg.Wait()
}

// TestPreparedKeepsSecretsApart measures that a display's own texts have no part in
// the compression: pages that differ in them alone are equally long, whether or not
// they repeat what the page says elsewhere.
func TestPreparedKeepsSecretsApart(t *testing.T) {
	p := &templates.Prepared{}
	d := newWorld(t, "en").display(templates.ScreenWaiting)
	length := func(base, link string) int {
		d.Base, d.DeepLinkURL = "/h/"+base, templ.SafeURL("https://link.example.com/c/acme/"+link)
		page, zipped, err := p.Append(t.Context(), nil, "acme", d, true)
		if err != nil || !zipped {
			t.Fatalf("Append = zipped %t, error %v", zipped, err)
		}
		return len(page)
	}
	if a, b := length("aaaaaaaaaaaaaaaaaaaaaa", "stylesheetstylesheetstyles"), length("q8Zr1Lw0Pk3Xc5Vb7Nm9Tg", "8N2K6T0QX4W9Z1B7M3C5V8P2J6"); a != b {
		t.Errorf("the compressed page has %d bytes with one key and %d with another", a, b)
	}
}

// TestPreparedKnowsEveryField fails when a display gets a field, until somebody has
// seen to it that look tells two values of it apart, or leaves such displays to
// DisplayPage, or that it is among what is a display's own.
func TestPreparedKnowsEveryField(t *testing.T) {
	known := map[reflect.Type][]string{
		reflect.TypeFor[templates.Page](): {"T", "Brand", "Links", "Assets", "Languages", "SupportRef", "Nonce", "Demo", "AppBanner", "Refresh"},
		reflect.TypeFor[templates.State](): {
			"Screen", "Device", "Ago", "WrongTries", "TriesLeft", "InApp", "Store", "Lasted", "Link", "SMS", "Email", "TypedCode", "DeepLink",
		},
		reflect.TypeFor[templates.Display](): {
			"Page", "State", "ID", "Seq", "Status", "QR", "TokenMode", "Base", "DeepLinkURL", "OnPhone", "Framed", "ParentOrigin", "ReturnURL",
			"ExpiresAt", "Left", "CanExtend", "CanLink", "CanSMS", "CanEmail", "CanType", "CanLocal", "CanNoPhone", "SMSTo", "EmailTo", "NotSent",
			"TypedAddress", "marks",
		},
	}
	for kind, names := range known {
		var got []string
		for field := range kind.Fields() {
			got = append(got, field.Name)
		}
		slices.Sort(got)
		slices.Sort(names)
		if diff := cmp.Diff(names, got); diff != "" {
			t.Errorf("the fields of %s are not those that look in prepared.go was written for (-known +got):\n%s", kind, diff)
		}
	}
}
