package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// operatorPage reads the page on the internal listener.
func (s served) operatorPage(t *testing.T, query url.Values) *goquery.Document {
	t.Helper()
	resp, err := http.Get("http://" + s.inside + "/?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET /?%s = %s, %v: %s", query.Encode(), resp.Status, err, body)
	}
	page, err := goquery.NewDocumentFromReader(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// rows are a table's lines by their heading: number and share.
func rows(page *goquery.Document, caption string) map[string]string {
	all := map[string]string{}
	page.Find("table").FilterFunction(func(_ int, t *goquery.Selection) bool { return t.Find("caption").Text() == caption }).
		Find("tbody tr").Each(func(_ int, r *goquery.Selection) {
		all[r.Find("th").Text()] = r.Find("td.n").First().Text() + ", " + r.Find("td.n").Last().Text()
	})
	return all
}

// Three handoffs come to different ends, and the page counts each.
func TestOperatorPage(t *testing.T) {
	s := serveWithSim(t)
	iphone := "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	create(t, s.public, s.key) // never opened

	lost := create(t, s.public, s.key)
	desk := newPerson(t, "desk")
	_, page := desk.get(lost)
	ref := find(t, page, `Reference for support: (\w{6})`)
	_, page = desk.post(lost+"/send", url.Values{"route": {"link"}})
	phone := newPerson(t, iphone)
	at, landing := phone.get(find(t, page, `data-testid="link" value="([^"]+)"`))
	phone.post(at, url.Values{"attempt": {find(t, landing, `name="attempt" value="([^"]+)"`)}})
	desk.post(lost+"/cancel", nil)

	done := create(t, s.public, s.key)
	desk.get(done)
	picture := filepath.Join(t.TempDir(), "code.png")
	if err := os.WriteFile(picture, []byte(pageOf(desk, done+"/qr.png")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, "phone", picture, "--yes", "--finish"); err != nil {
		t.Fatalf("run(phone) = %v", err)
	}

	got := s.operatorPage(t, nil)
	for _, tt := range []struct{ table, row, want string }{
		{"How far they came", "created", "3, 100.0 %"},
		{"How far they came", "displayed", "2, 66.7 %"},
		{"How far they came", "claimed", "2, 66.7 %"},
		{"How far they came", "delivered", "1, 33.3 %"},
		{"How they ended", "cancelled", "1, 33.3 %"},
		{"How long a phone took to come", "up to 5 s", "2, 66.7 %"},
		{"The number", "asked for it", "1, 50.0 %"},
		{"The number", "lost there", "1, 50.0 %"},
		{"The number", "typed it", "0, 0.0 %"},
		{"By route", "link", "1, 0 (0.0 %)"},
	} {
		if got := rows(got, tt.table)[tt.row]; got != tt.want {
			t.Errorf("%s, %s: %q, want %q, of %v", tt.table, tt.row, got, tt.want, rows(s.operatorPage(t, nil), tt.table))
		}
	}
	story := s.operatorPage(t, url.Values{"ref": {" " + strings.ToLower(ref) + " "}}).Find("#story")
	if !strings.Contains(story.Text(), "This one has ended") || !strings.Contains(story.Text(), "Continue was tapped") {
		t.Errorf("the story of %s: %q, want its events and what to say", ref, story.Text())
	}
	odd := s.operatorPage(t, url.Values{"ref": {"<b>x"}, "partner": {"globex"}, "for": {"1y"}})
	if odd.Find("#story, b").Length() != 0 || !strings.Contains(odd.Find("main").Text(), "no handoff called <b>x") {
		t.Errorf("the page of an odd question: %q", odd.Find("main").Text())
	}
	for _, path := range []string{"/page.css", "/"} {
		if got := rawStatus(t, http.MethodGet, "http://"+s.inside+path, "rebound.example", nil); got != http.StatusMisdirectedRequest {
			t.Errorf("GET %s by a name that was made to lead here = %d, want 421", path, got)
		}
	}
}

func pageOf(p *person, address string) string {
	_, page := p.get(address)
	return page
}
