package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/handoff-portal/handoff/internal/browser"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
	"github.com/handoff-portal/handoff/internal/porttest"
)

// asProgram makes this test binary be the program: what a shell finds as handoff.
const asProgram = "HANDOFF_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// guided is a fresh portal that somebody integrates with by its guide.
type guided struct {
	public, internal string
	key              handoff.Secret
	samples          []guideSample
	run              map[string]bool // samples that were taken to be run
}

// guideSample is a piece of code as it stands on a page of the guide.
type guideSample struct{ page, name, code string }

// startGuided serves with the stand-in platform, the shop's origin registered and
// webhooks to hooks, signed with boxSecret.
func startGuided(t *testing.T, shop string, hooks ...string) *guided {
	t.Helper()
	lines, stopSim := start(t, "sim", "--listen", "127.0.0.1:0")
	api := address(t, lines, "v2")
	go func() {
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() { stopSim() })
	port, values := fourPorts(t), settingsEnv()
	g := &guided{public: fmt.Sprintf("http://127.0.0.1:%d", port), internal: fmt.Sprintf("127.0.0.1:%d", port+1), key: partner.NewKey(), run: map[string]bool{}}
	var text strings.Builder
	fmt.Fprintf(&text, settings, port, port+1, api, strings.TrimSuffix(api, "/v2/captain"), partner.KeyHashText(g.key))
	fmt.Fprintf(&text, "    origins: [%[1]q]\n    return_urls: [\"%[1]s/done.html\"]\n    webhooks:\n", shop)
	for _, hook := range hooks {
		fmt.Fprintf(&text, "      - {url: %q, secrets: [env:HOOK]}\n", hook)
	}
	text.WriteString("egress_allow: [127.0.0.0/8]\n")
	heard, stop, ended := startServe(t, func(name string) string {
		if name == "HOOK" {
			return boxSecret
		}
		return values(name)
	}, "--config", writeSettings(t, strings.Replace(text.String(), "scheme: com.acme.app", `web_url: "http://127.0.0.1:1/handoff"`, 1)))
	awaitLog(t, heard, "serving")
	t.Cleanup(func() {
		stop()
		for range heard {
		}
		if err := <-ended; err != nil {
			t.Errorf("run(serve) = %v", err)
		}
	})
	g.read(t)
	return g
}

// read collects the samples of every page, in the order of the guide.
func (g *guided) read(t *testing.T) {
	t.Helper()
	for _, path := range pagesOf(t, g.public) {
		guidePage(t, g.public+path).Find(".sample").Each(func(_ int, s *goquery.Selection) {
			g.samples = append(g.samples, guideSample{path, s.AttrOr("data-sample", ""), s.Find("pre code").Text()})
		})
	}
}

func pagesOf(t *testing.T, public string) []string {
	t.Helper()
	var paths []string
	guidePage(t, public+"/docs").Find("nav[aria-label='Guide'] a").Each(func(_ int, a *goquery.Selection) {
		paths = append(paths, a.AttrOr("href", ""))
	})
	if len(paths) < 10 {
		t.Fatalf("the guide has the pages %q, want all of them", paths)
	}
	return paths
}

func guidePage(t *testing.T, address string) *goquery.Document {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := goquery.NewDocumentFromReader(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s = %s, %v", address, resp.Status, err)
	}
	return page
}

// sample is one by its name, to be run.
func (g *guided) sample(t *testing.T, name string) string {
	t.Helper()
	g.run[name] = true
	i := slices.IndexFunc(g.samples, func(s guideSample) bool { return s.name == name })
	if i < 0 {
		t.Fatalf("the guide has no sample %s", name)
	}
	return g.samples[i].code
}

// shell is a person's shell: what is typed into it is what stands in the guide.
type shell struct {
	t     *testing.T
	in    io.Writer
	lines *bufio.Scanner
	env   []string
	dir   string
}

// newShell opens a shell in a new folder, where handoff is this very program.
func newShell(t *testing.T, g *guided) *shell {
	t.Helper()
	for _, program := range []string{"bash", "curl", "jq", "python3"} {
		needProgram(t, program)
	}
	dir, bin := t.TempDir(), t.TempDir()
	// The internal listener is not at its usual address here.
	script := fmt.Sprintf("#!/bin/sh\nexport %s=1\ncase \"$1\" in webhooks) exec %q \"$@\" --address %s;; esac\nexec %q \"$@\"\n", asProgram, os.Args[0], g.internal, os.Args[0])
	if err := os.WriteFile(filepath.Join(bin, "handoff"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	s := &shell{t: t, dir: dir, env: append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))}
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail")
	cmd.Dir, cmd.Env = dir, s.env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.CloseWithError(cmd.Wait()) }()
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
	})
	s.in, s.lines = in, bufio.NewScanner(out)
	return s
}

// paste types text as it stands, and returns what it printed.
func (s *shell) paste(text string) string {
	s.t.Helper()
	const mark = "--- that was all of it"
	fmt.Fprintf(s.in, "%s\necho; echo %q\n", text, mark)
	var printed strings.Builder
	for s.lines.Scan() {
		if s.lines.Text() == mark {
			return printed.String()
		}
		printed.WriteString(s.lines.Text() + "\n")
	}
	s.t.Fatalf("the shell ended in\n%s\nafter it printed\n%s", text, printed.String())
	return ""
}

// needProgram skips the test, and says so, where a program is missing; in CI it fails.
func needProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		missing(t, "there is no "+name)
	}
}

func missing(t *testing.T, what string) {
	t.Helper()
	what += ": go run ./internal/check -only tools"
	if ci := os.Getenv("CI"); ci != "" && ci != "false" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// npmModules is where internal/check put npm's packages of a set.
func npmModules(t *testing.T, set string) string {
	t.Helper()
	lock, err := os.ReadFile("../../internal/check/" + set + "/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, "handoff", set+"-"+hex.EncodeToString(sum[:6]), "node_modules")
	if _, err := os.Stat(dir); err != nil {
		missing(t, "npm's packages are not installed")
	}
	return dir
}

func freePort(t *testing.T) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(porttest.Address(t))
	return port
}

// listening waits until something listens at a port.
func listening(t *testing.T, port string) {
	t.Helper()
	for t.Context().Err() == nil {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			return
		}
	}
}

// Everything in the guide that can run does, as it stands on the page: only ports
// are others, and what the reader is told to put in.
func TestGuide(t *testing.T) {
	browser.Unwatched(t)
	port := freePort(t)
	shop, heard := "http://localhost:"+port, newRecorder(t)
	receivers, hooks := receivers(t), []string{heard.URL + "/hooks"}
	for _, r := range receivers {
		hooks = append(hooks, "http://127.0.0.1:"+r.port+"/hooks")
	}
	g := startGuided(t, shop, hooks...)
	t.Run("receivers", func(t *testing.T) { g.testReceivers(t, heard, receivers) })
	t.Run("quick start", func(t *testing.T) { g.testQuickStart(t, port) })
	t.Run("replay", g.testReplay)
	t.Run("redeem", g.testRedeem)
	t.Run("kotlin", g.testKotlin)
	if only := flag.Lookup("test.run").Value.String(); strings.Contains(only, "/") {
		return
	}
	for _, s := range g.samples {
		if slices.Contains([]string{".go", ".sh", ".mjs", ".py", ".java", ".php"}, filepath.Ext(s.name)) && !g.run[s.name] {
			t.Errorf("nothing runs the sample %s of %s", s.name, s.page)
		}
	}
}
