package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Lighthouse is what Lighthouse says of a page, as a phone with a slow connection and
// a slow processor has it. It works both out from a load on this machine.
type Lighthouse struct {
	// Version is its own, and Page the address it ended at.
	Version, Page string

	// Scores are of 100, by category: "accessibility", "best-practices", "performance".
	Scores map[string]int

	// Short are the audits that were not passed in full, a line each, those without
	// weight too; Warnings is what it says of its own run.
	Short, Warnings []string
}

// lighthouseAnswer is the part of its answer that is read here.
type lighthouseAnswer struct {
	Version    string   `json:"lighthouseVersion"`
	Page       string   `json:"finalDisplayedUrl"`
	Warnings   []string `json:"runWarnings"`
	Categories map[string]struct {
		Score     *float64
		AuditRefs []struct {
			ID     string
			Weight float64
		}
	}
	Audits map[string]struct {
		Score        *float64
		Title        string
		DisplayValue string
		ErrorMessage string
		Details      struct{ Items json.RawMessage }
	}
}

// AskLighthouse has Lighthouse open a page in a browser of its own. A page that does
// not answer 200 ends the test.
func AskLighthouse(t Reporter, address string) Lighthouse {
	t.Helper()
	Unwatched(t)
	program := filepath.Join(Modules(t, "npm-long"), "lighthouse", "cli", "index.js")
	chromium, err := (launch{}).program()
	if err != nil {
		if inCI() {
			t.Fatalf("browser: %v", err)
		}
		t.Skipf("SKIPPED Lighthouse: %v", err)
	}
	dir := home(t)
	answer := filepath.Join(dir, "answer.json")
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience) // it opens the page and then examines it
	defer cancel()
	cmd := exec.CommandContext(ctx, Program(t, "node"), program, address, //nolint:gosec // the program is npm's, the address a test's
		"--quiet", "--no-enable-error-reporting", "--output=json", "--output-path="+answer,
		"--only-categories=accessibility", "--only-categories=best-practices", "--only-categories=performance",
		"--form-factor=mobile", "--throttling-method=simulate", "--disable-full-page-screenshot",
		"--chrome-flags=--headless --no-sandbox --disable-gpu --disable-quic --disable-component-update")
	cmd.Env = []string{"PATH=" + environment("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "CHROME_PATH=" + chromium, "CI=1"}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it ends its browser
	cmd.WaitDelay = 10 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("Lighthouse on %s: %v: %.1000s", address, err, out)
	}
	said, err := readLighthouse(answer)
	if err != nil {
		t.Fatalf("Lighthouse on %s: %v", address, err)
	}
	return said
}

func readLighthouse(file string) (Lighthouse, error) {
	out, err := os.ReadFile(file) //nolint:gosec // in a folder of ours
	if err != nil {
		return Lighthouse{}, fmt.Errorf("reading its answer: %w", err)
	}
	var a lighthouseAnswer
	if err := json.Unmarshal(out, &a); err != nil {
		return Lighthouse{}, fmt.Errorf("reading its answer: %w", err)
	}
	said := Lighthouse{Version: a.Version, Page: a.Page, Scores: map[string]int{}, Warnings: a.Warnings}
	for name, category := range a.Categories {
		if category.Score == nil {
			return Lighthouse{}, fmt.Errorf("no score for %s: an audit broke", name)
		}
		said.Scores[name] = int(math.Round(*category.Score * 100))
		for _, ref := range category.AuditRefs {
			audit := a.Audits[ref.ID]
			switch {
			case audit.ErrorMessage != "":
				said.Short = append(said.Short, fmt.Sprintf("%s: %s: broke: %s", name, ref.ID, audit.ErrorMessage))
			case audit.Score != nil && *audit.Score < 1:
				where := strings.Join(strings.Fields(string(audit.Details.Items)), " ")
				said.Short = append(said.Short, strings.TrimSpace(fmt.Sprintf("%s: %s (weight %g, score %g): %s %s %s",
					name, ref.ID, ref.Weight, *audit.Score, audit.Title, audit.DisplayValue, short(where))))
			}
		}
	}
	slices.Sort(said.Short)
	return said, nil
}
