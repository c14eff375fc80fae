package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/redistest"
)

// Two processes share a Redis: what one creates the other shows. Without Redis
// neither is ready, and a third one starts all the same; when it is back, so are
// they. One that Redis refuses does not start.
func TestServeOverRedis(t *testing.T) {
	lines, stopSim := start(t, "sim", "--listen", "127.0.0.1:0")
	api := address(t, lines, "v2")
	go func() {
		for lines.Scan() {
		}
	}()
	defer stopSim()
	server := redistest.Start(t, append(redistest.Durable(), "--requirepass", "open")...)
	key, secrets := partner.NewKey(), settingsEnv()
	env := func(name string) string {
		if name == "REDIS_PASSWORD" {
			return "open"
		}
		return secrets(name)
	}
	serve := func() (public, internal string, stop func(), ended <-chan error) {
		port := fourPorts(t)
		text := fmt.Sprintf(settings, port, port+1, api, strings.TrimSuffix(api, "/v2/captain"), partner.KeyHashText(key))
		text = strings.Replace(text, "store: file:handoff.db", "store: redis://"+server.Addr+"\nredis: {password: env:REDIS_PASSWORD}", 1)
		heard, stop, ended := startServe(t, env, "--config", writeSettings(t, text))
		awaitLog(t, heard, "serving")
		go func() {
			for range heard {
			}
		}()
		return fmt.Sprintf("http://127.0.0.1:%d", port), fmt.Sprintf("http://127.0.0.1:%d", port+1), stop, ended
	}
	becomes := func(internal string, want int) {
		t.Helper()
		for began := time.Now(); status(t, internal+"/readyz") != want; time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > 30*time.Second {
				t.Fatalf("GET /readyz never became %d", want)
			}
		}
	}
	one, insideOne, stopOne, endedOne := serve()
	two, insideTwo, stopTwo, endedTwo := serve()
	path := strings.TrimPrefix(create(t, one, key.Reveal()), one)
	newPerson(t, "desk").get(two + path)

	server.Kill()
	becomes(insideOne, http.StatusServiceUnavailable)
	becomes(insideTwo, http.StatusServiceUnavailable)
	three, insideThree, stopThree, endedThree := serve()
	becomes(insideThree, http.StatusServiceUnavailable)
	server.Run()
	for _, internal := range []string{insideOne, insideTwo, insideThree} {
		becomes(internal, http.StatusOK)
	}
	newPerson(t, "desk").get(three + path) // acknowledged before Redis was killed
	for _, p := range []struct {
		stop  func()
		ended <-chan error
	}{{stopOne, endedOne}, {stopTwo, endedTwo}, {stopThree, endedThree}} {
		p.stop()
		if err := <-p.ended; err != nil {
			t.Errorf("run(serve) = %v, want nil", err)
		}
	}

	refused := strings.Replace(fmt.Sprintf(settings, 1, 2, api, api, partner.KeyHashText(key)), "store: file:handoff.db", "store: redis://"+server.Addr, 1)
	if _, err := callWith(t, secrets, "serve", "--config", writeSettings(t, refused)); exitStatus(err) != exitFaults || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("run(serve) without the password of Redis = %v, want exit status 1 and Redis's word", err)
	}
}
