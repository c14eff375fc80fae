package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// maxAnswer bounds what is read of an answer, in bytes: more than a phone reads of
// an association file.
const maxAnswer = 256 << 10

func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: askLimit / 2}).DialContext,
		ForceAttemptHTTP2:     true,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:   askLimit / 2,
		ResponseHeaderTimeout: askLimit,
		DisableCompression:    true, // what comes is looked at as it comes
	}
}

// answered is an answer, read.
type answered struct {
	*http.Response
	body []byte
	sent time.Time     // ours
	took time.Duration // until the header was there
}

// get asks once, with what browsers say of a page that somebody went to, and with
// header instead where that says otherwise.
func (d *Doctor) get(ctx context.Context, address string, header http.Header) (answered, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return answered{}, err
	}
	for name, value := range map[string]string{
		"User-Agent": "handoff-doctor/1", "Accept": "text/html,*/*;q=0.8",
		"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
	} {
		req.Header.Set(name, value)
	}
	maps.Copy(req.Header, header)
	sent := time.Now()
	resp, err := d.client.Do(req)
	if err != nil {
		return answered{}, err
	}
	defer resp.Body.Close()
	took := time.Since(sent)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return answered{resp, body, sent, took}, err
}

// base is where a host of ours is asked: its own address, or in the scheme of URL.
func (d *Doctor) base(address string) string {
	if scheme, _, ok := strings.Cut(d.URL, "://"); ok {
		_, host, _ := strings.Cut(address, "://")
		return scheme + "://" + host
	}
	return address
}

func (d *Doctor) key(parent string) string { return NewKey(d.Vault, parent, time.Now()) }

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// unanswered says why a host of ours gave no answer, and what to change. setting
// is the one that names it.
func (d *Doctor) unanswered(about, setting string, err error) Finding {
	if f, ok := d.untrusted(about, err); ok {
		return f
	}
	f := Finding{
		Check: "host", About: about, Level: Fault, Why: "Nobody gets an answer there. What depends on it was not examined.",
		Change: d.Config.Where(setting) + ": name the host that people reach the portal by",
	}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	t, isNet := errors.AsType[net.Error](err)
	switch {
	case isDNS && dns.IsNotFound:
		f.What, f.Change = "The name has no address.", "in DNS: an A or AAAA record for "+about+", or the right name at "+d.Config.Where(setting)
	case errors.Is(err, syscall.ECONNREFUSED):
		f.What = "Nothing listens there."
	case isNet && t.Timeout():
		f.What = "It does not answer in time."
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"): // net/http has no type for it
		f.Check, f.What = "tls", "What answers there speaks plain http."
		f.Change = "in the proxy: listen 443 ssl;  (nginx)"
	default:
		f.What = "The connection breaks off before an answer."
	}
	return f
}

// untrusted says what is wrong with a certificate.
func (d *Doctor) untrusted(about string, err error) (Finding, bool) {
	bad, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok {
		return Finding{}, false
	}
	f := Finding{Check: "tls", About: about, Level: Fault, Why: "Browsers show a warning in place of every page, and apps open no link. What depends on it was not examined."}
	leaf := bad.UnverifiedCertificates[0]
	name, _ := errors.AsType[x509.HostnameError](bad.Err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](bad.Err)
	invalid, _ := errors.AsType[x509.CertificateInvalidError](bad.Err)
	switch {
	case invalid.Reason == x509.Expired && time.Now().After(leaf.NotAfter):
		f.What = "The certificate expired on " + leaf.NotAfter.UTC().Format(time.DateOnly) + "."
		f.Change = "certbot renew  (or what renews it at yours), and reload the proxy"
	case invalid.Reason == x509.Expired:
		f.What = "The certificate is not valid yet: it begins on " + leaf.NotBefore.UTC().Format(time.DateOnly) + "."
		f.Change = "timedatectl set-ntp true  (here, or where the certificate is made)"
	case name.Host != "":
		f.What = fmt.Sprintf("The certificate is for %s.", strings.Join(leaf.DNSNames, ", "))
		f.Change = "in the proxy: server_name and ssl_certificate of " + about + "  (nginx)"
	case unknown && len(bad.UnverifiedCertificates) == 1 && leaf.Issuer.String() != leaf.Subject.String():
		f.What = "The certificate comes without the one it is signed by."
		f.Why = "Some browsers find it by themselves; phones, apps and those who read the association files do not. " + f.Why
		f.Change = "in the proxy: ssl_certificate …/fullchain.pem;  (nginx; the whole chain, not cert.pem)"
	default:
		f.What = "The certificate is signed by nobody that this machine trusts."
		f.Change = "in the proxy: ssl_certificate …;  (nginx; one of a public authority)"
	}
	return f, true
}

// expiring says how long a certificate is still good.
func expiring(about string, state *tls.ConnectionState) []Finding {
	if state == nil {
		return nil
	}
	const soon = 14 * 24 * time.Hour
	f := Finding{Check: "tls", About: about, Level: OK, What: "The certificate is good until " + state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly) + "."}
	if time.Until(state.PeerCertificates[0].NotAfter) < soon {
		f.Level = Warning
		f.Why = "What renews it has not, two weeks before its end. After it nothing works any more."
		f.Change = "certbot renew  (or what renews it at yours), and reload the proxy"
	}
	return []Finding{f}
}
