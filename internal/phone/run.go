package phone

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Options say what the app is given and how it is to behave.
type Options struct {
	Input    string // a link, a picture's path, ten digits, or a bare connect token
	Portal   string // for inputs that do not name it
	Partner  string // for ten digits
	Platform string // for a bare connect token: the API base to connect at
	Timeout  time.Duration

	// Consent asks the person. It is called once, after the claim. Without it
	// nothing is claimed, and Run returns ErrNobody.
	Consent func(context.Context, Context) (bool, error)
	Finish  bool      // complete the journey, on a stand-in platform
	Report  bool      // tell the portal: started, finished, failed
	Say     io.Writer // gets a line for each step; never a secret
	Client  *Client
	Now     func() time.Time
}

// Result is what came of it. It holds no secret and may be printed.
type Result struct {
	Outcome     string             `json:"outcome"` // delivered, finished, rejected or failed
	HandoffID   handoff.ID         `json:"handoffId,omitempty"`
	InstanceID  handoff.InstanceID `json:"instanceId,omitempty"`
	Context     *Context           `json:"context,omitempty"`
	NumberAsked bool               `json:"numberAsked"`
	Token       *TokenSummary      `json:"token,omitempty"`
	PlatformURL string             `json:"platformUrl,omitempty"`
	ReturnURL   string             `json:"returnUrl,omitempty"`
	Connected   bool               `json:"connected"` // the app called device/connect itself
	Reported    []handoff.Report   `json:"reported"`
	Problem     *ProblemError      `json:"problem,omitempty"`
	Error       string             `json:"error,omitempty"`
}

// TokenSummary says what a token is like without saying what it is.
type TokenSummary struct {
	Type      string         `json:"type"`
	Length    int            `json:"length"`
	ExpiresIn int            `json:"expiresIn"` // seconds
	Resumable bool           `json:"resumable"`
	Claims    map[string]any `json:"claims,omitempty"` // exp, iat, iss, aud: nothing about a person
}

// ErrNobody means that a code cannot be claimed because nobody can agree to it.
var ErrNobody = errors.New("there is nobody to ask whether to carry on")

// The outcomes.
const (
	OutcomeDelivered = "delivered"
	OutcomeFinished  = "finished"
	OutcomeRejected  = "rejected"
	OutcomeFailed    = "failed"
)

// Run plays the app from the input to the end. The Result is filled in as far as
// it got, also beside an error.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.Timeout,
			fmt.Errorf("nothing came of it within %s: the time to wait is set with --timeout", o.Timeout))
		defer cancel()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Say == nil {
		o.Say = io.Discard
	}
	r := &run{Options: o, result: Result{Reported: []handoff.Report{}}}
	err := r.play(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		r.result.Outcome, r.result.Error = OutcomeFailed, err.Error()
		if p, ok := errors.AsType[*ProblemError](err); ok {
			r.result.Problem = p
		}
	}
	return r.result, err
}

type run struct {
	Options
	result Result
}

func (r *run) say(format string, args ...any) {
	fmt.Fprintf(r.Say, format+"\n", args...)
}

func (r *run) play(ctx context.Context) error {
	src, err := r.source()
	if err != nil {
		return err
	}
	a, agreed, err := r.obtain(ctx, src)
	if err != nil || !agreed {
		return err
	}
	r.got(a)
	if a.IsConnect() {
		r.say("The app exchanges it: calling device/connect at %s.", a.PlatformURL)
		if a, err = r.Client.Connect(ctx, a); err != nil {
			r.report(ctx, a, handoff.ReportFailed)
			return err
		}
		r.result.Connected = true
		r.got(a)
	}
	r.report(ctx, a, handoff.ReportStarted)
	if !r.Finish {
		return nil
	}
	if err := r.Client.Finish(ctx, a); err != nil {
		r.report(ctx, a, handoff.ReportFailed)
		return err
	}
	r.result.Outcome = OutcomeFinished
	r.say("The journey is finished.")
	r.report(ctx, a, handoff.ReportFinished)
	return nil
}

// source reads the input, which is a picture if there is a file of that name.
func (r *run) source() (Source, error) {
	text := r.Input
	if info, err := os.Stat(text); err == nil && info.Mode().IsRegular() {
		f, err := os.Open(text) //nolint:gosec // the file the person named
		if err != nil {
			return Source{}, fmt.Errorf("opening the picture: %w", err)
		}
		defer f.Close()
		if text, err = ReadPicture(f); err != nil {
			return Source{}, err
		}
		r.say("Read the code in the picture.")
	} else if name := strings.ToLower(text); !strings.Contains(text, "://") &&
		(strings.HasSuffix(name, ".png") || strings.HasSuffix(name, ".jpg") || strings.HasSuffix(name, ".jpeg")) {
		return Source{}, fmt.Errorf("there is no picture %s", text)
	}
	return ParseSource(text, r.Portal, r.Partner)
}

