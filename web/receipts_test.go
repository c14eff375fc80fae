package web_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// tracked is an SMS provider that tells what became of its messages.
type tracked struct {
	*carriers

	mu     sync.Mutex
	status string // guarded by mu: as Twilio's message resource has it; empty: no answer
	asked  int    // guarded by mu
	heard  chan struct{}
}

const messageID = "SM0123456789abcdef0123456789abcdef"

func newTracked(t *testing.T) *tracked {
	t.Helper()
	p := &tracked{carriers: newCarriers(t), heard: make(chan struct{}, 100)}
	p.reply = func(w http.ResponseWriter, _ string) bool {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"sid":"`+messageID+`","status":"queued"}`)
		return true
	}
	p.tell = func(w http.ResponseWriter, path string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked++
		defer func() { p.heard <- struct{}{} }()
		if path != "/2010-04-01/Accounts/AC1/Messages/"+messageID+".json" || p.status == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintf(w, `{"sid":%q,"status":%q,"to":%q,"error_message":"of %s"}`, messageID, p.status, mobile, mobile)
	}
	return p
}

// become sets what the provider says from now on, and lets it be time to ask.
func (p *tracked) become(w *world, status string) {
	p.mu.Lock()
	p.status = status
	p.mu.Unlock()
	w.clock.advance(10 * time.Minute)
}

// wantTold waits until the display says so of the text message.
func (s *story) wantTold(t *testing.T, part string) {
	s.t.Helper()
	updates, stop := s.hub.Subscribe(handoff.ID(s.made.ID))
	defer stop()
	late := time.After(patience)
	for {
		got := slotText(t, s.open(), "slot-sms")
		if strings.Contains(got, part) {
			return
		}
		select {
		case <-updates:
		case <-late:
			s.t.Fatalf("the display says %q, want %q", got, part)
		}
	}
}

// TestReceipts: the display says what the provider says of a message later, asked a
// few times and no more.
func TestReceipts(t *testing.T) {
	t.Parallel()
	p := newTracked(t)
	w := newWorld(t, brief, func(s *setting) { s.messenger, s.receipts = p, p })
	begun := func() *story {
		s := w.begin(map[string]any{"expiresIn": 86400})
		s.open()
		s.text("sms", mobile)
		s.wantTold(t, "Being sent to ••56")
		return s
	}
	asked := func() int { p.mu.Lock(); defer p.mu.Unlock(); return p.asked }
	s := begun()
	p.become(w, "sent")
	s.wantTold(t, "Sent to ••56")
	p.become(w, "undelivered")
	s.wantTold(t, "couldn’t be sent to ••56")
	seq, before := s.stored().Seq, asked()
	w.clock.advance(time.Hour)
	w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/cancel", nil)
	if got := s.stored().Seq; got != seq+1 || asked() != before {
		t.Errorf("after its end the message is asked about: %d times more, seq %d, want %d", asked()-before, got, seq+1)
	}

	p.become(w, "sending")
	s = begun()
	p.become(w, "delivered")
	s.wantTold(t, "Sent to ••56")

	// A provider that says nothing is asked eight times; then nobody knows.
	p.become(w, "")
	before = asked()
	s = begun()
	for asked()-before < 8 {
		w.clock.advance(10 * time.Minute)
		select {
		case <-p.heard:
		case <-time.After(patience):
			t.Fatalf("a silent provider is asked %d times, want 8", asked()-before)
		}
	}
	s.wantTold(t, "may not have reached ••56")
	w.clock.advance(time.Hour)
	w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/cancel", nil)
	if got := asked() - before; got != 8 {
		t.Errorf("a silent provider is asked %d times, want 8", got)
	}
	for _, number := range []string{"7400123456", mobile} {
		if strings.Contains(w.logs.String(), number) {
			t.Errorf("the log has the number")
		}
	}
}
