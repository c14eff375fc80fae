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
	"regexp"
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

func (t *twilio) send(ctx context.Context, to handoff.Secret, text string) (sid string, err error) {
	form := url.Values{"To": {to.Reveal()}, "Body": {text}}
	if strings.HasPrefix(t.From, "MG") {
		form.Set("MessagingServiceSid", t.From)
	} else {
		form.Set("From", t.From)
	}
	a, err := t.call(ctx, http.MethodPost, "/Messages.json", form)
	if err == nil && stateOf(a.Status) == handoff.DispatchFailed {
		err = &SendError{Code: a.Status, Refused: true}
	}
	if err != nil || !messageSid.MatchString(a.Sid) {
		return "", err // one of another form is not put into an address
	}
	return a.Sid, nil
}

var messageSid = regexp.MustCompile(`^(SM|MM)[0-9a-f]{32}$`)

// receipt fetches the message.
func (t *twilio) receipt(ctx context.Context, sid string) (handoff.DispatchState, error) {
	a, err := t.call(ctx, http.MethodGet, "/Messages/"+url.PathEscape(sid)+".json", nil)
	if err != nil {
		return "", err
	}
	state := stateOf(a.Status)
	if state == "" {
		return "", &SendError{Code: "a status that is not known"}
	}
	return state, nil
}

// stateOf reads the status of a message resource; empty: none that is known.
func stateOf(status string) handoff.DispatchState {
	switch status {
	case "accepted", "scheduled", "queued", "sending":
		return handoff.DispatchQueued
	case "sent":
		return handoff.DispatchSent
	case "delivered", "read":
		return handoff.DispatchDelivered
	case "failed", "undelivered", "canceled":
		return handoff.DispatchFailed
	}
	return ""
}

// check fetches the account that the credential is of.
func (t *twilio) check(ctx context.Context) error {
	a, err := t.call(ctx, http.MethodGet, ".json", nil)
	if err == nil && (a.Status == "suspended" || a.Status == "closed") {
		return &SendError{Code: a.Status, Refused: true}
	}
	return err
}

// twilioAnswer is what of an answer is read: no number, and no words about one.
type twilioAnswer struct {
	Sid    string      `json:"sid"`
	Status string      `json:"status"`
	Code   json.Number `json:"code"`
}

func (t *twilio) call(ctx context.Context, method, path string, form url.Values) (twilioAnswer, error) {
	var answer twilioAnswer
	address := t.URL + "/2010-04-01/Accounts/" + url.PathEscape(t.Account.Reveal()) + path
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return answer, &SendError{Code: "address"}
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
		return answer, &SendError{Code: "no answer", Unsure: !noName && !noTrust && (!isOp || o.Op != "dial")}
	}
	defer resp.Body.Close()
	body, readErr := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	parseErr := json.Unmarshal(body, &answer)
	code := "status " + strconv.Itoa(resp.StatusCode)
	if n, err := answer.Code.Int64(); err == nil {
		code += ", code " + strconv.FormatInt(n, 10)
	}
	switch {
	case resp.StatusCode >= 500:
		return answer, &SendError{Code: code, Unsure: true}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return answer, &SendError{Code: code, Refused: resp.StatusCode != http.StatusTooManyRequests}
	case readErr != nil || parseErr != nil || answer.Sid == "":
		return answer, &SendError{Code: code + ", an answer that cannot be read", Unsure: true}
	}
	return answer, nil
}
