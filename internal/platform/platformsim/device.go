package platformsim

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// connectToken is what the platform remembers of one.
type connectToken struct {
	instance string
	scope    []string
	expires  time.Time
	used     bool
}

// instanceForm is the form the platform documents; liveForm those the stand-in knows.
var (
	instanceForm = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)
	liveForm     = regexp.MustCompile(`^Pi[A-Za-z0-9_-]{14,62}$`)
)

// startDevice serves POST journey/device/start. Each call makes a new connect
// token and leaves the older ones alone.
func (s *Sim) startDevice(req *request) answer {
	if !s.hasAccess(req) {
		return unauthorized(req, "access token missing, unknown or expired")
	}
	var in struct {
		InstanceID string   `json:"instanceId"`
		Scope      []string `json:"scope"`
	}
	if err := json.Unmarshal(req.body, &in); err != nil {
		return invalid(req, "the body is not the JSON expected: scope is an array")
	}
	req.instance = in.InstanceID
	if !instanceForm.MatchString(in.InstanceID) {
		return invalid(req, "instanceId is 16 to 64 of A-Z a-z 0-9 _ -")
	}
	if len(in.Scope) == 0 || slices.ContainsFunc(in.Scope, func(v string) bool {
		return !slices.Contains([]string{"mobile", "desktop", "any", "*"}, v)
	}) {
		return invalid(req, "scope is an array of mobile, desktop, any, *")
	}
	if !liveForm.MatchString(in.InstanceID) {
		return unknown(req)
	}
	token := newToken()
	s.mu.Lock()
	s.sweep()
	s.connects[token] = &connectToken{instance: in.InstanceID, scope: in.Scope, expires: s.now().Add(s.connect)}
	s.mu.Unlock()
	return answer{status: created(req), body: object{
		"connectToken": token, "tokenType": "connect", "expiresIn": expiresIn(req, s.connect), "scope": in.Scope,
	}}
}

// sweep forgets connect tokens that have been dead for long. The caller holds mu.
func (s *Sim) sweep() {
	now := s.now()
	if now.Sub(s.swept) < sweepEvery {
		return
	}
	s.swept = now
	for token, c := range s.connects {
		if now.Sub(c.expires) > keepUsed {
			delete(s.connects, token)
		}
	}
}

// expiresIn is a string of digits in v1 and a number in v2.
func expiresIn(req *request, d time.Duration) any {
	n := int(d / time.Second)
	if req.version == "v1" {
		return strconv.Itoa(n)
	}
	return n
}

// connectDevice serves POST journey/device/connect. The connect token travels
// twice, in the header and in the body, and works once.
func (s *Sim) connectDevice(req *request) answer {
	var in struct {
		ConnectToken string `json:"connectToken"`
		DeviceInfo   struct {
			DeviceID   string `json:"deviceId"`
			DeviceName string `json:"deviceName"`
			DeviceType string `json:"deviceType"`
		} `json:"deviceInfo"`
	}
	parsed := json.Unmarshal(req.body, &in)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.connects[bearer(req.Request)]
	if c == nil {
		return unauthorized(req, "invalid connect token")
	}
	req.instance = c.instance
	if parsed != nil {
		return invalid(req, "the body is not the JSON expected")
	}
	if in.ConnectToken != bearer(req.Request) {
		return unauthorized(req, "the connect tokens of header and body differ")
	}
	if c.used {
		if req.version == "v1" {
			return invalid(req, "connect token already used")
		}
		return unauthorized(req, "invalid connect token")
	}
	if !s.now().Before(c.expires) {
		return unauthorized(req, "connect token expired")
	}
	if n := utf8.RuneCountInString(in.DeviceInfo.DeviceID); n < 16 || n > 64 {
		return invalid(req, "deviceInfo.deviceId is 16 to 64 characters")
	}
	if !allows(c.scope, in.DeviceInfo.DeviceType) {
		return refuse(req.version, http.StatusForbidden, "DEVICE_NOT_ALLOWED", "Body", "device type not allowed by the scope")
	}
	c.used = true
	return s.connected(req, c.instance)
}

// connected is the answer of a good connect. The caller holds mu.
func (s *Sim) connected(req *request, instance string) answer {
	out := object{
		"endUserToken": s.newEndUserToken(instance), "tokenType": "end-user", "expiresIn": int(s.endUser / time.Second),
	}
	if req.version == "v2" {
		out["instanceId"] = instance
		out["resumeCredential"] = newToken()
		out["credentialExpiresAt"] = s.now().Add(s.endUser).UTC().Format(time.RFC3339)
		out["credentialExpiresIn"] = int(s.endUser / time.Second)
	}
	return answer{status: created(req), body: out}
}

// allows reports whether scope lets a device of this type connect. One that
// does not say what it is may.
func allows(scope []string, deviceType string) bool {
	return deviceType == "" || slices.ContainsFunc(scope, func(v string) bool {
		return v == "any" || v == "*" || v == deviceType
	})
}

// validate serves POST journey/device/validate, for an app that wants to know
// whether its end-user token is still good.
func (s *Sim) validate(req *request) answer {
	c, ok := s.endUserOf(req)
	if !ok {
		return unauthorized(req, "invalid end-user token")
	}
	req.instance = c.Instance
	return answer{status: http.StatusOK, body: object{
		"valid": true, "sessionId": c.Session, "instanceId": c.Instance, "orgId": c.Org,
		"expiresAt": time.Unix(c.Expires, 0).UTC().Format(time.RFC3339),
	}}
}
