package doctor

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// keyLife is how long a key is good, and how far ahead one may come from: so far
// may two clocks be apart and the difference still be examined.
const keyLife = 10 * time.Minute

func keyLabel() handoff.Label { return handoff.Label{Purpose: "doctor"} }

// NewKey returns a key that the portal answers the doctor by. parent is the
// origin whose frame the answer is to allow, or empty.
func NewKey(v handoff.Vault, parent string, now time.Time) string {
	return v.Sign(keyLabel(), strconv.FormatInt(now.Unix(), 10)+"-"+base64.RawURLEncoding.EncodeToString([]byte(parent)))
}

// ReadKey returns the origin in a key, if it is one, and good now.
func ReadKey(v handoff.Vault, key string, now time.Time) (parent string, ok bool) {
	value, ok := v.Verify(keyLabel(), key)
	if !ok {
		return "", false
	}
	made, coded, _ := strings.Cut(value, "-")
	seconds, err := strconv.ParseInt(made, 10, 64)
	if age := now.Sub(time.Unix(seconds, 0)); err != nil || age > keyLife || age < -keyLife {
		return "", false
	}
	origin, err := base64.RawURLEncoding.DecodeString(coded)
	return string(origin), err == nil
}
