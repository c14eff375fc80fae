package reqctx_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/handoff-portal/handoff/internal/reqctx"
)

func TestHandlerPrintsTheRequestIDAtTheTop(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(reqctx.NewHandler(slog.NewJSONHandler(&out, nil))).With("app", "x").WithGroup("g").With("in", 1)
	log.InfoContext(reqctx.With(t.Context(), "r1"), "hello", "k", "v")
	var line struct {
		RequestID string         `json:"request_id"`
		App       string         `json:"app"`
		G         map[string]any `json:"g"`
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("log line %s: %v", out.Bytes(), err)
	}
	if line.RequestID != "r1" || line.App != "x" || line.G["k"] != "v" || line.G["in"] != 1.0 {
		t.Errorf("log line = %s, want request_id r1, app x and g {in 1, k v}", out.Bytes())
	}
	out.Reset()
	log.InfoContext(t.Context(), "hello")
	if bytes.Contains(out.Bytes(), []byte("request_id")) {
		t.Errorf("log line without a request = %s, want no request_id", out.Bytes())
	}
}
