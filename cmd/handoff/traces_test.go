package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/phone"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

// collector takes traces by OTLP over HTTP.
type collector struct {
	*httptest.Server

	mu    sync.Mutex
	raw   []byte         // guarded by mu; all that came
	names map[string]int // guarded by mu; of spans
}

const collectorLogin = "Bearer login-of-the-collector"

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{names: make(map[string]int)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var data tracepb.TracesData
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &data) != nil {
			t.Errorf("%s %s is no export of traces (%v)", r.Method, r.URL, err)
		}
		if got := r.Header.Get("Authorization"); got != collectorLogin {
			t.Errorf("the collector was shown %q, want %q", got, collectorLogin)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw = append(c.raw, body...)
		for _, resource := range data.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					c.names[span.GetName()]++
				}
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// loose is the stand-in platform, and a note of every token it gives away.
type loose struct {
	*httptest.Server

	mu     sync.Mutex
	tokens map[string]string // guarded by mu; by the member that held it
}

func newLoose(t *testing.T) *loose {
	t.Helper()
	l := &loose{tokens: make(map[string]string)}
	sim := platformsim.New(platformsim.Options{})
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept := httptest.NewRecorder()
		sim.ServeHTTP(kept, r)
		var answer map[string]any
		if json.Unmarshal(kept.Body.Bytes(), &answer) == nil {
			l.mu.Lock()
			for _, member := range []string{"access_token", "connectToken", "endUserToken"} {
				if token, ok := answer[member].(string); ok {
					l.tokens[member] = token
				}
			}
			l.mu.Unlock()
		}
		maps.Copy(w.Header(), kept.Header())
		w.WriteHeader(kept.Code)
		_, _ = w.Write(kept.Body.Bytes())
	}))
	t.Cleanup(l.Close)
	return l
}

// With traces: in its settings, a served portal tells the collector of a whole story,
// from the order to the last message, and nothing that opens anything.
func TestServeTraces(t *testing.T) {
	collected, platform, box := newCollector(t), newLoose(t), newMailbox(t, http.StatusOK)
	port, key, values := fourPorts(t), partner.NewKey(), settingsEnv()
	secrets := map[string]string{
		"the partner key": key.Reveal(), "the server key": values("HANDOFF_KEY"), "the webhook secret": boxSecret, "the collector's login": collectorLogin,
	}
	env := func(name string) string {
		switch name {
		case "HOOK":
			return boxSecret
		case "COLLECTOR":
			return collectorLogin
		}
		return values(name)
	}
	text := fmt.Sprintf(settings, port, port+1, platform.URL+"/v2/captain", platform.URL, partner.KeyHashText(key)) +
		fmt.Sprintf("    webhooks:\n      - {url: %q, secrets: [env:HOOK]}\n", box.URL) +
		fmt.Sprintf("egress_allow: [127.0.0.0/8]\ntraces: {url: %q, headers: {Authorization: env:COLLECTOR}}\n", collected.URL+"/v1/traces")
	heard, stop, ended := startServe(t, env, "--config", writeSettings(t, text))
	awaitLog(t, heard, "serving")

	public := fmt.Sprintf("http://127.0.0.1:%d", port)
	display := create(t, public, key.Reveal())
	secrets["the display key"] = display[strings.LastIndexByte(display, '/')+1:]
	desk := newPerson(t, "desk")
	desk.get(display)
	_, picture := desk.get(display + "/qr.png")
	code := filepath.Join(t.TempDir(), "code.png")
	if err := os.WriteFile(code, []byte(picture), 0o600); err != nil {
		t.Fatal(err)
	}
	link, err := phone.ReadPicture(strings.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	secrets["the code"], _, _ = strings.Cut(link[strings.LastIndexByte(link, '/')+1:], ".")
	if out, err := call(t, "phone", code, "--yes", "--finish"); err != nil {
		t.Fatalf("run(phone) = %v, %s", err, out)
	}
	for !strings.Contains(box.all(), "handoff.completed") {
		box.await(t)
	}
	stop()
	for range heard {
	}
	if err := <-ended; err != nil {
		t.Errorf("run(serve) = %v, want nil", err)
	}

	collected.mu.Lock()
	defer collected.mu.Unlock()
	for _, want := range []string{
		"POST /v1/handoffs", "GET /h/:key", "POST /v1/claims", "POST /v1/claims/:claim/token", "store create", "store update",
		"platform start", "platform connect", "platform state", "webhook deliver",
	} {
		if collected.names[want] == 0 {
			t.Errorf("no span is %q; there are %q", want, slices.Sorted(maps.Keys(collected.names)))
		}
	}
	platform.mu.Lock()
	defer platform.mu.Unlock()
	if len(platform.tokens) != 3 {
		t.Fatalf("the platform gave away %d kinds of tokens, want 3", len(platform.tokens))
	}
	maps.Copy(secrets, platform.tokens)
	for what, secret := range secrets {
		for how, written := range map[string]string{
			"as it is": secret, "in a query": url.QueryEscape(secret), "in hex": hex.EncodeToString([]byte(secret)),
			"in base64": base64.RawStdEncoding.EncodeToString([]byte(secret)), "in base64url": base64.RawURLEncoding.EncodeToString([]byte(secret)),
		} {
			if bytes.Contains(collected.raw, []byte(written)) {
				t.Errorf("the collector was told %s, %s", what, how)
			}
		}
	}
}
