package reliability_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// patientClient is shared: a connection for each request would use the machine's
// ports up.
func patientClient() *http.Client {
	return &http.Client{
		Timeout:       40 * time.Second, // beyond the longest wait of the portal
		Transport:     &http.Transport{MaxIdleConnsPerHost: 100, IdleConnTimeout: 5 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// browser is somebody's browser without scripts.
type browser struct {
	client *http.Client
	agent  string
	waits  func(page) // told of each page that says to wait; nil: nobody is
}

func newBrowser(client *http.Client, agent string) *browser {
	own := *client
	own.Jar, _ = cookiejar.New(nil) // never fails
	return &browser{client: &own, agent: agent}
}

const (
	desktopAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
	phoneAgent   = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

func (b *browser) request(ctx context.Context, method, address string, form url.Values) (*http.Request, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", b.agent)
	r.Header.Set("Accept-Language", "en")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "none")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	return r, nil
}

// page is what a browser shows.
type page struct {
	status int
	url    *url.URL
	body   []byte
	after  string // its Retry-After
}

func (p page) find(selector string) *goquery.Selection {
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(p.body))
	if err != nil {
		return &goquery.Selection{}
	}
	return doc.Find(selector)
}

// once sends a request and follows redirects.
func (b *browser) once(ctx context.Context, method, address string, form url.Values) (page, error) {
	for range 6 {
		r, err := b.request(ctx, method, address, form)
		if err != nil {
			return page{}, err
		}
		resp, err := b.client.Do(r)
		if err != nil {
			return page{}, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return page{}, err
		}
		if resp.StatusCode < 300 || resp.StatusCode > 399 {
			return page{resp.StatusCode, r.URL, body, resp.Header.Get("Retry-After")}, nil
		}
		next, err := r.URL.Parse(resp.Header.Get("Location"))
		if err != nil {
			return page{}, err
		}
		method, address, form = http.MethodGet, next.String(), nil
	}
	return page{}, errors.New("it is redirected for ever")
}

// load is what a person does: they send it, and on an error page, or none, once
// more. A form is sent again as it is, which is the same attempt.
func (b *browser) load(ctx context.Context, method, address string, form url.Values) (page, error) {
	for wait := 300 * time.Millisecond; ; wait = min(2*wait, 3*time.Second) {
		p, err := b.once(ctx, method, address, form)
		if err == nil && p.status < 500 {
			return p, nil
		}
		if err == nil && b.waits != nil {
			b.waits(p)
		}
		if ctx.Err() != nil {
			return p, fmt.Errorf("%s %s: gave up after status %d: %w", method, route(address), p.status, errors.Join(err, ctx.Err()))
		}
		pause(ctx, wait)
	}
}

// route is an address without its capabilities.
func route(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "?"
	}
	parts := strings.Split(u.Path, "/")
	return "/" + parts[min(1, len(parts)-1)] + "/…/" + parts[len(parts)-1][:min(7, len(parts[len(parts)-1]))]
}

// pause waits for d, a quarter more or less of it.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(time.Duration(float64(d) * (0.75 + mrand.Float64()/2)))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// scan reads the QR of a display, as a camera does: again, if a picture cannot be
// read.
func (b *browser) scan(ctx context.Context, display string) (text string, err error) {
	for range 5 {
		p, err := b.load(ctx, http.MethodGet, display+"/qr.png", nil)
		if err != nil {
			return "", err
		}
		if text, err = decodeQR(p.body); err == nil {
			return text, nil
		}
		pause(ctx, time.Second)
	}
	return "", fmt.Errorf("reading the code: %w", err)
}

func decodeQR(picture []byte) (string, error) {
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return "", err
	}
	bits, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		return "", err
	}
	hints := make(map[gozxing.DecodeHintType]any)
	hints[gozxing.DecodeHintType_PURE_BARCODE] = true
	text, err := qrcode.NewQRCodeReader().Decode(bits, hints)
	if err != nil {
		return "", err
	}
	return text.GetText(), nil
}

// press sends the form with this data-testid.
func (b *browser) press(ctx context.Context, p page, testID string) (page, error) {
	form := p.find(fmt.Sprintf("form[data-testid=%q]", testID)).First()
	action, ok := form.Attr("action")
	if !ok {
		return page{}, fmt.Errorf("a page of status %d has no form %s", p.status, testID)
	}
	values := url.Values{}
	form.Find("input[name]").Each(func(_ int, in *goquery.Selection) { values.Set(in.AttrOr("name", ""), in.AttrOr("value", "")) })
	target, err := p.url.Parse(action)
	if err != nil {
		return page{}, err
	}
	return b.load(ctx, http.MethodPost, target.String(), values)
}

// partnerServer calls the partner API, as a server does: again, when there is no
// answer or one of a bad day.
type partnerServer struct {
	client *http.Client
	public string
	key    string
}

// made is a handoff as the partner API tells it.
type made struct {
	ID, Status, DisplayURL string
	Events                 []struct{ Type string }
}

// call returns the status of the answer; again is set if an earlier try may have
// had its effect.
func (s *partnerServer) call(ctx context.Context, method, path string, in, out any) (status int, again bool, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, false, err
	}
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 3*time.Second) {
		status, err = s.once(ctx, method, path, body, out)
		if err == nil && status < 500 {
			return status, again, nil
		}
		again = true
		if ctx.Err() != nil {
			return status, again, fmt.Errorf("%s %s: gave up after status %d: %w", method, path, status, errors.Join(err, ctx.Err()))
		}
		pause(ctx, wait)
	}
}

func (s *partnerServer) once(ctx context.Context, method, path string, body []byte, out any) (int, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.public+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+s.key)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode < 300 && out != nil {
		err = json.Unmarshal(answer, out)
	}
	return resp.StatusCode, err
}

func newInstance() string { return "Pi" + rand.Text()[:22] }
