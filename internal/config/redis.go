package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Redis says where Redis is: one server, the sentinels that watch over one, or
// some members of a Cluster.
type Redis struct {
	Addrs   []string // host:port, of the sentinels where there is a Master
	Master  string   // as the sentinels know it; empty: there are none
	Cluster bool
	DB      int
	TLS     bool
	CA      *x509.CertPool // nil: the system's

	Username         string
	Password         handoff.Secret
	SentinelUsername string
	SentinelPassword handoff.Secret
}

const redisForm = "write redis://HOST:6379, redis://USER@HOST:6379/0, rediss:// for TLS, redis+sentinel://HOST:26379,HOST:26379/MASTER, " +
	"or redis://HOST,HOST,HOST for a Cluster"

// redis reads a store that is in Redis, and the section with what may not stand
// in its address.
func (s section) redis(store Store) Store {
	at := s.get("redis")
	if store.Redis == nil && store.Kind != "" {
		if at.there() {
			at.fault("remove it, or write store: redis://HOST:6379", "the store is not in Redis")
		}
		return store
	}
	more := at.section("password", "sentinel_username", "sentinel_password", "ca")
	var beside Redis
	beside.Password, _ = more.get("password").secret()
	beside.SentinelUsername = more.get("sentinel_username").filled("remove it, or write the user's name")
	beside.SentinelPassword, _ = more.get("sentinel_password").secret()
	beside.CA = more.get("ca").pool()
	r := store.Redis
	if r == nil { // its address is a fault, and says nothing of what goes with it
		return store
	}
	r.Password, r.SentinelUsername, r.SentinelPassword, r.CA = beside.Password, beside.SentinelUsername, beside.SentinelPassword, beside.CA
	if r.Username != "" && !more.get("password").there() {
		s.get("store").fault("write redis: {password: env:NAME}", "there is a user and no password")
	}
	for _, key := range []string{"sentinel_username", "sentinel_password"} {
		if more.get(key).there() && r.Master == "" {
			more.get(key).fault("remove it", "there are no sentinels")
		}
	}
	if r.CA != nil && !r.TLS {
		more.get("ca").fault("write rediss://, or ?tls=yes after sentinels", "the store is reached without TLS")
	}
	return store
}

// pool reads the certificates that a file:PATH holds.
func (v value) pool() *x509.CertPool {
	s, ok := v.text()
	if !ok {
		return nil
	}
	path, ok := strings.CutPrefix(s, "file:")
	if !ok || path == "" {
		v.fault("write file:PATH", "%.60q names no file", s)
		return nil
	}
	b, ok := v.read(path)
	if !ok {
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		v.fault("write certificates in PEM into it", "the file %s holds no certificate", path)
		return nil
	}
	return pool
}

// parseRedis reads an address. Its errors never quote what may be a password.
func parseRedis(raw string) (*Redis, error) {
	scheme, rest, _ := strings.Cut(raw, "://")
	r := &Redis{TLS: scheme == "rediss"}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(hosts, '@'); i >= 0 {
		user := hosts[:i]
		hosts = hosts[i+1:]
		if strings.Contains(user, ":") {
			return nil, errors.New("a password may not stand here")
		}
		var err error
		if r.Username, err = url.PathUnescape(user); err != nil || r.Username == "" {
			return nil, errors.New("what stands before the @ is no user")
		}
	}
	port := "6379"
	if scheme == "redis+sentinel" {
		port = "26379"
		r.Master, path, _ = strings.Cut(path, "/")
		if r.Master == "" {
			return nil, errors.New("the name of the master is missing, as in redis+sentinel://host:26379/mymaster")
		}
	}
	for h := range strings.SplitSeq(hosts, ",") {
		addr, err := redisHost(h, port)
		if err != nil {
			return nil, err
		}
		r.Addrs = append(r.Addrs, addr)
	}
	r.Cluster = r.Master == "" && len(r.Addrs) > 1
	if path != "" {
		n, err := strconv.Atoi(path)
		if err != nil || n < 0 || n > 1_000_000 {
			return nil, fmt.Errorf("%.20q is no number of a database", path)
		}
		r.DB = n
	}
	if err := r.options(query); err != nil {
		return nil, err
	}
	if r.Cluster && r.DB != 0 {
		return nil, errors.New("a Cluster has no database but 0")
	}
	return r, nil
}

// options reads what stands after the question mark.
func (r *Redis) options(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("what stands after the ? cannot be read")
	}
	for name := range values {
		switch yes := values.Get(name) == "yes"; {
		case name == "tls" && yes && r.Master != "":
			r.TLS = true
		case name == "cluster" && yes && r.Master == "":
			r.Cluster = true
		default:
			return fmt.Errorf("after the ? there may be cluster=yes, or tls=yes with sentinels, and not %.20q", name)
		}
	}
	return nil
}

func redisHost(h, port string) (string, error) {
	host := h
	if name, p, err := net.SplitHostPort(h); err == nil {
		host, port = name, p
	} else if strings.Contains(strings.Trim(h, "[]"), ":") && !strings.HasPrefix(h, "[") {
		return "", errors.New("a host is malformed; put an IPv6 address in brackets")
	}
	host = strings.Trim(host, "[]")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" || strings.ContainsAny(host, " /\\@") {
		return "", errors.New("a host is missing or malformed")
	}
	return net.JoinHostPort(host, port), nil
}
