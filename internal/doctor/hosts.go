package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// exam is what the portal says of how a request came to it.
type exam struct {
	Nonce     string    `json:"nonce"`
	LinkURL   string    `json:"linkUrl"`
	Now       time.Time `json:"now"`
	Peer      string    `json:"peer"`
	Address   string    `json:"address"`
	Before    int       `json:"before"`
	Forwarded bool      `json:"forwarded"`
	Origin    string    `json:"origin"`
	FetchSite string    `json:"fetchSite"`
	FetchDest string    `json:"fetchDest"`
}

// The page that an exam comes in; what is found otherwise was changed on the way.
const (
	examBefore = "<!doctype html><title>handoff doctor</title><pre>"
	examAfter  = "</pre>"
)

// readExam finds the exam in a page. whole is whether nothing else is there.
func readExam(body []byte) (e exam, whole, ok bool) {
	_, rest, _ := strings.Cut(string(body), "<pre>")
	text, _, found := strings.Cut(rest, "</pre>")
	if !found || json.Unmarshal([]byte(text), &e) != nil || e.Nonce == "" {
		return exam{}, false, false
	}
	return e, string(body) == examBefore+text+examAfter, true
}

// arrival is the first visit to a host.
type arrival struct {
	answered
	exam     exam
	whole    bool // the page came as it was sent
	there    bool // the host answers, and is this portal
	findings []Finding
}

// arriveAtPublic finds out whether public_url leads to this portal.
func (d *Doctor) arriveAtPublic(ctx context.Context) *arrival {
	about := host(d.Config.PublicURL)
	resp, err := d.get(ctx, d.base(d.Config.PublicURL)+"/h/"+d.key(""), http.Header{
		"Origin": {d.Config.PublicURL}, "Sec-Fetch-Site": {"same-origin"}, "Accept-Encoding": {"identity"},
	})
	if err != nil {
		return &arrival{findings: []Finding{d.unanswered(about, "public_url", err)}}
	}
	a := &arrival{answered: resp, findings: expiring(about, resp.TLS)}
	if a.exam, a.whole, a.there = readExam(resp.body); a.there && resp.StatusCode == http.StatusOK {
		a.findings = append(a.findings, Finding{Check: "host", About: about, Level: OK, What: "public_url leads to this portal."})
		return a
	}
	a.there = false
	a.findings = append(a.findings, d.elsewhere(resp, about, "public_url"))
	return a
}

// arriveAtLink finds out whether link_url leads to this portal: it sends a browser
// to the same path on public_url, having looked nothing up.
func (d *Doctor) arriveAtLink(ctx context.Context) *arrival {
	about := host(d.Config.LinkURL)
	if d.Config.LinkURL == d.Config.PublicURL {
		return &arrival{there: d.public().there, findings: []Finding{{
			Check: "host", About: about, Level: Warning, What: "public_url and link_url are one host.",
			Why:    "A tap on a link to the host one is on stays in the browser, so the portal's own pages open no app.",
			Change: d.Config.Where("link_url") + ": another name for the same portal, such as link." + about,
		}}}
	}
	path := "/c/" + string(d.Config.Partners[0].ID) + "/doctor"
	resp, err := d.get(ctx, d.base(d.Config.LinkURL)+path, nil)
	if err != nil {
		return &arrival{findings: []Finding{d.unanswered(about, "link_url", err)}}
	}
	a := &arrival{answered: resp, findings: expiring(about, resp.TLS)}
	if a.there = resp.StatusCode == http.StatusFound && resp.Header.Get("Location") == d.Config.PublicURL+path; a.there {
		a.findings = append(a.findings, Finding{Check: "host", About: about, Level: OK, What: "link_url leads to this portal, and sends browsers on to public_url."})
		return a
	}
	if p := d.public(); p.there && p.exam.LinkURL != d.Config.LinkURL {
		a.findings = append(a.findings, Finding{
			Check: "host", About: about, Level: Fault, What: "The portal that runs has another link_url: " + p.exam.LinkURL + ".",
			Why: "Links lead there, and nothing that comes here is answered.", Change: d.older("link_url"),
		})
		return a
	}
	a.findings = append(a.findings, d.elsewhere(resp, about, "link_url"))
	return a
}

// elsewhere says what answers in place of this portal.
func (d *Doctor) elsewhere(resp answered, about, setting string) Finding {
	f := Finding{Check: "host", About: about, Level: Fault, Why: "People and apps that come to " + setting + " do not reach this portal. What depends on it was not examined."}
	listen := "in the proxy: proxy_pass http://" + reachable(d.Config.Listen) + ";  (nginx; where " + d.Config.Where("listen") + " says)"
	ours := resp.Header.Get("X-Request-Id") != ""
	skew, dated := skewByDate(resp)
	switch status := resp.StatusCode; {
	case status == http.StatusMisdirectedRequest:
		f.What = "The portal was asked by another name: the Host header is not passed on."
		f.Change = "in the proxy: proxy_set_header Host $http_host;  (nginx)"
	case status >= 300 && status < 400:
		f.What = "It answers with a redirect to " + host(resp.Header.Get("Location")) + "."
		f.Change = "in the proxy: remove the redirect for " + about + ", or name where it leads at " + d.Config.Where(setting)
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		f.What, f.Change = fmt.Sprintf("The proxy answers %d: it does not reach the portal.", status), listen
	case dated && skew.Abs() > keyLife:
		f.Check, f.What = "clock", "Its clock and this one are "+round(skew)+" apart, too far for anything that is signed with a time."
		f.Change = "timedatectl set-ntp true  (on the machine whose clock is wrong)"
	case ours && setting == "public_url":
		f.What = "A portal answers, but it does not have this configuration's newest server key."
		f.Change = d.Config.Where("server_keys") + ": the key of the portal that runs there; restart it if it is older than the file"
	case ours:
		f.What = "A portal answers, but it does not take this for its link_url."
		f.Change = d.Config.Where(setting) + ": the same there; restart the portal if it is older than the file"
	default:
		f.What, f.Change = fmt.Sprintf("Something else answers, with %d.", status), listen
	}
	return f
}

