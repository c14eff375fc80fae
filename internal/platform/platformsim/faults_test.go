package platformsim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/handoff-portal/handoff/internal/platform/platformsim"
)

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		fault   string
		status  int // 0: the connection closes
		text    string
		retry   string
		effect  bool // the connect token is used up
		journal int
	}{
		{`{"call":"connect","kind":"status","status":503,"retryAfter":2}`, 503, `"errors"`, "2", false, 503},
		{`{"call":"connect","kind":"status","status":401,"count":1}`, 401, `"errors"`, "", false, 401},
		{`{"call":"connect","kind":"html"}`, 502, "<html>", "", false, 502},
		{`{"call":"connect","kind":"html","status":200}`, 200, "<html>", "", false, 200},
		{`{"call":"connect","kind":"in_band"}`, 200, `"status":"error"`, "", false, 200},
		{`{"call":"connect","kind":"in_band","status":200}`, 200, `"code":500`, "", false, 200},
		{`{"call":"connect","kind":"in_band","status":404}`, 200, `"code":404`, "", false, 200},
		{`{"call":"connect","kind":"drop_before"}`, 0, "", "", false, 0},
		{`{"call":"connect","kind":"drop_after"}`, 0, "", "", true, 201},
		{`{"call":"connect","kind":"malformed"}`, 201, `{"`, "", true, 201},
		{`{"call":"connect","kind":"delay","delayMs":1}`, 201, "endUserToken", "", true, 201},
	} {
		r := newRig(t)
		token := r.connectToken("v2", `"mobile"`)
		if g := r.call("POST", "/_sim/faults", "", tt.fault); g.status != 204 {
			t.Errorf("POST /_sim/faults %s = %d %s, want 204", tt.fault, g.status, g.text)
			continue
		}
		g, err := r.try("POST", "/v2/captain/journey/device/connect", token,
			`{"connectToken":"`+token+`","deviceInfo":{"deviceId":"0123456789abcdef","deviceType":"mobile"}}`)
		if (err != nil) != (tt.status == 0) || g.status != tt.status || !strings.Contains(g.text, tt.text) {
			t.Errorf("%s: connect = %d %q, %v; want %d with %q", tt.fault, g.status, g.text, err, tt.status, tt.text)
		}
		if err == nil && (g.header.Get("Retry-After") != tt.retry || g.header.Get("X-Request-Id") == "") {
			t.Errorf("%s: headers = %v, want Retry-After %q and a request id", tt.fault, g.header, tt.retry)
		}
		if last := r.Calls()[len(r.Calls())-1]; last.Status != tt.journal || last.InstanceID != instance {
			t.Errorf("%s: recorded as %+v, want status %d of %s", tt.fault, last, tt.journal, instance)
		}
		want := 201
		if tt.effect {
			want = 401
		}
		if g := r.connect("v2", token, "mobile"); g.status != want {
			t.Errorf("%s: next connect = %d, want %d", tt.fault, g.status, want)
		}
	}
}

func TestFaultsCount(t *testing.T) {
	r := newRig(t)
	access := r.access()
	for _, f := range []platformsim.Fault{
		{Call: "start", Kind: "status", Status: 500, Count: 2},
		{Call: "connect", Kind: "status", Status: 500},
		{Call: "start", Kind: "status", Status: 429},
	} {
		if err := r.Fault(f); err != nil {
			t.Fatalf("Fault(%+v) = %v", f, err)
		}
	}
	for i, want := range []int{500, 500, 429, 201} {
		if g := r.start("v2", access, `{"instanceId":"`+instance+`","scope":["mobile"]}`); g.status != want {
			t.Errorf("start %d = %d, want %d", i, g.status, want)
		}
	}
}

func TestControlRefusals(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		method, path, body, explains string
		want                         int
	}{
		{"POST", "/_sim/faults", `{"call":"stop","kind":"status","status":503}`, "call", 400},
		{"POST", "/_sim/faults", `{"call":"start","kind":"explode"}`, "kind", 400},
		{"POST", "/_sim/faults", `{"call":"start","kind":"status"}`, "status", 400},
		{"POST", "/_sim/faults", `{"call":"start","kind":"status","status":200}`, "status", 400},
		{"POST", "/_sim/faults", `{"call":"start","kind":"delay"}`, "delayMs", 400},
		{"POST", "/_sim/faults", `{"call":"start","kind":"drop_before","count":-1}`, "count", 400},
		{"POST", "/_sim/faults", `{"call":"start","kind":"status","status":429,"retryAfter":-1}`, "retryAfter", 400},
		{"POST", "/_sim/faults", `{"call":"start","kind":"status","stauts":503}`, "stauts", 400},
		{"POST", "/_sim/faults", `{"call":`, "JSON", 400},
		{"POST", "/_sim/faults", `{"call":"start","kind":"drop_after"}{}`, "more", 400},
		{"POST", "/_sim/journeys/XxIuACmx8Q8R7qPnAkLAqBAT", `{"status":"Completed"}`, "instanceId", 404},
		{"POST", "/_sim/journeys/" + instance, `{"status":"Done"}`, "status", 400},
		{"POST", "/_sim/journeys/" + instance, `{"status":"Completed","resultStatus":"fine"}`, "resultStatus", 400},
		{"GET", "/_sim/nothing", ``, "/_sim/calls", 404},
	} {
		g := r.call(tt.method, tt.path, "", tt.body)
		if g.status != tt.want || !strings.Contains(g.str("error"), tt.explains) {
			t.Errorf("%s %s %s = %d %s, want %d that names %q", tt.method, tt.path, tt.body, g.status, g.text, tt.want, tt.explains)
		}
	}
}

func TestCallsShowNoToken(t *testing.T) {
	r := newRig(t)
	access := r.access()
	token := r.connectToken("v1", `"mobile"`)
	endUser := r.connect("v1", token, "mobile").str("endUserToken")
	g := r.call("GET", "/_sim/calls", "", "")
	var in struct {
		Calls []struct {
			Call, Version, InstanceID string
			Status                    int
			At                        time.Time
		}
	}
	if err := json.Unmarshal([]byte(g.text), &in); err != nil || len(in.Calls) != 4 {
		t.Fatalf("GET /_sim/calls = %s, want four calls (%v)", g.text, err)
	}
	if c := in.Calls[3]; c.Call != "connect" || c.Version != "v1" || c.InstanceID != instance || c.Status != 200 || c.At.IsZero() {
		t.Errorf("fourth call = %+v, want a v1 connect of %s", c, instance)
	}
	for _, secret := range []string{access, token, endUser} {
		if strings.Contains(g.text, secret) {
			t.Errorf("GET /_sim/calls shows a token: %s", g.text)
		}
	}
}
