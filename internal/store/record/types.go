package record

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// hash is a handoff.Hash in 43 characters instead of 32 numbers.
type hash handoff.Hash

// IsZero leaves a hash of nothing out of the record.
func (h hash) IsZero() bool { return h == hash{} }

// MarshalText encodes h in URL-safe base64 without padding.
func (h hash) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, h[:]), nil
}

// UnmarshalText undoes MarshalText.
func (h *hash) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	if len(b) != len(h) {
		return fmt.Errorf("a hash of %d bytes", len(b))
	}
	copy(h[:], b)
	return nil
}

type handoffRecord struct {
	V          int       `json:"v"` // first: Rewrite looks for it there
	ID         string    `json:"id"`
	Partner    string    `json:"p,omitzero"`
	App        string    `json:"app,omitzero"`
	Instance   string    `json:"inst,omitzero"`
	Terms      terms     `json:"t,omitzero"`
	SupportRef string    `json:"ref,omitzero"`
	CreatedAt  time.Time `json:"at,omitzero"`

	Status  string    `json:"st,omitzero"`
	Cause   string    `json:"why,omitzero"`
	Seq     int       `json:"seq,omitzero"`
	Events  []event   `json:"ev,omitempty"`
	EndedAt time.Time `json:"end,omitzero"`

	Deadline   time.Time `json:"dl,omitzero"`
	Extensions int       `json:"ext,omitzero"`

	Contact []byte `json:"ct,omitempty"`

	DisplayHash hash      `json:"dh,omitzero"`
	DisplayKey  []byte    `json:"dk,omitempty"`
	Asker       browser   `json:"ask,omitzero"`
	DisplayedAt time.Time `json:"dat,omitzero"`
	Begun       hash      `json:"beg,omitzero"`
	FrameKeyID  string    `json:"fk,omitzero"`
	Network     network   `json:"net,omitzero"`

	Codes  []code   `json:"codes,omitempty"`
	Claim  *claim   `json:"claim,omitempty"`
	Rival  *claim   `json:"rival,omitempty"`
	Wait   []claim  `json:"wait,omitempty"`
	Former []former `json:"former,omitempty"`
	Burnt  int      `json:"burnt,omitzero"`
	Claims int      `json:"claims,omitzero"`

	Connect *token `json:"conn,omitempty"`
	Work    *work  `json:"work,omitempty"`
	Poll    poll   `json:"poll,omitzero"`

	Confirmed string `json:"conf,omitzero"`
	Report    string `json:"rep,omitzero"`
	Hint      hint   `json:"hint,omitzero"`

	Request *request `json:"rq,omitempty"`

	Notices []notice  `json:"ntc,omitempty"`
	Outbox  []channel `json:"out,omitempty"`
}

type terms struct {
	Scope          []handoff.Scope `json:"sc,omitempty"`
	ParentOrigin   string          `json:"par,omitzero"`
	ReturnURL      string          `json:"ret,omitzero"`
	Locale         string          `json:"loc,omitzero"`
	Label          string          `json:"lab,omitzero"`
	Reference      string          `json:"ref,omitzero"`
	Confirmation   string          `json:"conf,omitzero"`
	ExpiresIn      time.Duration   `json:"exp,omitzero"` // nanoseconds, as all durations here
	CompleteWithin time.Duration   `json:"cw,omitzero"`
	Retain         time.Duration   `json:"keep,omitzero"`
	Exchange       string          `json:"ex,omitzero"`
	CodeMode       string          `json:"cm,omitzero"`
	Frame          time.Duration   `json:"fr,omitzero"`
	Routes         []handoff.Route `json:"rt,omitempty"`
}

// IsZero leaves terms that say nothing out of the record.
func (t terms) IsZero() bool {
	return len(t.Scope) == 0 && len(t.Routes) == 0 && t.ParentOrigin == "" && t.ReturnURL == "" && t.Locale == "" &&
		t.Label == "" && t.Reference == "" && t.Confirmation == "" && t.ExpiresIn == 0 && t.CompleteWithin == 0 &&
		t.Retain == 0 && t.Exchange == "" && t.CodeMode == "" && t.Frame == 0
}

type event struct {
	Seq  int       `json:"n,omitzero"`
	Type string    `json:"t,omitzero"`
	At   time.Time `json:"at,omitzero"`
}

type browser struct {
	Name  string `json:"n,omitzero"`
	OS    string `json:"os,omitzero"`
	Class string `json:"c,omitzero"`
	InApp string `json:"in,omitzero"`
	Via   string `json:"via,omitzero"`
	From  string `json:"at,omitzero"` // the country
}

type network struct {
	Blind hash `json:"h,omitzero"`
	IPv6  bool `json:"six,omitzero"`
}

type code struct {
	Route     string    `json:"r,omitzero"`
	Hash      hash      `json:"h,omitzero"`
	Sealed    []byte    `json:"s,omitempty"`
	MadeAt    time.Time `json:"at,omitzero"`
	ExpiresAt time.Time `json:"exp,omitzero"`
	Ended     string    `json:"end,omitzero"`
	Sent      *dispatch `json:"sent,omitempty"`
}

