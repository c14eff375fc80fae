package handoff_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/handoff"
)

const canary = "canary-7f3a9c"

// holder is a struct as ours are: a secret among other exported fields.
type holder struct {
	Name    string
	Token   handoff.Secret
	Pointer *handoff.Secret
	Many    []handoff.Secret
	ByName  map[string]handoff.Secret
	Any     any
	Deeper  struct{ Token handoff.Secret }
}

// secretsIn are values with the canary in them.
func secretsIn() map[string]any {
	s := handoff.Secret(canary)
	h := holder{Name: "n", Token: s, Pointer: &s, Many: []handoff.Secret{s}, ByName: map[string]handoff.Secret{"k": s}, Any: s}
	h.Deeper.Token = s
	return map[string]any{
		"a Secret": s, "a pointer": &s, "a slice": []handoff.Secret{s}, "a map": map[string]handoff.Secret{"k": s},
		"a struct": h, "a pointer to a struct": &h,
		"a token answer":  handoff.TokenAnswer{Token: s, ReportKey: s, ResumeCredential: s, ExpiresAt: time.Unix(0, 0)},
		"a connect token": handoff.ConnectToken{Token: s}, "an end-user token": handoff.EndUserToken{Token: s, ResumeCredential: s},
		"a tap": handoff.Tap{Code: s, Attempt: s, Visitor: handoff.Visitor{Owner: s}}, "an app's tap": handoff.AppTap{Code: s},
		"a landing": handoff.Landing{Mine: s}, "a phone's page": handoff.Phone{Pickup: s}, "an app's claim": handoff.AppClaim{ClaimID: s},
	}
}

// bare reports whether the canary can be read in text, in any of the spellings
// that fmt and the encoders know.
func bare(text string) bool {
	low := strings.ToLower(text)
	var decimal []string
	for _, b := range []byte(canary) {
		decimal = append(decimal, strconv.Itoa(int(b)))
	}
	for _, spelling := range []string{
		canary, fmt.Sprintf("%x", canary), fmt.Sprintf("% x", canary), strings.Join(decimal, " "), strings.Join(decimal, ", "), strings.Join(decimal, ","),
	} {
		if strings.Contains(low, spelling) {
			return true
		}
	}
	return false
}

func TestSecretIsNotPrinted(t *testing.T) {
	for name, v := range secretsIn() {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%10.3s", "%t", "%T %v"} {
			args := []any{v}
			if verb == "%T %v" {
				args = []any{v, v}
			}
			if got := fmt.Sprintf(verb, args...); bare(got) {
				t.Errorf("Sprintf(%q, %s) = %s", verb, name, got)
			}
		}
		if got := fmt.Sprint(v) + fmt.Sprintln(v); bare(got) {
			t.Errorf("Sprint(%s) = %s", name, got)
		}
		if got := fmt.Errorf("reading %v: %w", v, handoff.Errorf(handoff.CodeInvalid, "%v", v)).Error(); bare(got) {
			t.Errorf("Errorf(%s) = %s", name, got)
		}
		if b, err := json.Marshal(v); err == nil && bare(string(b)) {
			t.Errorf("json.Marshal(%s) = %s", name, b)
		}
		if b, err := xml.Marshal(v); err == nil && bare(string(b)) {
			t.Errorf("xml.Marshal(%s) = %s", name, b)
		}
		var logs bytes.Buffer
		options := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
		for _, h := range []slog.Handler{slog.NewTextHandler(&logs, options), slog.NewJSONHandler(&logs, options), slog.NewTextHandler(t.Output(), nil)} {
			log := slog.New(h)
			log.Info("message", "value", v, slog.Group("group", "value", v), "list", []any{v})
			log.With("value", v).WithGroup("group").Error("message", slog.Any("error", handoff.Errorf(handoff.CodeInvalid, "%v", v)))
		}
		if bare(logs.String()) {
			t.Errorf("slog(%s) = %s", name, logs.String())
		}
	}
	if got := handoff.Secret(canary).Reveal(); got != canary {
		t.Errorf("Reveal() = %q, want %q", got, canary)
	}
}

func TestErrorText(t *testing.T) {
	e := &handoff.Error{Code: handoff.CodePlatformUnavailable, Detail: "not answering", UpstreamID: "req-1", Err: fmt.Errorf("reading: %w", bytes.ErrTooLarge)}
	if got, want := e.Error(), "platform_unavailable: not answering (upstream request req-1): reading: bytes.Buffer: too large"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	for _, tt := range []struct {
		err  error
		want handoff.Code
	}{
		{nil, handoff.CodeInternal},
		{bytes.ErrTooLarge, handoff.CodeInternal},
		{e, handoff.CodePlatformUnavailable},
		{fmt.Errorf("storing: %w", e), handoff.CodePlatformUnavailable},
	} {
		if got := handoff.CodeOf(tt.err); got != tt.want {
			t.Errorf("CodeOf(%v) = %s, want %s", tt.err, got, tt.want)
		}
	}
}
