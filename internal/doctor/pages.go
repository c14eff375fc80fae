package doctor

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// pages looks at what becomes of a page and its headers on the way.
func (d *Doctor) pages(context.Context) []Finding {
	a := d.public()
	if !a.there {
		return nil
	}
	about := host(d.Config.PublicURL)
	var found []Finding
	fault := func(level Level, what, why, change string) {
		found = append(found, Finding{Check: "pages", About: about, Level: level, What: what, Why: why, Change: change})
	}
	only := func(name, want string) bool {
		got := a.Header.Values(name)
		return len(got) == 1 && got[0] == want
	}
	hide := func(name string) string {
		return "in the proxy: remove add_header and proxy_hide_header for " + name + "  (nginx)"
	}
	if !only("Cache-Control", "no-store") {
		fault(Fault, "Cache-Control: no-store does not come through.", "A page that steers one person's handoff may be kept, and shown to another.", hide("Cache-Control"))
	}
	if policies := a.Header.Values("Content-Security-Policy"); len(policies) != 1 || ancestors(policies[0]) != "'none'" {
		fault(Fault, "The pages' Content-Security-Policy does not come through as it is sent.",
			"It keeps foreign scripts and frames out; a second one forbids what the pages need.", hide("Content-Security-Policy"))
	}
	if !only("X-Frame-Options", "DENY") {
		fault(Fault, "X-Frame-Options comes another way than it is sent.",
			"What is added to every page is on the displays too, and then no partner can frame them.", hide("X-Frame-Options"))
	}
	if !only("Referrer-Policy", "same-origin") {
		fault(Fault, "Referrer-Policy comes another way than it is sent.",
			"With no-referrer, browsers do not say where a form comes from, and the portal refuses every button.", hide("Referrer-Policy"))
	}
	if !only("X-Content-Type-Options", "nosniff") {
		fault(Warning, "X-Content-Type-Options: nosniff does not come through once.", "Browsers guess what a file is.", hide("X-Content-Type-Options"))
	}
	if strings.HasPrefix(d.Config.PublicURL, "https:") && a.Header.Get("Strict-Transport-Security") == "" {
		fault(Warning, "Strict-Transport-Security does not come through.", "A first visit by http can be led astray.", hide("Strict-Transport-Security"))
	}
	if len(a.Header.Values("Set-Cookie")) > 0 {
		fault(Warning, "Something on the way sets a cookie.", "A framed display has none, which is what it promises to people and to partners.", "in the proxy: no sticky sessions for "+about+"; any process answers any request")
	}
	if !a.whole {
		fault(Fault, "Something on the way rewrites pages.", "Scripts and styles are held to their hashes, and what is added to a page does not run.", "in the CDN: no minifying, no injected scripts, no hidden e-mail addresses for "+about)
	}
	if a.exam.Origin == "" || a.exam.FetchSite == "" {
		level := Fault
		if a.exam.Origin+a.exam.FetchSite != "" {
			level = Warning
		}
		fault(level, "Origin and Sec-Fetch-Site do not both reach the portal.", "Without them it cannot tell its own pages' buttons from another site's, and refuses them.", "in the proxy: remove proxy_set_header Origin \"\"; and the like for Sec-Fetch-…  (nginx)")
	}
	if len(found) == 0 {
		return []Finding{{Check: "pages", About: about, Level: OK, What: "Pages come through as they are sent."}}
	}
	return found
}

// caching finds out whether something answers in the portal's place.
func (d *Doctor) caching(ctx context.Context) []Finding {
	if !d.public().there {
		return nil
	}
	f := Finding{Check: "caching", About: host(d.Config.PublicURL), Level: OK, What: "No page is kept on the way."}
	address := d.base(d.Config.PublicURL) + "/h/" + d.key("")
	seen := make(map[string]bool)
	for range 2 {
		resp, err := d.get(ctx, address, http.Header{"Accept-Encoding": {"identity"}})
		e, _, ok := readExam(resp.body)
		if err != nil || !ok {
			f.Level, f.What, f.Why = Warning, "A page that came before does not come now.", "Whether pages are kept cannot be told."
			f.Change = "handoff doctor, once more"
			return []Finding{f}
		}
		if seen[e.Nonce] {
			f.Level, f.What = Fault, "Something on the way keeps pages: the same page came twice."
			f.Why = "People see how things were, and one may be shown another's page."
			f.Change = "in the proxy: proxy_cache off;  (nginx; in a CDN: no \"cache everything\")"
		}
		seen[e.Nonce] = true
	}
	return []Finding{f}
}

