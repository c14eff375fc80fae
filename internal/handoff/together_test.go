package handoff_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/live"
	"github.com/handoff-portal/handoff/internal/platform"
	"github.com/handoff-portal/handoff/internal/platform/platformsim"
	"github.com/handoff-portal/handoff/internal/redistest"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/store/memstore"
	"github.com/handoff-portal/handoff/internal/store/redisstore"
)

// processes are two services on one store, with the real client and a stand-in
// for the platform on a real connection.
type processes struct {
	store handoff.Store
	sim   *platformsim.Sim
	svcs  []*handoff.Service
}

// oneClient is the platform of every partner.
type oneClient struct{ *platform.Client }

func (c oneClient) Platform(handoff.PartnerID) (handoff.Platform, error) { return c.Client, nil }

// onStores runs a test on every store: those of one process are opened once, the
// one of many by each service for itself.
func onStores(t *testing.T, test func(t *testing.T, p *processes)) {
	t.Run("memstore", func(t *testing.T) {
		s := memstore.New()
		test(t, newProcesses(t, s, s))
	})
	t.Run("boltstore", func(t *testing.T) {
		s, err := boltstore.Open(filepath.Join(t.TempDir(), "handoff.db"), boltstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		test(t, newProcesses(t, s, s))
	})
	t.Run("redisstore", func(t *testing.T) {
		addr, prefix := redistest.Address(t), redistest.Prefix()
		open := func() handoff.Store {
			client := redis.NewClient(&redis.Options{Addr: addr})
			t.Cleanup(func() { client.Close() })
			return redisstore.New(client, redisstore.Options{Prefix: prefix})
		}
		test(t, newProcesses(t, open(), open()))
	})
}

func newProcesses(t *testing.T, stores ...handoff.Store) *processes {
	t.Helper()
	p := &processes{store: stores[0], sim: platformsim.New(platformsim.Options{})}
	srv := httptest.NewServer(p.sim)
	t.Cleanup(srv.Close)
	client, err := platform.New(platform.Config{
		Version: platform.V2, APIURL: srv.URL + "/v2/captain", TokenURL: srv.URL + "/as/token.oauth2",
		Grant: platform.GrantClientCredentials, Scope: "gbg.token", ClientID: "client", ClientSecret: platformsim.Secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	keys, err := keyring.New([]handoff.Secret{handoff.Secret(keyring.Generate())})
	if err != nil {
		t.Fatal(err)
	}
	for _, store := range stores {
		hub := live.New()
		t.Cleanup(hub.Close)
		p.svcs = append(p.svcs, handoff.NewService(handoff.Config{
			Store: store, Vault: keys, Platforms: oneClient{client}, Notifier: hub, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		}))
	}
	return p
}

// create creates a handoff that asks for no number, and returns its display's key.
func (p *processes) create(t *testing.T) (handoff.ID, handoff.Secret) {
	t.Helper()
	n := handoff.NewHandoff{Partner: partnerID, App: "main", Instance: instance, Terms: terms()}
	n.Terms.Confirmation, n.Terms.Frame = handoff.ConfirmNever, 0
	h, err := p.svcs[0].Create(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	key, err := p.svcs[0].DisplayKey(h)
	if err != nil {
		t.Fatal(err)
	}
	return h.ID, key
}

// calls is how often the platform was called in this way.
func (p *processes) calls(call string) int {
	n := 0
	for _, c := range p.sim.Calls() {
		if c.Call == call {
			n++
		}
	}
	return n
}

// atOnce makes n calls at the same moment, through the services in turn, and
// counts what they came to.
func (p *processes) atOnce(n int, do func(i int, svc *handoff.Service) error) map[string]int {
	var mu sync.Mutex
	got := make(map[string]int) // guarded by mu
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			err := do(i, p.svcs[i%len(p.svcs)])
			mu.Lock()
			defer mu.Unlock()
			got[outcome(err)]++
		})
	}
	close(start)
	wg.Wait()
	return got
}

func wantCounts(t *testing.T, what string, got map[string]int, want map[string]int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s came to %v, want %v", what, got, want)
	}
}

