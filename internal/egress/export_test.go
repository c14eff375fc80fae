package egress

import "net/netip"

// Observe calls observer with every address that passed the guard, just before
// the connection; its error stops the connection.
func (g *Guard) Observe(observer func(netip.Addr) error) { g.observer = observer }
