package config

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// traces reads where spans go. The collector is the operator's own, so that http is
// possible; what it needs to see of a secret belongs in headers.
func (v value) traces() *Traces {
	if !v.there() {
		return nil
	}
	const remedy = "write the collector's address for OTLP over HTTP, as in http://127.0.0.1:4318/v1/traces"
	s := v.section("url", "headers", "share", "from_proxies")
	t := &Traces{
		URL:         parsed(s.need("url", remedy), remedy, collectorURL),
		Share:       s.get("share").share(),
		FromProxies: s.get("from_proxies").yes(),
	}
	names, headers := s.get("headers").mapping()
	for _, name := range names {
		if !headerName.MatchString(name) {
			headers[name].fault("write the name of a header, such as Authorization", "%.40q is not the name of a header", name)
			continue
		}
		if secret, ok := headers[name].secret(); ok {
			if t.Headers == nil {
				t.Headers = make(map[string]handoff.Secret)
			}
			t.Headers[name] = secret
		}
	}
	return t
}

func collectorURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || strings.ContainsAny(s, "?#") {
		return "", errors.New("an http or https address is needed, without a query or a login")
	}
	if u.Path == "" || u.Path == "/" {
		return "", errors.New("the address has no path; collectors usually take traces at /v1/traces")
	}
	return s, nil
}

// share is a part of a whole, from 0 to 1; all of it by default.
func (v value) share() float64 {
	s, ok := v.word()
	if !ok {
		return 1
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		v.fault("write a number from 0 to 1, as in 0.1", "%.40q is no such number", s)
		return 1
	}
	return f
}

// yes is a truth value, false by default.
func (v value) yes() bool {
	s, ok := v.word()
	if ok && s != "true" && s != "false" {
		v.fault("write true or false", "%.40q is neither", s)
	}
	return s == "true"
}
