//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/boltstore"
	"github.com/handoff-portal/handoff/internal/store/redisstore"
	"github.com/handoff-portal/handoff/web"
)

// roleArgument, before a role's name, has this program be a yardstick: a process of
// its own, that ends with its input.
const roleArgument = "role"

// roles are the yardsticks. Each prints its address, or "ready", as its first line.
func roles() map[string]func(ctx context.Context, args []string) error {
	return map[string]func(context.Context, []string) error{
		"echo":    func(ctx context.Context, _ []string) error { return serveEcho(ctx) },
		"pong":    func(ctx context.Context, _ []string) error { return servePong(ctx) },
		"same":    serveSame,
		"store":   createRaw,
		"streams": serveStreams,
		"commit":  func(ctx context.Context, _ []string) error { return serveCommits(ctx) },
	}
}

func play(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if role, ok := roles()[args[0]]; ok {
			return role(ctx, args[1:])
		}
	}
	return fmt.Errorf("%q is no role", args)
}

// startRole starts a yardstick on a core and returns what it says first.
func (b *bench) startRole(ctx context.Context, core int, name string, args ...string) (*process, string, error) {
	return b.startRoleWith(ctx, core, nil, name, args...)
}

// startRoleWith is the same with more in its environment.
func (b *bench) startRoleWith(ctx context.Context, core int, env []string, name string, args ...string) (*process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	p, err := start(ctx, core, env, os.Stderr, self, append([]string{roleArgument, name}, args...)...)
	if err != nil {
		return nil, "", err
	}
	first, err := p.line()
	if err != nil {
		p.stop()
		return nil, "", err
	}
	return p, first, nil
}

// announce listens on a free port, says which, and closes the listener when the
// input ends.
func announce(ctx context.Context) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = l.Close()
	}()
	fmt.Println(l.Addr())
	return l, nil
}

// serveEcho is bare Echo: a handler that answers a string, without middleware,
// behind a server with our limits.
func serveEcho(ctx context.Context) error {
	e := echo.New()
	e.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "Hello, World!") })
	return serveHandler(ctx, e)
}

// sameAnswer is an answer to repeat.
type sameAnswer struct {
	Header http.Header
	Body   []byte
}

// serveSame is bare Echo that answers what is in a file: with what it takes to read a
// browser's request and to send so many bytes, and nothing to find out.
func serveSame(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("the role same takes a file")
	}
	text, err := os.ReadFile(args[0]) //nolint:gosec // G703: of the run that started this process
	if err != nil {
		return err
	}
	var same sameAnswer
	if err := json.Unmarshal(text, &same); err != nil {
		return err
	}
	e := echo.New()
	e.GET("/h/:key", func(c echo.Context) error {
		maps.Copy(c.Response().Header(), same.Header)
		return c.HTMLBlob(http.StatusOK, same.Body)
	})
	return serveHandler(ctx, e)
}

func serveHandler(ctx context.Context, h http.Handler) error {
	l, err := announce(ctx)
	if err != nil {
		return err
	}
	if err := web.NewServer(h, slog.New(slog.DiscardHandler)).Serve(l); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// servePong sends back what it gets, byte by byte.
func servePong(ctx context.Context) error {
	l, err := announce(ctx)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go func() { _, _ = io.CopyBuffer(struct{ io.Writer }{conn}, struct{ io.Reader }{conn}, make([]byte, 64)) }()
	}
}

// createRaw creates handoffs straight in a store, by 64 callers at once, for each
// duration that it reads, and answers how many it made and how long that took.
func createRaw(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("the role store takes a kind and a place")
	}
	store, closeStore, err := openRaw(args[0], args[1])
	if err != nil {
		return err
	}
	fmt.Println("ready")
	made := 0
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		d, err := time.ParseDuration(lines.Text())
		if err != nil {
			return err
		}
		n, took, err := createFor(ctx, store, made, d)
		if err != nil {
			return err
		}
		made += n
		fmt.Println(n, took.Nanoseconds())
	}
	return closeStore()
}

func openRaw(kind, place string) (handoff.Store, func() error, error) {
	if kind == "file" {
		s, err := boltstore.Open(place, boltstore.Options{})
		return s, s.Close, err
	}
	client := redis.NewClient(&redis.Options{Addr: place, PoolSize: connections})
	return redisstore.New(client, redisstore.Options{Prefix: "raw"}), client.Close, nil
}

func createFor(ctx context.Context, s handoff.Store, from int, d time.Duration) (int, time.Duration, error) {
	var count atomic.Int64
	count.Store(int64(from))
	faults := make(chan error, connections)
	begin := time.Now()
	var callers sync.WaitGroup
	for range connections {
		callers.Go(func() {
			for time.Since(begin) < d {
				if _, err := s.Create(ctx, rawHandoff(int(count.Add(1)))); err != nil {
					faults <- err
					return
				}
			}
		})
	}
	callers.Wait()
	took := time.Since(begin)
	select {
	case err := <-faults:
		return 0, 0, err
	default:
	}
	return int(count.Load()) - from, took, nil
}

// rawHandoff is one as the portal makes it for createBody, with keys of the same
// length.
func rawHandoff(n int) handoff.Handoff {
	now, text := time.Now(), strconv.Itoa(n)
	return handoff.Handoff{
		ID: handoff.ID(fmt.Sprintf("ho_%022d", n)), Partner: "acme", App: "main", Instance: handoff.InstanceID(newInstance(n)),
		Terms: handoff.Terms{
			Scope: []handoff.Scope{handoff.ScopeMobile}, Label: "Open an account", Reference: "order 1234", Confirmation: handoff.ConfirmNever,
			ExpiresIn: 15 * time.Minute, CompleteWithin: time.Hour, Retain: 7 * 24 * time.Hour, Exchange: handoff.ExchangePortal, CodeMode: handoff.CodeLink,
			Frame: time.Second, Routes: []handoff.Route{handoff.RouteLink, handoff.RouteTyped, handoff.RouteLocal},
		},
		SupportRef: text, CreatedAt: now, Status: handoff.StatusCreated, Seq: 1,
		Events:   []handoff.Event{{Seq: 1, Type: handoff.EventType(handoff.StatusCreated), At: now}},
		Deadline: now.Add(15 * time.Minute), DisplayHash: handoff.HashOf(handoff.Secret(text)), DisplayKey: make(handoff.Sealed, 60),
	}
}
