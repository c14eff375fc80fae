package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

const redisServer = "redis-server"

// hasRedisStore reports whether there is code to test with Redis.
func (c *checker) hasRedisStore() bool {
	_, err := os.Stat(filepath.Join(c.root, "internal", "store", "redisstore"))
	return err == nil
}

// startRedis starts a Redis server of our own, on a free port and with nothing
// kept on disk, and names it in HANDOFF_TEST_REDIS_URL. A server named there
// already is used as it is. The returned function ends the server; it is never
// nil.
func (c *checker) startRedis(ctx context.Context) (stop func(), err error) {
	nothing := func() {}
	if !c.hasRedisStore() || c.getenv("HANDOFF_TEST_REDIS_URL") != "" {
		return nothing, nil
	}
	if _, err := exec.LookPath(redisServer); err != nil {
		return nothing, errors.New("redis-server is not installed")
	}
	port, err := freePort(ctx)
	if err != nil {
		return nothing, err
	}
	dir, err := os.MkdirTemp("", "handoff-redis-")
	if err != nil {
		return nothing, fmt.Errorf("making a folder for Redis: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := c.command(ctx, redisServer, "--port", strconv.Itoa(port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", dir, "--loglevel", "warning")
	if err := cmd.Start(); err != nil {
		cancel()
		return nothing, fmt.Errorf("starting Redis: %w", err)
	}
	stop = func() {
		cancel()
		_ = cmd.Wait()        // ended by us: its status says nothing
		_ = os.RemoveAll(dir) // a temporary folder; the system clears it otherwise
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := answers(ctx, address); err != nil {
		stop()
		return nothing, err
	}
	c.extra["HANDOFF_TEST_REDIS_URL"] = "redis://" + address
	return stop, nil
}

// freePort asks the system for a port that nobody listens on.
func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("finding a free port: unexpected address %s", l.Addr())
	}
	return addr.Port, nil
}

// answers waits until something accepts connections at address.
func answers(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for Redis at %s: %w", address, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
