package templates_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"
	qrcode "github.com/skip2/go-qrcode"

	"github.com/handoff-portal/handoff/internal/i18n"
	"github.com/handoff-portal/handoff/static"
	"github.com/handoff-portal/handoff/templates"
)

// world is what fixtures are made from: one language, one target.
type world struct {
	page templates.Page
	qr   templates.QR
}

// speak reads the languages once: there are many, and every fixture needs them.
var speak = sync.OnceValues(i18n.Load)

func newWorld(tb testing.TB, lang i18n.Lang) world {
	tb.Helper()
	catalog, err := speak()
	if err != nil {
		tb.Fatalf("i18n.Load() error = %v", err)
	}
	assets, err := static.Load("/static/")
	if err != nil {
		tb.Fatalf("static.Load() error = %v", err)
	}
	asset := func(name string) templates.Asset {
		return templates.Asset{URL: assets.URL(name), Integrity: assets.Integrity(name)}
	}
	var languages []templates.Language
	for _, l := range catalog.Langs() {
		languages = append(languages, templates.Language{
			Tag: string(l), Name: catalog.Name(l), Dir: catalog.Dir(l),
			URL: templ.SafeURL("?lang=" + string(l)), Current: l == lang,
		})
	}
	return world{
		page: templates.Page{
			T:     catalog.Printer(lang, nil),
			Brand: templates.Brand{Name: "Acme Bank", App: "Acme"},
			Links: templates.Links{
				Support: "https://acme.example/help", Privacy: "https://acme.example/privacy", Legal: "https://acme.example/legal",
			},
			Assets: templates.Assets{
				CSS: asset("css/app.css"), DisplayJS: asset("js/display.js"), PhoneJS: asset("js/phone.js"), Icon: asset("img/icon.svg"),
			},
			Languages:  languages,
			SupportRef: "7K3QXF",
		},
		qr: modules(tb, "https://link.example.com/c/acme/Zr5v0aW9Qm3xT1uYbC2dEf.1a.Jk8Qs2Lp"),
	}
}

// modules is a code as a path, one square a module.
func modules(tb testing.TB, text string) templates.QR {
	tb.Helper()
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		tb.Fatalf("qrcode.New(%q) error = %v", text, err)
	}
	bitmap := code.Bitmap()
	var d strings.Builder
	for y, row := range bitmap {
		for x, dark := range row {
			if dark {
				fmt.Fprintf(&d, "M%d %dh1v1h-1z", x, y)
			}
		}
	}
	return templates.QR{Path: d.String(), ViewBox: fmt.Sprintf("0 0 %d %d", len(bitmap), len(bitmap))}
}

// display is a display in the middle of its life.
func (w world) display(s templates.Screen) templates.Display {
	d := templates.Display{
		Page: w.page,
		State: templates.State{
			Screen: s, Device: templates.Device{Class: "mobile", OS: "iOS", Browser: "Safari"}, Ago: 10 * time.Second,
			TriesLeft: 2, InApp: "Instagram", Store: "apple", Lasted: 15 * time.Minute,
		},
		ID: "ho_AbCdEfGhIjKlMnOpQrStUv", Seq: 7, Status: "displayed",
		QR: w.qr, Base: "/h/key", DeepLinkURL: "https://link.example.com/c/acme/LocalLocalLocalLocalLo",
		ExpiresAt: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC), Left: 14 * time.Minute, CanExtend: true,
		CanLink: true, CanType: true, CanNoPhone: true, TypedAddress: "go.example.com/t/acme",
	}
	if s.Ended() {
		d.ReturnURL = "https://shop.example/done?handoff=ho_1&status=completed"
	}
	return d
}

// displays is the display in every state, by name.
func (w world) displays() map[string]templates.Display {
	displays := map[string]templates.Display{}
	for _, s := range templates.Screens() {
		displays[string(s)] = w.display(s)
	}
	vary := func(name string, s templates.Screen, change func(d *templates.Display)) {
		d := w.display(s)
		change(&d)
		displays[name] = d
	}
	vary("waiting-phone", templates.ScreenWaiting, func(d *templates.Display) { d.OnPhone = true })
	vary("waiting-frame", templates.ScreenWaiting, func(d *templates.Display) {
		d.Framed, d.ParentOrigin, d.CanLocal = true, "https://shop.example", true
	})
	vary("waiting-token", templates.ScreenWaiting, func(d *templates.Display) { d.TokenMode = true })
	vary("waiting-links", templates.ScreenWaiting, func(d *templates.Display) {
		d.CanLocal = true
		d.Link = &templates.Link{URL: "https://link.example.com/c/acme/LinkLinkLinkLinkLinkLi", SentAt: 3 * time.Minute}
		d.TypedCode = "4829130571"
	})
	vary("waiting-computer", templates.ScreenWaiting, func(d *templates.Display) { d.T = d.T.For(i18n.Computer) })
	vary("waiting-demo", templates.ScreenWaiting, func(d *templates.Display) { d.Demo = true })
	vary("waiting-late", templates.ScreenWaiting, func(d *templates.Display) { d.Left = 90 * time.Second })
	vary("number-wrong", templates.ScreenNumber, func(d *templates.Display) { d.WrongTries, d.TriesLeft = 1, 1 })
	vary("completed-plain", templates.ScreenCompleted, func(d *templates.Display) { d.ReturnURL = "" })

	return displays
}

