package browser

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Engine is a browser with another engine than Chromium's, driven by W3C WebDriver
// commands. It has what a person with one window needs, and no more: everything
// beyond opening pages and frames is a script. Its methods end the test when they
// cannot do what they say.
type Engine struct {
	// Name is the engine's, for messages.
	Name string

	t     Reporter
	speak speaker
}

// speaker sends one command of WebDriver and returns the value of its answer.
type speaker interface {
	command(ctx context.Context, name string, params map[string]any) (json.RawMessage, error)
}

// Names of the commands, as Marionette has them.
const (
	cmdNavigate   = "WebDriver:Navigate"
	cmdScript     = "WebDriver:ExecuteScript"
	cmdFrame      = "WebDriver:SwitchToFrame"
	cmdScreenshot = "WebDriver:TakeScreenshot"
)

// elementKey is what names an element in a value (W3C WebDriver, §12).
const elementKey = "element-6066-11e4-a52e-4f735466cecf"

// Long skips the test, and says so, unless HANDOFF_LONG is set, as
// go run ./internal/check -long does.
func Long(t Reporter, what string) {
	t.Helper()
	if environment("HANDOFF_LONG") == "" {
		t.Skipf("SKIPPED %s: only with HANDOFF_LONG=1, as go run ./internal/check -long sets it", what)
	}
}

// Navigate opens an address, at top level, and waits until it has loaded.
func (e *Engine) Navigate(address string) {
	e.t.Helper()
	e.do(cmdNavigate, map[string]any{"url": address})
}

// Frame goes into the frame of this number in the present page, from 0 on.
func (e *Engine) Frame(index int) {
	e.t.Helper()
	e.do(cmdFrame, map[string]any{"id": index})
}

// Within goes into the frame that a JavaScript expression leads to, such as one in a
// shadow tree, which has no number.
func (e *Engine) Within(expression string) {
	e.t.Helper()
	var found map[string]string // the element's reference, under WebDriver's name for one
	value := e.do(cmdScript, map[string]any{"script": "return " + expression, "args": []any{}})
	if err := json.Unmarshal(value, &found); err != nil || found[elementKey] == "" {
		e.t.Fatalf("%s: %s leads to %s, want an element", e.Name, expression, value)
	}
	e.do(cmdFrame, map[string]any{"element": found[elementKey]})
}

// Top goes back out of all frames.
func (e *Engine) Top() {
	e.t.Helper()
	e.do(cmdFrame, map[string]any{"id": nil})
}

// Text returns the value of a JavaScript expression as a text, in the frame that
// the last Frame or Top went to.
func (e *Engine) Text(expression string) string {
	e.t.Helper()
	text, err := e.script(expression)
	if err != nil {
		e.t.Fatalf("%s: evaluating %s: %v", e.Name, expression, err)
	}
	return text
}

// TryText is Text for a page that may run no script at all, such as the browser's
// own about a blocked one: it is empty then.
func (e *Engine) TryText(expression string) string {
	text, err := e.script(expression)
	if err != nil {
		return ""
	}
	return text
}

// Wait waits until a JavaScript expression is true.
func (e *Engine) Wait(expression string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	for {
		if e.TryText(expression) == "true" {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			e.t.Fatalf("%s: waiting for %s: nothing after %s; the page reads %s", e.Name, expression, patience,
				e.TryText(`document.body ? document.body.innerText : ""`))
		}
	}
}

// WaitVisible waits until an element with this data-testid is there and visible.
func (e *Engine) WaitVisible(id string) {
	e.t.Helper()
	e.Wait(fmt.Sprintf(`[...document.querySelectorAll('%s')].some((e) => e.offsetParent !== null || e.getClientRects().length > 0)`, testID(id)))
}

// Window is what the window shows, as a PNG.
func (e *Engine) Window() []byte {
	e.t.Helper()
	var text string
	if err := json.Unmarshal(e.do(cmdScreenshot, map[string]any{"full": false}), &text); err != nil {
		e.t.Fatalf("%s: reading a picture: %v", e.Name, err)
	}
	picture, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		e.t.Fatalf("%s: reading a picture: %v", e.Name, err)
	}
	return picture
}

func (e *Engine) script(expression string) (string, error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	value, err := e.speak.command(ctx, cmdScript, map[string]any{"script": "return String(" + expression + ")", "args": []any{}})
	if err != nil {
		return "", err
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return "", fmt.Errorf("reading the value %s: %w", value, err)
	}
	return text, nil
}

func (e *Engine) do(name string, params map[string]any) json.RawMessage {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	value, err := e.speak.command(ctx, name, params)
	if err != nil {
		e.t.Fatalf("%s: %s: %v", e.Name, name, err)
	}
	return value
}

// Program finds a program that a test runs, or skips the test, or, where CI is set,
// fails it.
func Program(t Reporter, places ...string) string {
	t.Helper()
	for _, place := range places {
		if path, err := exec.LookPath(place); err == nil {
			return path
		}
	}
	const how = "go run ./internal/check -only tools -long installs it, or says how to"
	if inCI() {
		t.Fatalf("browser: no %s; %s", places[0], how)
	}
	t.Skipf("SKIPPED: no %s; %s", places[0], how)
	return ""
}

// launched starts a program that ends with the test, in a home of its own, with
// these additions to its environment.
func launched(t Reporter, home, path string, env, args []string, files ...*os.File) {
	t.Helper()
	cmd := exec.Command(path, args...) //nolint:gosec,noctx // found by its fixed name; it outlives the test's context, and ends below
	cmd.Env = append([]string{"PATH=" + environment("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "NO_AT_BRIDGE=1"}, env...)
	cmd.ExtraFiles = files
	if err := cmd.Start(); err != nil {
		t.Fatalf("browser: starting %s: %v", path, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
}

// home is a folder for one browser, gone after the test.
func home(t Reporter) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "handoff-browser-")
	if err != nil {
		t.Fatalf("browser: making a home: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // temporary: the system clears it otherwise
	return dir
}

// readWhenThere reads a file that a browser is about to write.
func readWhenThere(t Reporter, dir, name string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience) // a first start takes a while
	defer cancel()
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	for {
		text, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // in a folder of ours
		if err == nil && len(text) > 0 {
			return string(text)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("browser: %s did not appear", name)
		}
	}
}
