package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

// The headers of Standard Webhooks 1.0.0.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// secretPrefix marks a symmetric secret; what follows is base64.
const secretPrefix = "whsec_"

// key is a secret's bytes, which sign.
type key []byte

// parseSecret returns the bytes of "whsec_" and base64, in either alphabet,
// padded or not: 24 to 64 of them.
func parseSecret(s handoff.Secret) (key, error) {
	text, ok := strings.CutPrefix(s.Reveal(), secretPrefix)
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "=")
	b, err := base64.RawStdEncoding.DecodeString(text)
	if !ok || err != nil || len(b) < 24 || len(b) > 64 {
		return nil, errors.New("a webhook secret is whsec_ and base64 of 24 to 64 bytes")
	}
	return b, nil
}

// signature returns the header's value: one signature for each key, so that a
// receiver that knows any of them can verify.
func signature(keys []key, id string, at time.Time, body []byte) string {
	all := make([]string, len(keys))
	for i, k := range keys {
		mac := hmac.New(sha256.New, k)
		mac.Write([]byte(id + "." + unix(at) + "."))
		mac.Write(body)
		all[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(all, " ")
}

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
