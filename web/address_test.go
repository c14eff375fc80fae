package web_test

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"testing"
)

// TestClientAddress: whose address counts, with what the peer and those before it
// wrote. Every request comes from 127.0.0.1.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	ours := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8:ff::/48")}
	for _, tt := range []struct {
		name    string
		proxies []netip.Prefix
		a, b    []string // X-Forwarded-For, a line each; does b count as the network of a?
		same    bool
	}{
		{"no proxies: never believed", nil, []string{"192.0.2.1"}, []string{"192.0.2.2"}, true},
		{"no proxies: loopback neither", nil, []string{"127.0.0.2"}, []string{"10.1.2.3"}, true},
		{"an untrusted peer", ours[1:], []string{"192.0.2.1"}, []string{"192.0.2.2"}, true},
		{"a trusted peer", ours, []string{"192.0.2.1"}, []string{"192.0.2.2"}, false},
		{"what the client wrote before", ours, []string{"198.51.100.1, 192.0.2.1"}, []string{"198.51.100.2, 192.0.2.1"}, true},
		{"what the client wrote in a line of its own", ours, []string{"198.51.100.1", "192.0.2.1"}, []string{"198.51.100.2", "192.0.2.1"}, true},
		{"a private address that is no proxy's", ours, []string{"198.51.100.1, 192.168.0.1"}, []string{"198.51.100.2, 192.168.0.1"}, true},
		{"a private client", ours, []string{"192.168.0.1"}, []string{"192.168.0.2"}, false},
		{"several hops", ours, []string{"192.0.2.1, 10.1.0.1, 10.1.0.2"}, []string{"192.0.2.1,10.1.9.9"}, true},
		{"several hops, another client", ours, []string{"192.0.2.1, 10.1.0.1"}, []string{"192.0.2.2, 10.1.0.1"}, false},
		{"a hop outside the range", ours, []string{"192.0.2.1, 10.2.0.1"}, []string{"192.0.2.2, 10.2.0.1"}, true},
		{"proxies only: the farthest", ours, []string{"10.1.0.7, 10.1.0.1"}, []string{"10.1.0.8, 10.1.0.1"}, false},
		{"garbage by the client", ours, []string{"<script>, 192.0.2.1"}, []string{"0, 192.0.2.1"}, true},
		{"garbage by the proxy: the peer", ours, []string{"192.0.2.1, unknown"}, []string{"192.0.2.2, _hidden"}, true},
		{"empty", ours, []string{""}, []string{" , "}, true},
		{"IPv6, one /64", ours, []string{"2001:db8:1:2::1"}, []string{"[2001:db8:1:2:ffff::9]"}, true},
		{"IPv6, two /64", ours, []string{"2001:db8:1:2::1"}, []string{"2001:db8:1:3::1"}, false},
		{"IPv6 proxies", ours, []string{"192.0.2.1, 2001:db8:ff::1"}, []string{"192.0.2.2, 2001:db8:ff:9::1"}, false},
		{"IPv4 spelt as IPv6", ours, []string{"::ffff:192.0.2.1"}, []string{"192.0.2.1"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setting) {
				s.proxies = tt.proxies
				s.rates.PagesPerNetwork = few(1)
			})
			ask := func(lines []string) int {
				p := w.person(iPhone)
				r := p.request(http.MethodGet, w.public+"/a/acme/connect", nil)
				r.Header["X-Forwarded-For"] = lines
				r.Header.Set("X-Real-IP", rand.Text()) // never looked at
				r.Header.Set("Forwarded", "for="+rand.Text())
				return send(t, p.client, r).StatusCode
			}
			if got := ask(tt.a); got != http.StatusOK {
				t.Fatalf("from %q = %d, want 200", tt.a, got)
			}
			if got := ask(tt.a); got != http.StatusTooManyRequests {
				t.Errorf("from %q again = %d, want 429", tt.a, got)
			}
			want := http.StatusOK
			if tt.same {
				want = http.StatusTooManyRequests
			}
			if got := ask(tt.b); got != want {
				t.Errorf("from %q after %q = %d, want %d", tt.b, tt.a, got, want)
			}
		})
	}
}
