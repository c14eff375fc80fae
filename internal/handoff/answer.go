package handoff

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// TokenAnswer is what an app gets, once. It goes nowhere but into the body of a
// no-store answer.
type TokenAnswer struct {
	Handoff     ID
	Partner     PartnerID
	App         AppID
	Instance    InstanceID
	Connect     bool // Token is a connect token, for an app that connects by itself
	Token       Secret
	ExpiresAt   time.Time
	PlatformURL string
	ReportKey   Secret
	Response    Secret // with which the app returns to the browser that began; empty: nowhere to return to
	// What v2 may add, as it came.
	ResumeCredential    Secret
	CredentialExpiresAt json.RawMessage
	CredentialExpiresIn json.RawMessage
}

// sealedAnswer is TokenAnswer as it is sealed: the one place where secrets are
// written out in JSON.
type sealedAnswer struct {
	Connect             bool            `json:"connect,omitempty"`
	Token               string          `json:"token"`
	ExpiresAt           time.Time       `json:"expiresAt"`
	PlatformURL         string          `json:"platformUrl"`
	ReportKey           string          `json:"reportKey"`
	Response            string          `json:"response,omitempty"`
	ResumeCredential    string          `json:"resumeCredential,omitempty"`
	CredentialExpiresAt json.RawMessage `json:"credentialExpiresAt,omitempty"`
	CredentialExpiresIn json.RawMessage `json:"credentialExpiresIn,omitempty"`
}

