package phone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// Connect calls the platform's device/connect with a connect token, as an app
// with exchange: app does. It is never repeated: a connect token works once,
// and after a lost answer only a new code helps.
func (c *Client) Connect(ctx context.Context, a Answer) (Answer, error) {
	if !a.IsConnect() || a.PlatformURL == "" {
		return Answer{}, errors.New("there is no connect token, or no platform to take it to")
	}
	in := map[string]any{"connectToken": a.Token.Reveal(), "deviceInfo": c.device}
	var out struct {
		EndUserToken     handoff.Secret     `json:"endUserToken"`
		ExpiresIn        seconds            `json:"expiresIn"`
		InstanceID       handoff.InstanceID `json:"instanceId"`
		ResumeCredential json.RawMessage    `json:"resumeCredential"`
	}
	if err := c.post(ctx, a.PlatformURL+"/journey/device/connect", a.Token, in, &out); err != nil {
		return Answer{}, fmt.Errorf("connecting to the platform: %w", err)
	}
	if out.EndUserToken == "" {
		return Answer{}, errors.New("the platform's answer to device/connect holds no token")
	}
	a.Token, a.TokenType = out.EndUserToken, "end-user"
	a.ExpiresAt = c.now().Add(time.Duration(out.ExpiresIn) * time.Second)
	a.Resumable = len(out.ResumeCredential) > 0
	switch {
	case out.InstanceID != "":
		a.InstanceID = out.InstanceID
	case a.InstanceID == "": // a bare connect token of v1: no answer names the journey, but the token may
		named, _ := claims(a.Token)["instanceId"].(string)
		a.InstanceID = handoff.InstanceID(named)
	}
	return a, nil
}

// Finish completes the journey on the stand-in platform: first by the call that
// a journey's last step makes with the end-user token (task/update in v1,
// interaction/submit in v2), which proves the token, then by the stand-in's own
// control, since nothing is verified there. A real journey wants a document and
// a face, and has no such control: the error says so.
func (c *Client) Finish(ctx context.Context, a Answer) error {
	return c.settle(ctx, a, "Completed")
}

// Fail ends the journey as Finish does, as one that the person did not pass.
func (c *Client) Fail(ctx context.Context, a Answer) error {
	return c.settle(ctx, a, "Failed")
}

func (c *Client) settle(ctx context.Context, a Answer, status string) error {
	if a.IsConnect() {
		return errors.New("finishing takes an end-user token: connect first")
	}
	base, call := strings.TrimRight(a.PlatformURL, "/"), "/journey/interaction/submit"
	root, isV1 := strings.CutSuffix(base, "/captain/api")
	if isV1 {
		call = "/journey/task/update"
	} else {
		root, _ = strings.CutSuffix(base, "/v2/captain")
	}
	in := map[string]any{"instanceId": a.InstanceID}
	if err := c.post(ctx, base+call, a.Token, in, nil); err != nil {
		return fmt.Errorf("using the end-user token: %w", err)
	}
	in = map[string]any{"status": status}
	if err := c.post(ctx, root+"/_sim/journeys/"+url.PathEscape(string(a.InstanceID)), "", in, nil); err != nil {
		return fmt.Errorf("finishing the journey, which only the stand-in platform lets an app do: %w", err)
	}
	return nil
}

// seconds is a lifetime that v2 writes as a number and v1 as a string.
type seconds int

// UnmarshalJSON accepts both forms.
func (s *seconds) UnmarshalJSON(b []byte) error {
	n, err := strconv.Atoi(strings.Trim(string(b), `"`))
	if err != nil {
		return errors.New("a lifetime that is no number of seconds")
	}
	*s = seconds(n)
	return nil
}
