package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// WebKit starts WebKitGTK's MiniBrowser, on a screen of its own, that ends with the
// test. With refuse it takes no cookies. It speaks W3C WebDriver over HTTP.
func WebKit(t Reporter, refuse bool) *Engine {
	t.Helper()
	driver := Program(t, "WebKitWebDriver")
	screen := Program(t, "Xvfb")
	mini := Program(t, "MiniBrowser", "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser", "/usr/lib/aarch64-linux-gnu/webkit2gtk-4.1/MiniBrowser")
	dir := home(t)
	display := startScreen(t, dir, screen)
	port := freePort(t)
	launched(t, dir, driver, []string{"DISPLAY=" + display}, []string{"--port=" + port})

	w := &webDriver{base: "http://127.0.0.1:" + port + "/session"}
	e := &Engine{Name: "WebKit", t: t, speak: w}
	args := []string{"--automation"}
	if refuse {
		args = append(args, "--cookies-policy=never")
	}
	w.open(t, map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"webkitgtk:browserOptions": map[string]any{"binary": mini, "args": args},
	}}})
	return e
}

// startScreen starts an X server on the next free number, and returns its name.
func startScreen(t Reporter, dir, path string) string {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatalf("browser: making a pipe: %v", err)
	}
	defer func() { _ = read.Close() }() // nothing more is written
	launched(t, dir, path, nil, []string{"-displayfd", "3", "-screen", "0", "1280x1000x24", "-nolisten", "tcp"}, write)
	_ = write.Close() // the X server has its own
	if err := read.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatalf("browser: waiting for a screen: %v", err)
	}
	var number string
	if _, err := fmt.Fscan(read, &number); err != nil {
		t.Fatalf("browser: waiting for a screen: %v", err)
	}
	return ":" + number
}

func freePort(t Reporter) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("browser: finding a port: %v", err)
	}
	defer func() { _ = l.Close() }() // it was never used
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// webDriver is a session of a WebDriver server (W3C WebDriver, §6).
type webDriver struct {
	base   string // of sessions, and then of the session
	client http.Client
}

// open begins the session, as soon as the server listens.
func (w *webDriver) open(t Reporter, capabilities map[string]any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience) // a first start takes a while
	defer cancel()
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	for {
		value, err := w.send(ctx, http.MethodPost, "", capabilities)
		if err == nil {
			var session struct{ SessionID string }
			if err := json.Unmarshal(value, &session); err != nil || session.SessionID == "" {
				t.Fatalf("browser: WebKit's session is %s", value)
			}
			w.base += "/" + session.SessionID
			t.Cleanup(func() {
				end, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
				defer cancel()
				_, _ = w.send(end, http.MethodDelete, "", nil) // the driver is killed anyway
			})
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("browser: starting WebKit: %v", err)
		}
	}
}

func (w *webDriver) command(ctx context.Context, name string, params map[string]any) (json.RawMessage, error) {
	switch name {
	case cmdNavigate:
		return w.send(ctx, http.MethodPost, "/url", params)
	case cmdScript:
		return w.send(ctx, http.MethodPost, "/execute/sync", params)
	case cmdFrame:
		if element, ok := params["element"]; ok { // as Marionette has it
			params = map[string]any{"id": map[string]any{elementKey: element}}
		}
		return w.send(ctx, http.MethodPost, "/frame", params)
	case cmdScreenshot:
		return w.send(ctx, http.MethodGet, "/screenshot", nil)
	}
	return nil, fmt.Errorf("no such command: %s", name)
}

func (w *webDriver) send(ctx context.Context, method, path string, params map[string]any) (json.RawMessage, error) {
	body, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("encoding a command: %w", err)
	}
	if params == nil {
		body = nil
	}
	r, err := http.NewRequestWithContext(ctx, method, w.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making a command: %w", err)
	}
	res, err := w.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("sending a command: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("decoding an answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("webkit answers %d %s", res.StatusCode, strings.TrimSpace(string(answer.Value)))
	}
	return answer.Value, nil
}