// sealAnswer seals a for whoever brings secret.
func (s *Service) sealAnswer(h Handoff, secret Secret, a TokenAnswer) (Sealed, error) {
	plain, err := json.Marshal(sealedAnswer{
		Connect: a.Connect, Token: a.Token.Reveal(), ExpiresAt: a.ExpiresAt, PlatformURL: a.PlatformURL,
		ReportKey: a.ReportKey.Reveal(), Response: a.Response.Reveal(), ResumeCredential: a.ResumeCredential.Reveal(),
		CredentialExpiresAt: a.CredentialExpiresAt, CredentialExpiresIn: a.CredentialExpiresIn,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a token answer of %s: %w", h.ID, err)
	}
	return s.vault.SealUnder(secret, h.label("answer"), plain), nil
}

func (s *Service) openAnswer(h Handoff, secret Secret, sealed Sealed) (TokenAnswer, error) {
	plain, err := s.vault.OpenUnder(secret, h.label("answer"), sealed)
	if err != nil {
		return TokenAnswer{}, err
	}
	var a sealedAnswer
	if err := json.Unmarshal(plain, &a); err != nil {
		return TokenAnswer{}, fmt.Errorf("decoding a token answer of %s: %w", h.ID, err)
	}
	return TokenAnswer{
		Handoff: h.ID, Partner: h.Partner, App: h.App, Instance: h.Instance, Connect: a.Connect, Token: Secret(a.Token), ExpiresAt: a.ExpiresAt,
		PlatformURL: a.PlatformURL, ReportKey: Secret(a.ReportKey), Response: Secret(a.Response), ResumeCredential: Secret(a.ResumeCredential),
		CredentialExpiresAt: a.CredentialExpiresAt, CredentialExpiresIn: a.CredentialExpiresIn,
	}, nil
}

// answer makes the token answer for the claim in force.
func (s *Service) answer(h Handoff, p Platform, t EndUserToken) (TokenAnswer, error) {
	report, err := s.vault.Open(h.label("report"), h.Claim.ReportKey)
	if err != nil {
		return TokenAnswer{}, err
	}
	var response []byte
	if h.Claim.ResponseKey != nil {
		if response, err = s.vault.Open(h.label("response"), h.Claim.ResponseKey); err != nil {
			return TokenAnswer{}, err
		}
	}
	return TokenAnswer{
		Handoff: h.ID, Partner: h.Partner, App: h.App, Instance: h.Instance, Response: Secret(response), Token: t.Token, ExpiresAt: t.ExpiresAt, PlatformURL: p.URL(),
		ReportKey: Secret(report), ResumeCredential: t.ResumeCredential,
		CredentialExpiresAt: t.CredentialExpiresAt, CredentialExpiresIn: t.CredentialExpiresIn,
	}, nil
}

// newPickup makes a pickup for a token answer: the answer under a key derived
// from the pickup, the pickup under one derived from the claim key, so that the
// store and the server key together open neither.
func (s *Service) newPickup(h Handoff, key Secret, a TokenAnswer) (Pickup, error) {
	pickup, now := newCapability(), s.now()
	sealed, err := s.sealAnswer(h, pickup, a)
	if err != nil {
		return Pickup{}, err
	}
	return Pickup{
		Hash: HashOf(pickup), Sealed: s.vault.SealUnder(key, h.label("pickup"), []byte(pickup)), Answer: sealed,
		MadeAt: now, WipeAt: sooner(now.Add(TokenRest), a.ExpiresAt), ExpiresAt: a.ends(h, now),
	}, nil
}

// ends is when what an app can do with a is over. How long the end-user token of
// an app that connects by itself lives is not known here.
func (a TokenAnswer) ends(h Handoff, now time.Time) time.Time {
	if a.Connect {
		return now.Add(h.Terms.CompleteWithin)
	}
	return a.ExpiresAt
}

// exchange makes the token for a browser's claim, sealed for one pickup, if it is still wanted when nobody else makes a step. The claim key is not in
// the store: its owner brings it.
func (s *Service) exchange(ctx context.Context, h Handoff, key Secret, wanted func(Handoff, time.Time) bool) (Handoff, error) {
	p, err := s.platforms.Platform(h.Partner)
	if err != nil {
		return h, err
	}
	claim := h.Claim.Hash
	var token Secret
	var ends time.Time
	stillMine := func(h Handoff, now time.Time) (Handoff, error) {
		if h.Claim == nil || h.Claim.Hash != claim {
			return h, Gone(ReasonReleased)
		}
		if !h.Status.Held() || h.Status == StatusClaimed {
			return h, notConfirmed()
		}
		if !wanted(h, now) {
			h.Work = nil
			return h, errUnchanged
		}
		h, usable := h.SpendConnect(now)
		token = ""
		if usable != nil && h.Status == StatusConfirmed {
			plain, err := s.vault.Open(h.label("connect"), usable.Sealed)
			if err != nil {
				return h, err
			}
			token, ends = Secret(plain), usable.ExpiresAt
		}
		return h, nil
	}
	return s.step(ctx, h, stillMine, func(ctx context.Context, h Handoff) (rule, error) {
		a, err := s.tokenAnswer(ctx, p, h, token, ends)
		if err != nil {
			return failedExchange(err), shown(err)
		}
		pickup, err := s.newPickup(h, key, a)
		if err != nil {
			return nil, err
		}
		return func(h Handoff, now time.Time) (Handoff, error) { return h.Connected(pickup, now) }, nil
	})
}

// tokenAnswer is the end-user token, or the connect token for an app that connects by itself.
func (s *Service) tokenAnswer(ctx context.Context, p Platform, h Handoff, token Secret, ends time.Time) (TokenAnswer, error) {
	c := *h.Claim
	if h.Terms.Exchange == ExchangePortal {
		t, err := s.connect(ctx, p, h, token, DeviceInfo{ID: c.DeviceID, Name: c.DeviceName, Type: c.DeviceType})
		if err != nil {
			return TokenAnswer{}, err
		}
		return s.answer(h, p, t)
	}
	if token == "" {
		t, fresh, err := s.startToken(ctx, p, h, s.now())
		if err != nil {
			return TokenAnswer{}, err
		}
		token, ends = fresh, t.ExpiresAt
	}
	a, err := s.answer(h, p, EndUserToken{Token: token, ExpiresAt: ends})
	a.Connect = true
	return a, err
}

// failedExchange is the rule for an upstream failure of an exchange, or nil: then
// the claim stays confirmed, and the exchange can be tried again.
func failedExchange(err error) rule {
	if CodeOf(err) == CodeDeviceNotAllowed {
		return func(h Handoff, now time.Time) (Handoff, error) {
			if err := h.live(now); err != nil {
				return h, err
			}
			return h.retire(ReasonReleased, CauseWrongDevice).back(now), nil
		}
	}
	return endsUnknown(err)
}

// shown is err as the phone is told it.
func shown(err error) error {
	if CodeOf(err) == CodeUnknownJourney {
		return Gone(ReasonCancelled)
	}
	return err
}

func notConfirmed() error {
	e := Errorf(CodeNotConfirmed, "the number has not been typed on the computer yet")
	e.RetryAfter = appInterval
	return e
}
