package egress_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/handoff-portal/handoff/internal/egress"
)

func guard(allow ...string) *egress.Guard {
	var o egress.Options
	for _, p := range allow {
		o.Allow = append(o.Allow, netip.MustParsePrefix(p))
	}
	return egress.New(o)
}

func wantRefusal(t *testing.T, what string, err error, want bool) {
	t.Helper()
	if got := errors.Is(err, egress.ErrRefused); got != want {
		t.Errorf("%s = %v, want it refused: %t", what, err, want)
	}
}

// One address of each special range, and its neighbours outside of it.
func TestCheckAddr(t *testing.T) {
	refused := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
		"169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.31.196.1", "192.52.193.1",
		"192.88.99.1", "192.168.0.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7",
		"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::ffff:0:808:808",
		"64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1",
		"2001:10::1", "2001:20::1", "2001:30::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "3fff:fff::1", "5f00::1",
		"fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "4000::1", "1::1", "8000::1", "e000::1",
	}
	open := []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "192.0.1.1", "192.0.3.1", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"::ffff:8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2001:db7::1", "2003::1", "2606:4700::1111", "2a00::1", "3ffe::1", "2620:4f:8001::1",
	}
	g := guard()
	for _, a := range refused {
		wantRefusal(t, "CheckAddr("+a+")", g.CheckAddr(netip.MustParseAddr(a)), true)
	}
	for _, a := range open {
		wantRefusal(t, "CheckAddr("+a+")", g.CheckAddr(netip.MustParseAddr(a)), false)
	}
	wantRefusal(t, "CheckAddr(none)", g.CheckAddr(netip.Addr{}), true)
}

// An allowed range is open, mapped or not; no tunnel leads from it elsewhere.
func TestAllowed(t *testing.T) {
	g := guard("10.1.0.0/16", "64:ff9b::/96", "2002::/16", "fd00::/8")
	for a, want := range map[string]bool{
		"10.1.2.3": false, "::ffff:10.1.2.3": false, "10.2.0.1": true, "127.0.0.1": true, "fd00::1": false, "fc00::1": true, "fd00::1%eth0": true,
		"64:ff9b::8.8.8.8": false, "64:ff9b::169.254.169.254": true, "64:ff9b::10.1.2.3": false, "2002:808:808::1": false, "2002:7f00:1::1": true,
	} {
		wantRefusal(t, "CheckAddr("+a+")", g.CheckAddr(netip.MustParseAddr(a)), want)
	}
}

func TestCheckURL(t *testing.T) {
	refused := []string{
		"http://hooks.example.com/", "ftp://hooks.example.com/", "gopher://x.example/", "file:///etc/passwd", "//hooks.example.com/", "https:///x", "https:opaque",
		"https://127.0.0.1/", "https://8.8.8.8/", "https://[::1]/", "https://[fe80::1%25eth0]/", "https://[::ffff:127.0.0.1]/",
		"https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://0x7f.1/", "https://127.1/", "https://017700000001/", "https://1.2.3.4.5/", "https://127.0.0.1./",
		"https://user@hooks.example.com/", "https://user:secret@hooks.example.com/", "https://@hooks.example.com/",
		"https://hooks_.example.com/", "https://-a.example.com/", "https://ex%61mple.com%2f/", "https://h\u00f6oks.example/", "https://a..b/", "https://" + strings.Repeat("a.", 130) + "a/",
	}
	for _, raw := range refused {
		u, err := url.Parse(raw)
		if err != nil {
			continue // refused before it could be asked for
		}
		wantRefusal(t, "CheckURL("+raw+")", guard().CheckURL(u), true)
	}
	for _, raw := range []string{"https://hooks.example.com/x?y", "https://hooks.example.com:8443/", "https://localhost/", "https://xn--hks-sna.example./"} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, "CheckURL("+raw+")", guard().CheckURL(u), false)
	}
	for raw, want := range map[string]bool{"http://10.0.0.1/": false, "https://10.0.0.1/": false, "http://[::ffff:10.0.0.1]/": false, "http://any.example/": false, "http://11.0.0.1/": true, "https://2130706433/": true} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, "CheckURL("+raw+" with 10.0.0.0/8 allowed)", guard("10.0.0.0/8").CheckURL(u), want)
	}
}

// get makes one request through a guard.
func get(t *testing.T, g *egress.Guard, address string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := g.Client().Do(req)
	if err == nil {
		t.Cleanup(func() { resp.Body.Close() })
	}
	return resp, err
}

// counting is a server that counts what reaches it.
func counting(t *testing.T, answer http.HandlerFunc) (address string, hits *atomic.Int64) {
	t.Helper()
	hits = new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, hits
}

