package traces

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// client sends spans to a collector by OTLP over HTTP. The library's own client
// would do it too, and bring gRPC into the program.
type client struct {
	http    *http.Client
	url     string
	headers map[string]handoff.Secret
	log     *slog.Logger
	lost    atomic.Int64 // batches since the collector took one
}

var _ otlptrace.Client = (*client)(nil)

const (
	attemptLimit = 10 * time.Second
	firstPause   = time.Second
	longestPause = 10 * time.Second
	answerLimit  = 64 << 10
)

func newClient(o Options) *client {
	return &client{
		http: &http.Client{
			Timeout: attemptLimit,
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout: attemptLimit, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: answerLimit,
			},
			// What the headers hold is for the address of the configuration alone.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		url: o.URL, headers: o.Headers, log: o.Log,
	}
}

// Start implements otlptrace.Client. There is nothing to start.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client. Connections are the Tracer's to close.
func (c *client) Stop(context.Context) error { return nil }

// UploadTraces implements otlptrace.Client. It goes on trying while ctx lasts, as
// long as the collector may take the spans later. A failure is logged here: the
// library would print it past our log, addresses included.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// The same on the wire as an ExportTraceServiceRequest, whose package needs gRPC.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		c.tell(ctx, fmt.Errorf("encoding spans: %w", err))
		return nil
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := c.post(ctx, body)
		later, again := errors.AsType[*laterError](err)
		if !again {
			c.tell(ctx, err)
			return nil
		}
		if later.after >= 0 {
			pause = later.after
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			c.tell(ctx, err)
			return nil
		}
	}
}

// laterError is a failure that may pass.
type laterError struct {
	err   error
	after time.Duration // as the collector asks; negative: it does not say
}

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

func (c *client) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	for name, value := range c.headers {
		req.Header.Set(name, value.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // the address is in the configuration
		}
		return &laterError{err, -1}
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, answerLimit)); err != nil {
		return &laterError{err, -1}
	}
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return nil
	}
	err = fmt.Errorf("the collector answers with status %d", resp.StatusCode)
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		after := time.Duration(-1)
		if n, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16); err == nil {
			after = time.Duration(n) * time.Second
		}
		return &laterError{err, after}
	}
	return err
}

// tell logs what became of spans, once until that changes: a collector may be away
// for a night.
func (c *client) tell(ctx context.Context, err error) {
	ctx = context.WithoutCancel(ctx)
	if err == nil {
		if lost := c.lost.Swap(0); lost > 0 {
			c.log.InfoContext(ctx, "traces_again", "lost_batches", lost)
		}
		return
	}
	if c.lost.Add(1) == 1 {
		c.log.WarnContext(ctx, "traces_lost", "error", err)
	}
}
