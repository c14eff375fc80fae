package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/handoff-portal/handoff/internal/attest"
	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/keyring"
	"github.com/handoff-portal/handoff/internal/webhook"
)

// record is what a verified record says.
type record struct {
	Iss, Handoff, Partner, InstanceID, Reference, Status string
	Iat                                                  int64
	Seq                                                  int
	Observed                                             observed
	Stated                                               struct{ DeviceClass, OS string }
}

type observed struct {
	Route, Confirmed                                                     *string
	CreatedAt, DisplayedAt, ClaimedAt, ConfirmedAt, DeliveredAt, EndedAt *time.Time
	SameNetwork                                                          *bool
}

// how is what was observed besides the times.
func (o observed) how() observed {
	return observed{Route: o.Route, Confirmed: o.Confirmed, SameNetwork: o.SameNetwork}
}

// recordKeys are the keys that the portal publishes.
func (w *world) recordKeys() jose.JSONWebKeySet {
	w.t.Helper()
	var set jose.JSONWebKeySet
	w.raw(http.MethodGet, "/v1/jwks.json", "", func(r *http.Request) { r.Header.Del("Authorization") }).json(w.t, &set)
	for _, k := range set.Keys {
		if !k.Valid() || !k.IsPublic() {
			w.t.Fatalf("the key %q of /v1/jwks.json is not a good public one", k.KeyID)
		}
	}
	return set
}

// verify is what a partner does with a record, by a published library.
func verify(set jose.JSONWebKeySet, jws string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return nil, err
	}
	if got := signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]; got != attest.Type {
		return nil, fmt.Errorf("typ = %v, want %s", got, attest.Type)
	}
	return signed.Verify(set)
}

// record verifies a record and holds it against its description.
func (w *world) record(jws *string) record {
	w.t.Helper()
	if jws == nil {
		w.t.Fatal("there is no record")
	}
	payload, err := verify(w.recordKeys(), *jws)
	if err != nil {
		w.t.Fatalf("verifying %s: %v", *jws, err)
	}
	described(w.t, "/components/schemas/RecordPayload", payload)
	var r record
	if err := json.Unmarshal(payload, &r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// described holds JSON against a schema of the description.
func described(t testing.TB, pointer string, body []byte) {
	t.Helper()
	e, err := theExaminer()
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = e.judge(pointer, value)
	}
	if err != nil {
		t.Errorf("%s is not as described: %v", body, err)
	}
}

// TestRecord follows the record from before the first claim to the end.
func TestRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asked(handoff.ConfirmAlways))
	s := w.begin(map[string]any{"reference": "order 1234"})
	s.open()
	s.scan()
	if h := w.get(s.made.ID); s.made.Record != nil || h.Record != nil {
		t.Errorf("the record before a claim = %v, %v, want null", s.made.Record, h.Record)
	}
	s.tap()
	claimed := w.record(w.get(s.made.ID).Record)
	if o := claimed.Observed; o.ClaimedAt == nil || o.ConfirmedAt != nil || o.DeliveredAt != nil || o.EndedAt != nil || o.Confirmed != nil {
		t.Errorf("when claimed, observed = %+v, want it claimed and no more", o)
	}
	s.enter(s.digits())
	s.own = s.phone.get(s.own.url.String())
	s.toApp()
	s.toEnd()
	h := w.get(s.made.ID)
	if again := w.get(s.made.ID); *again.Record != *h.Record {
		t.Errorf("the same state has two records: %s and %s", *h.Record, *again.Record)
	}
	r := w.record(h.Record)
	o := r.Observed
	last := h.Events[len(h.Events)-1].Seq
	if r.Iss != w.public || r.Handoff != h.ID || r.Partner != "acme" || r.InstanceID != h.InstanceID || r.Reference != "order 1234" ||
		r.Status != "completed" || r.Seq != last || r.Stated.DeviceClass != "mobile" || r.Stated.OS != "iOS" {
		t.Errorf("record = %+v, want that of %+v", r, h)
	}
	if diff := cmp.Diff(observed{Route: new("qr"), Confirmed: new("number")}, o.how()); diff != "" {
		t.Errorf("observed differs (-want +got):\n%s", diff)
	}
	times := []*time.Time{o.CreatedAt, o.DisplayedAt, o.ClaimedAt, o.ConfirmedAt, o.DeliveredAt, o.EndedAt}
	for i, at := range times {
		if at == nil || (i > 0 && at.Before(*times[i-1])) {
			t.Fatalf("times = %v, want six in order", times)
		}
	}
	if r.Iat != o.EndedAt.Unix() {
		t.Errorf("iat = %d, want the end, %d", r.Iat, o.EndedAt.Unix())
	}

	// One changed byte, anywhere, and nobody believes it. At the end of a part base64
	// leaves bits unused, so that another one is changed there.
	keys := w.recordKeys()
	for i := range *h.Record {
		b := []byte(*h.Record)
		if b[i] != 'A' {
			b[i] = 'A'
		} else {
			b[i] = 'g'
		}
		if _, err := verify(keys, string(b)); err == nil {
			t.Errorf("the record with byte %d changed is verified: %s", i, b)
		}
	}
}

