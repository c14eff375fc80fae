package viewers

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// State is what a page that is kept up to date by script needs to know; of
// the display, and, with fewer members, of a phone's page.
type State struct {
	V         int               `json:"v"`
	Seq       int               `json:"seq"`
	Status    handoff.Status    `json:"status"`
	Confirm   bool              `json:"confirm"`
	Frame     int64             `json:"frame"`
	Code      string            `json:"code,omitempty"` // names the code the frame belongs to; tells nothing of it
	ExpiresAt string            `json:"expiresAt"`
	PollAfter int               `json:"pollAfter"` // seconds
	Screen    string            `json:"screen"`
	Slots     map[string]string `json:"slots,omitempty"`
	Extend    bool              `json:"extend,omitempty"`
	End       bool              `json:"end"`
	ReturnURL string            `json:"returnUrl,omitempty"`
}

// PollAfter is how often a page without a stream asks, in seconds.
const PollAfter = 3

// The events of a stream. Whoever holds one holds the same bytes as others do.

func stateEvent(s State) ([]byte, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(body)+48)
	b = strconv.AppendInt(append(b, "id: "...), int64(s.Seq), 10)
	b = append(append(b, "\nevent: state\ndata: "...), body...)
	return append(b, "\n\n"...), nil
}

func frameEvent(code string, n int64) []byte {
	return fmt.Appendf(nil, "event: frame\ndata: {\"code\":%q,\"frame\":%d}\n\n", code, n)
}

func stillHere() []byte { return []byte("data\n\n") }

func byeEvent() []byte { return []byte("event: bye\ndata: {}\n\n") }
