package demo

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// hookPath is where the shop is told.
const hookPath = "/hooks"

const (
	hookAge  = 5 * time.Minute // how old, or how far ahead, a webhook may be
	maxHeard = 200             // handoffs that are remembered: it is a demonstration
)

// newHookSecret returns a secret of Standard Webhooks: "whsec_" and base64.
func newHookSecret() handoff.Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return handoff.Secret("whsec_" + base64.StdEncoding.EncodeToString(b))
}

// told is one webhook that was verified.
type told struct {
	ID     string // by which one that comes again is known
	Type   string
	Status handoff.Status
	Seq    int
	At     time.Time // when it came first
	Place  int       // of its coming, among those of its handoff, from 1
	Times  int
}

// hooks are what the shop was told, and how it makes sure of it.
type hooks struct {
	secret handoff.Secret
	now    func() time.Time

	mu    sync.Mutex
	byID  map[handoff.ID][]told // guarded by mu: in the order of seq
	order []handoff.ID          // guarded by mu: the oldest first
}

// hook serves POST /hooks: what a partner's backend does with a webhook. First
// the signature, over the very bytes that came; then what they say. A real shop
// would go on from here; the answer is all that the portal waits for.
func (s *Shop) hook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !s.hooks.verify(r.Header, body) {
		http.Error(w, "not signed by the portal", http.StatusUnauthorized)
		return
	}
	var event struct {
		Type string `json:"type"`
		Data struct {
			ID     handoff.ID     `json:"id"`
			Status handoff.Status `json:"status"`
			Seq    int            `json:"seq"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(w, "no event", http.StatusBadRequest)
		return
	}
	s.hooks.note(event.Data.ID, told{ID: r.Header.Get("Webhook-Id"), Type: event.Type, Status: event.Data.Status, Seq: event.Data.Seq})
	s.bell.ring()
	w.WriteHeader(http.StatusNoContent)
}

// verify checks a signature of Standard Webhooks 1.0.0: HMAC-SHA256 over id, time
// and body. There may be several, of which one has to be right.
func (h *hooks) verify(header http.Header, body []byte) bool {
	seconds, err := strconv.ParseInt(header.Get("Webhook-Timestamp"), 10, 64)
	if age := h.now().Sub(time.Unix(seconds, 0)); err != nil || age > hookAge || age < -hookAge {
		return false // a recording, or a clock that is wrong
	}
	want, ok := h.signature(header, body)
	if !ok {
		return false
	}
	for given := range strings.FieldsSeq(header.Get("Webhook-Signature")) {
		if hmac.Equal([]byte(given), []byte(want)) {
			return true
		}
	}
	return false
}

// signature is what the secret makes of an id, a time and a body.
func (h *hooks) signature(header http.Header, body []byte) (string, bool) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.secret.Reveal(), "whsec_"))
	if err != nil || len(key) == 0 {
		return "", false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(header.Get("Webhook-Id") + "." + header.Get("Webhook-Timestamp") + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), true
}

// note remembers one webhook. The same one may come again, and a later one may
// come first: its id tells the one, its seq the other.
func (h *hooks) note(id handoff.ID, t told) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byID[id] == nil {
		h.order = append(h.order, id)
		if len(h.order) > maxHeard {
			delete(h.byID, h.order[0])
			h.order = h.order[1:]
		}
	}
	all := h.byID[id]
	if i := slices.IndexFunc(all, func(o told) bool { return o.ID == t.ID }); i >= 0 {
		all[i].Times++
		return
	}
	t.At, t.Place, t.Times = h.now(), len(all)+1, 1
	all = append(all, t)
	slices.SortFunc(all, func(a, b told) int { return a.Seq - b.Seq })
	h.byID[id] = all
}

// about returns what the shop was told of a handoff.
func (h *hooks) about(id handoff.ID) []told {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.byID[id])
}
