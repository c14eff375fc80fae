package limit

import "net/netip"

// A household or an office has one IPv4 address, or a /64 of IPv6, out of which
// each of its machines changes its own at will (RFC 8981).
const (
	bits4 = 32
	bits6 = 64
)

// Network returns the network that an IP address is counted as: an IPv4 address
// itself, also where it is written as IPv6, or the /64 of an IPv6 one. What is no
// address, as that of a Unix socket, is the network "", one for all of them.
func Network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	bits := bits6
	if a.Is4() {
		bits = bits4
	}
	return netip.PrefixFrom(a, bits).Masked().String()
}
