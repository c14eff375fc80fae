package handoff_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// inbox is what two endpoints get, and how they answer.
type inbox struct {
	mu     sync.Mutex
	got    []arrival
	answer func(handoff.Message) handoff.Receipt // nil: delivered
	to     []handoff.EndpointID
}

type arrival struct {
	handoff.Message

	at time.Time
}

const (
	hookA = handoff.EndpointID("we_main")
	hookB = handoff.EndpointID("we_other")
)

// Endpoints implements handoff.Deliverer.
func (i *inbox) Endpoints(handoff.PartnerID) []handoff.EndpointID { return i.to }

// Deliver implements handoff.Deliverer.
func (i *inbox) Deliver(_ context.Context, m handoff.Message) handoff.Receipt {
	i.mu.Lock()
	i.got = append(i.got, arrival{m, time.Now()})
	answer := i.answer
	i.mu.Unlock()
	if answer == nil {
		return handoff.Receipt{Outcome: "status 200", Delivered: true}
	}
	return answer(m)
}

// seqs are what an endpoint got, in the order it came.
func (i *inbox) seqs(to handoff.EndpointID) (seqs []int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, a := range i.got {
		if a.To == to {
			seqs = append(seqs, a.Seq)
		}
	}
	return seqs
}

func (i *inbox) respond(answer func(handoff.Message) handoff.Receipt) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func refuse(handoff.Message) handoff.Receipt { return handoff.Receipt{Outcome: "status 500"} }

// told tells a story with a handoff whose partner has endpoints.
func told(t *testing.T, edit func(*handoff.Terms), story func(*desk, *inbox), to ...handoff.EndpointID) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{to: to}
		d := newDesk(t)
		d.svc = d.service(in)
		d.create(edit)
		story(d, in)
	})
}

// service is one more process on the desk's store.
func (d *desk) service(in *inbox) *handoff.Service {
	return handoff.NewService(handoff.Config{
		Store: d.store, Vault: d.vault, Platforms: d.up, Notifier: d.store, Deliverer: in, Log: slog.New(slog.NewTextHandler(d.t.Output(), nil)),
	})
}

// run lets the worker run for a while.
func (d *desk) run(svc *handoff.Service, lasts time.Duration) {
	ctx, cancel := context.WithTimeout(d.t.Context(), lasts)
	defer cancel()
	svc.Run(ctx)
}

func wantSeqs(t *testing.T, in *inbox, to handoff.EndpointID, want ...int) {
	t.Helper()
	if got := in.seqs(to); !slices.Equal(got, want) {
		t.Errorf("%s got %v, want %v", to, got, want)
	}
}

// Every status reached goes to every endpoint, in order, once, and says how
// things were then.
func TestToldInOrder(t *testing.T) {
	told(t, never, func(d *desk, in *inbox) {
		d.open()
		d.deliver()
		if _, err := d.svc.Complete(t.Context(), d.stored(), true); err != nil {
			t.Fatal(err)
		}
		d.run(d.svc, 10*time.Second)
		for _, to := range in.to {
			var want []int
			for _, e := range d.stored().Events {
				if _, err := handoff.ParseStatus(string(e.Type)); err == nil {
					want = append(want, e.Seq)
				}
			}
			wantSeqs(t, in, to, want...)
		}
		for _, a := range in.got {
			e := d.stored().Events[a.Seq-1]
			if string(a.Status) != string(e.Type) || !a.At.Equal(e.At) || a.Partner != partnerID || a.Handoff != d.id {
				t.Errorf("event %+v was told as %+v", e, a.Message)
			}
			if held := a.Status.Held() || a.Status == handoff.StatusCompleted; held != (a.Route == handoff.RouteQR) || held != (a.Class == handoff.ClassMobile) {
				t.Errorf("%s was told with route %q and device %q", a.Status, a.Route, a.Class)
			}
		}
		if d.stored().Untold() {
			t.Error("the handoff still has something to tell")
		}
	}, hookA, hookB)
}

// An endpoint that fails holds back what comes later until the third failure of
// one event; then all of it goes, and the first by its own schedule.
func TestLaterOnesOvertake(t *testing.T) {
	told(t, nil, func(d *desk, in *inbox) {
		in.respond(func(m handoff.Message) handoff.Receipt {
			if m.Seq == 1 {
				return refuse(m)
			}
			return handoff.Receipt{Delivered: true}
		})
		d.open()
		d.run(d.svc, 30*time.Second)
		wantSeqs(t, in, hookA, 1, 1)
		d.run(d.svc, 20*time.Second)
		wantSeqs(t, in, hookA, 1, 1, 1, 2)
	}, hookA)
}

