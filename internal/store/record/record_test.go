package record_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/handoff-portal/handoff/internal/handoff"
	"github.com/handoff-portal/handoff/internal/store/record"
)

// filled is a handoff in which no field, at any depth, has its zero value, and
// no two fields of one type have the same. A field of the domain that the
// record lacks then shows as a difference.
func filled(t *testing.T) handoff.Handoff {
	t.Helper()
	var h handoff.Handoff
	n := 0
	fill(t, reflect.ValueOf(&h).Elem(), "Handoff", &n)
	return h
}

func fill(t *testing.T, v reflect.Value, path string, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case time.Time:
		zone := time.FixedZone("east", 3600)
		v.Set(reflect.ValueOf(time.Date(2026, 3, 4, 5, 6, 7, 123456000+*n, zone)))
		return
	case handoff.Hash:
		v.Set(reflect.ValueOf(handoff.HashOf(handoff.Secret(strconv.Itoa(*n)))))
		return
	}
	switch v.Kind() { //nolint:exhaustive // the rest is refused
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), path+"."+v.Type().Field(i).Name, n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), path, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, v.Index(i), fmt.Sprintf("%s[%d]", path, i), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("s%d <&>\u2028 é", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n)*1_000_000_007 + 1)
	case reflect.Uint8:
		v.SetUint(uint64(*n%255) + 1)
	case reflect.Bool:
		v.SetBool(true)
	default:
		t.Fatalf("%s has the kind %s: teach this test to fill it", path, v.Kind())
	}
}

func TestRoundTrip(t *testing.T) {
	for name, h := range map[string]handoff.Handoff{"filled": filled(t), "zero": {}} {
		b, err := record.Marshal(h)
		if err != nil {
			t.Fatalf("Marshal(%s): %v", name, err)
		}
		got, err := record.Unmarshal(b)
		if err != nil {
			t.Fatalf("Unmarshal(Marshal(%s)): %v", name, err)
		}
		if diff := cmp.Diff(h, got); diff != "" {
			t.Errorf("Unmarshal(Marshal(%s)) differs (-want +got):\n%s", name, diff)
		}
		if !got.CreatedAt.IsZero() && got.CreatedAt.Location() != time.UTC {
			t.Errorf("Unmarshal(Marshal(%s)).CreatedAt is in %v, want UTC", name, got.CreatedAt.Location())
		}
	}
}

func TestMarshalRefusesWhatItCannotHold(t *testing.T) {
	if _, err := record.Marshal(handoff.Handoff{CreatedAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Error("Marshal(handoff of the year 10000) = nil error, want one")
	}
}

func TestUnmarshalFaults(t *testing.T) {
	for _, b := range []string{"", "null", "[]", "{}", `{"v":0}`, `{"v":1,"dh":"short"}`, `{"v":1,"dh":"!"}`, `{"v":1`, `{"v":1,"seq":"1"}`} {
		if _, err := record.Unmarshal([]byte(b)); err == nil {
			t.Errorf("Unmarshal(%s) = nil error, want one", b)
		}
	}
}

// TestUnmarshalNewer: programs of two versions run side by side during an upgrade.
func TestUnmarshalNewer(t *testing.T) {
	h := filled(t)
	got, err := record.Unmarshal(newer(t, h))
	if err != nil {
		t.Fatalf("Unmarshal(newer record): %v", err)
	}
	if diff := cmp.Diff(h, got); diff != "" {
		t.Errorf("Unmarshal(newer record) differs (-want +got):\n%s", diff)
	}
}

// newer is the record of h as a program two versions on might write it.
func newer(t *testing.T, h handoff.Handoff) []byte {
	t.Helper()
	b, err := record.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte(`{"v":3,"moon":{"phase":[1,2]},"a\"b":"x",`), bytes.TrimPrefix(b, []byte(`{"v":1,`))...)
}

func TestRewriteKeepsWhatANewerProgramWrote(t *testing.T) {
	h := filled(t)
	old := newer(t, h)
	h.Seq++
	h.Claim = nil // a field this program knows, and took away
	b, err := record.Rewrite(old, h)
	if err != nil {
		t.Fatalf("Rewrite(newer record): %v", err)
	}
	got, err := record.Unmarshal(b)
	if err != nil {
		t.Fatalf("Unmarshal(Rewrite(newer record)): %v", err)
	}
	if diff := cmp.Diff(h, got); diff != "" {
		t.Errorf("Rewrite(newer record) differs (-want +got):\n%s", diff)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"v": "3", "moon": `{"phase":[1,2]}`, `a"b`: `"x"`} {
		if got := string(fields[name]); got != want {
			t.Errorf("Rewrite(newer record) has %s = %s, want %s", name, got, want)
		}
	}
}

func TestRewriteOwn(t *testing.T) {
	h := filled(t)
	old, err := record.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	h.Seq++
	want, err := record.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	for _, was := range [][]byte{old, append([]byte(" "), old...)} {
		got, err := record.Rewrite(was, h)
		if err != nil {
			t.Fatalf("Rewrite(%.20q): %v", was, err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("Rewrite(%.20q) = %s, want %s", was, got, want)
		}
	}
	for _, was := range []string{"", "[]", `{"v":"x"}`} {
		if got, err := record.Rewrite([]byte(was), h); err == nil {
			t.Errorf("Rewrite(%q) = %.40q, want an error", was, got)
		}
	}
}

func TestDecoyIsAnOrdinaryRecord(t *testing.T) {
	h, err := record.Unmarshal(record.Decoy())
	if err != nil {
		t.Fatalf("Unmarshal(Decoy()): %v", err)
	}
	if h.Claim == nil || len(h.Codes) == 0 {
		t.Error("Decoy() lacks claim or codes: decoding it takes less time than a real record")
	}
}

func TestNoSecretTypeInARecord(t *testing.T) {
	b, err := record.Marshal(filled(t))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "redacted") {
		t.Error("Marshal(handoff) redacted a field: a Secret was stored instead of its hash or seal")
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(record.Decoy())
	f.Add([]byte(`{"V":2,"SEQ":1}`))
	f.Add([]byte(`{"v":1,"claim":{"pick":{}},"former":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := record.Unmarshal(b)
		if err != nil {
			return
		}
		again, err := record.Rewrite(b, h)
		if err != nil {
			t.Fatalf("Rewrite(%q): %v", b, err)
		}
		got, err := record.Unmarshal(again)
		if err != nil {
			t.Fatalf("Unmarshal(Rewrite(%q)): %v", b, err)
		}
		if diff := cmp.Diff(h, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("Rewrite(%q) differs (-want +got):\n%s", b, diff)
		}
	})
}

func BenchmarkMarshal(b *testing.B) {
	h, err := record.Unmarshal(record.Decoy())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := record.Marshal(h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	raw := record.Decoy()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := record.Unmarshal(raw); err != nil {
			b.Fatal(err)
		}
	}
}
