package platform

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// NewTransport returns a transport for talking to one platform: TLS 1.2 or
// later, a pool large enough that many handoffs at once do not open a
// connection each, and limits on every phase that a context does not see.
// Proxies are those of the environment (HTTPS_PROXY, NO_PROXY).
func NewTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 4 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    4 * time.Second,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        60 * time.Second, // below the usual idle time of load balancers, so that a connect rarely meets a closing connection
		MaxResponseHeaderBytes: 64 << 10,
		// HTTP/2 puts all calls on one connection. One that died without a word
		// would otherwise swallow them for minutes.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 3 * time.Second},
	}
}
