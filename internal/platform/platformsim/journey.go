package platformsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// Journey is where a journey is, in the platform's words.
type Journey struct {
	Status       string `json:"status"`       // InProgress, Paused, Completed, Failed, Error
	ResultStatus string `json:"resultStatus"` // pending, complete, error, timeout; empty: what goes with Status. v2 only
}

// SetJourney moves a journey. A journey that settles without ever saying
// Completed is {"InProgress", "complete"}.
func (s *Sim) SetJourney(instance string, j Journey) error {
	if !liveForm.MatchString(instance) {
		return noJourney(instance)
	}
	if j.Status == "" && j.ResultStatus != "" {
		j.Status = "InProgress" // it settles without a word of its status
	}
	results := []string{"pending", "complete", "error", "timeout"}
	switch j.Status {
	case "InProgress", "Paused":
		if j.ResultStatus == "" {
			j.ResultStatus = "pending"
		}
	case "Completed":
		if j.ResultStatus == "" {
			j.ResultStatus = "complete"
		}
	case "Failed", "Error":
		if j.ResultStatus == "" {
			j.ResultStatus = "error"
		}
	default:
		return fmt.Errorf("status %.40q is none of InProgress, Paused, Completed, Failed, Error", j.Status)
	}
	if !slices.Contains(results, j.ResultStatus) {
		return fmt.Errorf("resultStatus %.40q is none of %v", j.ResultStatus, results)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journeys[instance] = j
	return nil
}

func noJourney(instance string) error {
	return fmt.Errorf("instanceId %.70q is not one of a journey here: Pi and 14 to 62 of A-Z a-z 0-9 _ -", instance)
}

// startJourney serves POST journey/start.
func (s *Sim) startJourney(req *request) answer {
	if !s.hasAccess(req) {
		return unauthorized(req, "access token missing, unknown or expired")
	}
	var in struct {
		ResourceID string `json:"resourceId"`
		Context    struct {
			Config struct {
				Delivery string `json:"delivery"`
			} `json:"config"`
		} `json:"context"`
	}
	if err := json.Unmarshal(req.body, &in); err != nil {
		return invalid(req, "the body is not the JSON expected")
	}
	if in.ResourceID == "" {
		return invalid(req, "resourceId is required")
	}
	if d := in.Context.Config.Delivery; req.version == "v2" && d != "api" && d != "page" {
		return invalid(req, "context.config.delivery is api or page")
	}
	req.instance = "Pi" + newToken()[:22]
	return answer{status: created(req), body: object{"instanceId": req.instance}}
}

// state serves POST journey/state/fetch. What is not slim carries personal
// data, so a made-up subject stands in for it.
func (s *Sim) state(req *request) answer {
	if !s.hasAccess(req) {
		return unauthorized(req, "access token missing, unknown or expired")
	}
	var in struct {
		InstanceID string `json:"instanceId"`
	}
	if err := json.Unmarshal(req.body, &in); err != nil {
		return invalid(req, "the body is not the JSON expected")
	}
	req.instance = in.InstanceID
	if !instanceForm.MatchString(in.InstanceID) {
		return invalid(req, "instanceId is 16 to 64 of A-Z a-z 0-9 _ -")
	}
	if !liveForm.MatchString(in.InstanceID) {
		return unknown(req)
	}
	s.mu.Lock()
	j, ok := s.journeys[in.InstanceID]
	s.mu.Unlock()
	if !ok {
		j = Journey{Status: "InProgress", ResultStatus: "pending"}
	}
	out := object{"instanceId": in.InstanceID, "status": j.Status}
	if req.version == "v1" {
		if j.Status == "Error" {
			out["status"] = "Failed"
		}
	} else {
		out["result"] = object{"status": j.ResultStatus}
		switch j.Status {
		case "Failed":
			out["status"] = "Error"
		case "Paused":
			out["status"] = "InProgress"
		}
	}
	if req.version == "v1" || req.URL.Query().Get("view") != "slim" {
		out["context"] = object{"subject": object{"identity": object{"lastNames": []string{"stand-in-personal-data"}}}}
	}
	return answer{status: http.StatusOK, body: out}
}

// forEndUser serves what the app calls: it takes a live end-user token of the
// very instance that the body names, and nothing else.
func (s *Sim) forEndUser(req *request) answer {
	c, ok := s.endUserOf(req)
	if !ok {
		return unauthorized(req, "invalid end-user token")
	}
	req.instance = c.Instance
	var in struct {
		InstanceID string `json:"instanceId"`
	}
	if err := json.Unmarshal(req.body, &in); err != nil {
		return invalid(req, "the body is not the JSON expected")
	}
	if in.InstanceID != c.Instance {
		return refuse(req.version, http.StatusForbidden, "FORBIDDEN", "Body", "the end-user token is of another journey")
	}
	return answer{status: http.StatusOK, body: object{"instanceId": c.Instance, "status": "InProgress"}}
}

// health serves GET journey/health, for anybody.
func (s *Sim) health(*request) answer {
	return answer{status: http.StatusOK, body: object{"message": "OK"}}
}