// pages is every page in every state, by name.
func (w world) pages() map[string]templ.Component {
	pages := map[string]templ.Component{}
	for name, d := range w.displays() {
		pages["display-"+name] = templates.DisplayPage(d)
	}
	live := templates.Live{Base: "/p/key", Seq: 7, Screen: "ready"}
	asked := templates.Asked{
		By: templates.Device{Class: "desktop", OS: "Windows", Browser: "Chrome"}, Ago: time.Minute, Label: "Account opening",
	}
	landing := templates.Landing{
		Page: w.page, Asked: asked, Action: "/c/acme/code", RejectAction: "/c/acme/code/reject", Attempt: "a1", Opened: "o1",
	}
	pages["phone-landing"] = templates.LandingPage(landing)
	landing.Elsewhere = true
	pages["phone-elsewhere"] = templates.LandingPage(landing)
	pages["phone-number"] = templates.NumberPage(templates.Number{Page: w.page, Live: live, Digits: "4831"})
	ready := templates.Ready{
		Page: w.page, Live: live, OpenURL: "https://link.example.com/a/acme/pickup", Way: templates.OpenTap,
		Store: "apple", StoreURL: "https://apps.apple.com/app/id1", WebURL: "https://app.acme.example/handoff",
	}
	pages["phone-ready"] = templates.ReadyPage(ready)
	for _, way := range []templates.OpenWay{templates.OpenHold, templates.OpenBanner, templates.OpenIntent} {
		ready.Way, ready.Help = way, true
		pages["phone-help-"+string(way)] = templates.ReadyPage(ready)
	}
	ready.Help, ready.Installed, ready.Kept = false, true, 9*time.Minute
	pages["phone-installed"] = templates.ReadyPage(ready)
	ready.Installed, ready.Delivered = false, true
	pages["phone-delivered"] = templates.ReadyPage(ready)
	pages["phone-inapp"] = templates.InAppPage(templates.InApp{
		Page: w.page, App: "Instagram", URL: "https://go.example.com/c/acme/Zr5v0aW9Qm3xT1uYbC2dEf?o=x", ContinueURL: "?stay=1",
	})
	pages["phone-finished"] = templates.FinishedPage(templates.Finished{Page: w.page, ReturnURL: "https://shop.example/done"})
	pages["phone-finished-plain"] = templates.FinishedPage(templates.Finished{Page: w.page})
	pages["phone-reject-ask"] = templates.RejectAskPage(templates.RejectAsk{
		Page: w.page, Action: "/c/acme/code/reject", BackURL: "/c/acme/code", Attempt: "a1",
	})
	for _, n := range []templates.Notice{
		templates.NoticeOldCode, templates.NoticeEnded, templates.NoticeStopped, templates.NoticeAway,
		templates.NoticeConnecting, templates.NoticeOtherPhone, templates.NoticeWrongNumber,
	} {
		page := templates.NoticePage{Page: w.page, Notice: n}
		if n == templates.NoticeAway {
			page.RetryURL, page.Refresh = "/p/key", 5
		}
		pages["phone-"+string(n)] = templates.PhoneNoticePage(page)
	}
	pages["phone-wrong-device"] = templates.WrongDevicePage(templates.WrongDevice{Page: w.page, QR: w.qr})
	pages["phone-typed"] = templates.TypedPage(templates.Typed{Page: w.page, Action: "/t/acme"})
	pages["phone-typed-wrong"] = templates.TypedPage(templates.Typed{Page: w.page, Action: "/t/acme", Value: "4829130571", Wrong: true})
	pages["phone-typed-wait"] = templates.TypedPage(templates.Typed{Page: w.page, Action: "/t/acme", Wait: true})
	pages["phone-applink"] = templates.AppLinkPage(templates.AppLink{
		Page: w.page, OpenURL: "https://link.example.com/a/acme/pickup", Way: templates.OpenTap,
		Store: "google", StoreURL: "https://play.google.com/store/apps/details?id=com.acme.app",
	})
	for _, status := range []int{403, 404, 410, 421, 429, 500, 503} {
		page := w.page
		if status != 500 {
			page.Brand, page.Links, page.SupportRef = templates.Brand{}, templates.Links{}, ""
		}
		pages[fmt.Sprintf("error-%d", status)] = templates.ProblemPage(templates.ErrorPage{Page: page, Status: status})
	}
	return pages
}
