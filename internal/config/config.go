// Package config reads the settings, once, from one YAML file, and reports
// everything that is wrong with them at once, each with its line and what to do
// about it.
//
// No secret stands in the file: where one belongs, there is env:NAME or
// file:PATH. No fault ever prints the value of a secret, nor anything written
// where a secret belongs. Paths are relative to the folder of the file.
package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/partner"
)

// Config is the settings of one portal.
type Config struct {
	// PublicURL and LinkURL are scheme, host and port, without a trailing slash.
	PublicURL string
	LinkURL   string

	Listen         string // host:port
	InternalListen string
	TrustedProxies []netip.Prefix
	// CountryHeader is the header in which a trusted proxy says what country a
	// request comes from, as ISO 3166-1 alpha-2; empty: none does.
	CountryHeader string

	// ServerKeys are 32 bytes each in standard base64, newest first, at least one.
	ServerKeys []handoff.Secret

	Store       Store
	Frames      time.Duration  // the length of a QR frame; zero: off
	EgressAllow []netip.Prefix // special ranges that webhooks may go to, by plain http too
	Limits      Limits

	SMS  *SMS  // nil: no text messages
	Mail *Mail // nil: no e-mail

	Traces *Traces // nil: no traces

	// Platforms are the different credentials for GBG GO, and PlatformOf the index
	// of each partner's among them. PlatformAt is where each stands in the file.
	Platforms  []Platform
	PlatformOf map[handoff.PartnerID]int
	PlatformAt []string

	Partners []partner.Partner

	// Warnings are what works, but hardly as intended.
	Warnings Faults

	// Lines are where settings stand in File, by path, as in partners[0].id.
	Lines map[string]int
	File  string
}

// Where says where a setting stands, or belongs: the file and the line of it, or
// of the nearest that is there and holds it, and its path.
func (c *Config) Where(path string) string {
	for at := path; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if line, ok := c.Lines[at]; ok {
			return fmt.Sprintf("%s:%d: %s", c.File, line, path)
		}
	}
	return strings.TrimPrefix(c.File+": "+path, ": ")
}

// Fault is a fault of a setting that shows only when all are put together.
func (c *Config) Fault(path, message, remedy string) Fault {
	return Fault{File: c.File, Line: max(1, c.Lines[path]), Column: 1, Path: path, Message: message, Remedy: remedy}
}

// StoreKind names a kind of store.
type StoreKind string

// The kinds of store.
const (
	StoreFile   StoreKind = "file"
	StoreMemory StoreKind = "memory"
	StoreRedis  StoreKind = "redis"
)

// Store says where handoffs are kept.
type Store struct {
	Kind  StoreKind
	Path  string // of the file, with StoreFile
	Redis *Redis // with StoreRedis
}

// Rate allows Count events in each Per.
type Rate struct {
	Count int
	Per   time.Duration
}

// String is the rate as the file spells it.
func (r Rate) String() string {
	if r.Per == time.Second {
		return strconv.Itoa(r.Count) + "/s"
	}
	if r.Per == time.Minute {
		return strconv.Itoa(r.Count) + "/m"
	}
	return strconv.Itoa(r.Count) + "/h"
}

// Limits bound what one partner, one network (a v4 /32 or a v6 /64) and
// everybody together may ask for.
type Limits struct {
	CreatesPerPartner Rate
	ClaimsPerNetwork  Rate
	PagesPerNetwork   Rate
	UnknownPerNetwork Rate // guesses: capabilities that never were
	// Messages to people, by text message and e-mail; zero: what package limit says.
	MessagesPerHandoff, MessagesPerRecipient, MessagesPerNetwork, MessagesPerArea Rate

	StreamsPerHandoff int
	StreamsPerNetwork int
	Streams           int
}

// DefaultLimits are the limits of a file that says nothing of them.
func DefaultLimits() Limits {
	return Limits{
		CreatesPerPartner: Rate{50, time.Second},
		ClaimsPerNetwork:  Rate{300, time.Minute},
		PagesPerNetwork:   Rate{1200, time.Minute},
		UnknownPerNetwork: Rate{1000, time.Minute},
		StreamsPerHandoff: 5,
		StreamsPerNetwork: 500,
		Streams:           50000,
	}
}

// SMS says who sends text messages.
type SMS struct {
	Provider string // twilio
	URL      string
	Account  handoff.Secret
	Token    handoff.Secret
	From     string
}

// Mail says who sends e-mail.
type Mail struct {
	SMTP     string // host:port
	Username handoff.Secret
	Password handoff.Secret
	From     string // an address, with or without a name
}

// Traces says where OpenTelemetry's spans go.
type Traces struct {
	URL     string                    // of the collector, for OTLP over HTTP
	Headers map[string]handoff.Secret // it wants with every request
	Share   float64                   // of the requests, from 0 to 1
	// FromProxies is set where TrustedProxies write a traceparent of their own, which
	// ours then belongs to.
	FromProxies bool
}

// The versions of the platform's API, and the grants it gives tokens for.
const (
	V1 = "v1"
	V2 = "v2"

	GrantClientCredentials = "client_credentials"
	GrantPassword          = "password"
)

// Platform is one credential for GBG GO. Two are the same if all fields are.
type Platform struct {
	Version      string // V1 or V2
	APIURL       string // the base of the calls, without a trailing slash
	TokenURL     string
	Grant        string
	Scope        string
	ClientID     handoff.Secret
	ClientSecret handoff.Secret
	Username     handoff.Secret // with GrantPassword
	Password     handoff.Secret
}

// maxFile bounds the settings and every file they name, in bytes.
const maxFile = 1 << 20

// Load reads the file at path. getenv is os.Getenv, or a test's. The error is
// Faults if the file could be read but not used.
func Load(path string, getenv func(string) string) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, text, getenv)
}

// Parse is Load for a text that was read already. path names it in faults, and
// its folder is where relative paths begin.
func Parse(path string, text []byte, getenv func(string) string) (*Config, error) {
	r := &reader{file: filepath.Base(path), dir: filepath.Dir(path), getenv: getenv, lines: make(map[string]int)}
	c := r.config(r.root(text))
	if len(r.faults) > 0 {
		return nil, r.faults.sorted()
	}
	c.Warnings, c.Lines, c.File = r.warnings.sorted(), r.lines, r.file
	return c, nil
}

func readFile(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return os.ReadFile(path) //nolint:gosec // G304: the operator names the file, on the command line or in the configuration
}