// reachable is an address to listen on as one to connect to.
func reachable(listen string) string {
	at, err := netip.ParseAddrPort(listen)
	if err == nil && !at.Addr().IsUnspecified() {
		return listen
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(listen, "[::]"), ":")
	return "127.0.0.1:" + port
}

func skewByDate(a answered) (time.Duration, bool) {
	there, err := http.ParseTime(a.Header.Get("Date"))
	return there.Sub(a.sent.Add(a.took / 2)), err == nil
}

func round(d time.Duration) string { return d.Abs().Round(time.Second).String() }

// clock compares the portal's clock with this one.
func (d *Doctor) clock(context.Context) []Finding {
	a := d.public()
	if !a.there {
		return nil
	}
	const most = 30 * time.Second // webhooks are refused beyond five minutes, and receivers' clocks are off too
	f := Finding{Check: "clock", About: host(d.Config.PublicURL), Level: OK, What: "The portal's clock agrees with this one."}
	if skew := a.exam.Now.Sub(a.sent.Add(a.took / 2)); skew.Abs() > most+a.took {
		f.Level = Fault
		f.What = "The portal's clock and this one are " + round(skew) + " apart."
		f.Why = "Codes and webhooks carry the time: phones find codes too old, and receivers refuse what is signed with another time."
		f.Change = "timedatectl set-ntp true  (on the machine whose clock is wrong)"
	}
	return []Finding{f}
}

// madeUp is an address of TEST-NET-1 (RFC 5737), from which nobody asks.
const madeUp = "192.0.2.77"

// forwarded finds out whom the portal counts as asking.
func (d *Doctor) forwarded(ctx context.Context) []Finding {
	a := d.public()
	if !a.there {
		return nil
	}
	f := Finding{Check: "address", About: host(d.Config.PublicURL), Level: OK, What: "The portal knows who is asking."}
	resp, err := d.get(ctx, d.base(d.Config.PublicURL)+"/h/"+d.key(""), http.Header{"X-Forwarded-For": {madeUp}, "Accept-Encoding": {"identity"}})
	spoofed, _, ok := readExam(resp.body)
	peer, peerErr := netip.ParseAddr(a.exam.Peer)
	trusted := peerErr == nil && d.trusts(peer)
	mine, mineErr := netip.ParseAddr(a.exam.Address) // as the portal sees it
	setting := d.Config.Where("trusted_proxies")
	switch {
	case err != nil || !ok:
		f.Level, f.What, f.Why = Warning, "A request with X-Forwarded-For gets no answer.", "Something between refuses it, so nothing can be told."
		f.Change = "in the proxy: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;  (nginx)"
	case spoofed.Address == madeUp && a.exam.Forwarded && mineErr == nil && d.trusts(mine):
		f.Level, f.What = Warning, "This machine is in trusted_proxies itself, so what others can write cannot be told from here."
		f.Why, f.Change = "An address that anybody can write makes every limit by network useless.", "handoff doctor, run from outside"
	case spoofed.Address == madeUp:
		f.Level, f.What = Fault, "Anybody can write whom they ask as: the proxy passes X-Forwarded-For on as it came."
		f.Why = "Limits by network are useless then, and a guesser is never stopped."
		f.Change = "in the proxy: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;  (nginx)"
	case !a.exam.Forwarded && (strings.HasPrefix(d.base(d.Config.PublicURL), "https:") || trusted):
		f.Level, f.What = Fault, "The proxy does not say who is asking: all people seem to be one."
		f.Why = "Limits are by network: one busy office, or one guesser, uses up everybody's."
		f.Change = "in the proxy: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;  (nginx)"
	case a.exam.Forwarded && !trusted:
		f.Level, f.What = Fault, "The proxy says who is asking, and is not believed: all people seem to be one."
		f.Why = "Limits are by network: one busy office, or one guesser, uses up everybody's."
		f.Change = fmt.Sprintf("%s: [%s]", setting, a.exam.Peer)
	case a.exam.Forwarded && mineErr == nil && d.trusts(mine):
		f.Level, f.What = Warning, "The portal counts a proxy as the one who asks, here at least."
		f.Why = "There is another proxy in front of it, this machine is one of trusted_proxies, or the header holds more than addresses."
		f.Change = setting + ": all proxies' ranges, and no others"
	case a.exam.Before > 0: // this request named nobody
		f.Level, f.What = Warning, "The portal counts a proxy as the one who asks: there is one before yours."
		f.Why = "All people who come through it, as through a CDN, seem to be one network, and share its limits."
		f.Change = fmt.Sprintf("%s: the ranges of the proxy at %s too", setting, a.exam.Address)
	}
	return []Finding{f}
}

func (d *Doctor) trusts(a netip.Addr) bool {
	for _, p := range d.Config.TrustedProxies {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}