// The schedule of Standard Webhooks, and one more: eleven attempts, none too early, none a tenth
// too late, the same message each time; then it is given up, and the record goes.
func TestSchedule(t *testing.T) {
	want := []time.Duration{
		0, 5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
	told(t, func(o *handoff.Terms) { o.Retain = time.Minute }, func(d *desk, in *inbox) {
		in.respond(refuse)
		if _, err := d.svc.Cancel(t.Context(), d.stored()); err != nil {
			t.Fatal(err)
		}
		before := d.stored().CreatedAt
		d.run(d.svc, 4*24*time.Hour)
		i := 0
		for _, a := range in.got {
			if a.Seq != 1 {
				continue
			}
			if i == len(want) {
				t.Fatalf("attempt %d at %s, want %d attempts", i+1, a.at, len(want))
			}
			if gap := a.at.Sub(before); gap < want[i] || gap > want[i]+want[i]/10+time.Second {
				t.Errorf("attempt %d after %s, want %s and a tenth at most", i+1, gap, want[i])
			}
			if a.Message != in.got[0].Message || a.MessageID() != in.got[0].MessageID() {
				t.Errorf("attempt %d is the message %+v, want %+v", i+1, a.Message, in.got[0].Message)
			}
			before = a.at
			i++
		}
		if i != len(want) {
			t.Errorf("%d attempts, want %d", i, len(want))
		}
		if _, err := d.store.Get(t.Context(), d.id); handoff.CodeOf(err) != handoff.CodeNotFound {
			t.Errorf("Get() after all was given up = %v, want not_found", err)
		}
	}, hookA)
}

// A record outlives its retention while somebody is still to be told, and goes
// as soon as he was.
func TestKeptUntilTold(t *testing.T) {
	told(t, func(o *handoff.Terms) { o.Retain = time.Minute }, func(d *desk, in *inbox) {
		in.respond(refuse)
		if _, err := d.svc.Cancel(t.Context(), d.stored()); err != nil {
			t.Fatal(err)
		}
		d.run(d.svc, time.Hour)
		if !d.stored().Untold() {
			t.Fatal("nothing is left to tell")
		}
		in.respond(nil)
		d.run(d.svc, 3*time.Hour)
		if _, err := d.store.Get(t.Context(), d.id); handoff.CodeOf(err) != handoff.CodeNotFound {
			t.Errorf("Get() after all was told = %v, want not_found", err)
		}
	}, hookA)
}

// What a receiver asks for is honoured, in its other handoffs too.
func TestRetryAfter(t *testing.T) {
	told(t, nil, func(d *desk, in *inbox) {
		in.respond(func(handoff.Message) handoff.Receipt {
			return handoff.Receipt{Outcome: "status 429", RetryAfter: 2 * time.Minute}
		})
		first := d.id
		d.run(d.svc, time.Second)
		in.respond(nil)
		d.create(nil)
		d.run(d.svc, 100*time.Second)
		wantSeqs(t, in, hookA, 1)
		d.svc = d.service(in) // one that was not told to wait finds it in the record
		if due := d.store.now(first).Outbox[0].Sends[0].Next; due.Before(in.got[0].at.Add(2 * time.Minute)) {
			t.Errorf("the record says to send again at %s, %s after the first attempt, want 2 minutes", due, due.Sub(in.got[0].at))
		}
		d.run(d.svc, 60*time.Second)
		wantSeqs(t, in, hookA, 1, 1, 1)
		for _, a := range in.got[1:] {
			if a.Handoff == first && a.at.Sub(in.got[0].at) < 2*time.Minute {
				t.Errorf("sent again after %s, want 2 minutes", a.at.Sub(in.got[0].at))
			}
		}
	}, hookA)
}

// 410: nothing more goes to this endpoint, and everything to the other; an
// operator can begin anew.
func TestGone(t *testing.T) {
	told(t, nil, func(d *desk, in *inbox) {
		in.respond(func(m handoff.Message) handoff.Receipt {
			return handoff.Receipt{Outcome: "status 410", Gone: m.To == hookA, Delivered: m.To != hookA}
		})
		d.run(d.svc, time.Second)
		d.open()
		d.run(d.svc, 24*time.Hour)
		wantSeqs(t, in, hookA, 1)
		if got := in.seqs(hookB); len(got) != 3 {
			t.Errorf("the other endpoint got %v, want created, displayed, expired", got)
		}
		for _, s := range d.stored().Outbox[0].Sends {
			if s.State != handoff.SendFailed {
				t.Errorf("to the one that is gone: %+v, want it given up", s)
			}
		}
		in.respond(nil)
		if _, err := d.svc.Replay(t.Context(), d.id, 2, hookA); err != nil {
			t.Fatalf("Replay(2): %v", err)
		}
		d.run(d.svc, time.Second)
		wantSeqs(t, in, hookA, 1, 2)
		if _, err := d.svc.Replay(t.Context(), d.id, 0, ""); err != nil {
			t.Fatalf("Replay(all): %v", err)
		}
		d.run(d.svc, time.Second)
		wantSeqs(t, in, hookA, 1, 2, 1, 2, 3)
		if last := in.got[len(in.got)-1]; !last.Again {
			t.Error("what an operator sends again does not say so")
		}
		if got := in.seqs(hookB); len(got) != 6 {
			t.Errorf("the other endpoint got %v, want all three again", got)
		}
		for _, ask := range []struct {
			seq int
			to  handoff.EndpointID
		}{{7, ""}, {0, "we_none"}} {
			_, err := d.svc.Replay(t.Context(), d.id, ask.seq, ask.to)
			wantOutcome(t, "Replay(of what is not kept)", err, "not_found")
		}
	}, hookA, hookB)
}

// Two processes send each notice once, and one that stood still for longer than
// its reservation has no say any more.
func TestOneSender(t *testing.T) {
	told(t, nil, func(d *desk, in *inbox) {
		in.respond(func(handoff.Message) handoff.Receipt {
			time.Sleep(3 * time.Second)
			return handoff.Receipt{Delivered: true}
		})
		d.open()
		ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { d.service(in).Run(ctx) })
		}
		wg.Wait()
		wantSeqs(t, in, hookA, 1, 2)
	}, hookA)

	told(t, nil, func(d *desk, in *inbox) {
		in.respond(func(handoff.Message) handoff.Receipt {
			in.respond(refuse)
			time.Sleep(handoff.SendLease + 2*time.Second) // the process stood still
			return handoff.Receipt{Delivered: true}
		})
		late, quick := d.service(in), d.service(in)
		var wg sync.WaitGroup
		wg.Go(func() { d.run(late, time.Second) })
		time.Sleep(time.Second)
		wg.Go(func() { d.run(quick, time.Minute) })
		wg.Wait()
		if s := d.stored().Outbox[0].Sends[0]; s.State != handoff.SendWaiting || s.Attempts != 2 {
			t.Errorf("after a late answer: %+v, want the two failures of the quick process", s)
		}
	}, hookA)
}

