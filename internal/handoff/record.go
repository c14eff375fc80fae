package handoff

import (
	"slices"
	"strings"
	"time"
)

// Record is what a partner may believe about how a handoff happened, as of one of
// its events. It is of what the portal saw itself; what the phone said of itself is
// in Class and OS, and decides nothing else here. It holds no capability, no token
// and no address.
type Record struct {
	Handoff   ID
	Partner   PartnerID
	Instance  InstanceID
	Reference string
	Status    Status
	Seq       int
	At        time.Time // of the event: the same state has the same record
	Route     Route     // of the claim; empty: it was let go
	Confirmed string    // "number", "scan" or empty
	Near      Nearness  // of the claim

	// Times are zero for what has not happened, or was undone by a release.
	CreatedAt, DisplayedAt, ClaimedAt, ConfirmedAt, DeliveredAt, EndedAt time.Time

	Class Class
	OS    string
}

// Record returns the record of h as it is; ok is false before the first claim.
func (h Handoff) Record() (r Record, ok bool) {
	if len(h.Events) == 0 {
		return Record{}, false
	}
	return h.recordOf(h.noticed(h.Events[len(h.Events)-1].At))
}

// recordOf returns the record of h as it was at a notice; ok is false before the
// first claim.
func (h Handoff) recordOf(n Notice) (r Record, ok bool) {
	r = Record{
		Handoff: h.ID, Partner: h.Partner, Instance: h.Instance, Reference: h.Terms.Reference,
		Status: n.Status, Seq: n.Seq, At: n.At, Route: n.Route, Confirmed: n.Confirmed, Near: n.Near,
		CreatedAt: h.CreatedAt, ClaimedAt: n.ClaimedAt, Class: n.Class, OS: n.OS,
	}
	for _, e := range h.Events {
		if e.Seq > n.Seq {
			break
		}
		switch Status(e.Type) { //nolint:exhaustive // events that are not a status tell nothing here
		case StatusDisplayed:
			if r.DisplayedAt.IsZero() {
				r.DisplayedAt = e.At
			}
			r.ConfirmedAt, r.DeliveredAt = time.Time{}, time.Time{}
		case StatusClaimed:
			ok = true
			r.ConfirmedAt, r.DeliveredAt = time.Time{}, time.Time{}
		case StatusConfirmed:
			r.ConfirmedAt = e.At
		case StatusDelivered:
			r.DeliveredAt = e.At
		case StatusCompleted, StatusExpired, StatusCancelled, StatusRejected, StatusReplaced, StatusFailed:
			r.EndedAt = e.At
		}
	}
	if !ok {
		return Record{}, false
	}
	return r, true
}

// Nearness says whether a claim came from the network of the display.
type Nearness string

// The degrees of nearness.
const (
	NearUnknown Nearness = ""
	NearSame    Nearness = "same"
	NearOther   Nearness = "other"
)

// Network is where a display was first shown, or a phone claimed, kept so that it says nothing by
// itself: the blind is bound to the handoff, so that no two can be compared, and
// nobody without a server key can try addresses.
type Network struct {
	Blind Hash // zero: not known
	IPv6  bool
}

// blinded is how h keeps a network.
func (s *Service) blinded(h Handoff, network Secret) Network {
	if network == "" {
		return Network{}
	}
	return Network{Blind: s.vault.Blind(h.label("network"), network)[0], IPv6: isIPv6(network)}
}

func isIPv6(network Secret) bool { return strings.Contains(network.Reveal(), ":") }

// nearness reports whether network is the one of h's display. That cannot be told
// where one of them is not known, they are of two kinds of address, which
// one household has both of, or the server key of then is gone.
func (s *Service) nearness(h Handoff, network Secret) Nearness {
	return s.nearTo(h, h.Network, network)
}

// nearTo is nearness to another place of h's.
func (s *Service) nearTo(h Handoff, place Network, network Secret) Nearness {
	if network == "" || place.Blind.IsZero() || isIPv6(network) != place.IPv6 {
		return NearUnknown
	}
	if slices.Contains(s.vault.Blind(h.label("network"), network), place.Blind) {
		return NearSame
	}
	if _, known := s.vault.FrameMAC(h.FrameKeyID, h.ID, "", 0); !known {
		return NearUnknown
	}
	return NearOther
}
