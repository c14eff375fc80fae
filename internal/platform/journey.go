package platform

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// StartJourney starts a journey: POST journey/start. Since each success makes
// another journey it is repeated only where the platform turned it away (401,
// 429). A 400 is about what the partner sent, so it is CodeInvalid; a 403 or 404
// is a resource that is not ours, CodeUnknownJourney. What was sent and is not
// clearly refused is CodeJourneyLost.
func (c *Client) StartJourney(ctx context.Context, j handoff.Journey) (handoff.InstanceID, error) {
	journeyContext, err := c.contextOf(j)
	if err != nil {
		return "", err
	}
	var out handoff.InstanceID
	f := c.withAccess(ctx, call{
		name: "journey", url: c.base + "/journey/start", limit: maxAnswer, again: ifLimited,
		body: encode(struct {
			ResourceID string                     `json:"resourceId"`
			Context    map[string]json.RawMessage `json:"context"`
		}{j.ResourceID, journeyContext}),
		read: func(body []byte, _ clocks) error {
			var in struct {
				InstanceID word `json:"instanceId"`
			}
			if json.Unmarshal(body, &in) != nil {
				return errors.New("no instance id in the answer")
			}
			out, err = handoff.ParseInstanceID(string(in.InstanceID))
			if err != nil {
				return errors.New("no instance id in the answer")
			}
			return nil
		},
	})
	switch {
	case f == nil:
		return out, nil
	case f.call != "token" && f.reached && (f.status < 300 || f.status > 499): // no refusal
		return "", f.as(handoff.CodeJourneyLost, "the identity platform's answer to a start was lost: a journey may have begun")
	case f.call != "token" && !f.foreign && f.status == http.StatusBadRequest:
		return "", f.as(handoff.CodeInvalid, "the identity platform refuses this journey: see its resourceId and context")
	}
	return "", f.ofJourney()
}

// contextOf is the context to send. v2 needs to be told how the journey is
// delivered: by the API, unless the partner says otherwise.
func (c *Client) contextOf(j handoff.Journey) (map[string]json.RawMessage, error) {
	if strings.TrimSpace(j.ResourceID) == "" {
		return nil, handoff.Errorf(handoff.CodeInvalid, "a journey needs its resourceId")
	}
	out, ok := objectOf(j.Context)
	if !ok {
		return nil, handoff.Errorf(handoff.CodeInvalid, "a journey's context is a JSON object")
	}
	if c.cfg.Version == V1 {
		return out, nil
	}
	config, ok := objectOf(out["config"])
	if !ok {
		return nil, handoff.Errorf(handoff.CodeInvalid, "a journey's context.config is a JSON object")
	}
	if _, ok := config["delivery"]; !ok {
		config["delivery"] = json.RawMessage(`"api"`)
	}
	out["config"] = encode(config)
	return out, nil
}

// objectOf returns the members of a JSON object; nothing and null have none.
func objectOf(raw json.RawMessage) (map[string]json.RawMessage, bool) {
	out := map[string]json.RawMessage{}
	if len(raw) == 0 || string(raw) == "null" {
		return out, true
	}
	if json.Unmarshal(raw, &out) != nil || out == nil {
		return nil, false
	}
	return out, true
}

// State tells how far a journey is: POST journey/state/fetch. It asks v2 for the
// slim view, and in either version reads nothing but the two words that matter.
func (c *Client) State(ctx context.Context, instance handoff.InstanceID) (handoff.JourneyState, error) {
	address := c.base + "/journey/state/fetch"
	if c.cfg.Version == V2 {
		address += "?view=slim"
	}
	var out handoff.JourneyState
	f := c.withAccess(ctx, call{
		name: "state", url: address, limit: maxState, again: freely,
		body: encode(struct {
			InstanceID handoff.InstanceID `json:"instanceId"`
		}{instance}),
		read: func(body []byte, _ clocks) error {
			var in struct {
				Status word            `json:"status"`
				Result json.RawMessage `json:"result"`
			}
			if json.Unmarshal(body, &in) != nil {
				return errors.New("no state in the answer")
			}
			var result struct {
				Status word `json:"status"`
			}
			if json.Unmarshal(in.Result, &result) != nil {
				result.Status = "" // a result of another shape says nothing
			}
			if in.Status == "" && result.Status == "" {
				return errors.New("no state in the answer")
			}
			out = stateOf(string(in.Status), string(result.Status))
			return nil
		},
	})
	if f != nil {
		return handoff.JourneyRunning, f.ofJourney()
	}
	return out, nil
}

// stateOf reads the words of v1 and of v2's slim view. Some journeys settle
// without their status ever saying so, so a result that is no longer pending
// settles them too; a failure named by either is one.
func stateOf(status, result string) handoff.JourneyState {
	status, result = strings.ToLower(status), strings.ToLower(result)
	for _, w := range []string{status, result} {
		switch w {
		case "failed", "error", "timeout":
			return handoff.JourneyFailed
		}
	}
	if status == "completed" || (result != "" && result != "pending") {
		return handoff.JourneyFinished
	}
	return handoff.JourneyRunning
}
