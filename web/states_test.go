package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/handoff-portal/handoff/internal/browser"
)

// TestEveryState brings about every page in every state, in a browser, in three
// languages: it has no complaint, two checkers of accessibility find nothing, all fits
// its window, also at 320 pixels with text spacing and at 400 %, and the HTML is valid.
// With HANDOFF_LONG it looks at frames as closely, in dark and forced colours, at text
// of 200 %, at every language there is, and asks one more validator.
//
// HANDOFF_SCREENSHOTS names a folder for pictures, as go run ./internal/screens
// makes them; HANDOFF_LANGUAGES, such as "fr pt-BR", names all languages besides English.
func TestEveryState(t *testing.T) {
	browser.Unwatched(t)
	t.Parallel()
	l := newLooks(t)
	t.Cleanup(func() { l.validate(t) }) // when all the others have ended
	for name, look := range map[string]func(*looks, *testing.T){
		"displays": (*looks).displays, "frames": (*looks).frames, "phones": (*looks).phones, "guide": (*looks).guide,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := *l
			own.browser = browser.New(t) // one would be the narrow place of all
			look(&own, t)
		})
	}
}

// looks is how pages are looked at.
type looks struct {
	browser *browser.Browser
	auditor *browser.Auditor
	langs   []string // besides English
	long    bool
	sources string // the folder of the pages' HTML
	shots   string // the folder of pictures; empty: none are taken
}

func newLooks(t *testing.T) *looks {
	t.Helper()
	l := &looks{
		auditor: browser.NewAuditor(t),
		long:    os.Getenv("HANDOFF_LONG") != "", sources: t.TempDir(), shots: os.Getenv("HANDOFF_SCREENSHOTS"),
	}
	if l.shots != "" {
		l.sources = filepath.Join(l.shots, "html")
		if err := os.MkdirAll(l.sources, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	l.langs = []string{"de", "ar"}
	if only := os.Getenv("HANDOFF_LANGUAGES"); only != "" {
		l.langs = strings.Fields(only)
		return l
	}
	if !l.long {
		return l
	}
	catalog, err := languages()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range catalog.Langs() {
		if lang != "en" && !slices.Contains(l.langs, string(lang)) {
			l.langs = append(l.langs, string(lang))
		}
	}
	return l
}

// view is one page in one state and language, as it stands in a browser.
type view struct {
	t    *testing.T
	page *browser.Page // the tab
	at   *browser.Page // the page itself: page, or a frame in it
	kept *keeper
	name string // such as "display waiting"
	lang string
}

// keeper stands before the portal and keeps the last page that a browser opened, as
// it was served.
type keeper struct {
	mu   sync.Mutex
	page []byte // guarded by mu
}

// put is the setting that puts k before the portal.
func (k *keeper) put(s *setting) {
	s.tune = func(srv *http.Server) { srv.Handler = k.over(srv.Handler) }
}

func (k *keeper) over(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade-Insecure-Requests") == "" { // nobody else says so
			next.ServeHTTP(w, r)
			return
		}
		r.Header.Del("Accept-Encoding")
		kept := &keeping{ResponseWriter: w}
		next.ServeHTTP(kept, r)
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			k.mu.Lock()
			k.page = kept.body.Bytes()
			k.mu.Unlock()
		}
	})
}

func (k *keeper) source() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.page
}

// keeping is one answer.
type keeping struct {
	http.ResponseWriter

	body bytes.Buffer
}

