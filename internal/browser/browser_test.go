package browser_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/qr"
)

const link = "https://link.example/c/acme/4831?x=1"

// site is a small site with something of everything that the harness does.
func site(t *testing.T) *httptest.Server {
	t.Helper()
	code, err := qr.Encode(link)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := code.PNG(6)
	if err != nil {
		t.Fatal(err)
	}
	page := func(w http.ResponseWriter, status int, body string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'self'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; frame-src *")
		w.WriteHeader(status)
		fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>T</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><body>%s</body></html>`, body)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "who", Value: "me"})
		_, err := r.Cookie("who")
		page(w, http.StatusOK, fmt.Sprintf(`
			<style>@media (prefers-color-scheme: dark) { #dark { display: block !important } }
			@media (forced-colors: active) { #forced { display: block !important } }
			@media (prefers-reduced-motion: reduce) { #still { display: block !important } }</style>
			<p data-testid="agent">%s</p><p data-testid="languages">%s</p><p data-testid="known">%t</p>
			<p id="dark" hidden data-testid="dark">dark</p><p id="forced" hidden data-testid="forced">forced</p>
			<p id="still" hidden data-testid="still">still</p>
			<noscript><p data-testid="noscript">no script</p></noscript><p data-testid="script"></p>
			<img data-testid="qr" src="/qr.png" alt="">
			<form action="/said" method="post"><input data-testid="word" name="word"><button data-testid="say">Say</button></form>
			<a data-testid="gone" href="/gone">gone</a> <a data-testid="new" href="/said?word=tab" target="_blank">new</a>
			<script src="/app.js"></script>`,
			html.EscapeString(r.UserAgent()), html.EscapeString(r.Header.Get("Accept-Language")), err == nil))
	})
	mux.HandleFunc("/said", func(w http.ResponseWriter, r *http.Request) {
		page(w, http.StatusOK, `<p data-testid="said">`+html.EscapeString(r.FormValue("word"))+`</p>`)
	})
	mux.HandleFunc("GET /gone", func(w http.ResponseWriter, _ *http.Request) {
		page(w, http.StatusGone, `<h1 data-testid="sorry">Gone</h1>`)
	})
	mux.HandleFunc("GET /bad", func(w http.ResponseWriter, _ *http.Request) {
		page(w, http.StatusOK, `<p data-testid="bad">bad</p><script>document.title = "inline ran"</script>
			<img src="https://elsewhere.example/x.png" alt=""><script src="/throws.js"></script>`)
	})
	mux.HandleFunc("GET /wide", func(w http.ResponseWriter, _ *http.Request) {
		page(w, http.StatusOK, `<div style="width: 500px">wide</div>`)
	})
	mux.HandleFunc("GET /frames", func(w http.ResponseWriter, r *http.Request) {
		page(w, http.StatusOK, `<iframe src="`+html.EscapeString(r.FormValue("of"))+`"></iframe>`)
	})
	mux.HandleFunc("GET /qr.png", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(picture)
	})
	script := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, text)
		}
	}
	mux.HandleFunc("GET /app.js", script(`let text = "script ran";
try { localStorage.setItem("a", "b") } catch { text += ", storage refused" }
document.querySelector("[data-testid=script]").textContent = text`))
	mux.HandleFunc("GET /throws.js", script(`console.error("a complaint"); throw new Error("thrown")`))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

func TestPeople(t *testing.T) {
	b := browser.New(t)
	home := site(t).URL + "/"
	desk := b.Desktop(t, browser.Languages("fr-CH,fr"))
	phone := b.Phone(t)
	android := b.Phone(t, browser.Android)

	for _, test := range []struct {
		name  string
		page  *browser.Page
		agent string
		width int
		touch bool
	}{
		{"desktop", desk, "Windows NT", 1280, false},
		{"phone", phone, "iPhone", 390, true},
		{"android", android, "Android", 390, true},
	} {
		if got := test.page.Navigate(home); got != http.StatusOK {
			t.Errorf("%s: Navigate = %d, want 200", test.name, got)
		}
		if got := test.page.Text("agent"); !strings.Contains(got, test.agent) {
			t.Errorf("%s: the server saw the agent %q, want %q in it", test.name, got, test.agent)
		}
		if got := browser.Eval[int](test.page, "innerWidth"); got != test.width {
			t.Errorf("%s: innerWidth = %d, want %d", test.name, got, test.width)
		}
		if got := browser.Eval[int](test.page, "navigator.maxTouchPoints") > 0; got != test.touch {
			t.Errorf("%s: touch = %t, want %t", test.name, got, test.touch)
		}
		if got := test.page.Text("known"); got != "false" {
			t.Errorf("%s: the server knew a new person's cookie: %s", test.name, got)
		}
		test.page.WantNoProblems()
	}
	if got := desk.Text("languages"); !strings.HasPrefix(got, "fr-CH,fr") {
		t.Errorf("Accept-Language = %q, want it to begin with fr-CH,fr", got)
	}
	desk.Reload()
	if got := desk.Text("known"); got != "true" {
		t.Errorf("after a reload the server knows the cookie: %s, want true", got)
	}
	if diff := cmp.Diff([]string{"who"}, desk.Cookies()); diff != "" {
		t.Errorf("Cookies differ (-want +got):\n%s", diff)
	}
}

func TestActions(t *testing.T) {
	b := browser.New(t)
	home := site(t).URL
	for name, page := range map[string]*browser.Page{"desktop": b.Desktop(t), "phone": b.Phone(t)} {
		page.Navigate(home)
		page.WaitText("script", "script ran")
		page.WaitGone("dark")
		if got := browser.DecodeQR(t, page.Picture("qr")); got != link {
			t.Errorf("%s: DecodeQR = %q, want %q", name, got, link)
		}
		if got := browser.DecodeQR(t, page.Screenshot()); got != link {
			t.Errorf("%s: DecodeQR of the whole page = %q, want %q", name, got, link)
		}
		popup := page.Popup("new")
		if got := popup.Text("said"); got != "tab" {
			t.Errorf("%s: the popup says %q, want tab", name, got)
		}
		page.Type("word", "hello")
		if got := page.Follow("say"); got != http.StatusOK || page.Text("said") != "hello" {
			t.Errorf("%s: Follow = %d and the page says %q, want 200 and hello", name, got, page.Text("said"))
		}
		if page.Has("word") || !page.Has("said") {
			t.Errorf("%s: Has(word) = %t, Has(said) = %t after following, want false, true", name, page.Has("word"), page.Has("said"))
		}
		page.Navigate(home)
		if got := page.Attribute("gone", "href"); got != "/gone" {
			t.Errorf("%s: Attribute = %q, want /gone", name, got)
		}
		if got := page.Follow("gone"); got != http.StatusGone || page.URL() != home+"/gone" || page.Title() != "T" {
			t.Errorf("%s: Follow = %d to %s, want 410 to /gone", name, got, page.URL())
		}
		page.WantNoProblems("410")
		page.Navigate(home)
		tab := page.Tab()
		tab.Navigate(home)
		if got := tab.Text("known"); got != "true" {
			t.Errorf("%s: a second tab's cookie is known: %s, want true", name, got)
		}
	}
}

func TestTraits(t *testing.T) {
	b := browser.New(t)
	srv := site(t)
	all := []string{"dark", "forced", "still", "noscript"}
	for _, test := range []struct {
		name   string
		traits []browser.Trait
		want   []string
	}{
		{"none", nil, nil},
		{"dark", []browser.Trait{browser.Dark}, []string{"dark"}},
		{"forced colours", []browser.Trait{browser.ForcedColors}, []string{"forced"}},
		{"reduced motion", []browser.Trait{browser.ReducedMotion}, []string{"still"}},
		{"no script", []browser.Trait{browser.NoScript}, []string{"noscript"}},
		{"two", []browser.Trait{browser.Dark, browser.NoScript}, []string{"dark", "noscript"}},
	} {
		page := b.Desktop(t, test.traits...)
		page.Navigate(srv.URL)
		var got []string
		for _, id := range all {
			shown := fmt.Sprintf(`[...document.querySelectorAll("[data-testid=%s]")].some((e) => e.checkVisibility())`, id)
			if browser.Eval[bool](page, shown) {
				got = append(got, id)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: the page shows otherwise (-want +got):\n%s", test.name, diff)
		}
		script := browser.Eval[string](page, `document.querySelector("[data-testid=script]").textContent`)
		if ran, want := script != "", !slices.Contains(test.want, "noscript"); ran != want {
			t.Errorf("%s: the page's script ran: %t, want %t", test.name, ran, want)
		}
	}
	narrow := b.Desktop(t, browser.Size(320, 256, 4), browser.Agent("Test/1"))
	narrow.Navigate(srv.URL)
	if got := narrow.Text("agent"); got != "Test/1" {
		t.Errorf("the server saw the agent %q, want Test/1", got)
	}
	if got := browser.Eval[string](narrow, "`${innerWidth}x${innerHeight}@${devicePixelRatio}`"); got != "320x256@4" {
		t.Errorf("the window is %s, want 320x256@4", got)
	}
	narrow.Navigate(srv.URL + "/wide")
	if got := narrow.Overflow(); got < 180 {
		t.Errorf("Overflow of 500 px in 320 = %d, want 180 or more", got)
	}
	narrow.Navigate(srv.URL + "/gone")
	if got := narrow.Overflow(); got != 0 {
		t.Errorf("Overflow of a narrow page = %d, want 0", got)
	}
}

func TestBlockCookies(t *testing.T) {
	page := browser.New(t, browser.BlockCookies).Desktop(t)
	page.Navigate(site(t).URL)
	page.WaitText("script", "storage refused")
	page.Reload()
	if got := page.Text("known"); got != "false" {
		t.Errorf("with cookies blocked, the server knows the cookie: %s, want false", got)
	}
	if got := page.Cookies(); len(got) != 0 {
		t.Errorf("with cookies blocked, Cookies = %q, want none", got)
	}
}

// Each kind of problem has to be seen, or pages with it would pass.
func TestProblems(t *testing.T) {
	b := browser.New(t)
	srv := site(t)
	page := b.Desktop(t)
	page.Navigate(srv.URL + "/bad")
	page.WaitVisible("bad")
	got := strings.Join(page.Problems(), "\n")
	for _, want := range []string{
		"console: a complaint",
		"exception: Uncaught Error: thrown",
		"content security policy: script-src-elem violated",
		"elsewhere.example",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("Problems = %s\nwant in it: %q", got, want)
		}
	}
	if page.Title() != "T" {
		t.Errorf("the inline script ran: the title is %q", page.Title())
	}
	all := len(page.Problems())
	if rest := page.Problems("a complaint"); len(rest) != all-1 {
		t.Errorf("Problems with one expected = %d of %d, want one less", len(rest), all)
	}
}

func TestFrame(t *testing.T) {
	srv := site(t)
	other := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	page := browser.New(t).Desktop(t)
	page.Navigate(srv.URL + "/frames?of=" + other + "/bad")
	frame := page.Frame(other)
	frame.WaitVisible("bad")
	if got := strings.Join(frame.Problems(), "\n"); !strings.Contains(got, "thrown") {
		t.Errorf("Problems of the frame = %s, want the exception in it", got)
	}
	page.Navigate(srv.URL + "/frames?of=" + other + "/")
	frame = page.Frame(other)
	if got := frame.Follow("say"); got != http.StatusOK {
		t.Errorf("Follow in a frame = %d, want 200", got)
	}
	frame.WaitVisible("said")
}

func TestMapHost(t *testing.T) {
	srv := site(t)
	b := browser.New(t, browser.MapHost("portal.example", strings.TrimPrefix(srv.URL, "http://")))
	page := b.Phone(t)
	if got := page.Navigate("http://portal.example/"); got != http.StatusOK {
		t.Errorf("Navigate to a mapped host = %d, want 200", got)
	}
	if got := page.URL(); got != "http://portal.example/" {
		t.Errorf("URL = %q, want the mapped host's", got)
	}
}

// reporter stands in for a test and remembers how it was ended.
type reporter struct {
	*testing.T

	ended string
}

func (r *reporter) Fatalf(format string, args ...any) { r.end("failed", format, args) }
func (r *reporter) Skipf(format string, args ...any)  { r.end("skipped", format, args) }

func (r *reporter) Context() context.Context { return r.T.Context() }

func (r *reporter) end(how, format string, args []any) {
	r.ended = how + ": " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// ending runs fn as a test would run and returns how it ended.
func ending(t *testing.T, fn func(browser.Reporter)) string {
	t.Helper()
	r := &reporter{T: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(r)
	}()
	<-done
	return r.ended
}

// Without a browser nothing passes: the test is skipped where somebody reads
// that, and fails where nobody does.
func TestWithoutBrowser(t *testing.T) {
	browser.Unwatched(t)
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HANDOFF_CHROMIUM", "")
	start := func(r browser.Reporter) { browser.New(r) }
	for _, test := range []struct{ ci, want string }{
		{"", "skipped: browser: no Chromium"},
		{"false", "skipped: browser: no Chromium"},
		{"true", "failed: browser: no Chromium"},
	} {
		t.Setenv("CI", test.ci)
		if got := ending(t, start); !strings.HasPrefix(got, test.want) {
			t.Errorf("New with CI=%q ended %q, want %q", test.ci, got, test.want)
		}
	}
	t.Setenv("HANDOFF_CHROMIUM", "nosuch-browser")
	if got := ending(t, start); !strings.Contains(got, "nosuch-browser") {
		t.Errorf("New with a wrong HANDOFF_CHROMIUM ended %q, want its name in it", got)
	}
}

func TestDecodeQRFails(t *testing.T) {
	for _, picture := range [][]byte{nil, []byte("no picture")} {
		got := ending(t, func(r browser.Reporter) { browser.DecodeQR(r, picture) })
		if !strings.HasPrefix(got, "failed") {
			t.Errorf("DecodeQR(%q) ended %q, want a failure", picture, got)
		}
	}
	code, err := qr.Encode(link)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := code.PNG(4)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	t.Setenv("CI", "true")
	got := ending(t, func(r browser.Reporter) { browser.DecodeQR(r, picture) })
	if !strings.Contains(got, "zbarimg is missing") {
		t.Errorf("DecodeQR without zbarimg in CI ended %q, want a failure that says so", got)
	}
}