// TestRecordAfterARelease: what was undone is not told as if it held.
func TestRecordAfterARelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.connected()
	if r := w.record(w.get(s.made.ID).Record); r.Observed.ConfirmedAt == nil || *r.Observed.Confirmed != "scan" {
		t.Fatalf("when connected, observed = %+v, want it confirmed by a scan", r.Observed)
	}
	s.desk.post(s.made.DisplayURL+"/release", nil)
	r := w.record(w.get(s.made.ID).Record)
	o := r.Observed
	if o.Route != nil || o.ClaimedAt != nil || o.ConfirmedAt != nil || o.Confirmed != nil || o.DisplayedAt == nil || r.Stated.OS != "" {
		t.Errorf("after a release, record = %+v, want no claim in it", r)
	}
	s.phone = w.person(android)
	s.scan()
	s.tap()
	s.toApp()
	if r := w.record(w.get(s.made.ID).Record); r.Stated.OS != "Android" || r.Observed.ConfirmedAt.Before(*r.Observed.ClaimedAt) || r.Observed.DeliveredAt == nil {
		t.Errorf("after another claim, record = %+v, want that claim's", r)
	}
}

// TestRecordRotation: a kept record is verified as long as its server key is
// configured; what is asked for anew is signed by the newest.
func TestRecordRotation(t *testing.T) {
	t.Parallel()
	old, fresh := handoff.Secret(keyring.Generate()), handoff.Secret(keyring.Generate())
	with := func(after *world, keys ...handoff.Secret) *world {
		if after != nil {
			after.stop()
		}
		return newWorld(t, func(s *setting) { s.bolt, s.after, s.keys = true, after, keys })
	}
	w := with(nil, old)
	id := w.connected().made.ID
	kept := w.get(id).Record
	w = with(w, fresh, old)
	w.record(kept)
	again := w.get(id).Record
	w.record(again)
	w = with(w, fresh)
	w.record(again)
	if _, err := verify(w.recordKeys(), *kept); err == nil || *kept == *again {
		t.Errorf("without its server key the record is verified, or was the same with both: %s", *kept)
	}
}

// TestRecordNetwork: whether both came from one network, as the configured proxies
// say, and nothing where that cannot be told.
func TestRecordNetwork(t *testing.T) {
	t.Parallel()
	yes, no := new(true), new(false)
	proxied := func(s *setting) { s.proxies = local() }
	for _, tt := range []struct {
		name, desk, phone string
		change            func(*setting)
		want              *bool
	}{
		{"one address", "198.51.100.7", "198.51.100.7", proxied, yes},
		{"a neighbour", "198.51.100.7", "198.51.100.8", proxied, no},
		{"one address, written otherwise", "198.51.100.7", "::ffff:198.51.100.7", proxied, yes},
		{"one /64", "2001:db8:1:2::7", "2001:db8:1:2:ffff::8", proxied, yes},
		{"another /64", "2001:db8:1:2::7", "2001:db8:1:3::7", proxied, no},
		{"two kinds", "198.51.100.7", "2001:db8:1:2::7", proxied, nil},
		{"a private one", "192.168.1.7", "192.168.1.7", proxied, nil},
		{"a carrier's own", "100.64.0.7", "100.64.0.7", proxied, nil},
		{"link-local", "fe80::7", "fe80::7", proxied, nil},
		{"unspecified", "0.0.0.0", "0.0.0.0", proxied, nil},
		{"the desktop's not known", "", "198.51.100.7", proxied, nil},
		{"the phone's not known", "198.51.100.7", "", proxied, nil},
		{"the phone writes the desktop's", "198.51.100.7", "198.51.100.7, 203.0.113.9", proxied, no},
		{"nobody's proxy", "198.51.100.7", "198.51.100.7", func(*setting) {}, nil},
		{"a proxy elsewhere", "198.51.100.7", "198.51.100.7", func(s *setting) {
			s.proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.change)
			s := w.begin()
			for p, from := range map[*person]string{s.desk: tt.desk, s.phone: tt.phone} {
				if from != "" {
					p.header.Set("X-Forwarded-For", from)
				}
			}
			s.open()
			s.desk.header.Set("X-Forwarded-For", "203.0.113.200") // the first display counts
			s.open()
			s.scan()
			s.tap()
			if got := w.record(w.get(s.made.ID).Record).Observed.SameNetwork; cmp.Diff(tt.want, got) != "" {
				t.Errorf("sameNetwork differs (-want +got):\n%s", cmp.Diff(tt.want, got))
			}
			b, err := json.Marshal(s.stored())
			if err != nil {
				t.Fatal(err)
			}
			for _, address := range []string{"198.51.100", "2001:db8"} {
				if bytes.Contains(b, []byte(address)) {
					t.Errorf("an address is kept: %s", b)
				}
			}
		})
	}
}

