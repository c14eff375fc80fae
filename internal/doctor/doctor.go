// Package doctor checks the world around a deployment: what stands between
// people and the portal, and whom the portal depends on. It says what is wrong,
// why it matters, and the one line to change.
//
// It changes nothing: no handoff is made, no journey started. What only both ends
// together can tell, it learns from the portal itself, by a key in the place of a
// display's that takes the server key to make. What it sends outside is a test
// event to each webhook, and a request for an access token.
package doctor

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/config"
	"github.com/handoff-portal/handoff/internal/handoff"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning" // works, but hardly as intended, or could not be told
	Fault   Level = "fault"
)

// Finding is what one check found. Nothing in it is secret.
type Finding struct {
	Check  string `json:"check"`
	About  string `json:"about"` // a host, a partner, or empty
	Level  Level  `json:"level"`
	What   string `json:"what"`
	Why    string `json:"why,omitempty"`
	Change string `json:"change,omitempty"` // the one line
}

// Platform is a platform's client, as far as it is asked here.
type Platform interface {
	Authenticate(context.Context) error
	URL() string
}

// Webhooks sends test events.
type Webhooks interface {
	Endpoints(handoff.PartnerID) []handoff.EndpointID
	Test(ctx context.Context, p handoff.PartnerID, to handoff.EndpointID, forged bool) (status int, outcome string)
}

// Messages tries the credentials of who sends messages, and sends none.
type Messages interface {
	Sends(r handoff.Route) bool
	Check(ctx context.Context, r handoff.Route) error
}

// Options say what to examine; Config and Vault are required.
type Options struct {
	Config *config.Config
	Vault  handoff.Vault // with the configuration's server keys
	// URL is where to connect to in place of public_url and link_url, whose names
	// are asked for all the same; empty: where the names lead.
	URL       string
	Platforms []Platform // in the order of Config.Platforms
	Webhooks  Webhooks
	Messages  Messages // nil: nothing is sent
	// Store opens the store and closes it again, for when nothing runs.
	Store   func(context.Context) error
	RootCAs *x509.CertPool // trusted instead of the system's, if set
}

// Limits of a run.
const (
	askLimit = 10 * time.Second
	runLimit = 40 * time.Second // longer than the two attempts at a webhook take
)

// Doctor examines one deployment, once.
type Doctor struct {
	Options

	client *http.Client
	public func() *arrival // asked once, by whoever needs it first
	link   func() *arrival
}

// New returns a Doctor. A URL that is none is an error.
func New(o Options) (*Doctor, error) {
	d := &Doctor{Options: o}
	var err error
	if d.client, err = newClient(o); err != nil {
		return nil, err
	}
	return d, nil
}

// examination is one thing to find out; it takes its time, and ends with ctx.
type examination func(context.Context) []Finding

// Run makes all examinations at once and returns what they found, in a fixed
// order. Every one that ends is told to progress, one at a time.
func (d *Doctor) Run(ctx context.Context, progress func(done, all int)) []Finding {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	defer d.client.CloseIdleConnections()
	d.public = sync.OnceValue(func() *arrival { return d.arriveAtPublic(ctx) })
	d.link = sync.OnceValue(func() *arrival { return d.arriveAtLink(ctx) })
	all := d.examinations()
	found := make([][]Finding, len(all))
	var mu sync.Mutex
	done := 0
	var wg sync.WaitGroup
	for i, examine := range all {
		wg.Go(func() {
			found[i] = examine(ctx)
			mu.Lock()
			defer mu.Unlock()
			done++
			progress(done, len(all))
		})
	}
	wg.Wait()
	var out []Finding
	for _, f := range found {
		out = append(out, f...)
	}
	return out
}

// examinations are all there are for this configuration, in the order in which
// their findings are told.
func (d *Doctor) examinations() []examination {
	all := []examination{
		func(context.Context) []Finding { return d.public().findings },
		func(context.Context) []Finding { return d.link().findings },
		d.clock, d.forwarded, d.pages, d.caching,
		func(ctx context.Context) []Finding { return d.stream(ctx, "/h/") },
		func(ctx context.Context) []Finding { return d.stream(ctx, "/p/") },
		d.apple, d.clips, d.android, d.store,
	}
	for i := range d.Config.Partners {
		all = append(all, func(ctx context.Context) []Finding { return d.framing(ctx, i) })
	}
	for i := range d.Platforms {
		all = append(all, func(ctx context.Context) []Finding { return d.platform(ctx, i) })
	}
	if d.Messages != nil {
		for _, r := range []handoff.Route{handoff.RouteSMS, handoff.RouteEmail} {
			if d.Messages.Sends(r) {
				all = append(all, func(ctx context.Context) []Finding { return d.messages(ctx, r) })
			}
		}
	}
	if d.Webhooks != nil {
		for i, p := range d.Config.Partners {
			for j := range p.Webhooks {
				all = append(all, func(ctx context.Context) []Finding { return d.webhook(ctx, i, j) })
			}
		}
	}
	return all
}

func newClient(o Options) (*http.Client, error) {
	transport := newTransport(o.RootCAs)
	if o.URL != "" {
		at, err := url.Parse(o.URL)
		if err != nil {
			return nil, err
		}
		address := at.Host
		if at.Port() == "" {
			address = net.JoinHostPort(at.Hostname(), map[string]string{"http": "80", "https": "443"}[at.Scheme])
		}
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, address) }
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       askLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
