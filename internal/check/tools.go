package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// goTool is a program built from its source by go install, at one version.
type goTool struct {
	name    string
	pkg     string
	version string
}

// golangciLint is the version .golangci.yml was written for.
var golangciLint = goTool{ //nolint:gochecknoglobals // a constant in all but type
	name:    "golangci-lint",
	pkg:     "github.com/golangci/golangci-lint/v2/cmd/golangci-lint",
	version: "v2.15.0",
}

// govulncheck finds vulnerabilities that this code can reach.
var govulncheck = goTool{ //nolint:gochecknoglobals // a constant in all but type
	name:    "govulncheck",
	pkg:     "golang.org/x/vuln/cmd/govulncheck",
	version: "v1.9.0",
}

// at is what go install takes.
func (t goTool) at() string { return t.pkg + "@" + t.version }

// goTool returns the path of t, after building it if it is not there. Both its
// version and that of Go are in the name of its folder: a linter built with an
// older Go refuses newer code.
func (c *checker) goTool(ctx context.Context, t goTool) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a cache folder for %s: %w", t.name, err)
	}
	dir := filepath.Join(cache, "handoff", "bin", t.name+"-"+t.version+"-"+runtime.Version())
	path := filepath.Join(dir, t.name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if !c.install {
		return "", fmt.Errorf("%s %s is not installed", t.name, t.version)
	}
	cmd := c.command(ctx, "go", "install", t.at())
	cmd.Env = append(cmd.Env, "GOBIN="+dir)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("installing %s: %w", t.name, err)
	}
	return path, nil
}

// systemTool is a program that go install cannot build.
type systemTool struct {
	name     string
	programs []string // any one on the PATH will do; none: ask Debian for the packages
	packages []string // of Debian
	without  string   // what is not checked when it is missing
	spare    bool     // all is checked without it, only slower
}

// chromiums are the names of browsers that speak to chromedp, as in
// internal/browser.
const chromiums = "chromium chromium-browser google-chrome google-chrome-stable"

// systemTools is what the tests run. Redis is on the list once there is a store
// for it.
func (c *checker) systemTools() []systemTool {
	list := []systemTool{
		{
			name:     "a C compiler",
			programs: []string{"gcc", "cc", "clang"},
			packages: []string{"gcc", "libc6-dev"},
			without:  "data races: tests run without the race detector",
		},
		{
			name:     "Chromium",
			programs: strings.Fields(chromiums),
			packages: []string{"chromium"},
			without:  "every page and flow that needs a browser",
		},
		{
			name:     "Chromium's headless shell",
			programs: []string{"chromium-headless-shell", "chrome-headless-shell"},
			packages: []string{"chromium-headless-shell"},
			without:  "nothing, but pages take three times as long in the whole browser",
			spare:    true,
		},
		{
			name:     "fonts",
			packages: []string{"fonts-liberation", "fonts-noto-core", "fonts-noto-color-emoji"},
			without:  "languages whose letters the machine cannot draw",
		},
		{
			name:     "zbarimg",
			programs: []string{"zbarimg"},
			packages: []string{"zbar-tools"},
			without:  "that a second, independent program reads our QR codes",
		},
		{
			name:     "curl and jq",
			programs: []string{"jq"},
			packages: []string{"curl", "jq"},
			without:  "the guide's quick start",
		},
		{
			name:     "Python",
			programs: []string{"python3"},
			packages: []string{"python3"},
			without:  "the guide's samples in Python, and its quick start",
		},
		{
			name:     "Node",
			programs: []string{"npm"},
			packages: []string{"nodejs", "npm"},
			without:  "the guide's samples in Node, and the form of the API's description",
		},
		{
			name:     "PHP",
			programs: []string{"php"},
			packages: []string{"php-cli"},
			without:  "the guide's samples in PHP",
		},
	}
	if c.long {
		list = append(
			list,
			systemTool{
				name:     "a JDK",
				programs: []string{"javac"},
				packages: []string{"default-jdk-headless"},
				without:  "the guide's samples in Java and Kotlin",
			},
			systemTool{
				name:     "Android's JSON for Java",
				packages: []string{"libandroid-json-java"},
				without:  "the guide's samples in Kotlin",
			},
			systemTool{
				name:     "Firefox",
				programs: []string{"firefox-esr", "firefox"},
				packages: []string{"firefox-esr"},
				without:  "pages and frames in Firefox",
			},
			systemTool{
				name:     "WebKit",
				programs: []string{"WebKitWebDriver"},
				packages: []string{"webkit2gtk-driver"},
				without:  "pages and frames in WebKit",
			},
			systemTool{
				name:     "Xvfb",
				programs: []string{"Xvfb"},
				packages: []string{"xvfb"},
				without:  "pages and frames in WebKit, which has no headless mode",
			},
		)
	}
	if c.hasRedisStore() {
		list = append(list, systemTool{
			name:     "Redis",
			programs: []string{redisServer},
			packages: []string{"redis-server"},
			without:  "the Redis store against a real server",
		}, systemTool{
			name:     "Redis Sentinel",
			programs: []string{"redis-sentinel"},
			packages: []string{"redis-sentinel"},
			without:  "that the portal goes on when Redis fails over",
		}, systemTool{
			name:     "nginx",
			programs: []string{"nginx", "/usr/sbin/nginx"},
			packages: []string{"nginx-light"},
			without:  "several processes behind a proxy: kills, failovers and rolling restarts",
		}, systemTool{
			name:     "e2fsprogs",
			programs: []string{"mkfs.ext4", "/sbin/mkfs.ext4"},
			packages: []string{"e2fsprogs"},
			without:  "a disk that fails while the portal runs",
		})
	}
	return list
}