// What is asked for again while it is on its way goes out once more.
func TestAgainMeanwhile(t *testing.T) {
	told(t, nil, func(d *desk, in *inbox) {
		in.respond(func(handoff.Message) handoff.Receipt {
			time.Sleep(2 * time.Second)
			return handoff.Receipt{Delivered: true}
		})
		time.AfterFunc(time.Second, func() {
			if _, err := d.svc.Replay(d.t.Context(), d.id, 1, ""); err != nil {
				t.Errorf("Replay(1): %v", err)
			}
		})
		d.run(d.svc, 10*time.Second)
		wantSeqs(t, in, hookA, 1, 1)
		if d.stored().Untold() {
			t.Error("the handoff still has something to tell")
		}
	}, hookA)
}

// Of two who reserve the same attempt, one has it, until its lease is over; what
// another reserved is not its to end.
func TestReservation(t *testing.T) {
	told(t, nil, func(d *desk, _ *inbox) {
		now, h := time.Now(), d.stored()
		h, err := h.BeginSend(hookA, handoff.HashOf("one"), now)
		if err != nil || h.Outbox[0].Sending == nil {
			t.Fatalf("BeginSend(one) = %+v, %v", h.Outbox[0], err)
		}
		for _, at := range []time.Time{now, now.Add(handoff.SendLease - 1)} {
			if _, err := h.BeginSend(hookA, handoff.HashOf("two"), at); !errors.Is(err, handoff.ErrUnchanged) {
				t.Errorf("BeginSend(two) after %s = %v, want nothing to do", at.Sub(now), err)
			}
			if _, err := h.EndSend(hookA, handoff.HashOf("two"), handoff.Receipt{Delivered: true}, 0, at); !errors.Is(err, handoff.ErrUnchanged) {
				t.Errorf("EndSend(two) = %v, want nothing to do", err)
			}
		}
		later := now.Add(handoff.SendLease)
		h, err = h.BeginSend(hookA, handoff.HashOf("two"), later)
		if err != nil || h.Outbox[0].Sending.By != handoff.HashOf("two") {
			t.Errorf("BeginSend(two) once the lease is over = %+v, %v", h.Outbox[0].Sending, err)
		}
		if _, err := h.EndSend(hookA, handoff.HashOf("one"), handoff.Receipt{Delivered: true}, 0, later); !errors.Is(err, handoff.ErrUnchanged) {
			t.Errorf("EndSend(one), too late = %v, want nothing to do", err)
		}
		h, err = h.EndSend(hookA, handoff.HashOf("two"), handoff.Receipt{Delivered: true}, 0, later)
		if err != nil || h.Untold() {
			t.Errorf("EndSend(two) = %+v, %v", h.Outbox[0], err)
		}
		if _, err := h.BeginSend(hookA, handoff.HashOf("two"), later); !errors.Is(err, handoff.ErrUnchanged) {
			t.Errorf("BeginSend() with nothing left = %v, want nothing to do", err)
		}
	}, hookA)
}

