// Package browser drives a real Chromium for the tests of our pages.
//
// One Browser is one Chromium. Each person in a test, the one at the desktop
// and the one with the phone, is a Page of their own with cookies and storage
// that the others do not see:
//
//	b := browser.New(t)
//	desk := b.Desktop(t)
//	desk.Navigate(handoff.DisplayURL)
//	link := browser.DecodeQR(t, desk.Picture("qr"))
//	phone := b.Phone(t, browser.Dark)
//	phone.Navigate(link)
//	phone.Follow("continue")
//	desk.WaitText("status", "Is this your phone?")
//	desk.WantNoProblems()
//
// Elements are named by their data-testid attribute. Every method ends the test
// with what went wrong, so that none returns an error. There is no method that
// sleeps, and none that cuts the network: an open stream survives a browser's
// offline switch, so cut the server's side.
//
// The browser reaches this machine only: every other host does not exist for
// it, so that a page which loads something from elsewhere fails its test.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// patience bounds every single action. It is no expectation: it is only there
// so that a test which waits for what never comes ends with a message.
const patience = time.Minute

// Reporter is the part of testing.TB that this package uses. A *testing.T is
// one; a program that takes screenshots can bring its own.
type Reporter interface {
	Helper()
	Context() context.Context
	Cleanup(fn func())
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Browser is one headless Chromium. It lives until the test that started it
// ends.
type Browser struct {
	ctx     context.Context // of chromedp: it is the browser's handle
	launch  launch
	profile string // a folder; empty: the driver's own
}

// Setting changes how a Browser starts.
type Setting func(*launch)

type launch struct {
	hosts   []string // rules for --host-resolver-rules
	refused string   // cookie settings of the profile, as JSON members
	agent   string
	kept    bool
}

// MapHost makes the browser reach host, such as link.example, at address, such
// as 127.0.0.1:8080, so that a test can have several sites by name.
func MapHost(host, address string) Setting {
	return func(l *launch) { l.hosts = append(l.hosts, "MAP "+host+" "+address) }
}

// BlockCookies makes the browser refuse all cookies and all storage, as a
// person can in its settings: a Set-Cookie is ignored, and localStorage throws.
func BlockCookies(l *launch) { l.refused = `"default_content_setting_values":{"cookies":2}` }

// BlockFrames makes the browser refuse all cookies and all storage to frames of the
// host inner in pages of the host outer, and to nobody else.
func BlockFrames(inner, outer string) Setting {
	return func(l *launch) {
		l.refused = fmt.Sprintf(`"content_settings":{"exceptions":{"cookies":{"%s,%s":{"setting":2}}}}`, inner, outer)
	}
}

// Named makes the browser send this User-Agent from its first request on, also in
// the tabs that a page opens, whose first request comes before Trait can change it.
// The client hints of that request still tell of the engine.
func Named(agent string) Setting {
	return func(l *launch) { l.agent = agent }
}

// New starts a Chromium and ends it with the test. Where there is none the test
// is skipped and says so, or, where CI is set, fails. With the race detector it is
// skipped, too. HANDOFF_CHROMIUM names the
// program; otherwise it is the first of the usual names on the PATH. Best is the
// headless shell, which has the engine without windows of its own, and takes a third
// of the time; a person's settings want the whole browser.
func New(t Reporter, settings ...Setting) *Browser {
	t.Helper()
	Unwatched(t)
	var l launch
	for _, set := range settings {
		set(&l)
	}
	profile, err := l.profile(t)
	if err != nil {
		t.Fatalf("browser: %v", err)
	}
	return start(t, l, profile)
}

func start(t Reporter, l launch, profile string) *Browser {
	t.Helper()
	path, err := l.program()
	if err != nil {
		if inCI() {
			t.Fatalf("browser: %v", err)
		}
		t.Skipf("browser: %v", err)
	}
	// Not the test's own context: that ends before the test's cleanups do, and
	// those may want a last look at a page.
	alloc, release := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), l.flags(path, profile)...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		cancel()
		release()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("browser: starting %s: %v", path, err)
	}
	return &Browser{ctx: ctx, launch: l, profile: profile}
}

// Unwatched skips a test where the race detector watches: the browser's driver
// reads a frame's nodes without its own lock (chromedp v0.23.0, Target.domEvent),
// which would now and then fail a test of ours.
func Unwatched(t Reporter) {
	t.Helper()
	if raced {
		t.Skipf("browser: not with the race detector, whose findings are the driver's own")
	}
}

// flags are the command line. Chromium's sandbox needs rights that containers
// lack; it opens our own pages here and nothing else.
func (l launch) flags(path, profile string) []chromedp.ExecAllocatorOption {
	rules := append(l.hosts, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1", "EXCLUDE localhost", "EXCLUDE *.localhost")
	options := append(
		chromedp.DefaultExecAllocatorOptions[:], // an array: this copies it
		chromedp.ExecPath(path),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("site-per-process", true), // the shell by itself holds frames of other sites within their page
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", strings.Join(rules, ",")),
	)
	if l.agent != "" {
		options = append(options, chromedp.UserAgent(l.agent))
	}
	if profile != "" {
		options = append(options, chromedp.UserDataDir(profile))
	}
	return options
}

// profile makes a folder for what the browser keeps, if that is asked for, and in it
// the settings of a person who refuses cookies.
func (l launch) profile(t Reporter) (string, error) {
	if l.refused == "" && !l.kept {
		return "", nil
	}
	dir, err := os.MkdirTemp("", "handoff-browser-")
	if err != nil {
		return "", fmt.Errorf("making a profile: %w", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // temporary: the system clears it otherwise
	if l.kept {
		return dir, nil
	}
	if err := os.Mkdir(filepath.Join(dir, "Default"), 0o700); err != nil {
		return "", fmt.Errorf("making a profile: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Default", "Preferences"), []byte(`{"profile":{`+l.refused+`}}`), 0o600); err != nil {
		return "", fmt.Errorf("making a profile: %w", err)
	}
	return dir, nil
}

// program returns the path of a Chromium.
func (l launch) program() (string, error) {
	if name := environment("HANDOFF_CHROMIUM"); name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("HANDOFF_CHROMIUM: %w", err)
		}
		return path, nil
	}
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
	if l.refused == "" {
		names = append([]string{"chromium-headless-shell", "chrome-headless-shell"}, names...)
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no Chromium on the PATH; %s", remedy)
}

const remedy = "go run ./internal/check -only tools installs it, or says how to"

// inCI reports whether nobody is there to read that something was skipped.
func inCI() bool {
	ci := environment("CI")
	return ci != "" && ci != "false"
}

func environment(name string) string {
	return os.Getenv(name) //nolint:forbidigo // tests have no configuration file
}
