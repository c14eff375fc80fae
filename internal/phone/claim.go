package phone

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Context is what a person is shown before agreeing.
type Context struct {
	Partner     string    `json:"partner"`
	Label       string    `json:"label,omitempty"`
	Browser     string    `json:"browser,omitempty"`
	OS          string    `json:"os,omitempty"`
	RequestedAt time.Time `json:"requestedAt"`
}

// Claim is an app's short hold on a handoff.
type Claim struct {
	Status   handoff.Status
	Number   string        // to be typed on the computer; empty: none is asked for
	Lease    time.Duration // how long the claim lasts without a call
	Interval time.Duration // between calls for the token
	Context  Context

	Portal   string         // who answers for it
	ID       handoff.Secret // the claimId
	Verifier handoff.Secret // the PKCE code verifier
}

// Answer is the token answer of the App API.
type Answer struct {
	Token       handoff.Secret // to call the platform with, or to connect with
	TokenType   string         // "end-user" or "connect"
	ExpiresAt   time.Time
	InstanceID  handoff.InstanceID
	HandoffID   handoff.ID
	PlatformURL string
	JourneyURL  handoff.Secret // may contain the connect token
	ReturnURL   string
	Resumable   bool           // the platform gave a resume credential
	ReportURL   handoff.Secret // where Report posts to
}

// IsConnect reports whether the app has to call device/connect itself.
func (a Answer) IsConnect() bool { return a.TokenType == "connect" }

// random returns n random bytes, base64url.
func random(n int) handoff.Secret {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return handoff.Secret(base64.RawURLEncoding.EncodeToString(b))
}

// NewVerifier returns a PKCE code verifier of 256 random bits (RFC 7636 §4.1);
// the same serves as the verifier of a pickup.
func NewVerifier() handoff.Secret { return random(32) }

// challenge is the S256 challenge of a verifier (RFC 7636 §4.2).
func challenge(verifier handoff.Secret) string {
	sum := sha256.Sum256([]byte(verifier.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Claim takes a code. A call whose answer was lost is repeated with the same
// challenge, so it is still the same app that claims.
func (c *Client) Claim(ctx context.Context, s Source) (Claim, error) {
	if s.Code == "" {
		return Claim{}, errors.New("there is no code to claim")
	}
	verifier := NewVerifier()
	in := struct {
		Code      string `json:"code"`
		Partner   string `json:"partner,omitempty"`
		Challenge string `json:"codeChallenge"`
		Device    Device `json:"deviceInfo"`
	}{s.Code.Reveal(), s.Partner, challenge(verifier), c.device}
	var out struct {
		ClaimID   handoff.Secret `json:"claimId"`
		Status    handoff.Status `json:"status"`
		Number    string         `json:"number"`
		ExpiresIn int            `json:"expiresIn"`
		Interval  int            `json:"interval"`
		Context   Context        `json:"context"`
	}
	err := c.repeat(ctx, func() error { return c.post(ctx, s.Portal+"/v1/claims", "", in, &out) })
	if err != nil {
		return Claim{}, err
	}
	if out.ClaimID == "" {
		return Claim{}, errors.New("the portal's answer holds no claim")
	}
	return Claim{
		Status: out.Status, Number: out.Number, Context: out.Context,
		Lease:    time.Duration(out.ExpiresIn) * time.Second,
		Interval: time.Duration(max(1, out.Interval)) * time.Second,
		Portal:   s.Portal, ID: out.ClaimID, Verifier: verifier,
	}, nil
}

func (c *Client) onClaim(ctx context.Context, cl Claim, act string, out any) error {
	in := map[string]string{"codeVerifier": cl.Verifier.Reveal()}
	address := cl.Portal + "/v1/claims/" + url.PathEscape(cl.ID.Reveal()) + "/" + act
	return c.repeat(ctx, func() error { return c.post(ctx, address, "", in, out) })
}

// Token asks for the token once. Until the number has been typed on the
// computer it answers a *ProblemError with CodeNotConfirmed, and each call renews
// the claim.
func (c *Client) Token(ctx context.Context, cl Claim) (Answer, error) {
	var out answer
	if err := c.onClaim(ctx, cl, "token", &out); err != nil {
		return Answer{}, err
	}
	return c.answer(out)
}

// AwaitToken asks for the token until it comes, at the pace the portal asks for.
func (c *Client) AwaitToken(ctx context.Context, cl Claim) (Answer, error) {
	for {
		a, err := c.Token(ctx, cl)
		p, ok := errors.AsType[*ProblemError](err)
		if !ok || p.Code != handoff.CodeNotConfirmed {
			return a, err
		}
		if err := c.wait(ctx, max(cl.Interval, p.RetryAfter)); err != nil {
			return Answer{}, err
		}
	}
}

// Reject says that the person did not agree.
func (c *Client) Reject(ctx context.Context, cl Claim) error {
	return c.onClaim(ctx, cl, "reject", nil)
}

// PickUp redeems the pickup of an app link. The verifier must be kept and used
// again if this fails for want of an answer: within a minute, the same pair is
// given the same answer, and another verifier nothing.
func (c *Client) PickUp(ctx context.Context, portal string, pickup, verifier handoff.Secret) (Answer, error) {
	in := map[string]string{"pickup": pickup.Reveal(), "verifier": verifier.Reveal()}
	var out answer
	err := c.repeat(ctx, func() error { return c.post(ctx, portal+"/v1/pickups", "", in, &out) })
	if err != nil {
		return Answer{}, err
	}
	return c.answer(out)
}

// Report tells the portal how the app gets on. It is a hint for the screens.
func (c *Client) Report(ctx context.Context, a Answer, r handoff.Report) error {
	if a.ReportURL == "" {
		return errors.New("the answer named no address to report to")
	}
	in := map[string]string{"event": string(r)}
	return c.repeat(ctx, func() error { return c.post(ctx, a.ReportURL.Reveal(), "", in, nil) })
}

// answer is the wire form of Answer.
type answer struct {
	EndUserToken     handoff.Secret     `json:"endUserToken"`
	ConnectToken     handoff.Secret     `json:"connectToken"`
	TokenType        string             `json:"tokenType"`
	ExpiresIn        int                `json:"expiresIn"`
	InstanceID       handoff.InstanceID `json:"instanceId"`
	HandoffID        handoff.ID         `json:"handoffId"`
	PlatformURL      string             `json:"platformUrl"`
	ReportURL        handoff.Secret     `json:"reportUrl"`
	ReturnURL        string             `json:"returnUrl"`
	JourneyURL       handoff.Secret     `json:"journeyUrl"`
	ResumeCredential json.RawMessage    `json:"resumeCredential"`
}

func (c *Client) answer(w answer) (Answer, error) {
	a := Answer{
		Token: w.EndUserToken, TokenType: w.TokenType,
		ExpiresAt:  c.now().Add(time.Duration(w.ExpiresIn) * time.Second),
		InstanceID: w.InstanceID, HandoffID: w.HandoffID,
		PlatformURL: w.PlatformURL, JourneyURL: w.JourneyURL, ReturnURL: w.ReturnURL,
		Resumable: len(w.ResumeCredential) > 0 && string(w.ResumeCredential) != "null",
		ReportURL: w.ReportURL,
	}
	if a.IsConnect() {
		a.Token = w.ConnectToken
	}
	if a.Token == "" {
		return Answer{}, errors.New("the portal's answer holds no token")
	}
	return a, nil
}