// obtain gets the token answer for what the app was given. It returns false if
// the person said no.
func (r *run) obtain(ctx context.Context, src Source) (Answer, bool, error) {
	switch {
	case src.Connect != "":
		if r.Platform == "" {
			return Answer{}, false, errors.New("this is the platform's own connect token: say with --platform where to connect, such as http://127.0.0.1:8082/v2/captain")
		}
		return Answer{
			Token: src.Connect, TokenType: "connect",
			PlatformURL: strings.TrimRight(r.Platform, "/"), ExpiresAt: r.Now().Add(2 * time.Minute),
		}, true, nil
	case src.Pickup != "":
		r.say("An app link: redeeming its pickup at %s.", src.Portal)
		a, err := r.Client.PickUp(ctx, src.Portal, src.Pickup, NewVerifier())
		return a, err == nil, err
	}
	return r.claim(ctx, src)
}

func (r *run) claim(ctx context.Context, src Source) (Answer, bool, error) {
	if r.Consent == nil {
		return Answer{}, false, ErrNobody
	}
	cl, err := r.Client.Claim(ctx, src)
	if err != nil {
		return Answer{}, false, err
	}
	r.result.Context = &cl.Context
	r.result.NumberAsked = cl.Number != ""
	r.say("%s", cl.Context.Sentence(r.Now()))
	agreed, err := r.Consent(ctx, cl.Context)
	if err != nil {
		return Answer{}, false, err
	}
	if !agreed {
		if err := r.Client.Reject(ctx, cl); err != nil {
			return Answer{}, false, err
		}
		r.result.Outcome = OutcomeRejected
		r.say("Said no. %s is told.", cl.Context.Partner)
		return Answer{}, false, nil
	}
	if cl.Number != "" {
		r.say("Type this number on the computer: %s", cl.Number)
	}
	a, err := r.Client.AwaitToken(ctx, cl)
	return a, err == nil, err
}

// got notes and says what the app was given.
func (r *run) got(a Answer) {
	t := summary(a, r.Now())
	r.result.Outcome, r.result.Token = OutcomeDelivered, &t
	r.result.HandoffID, r.result.InstanceID = a.HandoffID, a.InstanceID
	r.result.PlatformURL, r.result.ReturnURL = a.PlatformURL, a.ReturnURL
	r.say("Got: %s token, %d characters, expires in %s.", t.Type, t.Length, inWords(time.Duration(t.ExpiresIn)*time.Second))
	if a.InstanceID != "" {
		r.say("Journey instance %s, handoff %s, platform %s.", a.InstanceID, orNone(string(a.HandoffID)), a.PlatformURL)
	}
	if t.Claims != nil {
		if b, err := json.Marshal(t.Claims); err == nil {
			r.say("The token says of itself: %s", b)
		}
	}
}

func (r *run) report(ctx context.Context, a Answer, e handoff.Report) {
	if !r.Report || a.ReportURL == "" {
		return
	}
	if err := r.Client.Report(ctx, a, e); err != nil {
		r.say("Could not report %q: %v", e, err)
		return
	}
	r.result.Reported = append(r.result.Reported, e)
	r.say("Reported: %s.", e)
}

func orNone(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func summary(a Answer, now time.Time) TokenSummary {
	return TokenSummary{
		Type: a.TokenType, Length: len(a.Token), Resumable: a.Resumable,
		ExpiresIn: max(0, int(a.ExpiresAt.Sub(now).Round(time.Second)/time.Second)),
		Claims:    registered(a.Token),
	}
}

// claims reads those of a JWT; nil if it is none. Nothing is verified: only the
// platform can.
func claims(token handoff.Secret) map[string]any {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var all map[string]any
	if json.Unmarshal(b, &all) != nil {
		return nil
	}
	return all
}

// registered are the claims that say nothing of a person (RFC 7519 §4.1, without
// sub and jti).
func registered(token handoff.Secret) map[string]any {
	all := claims(token)
	if all == nil {
		return nil
	}
	out := map[string]any{}
	for _, name := range []string{"iss", "aud", "iat", "exp"} {
		if v, ok := all[name]; ok {
			out[name] = v
		}
	}
	return out
}
