//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// measureClaim measures from the press of Continue on a phone to the event that
// the desktop reads, nobody else being there: the claim's whole way, of which the
// store's commit is a part. Beside it a byte goes there and back over TCP.
func measureClaim(ctx context.Context, b *bench) ([]row, error) {
	pong, address, err := b.startRole(ctx, b.cores.server, "pong")
	if err != nil {
		return nil, err
	}
	defer pong.stop()
	ball, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer ball.Close()
	p, err := b.newPortal(ctx, "memory:")
	if err != nil {
		return nil, err
	}
	defer p.close()
	phone, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	defer phone.Close()
	answers := bufio.NewReader(phone)
	n := 1000
	if b.quick {
		n = 20
	}
	var claims, pongs []time.Duration
	var others time.Duration
	for i := range n + n/10 {
		took, spent, err := p.claimOnce(ctx, i, phone, answers)
		if err != nil {
			return nil, err
		}
		there, err := hit(ball)
		if err != nil {
			return nil, err
		}
		if i < n/10 {
			continue // to warm up
		}
		claims, pongs, others = append(claims, took), append(pongs, there), others+spent
	}
	slices.Sort(claims)
	slices.Sort(pongs)
	ratio := func(p float64) float64 { return float64(percentile(claims, p)) / float64(percentile(pongs, p)) }
	return []row{{
		what: "Continue on a phone to the desktop's event, p50 and p99",
		got: fmt.Sprintf("%.1f× and %.1f×: %s and %s, %s of processor each",
			ratio(0.5), ratio(0.99), micro(percentile(claims, 0.5)), micro(percentile(claims, 0.99)), micro(others/time.Duration(n))),
		beside: fmt.Sprintf("TCP ping-pong: %s and %s", micro(percentile(pongs, 0.5)), micro(percentile(pongs, 0.99))),
		goal:   "",
	}}, nil
}

// hit sends a byte there and back.
func hit(ball io.ReadWriter) (time.Duration, error) {
	var one [1]byte
	begin := time.Now()
	if _, err := ball.Write(one[:]); err != nil {
		return 0, err
	}
	_, err := io.ReadFull(ball, one[:])
	return time.Since(begin), err
}

// claimOnce makes a handoff, opens its display and its stream, has a phone press
// Continue, and returns when the desktop is told.
func (p *portal) claimOnce(ctx context.Context, n int, phone net.Conn, answers *bufio.Reader) (took, spent time.Duration, err error) {
	h, err := p.create(ctx, n)
	if err != nil {
		return 0, 0, err
	}
	tap, err := p.tap(ctx, h)
	if err != nil {
		return 0, 0, err
	}
	stream, events, err := p.follow(ctx, h.DisplayURL)
	if err != nil {
		return 0, 0, err
	}
	defer stream.Close()
	before, err := p.spent()
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if _, err := phone.Write(tap); err != nil {
		return 0, 0, err
	}
	if err := untilEvent(events, `"screen":"connected"`); err != nil {
		return 0, 0, err
	}
	took = time.Since(begin)
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		return 0, 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		return 0, 0, fmt.Errorf("the answer to Continue is %s, want 303", answer.Status)
	}
	after, err := p.spent()
	return took, after - before, err
}

var localLink = regexp.MustCompile(`<a [^>]*data-deep-link[^>]*>`)

// tap is Continue on the landing that the display's own link opens, as bytes.
func (p *portal) tap(ctx context.Context, h created) ([]byte, error) {
	answer, err := p.get(ctx, h.DisplayURL, map[string]string{"User-Agent": desktop, "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	_, link, ok := bytes.Cut(localLink.Find(page), []byte(`href="`))
	if !ok {
		return nil, errors.New("the display has no link for its own device")
	}
	link, _, _ = bytes.Cut(link, []byte(`"`))
	_, path, _ := strings.Cut(strings.TrimPrefix(html.UnescapeString(string(link)), "http://"), "/")
	body := "attempt=" + rand.Text()
	return []byte(strings.Join([]string{
		"POST /" + path + " HTTP/1.1", "Host: " + p.address, "User-Agent: " + iPhone, "Accept: text/html", "Accept-Language: en-GB,en;q=0.9",
		"Origin: http://" + p.address, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document",
		"Content-Type: application/x-www-form-urlencoded", fmt.Sprintf("Content-Length: %d", len(body)),
	}, "\r\n") + "\r\n\r\n" + body), nil
}

// follow opens a display's stream and reads its first state.
func (p *portal) follow(ctx context.Context, display string) (net.Conn, *bufio.Reader, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, nil, err
	}
	path := strings.TrimPrefix(display, "http://"+p.address) + "/events"
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: text/event-stream\r\nAccept-Language: en-GB,en;q=0.9\r\n"+
		"Cache-Control: no-store\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\r\n", path, p.address, desktop)
	events := bufio.NewReaderSize(conn, 8<<10)
	if err = errors.Join(err, untilEvent(events, `"screen":"waiting"`)); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, events, nil
}

// untilEvent reads a stream until a state that holds part.
func untilEvent(events *bufio.Reader, part string) error {
	for {
		line, err := events.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("no event with %s: %w", part, err)
		}
		if bytes.HasPrefix(line, []byte("data: ")) && bytes.Contains(line, []byte(part)) {
			return nil
		}
	}
}