// TestRecordNetworkWithoutItsKey: once the server key of the display is gone, its
// network is not known, rather than another one.
func TestRecordNetworkWithoutItsKey(t *testing.T) {
	t.Parallel()
	for _, kept := range []bool{true, false} {
		old, fresh := handoff.Secret(keyring.Generate()), handoff.Secret(keyring.Generate())
		w := newWorld(t, func(s *setting) { s.bolt, s.proxies, s.keys = true, local(), []handoff.Secret{old} })
		s := w.begin()
		s.desk.header.Set("X-Forwarded-For", "198.51.100.7")
		s.phone.header.Set("X-Forwarded-For", "198.51.100.7")
		s.open()
		link := s.live(handoff.RoutePartner)
		w.stop()
		keys, want := []handoff.Secret{fresh}, handoff.NearUnknown
		if kept {
			keys, want = append(keys, old), handoff.NearSame
		}
		w = newWorld(t, func(s *setting) { s.bolt, s.proxies, s.after, s.keys = true, local(), w, keys })
		s.world = w
		s.landing = s.phone.get(link)
		s.phone.press(s.landing, "continue")
		h, err := w.handoff.Refresh(t.Context(), handoff.ID(s.made.ID))
		if err != nil || h.Claim == nil {
			t.Fatalf("key kept: %t: the claim = %v, %v, want one", kept, h.Claim, err)
		}
		if h.Claim.Near != want {
			t.Errorf("key kept: %t: nearness = %q, want %q", kept, h.Claim.Near, want)
		}
	}
}

// TestRecordIsNotForAPhoneToWrite: whatever a claim says of itself in headers, form
// fields and device information, what was observed is the same.
func TestRecordIsNotForAPhoneToWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setting) { s.proxies = local() })
	lies := url.Values{
		"route": {"local"}, "confirmed": {"number"}, "sameNetwork": {"true"}, "record": {"x"}, "claimedAt": {"2020-01-01T00:00:00Z"}, "observed": {`{"route":"local"}`},
	}
	began := func() *story {
		s := w.begin()
		s.desk.header.Set("X-Forwarded-For", "198.51.100.7")
		s.phone.header.Set("X-Forwarded-For", "203.0.113.9")
		s.open()
		return s
	}
	want := observed{Route: new("qr"), Confirmed: new("scan"), SameNetwork: new(false)}
	check := func(what string, s *story, from time.Time) {
		t.Helper()
		o := w.record(w.get(s.made.ID).Record).Observed
		if diff := cmp.Diff(want, o.how()); diff != "" {
			t.Errorf("%s: observed differs (-want +got):\n%s", what, diff)
		}
		if o.ClaimedAt == nil || o.ClaimedAt.Before(from.Truncate(time.Millisecond)) || o.ClaimedAt.After(w.clock.now()) {
			t.Errorf("%s: claimedAt = %v, want the time of the claim", what, o.ClaimedAt)
		}
	}

	honest, from := began(), w.clock.now()
	honest.scan()
	honest.tap()
	check("an honest phone", honest, from)

	liar, from := began(), w.clock.now()
	for name, value := range map[string]string{
		"X-Forwarded-For": "198.51.100.7, 203.0.113.9", "X-Real-Ip": "198.51.100.7", "Forwarded": "for=198.51.100.7", "X-Client-Ip": "198.51.100.7",
		"Cf-Connecting-Ip": "198.51.100.7", "Date": "Wed, 01 Jan 2020 00:00:00 GMT", "X-Route": "local", "X-Confirmed": "number", "X-Same-Network": "true",
	} {
		liar.phone.header.Set(name, value)
	}
	landing := liar.phone.get(liar.code() + "?" + lies.Encode())
	form := url.Values{}
	for _, name := range []string{"attempt", "opened"} {
		form.Set(name, landing.page(t).Find(`form[data-testid="continue"] input[name="`+name+`"]`).AttrOr("value", ""))
	}
	maps.Copy(form, lies)
	action := landing.page(t).Find(`form[data-testid="continue"]`).AttrOr("action", "")
	target, err := landing.url.Parse(action)
	if err != nil {
		t.Fatal(err)
	}
	liar.phone.post(target.String(), form).wantPage(t, http.StatusOK, "ready")
	check("a phone that lies", liar, from)

	app, from := began(), w.clock.now()
	_, challenge := pkce()
	claim := func(more string) answer {
		body := `{"code":"` + app.code() + `","codeChallenge":"` + challenge + `","deviceInfo":{"deviceId":"0123456789abcdef01","deviceType":"mobile"` + more
		return w.raw(http.MethodPost, "/v1/claims", body, func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("X-Forwarded-For", "198.51.100.7, 203.0.113.9")
			r.Header.Set("User-Agent", iPhone)
		})
	}
	claim(`,"sameNetwork":true}}`).wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
	claim(`},"route":"local","confirmed":"number"}`).wantProblem(t, http.StatusBadRequest, handoff.CodeInvalid)
	if a := claim(`,"deviceName":"\",\"route\":\"local\",\"sameNetwork\":true"}}`); a.StatusCode != http.StatusCreated {
		t.Fatalf("an app's claim = %d %s, want 201", a.StatusCode, a.body)
	}
	check("an app that lies", app, from)
}

