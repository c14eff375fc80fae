package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// What the platform documents, for answers that do not say.
const (
	documentedConnect = 120 * time.Second
	documentedEndUser = time.Hour
	minConnectLength  = 8
	maxConnectLength  = 1 << 10
	maxEndUserLength  = 4 << 10 // 1,024 is documented
)

// connectForm is what a connect token is made of, 8 to 1,024 of it.
var connectForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// StartDevice asks for a new connect token: POST journey/device/start.
//
// A 400 is CodePlatformUnavailable and an error in the log. Instance and scope
// have been checked before, so it is a difference between us and the platform
// that concerns every handoff: a person is told to try again shortly, an
// operator can repair it, and no journey is called unknown that is not.
func (c *Client) StartDevice(ctx context.Context, instance handoff.InstanceID, scope []handoff.Scope) (handoff.ConnectToken, error) {
	if len(scope) == 0 {
		return handoff.ConnectToken{}, handoff.Errorf(handoff.CodeInvalid, "a device start needs a scope")
	}
	var out handoff.ConnectToken
	f := c.withAccess(ctx, call{
		name: "start", url: c.base + "/journey/device/start", limit: maxAnswer, again: freely,
		body: encode(struct {
			InstanceID handoff.InstanceID `json:"instanceId"`
			Scope      []handoff.Scope    `json:"scope"`
		}{instance, scope}),
		read: func(body []byte, at clocks) error {
			var in struct {
				Token     word    `json:"connectToken"`
				ExpiresIn seconds `json:"expiresIn"`
			}
			if json.Unmarshal(body, &in) != nil || !connectForm.MatchString(string(in.Token)) ||
				len(in.Token) < minConnectLength || len(in.Token) > maxConnectLength {
				return errors.New("no connect token in the answer")
			}
			out.Token = handoff.Secret(in.Token)
			out.ExpiresAt = at.sent.Add(in.ExpiresIn.or("", at.there, documentedConnect))
			return nil
		},
	})
	if f != nil {
		return handoff.ConnectToken{}, f.ofJourney()
	}
	return out, nil
}

// ofJourney is f for a call about an instance, made with our access token.
func (f *failure) ofJourney() *handoff.Error {
	if f.call != "token" && !f.foreign && (f.status == http.StatusForbidden || f.status == http.StatusNotFound) {
		return f.as(handoff.CodeUnknownJourney, "the identity platform knows no such journey")
	}
	return f.unavailable()
}

// ConnectDevice spends a connect token: POST journey/device/connect. It is sent
// once. When nothing reached the platform, or it turned the call away with 429,
// the token is as good as before and the code is CodePlatformUnavailable;
// whatever else cannot be read as success or refusal is CodeConnectLost.
func (c *Client) ConnectDevice(ctx context.Context, token handoff.Secret, device handoff.DeviceInfo) (handoff.EndUserToken, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Budget)
	defer cancel()
	type deviceInfo struct {
		ID   string `json:"deviceId"`
		Name string `json:"deviceName,omitempty"`
		Type string `json:"deviceType,omitempty"`
	}
	var out handoff.EndUserToken
	f := c.run(ctx, c.api, call{
		name: "connect", url: c.base + "/journey/device/connect", limit: maxAnswer, again: never,
		body: encode(struct {
			Token  string     `json:"connectToken"`
			Device deviceInfo `json:"deviceInfo"`
		}{token.Reveal(), deviceInfo(device)}),
		read: func(body []byte, at clocks) error {
			var in struct {
				Token               word            `json:"endUserToken"`
				ExpiresIn           seconds         `json:"expiresIn"`
				ResumeCredential    word            `json:"resumeCredential"`
				CredentialExpiresAt json.RawMessage `json:"credentialExpiresAt"`
				CredentialExpiresIn json.RawMessage `json:"credentialExpiresIn"`
			}
			if json.Unmarshal(body, &in) != nil || !isHeaderToken(string(in.Token), maxEndUserLength) {
				return errors.New("no end-user token in the answer")
			}
			out = handoff.EndUserToken{
				Token:               handoff.Secret(in.Token),
				ExpiresAt:           at.sent.Add(in.ExpiresIn.or(string(in.Token), at.there, documentedEndUser)),
				ResumeCredential:    handoff.Secret(in.ResumeCredential),
				CredentialExpiresAt: in.CredentialExpiresAt,
				CredentialExpiresIn: in.CredentialExpiresIn,
			}
			return nil
		},
	}, token)
	if f != nil {
		return handoff.EndUserToken{}, f.ofConnect()
	}
	return out, nil
}

// ofConnect is f for a connect. A 400 of v2 means a request that is not valid
// rather than a token that was used; it is called spent as well, for what
// follows, one connect with a new token, is bounded and harmless.
func (f *failure) ofConnect() *handoff.Error {
	switch {
	case !f.reached, f.limited():
		return f.unavailable()
	case f.unreadable, f.foreign:
	case f.status == http.StatusBadRequest, f.status == http.StatusUnauthorized:
		return f.as(handoff.CodeConnectSpent, "the connect token was used before, or has expired")
	case f.status == http.StatusForbidden:
		return f.as(handoff.CodeDeviceNotAllowed, "the scope excludes this class of device")
	case f.status == http.StatusNotFound:
		return f.as(handoff.CodeUnknownJourney, "the identity platform knows no such journey")
	}
	return f.as(handoff.CodeConnectLost, "the identity platform's answer to a connect was lost")
}

// encode returns v as JSON. Its callers pass structs of strings and of JSON that
// has been checked, for which it cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("platform: encoding %T: %v", v, err))
	}
	return b
}
