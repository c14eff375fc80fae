package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/handoff-portal/handoff/internal/config"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/message"
	"github.com/handoff-portal/handoff/internal/platform"
)

// store asks the portal that runs here whether its store answers. Where none runs
// here, it opens the store itself, unless that is a file that is elsewhere.
func (d *Doctor) store(ctx context.Context) []Finding {
	if d.Config.InternalListen == "" {
		return nil // a demonstration has no such listener, and keeps nothing
	}
	at := reachable(d.Config.InternalListen)
	f := Finding{Check: "store", About: at, Level: OK, What: "The portal is ready, and its store answers."}
	resp, err := d.plain(ctx, "http://"+at+"/readyz")
	switch {
	case err == nil && resp.StatusCode == http.StatusOK:
	case err == nil && resp.StatusCode == http.StatusServiceUnavailable:
		f.Level, f.What = Fault, "The portal says that it is not ready: "+strings.TrimSpace(fmt.Sprintf("%.100s", resp.body))+"."
		f.Why, f.Change = "Nothing can be kept, so nothing works.", d.Config.Where("store")+": one that answers"
	case err == nil:
		f.Level, f.What = Fault, "Something else answers on the internal listener's address."
		f.Why, f.Change = "Health checks and the other commands do not reach the portal.", d.Config.Where("internal_listen")+": a port of its own"
	case d.public().there && d.Config.Store.Kind == config.StoreFile:
		f.Level, f.What = Warning, "The portal runs elsewhere, so its store was not examined."
		f.Why, f.Change = "Whether handoffs can be kept is told only by the internal listener.", "handoff doctor, run where the portal runs, or the right address at "+d.Config.Where("internal_listen")
	case d.Store == nil:
		return nil
	default:
		f.About = ""
		f.What = "The store can be opened."
		if err := d.Store(ctx); err != nil {
			f.Level, f.What = Fault, "The store cannot be opened: "+err.Error()+"."
			f.Why, f.Change = "The portal does not start.", d.Config.Where("store")
		}
	}
	return []Finding{f}
}

// plain asks what is no host of ours, where it leads.
func (d *Doctor) plain(ctx context.Context, address string) (answered, error) {
	transport := newTransport(d.RootCAs)
	defer transport.CloseIdleConnections()
	outside := Doctor{client: &http.Client{
		Transport: transport, Timeout: askLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return outside.get(ctx, address, nil)
}

// platform asks for an access token with a credential, and whether the platform is
// where api_url says. Nothing is started.
func (d *Doctor) platform(ctx context.Context, i int) []Finding {
	p, setting := d.Platforms[i], ""
	if i < len(d.Config.PlatformAt) {
		setting = d.Config.PlatformAt[i] + "."
	}
	about := host(d.Config.Platforms[i].TokenURL)
	f := Finding{Check: "platform", About: about, Level: OK, What: "The platform gives an access token."}
	err := p.Authenticate(ctx)
	switch {
	case errors.Is(err, platform.ErrRefused):
		f.Level, f.What = Fault, "The platform refuses the credential."
		f.Why, f.Change = "No journey can be started or connected.", d.Config.Where(setting+"client_secret")+": what belongs to client_id, with the grant and scope it is for"
	case err != nil:
		f.Level, f.What = Fault, "The platform gives no access token: it cannot be reached, or has a fault."
		f.Why, f.Change = "No journey can be started or connected.", d.Config.Where(setting+"token_url")+": the address of your region, which this machine must reach"
	}
	found := []Finding{f}
	health := Finding{Check: "platform", About: host(p.URL()), Level: OK, What: "The platform is where api_url says."}
	if resp, err := d.plain(ctx, p.URL()+"/journey/health"); err != nil || resp.StatusCode != http.StatusOK {
		health.Level, health.What = Fault, "The platform is not where api_url says."
		health.Why = "Calls go to an address that does not know them; the platform answers those as it answers a wrong credential."
		health.Change = d.Config.Where(setting+"api_url") + ": the base of your region and version, as in https://eu.platform.go.gbgplc.com/v2/captain"
	}
	return append(found, health)
}

// webhook sends a partner's endpoint a test event, and one that is forged.
func (d *Doctor) webhook(ctx context.Context, i, j int) []Finding {
	p := d.Config.Partners[i]
	setting := fmt.Sprintf("partners[%d].webhooks[%d]", i, j)
	to := handoff.EndpointFor(p.Webhooks[j].URL)
	f := Finding{Check: "webhook", About: string(p.ID) + " at " + host(p.Webhooks[j].URL), Level: Fault, Why: "The partner is told nothing."}
	status, outcome := d.Webhooks.Test(ctx, p.ID, to, false)
	switch {
	case status == 0:
		f.What, f.Change = "The test event does not arrive: "+outcome+".", d.Config.Where(setting+".url")
		if outcome == "address not allowed" {
			f.Change = d.Config.Where("egress_allow") + ": the receiver's range, if it is in a network of yours"
		}
		return []Finding{f}
	case status == http.StatusBadRequest || status == http.StatusUnauthorized || status == http.StatusForbidden:
		f.What, f.Change = "The receiver refuses the signed test event, with "+outcome+".", d.Config.Where(setting+".secrets")+": the secret that the receiver verifies with"
		return []Finding{f}
	case status < 200 || status > 299:
		f.What, f.Change = "The receiver answers the test event with "+outcome+".", d.Config.Where(setting+".url")+": where it answers 2xx itself; redirects are not followed"
		return []Finding{f}
	}
	f.Level, f.What, f.Why = OK, "The receiver takes a signed test event, and refuses a forged one.", ""
	if status, _ := d.Webhooks.Test(ctx, p.ID, to, true); status >= 200 && status <= 299 {
		f.Level, f.What = Warning, "The receiver takes a forged event too: it does not verify signatures."
		f.Why, f.Change = "Whoever knows its address can tell the partner that somebody is verified.", "in the receiver: verify webhook-signature before anything else, by a library of Standard Webhooks"
	}
	return []Finding{f}
}

// messages tries the credential of who sends by a route.
func (d *Doctor) messages(ctx context.Context, r handoff.Route) []Finding {
	f := Finding{Check: "sms", Level: OK, What: "The provider of text messages takes the credential."}
	setting, credential := "sms.url", "sms.token"
	if r == handoff.RouteEmail {
		f.Check, f.About = "mail", d.Config.Mail.SMTP
		f.What = "The mail server answers, and takes the credential."
		setting, credential = "mail.smtp", "mail.password"
	} else {
		f.About = host(d.Config.SMS.URL)
	}
	err := d.Messages.Check(ctx, r)
	switch {
	case err == nil:
		return []Finding{f}
	case message.Refused(err):
		f.What, f.Change = "The credential is refused ("+err.Error()+").", d.Config.Where(credential)+": what belongs to the account"
	default:
		f.What, f.Change = "It cannot be reached, not over TLS that can be trusted ("+err.Error()+").", d.Config.Where(setting)+": an address that this machine reaches, with STARTTLS or TLS"
	}
	f.Level, f.Why = Fault, "People who cannot scan a code ask for a link in a message, and none comes."
	return []Finding{f}
}
