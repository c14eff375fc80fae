package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// speaks checks a page's language.
func (a answer) speaks(t *testing.T, want string) {
	t.Helper()
	if got := a.page(t).Find("html").AttrOr("lang", ""); got != want {
		t.Errorf("%s (%s) speaks %s, want %s", a.url.Path, a.testID(t), got, want)
	}
}

// choose follows an entry of the page's language menu.
func (p *person) choose(a answer, lang string) answer {
	p.t.Helper()
	href, ok := a.page(p.t).Find(`[data-testid="languages"] a[hreflang="` + lang + `"]`).Attr("href")
	if !ok {
		p.t.Fatalf("%s has no menu entry for %s", a.url.Path, lang)
	}
	u, err := a.url.Parse(href)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.get(u.String())
}

// A person's own choice goes before the partner's wish and the browser's
// preference, and lasts through forms, streams and the pages they lead to; the
// desktop and the phone choose by themselves.
func TestChoosingALanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin(map[string]any{"locale": "de"})
	display := s.open()
	display.speaks(t, "de")
	display = s.desk.choose(display, "ar")
	display.speaks(t, "ar")
	s.desk.press(display, "action-send-link").speaks(t, "ar")

	r := s.desk.request(http.MethodGet, s.made.DisplayURL+"/status", nil)
	r.Header.Set("Referer", display.url.String())
	if a := send(t, http.DefaultClient, r); !strings.Contains(string(a.body), "قبل") && !strings.Contains(string(a.body), "دقيقة") {
		t.Errorf("the status of a page in Arabic: %s", a.body)
	}

	landing := s.scan()
	landing.speaks(t, "de")
	w.clock.advance(time.Minute) // the frame is old, but it was opened in time
	landing = s.phone.choose(landing, "en")
	landing.wantPage(t, http.StatusOK, "landing")
	landing.speaks(t, "en")
	s.own = s.phone.press(landing, "continue")
	s.own.wantPage(t, http.StatusOK, "number")
	s.own.speaks(t, "en")
	s.open().speaks(t, "de")
	s.own = s.phone.choose(s.own, "ar")
	s.own.wantPage(t, http.StatusOK, "number")
	s.own.speaks(t, "ar")
}

// A choice lasts where a form is answered by a page, not by a way to another one: its
// address has no language of its own.
func TestChoiceLastsThroughForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways), func(s *setting) { s.messenger = newCarriers(t) })
	s := w.begin()
	s.desk.press(s.desk.choose(s.open(), "de"), "action-send-link").speaks(t, "de")
	display := s.desk.choose(s.open(), "de")
	r := s.desk.request(http.MethodPost, s.made.DisplayURL+"/send", url.Values{"route": {"email"}, "to": {mailbox}})
	r.Header.Set("Referer", display.url.String())
	s.desk.follow(r).speaks(t, "de")

	typed := s.phone.choose(s.phone.get(w.public+"/t/acme"), "de")
	for range 2 {
		typed = s.phone.press(typed, "typed-form") // without digits
		typed.wantPage(t, http.StatusBadRequest, "typed")
		typed.speaks(t, "de")
	}

	landing := s.phone.choose(s.scan(), "de")
	ask := s.phone.press(landing, "reject")
	ask.wantPage(t, http.StatusOK, "reject-ask")
	s.phone.tapLink(ask, "back").speaks(t, "de")
	s.own = s.phone.press(landing, "continue")
	ask = s.phone.press(s.own, "reject")
	s.phone.tapLink(ask, "back").speaks(t, "de")
	s.phone.press(ask, "reject-sure").speaks(t, "de")
}

// tapLink follows the link with this data-testid.
func (p *person) tapLink(a answer, testID string) answer {
	p.t.Helper()
	href := a.link(p.t, testID)
	if href == "" {
		p.t.Fatalf("%s has no link %q: %s", a.url.Path, testID, a.testID(p.t))
	}
	u, err := a.url.Parse(href)
	if err != nil {
		p.t.Fatal(err)
	}
	r := p.request(http.MethodGet, u.String(), nil)
	r.Header.Set("Referer", a.url.String())
	return p.follow(r)
}

// A language that we do not have, or another site's address, chooses nothing.
func TestChoosingNoLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.begin()
	for _, lang := range []string{"tlh", "DE", "", "%22%3E", strings.Repeat("de", 1000)} {
		s.desk.get(s.made.DisplayURL+"?lang="+lang).speaks(t, "en")
	}
	r := s.desk.request(http.MethodGet, s.made.DisplayURL, nil)
	r.Header.Set("Referer", "https://shop.example/?lang=de")
	s.desk.follow(r).speaks(t, "en")
}
