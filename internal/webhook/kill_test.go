package webhook_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/webhook"
)

// The variables by which the test binary is told to be the process that is
// killed, and how often to kill it.
const (
	childVar = "HANDOFF_TEST_WEBHOOK_CHILD" // path of the store, server key, address of the receiver, how far ahead its clock is
	killsVar = "HANDOFF_TEST_WEBHOOK_KILLS" // default 5, with HANDOFF_LONG 50
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childVar); spec != "" {
		if err := child(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// portal is a portal's service on a file, whose clock is ahead.
func portal(path string, key handoff.Secret, receiver string, ahead time.Duration) (*boltstore.Store, *handoff.Service, error) {
	store, err := boltstore.Open(path, boltstore.Options{LockWait: 10 * time.Second})
	if err != nil {
		return nil, nil, err
	}
	keys, err := keyring.New([]handoff.Secret{key})
	if err != nil {
		return nil, nil, err
	}
	s, err := webhook.New(webhook.Config{
		Endpoints: map[handoff.PartnerID][]webhook.Endpoint{"acme": {{URL: receiver, Secrets: []handoff.Secret{newSecret}}}},
		Client:    loopback(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, nil, err
	}
	return store, handoff.NewService(handoff.Config{
		Store: store, Vault: keys, Platforms: stub{}, Notifier: silent{}, Deliverer: s, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(ahead) },
	}), nil
}

// child leads handoffs to their end for ever, and says on standard output what
// of each it was told is written: its id and its seq.
func child(spec string) error {
	parts := strings.Split(spec, "|")
	ahead, err := time.ParseDuration(parts[3])
	if err != nil {
		return err
	}
	_, svc, err := portal(parts[0], handoff.Secret(parts[1]), parts[2], ahead)
	if err != nil {
		return err
	}
	ctx := context.Background()
	go svc.Run(ctx)
	faults := make(chan error)
	for range 4 {
		go func() {
			for {
				if err := lead(ctx, svc); err != nil {
					faults <- err
				}
			}
		}()
	}
	return <-faults
}

// lead leads one handoff to its end.
func lead(ctx context.Context, svc *handoff.Service) error {
	n := order("acme")
	n.Instance = handoff.InstanceID(fmt.Sprintf("Pi%020d", rand.Int64()))
	h, err := svc.Create(ctx, n)
	if err != nil {
		return err
	}
	told := func(h handoff.Handoff) { fmt.Printf("%s %d\n", h.ID, h.Seq) }
	told(h)
	key, err := svc.DisplayKey(h)
	if err != nil {
		return err
	}
	if h, err = svc.Display(ctx, key, handoff.Browser{}, ""); err != nil {
		return err
	}
	told(h)
	if rand.IntN(2) == 0 {
		_, code, err := svc.AddLink(ctx, h, handoff.RoutePartner)
		if err != nil {
			return err
		}
		if h, _, err = svc.Claim(ctx, handoff.Tap{Partner: "acme", Code: code, Visitor: handoff.Visitor{Owner: "cookie-0123456789abcdef"}, Attempt: "attempt-0123456789abcdef"}); err != nil {
			return err
		}
		told(h)
	}
	if h, err = svc.Complete(ctx, h, true); err != nil {
		return err
	}
	told(h)
	return nil
}

// TestKill kills a portal at random moments of its telling. Whatever was written
// is told, at least once and in order, by those that come after it.
func TestKill(t *testing.T) {
	kills := 5
	if os.Getenv("HANDOFF_LONG") != "" {
		kills = 50
	}
	if s := os.Getenv(killsVar); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%s: %v", killsVar, err)
		}
		kills = n
	}
	w := newWitness(t)
	r := newReceiver(t, nil)
	r.mu.Lock()
	r.each = w.note
	r.mu.Unlock()
	path, key := filepath.Join(t.TempDir(), "handoff.db"), keyring.Generate()
	written := make(map[handoff.ID]int) // the seq that was acknowledged last
	for kill := range kills {
		// Each process's clock is a minute ahead of the one before: what that one
		// held reserved is free.
		spec := fmt.Sprintf("%s|%s|%s|%s", path, key, r.URL, time.Duration(kill)*time.Minute)
		killOnce(t, spec, rand.IntN(200), written)
	}
	store, svc, err := portal(path, handoff.Secret(key), r.URL, time.Duration(kills)*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var ids []handoff.ID
	for id := range written {
		ids = append(ids, id)
	}
	untilTold(t, store, ids, svc)

	w.mu.Lock()
	defer w.mu.Unlock()
	notices, twice := 0, 0
	for id, seq := range written {
		h, err := store.Get(t.Context(), id)
		if err != nil || h.Seq < seq {
			t.Errorf("Get(%s) = seq %d, %v, want the acknowledged %d at least", id, h.Seq, err, seq)
		}
		for _, n := range h.Notices {
			notices++
			if w.times[id][n.Seq] == 0 {
				t.Errorf("%s: nobody was told of %d, %s", id, n.Seq, n.Status)
			}
			twice += max(0, w.times[id][n.Seq]-1)
		}
	}
	t.Logf("%d kills, %d handoffs, %d notices, %d of them delivered twice", kills, len(written), notices, twice)
	if notices == 0 {
		t.Error("nothing was written before a kill: this tested nothing")
	}
}

// killOnce starts a child, kills it after so many lines, and notes in written all
// that it had acknowledged.
func killOnce(t *testing.T, spec string, after int, written map[handoff.ID]int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+spec)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, n := bufio.NewReader(out), 0
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what the kill cut short was not acknowledged
		}
		var id handoff.ID
		var seq int
		if _, err := fmt.Sscan(line, &id, &seq); err != nil {
			t.Fatalf("the child said %q: %v", line, err)
		}
		written[id] = seq
		if n++; n > after {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // it returns an error, because of the kill
	if got, want := cmd.ProcessState.String(), "signal: killed"; got != want {
		t.Errorf("the child ended with %q, want %q", got, want)
	}
}

// witness verifies what a receiver gets, and counts it.
type witness struct {
	t  *testing.T
	wh *standardwebhooks.Webhook

	mu    sync.Mutex
	last  map[handoff.ID]int         // guarded by mu: the highest seq
	times map[handoff.ID]map[int]int // guarded by mu: how often each came
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(newSecret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return &witness{t: t, wh: wh, last: make(map[handoff.ID]int), times: make(map[handoff.ID]map[int]int)}
}

func (w *witness) note(l letter) {
	var b struct {
		Data struct {
			ID  handoff.ID
			Seq int
		}
	}
	if err := w.wh.VerifyIgnoringTimestamp(l.body, l.header); err != nil {
		w.t.Errorf("Verify(): %v", err)
	}
	if err := json.Unmarshal(l.body, &b); err != nil {
		w.t.Errorf("received %s: %v", l.body, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	id, seq := b.Data.ID, b.Data.Seq
	if w.times[id] == nil {
		w.times[id] = make(map[int]int)
	}
	w.times[id][seq]++
	// One that comes again may be out of order: its first coming counts.
	if w.times[id][seq] == 1 && seq < w.last[id] {
		w.t.Errorf("%s: %d came first after %d", id, seq, w.last[id])
	}
	w.last[id] = max(w.last[id], seq)
}
