package message

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// twilio speaks the Programmable Messaging API of Twilio, version 2010-04-01: a
// form in, JSON out, HTTP Basic authentication.
type twilio struct {
	SMS

	client *http.Client
}

func newTwilio(s SMS, roots *x509.CertPool) *twilio {
	return &twilio{s, &http.Client{
		Transport:     newTransport(roots),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a credential goes nowhere else
	}}
}

func tlsConfig(roots *x509.CertPool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
}

func (t *twilio) send(ctx context.Context, to handoff.Secret, text string) error {
	form := url.Values{"To": {to.Reveal()}, "Body": {text}}
	if strings.HasPrefix(t.From, "MG") {
		form.Set("MessagingServiceSid", t.From)
	} else {
		form.Set("From", t.From)
	}
	return t.call(ctx, http.MethodPost, "/Messages.json", form)
}

// check fetches the account that the credential is of.
func (t *twilio) check(ctx context.Context) error { return t.call(ctx, http.MethodGet, ".json", nil) }

func (t *twilio) call(ctx context.Context, method, path string, form url.Values) error {
	address := t.URL + "/2010-04-01/Accounts/" + url.PathEscape(t.Account.Reveal()) + path
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return &SendError{Code: "address"}
	}
	req.SetBasicAuth(t.Account.Reveal(), t.Token.Reveal())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "handoff")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := t.client.Do(req)
	if err != nil {
		o, isOp := errors.AsType[*net.OpError](err)
		_, noName := errors.AsType[*net.DNSError](err)
		_, noTrust := errors.AsType[*tls.CertificateVerificationError](err)
		return &SendError{Code: "no answer", Unsure: !noName && !noTrust && (!isOp || o.Op != "dial")}
	}
	defer resp.Body.Close()
	var answer struct {
		Sid    string      `json:"sid"`
		Status string      `json:"status"`
		Code   json.Number `json:"code"`
	}
	body, readErr := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	parseErr := json.Unmarshal(body, &answer)
	code := "status " + strconv.Itoa(resp.StatusCode)
	if n, err := answer.Code.Int64(); err == nil {
		code += ", code " + strconv.FormatInt(n, 10)
	}
	switch {
	case resp.StatusCode >= 500:
		return &SendError{Code: code, Unsure: true}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return &SendError{Code: code, Refused: resp.StatusCode != http.StatusTooManyRequests}
	case readErr != nil || parseErr != nil || answer.Sid == "":
		return &SendError{Code: code + ", an answer that cannot be read", Unsure: true}
	case answer.Status == "failed" || answer.Status == "undelivered" || answer.Status == "suspended" || answer.Status == "closed":
		return &SendError{Code: answer.Status, Refused: true}
	}
	return nil
}
