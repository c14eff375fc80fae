package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/browser"
)

// The path of a new engineer: the quick start, copied step by step, against a
// portal that was just started.
func (g *guided) testQuickStart(t *testing.T, port string) {
	b := browser.New(t)
	shop := "http://localhost:" + port
	sh := newShell(t, g)
	step := func(name string, want ...string) string {
		t.Helper()
		code := strings.ReplaceAll(g.sample(t, name), "http://localhost:8000", shop)
		if name == "key.sh" {
			code += "\n" + g.key.Reveal() // pasted when it asks for it
		}
		got := sh.paste(code)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s printed\n%s\nwant %q in it", name, got, w)
			}
		}
		return got
	}
	desk := b.Desktop(t)

	step("key.sh", "Paste the partner key")
	step("create.sh", `"status": "created"`, g.public+"/h/")
	desk.Navigate(strings.TrimSpace(step("display.sh", g.public+"/h/")))
	desk.WaitVisible("panel-waiting")
	step("phone.sh", "end-user token")
	desk.WaitVisible("panel-delivered")
	step("status.sh", `"status": "delivered"`, `"route": "qr"`, `"class": "mobile"`)
	step("complete.sh", `"completed"`)
	desk.WaitVisible("panel-completed")
	step("cancel.sh", `"cancelled"`)

	step("frame.sh")
	serve := exec.CommandContext(t.Context(), "bash", "-c", strings.Replace(g.sample(t, "serve.sh"), "8000", port, 1))
	serve.Dir = sh.dir
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = serve.Process.Kill(); _ = serve.Wait() }()
	listening(t, port)
	desk.Navigate(shop + "/shop.html")
	desk.Frame(g.public + "/h/").WaitVisible("panel-waiting")
	step("framed.sh", "end-user token", `"completed"`)
	for late := time.After(time.Minute); !strings.HasPrefix(desk.URL(), shop+"/done.html?"); {
		select {
		case <-late: // rather than for ever
			t.Fatalf("the shop is at %s, want its done.html", desk.URL())
		default:
		}
	}
	if at, err := url.Parse(desk.URL()); err != nil || at.Query().Get("order") != "8" || at.Query().Get("status") != "completed" {
		t.Errorf("the shop went on to %s, want the order and the status in it", desk.URL())
	}
}

// What whoever runs the portal types about webhooks.
func (g *guided) testReplay(t *testing.T) {
	sh := newShell(t, g)
	sh.paste("HANDOFF_PARTNER_KEY=" + g.key.Reveal() + "\n" + g.sample(t, "create.sh"))
	ref := strings.TrimSpace(sh.paste("jq -r .supportRef handoff.json"))
	got := sh.paste(strings.ReplaceAll(g.sample(t, "replay.sh"), "7K3QXF", ref))
	if !strings.Contains(got, "created") {
		t.Errorf("replay.sh printed\n%s\nwant the notice of the handoff", got)
	}
}

// A web app's server redeems the pickup that its page was opened with.
func (g *guided) testRedeem(t *testing.T) {
	needProgram(t, "python3")
	desk, hand := newPerson(t, "desk"), newPerson(t, iPhone)
	display := create(t, g.public, g.key.Reveal())
	_, page := desk.get(display)
	at, page := hand.get(strings.Replace(find(t, page, `data-deep-link[^>]* href="([^"]+)"`), "localhost", "127.0.0.1", 1))
	own, page := hand.post(at, url.Values{"attempt": {find(t, page, `name="attempt" value="([^"]+)"`)}})
	desk.post(display+"/confirm", url.Values{"number": {find(t, page, `>([0-9]{4})<`)}})
	_, page = hand.get(own)
	pickup := find(t, page, `\?pickup=([A-Za-z0-9_-]{22})`)

	file := filepath.Join(t.TempDir(), "redeem.py")
	code := g.sample(t, "redeem.py") + "\n\nimport sys\nanswer = redeem(sys.argv[1])\nprint(answer['tokenType'], len(answer['endUserToken']) > 20)\n"
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "python3", file, pickup).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "end-user True" {
		t.Errorf("redeem.py printed %q, %v, want an end-user token", out, err)
	}
}