// TestRecordInWebhooks: each webhook carries the record of its own event, the last
// one the very bytes that the API answers with.
func TestRecordInWebhooks(t *testing.T) {
	t.Parallel()
	bodies := make(chan []byte, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- b
	}))
	t.Cleanup(receiver.Close)
	w := newWorld(t, func(s *setting) {
		s.proxies = local()
		s.deliverer = func(log *slog.Logger, records *attest.Attestor) handoff.Deliverer {
			sender, err := webhook.New(webhook.Config{
				Endpoints: map[handoff.PartnerID][]webhook.Endpoint{"acme": {{URL: receiver.URL, Secrets: []handoff.Secret{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}}},
				Client:    receiver.Client(), Sign: records.Sign, Log: log,
			})
			if err != nil {
				t.Fatal(err)
			}
			return sender
		}
	})
	s := w.begin(map[string]any{"reference": "order 7"})
	s.desk.header.Set("X-Forwarded-For", "198.51.100.7")
	s.phone.header.Set("X-Forwarded-For", "198.51.100.7")
	s.open()
	s.scan()
	s.tap()
	s.desk.post(s.made.DisplayURL+"/release", nil) // what comes later changes no record of before
	s.landing = s.phone.get(s.code())
	s.tap()
	s.toApp()
	w.call(http.MethodPost, "/v1/handoffs/"+s.made.ID+"/cancel", nil)
	var got []string
	for claimed := false; ; {
		var body []byte
		select {
		case body = <-bodies:
		case <-time.After(patience):
			t.Fatalf("no webhook of the end; there were %v", got)
		}
		described(t, "/components/schemas/Webhook", body)
		var b struct {
			Type string
			Data struct {
				Status string
				Seq    int
				Route  *string
				Record *string
			}
		}
		if err := json.Unmarshal(body, &b); err != nil {
			t.Fatal(err)
		}
		got = append(got, b.Data.Status)
		claimed = claimed || b.Data.Status == "claimed"
		if !claimed {
			if b.Data.Record != nil {
				t.Errorf("%s has a record before the first claim", b.Type)
			}
			continue
		}
		r := w.record(b.Data.Record)
		if r.Handoff != s.made.ID || r.Reference != "order 7" || r.Status != b.Data.Status || r.Seq != b.Data.Seq || cmp.Diff(b.Data.Route, r.Observed.Route) != "" {
			t.Errorf("%s of event %d has the record %+v", b.Type, b.Data.Seq, r)
		}
		if held := b.Data.Route != nil; held != (r.Observed.SameNetwork != nil && *r.Observed.SameNetwork) || held != (r.Observed.ClaimedAt != nil) ||
			(r.Observed.EndedAt != nil) != (b.Data.Status == "cancelled") {
			t.Errorf("%s: observed = %+v, want things as they were then", b.Type, r.Observed)
		}
		if b.Data.Status == "cancelled" {
			if api := w.get(s.made.ID).Record; *api != *b.Data.Record {
				t.Errorf("the webhook's record is %s, the API's %s", *b.Data.Record, *api)
			}
			return
		}
	}
}