func (k *keeping) Write(b []byte) (int, error) {
	k.body.Write(b)
	return k.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (k *keeping) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// faults are told with the view that has them.
func (v view) faults(how string, list []string) {
	v.t.Helper()
	for _, fault := range list {
		v.t.Errorf("%s in %s, %s: %s", v.name, v.lang, how, fault)
	}
}

// resize changes the window, and waits for a frame to follow.
func (v view) resize(size browser.Trait) (back func()) {
	v.t.Helper()
	follow := func() {
		v.t.Helper()
		if v.at != v.page {
			v.at.WaitWidth(browser.Eval[int](v.page, `document.querySelector("iframe").clientWidth`))
		}
	}
	undo := v.page.As(size)
	follow()
	return func() {
		v.t.Helper()
		undo()
		follow()
	}
}

// slug is the view's name for a file.
func (v view) slug() string {
	return strings.Map(func(r rune) rune {
		if r == ' ' {
			return '-'
		}
		if r == ',' || r == '/' {
			return -1
		}
		return r
	}, v.name) + "." + v.lang
}

// unfold opens all that can be opened but the language menu, which covers others.
func unfold(p *browser.Page) {
	browser.Eval[bool](p, `(document.querySelectorAll("details").forEach((d) => d.open = d.dataset.testid !== "languages"), true)`)
}

// depth is how closely a view is looked at.
type depth int

const (
	glance  depth = iota // that all fits its own window
	checked              // by the checkers, and in the narrowest windows
	whole                // in every way
)

// narrow are the windows of 1.4.10 (320 pixels, and 400 % of 1280), the spacing of
// 1.4.12 and the text size of 1.4.4 (WCAG 2.2), and a tablet's.
func narrow() []window {
	return []window{
		{name: "320 pixels with text spacing", size: browser.Size(320, 800, 2), style: `* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-block-end: 2em !important }`},
		{name: "400 %", size: browser.Size(320, 256, 4), pictured: true},
		{name: "768 pixels", size: browser.Size(768, 800, 1)},
		{name: "320 pixels", size: browser.Size(320, 800, 2), pictured: true},
		{name: "text of 200 %", size: browser.Size(640, 800, 1), style: "html { font-size: 200% }"},
	}
}

// window is the size of one, and a person's own style in it.
type window struct {
	name     string
	size     browser.Trait
	style    string
	pictured bool
}

// look examines a view.
func (l *looks) look(v view, d depth) {
	v.t.Helper()
	if err := os.WriteFile(filepath.Join(l.sources, v.slug()+".html"), v.kept.source(), 0o600); err != nil {
		v.t.Fatal(err)
	}
	v.faults("in its own window", append(v.at.Unfit(), crowded(v.at)...))
	l.picture(v, "light", v.lang == "en" || v.lang == "ar")
	if d == glance {
		return
	}
	v.faults("light", l.auditor.Violations(v.at))
	ways := narrow()[:2]
	switch {
	case d == whole:
		ways = narrow()
		l.recolour(v)
	case l.long:
		ways = narrow()[:3]
	}
	for _, way := range ways {
		back := v.resize(way.size)
		v.at.Wear(way.style)
		v.faults(way.name, append(v.at.Unfit(), crowded(v.at)...))
		if d == whole && v.at.Has("languages") {
			browser.Eval[bool](v.at, `document.querySelector("[data-testid=languages]").open = true`)
			v.faults(way.name+", the language menu open", v.at.Unfit())
			browser.Eval[bool](v.at, `document.querySelector("[data-testid=languages]").open = false`)
		}
		l.picture(v, strings.Fields(way.name)[0], way.pictured && v.lang == "en")
		v.at.Wear("")
		back()
	}
}

// crowded are the names of steps that stand so close to the one before that both read
// as one.
func crowded(p *browser.Page) []string {
	return browser.Eval[[]string](p, `(() => {
		const boxes = [...document.querySelectorAll("#progress span")].filter((s) => s.checkVisibility() && getComputedStyle(s).clipPath === "none").map((s) => {
			const text = document.createRange();
			text.selectNodeContents(s);
			return {name: s.textContent, box: text.getBoundingClientRect()};
		});
		return boxes.slice(1).flatMap(({name, box}, i) => {
			const was = boxes[i].box, gap = Math.max(box.left - was.right, was.left - box.right);
			return gap < 12 ? [name + " is " + Math.round(gap) + " pixels beside the step before"] : [];
		});
	})()`)
}

// recolour examines the contrasts of a view in dark and in forced colours.
func (l *looks) recolour(v view) {
	v.t.Helper()
	for _, theme := range []struct {
		name  string
		trait browser.Trait
	}{{"dark", browser.Dark}, {"forced colours", browser.ForcedColors}} {
		back := v.at.As(theme.trait)
		v.faults(theme.name, l.auditor.Contrast(v.at))
		l.picture(v, strings.Fields(theme.name)[0], v.lang == "en")
		back()
	}
}

// depth is how closely a view in a language is looked at: with HANDOFF_LONG, three
// languages that between them are read both ways, and have long words, in every way.
func (l *looks) depth(lang string) depth {
	if (l.long || l.shots != "") && slices.Contains([]string{"en", "de", "ar"}, lang) {
		return whole
	}
	return checked
}

// inFrame is the same for a frame, where all is as on the display but the room.
func (l *looks) inFrame(lang string) depth {
	if l.long || l.shots != "" {
		return l.depth(lang)
	}
	return glance
}

// picture keeps a picture of the tab, if pictures are asked for: of all of the page
// where it is longer than the window. (A page written from right to left that is not
// is moved aside in a picture of all of it.)
func (l *looks) picture(v view, as string, wanted bool) {
	v.t.Helper()
	if l.shots == "" || !wanted {
		return
	}
	drawn := `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`
	browser.Eval[bool](v.at, drawn) // a frame is drawn apart from the page around it
	shot := v.page.Window
	if browser.Eval[bool](v.page, `document.documentElement.scrollHeight > innerHeight`) {
		shot = v.page.Screenshot
	}
	if err := os.WriteFile(filepath.Join(l.shots, v.slug()+"."+as+".png"), shot(), 0o600); err != nil {
		v.t.Fatal(err)
	}
}

// shown brings the page of a scene into the state to look at.
func (sc scene) shown(p *browser.Page) {
	if sc.stir != nil {
		sc.stir(p)
	}
	unfold(p)
	p.WaitVisible(sc.want)
}

// panelOf is the screen that a display shows.
func panelOf(p *browser.Page) string {
	return browser.Eval[string](p, `document.querySelector("section[data-screen]:not([hidden])").dataset.testid`)
}

// wantPanels checks that every screen of a display was seen, by name of the scene,
// unless only some scenes were asked for.
func wantPanels(t *testing.T, scenes map[string]string) {
	t.Helper()
	if len(scenes) < len(displayScenes()) && !t.Failed() {
		return
	}
	seen := map[string]bool{}
	for _, panel := range scenes {
		seen[panel] = true
	}
	t.Logf("the panels %q", slices.Sorted(maps.Keys(seen)))
	if want := newWorld(t).begin().open().page(t).Find("section[data-screen]").Length(); len(seen) != want {
		t.Errorf("saw %d panels, the display has %d", len(seen), want)
	}
}

// displays are every screen of the display, as it comes by itself and as it is loaded.
func (l *looks) displays(t *testing.T) {
	panels := map[string]string{}
	for _, sc := range displayScenes() {
		t.Run(sc.name, func(t *testing.T) {
			kept := &keeper{}
			s := newWorld(t, brief, kept.put, sc.setting).begin(sc.more)
			if sc.before != nil {
				sc.before(s)
			}
			page := l.browser.Desktop(t, append([]browser.Trait{browser.ReducedMotion}, sc.traits...)...)
			page.Navigate(s.made.DisplayURL)
			if sc.play != nil {
				page.WaitVisible("panel-waiting")
				sc.play(s)
			}
			sc.shown(page)
			page.Reload()
			page.WaitVisible("display")
			sc.shown(page)
			panels[sc.name] = panelOf(page)
			page.WantNoProblems(expectedOf(sc.status)...)
			s.clock.stop() // looking takes longer than some states last
			v := view{t: t, page: page, at: page, kept: kept, name: "display " + sc.name, lang: "en"}
			v.faults("told twice", twice(page.Controls()))
			l.look(v, l.depth("en"))
			for _, lang := range l.langs {
				page.Navigate(s.made.DisplayURL + "?lang=" + lang)
				sc.shown(page)
				l.look(view{t: t, page: page, at: page, kept: kept, name: "display " + sc.name, lang: lang}, l.depth(lang))
			}
		})
	}
	wantPanels(t, panels)
}

// twice are the controls whose role and name another one has too: who goes from button
// to button, by voice or by ear, could not tell them apart.
func twice(controls []string) []string {
	var list []string
	for i, name := range controls {
		if slices.Contains(controls[:i], name) {
			list = append(list, name)
		}
	}
	return list
}

// frames are every screen of the display in a frame of another site, as it comes by
// itself and as it is loaded. Neither the frame nor the page around it complains.
func (l *looks) frames(t *testing.T) {
	shop := newEmbedder(t)
	panels := map[string]string{}
	for _, sc := range displayScenes() {
		t.Run(sc.name, func(t *testing.T) {
			kept := &keeper{}
			w := newWorld(t, brief, kept.put, sc.setting, func(s *setting) { s.shop = shop.origin })
			s := w.begin(map[string]any{"parentOrigin": shop.origin, "returnUrl": shop.origin + "/done"}, sc.more)
			if sc.before != nil {
				sc.before(s)
			}
			page := l.browser.Desktop(t, append([]browser.Trait{browser.ReducedMotion}, sc.traits...)...)
			shows := func(id, query string) *browser.Page {
				page.Navigate(framing(shop.origin, s.made.DisplayURL+query))
				frame := page.Frame(s.made.DisplayURL)
				frame.WaitVisible(id)
				return frame
			}
			if sc.play != nil {
				frame := shows("panel-waiting", "")
				sc.play(s)
				sc.shown(frame)
				frame.WantNoProblems(expectedOf(sc.status)...)
			}
			frame := shows("display", "")
			sc.shown(frame)
			panels[sc.name] = panelOf(frame)
			frame.WantNoProblems(expectedOf(sc.status)...)
			page.WantNoProblems(expectedOf(sc.status)...)
			s.clock.stop()
			l.look(view{t: t, page: page, at: frame, kept: kept, name: "frame " + sc.name, lang: "en"}, l.inFrame("en"))
			if !l.long {
				return // all is as on the display but the room
			}
			for _, lang := range l.langs {
				frame := shows("display", "?lang="+lang)
				sc.shown(frame)
				l.look(view{t: t, page: page, at: frame, kept: kept, name: "frame " + sc.name, lang: lang}, l.inFrame(lang))
			}
		})
	}
	wantPanels(t, panels)
}

// phones are every page of a phone.
func (l *looks) phones(t *testing.T) {
	pages := map[string]bool{}
	for _, sc := range phoneScenes() {
		t.Run(sc.name, func(t *testing.T) {
			kept := &keeper{}
			walk := func(lang string) *browser.Page {
				s := newWorld(t, brief, kept.put, sc.setting).begin(sc.more)
				phone := l.browser.Phone(t, append([]browser.Trait{browser.ReducedMotion, browser.Agent(iPhone), browser.Languages(lang)}, sc.traits...)...)
				sc.walk(s, phone)
				sc.shown(phone)
				s.clock.stop()
				return phone
			}
			phone := walk("en")
			main := browser.Eval[string](phone, `document.querySelector("main").dataset.testid`)
			pages[main] = true
			phone.WantNoProblems(expectedOf(sc.status)...)
			l.look(view{t: t, page: phone, at: phone, kept: kept, name: "phone " + sc.name, lang: "en"}, l.depth("en"))
			for _, lang := range l.langs {
				// What answers a form has no menu, and is walked to once more.
				if phone.Has("languages") {
					phone.Navigate(browser.Eval[string](phone, `(() => {
						const entry = document.querySelector("[data-testid=languages] a");
						return entry.href.replace(/lang=[^&]+/, "lang=" + `+quoted(lang)+`);
					})()`))
					sc.shown(phone)
				} else {
					phone = walk(lang)
				}
				l.look(view{t: t, page: phone, at: phone, kept: kept, name: "phone " + sc.name, lang: lang}, l.depth(lang))
			}
		})
	}
	t.Logf("%d scenes of the pages %q", len(phoneScenes()), slices.Sorted(maps.Keys(pages)))
}

// validate holds the HTML of all that was looked at against the standard, by
// html-validate, and with HANDOFF_LONG by the Nu Html Checker, which is the W3C's.
func (l *looks) validate(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(l.sources, "*.html"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages to validate: %v", err)
	}
	t.Logf("%d pages looked at", len(files))
	rules := filepath.Join(l.sources, ".htmlvalidate.json")
	if err := os.WriteFile(rules, []byte(`{"root": true, "extends": ["html-validate:standard"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(browser.Modules(t, "npm"), "html-validate", "bin", "html-validate.mjs")
	answer := filepath.Join(l.sources, "answer.json")
	out, failed := exec.CommandContext(context.WithoutCancel(t.Context()), "node", bin, "--config", rules, "--formatter", "json="+answer, filepath.Join(l.sources, "*.html")).CombinedOutput()
	b, err := os.ReadFile(answer)
	if err != nil {
		t.Fatalf("html-validate: %v: %.500s", failed, out)
	}
	var found []struct {
		FilePath string
		Messages []struct {
			RuleID, Message, Selector string
			Line                      int
		}
	}
	if err := json.Unmarshal(b, &found); err != nil {
		t.Fatalf("html-validate answers %.500s: %v", b, err)
	}
	if failed != nil && len(found) == 0 {
		t.Fatalf("html-validate: %v: %.500s", failed, out)
	}
	for _, file := range found {
		for _, m := range file.Messages {
			t.Errorf("html-validate: %s line %d, %s: %s: %s", filepath.Base(file.FilePath), m.Line, m.RuleID, m.Message, m.Selector)
		}
	}
	if l.long {
		l.nu(t, files)
	}
}

// nu asks the Nu Html Checker. Errors count, not its hints.
func (l *looks) nu(t *testing.T, files []string) {
	t.Helper()
	jar := filepath.Join(browser.Modules(t, "npm-long"), "vnu-jar", "build", "dist", "vnu.jar")
	args := append([]string{"-Xss8m", "-jar", jar, "--format", "json", "--errors-only", "--stdout", "--exit-zero-always"}, files...)
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "java", args...).Output()
	if err != nil {
		t.Fatalf("the Nu Html Checker: %v: %.500s", err, out)
	}
	var answer struct {
		Messages []struct {
			Type, URL, Message, Extract string
			LastLine                    int
		}
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("the Nu Html Checker answers %.500s: %v", out, err)
	}
	for _, m := range answer.Messages {
		t.Errorf("the Nu Html Checker: %s line %d: %s: %s", filepath.Base(m.URL), m.LastLine, m.Message, m.Extract)
	}
	t.Logf("the Nu Html Checker read %d pages", len(files))
}
