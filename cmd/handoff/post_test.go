package main

import (
	"net/url"
	"strings"
	"testing"
)

// TestDemoMessages: a stranger sends the link by text message and by e-mail, reads
// it on the shop's page, and opens it.
func TestDemoMessages(t *testing.T) {
	t.Parallel()
	w := startDemo(t)
	p := w.playing(t, nil)
	if _, page := p.get(w.shop + "/post"); !strings.Contains(page, `data-testid="no-letter"`) {
		t.Errorf("before anything is sent the page says %q", htmlText(page))
	}
	for _, sent := range []struct{ route, to, shown, arrives string }{
		{"sms", "+44 7400 123456", "ent to ••56", "Text message to ••56"},
		{"email", "jane@mail.example", "Sent to j•••@m•••.example", "E-mail to j•••@m•••.example"},
	} {
		_, display := p.post(p.display+"/send", url.Values{"route": {sent.route}, "to": {sent.to}})
		if text := strings.NewReplacer("\u2068", "", "\u2069", "").Replace(htmlText(display)); !strings.Contains(text, sent.shown) {
			t.Errorf("by %s the display says %q, want %q", sent.route, text, sent.shown)
		}
		_, page := p.get(w.shop + "/post")
		if !strings.Contains(htmlText(page), sent.arrives) {
			t.Errorf("by %s the shop shows %q, want %q", sent.route, htmlText(page), sent.arrives)
		}
		link := find(t, page, `data-testid="letter-link">([^<]+)<`)
		phone := newPerson(t, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1")
		if _, landing := phone.get(link); !strings.Contains(landing, "Continue with") {
			t.Errorf("the link by %s leads to %q, want the landing", sent.route, htmlText(landing))
		}
	}
}
