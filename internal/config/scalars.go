package config

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// word is any scalar as it is written: what durations, rates and numbers are.
func (v value) word() (string, bool) {
	if !v.there() {
		return "", false
	}
	switch t := v.node.(type) {
	case *ast.StringNode:
		return t.Value, true
	case *ast.LiteralNode:
		return t.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return t.GetToken().Value, true
	}
	v.fault("write one value", "a single value is needed here")
	return "", false
}

// text is a string; a number or a truth value that was meant as one needs quotes.
func (v value) text() (string, bool) {
	if !v.there() {
		return "", false
	}
	switch t := v.node.(type) {
	case *ast.StringNode:
		return t.Value, true
	case *ast.LiteralNode:
		return t.Value.Value, true
	}
	v.fault("put the value in quotes", "a text is needed here")
	return "", false
}

// parsed reads v by parse, whose error says what is wanted. Where a secret could
// stand by mistake, that error must not quote the value.
func parsed[T any](v value, remedy string, parse func(string) (T, error)) T {
	var zero T
	s, ok := v.text()
	if !ok || (s == "" && !v.required) {
		return zero
	}
	out, err := parse(s)
	if err != nil {
		v.fault(remedy, "%s", err)
		return zero
	}
	return out
}

// filled is a text that is not empty.
func (v value) filled(remedy string) string {
	s, ok := v.text()
	if ok && strings.TrimSpace(s) == "" {
		v.fault(remedy, "this is empty")
	}
	return s
}

// choice is one of a few words, the first of which is the default.
func choice[T ~string](v value, options ...T) T {
	s, ok := v.word()
	if !ok {
		return options[0]
	}
	if !slices.Contains(options, T(s)) {
		names := make([]string, len(options))
		for i, o := range options {
			names[i] = string(o)
		}
		v.fault("use one of: "+strings.Join(names, ", "), "%.40q is not possible here", s)
		return options[0]
	}
	return T(s)
}

var daysForm = regexp.MustCompile(`^([0-9]{1,5})d$`)

func (v value) duration(fallback, least, most time.Duration) time.Duration {
	s, ok := v.word()
	if !ok {
		return fallback
	}
	var d time.Duration
	var err error
	if days := daysForm.FindStringSubmatch(s); days != nil {
		n, _ := strconv.Atoi(days[1]) // five digits
		d = time.Duration(n) * 24 * time.Hour
	} else if d, err = time.ParseDuration(s); err != nil {
		v.fault("write a number and a unit, as in 90s, 15m, 1h or 7d", "%.40q is no length of time", s)
		return fallback
	}
	if d < least || d > most {
		v.fault(fmt.Sprintf("use %s to %s", spell(least), spell(most)), "%s is out of bounds", s)
		return fallback
	}
	return d
}

func spell(d time.Duration) string {
	switch {
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

var rateForm = regexp.MustCompile(`^([1-9][0-9]{0,8})/([smh])$`)

func (v value) rate(fallback Rate) Rate {
	s, ok := v.word()
	if !ok {
		return fallback
	}
	m := rateForm.FindStringSubmatch(s)
	if m == nil {
		v.fault("write a number above zero and a unit, as in 50/s, 300/m or 1000/h", "%.40q is no rate", s)
		return fallback
	}
	n, _ := strconv.Atoi(m[1]) // nine digits
	return Rate{n, map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[m[2]]}
}

func (v value) count(fallback int) int {
	s, ok := v.word()
	if !ok {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1_000_000_000 {
		v.fault("write a whole number above zero", "%.40q is no such number", s)
		return fallback
	}
	return n
}

// prefixes are ranges of addresses; a bare address is a range of one.
func (v value) prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, item := range v.list() {
		p := parsed(item, "write it as 10.0.0.0/8 or 2001:db8::/32", func(s string) (netip.Prefix, error) {
			if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
				return netip.PrefixFrom(a, a.BitLen()), nil
			}
			p, err := netip.ParsePrefix(s)
			switch {
			case err != nil:
				return p, fmt.Errorf("%.60q is no range of addresses", s)
			case p != p.Masked():
				return p, fmt.Errorf("%s has bits beyond its length; %s is meant, perhaps", s, p.Masked())
			}
			return p, nil
		})
		if p.IsValid() {
			out = append(out, p)
		}
	}
	return out
}

// address is host:port to listen on; the host may be empty.
func (v value) address(fallback string) string {
	s, ok := v.text()
	if !ok {
		return fallback
	}
	host, port, err := net.SplitHostPort(s)
	n, portErr := strconv.Atoi(port)
	if err != nil || portErr != nil || n < 0 || n > 65535 || (host != "" && host != "localhost" && net.ParseIP(host) == nil) {
		v.fault("write an address and a port, as in 127.0.0.1:8080 or :8080", "%.60q is no address to listen on", s)
		return fallback
	}
	return s
}

var envForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secret follows env:NAME or file:PATH. Not a letter of what stands there is
// printed unless it has that form, for it may be the secret itself.
func (v value) secret() (handoff.Secret, bool) {
	if !v.there() {
		return "", false
	}
	s, _ := v.word()
	if name, ok := strings.CutPrefix(s, "env:"); ok && envForm.MatchString(name) {
		got := v.r.getenv(name)
		if got == "" {
			v.fault("set it in the environment of the process", "the variable %s is not set, or empty", name)
		}
		return handoff.Secret(got), got != ""
	}
	if path, ok := strings.CutPrefix(s, "file:"); ok && path != "" {
		b, ok := v.read(path)
		got := strings.TrimRight(string(b), "\r\n")
		if ok && got == "" {
			v.fault("put the secret into it", "the file %s is empty", path)
		}
		return handoff.Secret(got), ok && got != ""
	}
	v.fault("write env:NAME or file:PATH, and take the secret out of this file", "a secret may not stand here itself")
	return "", false
}

// read reads a file that the settings name.
func (v value) read(path string) ([]byte, bool) {
	b, err := readFile(v.r.resolve(path))
	if err != nil {
		v.fault("paths are relative to the folder of the configuration; check that the process may read it", "the file %s cannot be read", path)
		return nil, false
	}
	return b, true
}

func (r *reader) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, path)
}

// unbase64 reads any of the usual alphabets, padded or not.
func unbase64(s string) ([]byte, bool) {
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSpace(s)), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	return b, err == nil
}