type dispatch struct {
	To     []byte    `json:"to,omitempty"`
	At     time.Time `json:"at,omitzero"`
	State  string    `json:"st,omitzero"`
	Ticket string    `json:"tk,omitzero"`
	Asked  int       `json:"ask,omitzero"`
	Next   time.Time `json:"nx,omitzero"`
}

type claim struct {
	Hash  hash      `json:"h,omitzero"`
	Route string    `json:"r,omitzero"`
	Frame bool      `json:"fr,omitzero"`
	Here  bool      `json:"here,omitzero"`
	At    time.Time `json:"at,omitzero"`
	Until time.Time `json:"til,omitzero"`
	By    browser   `json:"by,omitzero"`
	Near  string    `json:"net,omitzero"`

	Owner      hash    `json:"own,omitzero"`
	Attempt    hash    `json:"att,omitzero"`
	ByOwner    []byte  `json:"bo,omitempty"`
	ByAttempt  []byte  `json:"ba,omitempty"`
	Pickup     *pickup `json:"pick,omitempty"`
	Dead       []hash  `json:"dead,omitempty"`
	Opens      int     `json:"op,omitzero"`
	DeviceID   string  `json:"did,omitzero"`
	DeviceName string  `json:"dn,omitzero"`
	DeviceType string  `json:"dt,omitzero"`

	Challenge string `json:"ch,omitzero"`
	Given     *given `json:"giv,omitempty"`

	Number    []byte `json:"num,omitempty"`
	Tries     int    `json:"try,omitzero"`
	Report    hash   `json:"rh,omitzero"`
	ReportKey []byte `json:"rk,omitempty"`

	Response    hash   `json:"rs,omitzero"`
	ResponseKey []byte `json:"rsk,omitempty"`

	Install    hash    `json:"ins,omitzero"`
	InstallKey []byte  `json:"insk,omitempty"`
	From       network `json:"from,omitzero"`
}

type former struct {
	Report    hash   `json:"rh,omitzero"`
	Install   hash   `json:"ins,omitzero"`
	Hash      hash   `json:"h,omitzero"`
	Owner     hash   `json:"own,omitzero"`
	Reason    string `json:"why,omitzero"`
	Cause     string `json:"c,omitzero"`
	Challenge string `json:"ch,omitzero"`
	Pickups   []hash `json:"pick,omitempty"`
}

type token struct {
	Sealed    []byte    `json:"s,omitempty"`
	MadeAt    time.Time `json:"at,omitzero"`
	ExpiresAt time.Time `json:"exp,omitzero"`
}

type pickup struct {
	Hash      hash      `json:"h,omitzero"`
	Sealed    []byte    `json:"s,omitempty"`
	Answer    []byte    `json:"a,omitempty"`
	MadeAt    time.Time `json:"at,omitzero"`
	WipeAt    time.Time `json:"wipe,omitzero"`
	ExpiresAt time.Time `json:"exp,omitzero"`
	TappedAt  time.Time `json:"tap,omitzero"`
	Unopened  bool      `json:"un,omitzero"`
	UsedAt    time.Time `json:"used,omitzero"`
	Verifier  hash      `json:"ver,omitzero"`
}

type given struct {
	Answer []byte    `json:"a,omitempty"`
	WipeAt time.Time `json:"wipe,omitzero"`
}

type work struct {
	By    hash      `json:"by,omitzero"`
	Until time.Time `json:"til,omitzero"`
}

type poll struct {
	Next    time.Time     `json:"n,omitzero"`
	Every   time.Duration `json:"ev,omitzero"`
	Watched time.Time     `json:"w,omitzero"`
	Final   bool          `json:"f,omitzero"`
}

type hint struct {
	InApp string `json:"in,omitzero"`
	Store bool   `json:"st,omitzero"`
}

type request struct {
	Key  hash `json:"k,omitzero"`
	Body hash `json:"b,omitzero"`
}

type notice struct {
	Seq       int       `json:"n,omitzero"`
	Status    string    `json:"st,omitzero"`
	At        time.Time `json:"at,omitzero"`
	Route     string    `json:"r,omitzero"`
	Class     string    `json:"c,omitzero"`
	OS        string    `json:"os,omitzero"`
	Confirmed string    `json:"conf,omitzero"`
	Cause     string    `json:"why,omitzero"`
	ClaimedAt time.Time `json:"cat,omitzero"`
	Near      string    `json:"net,omitzero"`
}

type channel struct {
	To        string    `json:"to,omitzero"`
	Sends     []send    `json:"s,omitempty"`
	Gone      bool      `json:"gone,omitzero"`
	Lost      int       `json:"lost,omitzero"`
	Sending   *sending  `json:"now,omitempty"`
	NotBefore time.Time `json:"nb,omitzero"`
}

type send struct {
	Seq      int       `json:"n,omitzero"`
	State    string    `json:"st,omitzero"`
	Attempts int       `json:"a,omitzero"`
	Next     time.Time `json:"nx,omitzero"`
	Last     time.Time `json:"at,omitzero"`
	Outcome  string    `json:"o,omitzero"`
	Again    bool      `json:"re,omitzero"`
}

type sending struct {
	Seq   int       `json:"n,omitzero"`
	By    hash      `json:"by,omitzero"`
	Until time.Time `json:"til,omitzero"`
}