// A server on this machine is reached only where the range is allowed, and by
// plain http only then, whatever name leads to it.
func TestConnects(t *testing.T) {
	address, hits := counting(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	byName := strings.Replace(address, "127.0.0.1", "localhost", 1)
	for _, tt := range []struct {
		g       *egress.Guard
		address string
		refused bool
	}{
		{guard(), address, true},
		{guard(), byName, true},
		{guard(), strings.Replace(byName, "http:", "https:", 1), true},
		{guard("10.0.0.0/8"), address, true},
		{guard("10.0.0.0/8"), byName, true},
		{guard("127.0.0.0/8"), address, false},
		{guard("127.0.0.0/8"), byName, false},
	} {
		before := hits.Load()
		_, err := get(t, tt.g, tt.address)
		wantRefusal(t, "GET "+tt.address, err, tt.refused)
		if reached := hits.Load() > before; reached == tt.refused {
			t.Errorf("GET %s reached the server: %t", tt.address, reached)
		}
	}
}

// TLS is verified, and speaks with allowed ranges too.
func TestTLS(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	if _, err := get(t, guard("127.0.0.0/8"), srv.URL); err == nil {
		t.Error("GET of a server whose certificate nobody signed = nil error")
	}
	roots := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	g := egress.New(egress.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RootCAs: roots})
	if _, err := get(t, g, srv.URL); err != nil {
		t.Errorf("GET of a server that is trusted: %v", err)
	}
}

// A redirect is an answer like any other, wherever it leads.
func TestFollowsNoRedirect(t *testing.T) {
	inside, hits := counting(t, func(http.ResponseWriter, *http.Request) {})
	for _, to := range []string{"http://169.254.169.254/latest/meta-data/", inside, "/elsewhere"} {
		address, asked := counting(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		})
		resp, err := get(t, guard("127.0.0.0/8"), address)
		if err != nil || resp.StatusCode != http.StatusTemporaryRedirect {
			t.Errorf("GET of a redirect to %s = %v, %v, want the 307 itself", to, resp, err)
		}
		if asked.Load() != 1 || hits.Load() != 0 {
			t.Errorf("a redirect to %s was followed", to)
		}
	}
}

// A proxy of the environment is not asked.
func TestUsesNoProxy(t *testing.T) {
	proxy, hits := counting(t, func(http.ResponseWriter, *http.Request) {})
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("HTTPS_PROXY", proxy)
	_, err := get(t, guard(), "https://localhost/")
	wantRefusal(t, "GET https://localhost/", err, true)
	if hits.Load() != 0 {
		t.Error("the proxy was asked")
	}
}

// A name that is public when it is asked for first, and private then: each
// connection is judged by the address it goes to.
func TestRebinding(t *testing.T) {
	answers := [][4]byte{{8, 8, 8, 8}, {127, 0, 0, 1}, {169, 254, 169, 254}, {10, 0, 0, 1}}
	var asked atomic.Int64
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answerDNS(theirs, func(kind uint16) [][4]byte {
			if kind != 1 { // A
				return nil
			}
			return answers[min(asked.Add(1), int64(len(answers)))-1:][:1]
		})
		return ours, nil
	}}
	g := egress.New(egress.Options{Resolver: resolver})
	var reached []netip.Addr
	g.Observe(func(a netip.Addr) error { // in place of the connection that would follow
		reached = append(reached, a)
		return errors.New("the test goes no further")
	})
	for i := range answers {
		_, err := get(t, g, "https://rebind.example/")
		wantRefusal(t, "GET of a name at its turn "+netip.AddrFrom4(answers[i]).String(), err, i > 0)
	}
	if len(reached) != 1 || reached[0] != netip.AddrFrom4(answers[0]) {
		t.Errorf("connections were tried to %v, want the public address alone", reached)
	}
}

// Plain http goes to allowed ranges and nowhere else, public addresses included.
func TestPlainHTTP(t *testing.T) {
	for address, refused := range map[[4]byte]bool{{8, 8, 8, 8}: true, {10, 0, 0, 1}: false, {127, 0, 0, 1}: true} {
		resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go answerDNS(theirs, func(kind uint16) [][4]byte {
				if kind != 1 {
					return nil
				}
				return [][4]byte{address}
			})
			return ours, nil
		}}
		g := egress.New(egress.Options{Resolver: resolver, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
		g.Observe(func(netip.Addr) error { return errors.New("the test goes no further") })
		_, err := get(t, g, "http://name.example/")
		wantRefusal(t, "GET http:// of a name at "+netip.AddrFrom4(address).String(), err, refused)
	}
}

// Of several addresses of one name, the special ones are passed over.
func TestMixedAddresses(t *testing.T) {
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answerDNS(theirs, func(kind uint16) [][4]byte {
			if kind != 1 {
				return nil
			}
			return [][4]byte{{192, 168, 1, 1}, {9, 9, 9, 9}, {127, 0, 0, 1}}
		})
		return ours, nil
	}}
	g := egress.New(egress.Options{Resolver: resolver})
	var reached []netip.Addr
	g.Observe(func(a netip.Addr) error {
		reached = append(reached, a)
		return errors.New("the test goes no further")
	})
	_, _ = get(t, g, "https://mixed.example/")
	if len(reached) != 1 || reached[0] != netip.MustParseAddr("9.9.9.9") {
		t.Errorf("connections were tried to %v, want 9.9.9.9 alone", reached)
	}
}

// answerDNS answers one query of a stream (RFC 1035 §4.2.2) with these addresses.
func answerDNS(c net.Conn, addresses func(kind uint16) [][4]byte) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		end := 12
		for q[end] != 0 {
			end += int(q[end]) + 1
		}
		end += 5 // the root, the type and the class
		found := addresses(binary.BigEndian.Uint16(q[end-4:]))
		a := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, byte(len(found)), 0, 0, 0, 0}, q[12:end]...)
		for _, f := range found {
			a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			a = append(a, f[:]...)
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...)); err != nil {
			return
		}
	}
}