// 200 phones claim at once, then 200 apps bring one pickup: one winner each.
func TestTwoHundredAtOnce(t *testing.T) {
	onStores(t, func(t *testing.T, p *processes) {
		id, key := p.create(t)
		h, err := p.svcs[0].Display(t.Context(), key, handoff.Browser{}, "")
		if err != nil {
			t.Fatal(err)
		}
		code, _, err := p.svcs[0].Code(h, handoff.RouteQR)
		if err != nil {
			t.Fatal(err)
		}
		owner := func(i int) handoff.Secret { return handoff.Secret(fmt.Sprintf("cookie-of-phone-%03d", i)) }
		keys := make([]handoff.Secret, 200)
		got := p.atOnce(200, func(i int, svc *handoff.Service) (err error) {
			if i%2 == 0 {
				_, keys[i], err = svc.Claim(t.Context(), tap(owner(i), code))
				return err
			}
			app := appTap(code, "v")
			app.Challenge = challengeOf(handoff.Secret(fmt.Sprintf("%043d", i)))
			app.Device.ID = fmt.Sprintf("device-of-app-%03d", i)
			_, err = svc.ClaimForApp(t.Context(), app)
			return err
		})
		wantCounts(t, "200 claims at once", got, map[string]int{"ok": 1, "conflict": 199})
		h, err = p.store.Get(t.Context(), id)
		if err != nil || h.Status != handoff.StatusConfirmed || h.Claims != 1 {
			t.Fatalf("after 200 claims it is %s with %d claims, %v, want confirmed with 1", h.Status, h.Claims, err)
		}
		// The winner may have been an app: release, and let one phone claim.
		if h, err = p.svcs[0].Release(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if code, _, err = p.svcs[0].Code(h, handoff.RouteQR); err != nil {
			t.Fatal(err)
		}
		_, claim, err := p.svcs[0].Claim(t.Context(), tap(anna, code))
		if err != nil {
			t.Fatal(err)
		}
		page, err := p.svcs[0].PhonePage(t.Context(), claim, anna)
		if err != nil {
			t.Fatal(err)
		}
		got = p.atOnce(200, func(i int, svc *handoff.Service) error {
			_, err := svc.PickUp(t.Context(), page.Pickup, handoff.Secret(fmt.Sprintf("%043d", i)))
			return err
		})
		wantCounts(t, "200 pickups at once", got, map[string]int{"ok": 1, "gone/used": 199})
	})
}

// One display, opened by twenty tabs, makes one start; one phone's page, loaded
// twenty times, one exchange, and shows one pickup.
func TestOneStepAtATime(t *testing.T) {
	onStores(t, func(t *testing.T, p *processes) {
		for range 5 {
			starts, connects := p.calls("start"), p.calls("connect")
			id, key := p.create(t)
			got := p.atOnce(20, func(_ int, svc *handoff.Service) error {
				h, err := svc.Display(t.Context(), key, handoff.Browser{}, "")
				if err == nil && h.Status != handoff.StatusDisplayed {
					err = fmt.Errorf("it is %s", h.Status)
				}
				return err
			})
			wantCounts(t, "20 displays at once", got, map[string]int{"ok": 20})
			if n := p.calls("start") - starts; n != 1 {
				t.Errorf("20 displays made %d starts, want 1", n)
			}
			h, err := p.store.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			code, _, err := p.svcs[0].Code(h, handoff.RouteQR)
			if err != nil {
				t.Fatal(err)
			}
			_, claim, err := p.svcs[0].Claim(t.Context(), tap(anna, code))
			if err != nil {
				t.Fatal(err)
			}
			shown := make([]handoff.Secret, 20)
			got = p.atOnce(20, func(i int, svc *handoff.Service) error {
				page, err := svc.PhonePage(t.Context(), claim, anna)
				shown[i] = page.Pickup
				return err
			})
			wantCounts(t, "20 pages at once", got, map[string]int{"ok": 20})
			starts, connects = p.calls("start")-starts, p.calls("connect")-connects
			if starts != 1 || connects != 1 {
				t.Errorf("one display and 20 pages made %d starts and %d connects, want 1 and 1", starts, connects)
			}
			slices.Sort(shown)
			if len(slices.Compact(shown)) != 1 || shown[0] == "" {
				t.Errorf("20 pages showed %d pickups, want the same one", len(slices.Compact(shown)))
			}
		}
	})
}

// The same for an app that asks for its token twenty times.
func TestOneTokenForTwentyCalls(t *testing.T) {
	onStores(t, func(t *testing.T, p *processes) {
		_, key := p.create(t)
		h, err := p.svcs[0].Display(t.Context(), key, handoff.Browser{}, "")
		if err != nil {
			t.Fatal(err)
		}
		code, _, err := p.svcs[0].Code(h, handoff.RouteQR)
		if err != nil {
			t.Fatal(err)
		}
		a, err := p.svcs[0].ClaimForApp(t.Context(), appTap(code, "a"))
		if err != nil {
			t.Fatal(err)
		}
		tokens := make([]handoff.Secret, 20)
		got := p.atOnce(20, func(i int, svc *handoff.Service) error {
			answer, err := svc.TokenForApp(t.Context(), a.ClaimID, verifier("a"))
			tokens[i] = answer.Token
			return err
		})
		wantCounts(t, "20 questions for a token at once", got, map[string]int{"ok": 20})
		slices.Sort(tokens)
		if len(slices.Compact(tokens)) != 1 || p.calls("connect") != 1 {
			t.Errorf("20 questions made %d connects and were answered with %d tokens, want 1 and 1", p.calls("connect"), len(slices.Compact(tokens)))
		}
	})
}

// Two workers on one store end a handoff once, and ask for its journey once.
func TestTwoWorkers(t *testing.T) {
	onStores(t, func(t *testing.T, p *processes) {
		id, key := p.create(t)
		if _, err := p.svcs[0].Display(t.Context(), key, handoff.Browser{}, ""); err != nil {
			t.Fatal(err)
		}
		// Its deadline and its next question are now.
		_, err := p.store.Update(t.Context(), id, func(h handoff.Handoff) (handoff.Handoff, error) {
			h.Deadline, h.Poll = time.Now(), handoff.Poll{Next: time.Now(), Every: time.Second}
			return h, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got := p.atOnce(20, func(_ int, svc *handoff.Service) error { return svc.Work(context.WithoutCancel(t.Context())) })
		wantCounts(t, "20 rounds at once", got, map[string]int{"ok": 20})
		h, err := p.store.Get(t.Context(), id)
		if err != nil || h.Status != handoff.StatusExpired || h.Seq != len(h.Events) {
			t.Errorf("after 20 rounds it is %s at change %d with %d events, %v, want expired", h.Status, h.Seq, len(h.Events), err)
		}
		if n := p.calls("state"); n != 1 {
			t.Errorf("20 rounds asked for the journey %d times, want 1", n)
		}
	})
}
