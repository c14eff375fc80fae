package handoff

import (
	"context"
	"encoding/json"
	"time"
)

// Platform makes the calls of GBG GO that a handoff needs, with one partner's
// credential. Implementations bound every call in time and are safe for
// concurrent use. Failures are Errors:
//
//	CodePlatformUnavailable  not answering, refusing us, or answering nonsense; RetryAfter says when to try again
//	CodeUnknownJourney       no such journey, or another organisation's
//	CodeDeviceNotAllowed     the scope excludes this class of device (ConnectDevice only)
//	CodeConnectSpent         the connect token was used or has expired (ConnectDevice only)
//	CodeConnectLost          no answer, so the connect token may be used up (ConnectDevice only)
//	CodeJourneyLost          no answer, so a journey may have begun (StartJourney only)
type Platform interface {
	// StartJourney starts a journey and returns its instance.
	StartJourney(ctx context.Context, j Journey) (InstanceID, error)
	// StartDevice asks for a new connect token. It may be repeated.
	StartDevice(ctx context.Context, instance InstanceID, scope []Scope) (ConnectToken, error)
	// ConnectDevice spends a connect token. It is never repeated with the same
	// token: on CodeConnectLost the caller starts again and connects once.
	ConnectDevice(ctx context.Context, token Secret, device DeviceInfo) (EndUserToken, error)
	// State tells how far the journey is. It reads nothing else of the answer,
	// which carries personal data.
	State(ctx context.Context, instance InstanceID) (JourneyState, error)
	// URL is the API base an app talks to with its end-user token.
	URL() string
}

// Platforms finds the platform a partner's handoffs are opened with.
type Platforms interface {
	Platform(partner PartnerID) (Platform, error)
}

// Journey is what POST /journey/start takes.
type Journey struct {
	ResourceID string
	Context    json.RawMessage // a JSON object, or nil
}

// ConnectToken is the answer to device/start.
type ConnectToken struct {
	Token     Secret
	ExpiresAt time.Time
}

// DeviceInfo describes the device in device/connect.
type DeviceInfo struct {
	ID   string // 16–64 characters, stable for one device
	Name string // may be empty
	Type string // mobile, desktop or empty
}

// EndUserToken is the answer to device/connect.
type EndUserToken struct {
	Token     Secret
	ExpiresAt time.Time
	// What v2 may add, passed on to the app as it came.
	ResumeCredential    Secret
	CredentialExpiresAt json.RawMessage
	CredentialExpiresIn json.RawMessage
}

// JourneyState is how far a journey is.
type JourneyState int

// The states that matter to a handoff.
const (
	JourneyRunning  JourneyState = iota // in progress, paused, or not known yet
	JourneyFinished                     // settled, well or not: a person sees "all done"
	JourneyFailed                       // settled with an outcome that is not a success
)
