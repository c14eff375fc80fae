package reliability_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

const hookSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// receiver takes webhooks, and keeps each message by its id, as receivers are told
// to: what comes twice is the same message.
type receiver struct {
	url string
	at  *httptest.Server

	mu    sync.Mutex
	types map[string]map[string]string // guarded by mu: by handoff and webhook-id, the type
	twice int                          // guarded by mu: that came again
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	if _, err := base64.StdEncoding.DecodeString(hookSecret[len("whsec_"):]); err != nil {
		t.Fatal(err)
	}
	r := &receiver{types: make(map[string]map[string]string)}
	r.at = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.at.Close)
	r.url = r.at.URL + "/hooks"
	return r
}

func (r *receiver) take(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var message struct {
		Type string
		Data struct{ ID string }
	}
	if err != nil || json.Unmarshal(body, &message) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.types[message.Data.ID]
	if of == nil {
		of = make(map[string]string)
		r.types[message.Data.ID] = of
	}
	id := req.Header.Get("webhook-id")
	if _, again := of[id]; again {
		r.twice++
	}
	of[id] = message.Type
}

// told is how often each type of message came for a handoff, by different ids.
func (r *receiver) told(handoff string) map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := make(map[string]int)
	for _, kind := range r.types[handoff] {
		counts[kind]++
	}
	return counts
}
