package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Firefox starts a headless Firefox that ends with the test. With refuse it takes no
// cookies and gives no storage, as a person can set it to. It speaks Marionette, the
// protocol below geckodriver, which Debian does not have.
func Firefox(t Reporter, refuse bool) *Engine {
	t.Helper()
	path := Program(t, "firefox-esr", "firefox")
	dir := home(t)
	settings := "user_pref(\"marionette.port\", 0);\nuser_pref(\"browser.shell.checkDefaultBrowser\", false);\n"
	if refuse {
		settings += "user_pref(\"network.cookie.cookieBehavior\", 2);\n" // BEHAVIOR_REJECT
	}
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(settings), 0o600); err != nil {
		t.Fatalf("browser: writing Firefox's settings: %v", err)
	}
	launched(t, dir, path, nil, []string{"--headless", "--marionette", "--no-remote", "--profile", dir})
	port := strings.TrimSpace(readWhenThere(t, dir, "MarionetteActivePort"))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatalf("browser: reaching Firefox: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // both ends go
	m := &marionette{conn: conn, in: bufio.NewReader(conn)}
	e := &Engine{Name: "Firefox", t: t, speak: m}
	if _, err := m.receive(); err != nil { // its greeting
		t.Fatalf("browser: greeting Firefox: %v", err)
	}
	e.do("WebDriver:NewSession", map[string]any{})
	return e
}

// marionette is a connection to Firefox: messages are JSON with their length before
// them, a command [0, id, name, params], an answer [1, id, error, result].
type marionette struct {
	conn net.Conn
	in   *bufio.Reader
	last int // id of the last command
}

func (m *marionette) command(ctx context.Context, name string, params map[string]any) (json.RawMessage, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(patience)
	}
	if err := m.conn.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("setting a deadline: %w", err)
	}
	m.last++
	message, err := json.Marshal([]any{0, m.last, name, params})
	if err != nil {
		return nil, fmt.Errorf("encoding a command: %w", err)
	}
	if _, err := fmt.Fprintf(m.conn, "%d:%s", len(message), message); err != nil {
		return nil, fmt.Errorf("sending a command: %w", err)
	}
	answer, err := m.receive()
	if err != nil {
		return nil, err
	}
	var parts [4]json.RawMessage
	if err := json.Unmarshal(answer, &parts); err != nil {
		return nil, fmt.Errorf("decoding an answer: %w", err)
	}
	if string(parts[2]) != "null" {
		return nil, fmt.Errorf("firefox answers %s", parts[2])
	}
	var result struct{ Value json.RawMessage }
	if err := json.Unmarshal(parts[3], &result); err != nil {
		return nil, fmt.Errorf("decoding a result: %w", err)
	}
	return result.Value, nil
}

func (m *marionette) receive() ([]byte, error) {
	length, err := m.in.ReadString(':')
	if err != nil {
		return nil, fmt.Errorf("reading a length: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil {
		return nil, fmt.Errorf("reading a length: %w", err)
	}
	message := make([]byte, n)
	if _, err := io.ReadFull(m.in, message); err != nil {
		return nil, fmt.Errorf("reading a message: %w", err)
	}
	return message, nil
}