// ancestors is the value of frame-ancestors in a policy, or empty.
func ancestors(policy string) string {
	for directive := range strings.SplitSeq(policy, ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(directive), " "); strings.EqualFold(name, "frame-ancestors") {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// framing asks for a display as each of a partner's origins would frame it.
func (d *Doctor) framing(ctx context.Context, i int) []Finding {
	p := d.Config.Partners[i]
	if !d.public().there || len(p.Origins) == 0 {
		return nil
	}
	var found []Finding
	for _, origin := range p.Origins {
		f := Finding{Check: "framing", About: string(p.ID), Level: Fault, Why: origin + " frames a display, and browsers show nothing in it."}
		resp, err := d.get(ctx, d.base(d.Config.PublicURL)+"/h/"+d.key(origin), http.Header{
			"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Dest": {"iframe"}, "Referer": {origin + "/"}, "Accept-Encoding": {"identity"},
		})
		_, _, ok := readExam(resp.body)
		policies := resp.headers("Content-Security-Policy")
		allowed := len(policies) > 0
		for _, policy := range policies {
			allowed = allowed && ancestors(policy) == origin
		}
		switch {
		case err != nil || !ok:
			f.What, f.Change = "Asked for in a frame, a display does not come.", "in the proxy: no rule that looks at Sec-Fetch-Dest or Referer"
		case len(resp.Header.Values("X-Frame-Options")) > 0:
			f.What, f.Change = "Something on the way adds X-Frame-Options.", "in the proxy: remove add_header X-Frame-Options  (nginx)"
		case !allowed:
			f.What = "frame-ancestors does not come through as it is sent, with " + origin + "."
			f.Change = "in the proxy: remove add_header Content-Security-Policy  (nginx)"
		case resp.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin":
			f.Level, f.What = Warning, "Cross-Origin-Resource-Policy does not come through as it is sent."
			f.Why, f.Change = "A page with COEP require-corp cannot frame the display.", "in the proxy: remove add_header Cross-Origin-Resource-Policy  (nginx)"
		default:
			f.Level, f.What, f.Why = OK, origin+" can frame a display, and nobody else.", ""
		}
		found = append(found, f)
	}
	return found
}

func (a answered) headers(name string) []string {
	if a.Response == nil {
		return nil
	}
	return a.Header.Values(name)
}

// held is how long the portal holds a stream of the doctor's open.
const held = 4 * time.Second

// stream opens an event stream of a path. Its one event is sent at once, and the
// stream held open. Where the event is here before that time is over, nobody keeps
// events back; where somebody does, it comes with the end.
func (d *Doctor) stream(ctx context.Context, path string) []Finding {
	if !d.public().there {
		return nil
	}
	f := Finding{Check: "stream", About: host(d.Config.PublicURL) + path + "*/events", Level: Fault, Why: "Screens change only when a page asks, seconds late, and every open page asks again and again."}
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base(d.Config.PublicURL)+path+d.key("")+"/events", http.NoBody)
	if err != nil {
		return nil // the address was good for a page
	}
	for name, value := range map[string]string{"Accept": "text/event-stream", "Accept-Encoding": "gzip", "User-Agent": "handoff-doctor/1", "Sec-Fetch-Site": "same-origin"} {
		req.Header.Set(name, value)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		f.What, f.Change = "The stream is not answered.", "in the proxy: proxy_buffering off; for these paths  (nginx)"
		return []Finding{f}
	}
	defer resp.Body.Close()
	event, err := firstEvent(resp)
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		f.Level, f.What, f.Change = Warning, "There is no stream left to open.", d.Config.Where("limits.streams")+": more, or look who holds them open"
	case resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		f.What, f.Change = "Something else than a stream is answered.", "in the proxy: one proxy_pass for all paths  (nginx)"
	case err != nil || !strings.Contains(event, "event: examined"):
		f.What, f.Change = "The stream breaks off, or comes changed.", "in the proxy: gzip off; proxy_buffering off; for these paths  (nginx)"
	case time.Since(began) >= held:
		f.What, f.Change = "Something on the way keeps events back.", "in the proxy: proxy_buffering off;  (nginx; without proxy_ignore_headers X-Accel-Buffering)"
	case resp.Header.Get("Cache-Control") != "no-store":
		f.Level, f.What, f.Change = Warning, "Cache-Control: no-store does not come through.", "in the proxy: remove add_header and proxy_hide_header for Cache-Control  (nginx)"
		f.Why = "A stream may be kept, and played to another."
	default:
		f.Level, f.What, f.Why = OK, "Events come at once.", ""
	}
	return []Finding{f}
}

// firstEvent reads a stream up to the first empty line.
func firstEvent(resp *http.Response) (string, error) {
	var body io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(resp.Body)
		if err != nil {
			return "", err
		}
		body = unpacked
	}
	lines := bufio.NewReader(io.LimitReader(body, maxAnswer))
	var event strings.Builder
	for {
		line, err := lines.ReadString('\n')
		event.WriteString(line)
		if err != nil || strings.TrimSpace(line) == "" {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return event.String(), err
		}
	}
}
