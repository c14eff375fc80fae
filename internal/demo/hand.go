package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/html"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/phone"
)

// What the made-up visitors call themselves.
const (
	safariAgent    = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
	androidAgent   = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
	instagramAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 390.0.0.28.85 (iPhone15,2; iOS 18_6; en_US; en; scale=3.00; 1179x2556)"
	deskAgent      = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
	previewAgent   = "WhatsApp/2.24.20.80 A"
)

// hand is a fake phone: a browser with cookies, and the bank's app, both speaking
// to the portal as real ones do.
type hand struct {
	agent string
	http  *http.Client
	net   *network
	app   *phone.Client

	// What its browser shows, and where.
	at    *url.URL
	page  *html.Node
	wait  time.Duration // until the page asks again by itself; zero: it does not
	owned string        // the address of its own page, once it has one

	// What its app holds.
	claim    *phone.Claim
	pickup   handoff.Secret
	verifier handoff.Secret
	answer   *phone.Answer
}

// network is what a phone is on. It loses as many answers as it is told to: the
// request has arrived by then, and the phone does not know.
type network struct {
	http.RoundTripper

	lose atomic.Int32
}

var errLost = errors.New("the network is gone: no answer")

// RoundTrip makes one request.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := n.RoundTripper.RoundTrip(r)
	if err != nil || n.lose.Load() == 0 {
		return resp, err
	}
	n.lose.Add(-1)
	_ = resp.Body.Close() // lost is lost
	return nil, errLost
}

// newHand returns a phone that was never used.
func newHand(agent string, client *http.Client, warn func(string)) *hand {
	base := client.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	n := &network{RoundTripper: base}
	jar, _ := cookiejar.New(nil) // never fails
	h := &hand{agent: agent, net: n, http: &http.Client{
		Transport: n, Jar: jar, Timeout: apiLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	h.app = phone.NewClient(phone.Config{
		HTTP: h.http, Warn: warn, Device: phone.Device{ID: "demo-play-" + randomText(), Name: "The playground's phone"},
	})
	return h
}

// trace is what was done, step by step, for a person to read. No capability gets
// into it: what is long in a path is left out.
type trace struct{ lines []string }

func (t *trace) say(format string, args ...any) {
	t.lines = append(t.lines, fmt.Sprintf(format, args...))
}

// plain is an address without what must not be read off a screen.
func plain(u *url.URL) string {
	parts := strings.Split(u.Path, "/")
	for i, p := range parts {
		if len(p) > 12 && !strings.HasSuffix(p, ".png") {
			parts[i] = "…"
		}
	}
	return strings.Join(parts, "/")
}

// visit opens an address as a person's navigation and follows redirects.
func (h *hand) visit(ctx context.Context, t *trace, address string) error {
	return h.send(ctx, t, http.MethodGet, address, nil)
}

// send makes one request as the browser does and follows where it leads.
func (h *hand) send(ctx context.Context, t *trace, method, address string, form url.Values) error {
	for range 5 {
		got, err := h.request(ctx, method, address, form, nil)
		if err != nil {
			t.say("%s %s: %v", method, pathOf(address), err)
			return err
		}
		if got.next == "" {
			return h.look(t, method, got)
		}
		t.say("%s %s → %d, leads on", method, plain(got.at), got.status)
		u, err := got.at.Parse(got.next)
		if err != nil {
			return errors.New("a redirect to what is no address")
		}
		address, form = u.String(), nil
		if method == http.MethodPost {
			method = http.MethodGet
		}
	}
	return errors.New("too many redirects")
}

// reply is what came of one request.
type reply struct {
	at     *url.URL
	status int
	next   string // where it leads; empty: nowhere
	wait   string // Retry-After
	body   []byte
}

// request sends what a browser would, and reads the answer.
func (h *hand) request(ctx context.Context, method, address string, form url.Values, more http.Header) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, errors.New("this is no address")
	}
	req.Header.Set("User-Agent", h.agent)
	if h.agent != previewAgent {
		req.Header.Set("Accept-Language", "en")
		req.Header.Set("Sec-Fetch-Mode", "navigate")
		req.Header.Set("Sec-Fetch-Site", "none")
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	}
	maps.Copy(req.Header, more)
	resp, err := h.http.Do(req)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err // without the address, which may be a capability
		}
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return reply{}, fmt.Errorf("reading an answer: %w", err)
	}
	return reply{resp.Request.URL, resp.StatusCode, resp.Header.Get("Location"), resp.Header.Get("Retry-After"), body}, nil
}

// look keeps the page that came.
func (h *hand) look(t *trace, method string, got reply) error {
	page, err := html.Parse(bytes.NewReader(got.body))
	if err != nil {
		return fmt.Errorf("reading a page: %w", err)
	}
	h.at, h.page, h.wait = got.at, page, 0
	if n, err := strconv.Atoi(got.wait); err == nil && got.status == http.StatusServiceUnavailable {
		h.wait = time.Duration(n) * time.Second
	}
	if strings.HasPrefix(h.at.Path, "/p/") && method == http.MethodGet {
		h.owned = h.at.String()
	}
	if heading := h.heading(); heading != "" {
		t.say("%s %s → %d “%s”", method, plain(h.at), got.status, heading)
	} else {
		t.say("%s %s → %d", method, plain(h.at), got.status)
	}
	return nil
}

// heading is the page's first heading.
func (h *hand) heading() string { return textOf(find(h.page, "h1", "", "")) }

// number is what the page shows to type on the computer; empty: nothing.
func (h *hand) number() string {
	if h.claim != nil {
		return h.claim.Number
	}
	return textOf(find(find(h.page, "", "data-testid", "digits"), "", "aria-hidden", "true"))
}

// errNoButton means that the page is not the one that has this button.
var errNoButton = errors.New("the phone's page has no such button now")

// press sends the form of this name that the page has.
func (h *hand) press(ctx context.Context, t *trace, name string) error {
	address, form, err := h.form(name)
	if err != nil {
		return err
	}
	return h.send(ctx, t, http.MethodPost, address, form)
}

func (h *hand) form(name string) (string, url.Values, error) {
	found := find(h.page, "form", "data-testid", name)
	if found == nil {
		return "", nil, errNoButton
	}
	to, err := h.at.Parse(attr(found, "action"))
	if err != nil {
		return "", nil, errNoButton
	}
	form := url.Values{}
	for n := range found.Descendants() {
		if name := attr(n, "name"); n.Data == "input" && name != "" {
			form.Add(name, attr(n, "value"))
		}
	}
	return to.String(), form, nil
}

func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "?"
	}
	return plain(u)
}

// find is the first element below n of this name that has the attribute, with the
// value; empty ones are any. Without n, or such an element, it is nil.
func find(n *html.Node, name, key, value string) *html.Node {
	if n == nil {
		return nil
	}
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && (name == "" || d.Data == name) && (key == "" || attr(d, key) == value) {
			return d
		}
	}
	return nil
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}
