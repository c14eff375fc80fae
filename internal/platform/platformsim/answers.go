package platformsim

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
)

// object is a JSON object of an answer.
type object map[string]any

// refuse returns an error in the shape of its version: v1 speaks of status,
// message and error, v2 of a list whose codes are strings. OAuth errors have a
// shape of their own, see refuseToken.
func refuse(version string, status int, name, location, problem string) answer {
	if version == "v1" {
		return answer{status: status, body: object{"status": status, "message": problem, "error": http.StatusText(status)}}
	}
	return answer{status: status, body: object{"errors": []object{{
		"code": strconv.Itoa(status*10 + 2), "name": name, "location": location, "problem": problem,
		"action": "Correct the request and send it again.",
	}}}}
}

func invalid(req *request, problem string) answer {
	return refuse(req.version, http.StatusBadRequest, "INVALID_FIELD", "Body", problem)
}

func unauthorized(req *request, problem string) answer {
	return refuse(req.version, http.StatusUnauthorized, "UNAUTHORIZED", "Header", problem)
}

func unknown(req *request) answer {
	return refuse(req.version, http.StatusNotFound, "NOT_FOUND", "Body", "journey instance not found")
}

// created is the status of success for calls that make something: 200 in v1, 201 in v2.
func created(req *request) int {
	if req.version == "v1" {
		return http.StatusOK
	}
	return http.StatusCreated
}

func versionOf(path string) string {
	if strings.HasPrefix(path, "/captain/api") {
		return "v1"
	}
	return "v2"
}

// bearer is the credential of the Authorization header, or empty.
func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// newToken returns 24 random bytes in 32 URL-safe characters, as the platform's
// connect tokens have.
func newToken() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func newRequestID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func itoa(n int) string { return strconv.Itoa(n) }
