package platformsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// token serves the access token endpoint. Client credentials travel in the
// form, not in a header.
func (s *Sim) token(req *request) answer {
	form, err := url.ParseQuery(string(req.body))
	if err != nil || !strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return refuseToken(http.StatusBadRequest, "invalid_request")
	}
	if form.Get("client_id") == "" || form.Get("client_secret") != Secret {
		return refuseToken(http.StatusUnauthorized, "invalid_client")
	}
	switch form.Get("grant_type") {
	case "client_credentials":
		if form.Get("scope") != "gbg.token" {
			return refuseToken(http.StatusBadRequest, "invalid_scope")
		}
	case "password":
		if form.Get("username") == "" || form.Get("password") == "" {
			return refuseToken(http.StatusBadRequest, "invalid_grant")
		}
	default:
		return refuseToken(http.StatusBadRequest, "unsupported_grant_type")
	}
	life := s.access
	if req.realm {
		life = s.realm
	}
	token, now := newToken(), s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, until := range s.tokens {
		if !now.Before(until) {
			delete(s.tokens, old)
		}
	}
	s.tokens[token] = now.Add(life)
	return answer{status: http.StatusOK, body: object{
		"access_token": token, "token_type": "Bearer", "expires_in": int(life / time.Second),
	}}
}

// realmToken serves the token endpoint of a Keycloak realm, as non-production
// tenants have.
func (s *Sim) realmToken(req *request) answer {
	req.realm = true
	return s.token(req)
}

// refuseToken returns an error of RFC 6749, section 5.2.
func refuseToken(status int, code string) answer {
	return answer{status: status, body: object{"error": code}}
}

// hasAccess reports whether the call carries a live access token.
func (s *Sim) hasAccess(req *request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.tokens[bearer(req.Request)]
	return ok && s.now().Before(until)
}

// endUserClaims is what an end-user token says.
type endUserClaims struct {
	Issuer   string `json:"iss"`
	Session  string `json:"sessionId"`
	Instance string `json:"instanceId"`
	Org      string `json:"orgId"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// newEndUserToken returns a JWT (RFC 7519) under HS256, whose key nobody else
// has. The caller holds mu.
func (s *Sim) newEndUserToken(instance string) string {
	now := s.now()
	head := encodePart(object{"alg": "HS256", "typ": "JWT"})
	body := encodePart(endUserClaims{
		Issuer: "stand-in", Session: newToken(), Instance: instance, Org: "demo-organisation",
		IssuedAt: now.Unix(), Expires: now.Add(s.endUser).Unix(),
	})
	return head + "." + body + "." + sign(s.key, head+"."+body)
}

// endUserOf returns the claims of the call's end-user token, if it is one of ours
// and has not expired.
func (s *Sim) endUserOf(req *request) (endUserClaims, bool) {
	token := bearer(req.Request)
	dot := strings.LastIndexByte(token, '.')
	s.mu.Lock()
	key := s.key
	s.mu.Unlock()
	if dot < 0 || !hmac.Equal([]byte(sign(key, token[:dot])), []byte(token[dot+1:])) {
		return endUserClaims{}, false
	}
	_, body, _ := strings.Cut(token[:dot], ".")
	plain, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return endUserClaims{}, false
	}
	var c endUserClaims
	if err := json.Unmarshal(plain, &c); err != nil {
		return endUserClaims{}, false
	}
	return c, s.now().Before(time.Unix(c.Expires, 0))
}

func sign(key []byte, signed string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func encodePart(v any) string { return base64.RawURLEncoding.EncodeToString(encode(v)) }
