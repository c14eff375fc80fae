package browser

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/chromedp"
)

// Kept makes the browser write what it keeps to a profile, as a person's own does, and
// have no more than one person.
func Kept(l *launch) { l.kept = true }

// Kill ends the browser as kill -9 does, with no time to write anything down. again
// starts it once more, on what it had written, and opens a tab of the same person. The
// browser has to be one that was started with Kept.
func (p *Page) Kill() (again func() *Page) {
	p.t.Helper()
	process := chromedp.FromContext(p.ctx).Browser.Process()
	if err := process.Kill(); err != nil {
		p.t.Fatalf("killing the browser: %v", err)
	}
	return func() *Page {
		p.t.Helper()
		next := start(p.t, p.browser.launch, p.browser.profile)
		page := open(p.t, next.ctx, p.person)
		page.browser = next
		return page
	}
}

// WaitWritten waits until the browser, which has to be one that was started with Kept,
// has written down a cookie of this name. Chromium does so every half minute.
func (p *Page) WaitWritten(cookie string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	for !p.written(cookie) {
		select {
		case <-look.C:
		case <-ctx.Done():
			p.t.Fatalf("the cookie %q was not written within %s", cookie, patience)
		}
	}
}

func (p *Page) written(cookie string) bool {
	found := false
	_ = filepath.WalkDir(p.browser.profile, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() != "Cookies" {
			return nil // files come and go while a browser runs
		}
		content, err := os.ReadFile(path) //nolint:gosec // in a folder of ours
		found = found || err == nil && bytes.Contains(content, []byte(cookie))
		return nil
	})
	return found
}