// tools finds what the tests need, and installs what is missing where it can.
func (c *checker) tools(ctx context.Context) verdict {
	lacking := c.lacking(ctx)
	if c.install {
		for _, spare := range []bool{false, true} { // apart: what cannot be had keeps the others from being installed
			some := slices.DeleteFunc(slices.Clone(lacking), func(t systemTool) bool { return t.spare != spare })
			if len(some) == 0 {
				continue
			}
			if err := c.installPackages(ctx, packagesOf(some)); err != nil {
				fmt.Fprintf(c.out, "check: %v\n", err)
			}
		}
		lacking = c.lacking(ctx)
	}
	for _, t := range lacking {
		fmt.Fprintf(c.out, "check: %s is missing; not checked without it: %s\n", t.name, t.without)
	}
	lacking = slices.DeleteFunc(lacking, func(t systemTool) bool { return t.spare })
	var names []string
	for _, set := range c.npmSets() {
		if _, err := c.npmPackages(ctx, set); err != nil {
			fmt.Fprintf(c.out, "check: %v\n", err)
			names = append(names, "npm's packages")
		}
	}
	if len(lacking)+len(names) == 0 {
		return verdict{}
	}
	for _, t := range lacking {
		names = append(names, t.name)
	}
	return c.missing(strings.Join(names, ", ")+" missing", remedyFor(packagesOf(lacking)))
}

// lacking lists the tools that are not there.
func (c *checker) lacking(ctx context.Context) []systemTool {
	return slices.DeleteFunc(c.systemTools(), func(t systemTool) bool {
		switch {
		case t.name == "Chromium":
			_, ok := c.chromium()
			return ok
		case len(t.programs) > 0:
			_, ok := lookAny(t.programs)
			return ok
		default:
			return !hasProgram("dpkg-query") || c.packagesInstalled(ctx, t.packages)
		}
	})
}

// packagesInstalled asks Debian's package list.
func (c *checker) packagesInstalled(ctx context.Context, packages []string) bool {
	args := append([]string{"-W", "-f=${db:Status-Status}\n"}, packages...)
	out, err := exec.CommandContext(ctx, "dpkg-query", args...).Output() //nolint:gosec // names from this file
	return err == nil && strings.Count(string(out), "installed\n") == len(packages) &&
		!strings.Contains(string(out), "not-installed")
}

// chromium is the browser that the tests will drive.
func (c *checker) chromium() (string, bool) {
	if path := c.getenv("HANDOFF_CHROMIUM"); path != "" {
		_, err := exec.LookPath(path)
		return path, err == nil
	}
	return lookAny(strings.Fields(chromiums))
}

// installPackages installs Debian packages, as root or by a sudo that asks
// nothing.
func (c *checker) installPackages(ctx context.Context, packages []string) error {
	if !hasProgram("apt-get") {
		return errors.New("no apt-get here to install with")
	}
	prefix := []string{"env", "DEBIAN_FRONTEND=noninteractive"}
	if os.Geteuid() != 0 {
		if !hasProgram("sudo") || exec.CommandContext(ctx, "sudo", "-n", "true").Run() != nil {
			return errors.New("installing needs root")
		}
		prefix = append([]string{"sudo", "-n"}, prefix...)
	}
	for _, args := range [][]string{
		{"apt-get", "update", "-qq"},
		append([]string{"apt-get", "install", "-y", "-qq", "--no-install-recommends"}, packages...),
	} {
		line := slices.Concat(prefix, args)
		if err := c.run(ctx, line[0], line[1:]...); err != nil {
			return fmt.Errorf("installing %s: %w", strings.Join(packages, " "), err)
		}
	}
	return nil
}

// packagesOf lists the packages of several tools.
func packagesOf(list []systemTool) []string {
	var packages []string
	for _, t := range list {
		packages = append(packages, t.packages...)
	}
	return packages
}

// remedyFor is how to get the packages by hand.
func remedyFor(packages []string) string {
	return "sudo apt-get install -y --no-install-recommends " + strings.Join(packages, " ") +
		", or the like of them for this system; HANDOFF_CHROMIUM may name a browser"
}

// lookAny finds the first of several programs on the PATH.
func lookAny(names []string) (string, bool) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

func hasProgram(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}
