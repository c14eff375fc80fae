package applink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/handoff-portal/handoff/internal/partner"
)

// MaxAssociation is the size an association file must stay within, in bytes.
// Apple's servers stop at 128 KB uncompressed; this leaves some room.
const MaxAssociation = 100 * 1024

// Association is the files by which systems know which app may open which of our
// links, ready to be served.
type Association struct {
	Apple   []byte // /.well-known/apple-app-site-association
	Android []byte // /.well-known/assetlinks.json
	// Pages is Apple's file for the host of the pages, where that is another: Safari
	// offers an App Clip on pages of the hosts that name it (developer.apple.com,
	// "Supporting invocations from your website and the Messages app"). It names App
	// Clips alone, since an app that has links there would take people out of our
	// pages. Nil: there are none.
	Pages []byte
}

// component matches a path. Apple's and Android's matchers are spelt alike
// (developer.apple.com, "Supporting associated domains"; developer.android.com,
// "Configure website associations and dynamic rules").
type component struct {
	Path string `json:"/"`
}

type appleFile struct {
	Applinks *appleLinks `json:"applinks,omitempty"`
	Appclips *appleClips `json:"appclips,omitempty"`
}

type appleLinks struct {
	Details []*appleDetail `json:"details"`
}

type appleDetail struct {
	AppIDs     []string    `json:"appIDs"`
	Components []component `json:"components"`
}

type appleClips struct {
	Apps []string `json:"apps"`
}

// handleAllURLs is the relation of Digital Asset Links that lets an app open
// links.
const handleAllURLs = "delegate_permission/common.handle_all_urls"

type statement struct {
	Relation   []string                    `json:"relation"`
	Target     target                      `json:"target"`
	Extensions map[string]*relationDetails `json:"relation_extensions"`
}

type target struct {
	Namespace    string   `json:"namespace"`
	Package      string   `json:"package_name"`
	Fingerprints []string `json:"sha256_cert_fingerprints"`
}

type relationDetails struct {
	// Components are heeded by Android 15 and later, and ignored before: there
	// every app listed may open every link of the host. A URL that no component
	// matches opens no app.
	Components []component `json:"dynamic_app_link_components"`
}

// NewAssociation builds the files for every app of these partners, each limited
// to its own partner's paths. An app that several partners use is named once,
// with the paths of all: Android heeds one statement for an app, whichever.
func NewAssociation(partners []*partner.Partner) (Association, error) {
	apple := appleFile{Applinks: &appleLinks{Details: []*appleDetail{}}}
	details := make(map[string]*appleDetail)
	statements := []*statement{}
	packages := make(map[string]*statement)
	for _, p := range partners {
		paths := []component{{"/c/" + string(p.ID) + "/*"}, {"/a/" + string(p.ID) + "/*"}}
		for i := range p.Apps {
			a := &p.Apps[i]
			if id := a.IOS.AppID; id != "" {
				d := details[id]
				if d == nil {
					d = &appleDetail{AppIDs: []string{id}}
					details[id] = d
					apple.Applinks.Details = append(apple.Applinks.Details, d)
				}
				d.Components = union(d.Components, paths)
			}
			if id := a.IOS.Clip; id != "" {
				if apple.Appclips == nil {
					apple.Appclips = &appleClips{}
				}
				apple.Appclips.Apps = union(apple.Appclips.Apps, []string{id})
			}
			if name := a.Android.Package; name != "" {
				s := packages[name]
				if s == nil {
					s = &statement{
						Relation:   []string{handleAllURLs},
						Target:     target{Namespace: "android_app", Package: name},
						Extensions: map[string]*relationDetails{handleAllURLs: {}},
					}
					packages[name] = s
					statements = append(statements, s)
				}
				s.Target.Fingerprints = union(s.Target.Fingerprints, a.Android.Fingerprints)
				s.Extensions[handleAllURLs].Components = union(s.Extensions[handleAllURLs].Components, paths)
			}
		}
	}
	var files Association
	var err error
	if files.Apple, err = encode(apple); err != nil {
		return Association{}, fmt.Errorf("encoding apple-app-site-association: %w", err)
	}
	if apple.Appclips != nil {
		if files.Pages, err = encode(appleFile{Appclips: apple.Appclips}); err != nil {
			return Association{}, fmt.Errorf("encoding apple-app-site-association of the pages: %w", err)
		}
	}
	if files.Android, err = encode(statements); err != nil {
		return Association{}, fmt.Errorf("encoding assetlinks.json: %w", err)
	}
	return files, nil
}

// Largest is the size of the bigger file in bytes, and its name.
func (a Association) Largest() (name string, size int) {
	if len(a.Android) > len(a.Apple) {
		return "assetlinks.json", len(a.Android)
	}
	return "apple-app-site-association", len(a.Apple)
}

func union[T comparable](a, b []T) []T {
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