// A process told to stop breaks off what takes too long, and that counts as no
// attempt: another process sends it at once.
func TestBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &slow{inbox: inbox{to: []handoff.EndpointID{hookA}}}
		d := newDesk(t)
		d.svc = handoff.NewService(handoff.Config{
			Store: d.store, Vault: d.vault, Platforms: d.up, Notifier: d.store, Deliverer: in, Log: slog.New(slog.DiscardHandler),
		})
		d.create(nil)
		began := time.Now()
		d.run(d.svc, time.Second)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("Run() took %s to stop", took)
		}
		if c := d.stored().Outbox[0]; c.Sending != nil || c.Sends[0].Attempts != 0 || c.Sends[0].Next.After(began) {
			t.Errorf("after a stop: %+v", c)
		}
	})
}

// slow never answers.
type slow struct{ inbox }

// Deliver implements handoff.Deliverer.
func (s *slow) Deliver(ctx context.Context, _ handoff.Message) handoff.Receipt {
	<-ctx.Done()
	return handoff.Receipt{Outcome: "broken off", Interrupted: true}
}

// Thousands wait for a receiver that answers nothing. Another partner's are told
// at once all the same, and nothing else is late.
func TestOneSlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const crowd = 400 // twice what the worker takes at a time
		in := &inbox{to: []handoff.EndpointID{hookA}}
		d := newDesk(t)
		d.svc = d.service(in)
		in.respond(func(m handoff.Message) handoff.Receipt {
			if m.Partner == partnerID {
				time.Sleep(15 * time.Second)
				return handoff.Receipt{Outcome: "timed out"}
			}
			return handoff.Receipt{Delivered: true}
		})
		for i := range crowd {
			n := handoff.NewHandoff{Partner: partnerID, App: "main", Instance: handoff.InstanceID(rune('a'+i%26)) + instance, Terms: terms()}
			if _, err := d.svc.Create(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); d.svc.Run(ctx) }()
		for range 5 {
			time.Sleep(7 * time.Second)
			began := time.Now()
			h, err := d.svc.Create(t.Context(), handoff.NewHandoff{Partner: "globex", App: "main", Instance: instance, Terms: terms()})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			in.mu.Lock()
			i := slices.IndexFunc(in.got, func(a arrival) bool { return a.Handoff == h.ID })
			if i < 0 {
				t.Error("another partner was not told within a second")
			} else if late := in.got[i].at.Sub(began); late > 300*time.Millisecond {
				t.Errorf("another partner was told after %s", late)
			}
			in.mu.Unlock()
		}
		cancel()
		<-done
	})
}

// However much happens, a handoff keeps MaxNotices: what is settled goes first,
// and what was never sent is counted.
func TestBoundedNotices(t *testing.T) {
	told(t, nil, func(d *desk, in *inbox) {
		d.open()
		d.run(d.svc, time.Second)
		in.respond(refuse)
		h := d.stored()
		for range handoff.MaxNotices + 10 {
			h = h.Reach(handoff.StatusOpened, time.Now())
		}
		c := h.Outbox[0]
		if len(h.Notices) != handoff.MaxNotices || len(c.Sends) != handoff.MaxNotices || c.Lost != 10 {
			t.Errorf("%d notices, %d sends, %d lost; want %d, %d and 10", len(h.Notices), len(c.Sends), c.Lost, handoff.MaxNotices, handoff.MaxNotices)
		}
		if first, last := c.Sends[0].Seq, c.Sends[len(c.Sends)-1].Seq; first != 13 || last != h.Seq {
			t.Errorf("kept %d to %d, want 13 to %d", first, last, h.Seq)
		}
	}, hookA)
}
