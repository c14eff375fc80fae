package guide

import "github.com/handoff-portal/handoff/internal/handoff"

// state is what is said of a status.
type state struct {
	means string
	by    string // what leads to it
}

// stateOf has something to say of every status, or the exhaustive linter and a
// test fail.
func stateOf(s handoff.Status) state {
	switch s {
	case handoff.StatusCreated:
		return state{"The handoff exists, and nobody has seen it.", "your POST /v1/handoffs"}
	case handoff.StatusDisplayed:
		return state{"The display is shown, and a code waits for a phone.", "the display opens; or the computer lets a phone go"}
	case handoff.StatusOpened:
		return state{"The code's link is open in a browser on a phone. A hint: it changes nothing.", "a person looks at the link"}
	case handoff.StatusClaimed:
		return state{"One phone or app holds the handoff, for a minute or five, renewed while it is there.", "Continue on the phone, or the app's claim"}
	case handoff.StatusConfirmed:
		return state{"That phone is the right one, and keeps its hold until the deadline.", "the number is typed, or none is asked for"}
	case handoff.StatusConnected:
		return state{"The platform gave an end-user token; it waits, sealed, for the app, or goes to one that asked for it at once.", "the portal's device/connect; not with exchange: app"}
	case handoff.StatusDelivered:
		return state{"The app has the token. From here the token's life is the deadline, at most your complete_within.", "the app's pickup, or its call for the token"}
	case handoff.StatusCompleted:
		return state{"The journey is over.", "the platform's state, or your POST …/complete"}
	case handoff.StatusExpired:
		return state{"The deadline passed: expiresIn on the way, the token's life after delivery.", "time"}
	case handoff.StatusCancelled:
		return state{"Somebody who may has stopped it.", "Cancel on the computer, or your POST …/cancel"}
	case handoff.StatusRejected:
		return state{"A person said “This wasn't me”. Take it as a warning.", "the phone, the app, or the computer"}
	case handoff.StatusReplaced:
		return state{"A fourth handoff for the same journey instance took the place of the oldest.", "your POST /v1/handoffs"}
	case handoff.StatusFailed:
		return state{"It cannot work, for a technical reason that reason names.", "the platform does not know the journey, or refuses the device"}
	}
	return state{}
}

// The diagram: the way down on the left, the ends on the right, in units of the SVG.
const (
	boxWidth   = 130
	boxHeight  = 36
	wayLeft    = 90
	endsLeft   = 400
	firstTop   = 10
	rowHeight  = 72
	diagramWid = 560
)

// box is a status in the diagram.
type box struct {
	status handoff.Status
	x, y   int
}

// diagram places every status: the way, StatusCompleted at its foot, and the
// other ends beside it.
func diagram() (way, ends []box) {
	for _, s := range handoff.Statuses() {
		if s.Ended() && s != handoff.StatusCompleted {
			ends = append(ends, box{s, endsLeft, firstTop + rowHeight*(len(ends)+1)})
			continue
		}
		way = append(way, box{s, wayLeft, firstTop + rowHeight*len(way)})
	}
	return way, ends
}

func (b box) middle() int { return b.y + boxHeight/2 }
