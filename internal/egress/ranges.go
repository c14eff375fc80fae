package egress

import "net/netip"

// specialRange is a block of addresses that nobody's public receiver is in.
type specialRange struct {
	prefix string
	name   string // as the registry has it
	source string
}

// specialRanges are the entries of IANA's registries of special-purpose addresses
// (https://www.iana.org/assignments/iana-ipv4-special-registry and
// …/iana-ipv6-special-registry, as of 2025-10-09), those that are globally
// reachable included: what is reached there is infrastructure. Beside them stand
// the multicast ranges, and what the registries' predecessors reserved. An entry
// within another is left out.
func specialRanges() []specialRange {
	return []specialRange{
		{"0.0.0.0/8", "this network", "RFC 791"},
		{"10.0.0.0/8", "private use", "RFC 1918"},
		{"100.64.0.0/10", "shared address space", "RFC 6598"},
		{"127.0.0.0/8", "loopback", "RFC 1122"},
		{"169.254.0.0/16", "link local, cloud metadata", "RFC 3927"},
		{"172.16.0.0/12", "private use", "RFC 1918"},
		{"192.0.0.0/24", "IETF protocol assignments", "RFC 6890"},
		{"192.0.2.0/24", "documentation", "RFC 5737"},
		{"192.31.196.0/24", "AS112", "RFC 7535"},
		{"192.52.193.0/24", "AMT", "RFC 7450"},
		{"192.88.99.0/24", "6to4 relay anycast, deprecated", "RFC 7526"},
		{"192.168.0.0/16", "private use", "RFC 1918"},
		{"192.175.48.0/24", "AS112 direct delegation", "RFC 7534"},
		{"198.18.0.0/15", "benchmarking", "RFC 2544"},
		{"198.51.100.0/24", "documentation", "RFC 5737"},
		{"203.0.113.0/24", "documentation", "RFC 5737"},
		{"224.0.0.0/4", "multicast", "RFC 1112"},
		{"240.0.0.0/4", "reserved, limited broadcast", "RFC 1112, RFC 919"},

		{"::/128", "unspecified", "RFC 4291"},
		{"::1/128", "loopback", "RFC 4291"},
		{"::/96", "IPv4-compatible, deprecated", "RFC 4291"},
		{"::ffff:0:0/96", "IPv4-mapped", "RFC 4291"},
		{"::ffff:0:0:0/96", "IPv4-translated", "RFC 2765"},
		{"64:ff9b::/96", "NAT64", "RFC 6052"},
		{"64:ff9b:1::/48", "local-use NAT64", "RFC 8215"},
		{"100::/64", "discard only", "RFC 6666"},
		{"100:0:0:1::/64", "dummy prefix", "RFC 9780"},
		{"2001::/23", "IETF protocol assignments, Teredo", "RFC 2928, RFC 4380"},
		{"2001:db8::/32", "documentation", "RFC 3849"},
		{"2002::/16", "6to4", "RFC 3056"},
		{"2620:4f:8000::/48", "AS112 direct delegation", "RFC 7534"},
		{"3fff::/20", "documentation", "RFC 9637"},
		{"5f00::/16", "segment routing", "RFC 9602"},
		{"fc00::/7", "unique local", "RFC 4193"},
		{"fe80::/10", "link local", "RFC 4291"},
		{"fec0::/10", "site local, deprecated", "RFC 3879"},
		{"ff00::/8", "multicast", "RFC 4291"},
	}
}

// globalUnicast is all of IPv6 that was ever given out for hosts
// (https://www.iana.org/assignments/ipv6-address-space). Whatever range becomes
// special next, outside of this it is refused already.
const globalUnicast = "2000::/3"

// parsedRange is a specialRange ready to compare with.
type parsedRange struct {
	netip.Prefix

	name string
}

// parsedRanges are specialRanges, parsed once: the table never changes.
var parsedRanges = func() []parsedRange { //nolint:gochecknoglobals // a constant that Go has no literal for
	var all []parsedRange
	for _, r := range specialRanges() {
		all = append(all, parsedRange{netip.MustParsePrefix(r.prefix), r.name + " (" + r.source + ")"})
	}
	return all
}()

// special says which special range an address is in, or nothing.
func special(a netip.Addr) string {
	for _, r := range parsedRanges {
		if r.Contains(a) {
			return r.name
		}
	}
	if a.Is6() && !netip.MustParsePrefix(globalUnicast).Contains(a) {
		return "not global unicast"
	}
	if !a.IsValid() {
		return "no address"
	}
	return ""
}

// embedded returns the IPv4 address that a translator or tunnel would make of a.
func embedded(a netip.Addr) (inner netip.Addr, ok bool) {
	if !a.Is6() {
		return inner, false
	}
	b := a.As16()
	four := func(at int) (netip.Addr, bool) { return netip.AddrFrom4([4]byte(b[at : at+4])), true }
	for _, form := range []struct {
		prefix string
		at     int
	}{
		{"64:ff9b::/96", 12},    // RFC 6052
		{"::ffff:0:0:0/96", 12}, // RFC 2765
		{"2002::/16", 2},        // RFC 3056
	} {
		if netip.MustParsePrefix(form.prefix).Contains(a) {
			return four(form.at)
		}
	}
	if netip.MustParsePrefix("2001::/32").Contains(a) { // RFC 4380: turned round
		for i := 12; i < 16; i++ {
			b[i] = ^b[i]
		}
		return four(12)
	}
	return inner, false
}
